"""The ledger of one handler: what became of its records, by reason and level.

Whoever owns the records (a queue) changes it under the lock that guards them, so
that its counts and theirs add up at every moment. Only `refuse` takes no lock.
"""

import time
from collections.abc import Callable
from logging import getLevelName

from logroute.light import Any
from logroute.tally import Tally

__all__ = ["Ledger", "Losses", "OwnLevel", "add_losses", "by_level_name"]

#: How many records were dropped, by reason and level number.
Losses = dict[str, dict[int, int]]


def add_losses(total: Losses, more: Losses) -> Losses:
    """Add `more` to `total`, and return that."""
    for reason, found in more.items():
        of_reason = total.setdefault(reason, {})
        for levelno, count in found.items():
            of_reason[levelno] = of_reason.get(levelno, 0) + count
    return total


def by_level_name(counts: dict[int, int]) -> dict[str, int]:
    """Return counts by level number as counts by level name, highest level first."""
    named: dict[str, int] = {}
    for levelno in sorted(counts, reverse=True):
        name = getLevelName(levelno)
        named[name] = named.get(name, 0) + counts[levelno]
    return named


class OwnLevel(int):
    """The level of a record of ours that tells of losses: its own loss is not told again."""


class Ledger:
    """Counts records; those that wait or fly are counted by who holds them.

    Attributes:
        enqueued: all that came.
        delivered: those that the sink took.
        dead_lettered: those kept in the dead letter file.
        handed_over: those given to the fallback.
        losses: how many were dropped, for a look without a lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at zero; `clock` gives monotonic seconds."""
        self._clock = clock
        self.enqueued = self.delivered = self.dead_lettered = self.handed_over = 0
        self.losses = 0
        self._last_loss: float | None = None
        self._dropped: Losses = {}
        self._untold: Losses = {}
        self._filtered: dict[str, int] = {}
        self._refusals: dict[tuple[str, int], Tally] = {}
        self._refused_by: dict[str, Tally] = {}

    def filter(self, name: str, count: int = 1) -> None:
        """Count records among those that came as dropped by the filter `name`."""
        self._filtered[name] = self._filtered.get(name, 0) + count

    def lose(self, reason: str, levelno: int, count: int = 1) -> None:
        """Count records among those that came as lost."""
        of_reason = self._dropped.setdefault(reason, {})
        of_reason[levelno] = of_reason.get(levelno, 0) + count
        self.losses += count
        self._last_loss = self._clock()
        if type(levelno) is not OwnLevel:
            untold = self._untold.setdefault(reason, {})
            untold[levelno] = untold.get(levelno, 0) + count

    def refuse(self, reason: str, levelno: int) -> None:
        """Count a record that could not even come in; takes no lock."""
        self._refusals.setdefault((reason, levelno), Tally()).add()

    def filter_out(self, name: str) -> None:
        """Count a record that a filter dropped in the thread that logs; takes no lock."""
        self._refused_by.setdefault(name, Tally()).add()

    def _take_in_refused(self) -> None:
        for (reason, levelno), tally in list(self._refusals.items()):
            if count := tally.news():
                self.enqueued += count
                self.lose(reason, levelno, count)
        for name, tally in list(self._refused_by.items()):
            if count := tally.news():
                self.enqueued += count
                self.filter(name, count)

    @property
    def has_refused(self) -> bool:
        """Whether `refuse` was ever called."""
        return bool(self._refusals)

    @property
    def has_untold(self) -> bool:
        """Whether something was lost since `untold`."""
        return bool(self._untold)

    def untold(self) -> Losses:
        """Return what was lost since the last call, but for what told of losses."""
        self._take_in_refused()
        untold, self._untold = self._untold, {}
        return untold

    def last_loss_s(self) -> float | None:
        """Return how long ago the last record was lost; None: never."""
        last = self._last_loss
        return None if last is None else self._clock() - last

    def counts(self, *, queued: int, in_flight: int) -> dict[str, Any]:
        """Return the ledger at this moment, with how many wait and fly."""
        self._take_in_refused()
        return {
            "enqueued": self.enqueued,
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
