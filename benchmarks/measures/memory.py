"""What 200 000 records cost that wait for a web server which takes them and never answers."""

import gc
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measures import Figures
from benchmarks.measures.loops import Loops
from benchmarks.peers import VARIANTS, Place

__all__ = ["waiting"]

#: 50 000 records a second: a caller in a tight loop would measure how fast they are taken.
_BURST, _TICK_S = 50, 0.001
_WARM_UP = 2_000
_LOOKS = 5


class _Collections:
    """Notes how long the longest garbage collection took."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._begin = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: Any) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._begin = now
        else:
            self.longest_s = max(self.longest_s, now - self._begin)


def waiting(name: str, size: int) -> Figures:
    """Log `size` records; return what each takes of memory, and the longest call."""
    variant = VARIANTS[name]
    with socket.create_server(("127.0.0.1", 0), backlog=100) as mute:
        port = mute.getsockname()[1]
        opened = variant.open(Place("http", "json", port=port, queue="large"))
        loops = Loops(opened.log, variant.calls.extra)
        loops.run("ann", 0, _WARM_UP)
        before = _settled(opened.waiting)
        memory, seen = _resident(), _Collections()
        longest_ns, long_ones = _log_steadily(loops, size)
        held = _settled(opened.waiting) - before
        grown = _resident() - memory
    return {
        "bytes": grown / max(held, 1),
        "waiting": held,
        "longest_ms": longest_ns / 1e6,
        "over_5_ms": long_ones,
        "collection_ms": seen.longest_s * 1000,
        "expected": size,
        "lost": max(0, size - held),
    }


def _log_steadily(loops: Loops, size: int) -> tuple[float, int]:
    """Return the longest call in ns, and how many took over 5 ms; keep no memory for it."""
    longest, long_ones, begin = 0.0, 0, time.perf_counter()
    for first in range(0, size, _BURST):
        left = begin + first / _BURST * _TICK_S - time.perf_counter()
        if left > 0:
            time.sleep(left)
        costs = loops.each("ann", _WARM_UP + first, _BURST)
        longest = max(longest, *costs)
        long_ones += sum(cost > 5e6 for cost in costs)
    return longest, long_ones


def _settled(count: Callable[[], int]) -> int:
    """Return how many wait, when it has not changed for a second."""
    last, same, deadline = count(), 0, time.monotonic() + 20
    while same < _LOOKS and time.monotonic() < deadline:
        time.sleep(1 / _LOOKS)
        now = count()
        same = same + 1 if now == last else 0
        last = now
    return last


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
