"""The end of a process: faults 3 to 13 of the catalogue, each in a process of its own."""

import json
import os
import signal
import time

import pytest
from life_kit import doubles, messages, numbers, run, start

from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver

ENDS = [("return", 0), ("sys.exit", 3), ("exception", 1)]


@pytest.mark.parametrize(("how", "code"), ENDS)
def test_normal_exit_drains_the_backlog(tmp_path, how, code):
    """Fault 4: 500 records wait for a slow handler at the end; all of them arrive."""
    done = run(
        tmp_path,
        f"""
        configure({{"slow": slow()}})
        for n in range(500):
            log.info("record %d", n)
        end("{how}")
        """,
        code=code,
        quiet=how != "exception",
    )
    assert numbers(done.lines()) == list(range(500))
    assert done.ledger("slow")["delivered"] == 500


def test_full_queue_drains_at_exit(tmp_path):
    """Fault 4: a bounded queue that is full at the end needs no room for a stop signal."""
    done = run(
        tmp_path,
        """
        queue = {"max_records": 50, "overflow": "drop_newest"}
        configure({"slow": slow()}, queue=queue)
        for n in range(1000):
            log.info("record %d", n)
        """,
        quiet=False,
    )
    counts = done.ledger("slow")
    assert counts["enqueued"] == 1000
    assert counts["delivered"] == len(done.lines()) == 1000 - counts["dropped"]["queue_full"]
    assert counts["delivered"] >= 50 and not doubles(done.lines())


def test_exit_drains_every_destination(tmp_path):
    """Fault 4: collector, web service and file each have every record when the process ends."""
    with TcpReceiver() as tcp, HttpReceiver() as web:
        done = run(
            tmp_path,
            f"""
            configure({{
                "out": file(),
                "tcp": {{"type": "socket", "address": "{tcp.address}", "formatter": "bare"}},
                "web": {{"type": "http", "url": "{web.url}", "proxy": "none",
                         "body": "ndjson"}},
            }})
            for n in range(2000):
                log.info("record %d", n)
            sys.exit(3)
            """,
            code=3,
        )
        assert tcp.wait_for(2000)
        by_web = messages(web.received)
    assert numbers(done.lines()) == list(range(2000))
    assert numbers(line.decode() for line in tcp.received) == list(range(2000))
    assert numbers(by_web) == list(range(2000))
    assert [done.ledger(name)["delivered"] for name in ("out", "tcp", "web")] == [2000] * 3


def test_terminated_program_that_exits_loses_nothing(tmp_path):
    """Fault 3: a handler of SIGTERM that calls sys.exit ends the process in order."""
    done = run(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        configure({"slow": slow()})
        for n in range(500):
            log.info("record %d", n)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        """,
        code=3,
    )
    assert numbers(done.lines()) == list(range(500))


def test_hard_exit_loses_nothing_written_by_the_caller(tmp_path):
    """Fault 5: os._exit costs a handler in sync mode nothing."""
    done = run(
        tmp_path,
        """
        configure({"out": file(queue={"mode": "sync"})})
        for n in range(500):
            log.info("record %d", n)
        os._exit(5)
        """,
        code=5,
    )
    assert numbers(done.lines()) == list(range(500))


@pytest.mark.parametrize("flushes", [False, True])
def test_hard_exit_costs_what_waits_in_memory(tmp_path, flushes):
    """Fault 5: os._exit loses the newest records, of those that wait; none after a flush."""
    done = run(
        tmp_path,
        f"""
        configure({{"slow": slow()}})
        for n in range(300):
            log.info("record %d", n)
            if n == 49 or (n == 299 and {flushes}):
                assert logroute.flush(10)
        os._exit(5)
        """,
        code=5,
    )
    kept = numbers(done.lines())
    assert kept == list(range(len(kept)))
    assert len(kept) == 300 if flushes else 50 <= len(kept) < 300


INTERRUPTING = """
hits = []
def interrupted(*_):
    hits.append(1)
    raise KeyboardInterrupt
signal.signal(signal.SIGINT, interrupted)

class Interrupting(Slow):
    # Sends Ctrl-C from within the drain at exit, at the records numbered in `due`.
    def emit(self, record):
        if record.args[0] in due:
            wait_for(lambda: len(hits) == due.index(record.args[0]) and is_draining())
            os.kill(os.getpid(), signal.SIGINT)
        if record.args[0] == hung_at:
            threading.Event().wait()
        super().emit(record)

def is_draining():
    frame = sys._current_frames()[threading.main_thread().ident]
    names = []
    while frame:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return "_drain_patiently" in names and "wait" in names

configure({"slow": {"()": "__main__.Interrupting"}}, shutdown_timeout=15)
for n in range(200):
    log.info("record %d", n)
sys.exit(3)
"""


def test_first_interrupt_lets_the_drain_go_on(tmp_path):
    """Fault 6: Ctrl-C during the drain at exit loses nothing and prints nothing."""
    done = run(tmp_path, "due, hung_at = [50], None\n" + INTERRUPTING, code=3)
    assert numbers(done.lines()) == list(range(200))


def test_second_interrupt_aborts_the_drain(tmp_path):
    """Fault 6: a second Ctrl-C gives the rest up, counted, without a traceback."""
    script = "due, hung_at = [50, 51], 51\n" + INTERRUPTING
    done = run(tmp_path, script, code=3, quiet=False, timeout_s=12)
    assert numbers(done.lines()) == list(range(51))
    counts = done.ledger("slow")  # a foreign handler's batch is settled as a whole
    assert f"did not deliver {counts['queued'] + counts['in_flight']} records in time" in done.err
    assert "Traceback" not in done.err


HUNG = {
    "foreign": '{"()": "life_child.Hung"}',
    "stdout": '{"type": "console", "stream": "stdout"}',
    "tcp": '{"type": "socket", "address": "TCP"}',
    "http": '{"type": "http", "url": "WEB", "proxy": "none"}',
    "email": """{"type": "email", "host": "127.0.0.1", "port": MAIL, "security": "none",
                 "from": "a@x.example", "to": ["b@x.example"], "batch": {"max_wait": 0.01}}""",
}


@pytest.mark.parametrize("kind", [*HUNG, "all"])
def test_hung_sink_costs_the_timeout_only(tmp_path, kind):
    """Fault 7: the process ends within `shutdown_timeout` and half a second, its code kept."""
    chosen = HUNG if kind == "all" else {kind: HUNG[kind]}
    handlers = ", ".join(f'"{name}": {text}' for name, text in chosen.items())
    with TcpReceiver(stall=True) as tcp, HttpReceiver() as web, SmtpReceiver() as mail:
        web.answer(delay_s=60, times=None)
        mail.delay_s = 60
        for word, value in (("TCP", tcp.address), ("WEB", web.url), ("MAIL", str(mail.port))):
            handlers = handlers.replace(word, value)
        script = f"""
            configure({{{handlers}}}, shutdown_timeout=0.7)
            for n in range(300):
                log.error("%d %s", n, "x" * 20_000)
            time.sleep(0.2)
            with open("end", "w") as target:
                target.write(repr(now()))
            sys.exit(3)
            """
        took = [_seconds_to_end(tmp_path, script)]
        while min(took) > 1.2 and len(took) < 4:  # a busy machine may take its time
            took.append(_seconds_to_end(tmp_path, script))
    assert min(took) <= 1.2, took


def _seconds_to_end(folder, script):
    """Return how long the process lived on after its last line, whose pipe nobody reads."""
    with start(folder, script) as scenario:
        code = scenario.process.wait(20)
        ended = time.monotonic()
        assert code == 3, scenario.err
        assert "in time" in scenario.err or "has dropped" in scenario.err
        assert "Traceback" not in scenario.err
    return ended - float((folder / "end").read_text())


def test_records_after_the_drain_arrive(tmp_path):
    """Fault 8: records of atexit functions, registered before and after, and of a late thread."""
    done = run(
        tmp_path,
        """
        from logroute.receivers import TcpReceiver
        def late(word):
            for n in range(10):
                log.info("%s %d", word, n)
        def by_thread():
            try:
                thread = threading.Thread(target=late, args=("thread",))
                thread.start()
                thread.join()
            except RuntimeError:  # Python 3.12 starts none
                late("thread")
        atexit.register(by_thread)
        atexit.register(late, "before")
        configure({"out": file(), "slow": slow(path="slow.log")})
        atexit.register(late, "after")
        late("main")
        """,
    )
    expected = [f"{w} {n}" for w in ("main", "after", "before", "thread") for n in range(10)]
    assert done.lines() == done.lines("slow.log") == expected
    assert done.ledger("out")["delivered"] == done.ledger("slow")["delivered"] == 40


def test_records_after_a_shutdown_are_counted(tmp_path):
    """Fault 8: who holds a handler of a runtime that is shut down gets its records counted."""
    done = run(
        tmp_path,
        """
        runtime = configure({"out": file()})
        held = runtime.handlers["out"]
        log.info("record 1")
        runtime.shutdown()
        for n in range(10):
            held.handle(log.makeRecord("app", 20, "", 0, "late %d", (n,), None))
        counts = runtime.stats()["handlers"]["out"]
        assert counts["dropped"] == {"shutdown": 10}, counts
        assert counts["enqueued"] == 11 and counts["delivered"] == 1, counts
        """,
        quiet=False,
    )
    assert done.lines() == ["record 1"]
    assert done.err.count("\n") == 1 and "has dropped" in done.err


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("kind", ["file", "tcp"])
def test_records_of_finalizers_are_delivered_or_counted(tmp_path, kind, begun):
    """Fault 9: `__del__` as the interpreter goes down: no traceback, no noise, no loss."""
    with TcpReceiver() as tcp:
        spec = f'{{"type": "socket", "address": "{tcp.address}", "formatter": "bare"}}'
        done = run(
            tmp_path,
            f"""
            class Last:
                def __init__(self, n):
                    self.n = n
                def __del__(self, log=log):
                    log.warning("last %d", self.n)
            configure({{"h": {"file()" if kind == "file" else spec}}}, shutdown_timeout=3)
            if {begun}:
                log.info("first 0")
            sys.modules["kept for ever"] = [Last(n) for n in range(10)]
            del Last
            """,
            quiet=False,
        )
        if kind == "file":
            expected = ["first 0"] * begun + [f"last {n}" for n in range(10)]
            assert sorted(done.lines()) == sorted(expected)
            assert done.err == ""
        else:  # what the connection needs cannot be imported any more
            assert "has dropped" in done.err and done.err.count("\n") <= 3
            assert "Traceback" not in done.err


def test_daemon_threads_cannot_prolong_the_drain(tmp_path):
    """Fault 10: threads that log for ever into a slow pipe do not hold the end up."""
    script = """
        configure({"out": {"type": "console", "stream": "stdout", "formatter": "bare"}},
                  shutdown_timeout=1)
        begun = threading.Barrier(5)
        def produce(name):
            n = 0
            begun.wait()
            while True:
                log.info("%d %d", name, n)
                n += 1
        for name in range(4):
            threading.Thread(target=produce, args=(name,), daemon=True).start()
        begun.wait()
        time.sleep(0.2)
        with open("end", "w") as target:
            target.write(repr(now()))
        """
    with start(tmp_path, script, timeout_s=15) as scenario:
        text = b""
        while piece := os.read(scenario.process.stdout.fileno(), 4096):
            text += piece
            time.sleep(0.002)  # a reader of about a megabyte a second
        assert scenario.wait() == 0
        assert "Traceback" not in scenario.err
    *lines, _ = text.decode().split("\n")  # the last one may be torn: the process has ended
    assert len(lines) > 100
    for name in range(4):
        own = [int(line.split()[1]) for line in lines if line.startswith(f"{name} ")]
        assert own == sorted(set(own))
    assert scenario.ended_at - float((tmp_path / "end").read_text()) < 5


def test_drain_ends_with_what_was_logged_before(tmp_path):
    """Fault 10: the drain wants the records of before the end, not those that go on coming."""
    script = """
        configure({"out": slow(pause_s=0.003)}, shutdown_timeout=300)
        logged = [0] * 4
        begun = threading.Barrier(5)
        def produce(name):
            begun.wait()
            while True:
                log.info("%d %d", name, logged[name])
                logged[name] += 1
                time.sleep(0.005)  # four of these are faster than the handler
        for name in range(4):
            threading.Thread(target=produce, args=(name,), daemon=True).start()
        begun.wait()
        wait_for(lambda: min(logged) > 20)
        say(json.dumps(logged))  # the drain begins behind this line
        """
    with start(tmp_path, script, timeout_s=60) as scenario:  # a fifth of the drain's patience
        assert scenario.wait() == 0
        assert "Traceback" not in scenario.err
    lines = scenario.lines()
    for name, count in enumerate(json.loads(scenario.out)):
        own = [int(line.split()[1]) for line in lines if line.startswith(f"{name} ")]
        assert own == list(range(len(own)))
        assert len(own) >= count
    assert scenario.ledger("out")["dropped"] == {}


@pytest.mark.parametrize("no_threads", [False, True])
def test_first_record_at_exit_needs_no_thread(tmp_path, no_threads):
    """Fault 11: the first record of all comes in an atexit function, where none can start."""
    with TcpReceiver() as tcp:
        done = run(
            tmp_path,
            f"""
            import _thread
            def refuse(*_):
                raise RuntimeError("can't create new thread at interpreter shutdown")
            def late(word):
                if {no_threads}:  # as Python 3.12 does by itself
                    threading._start_new_thread = _thread.start_new_thread = refuse
                log.info("%s 1", word)
            atexit.register(late, "before")
            configure({{"out": file(), "slow": slow(path="slow.log"),
                       "tcp": {{"type": "socket", "address": "{tcp.address}",
                               "formatter": "bare"}}}})
            atexit.register(late, "after")
            """,
        )
        assert tcp.wait_for(2)
    assert done.lines() == done.lines("slow.log") == ["after 1", "before 1"]
    assert [done.ledger(name)["delivered"] for name in ("out", "slow", "tcp")] == [2, 2, 2]


def test_raising_parts_cost_their_record_only(tmp_path):
    """Fault 12: what a handler, filter or formatter raises costs one record, counted."""
    done = run(
        tmp_path,
        """
        class Raising(Slow):
            def emit(self, record):
                if record.args[0] % 10 == 0:
                    raise (SystemExit, KeyboardInterrupt, ValueError)[record.args[0] // 10 % 3]
                super().emit(record)
        class Refusing(logging.Filter):
            def filter(self, record):
                if record.args[0] % 10 == 1:
                    raise MemoryError
                return True
        class Broken(logging.Formatter):
            def format(self, record):
                if record.args and record.args[0] % 10 == 2:
                    raise SystemExit
                return super().format(record)
        configure({"h": {"()": "__main__.Raising", "pause_s": 0},
                   "f": {"type": "file", "path": "f.log", "filters": ["refusing"]},
                   "b": {"type": "file", "path": "b.log", "formatter": "broken"}},
                  filters={"refusing": {"()": "__main__.Refusing"}},
                  formatters={"broken": {"()": "__main__.Broken"}})
        for n in range(100):
            log.info("record %d", n)
            assert n % 10 or logroute.flush(5)
        assert logroute.flush(5)
        """,
        quiet=False,
    )
    counts = {name: done.ledger(name) for name in "hfb"}
    assert [counts[name]["enqueued"] for name in "hfb"] == [100, 100, 100]
    assert [sum(counts[name]["dropped"].values()) for name in "hb"] == [10, 10]
    assert counts["h"]["delivered"] == len(done.lines()) == 90
    assert counts["b"]["delivered"] == len(done.lines("b.log")) == 90
    assert counts["f"]["delivered"] == len(done.lines("f.log")) == 100  # a broken filter passes
    assert done.stats()["faults"] == 10
    assert "Traceback" not in done.err and len(done.err) < 2000


def test_stopping_and_starting_twice_is_harmless(tmp_path):
    """Fault 13: shutdown and configure may be called again, in any order."""
    done = run(
        tmp_path,
        """
        assert logroute.shutdown() == {}
        runtime = configure({"out": file()})
        assert configure({"out": file()}) is runtime
        log.info("record 0")
        assert runtime.shutdown() == runtime.shutdown() == logroute.shutdown() == {}
        assert logroute.shutdown() == {}
        for n in (1, 2):
            assert configure({"out": file()}) is not runtime
            log.info("record %d", n)
            logroute.shutdown()
        configure({"out": file()})
        log.info("record 3")
        """,
    )
    assert numbers(done.lines()) == [0, 1, 2, 3]
    assert done.ledger("out")["delivered"] == 1


def test_terminated_process_dies_of_the_signal(tmp_path):
    """Fault 2: configure() leaves SIGTERM, SIGINT and SIGHUP as they were."""
    run(
        tmp_path,
        """
        before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
        configure({"out": file()})
        log.info("record 0")
        assert before == [
            signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        ]
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        """,
        code=-signal.SIGTERM,
    )
