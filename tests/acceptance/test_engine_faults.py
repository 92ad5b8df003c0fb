"""The end of a process: hung handlers, Ctrl-C, late records. Each in a process of its own."""

import signal
import subprocess
import sys
import textwrap

import pytest

HEAD = """
import atexit, logging, os, signal, sys, threading
import logroute

class Hanging(logging.Handler):
    hung = threading.Event()
    def emit(self, record):
        self.hung.set()
        threading.Event().wait()

class Told(logging.Handler):
    def emit(self, record):
        os.write(1, record.getMessage().encode() + b" ")
    def close(self):
        os.write(1, b"closed ")
        super().close()

log = logging.getLogger("app")

def configure(kind, **more):
    handlers = {"a": {"()": f"__main__.{kind}"}}
    logroute.configure({"version": 1, "handlers": handlers | more.pop("handlers", {}),
                        "root": {"level": "INFO", "handlers": ["a"]}, **more})
"""


def run(code, timeout_s=30):
    """Return what a script prints and its exit code; it may not take longer than `timeout_s`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(code)],
        timeout=timeout_s,
        capture_output=True,
        check=False,
    )
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def test_hung_handlers_do_not_hold_up_the_exit():
    """Handlers that never return cost one `shutdown_timeout` together, and the exit code stays."""
    handlers = '{n: {"()": "__main__.Hanging"} for n in ("b", "c", "d", "e", "f", "g", "h")}'
    out, err, code = run(
        f"""
        configure("Hanging", shutdown_timeout=2, handlers={handlers},
                  routes=[{{"to": list("bcdefgh")}}])
        log.error("x")
        sys.exit(3)
        """,
        timeout_s=12,  # one after the other they would take 16 s
    )
    assert code == 3
    assert "handler `a` did not deliver 1 records in time" in err
    assert "Traceback" not in err


def test_interrupt_lets_the_drain_go_on():
    """The first Ctrl-C during the drain at exit loses nothing and prints nothing."""
    out, err, code = run(
        """
        draining = threading.Event()

        class Interrupted(Told):
            def emit(self, record):
                draining.wait()
                super().emit(record)

        configure("Interrupted")
        for n in range(50):
            log.info("%d", n)
        drain = logroute.current().drain
        def interrupted(deadline):
            logroute.current().drain = lambda deadline: draining.set() or drain(deadline)
            signal.raise_signal(signal.SIGINT)
        logroute.current().drain = interrupted
        """
    )
    assert err == ""
    words = out.split()
    assert words[-1] == "closed"
    assert set(words[:-1]) == {str(n) for n in range(50)}


def test_second_interrupt_ends_the_drain():
    """A second Ctrl-C gives up the drain, without a traceback."""
    out, err, code = run(
        """
        configure("Hanging", shutdown_timeout=25)
        log.info("x")
        Hanging.hung.wait()
        drain = logroute.current().drain
        def interrupted(deadline):
            signal.raise_signal(signal.SIGINT)
            return drain(deadline)
        logroute.current().drain = interrupted
        """,
        timeout_s=15,
    )
    assert "did not deliver 1 records" in err
    assert "Traceback" not in err


def test_records_of_finalization_are_delivered(tmp_path):
    """A record from `__del__`, as the interpreter goes down, is delivered at once."""
    out, err, code = run(
        f"""
        class Last:
            def __del__(self, log=log):
                log.warning("last")

        out = {{"type": "file", "path": "{tmp_path}/out.log", "formatter": "bare"}}
        logroute.configure({{"version": 1, "handlers": {{"out": out}}, "routes": [{{"to": "out"}}],
                            "formatters": {{"bare": {{"format": "%(message)s"}}}}}})
        log.warning("first")
        last = Last()
        """
    )
    assert (out, err, code) == ("", "", 0)
    assert (tmp_path / "out.log").read_text() == "first\nlast\n"


def test_foreign_handler_is_closed_once_at_exit():
    """At exit a foreign handler is closed once, after records of late atexit hooks."""
    out, err, code = run(
        """
        atexit.register(lambda: log.info("late"))
        configure("Told")
        log.info("first")
        """
    )
    assert (out, err, code) == ("first late closed ", "", 0)


def test_buffering_handler_is_flushed_at_exit():
    """What a MemoryHandler holds reaches its target at exit, also after a later dictConfig."""
    out, err, code = run(
        """
        import logging.config
        memory = {"class": "logging.handlers.MemoryHandler", "capacity": 10, "target": "a"}
        configure("Told", handlers={"m": memory}, loggers={"low": {"handlers": ["m"],
                  "propagate": False}})
        logging.getLogger("low").info("kept")
        logging.config.dictConfig({"version": 1, "incremental": False,
                                   "disable_existing_loggers": False})
        """
    )
    assert (out, err, code) == ("kept closed ", "", 0)


def test_daemon_threads_do_not_hold_up_the_exit():
    """Daemon threads that log for ever do not keep the process."""
    out, err, code = run(
        """
        logroute.configure({"version": 1, "handlers": {"n": {"type": "null"}},
                            "root": {"level": "INFO"}, "routes": [{"to": "n"}]})
        busy = threading.Event()
        def log_for_ever():
            while True:
                log.info("x")
                busy.set()
        threading.Thread(target=log_for_ever, daemon=True).start()
        busy.wait()
        """,
        timeout_s=25,
    )
    assert (err, code) == ("", 0)


@pytest.mark.parametrize("mode", ["thread", "sync"])
def test_signal_handler_may_log_anywhere(mode):
    """Signals that log while the main thread logs neither deadlock nor raise."""
    out, err, code = run(
        f"""
        handlers = {{"n": {{"type": "null", "queue": {{"mode": "{mode}"}}}}}}
        logroute.configure({{"version": 1, "handlers": handlers, "routes": [{{"to": "n"}}],
                            "root": {{"level": "INFO"}}}})
        logger = logging.getLogger("n")
        hits = logged = 0
        def hit(*_):
            global hits
            hits += 1
            logger.warning("signal")
        signal.signal(signal.SIGPROF, hit)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        while hits < 50:
            logger.info("main %s", [1])
            logged += 1
        signal.setitimer(signal.ITIMER_PROF, 0)
        assert logroute.flush(20)
        stats = logroute.stats()
        assert stats["handlers"]["n"]["delivered"] + stats["internal"] == hits + logged, stats
        assert stats["faults"] == 0
        os._exit(7)
        """,
        timeout_s=60,
    )
    assert code == 7, err


def test_garbage_collection_inside_put_may_log():
    """A `__del__` that logs while the intake takes a record does not deadlock."""
    out, err, code = run(
        """
        import collections, gc
        configure("Told")
        class Trash:
            def __del__(self):
                log.info("del")
        class Collecting(collections.deque):
            def append(self, entry):
                if isinstance(entry, tuple) and "main" in (entry[4:5] or [entry[0].msg]):
                    trash = Trash()
                    trash.self = trash
                    del trash
                    gc.collect()
                super().append(entry)
        logroute.current().intake.entries = Collecting()
        for _ in range(3):
            log.info("main")
        assert logroute.flush(10)
        """
    )
    assert err == ""
    assert out == "del main del main del main closed "


def test_interrupted_process_dies_of_the_signal():
    """SIGTERM at its default still ends the process as a signal does."""
    _, err, code = run(
        """
        configure("Told")
        log.info("x")
        os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    assert (err, code) == ("", -signal.SIGTERM)
