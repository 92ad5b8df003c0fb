"""configure() among threads, stdlib's own configuration and parts that fail."""

import gc
import logging
import logging.config
import os
import threading

import pytest
from engine_kit import adds_up

import logroute
from logroute.app import reload as reload_module
from logroute.engine.handler import RouteHandler

BASIC = """
version: 1
formatters:
  bare: {format: "%(levelname)s %(name)s %(message)s"}
handlers:
  out: {type: file, path: PATH, formatter: bare}
root: {level: INFO}
routes:
  - {to: out}
"""

STDLIB = """
version: 1
formatters: {f: {format: "%(levelname)s %(message)s"}}
handlers:
  all: {class: logging.FileHandler, filename: DIR/all.log, formatter: f}
  bad: {class: logging.FileHandler, filename: DIR/bad.log, formatter: f, level: ERROR}
  last: LAST
root: {level: DEBUG, handlers: [last]}
"""


class Recorder(logging.Handler):
    """A foreign handler that tells which thread closed it."""

    closed: list[int] = []

    def emit(self, record):
        pass

    def close(self):
        self.closed.append(threading.get_ident())
        super().close()


RECORDER = {
    "version": 1,
    "handlers": {"own": {"()": "test_configure_faults.Recorder"}},
    "root": {"level": "INFO", "handlers": ["own"]},
}


@pytest.fixture
def recorder():
    Recorder.closed.clear()
    return logroute.configure(RECORDER)


def route_handlers():
    return [h for h in logging.getLogger().handlers if isinstance(h, RouteHandler)]


def lines(path):
    assert logroute.flush(10)
    return path.read_text().splitlines()


def test_configures_at_once_leave_one_runtime(tmp_path, monkeypatch):
    """Of two configs that start at once one takes the other one's place."""
    meeting, runtimes = threading.Barrier(2), []
    build = reload_module.build

    def build_together(*args):
        try:
            meeting.wait(0.3)
        except threading.BrokenBarrierError:  # as it should: one at a time
            meeting.reset()
        return build(*args)

    monkeypatch.setattr(reload_module, "build", build_together)
    texts = [BASIC.replace("PATH", str(tmp_path / name)) for name in "ab"]
    crowd = [
        threading.Thread(target=lambda text=text: runtimes.append(logroute.configure(text)))
        for text in texts
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert len(route_handlers()) == 1
    assert [r is logroute.current() for r in runtimes] == [True, True]


def test_forced_basic_config_can_be_undone(tmp_path):
    """Configuring again brings back what basicConfig(force=True) took off."""
    path = tmp_path / "out.log"
    runtime = logroute.configure(BASIC.replace("PATH", str(path)))
    others = [h for h in logging.getLogger().handlers if not isinstance(h, RouteHandler)]
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])
    assert route_handlers() == []
    assert logroute.configure(BASIC.replace("PATH", str(path))) is runtime
    logging.getLogger("a").info("again")
    assert lines(path) == ["INFO a again"]
    logroute.shutdown()
    logging.getLogger().handlers = others


def test_failed_build_leaves_nothing(tmp_path):
    """A part that cannot be made costs no open file, no level name and no handler's name."""
    runtime = logroute.configure(BASIC.replace("PATH", str(tmp_path / "out.log")))
    gc.collect()  # what a test before has left
    descriptors = len(os.listdir("/proc/self/fd"))
    text = (
        STDLIB.replace("DIR", str(tmp_path))
        .replace("all", "out")
        .replace("LAST", "{class: no.such.Thing, target: out}")
    )
    with pytest.raises(logroute.ConfigError):
        logroute.configure(text + "levels: {NEARLY: 17}\n")
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert logging.getLevelName(17) == "Level 17"
    assert logging._handlers["out"] is runtime.handlers["out"]


def test_queue_handler_feeds_its_handlers(tmp_path):
    """A QueueHandler with `handlers` delivers to them, as their levels say."""
    text = STDLIB.replace("DIR", str(tmp_path)).replace(
        "LAST", "{class: logging.handlers.QueueHandler, handlers: [all, bad]}"
    )
    runtime = logroute.configure(text)
    runtime.handlers["last"].listener.start()  # as applications of Python 3.12 do
    logging.getLogger("a").info("one")
    logging.getLogger("a").error("two")
    assert runtime.flush(10) and runtime.flush(10)
    assert (tmp_path / "all.log").read_text() == "INFO one\nERROR two\n"
    assert (tmp_path / "bad.log").read_text() == "ERROR two\n"
    assert all(adds_up(counts) for counts in runtime.stats()["handlers"].values())


def test_memory_target_takes_all_levels(tmp_path):
    """What a MemoryHandler releases is not held to its target's level, as in stdlib."""
    last = "{class: logging.handlers.MemoryHandler, capacity: 9, flushLevel: 40, target: bad}"
    runtime = logroute.configure(STDLIB.replace("DIR", str(tmp_path)).replace("LAST", last))
    logging.getLogger("a").info("before")
    logging.getLogger("a").error("fault")
    assert runtime.flush(10) and runtime.flush(10)
    assert (tmp_path / "bad.log").read_text() == "INFO before\nERROR fault\n"


def test_shutdown_releases_what_a_handler_holds(tmp_path):
    """What a MemoryHandler holds reaches its target when the runtime is shut down."""
    last = "{class: logging.handlers.MemoryHandler, capacity: 9, target: all}"
    runtime = logroute.configure(STDLIB.replace("DIR", str(tmp_path)).replace("LAST", last))
    logging.getLogger("a").info("held")
    assert runtime.shutdown(10) == {}
    assert (tmp_path / "all.log").read_text() == "INFO held\n"


def test_later_dictconfig_closes_no_foreign_handler(recorder):
    """stdlib's dictConfig and shutdown leave handlers alone that a worker owns."""
    logging.getLogger("a").info("x")
    assert recorder.flush(10)
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO"}}
    )
    logging.shutdown()
    assert Recorder.closed == []


def test_foreign_handler_is_closed_once_by_its_worker(recorder):
    """Shutdown closes a foreign handler once, in the thread that fed it."""
    logging.getLogger("a").info("x")
    assert recorder.flush(10)
    recorder.shutdown(10)
    logging.shutdown()
    assert len(Recorder.closed) == 1
    assert Recorder.closed != [threading.get_ident()]


def test_record_met_again_is_a_new_one(tmp_path):
    """A record that comes back from another thread or process is routed again."""
    path = tmp_path / "out.log"
    text = BASIC.replace("PATH", str(path)) + "loggers: {low: {handlers: [out]}}\n"
    logroute.configure(text)
    record = logging.makeLogRecord(
        {"name": "low", "levelno": 20, "levelname": "INFO", "msg": "x", "pair": ()}
    )
    logging.getLogger("low").handle(record)
    assert "_logroute" not in record.__dict__
    record.__dict__["_logroute"] = (1, 2, 3)  # as left by another process
    logging.getLogger().handle(record)
    assert lines(path) == ["INFO low x"] * 2


@pytest.mark.parametrize(
    ("lack", "line"),
    [
        ("name", "WARNING root message 7"),
        ("msg", "WARNING app.db <unformattable: AttributeError> "),
        ("args", "WARNING app.db message %d"),
    ],
)
@pytest.mark.parametrize("at", ["root", "app", "app.db"])
def test_record_that_lacks_something_is_mended(tmp_path, capfd, monkeypatch, at, lack, line):
    """A record made by hand without name, message or arguments arrives once, and is told of."""
    text = BASIC.replace("PATH", str(tmp_path / "out.log"))
    text = text.replace("  - {to: out}", "  - {to: out}\n  - {to: other}")
    text = text.replace(
        "handlers:", f"handlers:\n  other: {{type: file, path: {tmp_path}/other}}", 1
    )
    config = f"{text}loggers: {{app: {{handlers: [out]}}, app.db: {{handlers: [out]}}}}\n"
    runtime = logroute.configure(config)
    monkeypatch.setattr(logging.getLogger(), "handlers", route_handlers())  # pytest's own fails
    record = logging.makeLogRecord(
        {"name": "app.db", "levelno": 30, "levelname": "WARNING", "msg": "message %d", "args": (7,)}
    )
    del record.__dict__[lack]
    logging.getLogger(at).handle(record)
    runtime.flush(10)
    assert lines(tmp_path / "out.log") == [line]
    assert len(lines(tmp_path / "other")) == 1
    assert runtime.stats()["faults"] == 0
    assert f"a record came without `{lack}`; it was mended" in capfd.readouterr().err
    assert lack not in record.__dict__


def test_failing_filter_on_a_logger_is_ours(tmp_path):
    """A filter of ours that fails on a logger drops the record and is counted."""
    text = BASIC.replace("PATH", str(tmp_path / "out.log")) + (
        "filters: {mask: {type: redact}}\nloggers: {a: {level: INFO, filters: [mask]}}\n"
    )
    runtime = logroute.configure(text)

    class Hostile(logging.LogRecord):
        def __getattribute__(self, name):
            if name == "__dict__":
                raise RuntimeError
            return super().__getattribute__(name)

    logging.getLogger("a").handle(Hostile("a", 20, "x", 1, "x", (), None))
    assert runtime.stats()["faults"] == 1


def test_cycles_leave_nothing(tmp_path):
    """Thirty rounds of configure, log and shutdown keep threads, files and handlers."""
    kept = []
    for n in range(30):
        logroute.configure(BASIC.replace("PATH", str(tmp_path / f"{n % 3}.log")))
        logging.getLogger("a").info("%d", n)
        logroute.shutdown()
        gc.collect()
        kept.append((len(os.listdir("/proc/self/fd")), len(logging._handlerList)))
    assert len(set(kept[2:])) == 1
    assert sum(len((tmp_path / f"{n}.log").read_text().splitlines()) for n in range(3)) == 30


def test_memory_handlers_may_stand_in_any_order(tmp_path):
    """A handler that refers to one which refers to another is built last, wherever it stands."""
    memory = {"class": "logging.handlers.MemoryHandler", "capacity": 1}
    document = {
        "version": 1,
        "handlers": {
            "c": {**memory, "target": "b"},
            "b": {**memory, "target": "a"},
            "a": {"class": "logging.FileHandler", "filename": str(tmp_path / "a.log")},
        },
        "root": {"handlers": ["c"], "level": "INFO"},
    }
    logroute.configure(document)
    logging.getLogger("x").info("through both")
    logroute.shutdown()
    assert "through both" in (tmp_path / "a.log").read_text()


@pytest.mark.parametrize("others", [["a"], ["b"]])
def test_handlers_in_a_circle_are_refused(others):
    """Handlers that feed each other are an error that names the circle."""
    queue = {"class": "logging.handlers.QueueHandler"}
    handlers = {"a": {**queue, "handlers": others}, "b": {**queue, "handlers": ["a"]}}
    document = {"version": 1, "handlers": handlers, "root": {"handlers": ["a"]}}
    with pytest.raises(logroute.ConfigError, match="in a circle: `a` -> "):
        logroute.configure(document)
