"""The ring: a queue that keeps its last records until one of them releases them all.

Owned by a `memory` handler. Records in the ring count as queued. One that a newer
one pushes out counts as filtered, for the reason ``overwritten``: that is what the
ring is for, and no loss to be announced; so does, as ``unreleased``, what is in it
at the end. Any thread may look; the dispatcher puts and takes.
"""

import logging
from collections import deque

from logroute.delivery.queue import Item, Queue
from logroute.delivery.specs import QueueSpec
from logroute.delivery.waiting import Waiting
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.delivery.spool.queue import SpoolQueue

__all__ = ["Ring"]

OVERWRITTEN = "overwritten"
UNRELEASED = "unreleased"


class Ring(Queue):
    """Keeps the last records; the released ones wait as in any queue."""

    def __init__(
        self,
        spec: QueueSpec,
        overflow: str,
        *,
        capacity: int,
        max_kept_bytes: int,
        flush_level: int,
    ) -> None:
        """Keep at most `capacity` records.

        Args:
            spec: bounds what is released and not yet handed on.
            overflow: what happens beyond those bounds.
            capacity: most records in the ring.
            max_kept_bytes: most bytes of them, roughly.
            flush_level: the number of the level that releases them.
        """
        self._capacity = capacity
        self._max_kept_bytes = max_kept_bytes
        self._flush_level = flush_level
        #: The queue of who gets what is released.
        self.onward: Queue | SpoolQueue | None = None
        super().__init__(spec, overflow)

    def reset(self) -> None:
        """Start empty, as a forked child must: the parent has its records yet."""
        super().reset()
        self._ring: deque[Item] = deque()
        self._ring_bytes = 0

    # -- a burst that is released waits for its target, as if it had gone there at once

    def is_full(self, coming: int) -> bool:
        """Return whether there is no room for `coming` more, here or where they may go."""
        onward = self.onward
        if onward is not None and onward.overflow == "block" and onward.is_full(coming):
            return True
        return super().is_full(coming)

    def room(self) -> int:
        """Return how many more records have room, here and where they may go."""
        onward = self.onward
        if isinstance(onward, Queue) and onward.overflow == "block":
            return min(super().room(), onward.room())
        return super().room()

    @property
    def gave_up(self) -> bool:
        """Whether a caller has waited in vain; nobody waits again until the target moves."""
        onward = self.onward
        return self._gave_up if onward is None else onward.gave_up

    @gave_up.setter
    def gave_up(self, value: bool) -> None:
        self._gave_up = value
        if value and self.onward is not None:
            self.onward.gave_up = True

    # -- putting

    def fault_now(self, levelno: int) -> str | None:  # noqa: ARG002
        """Return None: the ring always has room for one more."""
        return None

    def _place_all(self, items: Waiting) -> None:
        for item in items:
            self._place(item)

    def _place(self, item: Item) -> None:
        if self._closed:
            super()._place(item)  # which drops it
            return
        payload, levelno, _ = item
        item = (payload, levelno, _weight(payload))
        self._ring.append(item)
        self._ring_bytes += item[2]
        if levelno >= self._flush_level:
            self._let_out()
        else:
            self._push_out()

    def _push_out(self) -> None:
        """Drop the oldest beyond the bounds, but never the last one."""
        ring, count = self._ring, 0
        while len(ring) > self._capacity or (
            self._ring_bytes > self._max_kept_bytes and len(ring) > 1
        ):
            self._ring_bytes -= ring.popleft()[2]
            count += 1
        self._filter_out(OVERWRITTEN, count)

    def _filter_out(self, reason: str, count: int) -> None:
        if count:
            self._ledger.filter(reason, count)

    def _let_out(self) -> None:
        ring, self._ring = self._ring, deque()
        self._ring_bytes = 0
        for item in ring:
            super()._place(item)

    def release(self) -> None:
        """Let out all that the ring keeps."""
        with self._lock:
            self._let_out()

    # -- the end

    def close(self, reason: str) -> int:
        """Take nothing more; return how many released records are lost.

        What was not released is not lost: nothing has happened that would show it.
        """
        with self._lock:
            self._filter_out(UNRELEASED, len(self._ring))
            self._ring.clear()
            self._ring_bytes = 0
            return super().close(reason)

    @property
    def bytes(self) -> int:
        """How many bytes wait, in the ring roughly."""
        return self._items.bytes + self._ring_bytes

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up."""
        with self._lock:
            counts = super().counts()
            counts["queued"] += len(self._ring)
            return counts


def _weight(record: Any) -> int:
    """Return roughly how many bytes a record takes: itself, and its texts."""
    weight = 1000
    values = record.__dict__
    for name in ("msg", "exc_text", "stack_info"):
        text = values.get(name)
        if isinstance(text, str):
            weight += len(text)
    more = [value for name, value in list(values.items())[_PLAIN_SIZE:] if name not in _REPEATED]
    for value in (*_items(values.get("args")), *more):
        weight += len(value) if isinstance(value, str | bytes) else _UNKNOWN
    return weight


_PLAIN_SIZE = len(logging.makeLogRecord({}).__dict__)
#: What formatters leave on a record; of a plain message the same text.
_REPEATED = frozenset({"message", "asctime"})
#: What any other value counts for.
_UNKNOWN = 50


def _items(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,) if args else ()
