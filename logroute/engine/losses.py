"""Tells of lost records in a record: who dropped how many, of which level and why.

Any thread of ours reports that a handler lost something; the dispatcher asks now
and then what is to be told, and routes it. While a handler drops, it is told once
in ten seconds, the first time after two, and once more when that has ended.
"""

import logging
import time
from collections.abc import Callable

from logroute.delivery.ledger import Losses, OwnLevel, add_losses, by_level_name
from logroute.engine.worker import Worker
from logroute.light import NamedTuple
from logroute.records import own_record

__all__ = ["LOGGER", "Loss", "LossTeller"]

PERIOD_S = 10.0
#: How long losses gather before the first is told, so that it tells of a burst as a whole.
GATHER_S = 2.0
#: The logger that tells of losses.
LOGGER = "logroute"
LEVEL = OwnLevel(logging.WARNING)


class Loss(NamedTuple):
    """What one handler lost.

    Attributes:
        worker: the handler's.
        counts: how many, by reason and level number.
        seconds: in which time.
        is_last: it sums up what is over, or ends.
        is_over: nothing was lost since.
    """

    worker: Worker
    counts: Losses
    seconds: float
    is_last: bool = False
    is_over: bool = False

    @property
    def total(self) -> int:
        """How many records were lost."""
        return sum(sum(found.values()) for found in self.counts.values())

    @property
    def text(self) -> str:
        """What there is to say, as one line."""
        parts = [
            (count, f"{count} {level} {reason}")
            for reason, found in self.counts.items()
            for level, count in by_level_name(found).items()
        ]
        shown = ", ".join(text for _, text in sorted(parts, key=lambda part: -part[0]))
        noun = "record" if self.total == 1 else "records"
        time_text = f" in {self.seconds:.0f} s" if self.seconds >= 1 else ""
        over = ", none since" if self.is_over else ""
        return f"handler `{self.worker.name}` dropped {self.total} {noun}{time_text}{over}: {shown}"

    def record(self) -> logging.LogRecord:
        """Return the record that tells it, with ``handler`` and ``dropped`` for machines."""
        dropped = {reason: by_level_name(found) for reason, found in self.counts.items()}
        fields = {"handler": self.worker.name, "dropped": dropped}
        return own_record(LOGGER, LEVEL, self.text, (__file__, "record"), fields)


class _Episode:
    """A time in which one handler loses records."""

    __slots__ = ("begun", "due", "told", "total")

    def __init__(self, now: float, due: float) -> None:
        self.begun = self.told = now
        self.due = due
        self.total: Losses = {}


class LossTeller:
    """Keeps which handlers lose records, and when that is to be told."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, period_s: float = PERIOD_S
    ) -> None:
        """Tell once in `period_s` of each handler; `clock` is monotonic seconds."""
        self._clock = clock
        self._period_s = period_s
        self.reset()

    def reset(self) -> None:
        """Know of no losses, as a forked child must."""
        self.episodes: dict[Worker, _Episode] = {}

    def report(self, worker: Worker) -> bool:
        """Note that `worker` lost records; return whether it did not lose any before."""
        if worker in self.episodes:
            return False
        now = self._clock()
        self.episodes.setdefault(worker, _Episode(now, now + min(GATHER_S, self._period_s)))
        return True

    def wait_s(self) -> float | None:
        """Return the seconds until something is to be told; None: there is nothing."""
        if not self.episodes:
            return None
        return max(0.0, min(e.due for e in list(self.episodes.values())) - self._clock())

    def due(self, *, is_end: bool = False) -> list[Loss]:
        """Return what is to be told now; at the end, all that was not told yet."""
        now = self._clock()
        found = []
        for worker, episode in list(self.episodes.items()):
            if is_end or now >= episode.due:
                loss = self._look(worker, episode, now, is_end)
                if loss is not None:
                    found.append(loss)
        return found

    def _look(self, worker: Worker, episode: _Episode, now: float, is_end: bool) -> Loss | None:
        lost = worker.take_untold()
        if lost:
            add_losses(episode.total, lost)
            since, episode.told = episode.told, now
            episode.due = now + self._period_s
            if not is_end:
                return Loss(worker, lost, now - since)
        self.episodes.pop(worker, None)
        if worker.has_untold and not is_end:  # it came as we looked, or a disk stalls
            episode.due = now + min(GATHER_S, self._period_s)
            self.episodes.setdefault(worker, episode)
            return None
        if not episode.total:  # nothing but the loss of what we told
            return None
        seconds = episode.told - episode.begun
        return Loss(worker, episode.total, seconds, is_last=True, is_over=not is_end)
