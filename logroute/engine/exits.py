"""How a runtime ends with its process: at exit, and at a signal.

Runs in the main thread, or in the midst of whatever a signal interrupts.
"""

import logging
import os
import threading
import time

from logroute.engine.ending import hasten
from logroute.engine.worker import Worker
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["Exit"]


class Exit:
    """Drains a runtime as its process ends, within the time there is."""

    def __init__(self, runtime: "Runtime") -> None:
        """End `runtime`; nothing is done yet."""
        self._runtime = runtime
        self.reset()

    def reset(self) -> None:
        """Know of no end, as a forked child must."""
        self._deadline = 0.0
        #: Workers that had all the time there was; nobody waits for them again.
        self._given_up: frozenset[Worker] = frozenset()

    def settle(self) -> None:
        """Wait, within the time left, for what came after the drain."""
        runtime = self._runtime
        workers = runtime.workers.values()
        others = tuple(worker for worker in workers if worker not in self._given_up)
        runtime.settle(others, self._time_left())

    def _time_left(self) -> float:
        """Return the seconds until the end of the drain, never quite none."""
        return max(0.1, self._deadline - time.monotonic())

    def drain(self, begun: float | None = None) -> None:
        """Drain as the process ends; records that come still later are synchronous.

        `begun` is when the end began (monotonic seconds), where that is not now.
        """
        runtime = self._runtime
        if runtime.is_shut_down or runtime.is_exiting or runtime.pid != os.getpid():
            return
        begun = time.monotonic() if begun is None else begun
        self._deadline = begun + min(runtime.shutdown_timeout_s, threading.TIMEOUT_MAX / 2)
        settled = self._is_unused() or self._drain_patiently()
        runtime.retired.wait(self._deadline)
        runtime.is_exiting = True
        runtime.lanes.close()
        hasten(runtime.workers.values())  # what comes still later has no time either
        for face in runtime.handlers.values():  # a later dictConfig has struck them off
            if all(reference() is not face for reference in logging._handlerList):  # type: ignore[attr-defined]
                logging._addHandlerRef(face)  # type: ignore[attr-defined]
        if not settled:
            stuck = bool(runtime.intake.entries)
            self._given_up = frozenset(
                worker for worker in runtime.workers.values() if stuck or worker.unsettled
            )
            self._tell_undelivered()

    def _tell_undelivered(self) -> None:
        runtime = self._runtime
        if waiting := len(runtime.intake.entries):
            runtime.notices.say("intake:exit", f"{waiting} records were not routed in time")
        for name, worker in runtime.workers.items():
            if left := worker.save_rest("shutdown"):
                runtime.notices.say(
                    f"{name}:exit", f"handler `{name}` did not deliver {left} records in time"
                )

    def drain_for_signal(self, deadline: float, *, is_last: bool) -> None:
        """Drain before a signal acts, until `deadline`; it may be what ends the process.

        Runs in a signal's handler, in the midst of anything; see `is_entangled`.
        """
        runtime = self._runtime
        if self._is_unused():
            return
        settled = runtime.drain(deadline)
        feeders = [worker for worker in runtime.workers.values() if worker.feeds_others]
        if is_last and feeders:  # what they hold back
            for worker in feeders:
                worker.release(max(0.1, deadline - time.monotonic()))
            settled = runtime.drain(deadline) and settled
        for worker in runtime.workers.values():
            if is_last and worker.is_durable:  # settled is only that it is safe
                worker.release(max(0.1, deadline - time.monotonic()))
        if is_last and not settled:
            self._tell_undelivered()

    def is_entangled(self) -> bool:
        """Return whether the calling thread holds what our threads may need to go on.

        A signal's handler asks, for what it interrupted goes on only after it.
        """
        runtime = self._runtime
        handlers = (*runtime.workers.values(), *runtime.retired.draining)
        workers = [worker for handler in handlers for worker in handler.chain]
        starting = runtime.dispatcher.is_starting or any(worker.is_starting for worker in workers)
        locks: list[Any] = [logging._lock, runtime.dispatcher._step_lock]  # type: ignore[attr-defined]
        for worker in workers:
            locks += [worker._step_lock, *worker.queue.locks]
        return starting or bool(runtime.revivals) or any(lock._is_owned() for lock in locks)

    def _is_unused(self) -> bool:
        """Return whether no record ever came, so that no thread need start to drain."""
        runtime = self._runtime
        intake = runtime.intake
        is_used = intake.taken or intake.entries or intake.written
        return not (is_used or runtime.dispatcher.is_running)

    def _drain_patiently(self) -> bool:
        """Drain; the first Ctrl-C lets that go on, the second ends it."""
        for _ in range(2):
            try:
                return self._runtime.drain(self._deadline)
            except KeyboardInterrupt:
                continue
        self._deadline = time.monotonic()
        return False

    def close(self, worker: Worker) -> None:
        """Have a sink closed, as `logging.shutdown` closes the handlers one by one."""
        runtime = self._runtime
        if runtime.is_exiting and not runtime.is_shut_down:
            try:
                if worker in self._given_up:
                    worker.release(worker.grace_s if worker.is_durable else 0)
                else:
                    if not self._is_unused():
                        runtime.settle((worker,), self._time_left())
                    worker.release(self._time_left())
                worker.write_off()
            except KeyboardInterrupt:  # nothing but the end of the process is left to do
                return
