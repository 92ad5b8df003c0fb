"""The way into a spool: appending, from our threads or from those that log, and counting.

The half of `SpoolQueue` that holds its state; the way out is in `queue.py`.
"""

import errno
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from logging import ERROR

from logroute.delivery.ledger import Ledger
from logroute.delivery.queue import Item, Kept
from logroute.delivery.specs import SpoolSpec
from logroute.delivery.spool.acks import Position
from logroute.delivery.spool.disk import DISK, Disk
from logroute.delivery.spool.folder import Folder, folder_name
from logroute.delivery.spool.frames import body_of, level_in
from logroute.delivery.spool.ledger import is_urgent
from logroute.delivery.spool.reader import Taken
from logroute.delivery.spool.store import Store, spool_path
from logroute.delivery.spool.writer import Appended
from logroute.delivery.waiting import Run, Waiting
from logroute.light import Any

__all__ = ["MOST_RECORDS", "NOWHERE", "Entry", "reason_of"]

#: However many are asked for, no more are held in memory at a time.
MOST_RECORDS = 10_000
NOWHERE = Position(0, 0)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def reason_of(fault: OSError) -> str:
    """Return the reason under which a record is counted that `fault` kept from the disk."""
    return "spool_full" if fault.errno in _FULL else "spool_error"


class Entry:
    """Takes records in, and knows what became of all of them."""

    #: What is given up only because the time is up is safe here, for the next process.
    is_durable = True

    def __init__(
        self,
        spec: SpoolSpec,
        handler: str,
        overflow: str = "drop_newest",
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        disk: Disk = DISK,
        adopts: bool = True,
        keeps_records: bool = False,
        path: str | None = None,
    ) -> None:
        """Mean the folder of `handler` in `spec.path`; nothing is opened yet.

        Args:
            spec: the options.
            handler: the handler's name, which is that of the folder.
            overflow: ``drop_oldest`` removes the oldest segment where there is no room
                for a record; all others refuse the record.
            clock: monotonic seconds.
            wall_clock: seconds since 1970.
            disk: the calls of the system.
            adopts: whether to deliver what other processes have left.
            keeps_records: whether a worker wants records packed beside their payloads,
                for a fallback or a dead letter file.
            path: the folder itself, where its name is known better than the handler's.
        """
        self.overflow = overflow
        self.keeps_records = keeps_records
        self.max_records = MOST_RECORDS
        self.max_bytes = spec.max_bytes
        self.block_for_s = 0.0
        self._clock = clock
        self._wall_clock = wall_clock
        path = path or spool_path(spec, folder_name(handler))
        self.store = Store(spec, path, overflow, clock, disk, self._note_loss, adopts=adopts)
        self._adopts = adopts
        #: How many of the records delivered last the sink itself may have to send again;
        #: they are acknowledged on disk when it has not. Set by who makes the sink.
        self.held_back: Callable[[], int] = _nothing
        self._claims: dict[int, object] = {}
        self.reset()

    def reset(self) -> None:
        """Start empty, with new locks and zero counts, as a forked child must.

        What is on disk is the parent's, or whoever's it becomes.
        """
        self.store.reset()
        self._flight: deque[Taken] = deque()
        self._unconfirmed: deque[tuple[Taken, bool]] = deque()  # settled, whether delivered
        self._void = 0  # how many that a worker holds were put back meanwhile
        #: Of what is not on disk, and of what became of the rest; see `counts`.
        self._ledger = Ledger(self._clock)
        self._taken = 0  # records of our own series that were read
        self._lost = 0  # records of our own series that were on disk and never read
        self._in_doubt = 0  # records that had been sent, or perhaps, when this was closed
        self._waiters: list[tuple[Position, Callable[[], None]]] = []
        self._awaited = NOWHERE
        self.calls = 0
        self._held_until = -1e9
        #: What was seen last, for who looks while a disk stalls; and how long it is taken to.
        self._seen: dict[str, Any] = {}
        self._stalls_until = -1e9
        self.gave_up = False
        self.urgent = False
        #: The program ends: who waits is told as soon as an attempt has failed, since
        #: what is here is safe.
        self.is_ending = False
        self._claims = {}
        self.pid = os.getpid()

    def _is_here(self) -> bool:
        """Return whether this is the process that we work for, if need be from now on."""
        pid = os.getpid()
        if self.pid == pid:
            return True
        claim = object()
        if self._claims.setdefault(pid, claim) is claim:
            self.reset()
        return self.pid == pid

    def take_over(self) -> None:
        """Use new locks: the thread that may hold the old ones never runs again."""
        self.store.take_over()
        self._void = 0

    @property
    def _lock(self) -> Any:  # by the name that the queue in memory has for it
        return self.store.lock

    @property
    def locks(self) -> tuple[Any, ...]:
        """The locks that any thread may hold for a moment."""
        return (self.store.lock, self.store.write_lock)

    @property
    def folder(self) -> Folder:
        """Where it all lies."""
        return self.store.folder

    # -- in

    def append(self, payload: bytes, levelno: int, record: bytes = b"") -> str | None:
        """Put one record on disk before returning; return why it is not there, or None.

        With `write: caller` it takes no lock and may be called from anywhere, signal
        handlers included. The caller counts what is not there, by `refuse`.
        """
        body = body_of(payload, levelno, self._wall_clock(), record)
        fault = self.append_body(body, levelno)
        return None if fault is None else self._reason(fault)

    def append_body(self, body: bytes, levelno: int) -> OSError | None:
        """Append, as `append` does, a record in the form of `body_of`; return what failed."""
        if self.pid != os.getpid() and not self._is_here():
            return OSError(errno.EAGAIN, "the process has just been forked")
        fault = self.store.append_one(body)
        if levelno >= ERROR and fault is None:
            self.urgent = True
        return fault

    @property
    def is_open(self) -> bool:
        """Whether records can be brought here: we are not closed, nor half-way in a fork."""
        return not self.store.is_closed and self._is_here()

    def append_bodies(self, bodies: Sequence[bytes]) -> Appended:
        """Append records in the form of `body_of`; what is not on disk is the caller's.

        One thread of ours at a time.
        """
        if not self._is_here():
            return Appended(0, OSError(errno.EAGAIN, "the process has just been forked"))
        appended = self.store.append(bodies)
        if not self.urgent:
            self.urgent = any(map(is_urgent, map(level_in, bodies[: appended.whole])))
        return appended

    def put(
        self, items: Iterable[Item | Run], filtered: list[str], dropped: list[tuple[str, int]]
    ) -> None:
        """Count and spool `items`; also count records filtered or dropped before."""
        now = self._wall_clock()
        found = list(Waiting.of(items))
        bodies = [_body(payload, levelno, now) for payload, levelno, _ in found]
        appended = self.append_bodies(bodies)
        with self._lock:
            self._ledger.enqueued += len(filtered) + len(dropped) + len(found) - appended.whole
            for name in filtered:
                self._ledger.filter(name)
            for reason, levelno in dropped:
                self._ledger.lose(reason, levelno)
            if appended.fault is not None:
                reason = self._reason(appended.fault)
                for _, levelno, _ in found[appended.whole :]:
                    self._ledger.lose(reason, levelno)

    def _reason(self, fault: OSError) -> str:
        return "shutdown" if self.store.is_closed else reason_of(fault)

    def refuse(self, levelno: int = 0, reason: str = "intake_full") -> None:
        """Count a record that did not reach the disk; takes no lock."""
        self._ledger.refuse(reason, levelno)

    def filter_out(self, name: str) -> None:
        """Count a record that a filter dropped in the thread that logs; takes no lock."""
        self._ledger.filter_out(name)

    def fault_now(self, levelno: int) -> str | None:  # noqa: ARG002
        """Return None: only the disk can tell."""
        return None

    def is_full(self, coming: int) -> bool:  # noqa: ARG002
        """Return False: nobody waits for a disk."""
        return False

    def room(self) -> int:
        """Return how many records have room, as far as callers care: any number."""
        return sys.maxsize

    def _note_loss(self, lost: dict[int, int], is_own: bool) -> None:
        for levelno, count in lost.items():
            self._ledger.lose("spool_full", levelno, count)
            if is_own:
                self._lost += count
        self._notify()

    def _notify(self) -> None:
        """Tell those who wait for a place that it is reached, if it is."""
        raise NotImplementedError


def _body(payload: Any, levelno: int, now: float) -> bytes:
    if isinstance(payload, Kept):
        return body_of(payload.payload, levelno, now, payload.record)
    return body_of(payload, levelno, now)


def _nothing() -> int:
    return 0
