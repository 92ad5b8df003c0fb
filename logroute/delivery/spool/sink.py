"""What fills a spool: the sink of the worker that empties the queue in memory.

A handler with a spool is two workers in a chain. The first has the ordinary queue
and this sink, which appends to the spool; the second has the `SpoolQueue` and the
handler's own sink.
"""

import time
from collections.abc import Callable, Sequence
from logging import LogRecord

from logroute.delivery.spool.entry import reason_of
from logroute.delivery.spool.frames import body_of
from logroute.delivery.spool.queue import SpoolQueue
from logroute.delivery.spool.writer import Full
from logroute.errors import Rejected, Retryable
from logroute.light import Any
from logroute.records import pack

__all__ = ["SpoolBroken", "SpoolFull", "SpoolSink", "spooled"]


class SpoolFull(Rejected):
    """The spool has reached its bound.

    Attributes:
        reason: under which the refused records are counted.
    """

    reason = "spool_full"


class SpoolBroken(Retryable):
    """The disk does not take a record now.

    Attributes:
        reason: under which the records are counted that are given up because of it.
    """

    def __init__(self, text: str, *, delivered: int, reason: str) -> None:
        """Say how many are on disk, and the reason of losses."""
        super().__init__(text, delivered=delivered)
        self.reason = reason


class SpoolSink:
    """Appends batches to a spool, and wakes the worker that empties it.

    The payloads are bodies, made by the encoder that `spooled` returns.
    """

    #: A forked child's spool is new already: nothing to make anew here.
    survives_fork = True

    def __init__(
        self,
        queue: SpoolQueue,
        wake: Callable[[], object] = lambda: None,
        announce: Callable[[], object] = lambda: None,
    ) -> None:
        """Fill `queue`; `wake` its worker, which may have to `announce` what was dropped."""
        self._queue = queue
        self._wake = wake
        self._announce = announce

    def open(self) -> None:
        """Need nothing: the first append begins the series."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Append `batch`; what is not on disk is said to be so."""
        losses = self._queue.losses
        whole, fault = self._queue.append_bodies(batch)
        if whole:
            self._wake()
        if self._queue.losses != losses:  # the oldest had to go
            self._announce()
        if fault is None or whole == len(batch):
            return
        if isinstance(fault, Full):
            raise SpoolFull(
                f"the spool `{self._queue.folder.path}` is full", delivered=whole
            ) from fault
        text = f"cannot spool to `{self._queue.folder.path}`: {fault.strerror or fault}"
        raise SpoolBroken(text, delivered=whole, reason=reason_of(fault)) from fault

    def flush(self) -> None:
        """Force to the disk what should be there by now."""
        self._queue.sync()

    def close(self) -> None:
        """Close nothing: the files are the queue's, which outlives this sink."""
        self.flush()


def spooled(
    encode: Callable[[LogRecord], Any],
    keeps_records: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.time,
) -> Callable[[LogRecord], bytes]:
    """Return an encoder to bodies of frames, around the handler's own encoder.

    Args:
        encode: record -> payload, bytes.
        keeps_records: tells whether the record itself is wanted beside its payload,
            for the fallback or the dead letter file.
        clock: seconds since 1970.
    """

    def body(record: LogRecord) -> bytes:
        levelno: Any = record.levelno
        level = levelno if isinstance(levelno, int) else 0
        return body_of(encode(record), level, clock(), pack(record) if keeps_records() else b"")

    return body
