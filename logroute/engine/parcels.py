"""Parcels: what one round of the dispatcher brings to each worker.

A queue that has no room for records of some level has none for the next one either,
until its worker takes something. So records that several dead destinations turn
away cost one look at their queues, and one count for all of them at the end of the
round, rather than the same question and a count for each record and destination.
Whoever holds the dispatcher's lock uses it.
"""

from logging import getLevelName

from logroute.delivery.queue import Queue
from logroute.delivery.waiting import Item, Run
from logroute.engine.worker import Worker
from logroute.framing import Straight
from logroute.sinks import Encoder

__all__ = ["Look", "Parcel", "Round"]


class Parcel:
    """What one worker gets.

    Attributes:
        items: what it is to deliver.
        filtered: names of filters, one for each record that they dropped.
        dropped: reason and level of each record that is lost already.
    """

    __slots__ = ("dropped", "filtered", "items")

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.items: list[Item | Run] = []
        self.filtered: list[str] = []
        self.dropped: list[tuple[str, int]] = []


class Look:
    """Who among some workers has room for records of a level, and how many came since.

    Attributes:
        takers: who has room.
        full: who has none, and why.
        count: how many records came since.
        levelno: their level.
        level: its name.
        lines: takers, what encodes their payloads and their parcels, once asked for.
        is_plain: all takers get a record as it is, encoded at once.
        straight: for all takers, what makes payloads past the record, and their parcels;
            empty where one of them needs the record.
    """

    __slots__ = (
        *("_is_begun", "count", "full", "is_plain", "level", "levelno", "lines", "straight"),
        "takers",
    )

    def __init__(
        self,
        takers: tuple[Worker, ...],
        full: list[tuple[Worker, str]],
        levelno: int,
    ) -> None:
        """Begin with no record."""
        self.takers = takers
        self.full = full
        self.count = 0
        self.levelno = levelno
        self.level = getLevelName(levelno)
        self.lines: list[tuple[Worker, Encoder, Parcel]] = []
        self.straight: list[tuple[Straight, Parcel]] = []
        self.is_plain = self._is_begun = False

    def begin(self, parcels: "Round") -> None:
        """Find out how takers want their records."""
        if self._is_begun:
            return
        self._is_begun = True
        takers = self.takers
        self.is_plain = not any(
            worker.filters or worker.gates or worker.encodes_late or worker.keeps_records
            for worker in takers
        )
        self.lines = [(worker, worker.encode, parcels.parcel(worker)) for worker in takers]
        if self.is_plain and not any(worker.has_closed for worker in takers):
            ways = [(worker.straight, parcels.parcel(worker)) for worker in takers]
            self.straight = [(way, parcel) for way, parcel in ways if way is not None]
            if len(self.straight) < len(ways):
                self.straight = []


class Round:
    """Gathers the parcels of one round."""

    __slots__ = ("_looks", "_parcels", "is_stale")

    def __init__(self) -> None:
        """Begin with no parcel."""
        self._parcels: dict[Worker, Parcel] = {}
        self._looks: dict[tuple[tuple[Worker, ...], int], Look] = {}
        #: Who had no room may have some now; ask again.
        self.is_stale = False

    def parcel(self, worker: Worker) -> Parcel:
        """Return the parcel of `worker`."""
        parcel = self._parcels.get(worker)
        if parcel is None:
            parcel = self._parcels[worker] = Parcel()
        return parcel

    def takers(self, targets: tuple[Worker, ...], levelno: int) -> tuple[Worker, ...]:
        """Return who among `targets` has room for a record; count it for the others."""
        look = self.look(targets, levelno)
        look.count += 1
        return look.takers

    def look(self, targets: tuple[Worker, ...], levelno: int) -> Look:
        """Return who among `targets` has room; who puts records there counts them."""
        if self.is_stale:
            self._settle_looks()
        look = self._looks.get((targets, levelno))
        if look is None:
            look = self._looks[targets, levelno] = self._ask(targets, levelno)
        return look

    def take(self) -> list[tuple[Worker, Parcel]]:
        """Return the parcels so far, and begin anew."""
        self._settle_looks()
        parcels, self._parcels = self._parcels, {}
        return list(parcels.items())

    def _ask(self, targets: tuple[Worker, ...], levelno: int) -> Look:
        full = [
            (worker, reason)
            for worker in targets
            if (reason := self._fault(worker.queue, levelno)) is not None
        ]
        if not full:
            return Look(targets, full, levelno)
        without_room = {worker for worker, _ in full}
        return Look(tuple(w for w in targets if w not in without_room), full, levelno)

    def _fault(self, queue: object, levelno: int) -> str | None:
        """Return why `queue` has no room; learn of it if that changes."""
        if not isinstance(queue, Queue) or queue.fault_now(levelno) is None:
            return None
        queue.on_room = self._forget
        return queue.fault_now(levelno)  # room that was made just now is not told

    def _forget(self) -> None:
        """Look again at the next record; from the worker that made room."""
        self.is_stale = True

    def _settle_looks(self) -> None:
        self.is_stale = False
        for (_, levelno), look in self._looks.items():
            for worker, reason in look.full:
                self.parcel(worker).dropped += [(reason, levelno)] * look.count
        self._looks = {}
