"""When a batch is due. Asked by the worker alone."""

from collections.abc import Callable

from logroute.delivery.queue import Queue
from logroute.delivery.specs import BatchSpec
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.delivery.spool.queue import SpoolQueue

__all__ = ["Schedule"]


#: Records of batches that go as one.
_MOST_JOINED = 10_000


class Schedule:
    """Says how long a worker may let records gather in its queue.

    The first record of a quiet period goes at once, and so does an ERROR; else a
    batch goes when it is full, or `max_wait` after the last one. A digest waits
    `max_wait` from its first record on, whatever comes.
    """

    def __init__(
        self,
        queue: "Queue | SpoolQueue",
        batch: BatchSpec | None,
        clock: Callable[[], float],
        *,
        is_digest: bool = False,
        joins: bool = False,
        pause_s: Callable[[], float] | None = None,
    ) -> None:
        """Follow `batch`; None: whatever waits goes at once.

        `joins` is that several batches may go as one, where that many wait.
        `pause_s` tells of a sink that rations its batches (`max_per_hour`) how long
        it takes none. Then all that gathers meanwhile is the next one.
        """
        self.max_records = batch.max_records if batch else 1000
        self.max_bytes = batch.max_bytes if batch else 1 << 20
        if pause_s is not None:
            self.max_records, self.max_bytes = queue.max_records, queue.max_bytes
        #: How many records go at a time.
        self.most_taken = max(self.max_records, _MOST_JOINED) if joins else self.max_records
        self._pause_s = pause_s
        #: The program ends: the last batch goes, whatever the sink's ration.
        self.is_last = False
        self._queue = queue
        self._is_at_once = batch is None
        self._max_wait = (batch.max_wait if batch else None) or 0.0
        self._is_digest = is_digest
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Know of no batch and no record yet."""
        self._last_batch = -1e9
        self._first_waiting: float | None = None

    def begin_batch(self) -> None:
        """Note that a batch was taken."""
        self._first_waiting = None
        self._last_batch = self._clock()

    @property
    def pause_s(self) -> float:
        """The seconds for which the sink takes no batch, though somebody waits for one.

        At the end somebody does when all is in the queue, so that it is one batch.
        """
        return 0.0 if self._pause_s is None or self.is_last else self._pause_s()

    def wait_s(self) -> float | None:
        """Return the seconds until a batch is due; None: nothing waits."""
        queue = self._queue
        if not queue.waiting:
            self._first_waiting = None
            return None
        if self._is_at_once:
            return 0
        now = self._clock()
        if self._first_waiting is None:
            self._first_waiting = now
        if self._pause_s is not None and (pause_s := self._pause_s()) > 0:
            return pause_s
        if queue.has_reached(self.max_records, self.max_bytes):
            return 0
        if self._is_digest:
            return max(0.0, self._first_waiting + self._max_wait - now)
        if queue.urgent:
            return 0
        return max(0.0, self._last_batch + self._max_wait - now)
