"""Records out of the midst of things: faults 26, 27, 28, 31 and 32 of the catalogue."""

import pytest
from life_kit import numbers, run

from logroute.receivers import HttpReceiver


@pytest.mark.parametrize("mode", ["thread", "sync"])
def test_signal_handlers_lose_nothing(tmp_path, mode):
    """Fault 26: a timer's signal logs in the midst of thousands of records."""
    count = 60_000 if mode == "thread" else 15_000
    done = run(
        tmp_path,
        f"""
        count = {count}
        queue = {{"max_records": 200_000, "max_bytes": "200MiB", "mode": "{mode}"}}
        configure({{"out": file(queue=queue)}}, shutdown_timeout=30)
        hits = 0
        def hit(*_):
            global hits
            hits += 1
            log.warning("signal %d", hits)
        signal.signal(signal.SIGALRM, hit)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for n in range(count):
            log.info("main %d", n)
        signal.setitimer(signal.ITIMER_REAL, 0)
        say(hits)
        """,
        timeout_s=60,
        quiet=mode == "thread",
    )
    lines, hits = done.lines(), int(done.out)
    assert hits > 20
    assert numbers(line for line in lines if line.startswith("main")) == list(range(count))
    signals = numbers(line for line in lines if line.startswith("signal"))
    internal = done.stats()["internal"]  # in sync mode: out of the midst of a delivery
    assert len(set(signals)) == len(signals) == hits - internal
    assert internal == 0 or mode == "sync"
    assert done.stats()["faults"] == 0


def test_garbage_that_logs_is_harmless(tmp_path):
    """Fault 27: a collection in every place of ours, with garbage whose `__del__` logs."""
    done = run(
        tmp_path,
        """
        import collections, gc
        made, collecting = 0, threading.RLock()
        class Trash:
            def __init__(self):
                global made
                made += 1
                self.circle, self.number = self, made
            def __del__(self):
                log.info("trash %d", self.number)

        def collect(record):
            collect_for(record.msg, record.args)

        def collect_for(msg, args):
            if msg.startswith("main") and args[0] < 50:
                with collecting:  # amid another thread's collection Python does nothing
                    Trash()
                    gc.collect()

        class Intake(collections.deque):
            def append(self, entry):
                if isinstance(entry, tuple):
                    collect_for(*entry[4:6]) if entry[0] is None else collect(entry[0])
                super().append(entry)

        class Collecting(logging.Formatter):
            def format(self, record):
                collect(record)
                return super().format(record)

        class Sending(Slow):
            def emit(self, record):
                collect(record)
                super().emit(record)

        gc.disable()
        runtime = configure({"out": file(formatter="collecting"),
                             "own": {"()": "__main__.Sending", "pause_s": 0, "path": "own.log"}},
                            formatters={"collecting": {"()": "__main__.Collecting",
                                                       "format": "%(message)s"}})
        runtime.intake.entries = Intake(runtime.intake.entries)
        for n in range(60):
            log.info("main %d", n)
        assert logroute.flush(10)
        gc.set_threshold(3)  # the natural way, too
        gc.enable()
        for n in range(60, 3000):
            log.info("main %d", n)
        assert logroute.flush(10)
        say(made)
        """,
        timeout_s=40,
    )
    made, internal = int(done.out), done.stats()["internal"]
    for name in ("out.log", "own.log"):
        main = [line for line in done.lines(name) if line.startswith("main")]
        trash = [line for line in done.lines(name) if line.startswith("trash")]
        assert numbers(main) == list(range(3000))
        assert len(trash) == len(set(trash)) == made - internal
    assert made == 150 and 50 <= made - internal <= 150


def test_configuring_waits_for_no_worker(tmp_path):
    """Fault 28: dictConfig, which holds logging's lock, while handlers want that lock."""
    done = run(
        tmp_path,
        """
        import logging.config
        class Touching(Slow):
            made = 0
            def emit(self, record):
                Touching.made += 1
                logging.getLogger(f"new.{Touching.made}").isEnabledFor(10)  # takes the lock
                super().emit(record)
        configure({"own": {"()": "__main__.Touching"}}, shutdown_timeout=20)
        taken = []
        for n in range(5):
            for m in range(100):
                log.info("record %d", 100 * n + m)
            begun = now()
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
            taken.append(now() - begun)
        assert max(taken) < 10, taken  # not until `shutdown_timeout` ends the wait
        """,
        timeout_s=60,
    )
    assert numbers(done.lines()) == list(range(500))


@pytest.mark.parametrize("where", ["handler", "formatter", "filter", "argument", "face"])
def test_parts_that_log_make_no_loop(tmp_path, where):
    """Fault 31: 100 records of a logger whose own parts log to it: at most twice as many."""
    done = run(
        tmp_path,
        f"""
        where = "{where}"
        def nested(record):
            if where == "face":
                logroute.current().handlers["own"].handle(record)
            else:
                log.warning("nested %d", record.args[0])
        class Chatty(Slow):
            def emit(self, record):
                if where in ("handler", "face"):
                    nested(record)
                super().emit(record)
        class Format(logging.Formatter):
            def format(self, record):
                if where == "formatter":
                    nested(record)
                return super().format(record)
        class Filter(logging.Filter):
            def filter(self, record):
                if where == "filter" and record.msg.startswith("record"):
                    nested(record)
                return True
        class Argument:
            def __init__(self, n):
                self.n = n
            def __index__(self):
                if where == "argument":
                    log.warning("nested %d", self.n)
                return self.n
        own = {{"()": "__main__.Chatty", "pause_s": 0, "formatter": "f", "filters": ["filter"]}}
        configure({{"own": own}}, formatters={{"f": {{"()": "__main__.Format"}}}},
                  filters={{"filter": {{"()": "__main__.Filter"}}}})
        for n in range(100):
            log.info("record %d", Argument(n) if where == "argument" else n)
        assert logroute.flush(10)
        """,
        quiet=False,
    )
    lines, internal = done.lines(), done.stats()["internal"]
    assert numbers(line for line in lines if line.startswith("record")) == list(range(100))
    nested = [line for line in lines if line.startswith("nested")]
    assert len(nested) + internal == 100
    assert (internal == 0) == (where in ("filter", "argument"))
    assert done.err.count("\n") <= 2 and "Traceback" not in done.err


def test_client_libraries_make_no_loop(tmp_path):
    """Fault 32: urllib3 logs every request at DEBUG, and DEBUG is routed to a web service."""
    with HttpReceiver() as web:
        done = run(
            tmp_path,
            f"""
            web = {{"type": "http", "url": "{web.url}", "proxy": "none", "body": "ndjson"}}
            configure({{"web": web, "out": file()}})
            logging.getLogger("urllib3").setLevel("DEBUG")
            for n in range(20):
                log.debug("record %d", n)
                assert logroute.flush(10)
            """,
        )
        assert len(web.received) <= 20
        bodies = b"".join(request.content for request in web.received)
    assert bodies.count(b'"message"') == bodies.count(b'"record ') == 20
    assert numbers(done.lines()) == list(range(20))
    assert done.stats()["internal"] >= 20
    assert done.stats()["accepted"] == 20
