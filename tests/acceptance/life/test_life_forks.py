"""Forked processes: faults 16 to 20 of the catalogue, each in processes of its own."""

import json

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


@pytest.mark.parametrize("kind", ["file", "foreign"])
def test_forks_beside_logging_threads_never_stick(tmp_path, kind):
    """Fault 17: a hundred forks while two threads log; no child is stuck, nothing is lost."""
    foreign = '{"class": "logging.FileHandler", "filename": os.path.join(FOLDER, "out.log")}'
    done = run(
        tmp_path,
        FORKS
        + f"""
configure({{"out": {"file()" if kind == "file" else foreign}}})
stop, logged = threading.Event(), [0, 0]
def produce(name):
    while not stop.is_set():
        log.info("thread%d %d", name, logged[name])
        logged[name] += 1
        time.sleep(0.0005)
threads = [threading.Thread(target=produce, args=(name,)) for name in (0, 1)]
for thread in threads:
    thread.start()
def child():
    log.info("child %d", os.getpid())
    assert logroute.flush(10)
pids = []
for n in range(100):
    pids.append(fork(child))
    if n % 4 == 3:
        reap(pids[-4:])
stop.set()
for thread in threads:
    thread.join()
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
