"""The loops around the calls: the same text for every peer, compiled with its call."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.lines import LOGGER

__all__ = ["Loops", "percentile"]

_SOURCE = """
def calls(log, name, first, count):
    for n in range(first, first + count):
        {call}

def empty(log, name, first, count):
    for n in range(first, first + count):
        pass

def timed(log, name, first, count, clock, keep):
    for n in range(first, first + count):
        begin = clock()
        {call}
        keep(clock() - begin)

def spaced(log, name, first, count, clock, keep, sleep, pause):
    for n in range(first, first + count):
        sleep(pause)
        begin = clock()
        {call}
        keep(clock() - begin)
"""


class Loops:
    """Loops around one call of one peer; results are nanoseconds."""

    def __init__(self, log: Any, call: str) -> None:
        """Compile the loops around `call`."""
        # loguru takes the name of the module for that of the logger
        room: dict[str, Any] = {"__name__": LOGGER}
        exec(compile(_SOURCE.format(call=call), f"{LOGGER}.py", "exec"), room)
        self._log = log
        self._calls: Callable[..., None] = room["calls"]
        self._empty: Callable[..., None] = room["empty"]
        self._timed: Callable[..., None] = room["timed"]
        self._spaced: Callable[..., None] = room["spaced"]
        self._clock_ns = _cost_of_clock()

    def run(self, user: str, first: int, count: int) -> None:
        """Make the calls."""
        self._calls(self._log, user, first, count)

    def cpu(self, user: str, first: int, count: int) -> float:
        """Return the CPU time of this thread for a call."""
        clock = time.thread_time_ns
        begin = clock()
        self._empty(self._log, user, first, count)
        between = clock()
        self._calls(self._log, user, first, count)
        return (clock() - between - (between - begin)) / count

    def each(self, user: str, first: int, count: int) -> list[float]:
        """Return how long each call took."""
        costs: list[int] = []
        self._timed(self._log, user, first, count, time.perf_counter_ns, costs.append)
        return self._corrected(costs)

    def each_spaced(self, user: str, first: int, count: int, pause_s: float) -> list[float]:
        """Return how long each call took, made after a pause each."""
        costs: list[int] = []
        clock = time.perf_counter_ns
        self._spaced(self._log, user, first, count, clock, costs.append, time.sleep, pause_s)
        return self._corrected(costs)

    def _corrected(self, costs: list[int]) -> list[float]:
        return [max(0.0, cost - self._clock_ns) for cost in costs]


def _cost_of_clock() -> float:
    """Return what looking at the clock twice adds to a time."""
    clock, costs = time.perf_counter_ns, []
    for _ in range(2_000):
        begin = clock()
        costs.append(clock() - begin)
    return percentile(costs, 50)


def percentile(values: list[Any], share: float) -> float:
    """Return the value below which `share` percent of all are."""
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))])
