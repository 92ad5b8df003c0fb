"""The bounded queue of one handler, and the ledger of what became of its records.

The dispatcher puts, the worker takes and settles. Every count changes under the
same lock as the queue itself, so the law holds at every moment::

    enqueued = delivered + dropped + filtered + dead_lettered
             + handed_to_fallback + queued + in_flight

The lock is never held while anything is sent, and no application thread takes
it on its way to log: callers only read `is_full` and write `gave_up`.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from logging import ERROR, WARNING

from logroute import native
from logroute.delivery.ledger import Ledger, Losses
from logroute.delivery.specs import QueueSpec
from logroute.delivery.waiting import Item, Run, Waiting
from logroute.light import Any, NamedTuple

__all__ = ["Item", "Kept", "Queue"]

#: How exactly it is known since when a record waits.
MARK_S = 0.5
#: Queue share above which `shed` lets only WARNING and above in.
SHED_SHARE = 0.8


class Kept(NamedTuple):
    """A payload, and its record packed, for those who may still need the record."""

    payload: Any
    record: bytes


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
        self._items = Waiting()
        #: What a worker holds, oldest first; it settles from the head.
        self._flight: list[Item] = []
        self._seized: list[Item] = []
        self._seized_from = 0  # how many were settled before the first of these
        self._void = 0  # how many that a worker holds were seized
        self._ledger = Ledger()
        self._placed = 0
        #: How many had been placed at some moments, at least `MARK_S` apart.
        self._marks: deque[tuple[int, float]] = deque()
        self._flight_end = 0  # how many had been placed up to the last one in flight
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._awaited = 0  # how many had been placed when somebody last asked
        #: How often somebody asked to be told when all is settled.
        self.calls = 0
        #: Called, under the lock, once there is more room than before.
        self.on_room: Callable[[], None] | None = None
        self._closed = False
        self.gave_up = False
        self.urgent = False

    @property
    def locks(self) -> tuple[Any, ...]:
        """The locks that any thread may hold for a moment."""
        return (self._lock,)

    # -- what callers may touch without a lock

    @property
    def waiting(self) -> int:
        """How many items wait, roughly, for a caller that holds no lock."""
        return len(self._items)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for an item that still waits here."""
        return self._awaited > self._placed - len(self._items)

    def room(self) -> int:
        """Return how many more records have room, roughly; none once the bytes are used up."""
        return 0 if self._items.bytes >= self.max_bytes else self.max_records - len(self._items)

    def is_full(self, coming: int) -> bool:
        """Return whether the queue has no room for `coming` more records."""
        return len(self._items) + coming >= self.max_records or self._items.bytes >= self.max_bytes

    @property
    def has_refused(self) -> bool:
        """Whether `refuse` was ever called."""
        return self._ledger.has_refused

    @property
    def has_untold(self) -> bool:
        """Whether something was dropped since `take_untold`."""
        return self._ledger.has_untold

    @property
    def losses(self) -> int:
        """How many were dropped here, for a look without a lock."""
        return self._ledger.losses

    def refuse(self, levelno: int = 0) -> None:
        """Count a record that could not even enter the intake; takes no lock."""
        self._ledger.refuse("intake_full", levelno)

    # -- the dispatcher's side

    def fault_now(self, levelno: int) -> str | None:
        """Return why a record would be dropped now, so that encoding it can be spared."""
        if self._closed:
            return "shutdown"
        if self.overflow == "drop_oldest" or not self._items:
            return None
        return self._fault(levelno, 0)

    def put(
        self, items: Iterable[Item | Run], filtered: list[str], dropped: list[tuple[str, int]]
    ) -> None:
        """Count and place `items`; also count records filtered or dropped before.

        `filtered` has the names of the filters, `dropped` pairs of reason and level.
        """
        waiting = Waiting.of(items)
        with self._lock:
            ledger = self._ledger
            ledger.enqueued += len(waiting) + len(filtered) + len(dropped)
            for name in filtered:
                ledger.filter(name)
            if dropped:  # where a destination is dead, nearly all, and alike
                for (reason, levelno), count in Counter(dropped).items():
                    ledger.lose(reason, levelno, count)
            if waiting:
                self._mark()
                self._place_all(waiting)

    def count_past(self, levelno: int, fault: str | None) -> None:
        """Count a record that never was in here: delivered, or lost for the reason `fault`."""
        with self._lock:
            self._ledger.enqueued += 1
            if fault is None:
                self._ledger.delivered += 1
            else:
                self._ledger.lose(fault, levelno)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def _place_all(self, items: Waiting) -> None:
        """Place `items` together if all have room, as nearly always, or one by one."""
        many, share = len(self._items) + len(items), SHED_SHARE if self.overflow == "shed" else 1.0
        size = self._items.bytes + items.bytes
        has_room = many <= self.max_records * share and size <= self.max_bytes * share
        if self._closed or not has_room:
            for item in items:
                self._place(item)
            return
        self._placed += len(items)
        if items.highest >= ERROR:
            self.urgent = True
        self._items.move_from(items)

    def _place(self, item: Item) -> None:
        if self._closed:
            self._ledger.lose("shutdown", item[1])
            return
        if self.overflow == "drop_oldest":
            while self._items and self._lacks_room(item[2]):
                _, levelno, _ = self._items.popleft()
                self._ledger.lose("queue_full", levelno)
            self._notify()
        elif fault := self._fault(item[1], item[2]):
            self._ledger.lose(fault, item[1])
            return
        self._items.append(item)
        self._placed += 1
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
            items > 0 and self._items.bytes + size > self.max_bytes * share
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

    def has_reached(self, max_records: int, max_bytes: int) -> bool:
        """Return whether a whole batch waits."""
        return len(self._items) >= max_records or self._items.bytes >= max_bytes

    # -- the worker's side

    def take(self, max_records: int, max_bytes: int) -> list[Item]:
        """Move the oldest items into flight, at least one if there is any."""
        with self._lock:
            batch = self._items.take(max_records, max_bytes)
            self._flight += batch
            self._flight_end = self._placed - len(self._items)
            if not self._items:
                self.urgent = False
            self.gave_up = False
            self._tell_of_room()
            return batch

    def _tell_of_room(self) -> None:
        call, self.on_room = self.on_room, None
        if call is not None:
            call()

    def delivered(self, count: int) -> None:
        """Settle the `count` oldest items in flight as delivered."""
        with self._lock:
            self._ledger.delivered += len(self._settle(count))
            self._notify()

    def dropped(self, reason: str, count: int) -> None:
        """Settle the `count` oldest items in flight as lost, for a counted reason."""
        with self._lock:
            for _, levelno, _ in self._settle(count):
                self._ledger.lose(reason, levelno)
            self._notify()

    def dead_lettered(self, count: int) -> None:
        """Settle the `count` oldest items in flight as kept in the dead letter file."""
        with self._lock:
            self._ledger.dead_lettered += len(self._settle(count))
            self._notify()

    def handed_over(self, count: int, pass_on: Callable[[int], object]) -> None:
        """Settle the `count` oldest items in flight as given to the fallback.

        `pass_on` gives it the last so many of them: those in front were seized, and
        are not ours any more. It is called before anybody learns that they are settled.
        """
        with self._lock:
            if settled := len(self._settle(count)):
                pass_on(settled)
            self._ledger.handed_over += settled
            self._notify()

    def lost_after_all(self, reason: str, count: int) -> None:
        """Count as lost what was settled as delivered and has not arrived."""
        with self._lock:
            count = min(count, self._ledger.delivered)
            self._ledger.delivered -= count
            if count:
                self._ledger.lose(reason, 0, count)

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
            if not self._seized:
                self._seized_from = self._settled()
            self._void += len(self._flight)
            seized = self._flight + self._items.clear()
            self._flight = []
            self._seized += seized
            self._flight_end = self._placed
            self.urgent = self.gave_up = False
            self._tell_of_room()
            return seized

    def settle_seized(self, reason: str, *, dead_lettered: int = 0, handed_over: int = 0) -> int:
        """Settle what was seized: so many saved, oldest first, the rest lost for `reason`.

        Returns how many were lost.
        """
        with self._lock:
            self._ledger.dead_lettered += dead_lettered
            self._ledger.handed_over += handed_over
            lost = self._seized[dead_lettered + handed_over :]
            self._seized = []
            for _, levelno, _ in lost:
                self._ledger.lose(reason, levelno)
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
        if self._seized:  # what the worker takes meanwhile came later
            return self._seized_from
        if self._flight:
            return self._flight_end - len(self._flight)
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
        return self._items.bytes

    def oldest_s(self) -> float | None:
        """Return for how long the oldest unsettled record has been here, to half a second.

        None: all is settled.
        """
        with self._lock:
            self._forget_marks()
            return time.monotonic() - self._marks[0][1] if self._marks else None

    def last_loss_s(self) -> float | None:
        """Return how long ago the last record was lost; None: never."""
        return self._ledger.last_loss_s()

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up."""
        with self._lock:
            return self._ledger.counts(queued=len(self._items), in_flight=self.in_flight)

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses."""
        with self._lock:
            return self._ledger.untold()
