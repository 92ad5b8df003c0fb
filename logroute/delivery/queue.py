"""The bounded queue of one handler, and the ledger of what became of its records.

The dispatcher puts, the worker takes and settles. Every count changes under the
same lock as the queue itself, so the law holds at every moment::

    enqueued = delivered + dropped + filtered + dead_lettered
             + handed_to_fallback + queued + in_flight

The lock is never held while anything is sent, and no application thread takes
it on its way to log: callers only read `is_full` and write `gave_up`.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable
from logging import ERROR, WARNING, getLevelName
from typing import Any, NamedTuple

from logroute import native
from logroute.delivery.specs import QueueSpec

__all__ = ["Item", "Kept", "Losses", "OwnLevel", "Queue", "by_level_name"]

#: How exactly it is known since when a record waits.
MARK_S = 0.5
#: Queue share above which `shed` lets only WARNING and above in.
SHED_SHARE = 0.8


#: One record on its way to a sink: payload, level number, bytes. A plain tuple,
#: since a backlog has many.
Item = tuple[Any, int, int]

#: How many records were dropped, by reason and level number.
Losses = dict[str, dict[int, int]]


class Kept(NamedTuple):
    """A payload, and its record packed, for those who may still need the record."""

    payload: Any
    record: bytes


def by_level_name(counts: dict[int, int]) -> dict[str, int]:
    """Return counts by level number as counts by level name, highest level first."""
    named: dict[str, int] = {}
    for levelno in sorted(counts, reverse=True):
        name = getLevelName(levelno)
        named[name] = named.get(name, 0) + counts[levelno]
    return named


class OwnLevel(int):
    """The level of a record of ours that tells of losses: its own loss is not told again."""


class Queue:
    """Hands items from the dispatcher to one worker, within bounds, counting all."""

    def __init__(self, spec: QueueSpec, overflow: str) -> None:
        """Bound the queue as `spec` says; `overflow` is the policy in force."""
        self.overflow = overflow
        self.max_records = spec.max_records
        self.max_bytes = spec.max_bytes
        self.block_for_s = spec.block_for
        self.reset()

    def reset(self) -> None:
        """Start empty, with new locks and zero counts, as a forked child must."""
        self._lock = native.RLock()
        self._items: deque[Item] = deque()
        self._bytes = 0
        #: What a worker holds, oldest first; it settles from the head.
        self._flight: list[Item] = []
        self._seized: list[Item] = []
        self._void = 0  # how many that a worker holds were seized
        self._enqueued = self._delivered = self._dead_lettered = self._to_fallback = 0
        self._dropped: Losses = {}
        self._untold: Losses = {}
        self._filtered: dict[str, int] = {}
        self._placed = 0
        #: How many had been placed at some moments, at least `MARK_S` apart.
        self._marks: deque[tuple[int, float]] = deque()
        self._last_loss: float | None = None
        self._flight_end = 0  # how many had been placed up to the last one in flight
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._awaited = 0  # how many had been placed when somebody last asked
        #: How often somebody asked to be told when all is settled.
        self.calls = 0
        #: How many were dropped here, for a look without a lock.
        self.losses = 0
        self._refusals: dict[int, itertools.count[int]] = {}
        self._refusals_seen: dict[int, int] = {}
        self._closed = False
        self.gave_up = False
        self.urgent = False

    # -- what callers may touch without a lock

    @property
    def waiting(self) -> int:
        """How many items wait, roughly, for a caller that holds no lock."""
        return len(self._items)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for an item that still waits here."""
        return self._awaited > self._placed - len(self._items)

    def is_full(self, coming: int) -> bool:
        """Return whether the queue has no room for `coming` more records."""
        return len(self._items) + coming >= self.max_records or self._bytes >= self.max_bytes

    @property
    def has_refused(self) -> bool:
        """Whether `refuse` was ever called."""
        return bool(self._refusals)

    @property
    def has_untold(self) -> bool:
        """Whether something was dropped since `take_untold`."""
        return bool(self._untold)

    def refuse(self, levelno: int = 0) -> None:
        """Count a record that could not even enter the intake; takes no lock."""
        next(self._refusals.setdefault(levelno, itertools.count(1)))

    def _take_in_refused(self) -> None:
        """Enter what was refused in the ledger."""
        for levelno, counter in list(self._refusals.items()):
            # Reading the counter advances it, so what was read counts as seen too.
            seen = self._refusals_seen.get(levelno, 0)
            count = next(counter) - 1 - seen
            self._refusals_seen[levelno] = seen + count + 1
            if count:
                self._enqueued += count
                self._drop("intake_full", levelno, count)

    # -- the dispatcher's side

    def fault_now(self, levelno: int) -> str | None:
        """Return why a record would be dropped now, so that encoding it can be spared."""
        if self.overflow == "drop_oldest" or not self._items:
            return None
        return self._fault(levelno, 0)

    def put(self, items: list[Item], filtered: list[str], dropped: list[tuple[str, int]]) -> None:
        """Count and place `items`; also count records filtered or dropped before.

        `filtered` has the names of the filters, `dropped` pairs of reason and level.
        """
        with self._lock:
            self._enqueued += len(items) + len(filtered) + len(dropped)
            for name in filtered:
                self._filtered[name] = self._filtered.get(name, 0) + 1
            for reason, levelno in dropped:
                self._drop(reason, levelno)
            if items:
                self._mark()
            for item in items:
                self._place(item)

    def _place(self, item: Item) -> None:
        if self._closed:
            self._drop("shutdown", item[1])
            return
        if self.overflow == "drop_oldest":
            while self._items and self._lacks_room(item[2]):
                _, levelno, size = self._items.popleft()
                self._bytes -= size
                self._drop("queue_full", levelno)
            self._notify()
        elif fault := self._fault(item[1], item[2]):
            self._drop(fault, item[1])
            return
        self._items.append(item)
        self._placed += 1
        self._bytes += item[2]
        if item[1] >= ERROR:
            self.urgent = True

    def _mark(self) -> None:
        """Note when what is placed next was placed, for `oldest_s`."""
        marks, now = self._marks, time.monotonic()
        if not marks or now - marks[-1][1] >= MARK_S:
            self._forget_marks()
            marks.append((self._placed, now))

    def _forget_marks(self) -> None:
        marks, settled = self._marks, self._settled()
        if settled >= self._placed:
            marks.clear()
        while len(marks) > 1 and marks[1][0] <= settled:
            marks.popleft()

    def _lacks_room(self, size: int, share: float = 1.0) -> bool:
        items = len(self._items)
        return items >= self.max_records * share or (
            items > 0 and self._bytes + size > self.max_bytes * share
        )

    def _fault(self, levelno: int, size: int) -> str | None:
        """Return why a record cannot be placed, or None."""
        if self.overflow == "block":
            # The caller waited already; a queue that it gave up on, or that grew
            # past twice its bound by many callers at once, drops.
            full = self._lacks_room(size, 1.0 if self.gave_up else 2.0)
            return "queue_full" if full else None
        sheds = self.overflow == "shed" and levelno < WARNING
        if not self._lacks_room(size, SHED_SHARE if sheds else 1.0):
            return None
        return "shed" if sheds and not self._lacks_room(size) else "queue_full"

    def _drop(self, reason: str, levelno: int, count: int = 1) -> None:
        of_reason = self._dropped.setdefault(reason, {})
        of_reason[levelno] = of_reason.get(levelno, 0) + count
        self.losses += count
        self._last_loss = time.monotonic()
        if type(levelno) is not OwnLevel:
            untold = self._untold.setdefault(reason, {})
            untold[levelno] = untold.get(levelno, 0) + count

    def has_reached(self, max_records: int, max_bytes: int) -> bool:
        """Return whether a whole batch waits."""
        return len(self._items) >= max_records or self._bytes >= max_bytes

    # -- the worker's side

    def take(self, max_records: int, max_bytes: int) -> list[Item]:
        """Move the oldest items into flight, at least one if there is any."""
        with self._lock:
            batch: list[Item] = []
            size = 0
            while self._items and len(batch) < max_records:
                if batch and size + self._items[0][2] > max_bytes:
                    break
                item = self._items.popleft()
                size += item[2]
                batch.append(item)
            self._bytes -= size
            self._flight += batch
            self._flight_end = self._placed - len(self._items)
            if not self._items:
                self.urgent = False
            self.gave_up = False
            return batch

    def delivered(self, count: int) -> None:
        """Settle the `count` oldest items in flight as delivered."""
        with self._lock:
            self._delivered += len(self._settle(count))
            self._notify()

    def dropped(self, reason: str, count: int) -> None:
        """Settle the `count` oldest items in flight as lost, for a counted reason."""
        with self._lock:
            for _, levelno, _ in self._settle(count):
                self._drop(reason, levelno)
            self._notify()

    def dead_lettered(self, count: int) -> None:
        """Settle the `count` oldest items in flight as kept in the dead letter file."""
        with self._lock:
            self._dead_lettered += len(self._settle(count))
            self._notify()

    def handed_over(self, count: int) -> None:
        """Settle the `count` oldest items in flight as given to the fallback."""
        with self._lock:
            self._to_fallback += len(self._settle(count))
            self._notify()

    def lost_after_all(self, reason: str, count: int) -> None:
        """Count as lost what was settled as delivered and has not arrived."""
        with self._lock:
            count = min(count, self._delivered)
            self._delivered -= count
            if count:
                self._drop(reason, 0, count)

    def _settle(self, count: int) -> list[Item]:
        """Take `count` items off the head of the flight, but none that was seized."""
        void = min(count, self._void)
        self._void -= void
        settled = self._flight[: count - void]
        del self._flight[: count - void]
        return settled

    def seize(self) -> list[Item]:
        """Take all that waits and flies from a worker that may hang; return it.

        The caller tells what becomes of it by `settle_seized`; what the worker
        itself settles of it later changes nothing.
        """
        with self._lock:
            self._void += len(self._flight)
            seized = self._flight + list(self._items)
            self._flight = []
            self._items.clear()
            self._bytes = 0
            self._seized += seized
            self._flight_end = self._placed
            self.urgent = self.gave_up = False
            return seized

    def settle_seized(self, reason: str, *, dead_lettered: int = 0, handed_over: int = 0) -> int:
        """Settle what was seized: so many saved, oldest first, the rest lost for `reason`.

        Returns how many were lost.
        """
        with self._lock:
            self._dead_lettered += dead_lettered
            self._to_fallback += handed_over
            lost = self._seized[dead_lettered + handed_over :]
            self._seized = []
            for _, levelno, _ in lost:
                self._drop(reason, levelno)
            self._notify()
            return len(lost)

    def close(self, reason: str) -> int:
        """Count all that waits or flies as dropped, and all that comes from now on.

        Returns how many records that were.
        """
        with self._lock:
            if self._closed:
                return 0
            self._closed = True
            self.seize()
            return self.settle_seized(reason)

    # -- both

    def _settled(self) -> int:
        """Return how many of the placed items, oldest first, are settled without a gap."""
        if self._flight or self._seized:
            return self._flight_end - self.in_flight
        return self._placed - len(self._items)

    def _notify(self) -> None:
        if self._waiters:
            settled = self._settled()
            due = [call for ticket, call in self._waiters if ticket <= settled]
            self._waiters = [pair for pair in self._waiters if pair[0] > settled]
            for call in due:
                call()

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call `call` once all that has been put so far is settled, perhaps at once."""
        with self._lock:
            if self._placed <= self._settled():
                call()
            else:
                self._awaited = self._placed
                self.calls += 1
                self._waiters.append((self._placed, call))

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more: who asked has given up."""
        with self._lock:
            self._waiters = [pair for pair in self._waiters if pair[1] != call]

    def take_over(self) -> None:
        """Use a new lock: the thread that may hold the old one never runs again."""
        self._lock = native.RLock()
        self._void = 0

    @property
    def in_flight(self) -> int:
        """How many records somebody holds: the worker, or who seized them."""
        return len(self._flight) + len(self._seized)

    @property
    def is_seized(self) -> bool:
        """Whether what the worker holds was seized from it."""
        return self._void > 0

    @property
    def held(self) -> int:
        """How many records the worker holds, those included that were seized from it."""
        return len(self._flight) + self._void

    @property
    def unsettled(self) -> int:
        """How many records wait or fly."""
        with self._lock:
            return len(self._items) + self.in_flight

    @property
    def bytes(self) -> int:
        """How many bytes wait."""
        return self._bytes

    def oldest_s(self) -> float | None:
        """Return for how long the oldest unsettled record has been here, to half a second.

        None: all is settled.
        """
        with self._lock:
            self._forget_marks()
            return time.monotonic() - self._marks[0][1] if self._marks else None

    def last_loss_s(self) -> float | None:
        """Return how long ago the last record was lost; None: never."""
        last = self._last_loss
        return None if last is None else time.monotonic() - last

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up."""
        with self._lock:
            self._take_in_refused()
            return {
                "enqueued": self._enqueued,
                "delivered": self._delivered,
                "dropped": {reason: sum(found.values()) for reason, found in self._dropped.items()},
                "dropped_by_level": {
                    reason: by_level_name(found) for reason, found in self._dropped.items()
                },
                "filtered": dict(self._filtered),
                "dead_lettered": self._dead_lettered,
                "handed_to_fallback": self._to_fallback,
                "queued": len(self._items),
                "in_flight": self.in_flight,
            }

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses."""
        with self._lock:
            self._take_in_refused()
            untold, self._untold = self._untold, {}
            return untold
