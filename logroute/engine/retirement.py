"""Retirement: workers that a reload has replaced drain, and end.

Each ends in a short-lived thread of its own, so that a destination that hangs
keeps nobody else. The application logs on meanwhile, and the worker that takes
over the same file or address begins when the old one has ended.
"""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from logroute import native
from logroute.bell import Latch
from logroute.engine.notices import Notices
from logroute.engine.worker import GRACE_S, LOCAL_S, Worker
from logroute.light import Any

__all__ = ["Retirement", "add_counts", "end_worker"]


class Retirement:
    """The end of some workers.

    Attributes:
        workers: those that still drain.
    """

    def __init__(
        self,
        workers: Iterable[Worker],
        then: Mapping[str, Sequence[Callable[[], None]]],
        deadline: float,
        notices: Notices,
        on_end: Callable[["Retirement", Worker], None],
    ) -> None:
        """Let `workers` drain until `deadline` (monotonic seconds).

        Args:
            workers: no record is routed to them any more.
            then: by a worker's name, what to call when it has ended.
            deadline: when they end, drained or not.
            notices: the internal lane.
            on_end: called with each worker that has ended, in its thread; must `drop` it.
        """
        self.workers = tuple(workers)
        self._then = then
        self._deadline = deadline
        self._notices = notices
        self._on_end = on_end
        self._left = itertools.count(len(self.workers) - 1, -1)
        self._done = Latch()

    def start(self, barrier: Callable[[Callable[[], None]], None]) -> None:
        """Begin; `barrier` calls back when all that is in the intake is routed."""
        if not self.workers:
            self._done.open()
            return
        _in_thread(lambda: self._run(barrier))

    def hasten(self, deadline: float) -> None:
        """End them at `deadline`, if that is earlier."""
        self._deadline = min(self._deadline, deadline)
        for worker in self.workers:
            worker.stop(self._deadline)

    def wait(self, timeout_s: float) -> bool:
        """Wait until all have ended; return whether they have."""
        return self._done.wait(timeout_s)

    def drop(self, worker: Worker) -> None:
        """Count `worker` no more among those that drain."""
        self.workers = tuple(other for other in self.workers if other is not worker)

    def forget(self) -> None:
        """Close in a forked child what the parent's workers go on using."""
        for worker in self.workers:
            worker.reset_after_fork()
        self.workers = ()
        self._done.open()

    def _run(self, barrier: Callable[[Callable[[], None]], None]) -> None:
        workers = self.workers
        first = [w for w in workers if w.feeds_others or w.fallback in workers]
        others = [worker for worker in workers if worker not in first]
        for worker in reversed(first):  # what they hold back goes to handlers that stand yet
            self._end(worker)
            handed_on = Latch()
            barrier(handed_on.open)
            handed_on.wait(self._deadline - time.monotonic())
        for worker in others[1:]:
            _in_thread(functools.partial(self._end, worker))
        for worker in others[:1]:
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        try:
            left = end_worker(worker, lambda: self._deadline)
            if left:
                self._notices.say(
                    f"{worker.name}:reload",
                    f"handler `{worker.name}`, which a reload replaced, did not deliver "
                    f"{left} records in time",
                )
        finally:
            worker.is_retired = True
            for call in self._then.get(worker.name, ()):
                call()
            self._on_end(self, worker)
            if next(self._left) == 0:
                self._done.open()


def _in_thread(work: Callable[[], None]) -> None:
    try:
        native.start_thread(work)
    except RuntimeError:  # no thread can start any more
        work()


def end_worker(worker: Worker, deadline: Callable[[], float]) -> int:
    """Let a worker drain and end; return how many records it leaves undelivered.

    Args:
        worker: nobody puts to its queue any more.
        deadline: says when to give up (monotonic seconds); that may become earlier.
    """
    held = worker.chain[-1].held  # with a spool only the rear waits
    if held is not None:  # two reloads in a row; those before it end first
        held.wait(deadline() - time.monotonic())
        worker.let_go()
    if worker.queue.waiting and not worker.is_running:
        if worker.is_sync:
            worker.drain()
        else:
            worker.wake()
    worker.bring_home(deadline() + LOCAL_S)
    worker.stop(deadline())
    ended = worker.join(deadline() + worker.grace_s - time.monotonic())
    left = worker.close_queue("shutdown", to_fallback=True)
    if ended:
        worker.close_sink(max(GRACE_S, deadline() - time.monotonic()))
    return left


def add_counts(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    """Add the numbers of a ledger to another one, reason by reason."""
    for key, value in counts.items():
        if isinstance(value, Mapping):
            add_counts(total.setdefault(key, {}), value)
        elif isinstance(value, int) and not isinstance(value, bool):
            total[key] = total.get(key, 0) + value
