"""The intake: the one in-memory hand-over from application threads to the dispatcher.

Application threads only append and, where the dispatcher sleeps, ring. They
take no lock, so signal handlers, `__del__` and garbage collection are safe.
"""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import repeat

from logroute import native
from logroute.bell import AWAKE, LINGERING, Bell
from logroute.light import TYPE_CHECKING
from logroute.records import STAMPS_PER_S, stamp
from logroute.routing import Plan, Route
from logroute.tally import Tally

if TYPE_CHECKING:
    from logroute.delivery.queue import Queue
    from logroute.delivery.spool.queue import SpoolQueue
    from logroute.engine.worker import Worker

__all__ = ["MANY", "URGENT", "WRITTEN", "Barrier", "Decision", "Entry", "Intake"]

#: How long the dispatcher is taken to be there after it last was.
LEASE_S = 0.05
#: How long a caller that outruns a local handler waits for more room than it needs.
BREATH_S = 0.01
#: Most records between the callers and the dispatcher. It is seldom near: the
#: dispatcher never waits, so only callers in a tight loop can outrun it.
MOST_ENTRIES = 65_536
#: A record of this level wakes the dispatcher at once.
URGENT = logging.ERROR
#: So many entries wake it though it lets them pile up for a moment.
MANY = 1000


class Decision:
    """What becomes of records of one logger and level, worked out once.

    Attributes:
        is_never: nobody wants such a record, whatever it says.
        plan: asked per record where content matters or routes have filters, else None.
        targets: the workers that get each record, where content does not matter.
        possible: the workers that may get one.
        brakes: those among them whose full queue makes the caller wait.
        gates: those with filters that must run in the caller's thread.
        writers: those that write in the caller's thread.
        gated: the routes with filters that must run there, too.
        has_caller_part: the caller has more to do than to put it into the intake.
        is_dealt: routes have filters, so that not all targets get the same.
        is_dealt_here: the caller may have to find out who gets what.
        is_sync: one of the workers delivers in the caller's thread.
        is_unmatched: no route wants such a record.
        key: logger, level, and the logger where the record was met; None: it goes to
            the targets, whatever the routes say.
        routing: what it was decided by; another one may be in force by now.
        is_lean: of what stdlib gives a record, only name, level, message and time are read.
    """

    __slots__ = (
        "brakes",
        "gated",
        "gates",
        "has_caller_part",
        "is_dealt",
        "is_dealt_here",
        "is_lean",
        "is_never",
        "is_sync",
        "is_unmatched",
        "key",
        "plan",
        "possible",
        "routing",
        "targets",
        "writers",
    )

    def __init__(
        self,
        targets: "tuple[Worker, ...]",
        possible: "tuple[Worker, ...]",
        plan: Plan | None = None,
        *,
        is_unmatched: bool = False,
        gated: tuple[Route, ...] = (),
        key: tuple[str, int, str | None] | None = None,
        routing: object = None,
    ) -> None:
        """Work out from the workers what the caller has to care for."""
        self.key = key
        self.routing = routing
        self.targets = targets
        self.possible = possible
        self.is_lean = plan is None and all(worker.reads_little for worker in possible)
        self.plan = plan
        self.is_unmatched = is_unmatched
        self.is_never = plan is None and not targets and not is_unmatched
        self.brakes = tuple(w for w in possible if w.queue.overflow == "block" and not w.writes_now)
        self.gates = tuple(w for w in possible if w.gates)
        self.gated = gated
        self.writers = tuple(w for w in possible if w.writes_now)
        self.is_sync = any(w.is_sync for w in possible)
        self.is_dealt = plan is not None and plan.has_filters
        is_audited = plan is not None and plan.may_audit and key is not None
        self.is_dealt_here = is_audited or (self.is_dealt and bool(self.writers))
        self.has_caller_part = bool(self.is_sync or self.writers or gated or is_audited)


#: A record in the intake, its decision, and the workers that need it no more: with the
#: name of the filter that refused it in the caller's thread, or `WRITTEN`. A plain tuple,
#: since each call of the application makes one.
Entry = tuple[logging.LogRecord, Decision, "dict[Worker, str] | None"]

#: Says that the thread that logs has written a record where it is to go.
WRITTEN = ""

#: Called by the dispatcher when all entries before it are handed on.
Barrier = Callable[[], None]


class Intake:
    """Takes records from any thread; one dispatcher empties it."""

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        """Hold at most `most` entries."""
        self.most = most
        self.reset()

    def reset(self) -> None:
        """Start empty, as a forked child must."""
        self.entries: deque[Entry | Barrier] = deque()
        self.bell = Bell()
        self.taken = 0
        self._written = Tally()
        self._look_lock = native.RLock()
        #: Until when (as records have their time) the dispatcher is surely there; beyond,
        #: callers on the express lane look closer.
        self.lease = 0.0
        #: How many entries have room here and in the queues that would make callers wait, as
        #: of the dispatcher's last round; -1: it does not run.
        self.room = -1
        #: Records were refused since the dispatcher last looked.
        self.has_refused = False

    def put(self, entry: Entry, levelno: int) -> None:
        """Append `entry` and wake the dispatcher if it should be awake; never waits."""
        entries = self.entries
        if len(entries) >= self.most:
            done = entry[2] or {}
            for worker in entry[1].possible:
                if done.get(worker) != WRITTEN:
                    worker.queue.refuse(levelno)
            self.has_refused = True
            return
        try:
            entries.append(entry)
        finally:  # a Ctrl-C that arrives here must not leave the dispatcher asleep
            self.ring(levelno)

    def ring(self, levelno: int) -> None:
        """Wake the dispatcher, if it should be awake for a record of this level."""
        state = self.bell.state
        if state != AWAKE and (state != LINGERING or levelno >= URGENT or len(self.entries) > MANY):
            self.bell.ring()

    def renew_lease(self) -> None:
        """Say that the dispatcher is there."""
        self.lease = stamp() + LEASE_S * STAMPS_PER_S

    def came_since_lease(self) -> list[Entry | Barrier]:
        """Return what the express lane has put since the dispatcher was last there."""
        begun = self.lease - LEASE_S * STAMPS_PER_S
        return [
            entry
            for entry in list(self.entries)
            if isinstance(entry, tuple) and entry[0] is None and entry[3] >= begun
        ]

    def note_written(self) -> None:
        """Count a record that needs nobody here: the thread that logs has written it."""
        self._written.add()

    @property
    def written(self) -> int:
        """How many records never came here since they were written where they are to go."""
        with self._look_lock:
            return self._written.value()

    def tell_refused(self) -> None:
        """Have it told that records were refused, though none may come for a while."""
        self.has_refused = True
        self.bell.ring()

    def make_room(self, decision: Decision) -> bool:
        """Let the caller wait as `brake` does; return whether it may append by itself then."""
        if self.room < 0:
            return False
        self.brake(decision)
        return len(self.entries) < self.most

    def brake(self, decision: Decision) -> None:
        """Let the caller wait for a local handler that it outruns, within bounds.

        It waits at most `block_for` and not again until that handler moves, so a
        stuck disk costs the application one pause. A thread that runs an event
        loop waits for no network, since all its tasks would.
        """
        for worker in decision.brakes:
            queue = worker.queue
            if queue.gave_up or not queue.is_full(len(self.entries)):
                continue
            if worker.is_networked and _runs_event_loop():
                continue
            self._wait_for(queue)

    def _wait_for(self, queue: "Queue | SpoolQueue") -> None:
        """Wait until `queue` has room again.

        Where it moves fast, until there is some to spare: a caller that waits for each
        single place would take turns with our threads thousands of times a second.
        """
        begun, spare = time.monotonic(), queue.max_records // 4
        while True:
            waited = time.monotonic() - begun
            if queue.is_full(len(self.entries)):
                if waited >= queue.block_for_s:
                    queue.gave_up = True
                    return
            elif waited >= BREATH_S or not queue.is_full(len(self.entries) + spare):
                return
            self.bell.ring()
            time.sleep(0.0005)

    def put_barrier(self, call: Barrier) -> None:
        """Have `call` called when all that is in the intake now is handed on."""
        self.entries.append(call)
        self.bell.ring()

    def take(self, most: int) -> list[Entry | Barrier]:
        """Return the oldest entries; only the dispatcher calls it."""
        popleft = self.entries.popleft
        return [popleft() for _ in repeat(None, min(len(self.entries), most))]


def _runs_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
