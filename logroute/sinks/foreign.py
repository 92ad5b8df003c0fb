"""Handlers that are not ours, run as sinks: any `logging.Handler`.

The payload is the record itself, since only the handler knows what it needs of
it. The worker that owns the sink is the only thread that calls the handler.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence

from logroute.errors import Rejected
from logroute.light import ClassVar
from logroute.native import RLock, get_ident, is_main_thread, sleep
from logroute.sinks.net import one_line

__all__ = ["ForeignSink"]


class ForeignSink:
    """Feeds records to somebody else's handler, and notices its failures.

    Stdlib's handlers swallow what `emit` raises and print a traceback; here it
    is counted instead. It is not tried again: the handler may have delivered
    the record in part.

    Attributes:
        survives_fork: a forked child goes on using the handler as stdlib would;
            `close` is not called on what it inherited, for that would flush the
            parent's records a second time.
    """

    survives_fork: ClassVar[bool] = True

    def __init__(self, handler: logging.Handler) -> None:
        """Feed `handler`."""
        self._handler = handler
        self._begin_anew()

    def _begin_anew(self) -> None:
        #: Held by the thread that is inside the handler, and by one that forks.
        self._turn = RLock()
        self._forkers: list[int] = []
        self._holders: list[int] = []

    def hold_for_fork(self, timeout_s: float) -> None:
        """Keep all threads out of the handler while this one forks, if it is left in time.

        A child that is forked while another thread writes to a buffered stream has
        that stream locked for ever.
        """
        self._forkers.append(get_ident())  # first: who sends leaves us the next turn
        if self._turn.acquire(timeout=max(0.0, timeout_s)):
            self._holders.append(get_ident())

    def let_go_after_fork(self) -> None:
        """Let records in again, in the process that forked."""
        ident = get_ident()
        if ident in self._forkers:
            self._forkers.remove(ident)
        if ident in self._holders:
            self._holders.remove(ident)
            self._turn.release()

    def disinherit(self) -> None:
        """Empty a buffer that a forked child inherited: those records are the parent's."""
        self._begin_anew()
        module = sys.modules.get("logging.handlers")
        if module is not None and isinstance(self._handler, module.BufferingHandler):
            self._handler.buffer = []

    @property
    def is_local(self) -> bool:
        """Whether the handler writes to a stream or file, as far as one can tell."""
        return isinstance(self._handler, logging.StreamHandler)

    def open(self) -> None:
        """Need nothing: handlers open themselves."""

    def send(self, batch: Sequence[logging.LogRecord]) -> None:
        """Have each record handled, up to the first failure."""
        with _caught(self._handler) as faults:
            for index, record in enumerate(batch):
                try:
                    with self._inside():
                        self._handler.handle(record)
                except BaseException as fault:  # from a filter, or an emit that raises
                    if not isinstance(fault, Exception) and is_main_thread():
                        raise  # a Ctrl-C comes to the main thread alone
                    faults.append(fault)
                if not faults and _is_unconnected(self._handler, record):
                    faults.append(ConnectionError("no connection; the record is lost"))
                if faults:
                    text = self._describe(faults[0])
                    raise Rejected(text, delivered=index, rejected=1) from faults[0]

    def _describe(self, fault: BaseException) -> str:
        name = type(self._handler).__name__
        text = one_line(f"{name} failed: {type(fault).__name__}: {fault}")
        if isinstance(fault, ValueError) and "Formatting field not found" in str(fault):
            text += "; give it a value in the formatter's `defaults`, or in `context`"
        return text

    def flush(self) -> None:
        """Flush the handler."""
        with _caught(self._handler), self._inside():
            self._handler.flush()

    def close(self) -> None:
        """Flush and close the handler; its own faults must not stop a shutdown."""
        with _caught(self._handler):
            for step in (self._handler.flush, self._handler.close):
                with contextlib.suppress(Exception), self._inside():
                    step()

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Be the thread that is inside the handler; who forks goes first."""
        while self._forkers and get_ident() not in self._forkers:
            sleep(0.0005)  # it is a matter of microseconds
        with self._turn:
            yield


def _is_unconnected(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Tell whether a stdlib `SocketHandler` has thrown `record` away without a word."""
    module = sys.modules.get("logging.handlers")
    if module is None or not isinstance(handler, module.SocketHandler):
        return False
    return handler.sock is None and record.levelno >= handler.level and not handler.filters


@contextlib.contextmanager
def _caught(handler: logging.Handler) -> Iterator[list[BaseException]]:
    """Collect what `handler` would report by `handleError` meanwhile."""
    faults: list[BaseException] = []
    overridden = not type(handler).handleError.__module__.startswith("logging")
    former = handler.__dict__.get("handleError")

    def keep(record: logging.LogRecord) -> None:
        fault = sys.exc_info()[1]
        faults.append(fault or RuntimeError("handleError was called"))
        if former is not None:
            former(record)
        elif overridden:  # somebody's own way of telling; stdlib's only prints
            type(handler).handleError(handler, record)

    handler.handleError = keep  # type: ignore[method-assign]
    try:
        yield faults
    finally:
        if former is None:
            handler.__dict__.pop("handleError", None)
        else:
            handler.handleError = former  # type: ignore[method-assign]
