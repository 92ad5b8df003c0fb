"""The bounded queue of one handler, and the ledger of what became of its records.

The dispatcher puts, the worker takes and settles. Every count changes under the
same lock as the queue itself, so the law holds at every moment::

    enqueued = delivered + dropped + filtered + dead_lettered
             + handed_to_fallback + queued + in_flight

The lock is never held while anything is sent, and no application thread takes
it on its way to log: callers only read `is_full` and write `gave_up`.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from logging import ERROR, WARNING
from typing import Any

from logroute.delivery.specs import QueueSpec

__all__ = ["Item", "Queue"]

#: Queue share above which `shed` lets only WARNING and above in.
SHED_SHARE = 0.8


#: One record on its way to a sink: payload, level number, bytes. A plain tuple,
#: since a backlog has many.
Item = tuple[Any, int, int]


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
        self._lock = threading.RLock()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._in_flight = 0
        self._enqueued = self._delivered = self._dead_lettered = self._to_fallback = 0
        self._dropped: dict[str, int] = {}
        self._filtered: dict[str, int] = {}
        self._placed = 0
        self._flight_end = 0  # how many had been placed up to the last one in flight
        self._waiters: list[tuple[int, Callable[[], None]]] = []
        self._awaited = 0  # how many had been placed when somebody last asked
        #: How often somebody asked to be told when all is settled.
        self.calls = 0
        #: How many were dropped here, for a look without a lock.
        self.losses = 0
        self._refusals = itertools.count(1)
        self._refusal_reads = 0
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

    def refuse(self) -> None:
        """Count a record that could not even enter the intake; takes no lock."""
        next(self._refusals)

    def _refused(self) -> int:
        # Reading the counter advances it, so the reads are counted and taken off.
        self._refusal_reads += 1
        return next(self._refusals) - self._refusal_reads

    # -- the dispatcher's side

    def fault_now(self, levelno: int) -> str | None:
        """Return why a record would be dropped now, so that encoding it can be spared."""
        if self.overflow == "drop_oldest" or not self._items:
            return None
        return self._fault(levelno, 0)

    def put(self, items: list[Item], filtered: list[str], dropped: list[str]) -> None:
        """Count and place `items`; also count records filtered or dropped before."""
        with self._lock:
            self._enqueued += len(items) + len(filtered) + len(dropped)
            for name in filtered:
                self._filtered[name] = self._filtered.get(name, 0) + 1
            for reason in dropped:
                self._drop(reason)
            for item in items:
                self._place(item)

    def _place(self, item: Item) -> None:
        if self._closed:
            self._drop("shutdown")
            return
        if self.overflow == "drop_oldest":
            while self._items and self._lacks_room(item[2]):
                self._bytes -= self._items.popleft()[2]
                self._drop("queue_full")
            self._notify()
        elif fault := self._fault(item[1], item[2]):
            self._drop(fault)
            return
        self._items.append(item)
        self._placed += 1
        self._bytes += item[2]
        if item[1] >= ERROR:
            self.urgent = True

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
        if self._lacks_room(size):
            return "queue_full"
        if self.overflow == "shed" and levelno < WARNING and self._lacks_room(size, SHED_SHARE):
            return "shed"
        return None

    def _drop(self, reason: str, count: int = 1) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + count
        self.losses += count

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
            self._in_flight += len(batch)
            self._flight_end = self._placed - len(self._items)
            if not self._items:
                self.urgent = False
            self.gave_up = False
            return batch

    def delivered(self, count: int) -> None:
        """Settle `count` items in flight as delivered."""
        with self._lock:
            if count and not self._closed:
                self._in_flight -= count
                self._delivered += count
                self._notify()

    def dropped(self, reason: str, count: int) -> None:
        """Settle `count` items in flight as lost, for a counted reason."""
        with self._lock:
            if count and not self._closed:
                self._in_flight -= count
                self._drop(reason, count)
                self._notify()

    def close(self, reason: str) -> int:
        """Count all that waits or flies as dropped; later settling changes nothing.

        Returns how many records that were.
        """
        with self._lock:
            if self._closed:
                return 0
            left = len(self._items) + self._in_flight
            self._items.clear()
            self._bytes = self._in_flight = 0
            if left:
                self._drop(reason, left)
            self._closed = True
            self._notify()
            return left

    # -- both

    def _settled(self) -> int:
        """Return how many of the placed items, oldest first, are settled without a gap."""
        if self._in_flight:
            return self._flight_end - self._in_flight
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
        self._lock = threading.RLock()

    @property
    def in_flight(self) -> int:
        """How many records the worker holds."""
        return self._in_flight

    @property
    def unsettled(self) -> int:
        """How many records wait or fly."""
        with self._lock:
            return len(self._items) + self._in_flight

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up."""
        with self._lock:
            refused = self._refused()
            dropped = dict(self._dropped)
            if refused:
                dropped["intake_full"] = dropped.get("intake_full", 0) + refused
            return {
                "enqueued": self._enqueued + refused,
                "delivered": self._delivered,
                "dropped": dropped,
                "filtered": dict(self._filtered),
                "dead_lettered": self._dead_lettered,
                "handed_to_fallback": self._to_fallback,
                "queued": len(self._items),
                "in_flight": self._in_flight,
            }

    def drops(self) -> int:
        """Return how many records were dropped so far, for the notices."""
        with self._lock:
            return sum(self._dropped.values()) + self._refused()
