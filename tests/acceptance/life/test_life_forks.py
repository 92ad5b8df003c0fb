"""Forked processes: faults 16 to 20 of the catalogue, each in processes of its own."""

import json
from pathlib import Path

import pytest
from life_kit import doubles, messages, run

from logroute.receivers import HttpReceiver, TcpReceiver

FORKS = """
def fork(child, how="os._exit"):
    pid = os.fork()
    if pid:
        return pid
    if how == "os._exit":
        try:
            child()
        finally:
            os._exit(0)
    child()
    sys.exit(0)

def reap(pids, timeout_s=10):
    stuck = []
    for pid in pids:
        give_up_at = now() + timeout_s
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if now() > give_up_at:
                stuck.append(pid)
                os.kill(pid, signal.SIGUSR2)
                time.sleep(0.3)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(0.002)
    assert not stuck, f"{len(stuck)} children are stuck"
"""


def test_child_logs_though_everything_was_held(tmp_path):
    """Fault 16: a fork in the midst of a batch and of a handler's lock: the child logs at once."""
    done = run(
        tmp_path,
        FORKS
        + """
class Gated(Slow):
    inside, gate = threading.Event(), threading.Event()
    def emit(self, record):  # its lock is held by the worker now
        if record.args[0] == 0:
            self.inside.set()
            self.gate.wait()
        super().emit(record)

runtime = configure({"gated": {"()": "__main__.Gated", "pause_s": 0}, "out": file("file.log")})
log.info("parent %d", 0)
Gated.inside.wait()
held = [runtime.workers["gated"].queue._lock, runtime.workers["out"].queue._lock]
for lock in held:
    lock.acquire()
def child():
    begun = now()
    log.info("child %d", 1)
    assert logroute.flush(5)
    assert now() - begun < 5
    tell()
pid = fork(child)
for lock in held:
    lock.release()
reap([pid])
Gated.gate.set()
""",
    )
    assert sorted(done.lines()) == ["child 1", "parent 0"]
    assert sorted(done.lines("file.log")) == ["child 1", "parent 0"]
    assert [counts["delivered"] for counts in done.ledgers()["gated"]] == [1, 1]


def test_child_flushes_though_a_flush_was_under_way(tmp_path):
    """Fault 16: a fork while a foreign handler's stream is flushed, which locks that stream."""
    done = run(
        tmp_path,
        FORKS
        + """
class Stream:
    lock, inside = threading.Lock(), threading.Event()
    def write(self, text):
        with self.lock:
            os.write(OUT, text.encode())
    def flush(self):
        with self.lock:
            self.inside.set()
            time.sleep(0.02)

OUT = os.open(os.path.join(FOLDER, "out.log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
runtime = configure({"own": {"()": "logging.StreamHandler", "stream": "ext://__main__.Stream"}})
runtime.workers["own"]._sink._handler.stream = Stream()
log.info("parent 0")
assert logroute.flush(5)
threading.Thread(target=runtime.workers["own"]._sink.flush).start()
Stream.inside.wait()
def child():
    log.info("child 1")
    assert logroute.flush(5)
    runtime.shutdown(5)
reap([fork(child)])
""",
    )
    assert sorted(line.rpartition(": ")[2] for line in done.lines()) == ["child 1", "parent 0"]


def test_child_may_import_what_was_being_imported(tmp_path):
    """Fault 16: a fork while a worker imports; the child would wait for that import for ever."""
    (tmp_path / "heavy.py").write_text(
        "import time, scenario_state\nscenario_state.begun.set()\ntime.sleep(0.3)\n"
    )
    (tmp_path / "scenario_state.py").write_text("import threading\nbegun = threading.Event()\n")
    done = run(
        tmp_path,
        FORKS
        + """
import scenario_state
class Importing(Slow):
    def emit(self, record):
        import heavy
        super().emit(record)

configure({"own": {"()": "__main__.Importing"}})
log.info("parent 0")
scenario_state.begun.wait()
def child():
    log.info("child 1")
    assert logroute.flush(5)
reap([fork(child)])
""",
    )
    assert sorted(done.lines()) == ["child 1", "parent 0"]


@pytest.mark.parametrize("stage", ["looked for", "executed"])
@pytest.mark.parametrize("what", ["heavy", "logroute.engine.lanecode"])
def test_child_begins_an_import_anew(tmp_path, what, stage):
    """Fault 16: an import that a thread of ours begins when the fork is past its question.

    Between our hook and the fork other hooks run, and Python waits for a lock of its own.
    """
    (tmp_path / "heavy.py").write_text("")
    done = run(
        tmp_path,
        FORKS
        + f"""
import importlib.abc, importlib.machinery
WHAT, STAGE = {what!r}, {stage!r}
begun, parent = threading.Event(), os.getpid()
"""
        + """
def stall():
    if os.getpid() == parent:
        begun.set()
        time.sleep(1)

class Stalled(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name != WHAT:
            return None
        if STAGE == "looked for":
            stall()
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader, self.plain = self, spec.loader
        return spec
    def exec_module(self, module):
        if STAGE == "executed":
            stall()
        self.plain.exec_module(module)

def late():  # hooks before a fork are called last added first
    log.info("parent 0")
    assert begun.wait(5)

os.register_at_fork(before=late)
sys.meta_path.insert(0, Stalled())

class Importing(logging.Formatter):
    def format(self, record):
        import heavy
        return super().format(record)

own = {"own": {"()": "__main__.Importing"}}
configure({"out": file(formatter="own")}, formatters=own)
def child():
    for _ in range(4):  # so that no thread of ours gets the ident of a dead one
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    for number in range(60):
        log.info("child %d", number)
    assert logroute.flush(5)
    while not hasattr(log.info, "lane_of"):
        log.info("asked again")
        time.sleep(0.01)
    log.info("child 60")
    assert logroute.flush(5)
reap([fork(child)])
""",
    )
    lines = [line for line in done.lines() if line != "asked again"]
    assert sorted(lines) == sorted(["parent 0", *(f"child {n}" for n in range(61))])
    assert "lanecode" not in done.err


def test_child_may_import_what_a_logging_thread_imported(tmp_path):
    """Fault 16: the same where a thread of the application imports, as a first record may."""
    (tmp_path / "heavy.py").write_text(
        "import time, scenario_state\nscenario_state.begun.set()\ntime.sleep(0.05)\n"
    )
    (tmp_path / "scenario_state.py").write_text("import threading\nbegun = threading.Event()\n")
    done = run(
        tmp_path,
        FORKS
        + """
import scenario_state
configure({"out": file()})
log.info("parent 0")
assert logroute.flush(5)
threading.Thread(target=lambda: __import__("heavy")).start()
scenario_state.begun.wait()
def child():
    import heavy
    log.info("child 1")
    assert logroute.flush(5)
reap([fork(child)])
""",
    )
    assert sorted(done.lines()) == ["child 1", "parent 0"]


@pytest.mark.parametrize("kind", ["file", "foreign"])
def test_forks_beside_logging_threads_never_stick(tmp_path, kind):
    """Fault 17: a hundred forks while two threads log; no child is stuck, nothing is lost."""
    foreign = '{"class": "logging.FileHandler", "filename": os.path.join(FOLDER, "out.log")}'
    done = run(
        tmp_path,
        FORKS
        + f"""
configure({{"out": {"file()" if kind == "file" else foreign}}})
stop_logging = keep_logging()
def child():
    log.info("child %d", os.getpid())
    assert logroute.flush(10)
pids = []
for n in range(100):
    pids.append(fork(child))
    if n % 4 == 3:
        reap(pids[-4:])
logged = stop_logging()
say(json.dumps([pids, logged]))
""",
        timeout_s=60,
        options=("-W", "ignore::DeprecationWarning"),  # Python 3.12 warns of forks beside threads
    )
    pids, logged = json.loads(done.out)
    expected = [f"child {pid}" for pid in pids]
    expected += [f"thread{name} {n}" for name in (0, 1) for n in range(logged[name])]
    assert sorted(line.rpartition(": ")[2] for line in done.lines()) == sorted(expected)
    assert done.ledger("out")["delivered"] == sum(logged)


def test_documented_filter_silences_the_warning(tmp_path):
    """Python 3.12 warns of a fork beside threads; the line of the docs silences just that."""
    docs = (Path(__file__).parents[3] / "docs/frameworks.md").read_text()
    (line,) = [line.strip() for line in docs.splitlines() if "warnings.filterwarnings(" in line]
    done = run(
        tmp_path,
        FORKS
        + f"""
import warnings
configure({{"out": file()}})
log.info("parent 0")
assert logroute.flush(5)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    reap([fork(lambda: None)])
    says = [item.category for item in told]
    assert says == [DeprecationWarning] * (sys.version_info >= (3, 12)), told
    {line}
    reap([fork(lambda: None)])
    assert len(told) == len(says)
    warnings.warn("another", DeprecationWarning)
    assert len(told) == len(says) + 1
""",
    )
    assert done.lines() == ["parent 0"]


@pytest.mark.parametrize("how", ["sys.exit", "os._exit"])
def test_children_lose_nothing(tmp_path, how):
    """Fault 18: four children of 200 records each; os._exit wants a flush before it."""
    with HttpReceiver() as web, TcpReceiver() as tcp:
        done = run(
            tmp_path,
            FORKS
            + f"""
configure({{
    "out": file(),
    "tcp": {{"type": "socket", "address": "{tcp.address}", "formatter": "bare"}},
    "web": {{"type": "http", "url": "{web.url}", "proxy": "none", "body": "ndjson"}},
}})
log.info("parent 0")
assert logroute.flush(5)
def child():
    for n in range(200):
        log.info("%d %d", os.getpid(), n)
    if "{how}" == "os._exit":
        assert logroute.flush(10)
        tell()
pids = [fork(child, "{how}") for _ in range(4)]
reap(pids)
log.info("parent 1")
say(json.dumps(pids))
""",
        )
        expected = ["parent 0", "parent 1"]
        expected += [f"{pid} {n}" for pid in json.loads(done.out) for n in range(200)]
        assert tcp.wait_for(802)
        by_web = messages(web.received)
    assert sorted(done.lines()) == sorted(expected)
    assert sorted(line.decode() for line in tcp.received) == sorted(expected)
    assert sorted(by_web) == sorted(expected)
    for name in ("out", "tcp", "web"):
        assert sorted(counts["delivered"] for counts in done.ledgers()[name]) == [2, *[200] * 4]


def test_synchronous_children_need_no_flush(tmp_path):
    """Fault 18: in sync mode os._exit loses nothing."""
    done = run(
        tmp_path,
        FORKS
        + """
configure({"out": file(queue={"mode": "sync"})})
def child():
    for n in range(200):
        log.info("%d %d", os.getpid(), n)
reap([fork(child) for _ in range(4)])
""",
    )
    assert len(done.lines()) == 800
    assert not doubles(done.lines())


def test_records_that_wait_are_not_doubled(tmp_path):
    """Fault 19: what waits in queues, batches and buffers at a fork is the parent's alone."""
    done = run(
        tmp_path,
        FORKS
        + """
class Gated(Slow):
    gate = threading.Event()
    def emit(self, record):
        self.gate.wait()
        super().emit(record)

memory = {"class": "logging.handlers.MemoryHandler", "capacity": 100, "target": "gated"}
configure({"gated": {"()": "__main__.Gated"}, "memory": memory, "out": file("file.log")})
for n in range(10):
    log.info("record %d", n)
wait_for(lambda: logroute.stats()["handlers"]["memory"]["delivered"] == 10)
def child():
    Gated.gate.set()
pids = [fork(child, "sys.exit"), fork(child, "sys.exit"), fork(child)]
reap(pids)
Gated.gate.set()
""",
    )
    records = [f"record {n}" for n in range(10)]
    assert done.lines("file.log") == records
    assert sorted(done.lines()) == sorted(records * 2)  # to the target, and by way of the memory


def test_children_open_connections_of_their_own(tmp_path):
    """Fault 20: four writers of big frames at once; none is torn, each has its connection."""
    with TcpReceiver("length") as tcp:
        done = run(
            tmp_path,
            FORKS
            + f"""
configure({{"tcp": {{"type": "socket", "address": "{tcp.address}", "framing": "length",
           "formatter": "bare", "queue": {{"max_bytes": "200MiB"}}}}}}, shutdown_timeout=20)
def write(name):
    for n in range(30):
        log.info("%d %d %s", name, n, str(name) * 200_000)
log.info("9 0 %s", "9" * 200_000)
assert logroute.flush(5)
pids = [fork(lambda: write(name), "sys.exit") for name in range(3)]
write(3)
reap(pids, 20)
""",
            timeout_s=40,
        )
        assert tcp.wait_for(121, 20)
        assert (tcp.connections, tcp.torn, tcp.faults) == (4, [], [])
    assert len(set(tcp.received)) == 121
    for frame in tcp.received:
        name, n, text = frame.split(b" ")
        assert text == name * 200_000
    assert sum(counts["delivered"] for counts in done.ledgers()["tcp"]) == 121


def test_child_ends_though_a_pool_was_held(tmp_path):
    """Fault 16: urllib3 empties its pools as a process ends; one of them was locked at the fork."""
    with HttpReceiver() as server:
        run(
            tmp_path,
            FORKS
            + f"""
import queue
filling, put = threading.Event(), queue.LifoQueue._put
def put_slowly(self, item):  # its lock is held by the worker now
    put(self, item)
    if item is not None:
        filling.set()
        time.sleep(1)
queue.LifoQueue._put = put_slowly
configure({{"web": {{"type": "http", "url": {server.url!r}}}}}, shutdown_timeout=20)
log.info("parent")
filling.wait(2)
reap([fork(lambda: None, "sys.exit")])
""",
        )


def test_child_keeps_no_connection_that_is_in_use(tmp_path):
    """A request of the parent's that waits for its answer: the child holds its own alone."""
    with HttpReceiver() as server:
        server.answer(200, delay_s=2)
        done = run(
            tmp_path,
            FORKS
            + f"""
import contextlib
def sockets():
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # of the listing itself
            count += os.readlink("/proc/self/fd/" + name).startswith("socket:")
    return count

configure({{"web": {{"type": "http", "url": {server.url!r}}}}}, shutdown_timeout=20)
before = sockets()
log.info("parent")
while sockets() == before:
    time.sleep(0.01)
time.sleep(0.2)
def child():
    log.info("child")
    assert logroute.flush(15)
    os.write(1, str(sockets() - before).encode())
reap([fork(child)], 20)
""",
        )
    assert done.out == "1"
