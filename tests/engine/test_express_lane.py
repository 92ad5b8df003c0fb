"""Nothing can tell the express lane from stdlib's way: it closes for whoever could."""

import logging
import threading
import warnings
from unittest import mock

import pytest
from express_kit import METHODS, TOP, Records, forget_loggers, has_lane, keep, logged, tree

from logroute import native
from logroute.engine import express


def opened(low):
    """Log once, so that the lane is open; say so."""
    low.info("open the lane")
    assert has_lane(low)


def texts(kit):
    """Return the messages that arrived."""
    return [line.split(b"('text', '")[1].split(b"'")[0].decode() for line in logged(kit)]


def stands(logger):
    """Return all that others can see of a logger's making."""
    names = sorted(logger.__dict__)
    return names, type(logger), type(logger.handlers), type(logger.filters), repr(logger)


def test_shutdown_leaves_no_trace():
    """Class, attributes and lists of each logger are as they were, and it logs as ever."""
    with tree(encode=keep) as (kit, low):
        loggers = [low, low.parent, logging.getLogger(TOP)]
        before = [stands(logger) for logger in loggers]
        opened(low)
        low.debug("another level")
        kept = low.info  # somebody keeps the lane itself
        assert repr(low) == before[0][-1] and isinstance(low, logging.Logger)
        kit.runtime.shutdown(5)
        assert [stands(logger) for logger in loggers] == before
        records = Records()
        low.addHandler(records)
        kept("after the end")
        assert b"after the end" in records.kept[0] and b"'test_shutdown_leaves" in records.kept[0]


def test_record_amid_the_opening_opens_nothing(monkeypatch):
    """Signals come as long as a lane is being opened: each must find its way out again."""
    with tree(encode=keep) as (kit, low):
        part, asked = express._code.part, []

        def interrupted(method, needs):
            asked.append(method)
            low.warning("out of the midst")
            return part(method, needs)

        monkeypatch.setattr(express._code, "part", interrupted)
        opened(low)
        assert asked == ["info", "_log"] and not has_lane(low, "warning")
        low.warning("later")
        assert has_lane(low, "warning")
        amid = ["out of the midst"] * 2
        assert texts(kit) == [*amid, "open the lane", *amid, "later"]


def append(logger, handler):
    logger.handlers.append(handler)


def insert(logger, handler):
    logger.handlers.insert(0, handler)


def assign(logger, handler):
    logger.handlers = [*logger.handlers, handler]


def extend(logger, handler):
    logger.handlers += [handler]


@pytest.mark.parametrize("add", [logging.Logger.addHandler, append, insert, assign, extend])
@pytest.mark.parametrize("where", ["", ".a", ".a.b"])
def test_foreign_handler_gets_the_very_next_record(add, where):
    """However it is put up and where on the way; once it is gone the lane opens again."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        records, logger = Records(), logging.getLogger(TOP + where)
        add(logger, records)
        low.info("for both")
        assert len(records.kept) == 1 and not has_lane(low)
        logger.removeHandler(records)
        low.info("ours alone")
        assert has_lane(low) and len(records.kept) == 1
        low.info("on the lane")
        assert texts(kit) == ["open the lane", "for both", "ours alone", "on the lane"]
        logger.handlers = [h for h in logger.handlers if h is not records]


def test_foreign_handler_sees_a_level_that_no_route_wants():
    """A call that does nothing any more does all it should for who comes later."""
    routes = [({"level": ">=warning"}, ["a"])]
    with tree(encode=keep, routes=routes) as (kit, low):
        low.info("nobody wants it")
        assert has_lane(low) and low.isEnabledFor(logging.INFO)
        low.info("nor this")
        assert kit.runtime.stats()["accepted"] == 1
        records = Records()
        logging.getLogger(TOP).addHandler(records)
        low.info("somebody does")
        assert len(records.kept) == 1
        logging.getLogger(TOP).removeHandler(records)
        low.info("nobody any more")
        kept = low.info
        kit.runtime.shutdown(5)
        low.addHandler(records)
        kept("after the end")
        assert [b"after the end" in line for line in records.kept] == [False, True]


def test_tracer_sees_a_level_that_no_route_wants():
    """So does who patches `Logger.callHandlers` when the calls do nothing already."""
    with tree(encode=keep, routes=[({"level": ">=warning"}, ["a"])]) as (_, low):
        low.info("nobody wants it")
        original, seen = logging.Logger.callHandlers, []

        def trace(self, record):
            seen.append(record.getMessage())
            original(self, record)

        with mock.patch.object(logging.Logger, "callHandlers", trace):
            low.info("traced")
        assert seen == ["traced"]


def test_filter_on_the_logger_is_asked():
    """A filter that is added to the logger sees the next record."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        low.addFilter(lambda record: record.getMessage() != "refused")
        low.info("refused")
        low.filters.clear()
        low.info("taken")
        assert texts(kit) == ["open the lane", "taken"]


def test_filter_on_the_face_is_asked():
    """So does one on the handler that stands on the logger."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        kit.face.addFilter(lambda record: record.getMessage() != "refused")
        low.info("refused")
        kit.face.setLevel(logging.ERROR)
        low.info("below")
        low.error("taken")
        assert texts(kit) == ["open the lane", "taken"]


def test_propagate_and_disabled_are_obeyed():
    """What is set on a logger holds for the next record."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        low.disabled = True
        low.info("disabled")
        low.disabled, low.propagate = False, False
        with mock.patch.object(logging, "lastResort", None):
            low.error("goes nowhere")
        low.propagate = True
        low.info("again")
        assert texts(kit) == ["open the lane", "again"]


def test_logger_that_comes_between_is_met():
    """A logger made later, amid the way up, is asked like any other."""
    names = (f"{TOP}.x.y",)
    with tree(encode=keep) as (_, _low):
        deep = logging.getLogger(names[0])
        opened(deep)
        between, records = logging.getLogger(f"{TOP}.x"), Records()
        between.addHandler(records)
        deep.info("met")
        assert len(records.kept) == 1
        between.handlers.clear()
    forget_loggers(*names, f"{TOP}.x")


@pytest.mark.parametrize(
    "step", ["callHandlers", "handle", "makeRecord", "findCaller", "_log", "info", "isEnabledFor"]
)
def test_patched_step_is_taken(step):
    """Who puts himself into a method of `Logger`, as tracers do, is called for each record."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        original, calls = getattr(logging.Logger, step), []

        def patched(self, *args, **kwargs):
            calls.append(step)
            return original(self, *args, **kwargs)

        with mock.patch.object(logging.Logger, step, patched):
            low.info("traced")
            assert calls
            low.warning("a level without a lane")
            assert not has_lane(low, "warning")
        low.info("not traced")
        assert texts(kit)[0::3] == ["open the lane", "not traced"]


def test_record_factory_is_used():
    """`setLogRecordFactory` makes each record, from the very next one on."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        factory = logging.getLogRecordFactory()

        def make(*args, **kwargs):
            record = factory(*args, **kwargs)
            record.by_factory = True
            return record

        try:
            logging.setLogRecordFactory(make)
            low.info("made")
        finally:
            logging.setLogRecordFactory(factory)
        assert b"by_factory" in logged(kit)[1]


def test_patched_messages_are_made_as_patched():
    """Another `getMessage` (braces, say) holds for arguments of any kind."""

    def braces(self):
        return str(self.msg).format(*self.args or ())

    with tree(encode=keep) as (kit, low):
        opened(low)
        with mock.patch.object(logging.LogRecord, "getMessage", braces):
            low.info("{} and {}", 1, [2])
            low.info("{}", "plain")
            assert texts(kit)[1:] == ["1 and [2]", "plain"]


def test_mocked_method_leaves_nothing_behind():
    """`mock.patch.object` on a logger puts back what it found, and that does no harm."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        with mock.patch.object(low, "info") as fake:
            low.info("faked")
            fake.assert_called_once_with("faked")
        low.info("real")
        records = Records()
        low.addHandler(records)
        low.info("for both")
        assert len(records.kept) == 1
        assert texts(kit) == ["open the lane", "real", "for both"]
        low.handlers.clear()


def test_caplog_sees_all(caplog):
    """pytest's handler on the root logger gets what is logged, whatever lanes were open."""
    with tree(encode=keep) as (_, low):
        logging.getLogger(TOP).propagate = True
        with caplog.at_level(logging.DEBUG):
            low.info("captured")
        assert "captured" in caplog.text


def test_warnings_are_captured():
    """`captureWarnings` logs through a logger that may have a lane."""
    with tree(encode=keep) as (kit, _):
        logger = logging.getLogger("py.warnings")
        parent, logger.parent = logger.parent, logging.getLogger(TOP)
        logging.captureWarnings(True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                logging._showwarning(UserWarning("first"), UserWarning, "x.py", 1)
                logging._showwarning(UserWarning("second"), UserWarning, "x.py", 2)
        finally:
            logging.captureWarnings(False)
            logger.parent = parent
        assert [b"second" in line for line in logged(kit)] == [False, True]


def test_own_threads_do_not_come_round():
    """What a formatter logs goes to stderr, though its logger has a lane."""

    def encode(record):
        if record.getMessage() == "outer":
            low.info("inner")
        return keep(record)

    with tree(encode=encode) as (kit, low):
        opened(low)
        low.info("outer")
        assert texts(kit) == ["open the lane", "outer"]
        assert kit.runtime.internal == 1


def test_full_queue_makes_the_lane_wait():
    """With `block` a caller waits for room, and nothing is lost."""
    with tree(encode=keep, max_records=10, block_for=20.0) as (kit, low):
        opened(low)
        kit.runtime.flush(5)
        kit.sinks["a"].gate.clear()
        thread = threading.Thread(target=lambda: [low.info("n") for _ in range(500)])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        kit.sinks["a"].gate.set()
        thread.join(30)
        assert len(logged(kit)) == 501
        assert kit.counts("a")["dropped"] == {}


def test_mark_is_wiped_in_a_forked_child(forked):
    """A child learns that it is one, though nobody calls Python's hooks at the fork."""
    mark = native.fork_mark()
    assert mark[0] == 1
    assert forked(lambda: mark[0]) == 0
    assert mark[0] == 1


@pytest.fixture
def forked():
    """Fork as C code does, past all hooks; return what the child's function gives."""
    import ctypes
    import os

    def run(call):
        pid = ctypes.CDLL(None).fork()
        if pid == 0:
            os._exit(call())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return run


def test_lanes_are_for_plain_loggers():
    """A logger of a class of its own keeps to its class's way."""

    class Own(logging.Logger):
        pass

    name = f"{TOP}.own"
    with tree(encode=keep) as (kit, _):
        manager = logging.Manager(logging.root)
        manager.loggerDict = logging.root.manager.loggerDict
        manager.setLoggerClass(Own)
        own = manager.getLogger(name)
        own.info("own")
        assert not any(method in own.__dict__ for method in METHODS)
        assert texts(kit) == ["own"]
    forget_loggers(name)


def test_child_forked_behind_our_back_delivers(forked):
    """Such a child delivers what it logs on a lane that was open in its parent, and only that."""
    with tree(encode=keep) as (kit, low):
        opened(low)
        logged(kit)
        kit.sinks["a"].received.clear()

        def child():
            for n in range(5):
                low.info("child %d", n)
            return 1 if texts(kit) == [f"child {n}" for n in range(5)] else 0

        assert forked(child) == 1
        low.info("parent")
        assert texts(kit) == ["parent"]
