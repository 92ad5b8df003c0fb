"""The spool as a worker sees it: a queue whose items lie on disk.

It offers what `logroute.delivery.queue.Queue` offers. Records enter by `append`
(from the thread that logs, with `write: caller`) or by `append_bodies` (from the
worker that empties the queue in memory), and leave by `take`; what is settled is
acknowledged on disk. The lock is held for reading pages and writing 24 bytes, never
while anything is sent; where the disk stalls that may take long, so whoever only
wants to know something waits for it within bounds.
"""

from collections import deque
from collections.abc import Callable
from itertools import groupby
from logging import getLevelName

from logroute.delivery.queue import Item, Kept
from logroute.delivery.spool.acks import Position
from logroute.delivery.spool.entry import MOST_RECORDS, NOWHERE
from logroute.delivery.spool.frames import Spooled
from logroute.delivery.spool.looks import Looks
from logroute.delivery.spool.reader import Reader, Taken
from logroute.light import Any

__all__ = ["SpoolQueue"]

#: Reasons for which a worker gives up a batch that may succeed later: it stays here.
_NOT_FINAL = frozenset({"undelivered", "shutdown"})
#: How long nothing is taken after a batch came back, or could not be read.
_HOLD_S = 1.0
_MOST_BYTES = 16 << 20


class SpoolQueue(Looks):
    """Hands records from disk to one worker, within bounds, counting all."""

    # -- out

    @property
    def waiting(self) -> int:
        """How many records can be taken; at least 1 where we have not looked yet."""
        store = self.store
        if not self._is_here() or store.is_closed or self._clock() < self._held_until:
            return 0
        with self._lock:
            if self._adopts and store.adoption.may_find and store.folder.exists():
                return 1
            own = store.reader is not None and store.reader.has_more()
            return store.adoption.known + (max(1, self._queued()) if own else 0)

    @property
    def may_be_awaited(self) -> bool:
        """Whether somebody waits for a record that has not been read, for a look without a lock."""
        reader = self.store.reader
        return reader is not None and self._awaited > reader.at

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a record that still waits here."""
        reader = self.store.reader
        if reader is None or not self.may_be_awaited or not self.waiting:
            return False
        with self._lock:
            return reader.has_more()

    def has_reached(self, max_records: int, max_bytes: int) -> bool:
        """Return whether a whole batch waits, or what dead processes left has waited enough."""
        with self._lock:
            if self.store.adoption.known or self._queued() >= max_records:
                return True
            writer, reader = self.store.writer, self.store.reader
            if writer is None or reader is None:
                return False
            ahead = sum(size for n, size in writer.sizes.items() if n >= reader.at.segment)
            return ahead - reader.at.offset >= max_bytes

    def take(self, max_records: int, max_bytes: int) -> list[Item]:
        """Read the oldest records into flight, at least one if there is any.

        Those that dead processes have left come first, unless somebody waits for ours.
        """
        if not self._is_here():
            return []
        with self._lock:
            self.gave_up = False
            self._stalls_until = -1e9
            store = self.store
            if store.is_closed or self._clock() < self._held_until:
                return []
            store.look_for_orphans()
            max_records, max_bytes = min(max_records, MOST_RECORDS), min(max_bytes, _MOST_BYTES)
            readers = store.readers()
            if self.is_awaited:
                readers.sort(key=lambda reader: not reader.is_ours)
            taken: list[Taken] = []
            for reader in readers:
                taken = taken or self._read(reader, max_records, max_bytes)
            if not taken and any(reader.fault for reader in readers):
                self._held_until = self._clock() + _HOLD_S
            self._flight.extend(taken)
            store.adoption.finish()
            if not store.adoption.known and not self._queued():
                self.urgent = False
            self._notify()
            return [_item(one.record, self.keeps_records) for one in taken]

    def _read(self, reader: Reader, max_records: int, max_bytes: int) -> list[Taken]:
        if reader.is_adopted:
            return reader.take(max_records, max_bytes)
        whole = self._whole()  # before reading: these can all be read now
        taken = reader.take(max_records, max_bytes)
        self._taken += len(taken)
        missing = whole - self._taken - self._lost
        if missing > 0 and reader.is_at_end():
            self._lost += missing
            self._ledger.lose("spool_damaged", 0, missing)
        return taken

    # -- settling

    def delivered(self, count: int) -> None:
        """Settle the `count` oldest records in flight as delivered."""
        with self._lock:
            self._ledger.delivered += len(self._settle(count, is_delivered=True))
            self._notify()

    def dropped(self, reason: str, count: int) -> None:
        """Settle the `count` oldest records in flight as lost, for a counted reason.

        Where the reason is that they may succeed later, all in flight comes back
        instead, to be taken again after a while or by the next process.
        """
        with self._lock:
            if reason in _NOT_FINAL:
                if count > self._void:
                    self._put_back(len(self._flight) - (count - self._void))
                    self._held_until = self._clock() + _HOLD_S
                    self._notify()
                else:
                    self._void -= count
                return
            for taken in self._settle(count):
                self._ledger.lose(reason, taken.record.levelno)
            self._notify()

    def dead_lettered(self, count: int) -> None:
        """Settle the `count` oldest records in flight as kept in the dead letter file."""
        with self._lock:
            self._ledger.dead_lettered += len(self._settle(count))
            self._notify()

    def handed_over(self, count: int, pass_on: Callable[[int], object]) -> None:
        """Settle the `count` oldest records in flight as given to the fallback.

        `pass_on` gives it the last so many of them: those in front were put back.
        """
        with self._lock:
            if settled := len(self._settle(count)):
                pass_on(settled)
            self._ledger.handed_over += settled
            self._notify()

    def lost_after_all(self, reason: str, count: int) -> None:  # noqa: ARG002
        """Let the `count` records delivered last wait again: they have not arrived."""
        with self._lock:
            self._confirm()
            count = min(count, sum(is_delivered for _, is_delivered in self._unconfirmed))
            if count:
                self._put_back(self._void + len(self._flight))
            self._take_back(count)

    def _take_back(self, count: int) -> None:
        """Let the `count` records delivered last wait again; nothing is in flight."""
        while count:
            taken, is_delivered = self._unconfirmed.pop()
            taken.reader.put_back([taken])
            self._taken -= not taken.reader.is_adopted
            self._ledger.delivered -= is_delivered
            self._ledger.enqueued += not is_delivered  # counted, and yet to come again
            count -= is_delivered

    def _settle(self, count: int, *, is_delivered: bool = False) -> list[Taken]:
        """Take `count` records off the head of the flight; acknowledge them on disk."""
        void = min(count, self._void)
        self._void -= void
        count = min(count - void, len(self._flight))
        settled = [self._flight.popleft() for _ in range(count)]
        self._unconfirmed.extend((taken, is_delivered) for taken in settled)
        self._confirm()
        return settled

    def _confirm(self) -> None:
        """Acknowledge on disk what is settled, but for what the sink may send again."""
        waiting = self._unconfirmed
        surplus = sum(is_delivered for _, is_delivered in waiting) - self.held_back()
        done: list[Taken] = []
        while waiting and (surplus > 0 or not waiting[0][1]):
            taken, is_delivered = waiting.popleft()
            surplus -= is_delivered
            done.append(taken)
        for reader, run in groupby(done, key=lambda taken: taken.reader):
            of_reader = list(run)
            reader.settle(of_reader[-1].behind, len(of_reader))
        self.store.adoption.finish()

    def _put_back(self, void: int) -> None:
        """Let all in flight wait again; `void` of it a worker may settle yet, in vain."""
        self._void = max(0, void)
        back, self._flight = list(self._flight), deque()
        for reader, run in groupby(back, key=lambda taken: taken.reader):
            of_reader = list(run)
            reader.put_back(of_reader)
            if not reader.is_adopted:
                self._taken -= len(of_reader)

    def seize(self) -> list[Item]:
        """Take what flies from a worker that may hang; return nothing: it is safe here."""
        with self._lock:
            self._put_back(self._void + len(self._flight))
            self._held_until = self._clock() + _HOLD_S
            return []

    def settle_seized(self, reason: str, *, dead_lettered: int = 0, handed_over: int = 0) -> int:  # noqa: ARG002
        """Return 0: nothing was lost."""
        return 0

    def close(self, reason: str) -> int:  # noqa: ARG002
        """Let go of the disk; what is not delivered is for the next process.

        Returns 0, since nothing is lost.
        """
        if not self._is_here() or self.store.is_closed:
            return 0
        is_held = self._lock.acquire(timeout=self._patience_s())
        self.store.shut()
        if not is_held:  # who has it goes on; the end of the process closes
            return 0
        try:
            self._confirm()
            # Nobody will ever know whether these have arrived; they come again.
            unconfirmed = sum(is_delivered for _, is_delivered in self._unconfirmed)
            self._in_doubt += len(self._flight) + unconfirmed
            self._put_back(self._void + len(self._flight))
            self._take_back(unconfirmed)
        finally:
            self._lock.release()
        self.store.close()
        if self._lock.acquire(timeout=self._patience_s()):
            waiters, self._waiters = self._waiters, []
            self._lock.release()
            for _, call in waiters:  # who waits yet has to see what becomes of it
                call()
        return 0

    # -- both

    def _settled(self) -> Position:
        """Return the place in our own series before which all is settled."""
        reader = self.store.reader
        if reader is None:
            return NOWHERE
        for taken in self._flight:
            if taken.reader is reader:
                return taken.before
        return reader.read_to()

    def _notify(self) -> None:
        self._stalls_until = -1e9
        if self._waiters and not self.store.is_closed:
            waiters, self._waiters = self._waiters, []
            for place, call in waiters:
                if self._is_settled_to(place):
                    call()
                else:
                    self._waiters.append((place, call))

    def _is_settled_to(self, place: Position) -> bool:
        """Return whether all that this process has put here is, in our series up to `place`."""
        if self._has_given_in():
            return True
        if self.store.adoption.owes or any(
            taken.reader.is_adopted and taken.reader.is_ours for taken in self._flight
        ):
            return False
        return place <= self._settled()

    def _has_given_in(self) -> bool:
        """Return whether an attempt has failed and there is no time for many."""
        return self.is_ending and self._clock() < self._held_until

    @property
    def is_begun(self) -> bool:
        """Whether this process has spooled anything that could be waited for."""
        store = self.store
        return (store.writer is not None or store.adoption.is_heir) and not store.has_let_go

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call `call` once all that this process has spooled so far is settled."""
        with self._lock:
            writer = self.store.writer
            end = NOWHERE if writer is None or self.store.is_closed else writer.end()
            if self.store.has_let_go or self._is_settled_to(end):
                call()
            else:
                self._awaited = end
                self.calls += 1
                self._waiters.append((end, call))

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more: who asked has given up."""
        with self._lock:
            self._waiters = [pair for pair in self._waiters if pair[1] != call]

    def forget_soon(self, call: Callable[[], None]) -> bool:
        """Forget `call` if nobody has the lock; return whether that is done."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self.forget(call)
        finally:
            self._lock.release()
        return True

    def sync(self) -> None:
        """Force what is spooled to the disk, where `sync` says that this is wanted."""
        if self._is_here():
            self.store.sync()

    def chores(self) -> float:
        """Sync, begin segments, look for orphans, try again what failed, as is due.

        Returns the seconds after which to call again; calling sooner costs little. A
        thread of ours calls it, wherever it would sleep longer.
        """
        if not self._is_here():
            return 0.01
        with self._lock:
            if self._unconfirmed and not self.store.is_closed:
                self._confirm()
        wait_s = self.store.chores()
        with self._lock:
            if self._waiters:
                self._notify()  # we may have looked, and found nothing
            if self._unconfirmed and not self.store.is_closed:
                wait_s = min(wait_s, _HOLD_S)
        held_s = self._held_until - self._clock()
        return min(wait_s, held_s) if held_s > 0 else wait_s

    def hold(self) -> None:
        """Leave to the handler that was here before what it delivers yet; it may leave some."""
        with self._lock:
            self.store.adoption.hold()

    def look_again(self) -> None:
        """Look for what others have left at the next opportunity: one has just ended."""
        self.store.adoption.look_again()
        if not self.store.folder.exists() and self._lock.acquire(timeout=self._patience_s()):
            try:
                self.store.look_for_orphans()  # none; and nobody will be woken to look
                self._notify()
            finally:
                self._lock.release()

    def take_fault(self) -> OSError | None:
        """Return what went wrong with the disk since the last call, for the notices."""
        store = self.store
        faults = [fault for r in store.readers() for fault in (r.fault, r.ack_fault) if fault]
        fault, store.fault = store.fault, None
        return fault or (faults[0] if faults else None)

    @property
    def is_seized(self) -> bool:
        """Whether what the worker holds was put back meanwhile."""
        return self._void > 0

    @property
    def held(self) -> int:
        """How many records the worker holds, those included that were put back."""
        return len(self._flight) + self._void

    @property
    def has_refused(self) -> bool:
        """Whether `refuse` was ever called."""
        return self._ledger.has_refused

    @property
    def has_untold(self) -> bool:
        """Whether something was dropped since `take_untold`."""
        return self._ledger.has_untold

    def last_loss_s(self) -> float | None:
        """Return how long ago the last record was lost; None: never."""
        return self._ledger.last_loss_s()

    @property
    def in_flight(self) -> int:
        """How many records the worker holds."""
        return len(self._flight)

    @property
    def losses(self) -> int:
        """How many were dropped here, for a look without a lock."""
        return self._ledger.losses


def _item(record: Spooled, keeps_record: bool) -> Item:
    payload: Any = record.payload
    if keeps_record:
        payload = Kept(payload, record.record or _packed(record))
    return payload, record.levelno, len(record.payload)


def _packed(record: Spooled) -> bytes:
    """Return a packed record for one that was spooled when nobody needed any."""
    from logroute.records import blank_record, pack

    made = blank_record()
    made.__dict__.update(
        levelno=record.levelno,
        levelname=getLevelName(record.levelno),
        created=record.time,
        msg=record.payload.decode("utf-8", "backslashreplace"),
    )
    return pack(made)
