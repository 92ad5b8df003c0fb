"""The end of a runtime: who goes first, and what becomes of what is left.

Handlers with a fallback go before it, so that what they give up reaches it while
it stands. Runs in the thread that shuts down or exits.
"""

import time
from collections.abc import Iterable, Iterator

from logroute.engine.worker import LOCAL_S, Worker
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["close", "drain", "hasten", "longest_chain", "stages"]

#: Share of the time left that the handlers of one stage have, so that their
#: fallbacks have some too.
SHARE = 0.6
#: How long a shutdown whose time is up waits for records to be counted as lost.
COUNTING_S = 2.0


def drain(runtime: "Runtime", deadline: float) -> bool:
    """Settle all until `deadline` (monotonic seconds); return whether all is.

    What a primary has not delivered in its share of the time goes to its fallback.
    """
    workers = tuple(runtime.workers.values())
    hasten((*workers, *runtime.retired.draining))
    runtime.dispatcher.is_hasty = True
    try:
        return _drain(runtime, workers, deadline)
    finally:
        runtime.dispatcher.is_hasty = runtime.is_shut_down
        hasten(workers, False)


def hasten(workers: Iterable[Worker], is_hasty: bool = True) -> None:
    """Let handlers keep no pauses, and give up at once where waiting would be in vain."""
    for worker in workers:
        worker.end_pause(is_hasty)
        if worker.fallback is not None or worker.is_durable or not worker.is_networked:
            worker.hasten(is_hasty)


def _drain(runtime: "Runtime", workers: tuple[Worker, ...], deadline: float) -> bool:
    for stage in stages(workers):
        if stage[0].fallback is None:
            break
        runtime.settle(stage, SHARE * max(0.0, deadline - time.monotonic()))
        for worker in stage:
            if worker.unsettled:
                worker.abandon()
    _tell_losses(runtime)
    is_settled = runtime.flush(max(0.0, deadline - time.monotonic()))
    _tell_losses(runtime)
    if not is_settled:
        _bring_home(runtime, workers)
    return is_settled


def _bring_home(runtime: "Runtime", workers: Iterable[Worker]) -> None:
    """Have routed what is not, and in a spool what has one."""
    until = time.monotonic() + LOCAL_S
    runtime.await_intake(until)
    for worker in workers:
        worker.bring_home(until)


def _tell_losses(runtime: "Runtime") -> None:
    """Have the handlers told of all losses that they were not told of."""
    handover = runtime.dispatcher.handover
    if handover.teller.episodes and runtime.dispatcher.is_running:
        runtime.intake.put_barrier(lambda: handover.tell(is_end=True))


def close(runtime: "Runtime", deadline: float) -> dict[str, int]:
    """End all threads and close what they own; return what was not delivered, by handler."""
    runtime.retired.finish(deadline)
    workers = runtime.workers.values()
    for worker in workers:
        worker.let_go()
    feeders = [worker for worker in workers if worker.feeds_others]
    for worker in reversed(feeders):  # what they hold back goes to handlers that stand yet
        runtime.await_intake(deadline)  # perhaps to one of their own
        worker.stop(deadline)
        if worker.join(deadline - time.monotonic()):
            worker.close_sink(max(0.2, deadline - time.monotonic()))
    if feeders:
        runtime.drain(deadline)
    is_routed = runtime.dispatcher.stop(max(0.1, deadline - time.monotonic()))
    hasten(workers)
    undelivered = {}
    for stage in stages(workers):
        for worker in stage:
            worker.stop(deadline)
        for worker in stage:
            ended = worker.join(deadline + worker.grace_s - time.monotonic())
            left = worker.close_queue("shutdown")
            if left:
                undelivered[worker.name] = left
            if ended:
                worker.close_sink(max(0.2, deadline - time.monotonic()))
    if not is_routed:
        _count_rest(runtime, undelivered)
    return undelivered


def _count_rest(runtime: "Runtime", undelivered: dict[str, int]) -> None:
    """Have the dispatcher count what it has not routed in time: the queues are closed."""
    before = {worker: _dropped_at_the_end(worker) for worker in runtime.workers.values()}
    runtime.dispatcher.stop(COUNTING_S)
    for worker, count in before.items():
        if late := _dropped_at_the_end(worker) - count:
            undelivered[worker.name] = undelivered.get(worker.name, 0) + late


def _dropped_at_the_end(worker: Worker) -> int:
    count: int = worker.counts()["dropped"].get("shutdown", 0)
    return count


def longest_chain(workers: Iterable[Worker]) -> int:
    """Return how often a record may be passed on from fallback to fallback."""
    return max((_depth(worker) for worker in workers), default=0)


def _depth(worker: Worker) -> int:
    depth, at = 0, worker.fallback
    while at is not None:  # `fall_back_to` refuses circles
        depth, at = depth + 1, at.fallback
    return depth


def stages(workers: Iterable[Worker]) -> Iterator[tuple[Worker, ...]]:
    """Yield `workers` in groups, those with the most fallbacks behind them first."""
    by_depth: dict[int, list[Worker]] = {}
    for worker in workers:
        by_depth.setdefault(_depth(worker), []).append(worker)
    for depth in sorted(by_depth, reverse=True):
        yield tuple(by_depth[depth])
