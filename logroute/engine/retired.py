"""What reloads have replaced: workers that drain yet, and the ledgers of those that ended.

Any thread asks; the threads in which workers end write.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence

from logroute import native
from logroute.engine.notices import Notices
from logroute.engine.retirement import Retirement, add_counts
from logroute.engine.worker import Worker
from logroute.light import Any

__all__ = ["Retired"]

#: Handlers whose ledgers are kept apart; further ones share one, so that a program
#: that makes up names does not grow.
MOST_NAMES = 200
OTHERS = "(others)"


class Retired:
    """The workers of one runtime that reloads have replaced."""

    def __init__(self, notices: Notices, on_end: Callable[[Worker], object]) -> None:
        """Start with none; `on_end` is called with each that has ended."""
        self._notices = notices
        self._on_end = on_end
        self._lock = native.RLock()
        self._retirements: tuple[Retirement, ...] = ()
        self._totals: dict[str, dict[str, Any]] = {}
        #: Those whose threads did not end in time, as a destination does not answer.
        self._late: weakref.WeakSet[Worker] = weakref.WeakSet()

    @property
    def draining(self) -> tuple[Worker, ...]:
        """The workers that have not ended yet."""
        return tuple(worker for each in self._retirements for worker in each.workers)

    def add(
        self,
        workers: Iterable[Worker],
        then: Mapping[str, Sequence[Callable[[], None]]],
        timeout_s: float,
        barrier: Callable[[Callable[[], None]], None],
    ) -> None:
        """Let `workers` drain in the background for at most `timeout_s`.

        Args:
            workers: no record is routed to them any more.
            then: by a worker's name, what to call when it has ended.
            timeout_s: how long they may take.
            barrier: calls back when all that is in the intake is routed.
        """
        workers = tuple(workers)
        if not workers:
            return
        deadline = time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX / 2)
        retirement = Retirement(workers, then, deadline, self._notices, self._enter)
        with self._lock:
            self._retirements = (*self._retirements, retirement)
        retirement.start(barrier)

    def _enter(self, retirement: Retirement, worker: Worker) -> None:
        """Add the ledger of a worker that has ended to those of its name."""
        with self._lock:
            counts = worker.counts()
            known = worker.name in self._totals or len(self._totals) < MOST_NAMES
            add_counts(self._totals.setdefault(worker.name if known else OTHERS, {}), counts)
            if any(part.is_running for part in worker.chain):
                self._late.add(worker)
            retirement.drop(worker)
            self._retirements = tuple(each for each in self._retirements if each.workers)
        self._on_end(worker)

    def finish(self, deadline: float) -> None:
        """End them all at `deadline` (monotonic seconds), if not before."""
        for retirement in self._retirements:
            retirement.hasten(deadline)
        self.wait(deadline + max((worker.grace_s for worker in self.draining), default=0.0))

    def finish_by(self, timeout_s: float) -> bool:
        """Wait until all have ended, at most `timeout_s`; return whether they have."""
        return self.wait(time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX / 2))

    def wait(self, deadline: float) -> bool:
        """Wait until all have ended, at most until `deadline`; return whether they have."""
        waits = [each.wait(deadline - time.monotonic()) for each in self._retirements]
        return all(waits)

    def forget(self) -> None:
        """Own nothing, as a forked child must."""
        self._lock = native.RLock()
        retirements, self._retirements = self._retirements, ()
        self._totals = {}
        for retirement in retirements:
            retirement.forget()
        late, self._late = list(self._late), weakref.WeakSet()
        for worker in late:
            worker.reset_after_fork()

    def counts(self) -> dict[str, Any]:
        """Return the ledgers of all replaced workers, added up by their handlers' names."""
        with self._lock:
            totals: dict[str, Any] = {}
            for name, counts in self._totals.items():
                add_counts(totals.setdefault(name, {}), counts)
            for worker in self.draining:
                add_counts(totals.setdefault(worker.name, {}), worker.counts())
            return totals
