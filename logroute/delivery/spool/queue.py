"""The spool as a worker sees it: a queue whose items lie on disk.

It offers what `logroute.delivery.queue.Queue` offers. Records enter by `append`
(from the thread that logs, with `write: caller`) or by `append_bodies` (from the
worker that empties the queue in memory), and leave by `take`; what is settled is
acknowledged on disk. The lock is held for reading pages and writing 24 bytes, never
while anything is sent.
"""

from collections import deque
from collections.abc import Callable
from itertools import groupby
from logging import getLevelName
from typing import Any

from logroute.delivery.queue import Item, Kept, Losses
from logroute.delivery.spool.acks import Position
from logroute.delivery.spool.entry import MOST_RECORDS, NOWHERE, Entry
from logroute.delivery.spool.frames import Spooled
from logroute.delivery.spool.reader import Reader, Taken

__all__ = ["SpoolQueue"]

#: Reasons for which a worker gives up a batch that may succeed later: it stays here.
_NOT_FINAL = frozenset({"undelivered", "shutdown"})
#: How long nothing is taken after a batch came back, or could not be read.
_HOLD_S = 1.0
_MOST_BYTES = 16 << 20


class SpoolQueue(Entry):
    """Hands records from disk to one worker, within bounds, counting all."""

    # -- out

    @property
    def waiting(self) -> int:
        """How many records can be taken; at least 1 where we have not looked yet."""
        store = self.store
        if not self._is_here() or store.is_closed or self._clock() < self._held_until:
            return 0
        with self._lock:
            if self._adopts and not store.adoption.has_looked and store.folder.exists():
                return 1
            own = store.reader is not None and store.reader.has_more()
            return store.adoption.known + (max(1, self._queued()) if own else 0)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a record that still waits here."""
        reader = self.store.reader
        if reader is None or self._awaited <= reader.at or not self.waiting:
            return False
        with self._lock:
            return reader.has_more()

    def has_reached(self, max_records: int, max_bytes: int) -> bool:
        """Return whether a whole batch waits."""
        with self._lock:
            if self.store.adoption.known + self._queued() >= max_records:
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
            store = self.store
            if store.is_closed or self._clock() < self._held_until:
                return []
            store.look_for_orphans()
            max_records, max_bytes = min(max_records, MOST_RECORDS), min(max_bytes, _MOST_BYTES)
            readers = store.readers()
            if self.is_awaited:
                readers.reverse()
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

    def _whole(self) -> int:
        return 0 if self.store.writer is None else self.store.writer.count()

    def _queued(self) -> int:
        """Return how many records of our own series wait."""
        return max(0, self._whole() - self._taken - self._lost)

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

    def handed_over(self, count: int) -> None:
        """Settle the `count` oldest records in flight as given to the fallback."""
        with self._lock:
            self._ledger.handed_over += len(self._settle(count))
            self._notify()

    def lost_after_all(self, reason: str, count: int) -> None:  # noqa: ARG002
        """Let the `count` records delivered last wait again: they have not arrived."""
        with self._lock:
            self._confirm()
            count = min(count, sum(is_delivered for _, is_delivered in self._unconfirmed))
            if count:
                self._put_back(self._void + len(self._flight))
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
        with self._lock:
            self._confirm()
            self._put_back(self._void + len(self._flight))
            self._waiters.clear()
        self.store.close()
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
        if self._waiters and not self.store.is_closed:
            settled = self._settled()
            due = [call for place, call in self._waiters if place <= settled]
            self._waiters = [pair for pair in self._waiters if pair[0] > settled]
            for call in due:
                call()

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call `call` once all that this process has spooled so far is settled."""
        with self._lock:
            writer = self.store.writer
            end = NOWHERE if writer is None or self.store.is_closed else writer.end()
            if end == NOWHERE or self._settled() >= end:
                call()
            else:
                self._awaited = end
                self.calls += 1
                self._waiters.append((end, call))

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more: who asked has given up."""
        with self._lock:
            self._waiters = [pair for pair in self._waiters if pair[1] != call]

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
        wait_s = self.store.chores()
        with self._lock:
            if self._unconfirmed and not self.store.is_closed:
                self._confirm()
                wait_s = min(wait_s, _HOLD_S) if self._unconfirmed else wait_s
        held_s = self._held_until - self._clock()
        return min(wait_s, held_s) if held_s > 0 else wait_s

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

    @property
    def bytes(self) -> int:
        """How many bytes wait, as far as they are ours to deliver."""
        with self._lock:
            return sum(reader.unread() for reader in self.store.readers())

    def oldest_s(self) -> float | None:
        """Return for how long the oldest unsettled record has been spooled.

        None: all is settled.
        """
        with self._lock:
            times = [taken.record.time for taken in self._flight]
            if not times and not self.store.is_closed:
                times = [time for r in self.store.readers() if (time := r.oldest()) is not None]
            return max(0.0, self._wall_clock() - min(times)) if times else None

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

    @property
    def unsettled(self) -> int:
        """How many records wait or fly, as far as they are counted."""
        with self._lock:
            return self.store.adoption.known + self._queued() + len(self._flight)

    def counts(self) -> dict[str, Any]:
        """Return the ledger at one moment; the numbers add up.

        Beside those of every queue: ``recovered`` (records of earlier processes, part
        of ``enqueued``), ``spooled`` (records of this process that reached the disk),
        ``damaged`` (pieces that could not be read) and ``spool_bytes``.
        """
        with self._lock:
            adoption, own = self.store.adoption, self._queued()
            spooled, recovered = self._taken + self._lost + own, adoption.recovered
            counts = self._ledger.counts(
                spooled=spooled + recovered,
                queued=own + adoption.known,
                in_flight=len(self._flight),
            )
            damaged = adoption.damaged + sum(reader.damaged for reader in self.store.readers())
            return counts | {
                "recovered": recovered,
                "spooled": spooled,
                "damaged": damaged,
                "spool_bytes": self.store.used(),
            }

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses."""
        with self._lock:
            return self._ledger.untold()


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
