"""Faults of the catalogue that the engine answers for, each in a process of its own."""

import json
import subprocess
import sys
import textwrap

import pytest

HEAD = """
import errno, json, logging, os, resource, sys, threading, time
import logroute

log = logging.getLogger("app")
gate = threading.Event()

class Gated(logging.Handler):
    seen = []
    def emit(self, record):
        gate.wait()
        self.seen.append(record.getMessage())

def configure(handler, **more):
    routes = [{"match": {"logger": "app"}, "to": "a"}]  # not what tells of losses
    logroute.configure({"version": 1, "handlers": {"a": handler}, "routes": routes,
                        "root": {"level": "INFO"}, **more})

def tell(**values):
    counts = logroute.stats()["handlers"]["a"]
    settled = counts["delivered"] + sum(counts["dropped"].values()) + counts["handed_to_fallback"]
    waiting = counts["queued"] + counts["in_flight"] + counts["dead_lettered"]
    counts["adds_up"] = counts["enqueued"] == settled + waiting + sum(counts["filtered"].values())
    os.write(1, json.dumps({**counts, **values}).encode())
"""


def run(code, timeout_s=240):
    """Return what a script tells, and its stderr; it may not take longer than `timeout_s`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(code)],
        timeout=timeout_s,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["adds_up"], told
    return told, done.stderr.decode()


@pytest.mark.parametrize("fault", ["ValueError", "SystemExit", "RecursionError"])
def test_exception_in_a_handler_costs_its_record(fault):
    """Fault 12: an exception in a handler loses one record of 100, counted."""
    told, err = run(
        f"""
        class Failing(Gated):
            def emit(self, record):
                if record.getMessage() == "50":
                    raise {fault}("no")
                super().emit(record)
        gate.set()
        configure({{"()": "__main__.Failing"}})
        for n in range(100):
            log.info("%d", n)
            assert logroute.flush(20)
        tell(seen=Gated.seen)
        """
    )
    assert told["seen"] == [str(n) for n in range(100) if n != 50]
    assert sum(told["dropped"].values()) == 1
    assert len(err) < 2000


def test_burst_is_counted_exactly():
    """Fault 35: of a burst five times the queue each record is delivered or counted."""
    told, err = run(
        """
        configure({"()": "__main__.Gated"}, queue={"overflow": "drop_newest",
                  "max_records": 1000})
        for n in range(5000):
            log.info("%d", n)
        while sum(logroute.stats()["handlers"]["a"]["dropped"].values()) < 2000:
            time.sleep(0.001)
        gate.set()
        assert logroute.flush(30)
        tell(seen=Gated.seen)
        """
    )
    assert told["enqueued"] == 5000
    assert len(told["seen"]) == told["delivered"] == 5000 - told["dropped"]["queue_full"]
    assert told["dropped_by_level"] == {"queue_full": {"INFO": told["dropped"]["queue_full"]}}
    assert len(err) < 2000


@pytest.mark.parametrize("overflow", ["shed", "block", "drop_newest", "drop_oldest"])
def test_stuck_handler_costs_bounded_memory(overflow):
    """Fault 36: 100 000 records for a handler that never moves take the bytes of its queue."""
    told, err = run(
        f"""
        from logroute.engine import intake
        slept, sleep = [], time.sleep
        intake.time = type("Time", (), {{"monotonic": time.monotonic,
                           "sleep": lambda s: slept.append(1) or sleep(s)}})
        class Stuck(logging.Handler):
            def emit(self, record):
                threading.Event().wait()
        configure({{"()": "__main__.Stuck"}}, shutdown_timeout=0, queue={{"overflow":
                  "{overflow}", "max_bytes": "1MiB", "block_for": "100ms"}})
        log.info("first")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for n in range(100_000):
            log.info("%0300d", n)
            if n % 1000 == 0:
                logroute.current().dispatcher.drain()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        tell(grown=grown, pauses=len(slept))
        """
    )
    assert told["enqueued"] > 90_000
    assert told["grown"] < 64_000  # kilobytes
    assert told["pauses"] <= (200 if overflow == "block" else 0)  # of half a millisecond
    assert len(err) < 2000


@pytest.mark.parametrize("value", [True, False])
def test_failures_are_told_whatever_raise_exceptions_says(value):
    """Fault 37: `logging.raiseExceptions` neither floods stderr nor hides a loss."""
    told, err = run(
        f"""
        logging.raiseExceptions = {value}
        class Failing(logging.Handler):
            def emit(self, record):
                raise ValueError("no")
        configure({{"()": "__main__.Failing"}})
        for n in range(500):
            log.info("%d", n)
        assert logroute.flush(30)
        tell()
        """
    )
    assert sum(told["dropped"].values()) == 500
    assert "no" in told["last_error"]
    assert 0 < len(err) < 2000


def test_wall_clock_set_back_delays_no_attempt():
    """Fault 48: with the wall clock an hour back, a collector that returns gets its records."""
    told, err = run(
        """
        from logroute.receivers.stream import TcpReceiver
        with TcpReceiver() as gone:
            port = gone.port
        configure({"type": "socket", "address": f"127.0.0.1:{port}",
                   "retry": {"initial": "50ms", "max": "100ms"}})
        log.error("x")
        while not logroute.stats()["handlers"]["a"]["last_error"]:
            time.sleep(0.001)
        now = time.time
        time.time = lambda: now() - 3600
        with TcpReceiver(port=port) as back:
            assert back.wait_for(1, 20)
            assert logroute.flush(20)
            tell()
            logroute.shutdown(5)
        """
    )
    assert (told["delivered"], told["dropped"]) == (1, {})


def test_collector_down_at_the_start_loses_nothing():
    """Fault 38: records logged before the collector is there all arrive when it is."""
    told, err = run(
        """
        from logroute.receivers.stream import TcpReceiver
        with TcpReceiver() as gone:
            port = gone.port
        configure({"type": "socket", "address": f"127.0.0.1:{port}",
                   "retry": {"initial": "50ms", "max": "100ms"}, "breaker": {"probe_after": "10ms",
                   "max_probe_after": "50ms"}})
        for n in range(300):
            log.info("%d", n)
        while logroute.stats()["handlers"]["a"]["breaker"] != "open":
            time.sleep(0.001)
        with TcpReceiver(port=port) as back:
            assert back.wait_for(300, 30)
            assert logroute.flush(20)
            tell(got=len(back.received))
            logroute.shutdown(5)
        """
    )
    assert (told["got"], told["delivered"], told["dropped"]) == (300, 300, {})
    assert told["breaker"] == "closed"
    assert len(err) < 2000


FULL_DISK = """
        write, is_full = os.write, True
        def full_write(descriptor, data):
            if is_full and descriptor > 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data)
        os.write = full_write
"""


def test_full_disk_is_waited_out(tmp_path):
    """Fault 50: lost records are counted, none is lost that the queue could hold, no restart."""
    path = tmp_path / "app.log"
    told, err = run(
        FULL_DISK
        + f"""
        configure({{"type": "file", "path": "{path}", "formatter": "bare",
                   "queue": {{"max_records": 500, "block_for": "10ms"}}}},
                  formatters={{"bare": {{"format": "%(message)s"}}}})
        for n in range(3000):
            log.info("%d", n)
        while not logroute.stats()["handlers"]["a"]["dropped"]:
            time.sleep(0.001)
        is_full = False
        assert logroute.flush(20)
        for n in range(3000, 3500):
            log.info("%d", n)
        assert logroute.flush(20)
        tell()
        """
    )
    lines = [line for line in path.read_text().splitlines() if line.isdigit()]
    assert set(told["dropped"]) == {"queue_full"}
    assert len(lines) == 3500 - told["dropped"]["queue_full"]
    assert lines[:500] == [str(n) for n in range(500)]
    assert lines[-500:] == [str(n) for n in range(3000, 3500)]
    assert len(err) < 2000


def test_full_disk_does_not_hold_up_the_exit(tmp_path):
    """Fault 50: at exit a full disk is tried once more, not waited for."""
    told, err = run(
        FULL_DISK
        + f"""
        configure({{"type": "file", "path": "{tmp_path}/app.log"}}, shutdown_timeout=3600)
        log.info("x")
        runtime = logroute.current()
        runtime.shutdown()
        counts = runtime.workers["a"].queue.counts()
        write(1, json.dumps(counts | {{"adds_up": True}}).encode())
        """,
        timeout_s=30,
    )
    assert told["dropped"] == {"undelivered": 1}
    assert "No space left" in err


def test_dead_collector_is_told_in_the_log_file(tmp_path):
    """What a dead collector loses stands in the log file beside it, by level and reason."""
    path = tmp_path / "app.log"
    told, err = run(
        f"""
        from logroute.receivers.stream import TcpReceiver
        with TcpReceiver() as gone:
            port = gone.port
        collector = {{"type": "socket", "address": f"127.0.0.1:{{port}}",
                      "queue": {{"max_records": 100}}}}
        logroute.configure({{"version": 1, "handlers": {{"a": collector,
            "file": {{"type": "file", "path": "{path}"}}}}, "root": {{"level": "INFO"}},
            "routes": [{{"to": ["a", "file"]}}], "shutdown_timeout": 1}})
        for n in range(1000):
            log.info("%d", n)
        while sum(logroute.stats()["handlers"]["a"]["dropped"].values()) < 500:
            time.sleep(0.001)
        runtime = logroute.current()
        runtime.shutdown()
        counts = runtime.workers["a"].queue.counts()
        write = os.write(1, json.dumps(counts | {{"adds_up": True}}).encode())
        """
    )
    told_line = [line for line in path.read_text().splitlines() if "handler `a` dropped" in line]
    assert len(told_line) == 1
    assert f"{told['dropped']['shed']} INFO shed" in told_line[0]
    assert "WARNING" in told_line[0] and "logroute" in told_line[0]
