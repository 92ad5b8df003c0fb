"""Waiting until records are settled: delivered, or counted as lost.

Runs in whichever thread asks, which may be a signal's handler.
"""

import os
import time

from logroute import native
from logroute.bell import Countdown
from logroute.engine.ending import longest_chain
from logroute.engine.worker import Worker
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["pass_on", "settle", "settle_all"]


def settle_all(runtime: "Runtime", deadline: float) -> bool:
    """Wait until all that was accepted is settled, or until `deadline`; return whether it is.

    What a handler that a reload has replaced left on disk is followed to who has it now.
    """
    workers = (*runtime.workers.values(), *runtime.retired.draining)
    while _settle_along(runtime, workers, deadline):
        ours = list(runtime.workers.values())
        left = [each for each in workers if each not in ours and each.has_left_records]
        if not left:
            return True
        workers = tuple(heir for former in left for heir in pass_on(runtime, former))
        if len(workers) < len(left):  # it stays on disk
            break
    return False


def _settle_along(runtime: "Runtime", workers: tuple[Worker, ...], deadline: float) -> bool:
    """Settle what these workers have, and what is passed on meanwhile."""
    handover = runtime.dispatcher.handover
    for _ in range(1 + longest_chain(workers)):  # what is passed on is settled later
        before = handover.passed_on
        if not runtime.settle(workers, max(0.0, deadline - time.monotonic())):
            return False
        if handover.passed_on == before:
            break
    return True


def pass_on(runtime: "Runtime", former: Worker) -> list[Worker]:
    """Let a worker find what a replaced one has left on disk; return it, or nothing."""
    heirs = [worker for worker in runtime.workers.values() if worker.inherits(former)]
    for heir in heirs:
        heir.look_again()
    return heirs


def settle(runtime: "Runtime", workers: tuple[Worker, ...], timeout_s: float) -> bool:
    """Wait until what these workers have or will get of the intake is settled."""
    if native.get_ident() in runtime.own_threads:
        return False  # a sink that flushes would wait for itself
    if runtime.pid != os.getpid():
        runtime.revive()
    done = Countdown(len(workers) + 1)

    def dispatched() -> None:
        for worker in workers:
            worker.when_settled(done.tick)
            worker.hurry()
        done.tick()

    runtime.intake.put_barrier(dispatched)
    if not runtime.dispatcher.is_running:
        runtime.start()
    try:
        is_settled = done.wait(timeout_s)
    finally:
        for worker in workers:
            worker.forget(done.tick)
    return is_settled
