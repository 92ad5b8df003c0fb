"""Other people's handlers as sinks: their failures count."""

import io
import logging
import logging.handlers

import pytest

from logroute.errors import Rejected
from logroute.sinks.foreign import ForeignSink


class Keeping(logging.Handler):
    """Keeps messages; fails on the one that says so."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.closed = False

    def emit(self, record):
        try:
            if record.msg == "bad":
                raise ValueError("no such table")
            self.seen.append(record.getMessage())
        except Exception:
            self.handleError(record)

    def close(self):
        self.closed = True
        super().close()


def test_records_are_handled_in_order(record):
    """The payload is the record itself; filters of the handler count."""
    handler = Keeping()
    handler.addFilter(lambda item: item.msg != "b")
    ForeignSink(handler).send([record("a"), record("b"), record("c")])
    assert handler.seen == ["a", "c"]


def test_swallowed_failure_is_rejected(record, capsys):
    """What stdlib would print is counted instead, and the rest is not lost."""
    handler = Keeping()
    with pytest.raises(Rejected, match="Keeping failed: ValueError: no such table") as caught:
        ForeignSink(handler).send([record("a"), record("bad"), record("c")])
    assert (caught.value.delivered, caught.value.rejected) == (1, 1)
    assert isinstance(caught.value.__cause__, ValueError)
    assert (handler.seen, capsys.readouterr().err) == (["a"], "")
    assert "handleError" not in vars(handler)


def test_raised_failure_is_rejected(record):
    """A handler that lets its exception out is treated the same."""

    class Raising(logging.Handler):
        def emit(self, item):
            raise OSError("disk")

    with pytest.raises(Rejected, match="OSError: disk"):
        ForeignSink(Raising()).send([record("a")])


def test_failing_filter_is_rejected(record):
    """So is a filter that raises."""
    handler = Keeping()
    handler.addFilter(lambda item: 1 / 0)
    with pytest.raises(Rejected, match="ZeroDivisionError"):
        ForeignSink(handler).send([record("a")])


def test_own_handle_error_is_still_called(record):
    """A class that overrides handleError goes on hearing of its failures."""
    told = []

    class Telling(Keeping):
        def handleError(self, item):
            told.append(item.msg)

    with pytest.raises(Rejected):
        ForeignSink(Telling()).send([record("bad")])
    assert told == ["bad"]


def test_instances_handle_error_is_kept(record):
    """One that was set on the instance is called, and back in place afterwards."""
    handler, told = Keeping(), []
    handler.handleError = own = lambda item: told.append(item.msg)
    with pytest.raises(Rejected):
        ForeignSink(handler).send([record("bad")])
    assert told == ["bad"] and handler.handleError is own


def test_stdlib_handler_works(tmp_path, record):
    """A FileHandler writes, flushes and closes."""
    handler = logging.FileHandler(tmp_path / "x.log")
    sink = ForeignSink(handler)
    sink.open()
    sink.send([record("one")])
    sink.flush()
    sink.close()
    assert (tmp_path / "x.log").read_text() == "one\n"
    assert handler.stream is None


def test_close_survives_a_failing_handler():
    """A handler that fails at the end does not stop a shutdown."""

    class Failing(Keeping):
        def flush(self):
            raise OSError("gone")

    handler = Failing()
    ForeignSink(handler).close()
    assert handler.closed


def test_streams_and_files_are_local(tmp_path):
    """They get the overflow rule of local handlers."""
    with_file = logging.FileHandler(tmp_path / "x", delay=True)
    remote = logging.handlers.SocketHandler("127.0.0.1", 1)
    local = [logging.StreamHandler(io.StringIO()), with_file]
    assert [ForeignSink(item).is_local for item in [*local, remote]] == [True, True, False]
    for item in [*local, remote]:
        item.close()
