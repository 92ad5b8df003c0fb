"""The intake: the one in-memory hand-over from application threads to the dispatcher.

Application threads only append and, where the dispatcher sleeps, ring. They
take no lock, so signal handlers, `__del__` and garbage collection are safe.
"""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from logroute.bell import AWAKE, LINGERING, Bell
from logroute.routing import Plan

if TYPE_CHECKING:
    from logroute.engine.worker import Worker

__all__ = ["Barrier", "Decision", "Entry", "Intake"]

#: Most records between the callers and the dispatcher. It is seldom near: the
#: dispatcher never waits, so only callers in a tight loop can outrun it.
MOST_ENTRIES = 65_536
#: A record of this level wakes the dispatcher at once.
URGENT = logging.ERROR


class Decision:
    """What becomes of records of one logger and level, worked out once.

    Attributes:
        is_never: nobody wants such a record, whatever it says.
        plan: asked per record where content matters, else None.
        targets: the workers that get each record, where content does not matter.
        possible: the workers that may get one.
        brakes: those among them whose full queue makes the caller wait.
        gates: those with filters that must run in the caller's thread.
        is_sync: one of them delivers in the caller's thread.
        is_unmatched: no route wants such a record.
        key: logger, level, and the logger where the record was met; None: it goes to
            the targets, whatever the routes say.
        routing: what it was decided by; another one may be in force by now.
    """

    __slots__ = (
        "brakes",
        "gates",
        "is_never",
        "is_sync",
        "is_unmatched",
        "key",
        "plan",
        "possible",
        "routing",
        "targets",
    )

    def __init__(
        self,
        targets: "tuple[Worker, ...]",
        possible: "tuple[Worker, ...]",
        plan: Plan | None = None,
        *,
        is_unmatched: bool = False,
        key: tuple[str, int, str | None] | None = None,
        routing: object = None,
    ) -> None:
        """Work out from the workers what the caller has to care for."""
        self.key = key
        self.routing = routing
        self.targets = targets
        self.possible = possible
        self.plan = plan
        self.is_unmatched = is_unmatched
        self.is_never = plan is None and not targets and not is_unmatched
        self.brakes = tuple(w for w in possible if w.queue.overflow == "block")
        self.gates = tuple(w for w in possible if w.gates)
        self.is_sync = any(w.is_sync for w in possible)


#: A record in the intake, its decision, and the workers for which a filter refused
#: it in the caller's thread, with the filter's name. A plain tuple, since each
#: call of the application makes one.
Entry = tuple[logging.LogRecord, Decision, "dict[Worker, str] | None"]

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
        #: Records were refused since the dispatcher last looked.
        self.has_refused = False

    def put(self, entry: Entry, levelno: int) -> None:
        """Append `entry` and wake the dispatcher if it should be awake; never waits."""
        entries = self.entries
        if len(entries) >= self.most:
            for worker in entry[1].possible:
                worker.queue.refuse(levelno)
            self.has_refused = True
            return
        try:
            entries.append(entry)
        finally:  # a Ctrl-C that arrives here must not leave the dispatcher asleep
            state = self.bell.state
            if state != AWAKE and (state != LINGERING or levelno >= URGENT or len(entries) > 1000):
                self.bell.ring()

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
            deadline = time.monotonic() + queue.block_for_s
            while queue.is_full(len(self.entries)):
                if time.monotonic() >= deadline:
                    queue.gave_up = True
                    break
                self.bell.ring()
                time.sleep(0.0005)

    def put_barrier(self, call: Barrier) -> None:
        """Have `call` called when all that is in the intake now is handed on."""
        self.entries.append(call)
        self.bell.ring()

    def take(self, most: int) -> list[Entry | Barrier]:
        """Return the oldest entries; only the dispatcher calls it."""
        entries = self.entries
        return [entries.popleft() for _ in range(min(len(entries), most))]


def _runs_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
