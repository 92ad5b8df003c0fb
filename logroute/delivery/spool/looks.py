"""What there is to know of a spool, for any thread: within bounds where a disk stalls."""

from collections.abc import Callable

from logroute.delivery.ledger import Ledger, Losses
from logroute.delivery.spool.entry import Entry
from logroute.light import Any, TypeVar

__all__ = ["Looks"]

#: How long a look waits for a disk that stalls, and for how long none does after that.
_PATIENCE_S = 2.0
_STALL_S = 1.0
#: How long the dispatcher does, now and then.
_GLANCE_S = 0.02

_T = TypeVar("_T")


class Looks(Entry):
    """A spool as it is looked at.

    Threads of ours hold the lock while they read and acknowledge, however long a disk
    takes for that. Whoever only wants to know something gives up after a while, and
    sees what was seen last.
    """

    @property
    def waiting(self) -> int:
        """How many records can be taken; waits for the lock."""
        raise NotImplementedError

    def _patience_s(self) -> float:
        return 0.0 if self._clock() < self._stalls_until else _PATIENCE_S

    def _look(self, name: str, look: Callable[[], _T], unknown: _T) -> _T:
        """Return what `look` finds; what it found last, where a disk stalls meanwhile."""
        seen: _T
        if self._lock.acquire(timeout=self._patience_s()):
            try:
                seen = self._seen[name] = look()
            finally:
                self._lock.release()
            return seen
        self._stalls_until = self._clock() + _STALL_S
        seen = self._seen.get(name, unknown)
        return seen

    @property
    def may_be_waiting(self) -> bool:
        """Whether anything waits, or somebody is at work here just now; takes no time."""
        if not self._lock.acquire(blocking=False):
            return True
        try:
            return bool(self.waiting)
        finally:
            self._lock.release()

    @property
    def bytes(self) -> int:
        """How many bytes wait, as far as they are ours to deliver."""
        return self._look("bytes", lambda: sum(r.unread() for r in self.store.readers()), 0)

    def oldest_s(self) -> float | None:
        """Return for how long the oldest unsettled record has been spooled.

        None: all is settled.
        """
        oldest = self._look("oldest", self._oldest, None)
        return None if oldest is None else max(0.0, self._wall_clock() - oldest)

    def _oldest(self) -> float | None:
        times = [taken.record.time for taken in self._flight]
        if not times and not self.store.is_closed:
            times = [time for r in self.store.readers() if (time := r.oldest()) is not None]
        return min(times, default=None)

    def _whole(self) -> int:
        return 0 if self.store.writer is None else self.store.writer.count()

    def _queued(self) -> int:
        """Return how many records of our own series wait."""
        return max(0, self._whole() - self._taken - self._lost)

    @property
    def unsettled(self) -> int:
        """How many records wait or fly, as far as they are counted."""
        return self._look("unsettled", self._unsettled, 0)

    def _unsettled(self) -> int:
        return self.store.adoption.known + self._queued() + len(self._flight)

    @property
    def kept(self) -> int:
        """How many records the next process would find: `unsettled`, and what is not confirmed."""
        return self._look("kept", self._kept, 0)

    def _kept(self) -> int:
        return self._unsettled() + sum(delivered for _, delivered in self._unconfirmed)

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up.

        Beside those of every queue: ``recovered`` (records of earlier processes, part
        of ``enqueued``), ``spooled`` (records of this process that reached the disk),
        ``damaged`` (pieces that could not be read), ``in_doubt`` (records that the
        destination may or may not have got when the handler ended; they are sent
        again) and ``spool_bytes``. While a disk stalls it is the ledger of the moment
        before.
        """
        return dict(self.counts_beside(lambda: None)[1])

    def counts_beside(self, other: Callable[[], _T]) -> tuple[_T, dict[str, Any], int]:
        """Return what `other` returns, `counts`, and how many records one of our threads put here.

        All three at one moment, but where a disk stalls: then `other` alone is new.
        """
        fresh: list[_T] = []

        def look() -> tuple[dict[str, Any], int]:
            fresh.append(other())
            return self._counts(), 0 if self.store.writer is None else self.store.writer.whole

        counts, passed_on = self._look("counts", look, (_no_counts(), 0))
        return (fresh[0] if fresh else other()), counts, passed_on

    def _counts(self) -> dict[str, Any]:
        adoption, own = self.store.adoption, self._queued()
        spooled, recovered = self._taken + self._lost + own, adoption.recovered
        counts = self._ledger.counts(queued=own + adoption.known, in_flight=len(self._flight))
        counts["enqueued"] += spooled + recovered
        damaged = adoption.damaged + sum(reader.damaged for reader in self.store.readers())
        return counts | {
            "recovered": recovered,
            "spooled": spooled,
            "damaged": damaged,
            "in_doubt": self._in_doubt,
            "spool_bytes": self.store.used(),
        }

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses.

        Nothing where a disk stalls: then `has_untold` remains, and the next call tells.
        """
        if not self._lock.acquire(timeout=_GLANCE_S):
            return {}
        try:
            return self._ledger.untold()
        finally:
            self._lock.release()


def _no_counts() -> dict[str, Any]:
    own = dict.fromkeys(("recovered", "spooled", "damaged", "in_doubt", "spool_bytes"), 0)
    return Ledger().counts(queued=0, in_flight=0) | own
