"""On the express lane each record is what stdlib makes of the same call, to the last field."""

import contextlib
import logging
import sys
import time
from unittest import mock

from express_kit import METHODS, TOP, Records, has_lane, keep, logged, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.records import bind, unbind

NOW_NS = 1_789_000_123_456_789_012


class Loud:
    """An argument that says what it is, and is no plain value."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text

    def __repr__(self):
        return f"<{self.text}>"


class Broken:
    """An argument that cannot be said."""

    def __str__(self):
        raise ValueError("no text")


PLAIN = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans(), st.floats())
ANY = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), st.builds(Loud, st.text(max_size=3)))
KEYS = st.sampled_from(["request_id", "status", "message", "asctime", "name", "lineno", "x y", ""])
MESSAGES = st.one_of(
    st.sampled_from(["plain", "%s", "%s and %r", "%d", "%(x)s", "100 %", "%s %s %s", ""]),
    st.builds(Loud, st.sampled_from(["%s", "loud"])),
    st.sampled_from([7, None, ("a", "%s"), ValueError("as message")]),
)
ARGS = st.one_of(
    st.lists(ANY, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["x", "y"]), ANY, max_size=2).map(lambda d: (d,)),
)
EXTRA = st.one_of(st.none(), st.dictionaries(KEYS, ANY, max_size=3))
CALLS = st.fixed_dictionaries(
    {
        "how": st.sampled_from([*METHODS[:-1], "log", "exception", "adapter", "own level", "deep"]),
        "msg": MESSAGES,
        "args": ARGS,
        "extra": EXTRA,
        "exc_info": st.sampled_from([None, None, None, True, False, "instance"]),
        "stack_info": st.sampled_from([False, False, True]),
        "stacklevel": st.sampled_from([1, 1, 1, 2, 3, 50]),
    }
)


def notice(logger, msg, *args, **options):
    """Log as people write it who add a level."""
    if logger.isEnabledFor(25):
        logger._log(25, msg, args, **options)


def say(logger, call):
    """Do `call`, from one place; return what it raised."""
    options = {name: call[name] for name in ("extra", "stack_info", "stacklevel")}
    if call["exc_info"] is not None:
        instance = KeyError("k")
        options["exc_info"] = instance if call["exc_info"] == "instance" else call["exc_info"]
    msg, args, how = call["msg"], call["args"], call["how"]
    try:
        if how == "log":
            logger.log(37, msg, *args, **options)
        elif how == "adapter":
            adapter = logging.LoggerAdapter(logger, {"from": "adapter"})
            adapter.warning(msg, *args, **options)
        elif how == "own level":
            notice(logger, msg, *args, **options)
        elif how == "deep":
            (lambda: [logger.info(msg, *args, **options) for _ in range(1)])()
        elif how == "exception":
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                logger.exception(msg, *args, **options)
        else:
            getattr(logger, how)(msg, *args, **options)
    except Exception as fault:
        return repr(fault)
    return None


@contextlib.contextmanager
def both():
    """A logger with a lane and one of stdlib's alone, at a time that stands still.

    No fixture: pytest puts handlers of its own on loggers that are there before a test.
    """
    with (
        mock.patch.object(time, "time", lambda: NOW_NS / 1e9),
        mock.patch.object(time, "time_ns", lambda: NOW_NS),
        tree(encode=keep) as (kit, low),
    ):
        low.info("open the lane")
        plain = logging.Logger(low.name)
        records = Records()
        plain.addHandler(records)
        yield kit, low, plain, records


def test_each_record_equals_stdlibs():
    """Whatever is logged, and however: the same fields in the same order, the same errors."""
    with both() as (kit, low, plain, records):

        @settings(max_examples=150)
        @given(calls=st.lists(CALLS.filter(is_sayable), min_size=1, max_size=4))
        def check(calls):
            for method in METHODS[:-1]:
                getattr(low, method)("open the lane")
                assert has_lane(low, method)
            logged(kit)
            kit.sinks["a"].received.clear()
            records.kept.clear()
            for call in calls:
                raised = [say(logger, call) for logger in (low, plain)]
                assert raised[0] == raised[1]
            assert logged(kit) == records.kept

        check()


def is_sayable(call):
    """Return whether stdlib can make the message; what is said of others differs on purpose."""
    try:
        logging.LogRecord("", 0, "", 0, call["msg"], call["args"], None).getMessage()
    except Exception:
        return False
    return True


def test_message_that_fails_is_delivered():
    """Arguments that do not fit, or cannot be said, leave a record that says so."""
    with both() as (kit, low, _, _):
        low.info("%d", "no number")
        low.info("%s", Broken())
        texts = [line for line in logged(kit) if b"unformattable" in line]
        assert len(texts) == 2


def test_bound_fields_are_kept():
    """What `bind` adds is on the record, behind what `extra` says."""
    with both() as (kit, low, _, _):
        token = bind(tenant="t1", request_id="bound")
        low.info("x", extra={"request_id": "given"})
        unbind(token)
        low.info("y")
        second, third = logged(kit)[-2:]
        assert b"('request_id', 'given'), ('tenant', 't1')" in second
        assert b"tenant" not in third


def test_later_changes_do_not_reach_a_record():
    """A list in `extra` or among the arguments is as it was when the call was made."""
    with both() as (kit, low, _, _):
        values, extra = [1], {"items": [1], "n": 1}
        low.info("got %s", values, extra=extra)
        values.append(2)
        extra["items"].append(2)
        extra["n"] = 2
        line = logged(kit)[-1]
        assert b"'got [1]'" in line and b"('items', [1]), ('n', 1)" in line


def test_caller_without_python_frame():
    """A call by C code, as at exit, is a record like any other."""
    with both() as (kit, low, plain, records):
        for logger in (low, plain):
            list(map(logger.info, ["from C"]))
        assert logged(kit)[-1:] == records.kept


def test_task_is_named():
    """A record logged in an asyncio task has its name, where records have such a field."""
    import asyncio

    with both() as (kit, low, plain, records):

        async def work():
            for logger in (low, plain):
                logger.info("in a task")

        async def main():
            await asyncio.create_task(work(), name="the task")

        asyncio.run(main())
        assert (b"'the task'" in records.kept[0]) is (sys.version_info >= (3, 12))
        assert logged(kit)[-1:] == records.kept


def test_thread_and_its_name_are_those_of_the_call():
    """The name of the thread is the one at the call, though it changes at once."""
    import threading

    with both() as (kit, low, _, _):

        def work():
            low.info("named")
            threading.current_thread().name = "afterwards"

        thread = threading.Thread(target=work, name="at the call")
        thread.start()
        thread.join()
        assert b"'at the call'" in logged(kit)[-1]


def test_switches_of_logging_hold(monkeypatch):
    """`logThreads` and its like leave fields empty, as with stdlib."""
    with both() as (kit, low, plain, records):
        for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
            monkeypatch.setattr(logging, name, False, raising=False)

        def work(logger):
            logger.info("switched off")

        for logger in (low, plain):
            work(logger)
        assert logged(kit)[-1:] == records.kept


def test_disabled_level_says_nothing():
    """`logging.disable` and `setLevel` silence a logger that has lanes."""
    with both() as (kit, low, _, _):
        with contextlib.ExitStack() as stack:
            stack.callback(logging.disable, logging.NOTSET)
            logging.disable(logging.INFO)
            low.info("disabled")
        logging.getLogger(TOP).setLevel(logging.WARNING)
        low.info("below the level")
        assert len(logged(kit)) == 1
