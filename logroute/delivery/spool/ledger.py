"""The counts of a spool's records, in the words of every other handler's ledger.

Changed under the lock of the queue, but for refusals, which any thread counts.
"""

from collections.abc import Callable
from logging import ERROR
from typing import Any

from logroute.delivery.queue import Losses, OwnLevel, Queue, by_level_name
from logroute.delivery.spool.writer import Tally

__all__ = ["Ledger", "is_urgent", "joined"]


class Ledger:
    """What became of the records that were counted in.

    Attributes:
        enqueued: those that came but never reached the disk: filtered, dropped, refused.
        delivered: those that the sink took.
        dead_lettered: those kept in the dead letter file.
        handed_over: those given to the fallback.
        losses: how many were dropped, for a look without a lock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin at zero; `clock` gives monotonic seconds."""
        self._clock = clock
        self._last_loss: float | None = None
        self.enqueued = self.delivered = self.dead_lettered = self.handed_over = 0
        self.losses = 0
        self._dropped: Losses = {}
        self._untold: Losses = {}
        self._filtered: dict[str, int] = {}
        self._refusals: dict[tuple[str, int], tuple[Tally, list[int]]] = {}

    def filter(self, names: list[str]) -> None:
        """Count records that filters dropped before they came here."""
        self.enqueued += len(names)
        for name in names:
            self._filtered[name] = self._filtered.get(name, 0) + 1

    def lose(self, reason: str, levelno: int, count: int = 1) -> None:
        """Count records that were lost."""
        of_reason = self._dropped.setdefault(reason, {})
        of_reason[levelno] = of_reason.get(levelno, 0) + count
        self.losses += count
        self._last_loss = self._clock()
        if type(levelno) is not OwnLevel:
            untold = self._untold.setdefault(reason, {})
            untold[levelno] = untold.get(levelno, 0) + count

    @property
    def has_refused(self) -> bool:
        """Whether `refuse` was ever called."""
        return bool(self._refusals)

    @property
    def has_untold(self) -> bool:
        """Whether something was lost since `untold`."""
        return bool(self._untold)

    def last_loss_s(self) -> float | None:
        """Return how long ago the last record was lost; None: never."""
        return None if self._last_loss is None else self._clock() - self._last_loss

    def refuse(self, reason: str, levelno: int) -> None:
        """Count a record that could not even be written; takes no lock."""
        self._refusals.setdefault((reason, levelno), (Tally(), [0]))[0].add()

    def _take_in_refused(self) -> None:
        for (reason, levelno), (tally, seen) in list(self._refusals.items()):
            count = tally.value() - seen[0]
            if count:
                seen[0] += count
                self.enqueued += count
                self.lose(reason, levelno, count)

    def untold(self) -> Losses:
        """Return what was lost since the last call, but for what told of losses."""
        self._take_in_refused()
        untold, self._untold = self._untold, {}
        return untold

    def counts(self, *, spooled: int, queued: int, in_flight: int) -> dict[str, Any]:
        """Return the ledger; `spooled` is how many records were ever counted on disk."""
        self._take_in_refused()
        return {
            "enqueued": self.enqueued + spooled,
            "delivered": self.delivered,
            "dropped": {reason: sum(found.values()) for reason, found in self._dropped.items()},
            "dropped_by_level": {
                reason: by_level_name(found) for reason, found in self._dropped.items()
            },
            "filtered": dict(self._filtered),
            "dead_lettered": self.dead_lettered,
            "handed_to_fallback": self.handed_over,
            "queued": queued,
            "in_flight": in_flight,
        }


def is_urgent(levelno: int) -> bool:
    """Return whether a record should not wait for a batch to fill."""
    return levelno >= ERROR


def joined(memory: Queue, spool: Any) -> dict[str, Any]:
    """Return one ledger for a queue in memory and the spool that it is emptied into.

    What the first has delivered is what was spooled; it counts once. Both are read
    at one moment, so the numbers add up.
    """
    with memory._lock, spool._lock:
        first, second = memory.counts(), spool.counts()
    # On its way: on disk already, and not yet settled in memory.
    transit = second["spooled"] - first["delivered"]
    both: dict[str, Any] = dict(second)
    both["enqueued"] += first["enqueued"] - second["spooled"]
    both["queued"] += first["queued"]
    both["in_flight"] += first["in_flight"] - transit
    for key in ("dropped", "filtered"):
        both[key] = _sum(first[key], second[key])
    both["dropped_by_level"] = {
        reason: _sum(
            first["dropped_by_level"].get(reason, {}), second["dropped_by_level"].get(reason, {})
        )
        for reason in both["dropped"]
    }
    return both


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
