"""One ledger for a handler with a spool: its queue in memory and what lies on disk."""

from logging import ERROR

from logroute.delivery.queue import Queue
from logroute.light import Any

__all__ = ["is_urgent", "joined"]


def is_urgent(levelno: int) -> bool:
    """Return whether a record should not wait for a batch to fill."""
    return levelno >= ERROR


def joined(memory: Queue, spool: Any) -> dict[str, Any]:
    """Return one ledger for a queue in memory and the spool that it is emptied into.

    What the first has delivered is what was spooled from it; it counts once. What
    threads that log have spooled never was in memory. Both are read at one moment;
    while a disk stalls, the spool is as it was seen last, and what it got since then
    counts as in flight: the numbers add up.
    """
    first, second, passed_on = spool.counts_beside(memory.counts)
    # On its way: on disk already, and not yet settled in memory.
    transit = passed_on - first["delivered"]
    if transit > first["in_flight"]:  # given up amid a write that took too long, and done it is
        _bring_back(first, transit - first["in_flight"])
        transit = first["in_flight"]
    both: dict[str, Any] = dict(second)
    both["enqueued"] += first["enqueued"] - passed_on
    both["queued"] += first["queued"]
    both["in_flight"] += first["in_flight"] - transit
    for key in ("dropped", "filtered"):
        both[key] = _sum(first[key], second[key])
    both["dropped_by_level"] = {
        reason: _sum(
            first["dropped_by_level"].get(reason, {}), second["dropped_by_level"].get(reason, {})
        )
        for reason in both["dropped"]
    }
    return both


def _bring_back(counts: dict[str, Any], count: int) -> None:
    """Count so many of the last dropped records as delivered."""
    counts["delivered"] += count
    for reason in ("shutdown", "undelivered"):
        levels = counts["dropped_by_level"].get(reason, {})
        for level in list(levels):
            back = min(count, levels[level])
            levels[level] -= back
            counts["dropped"][reason] -= back
            count -= back


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    sums = {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
    return {key: count for key, count in sums.items() if count}
