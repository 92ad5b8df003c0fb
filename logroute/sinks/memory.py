"""The `memory` kind: the last records of any level, shown when something happens.

The ring itself is the handler's queue (`delivery/ring.py`), so that every record in it
is accounted for. What a record of `flush_level` releases goes through the sink to the
target, which applies its own level, filters and formatter. Runs in the dispatcher.
"""

import logging
from collections.abc import Callable, Sequence

from logroute.errors import Rejected
from logroute.light import Annotated, ClassVar
from logroute.options import HandlerName, Level, Opt, Size
from logroute.records import copy_of, extras, pack, unpack
from logroute.sinks import Encoder, Format, SinkSpec

__all__ = ["MemorySink", "MemorySpec", "keep"]


class MemorySpec(SinkSpec):
    """Keep the last records, and release them when something serious happens."""

    guarantee: ClassVar[str] = "at_most_once"
    #: Building gives the handler a `Ring` for its queue.
    is_ring: ClassVar[bool] = True

    target: Annotated[HandlerName, Opt("Handler that gets the released records.")]
    flush_level: Annotated[Level, Opt("A record of this level or above releases them all.")] = (
        "ERROR"
    )
    capacity: Annotated[int, Opt("Most records kept; the oldest go.", minimum=1)] = 1000
    max_bytes: Annotated[Size, Opt("Most bytes kept, roughly; the oldest go.")] = 16 << 20
    flush_on_close: Annotated[
        bool, Opt("Release at shutdown too, though nothing serious has happened.")
    ] = False

    def encoder(self, format: Format) -> Encoder:  # noqa: ARG002
        """Return `keep`: the target formats, when it comes to that."""
        return keep

    def sink(self) -> "MemorySink":
        """Return a sink that hands on, once it is told to whom."""
        return MemorySink()


# Values that say the same later, and keep nothing else alive.
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def keep(record: logging.LogRecord) -> logging.LogRecord:
    """Return what is kept of `record`: it may wait for long, and be one of many.

    A traceback would keep the variables of all its functions alive, and an object in
    `extra` whatever hangs on it, so of those the text remains.
    """
    if not record.exc_info and all(type(value) in _PLAIN for _, value in extras(record)):
        return copy_of(record)
    return unpack(pack(record))


class MemorySink:
    """Hands released records on.

    Attributes:
        hand_on: takes them, oldest first; None: nobody does yet.
        survives_fork: it holds nothing, so a forked child goes on with it.
    """

    survives_fork: ClassVar[bool] = True

    def __init__(self) -> None:
        """Know of no target yet."""
        self.hand_on: Callable[[list[logging.LogRecord]], None] | None = None

    def open(self) -> None:
        """Need nothing."""

    def send(self, batch: Sequence[logging.LogRecord]) -> None:
        """Hand `batch` on."""
        if self.hand_on is None:
            raise Rejected("there is no target")
        self.hand_on(list(batch))

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Release nothing: what is kept, the queue keeps."""
