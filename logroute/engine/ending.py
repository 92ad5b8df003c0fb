"""The end of a runtime: who goes first, and what becomes of what is left.

Handlers with a fallback go before it, so that what they give up reaches it while
it stands. Runs in the thread that shuts down or exits.
"""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from logroute.engine.worker import Worker

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["drain", "hasten", "longest_chain", "stages"]

#: Share of the time left that the handlers of one stage have, so that their
#: fallbacks have some too.
SHARE = 0.6


def drain(runtime: "Runtime", deadline: float) -> bool:
    """Settle all until `deadline` (monotonic seconds); return whether all is.

    What a primary has not delivered in its share of the time goes to its fallback.
    """
    workers = tuple(runtime.workers.values())
    hasten(workers)
    try:
        return _drain(runtime, workers, deadline)
    finally:
        hasten(workers, False)


def hasten(workers: Iterable[Worker], is_hasty: bool = True) -> None:
    """Let handlers keep no pauses, and give up at once where waiting would be in vain."""
    for worker in workers:
        worker.end_pause(is_hasty)
        if worker.fallback is not None or not worker.is_networked:
            worker.hasten(is_hasty)


def _drain(runtime: "Runtime", workers: tuple[Worker, ...], deadline: float) -> bool:
    for stage in stages(workers):
        if stage[0].fallback is None:
            break
        runtime.settle(stage, SHARE * max(0.0, deadline - time.monotonic()))
        for worker in stage:
            if worker.queue.unsettled:
                worker.abandon()
    _tell_losses(runtime)
    is_settled = runtime.flush(max(0.0, deadline - time.monotonic()))
    _tell_losses(runtime)
    return is_settled


def _tell_losses(runtime: "Runtime") -> None:
    """Have the handlers told of all losses that they were not told of."""
    within = runtime.dispatcher.within
    if within.teller.episodes and runtime.dispatcher.is_running:
        runtime.intake.put_barrier(lambda: within.tell(is_end=True))


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
