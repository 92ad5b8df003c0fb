"""What a call costs the thread that makes it.

Each burst begins when what the last one logged has arrived, so that what is measured
is the hand-over and not how far a queue has grown; within a burst the peer's own
thread works beside the caller, as it does in life.
"""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.counting import Server
from benchmarks.measures import Figures, count_file, figures_of, log_folder
from benchmarks.measures.loops import Loops, percentile
from benchmarks.peers import VARIANTS, Log, Place, Variant

__all__ = ["extra", "off", "paced", "plain", "threads"]

_WARM_UP = 500
_BURSTS = 5
_PAUSE_S = 0.0003
_USERS = ("ann", "bob", "cid", "dee")


class _Run:
    """A variant that is set up, the calls made so far and the lines to wait for."""

    def __init__(self, variant: Variant, path: Path, server: Server | None) -> None:
        self._path = path
        self._server = server
        place = Place("file", "plain", path, queue="large")
        if server is not None:
            place = Place("tcp", "json", path, server.port, queue="large")
        self.opened: Log = variant.open(place)
        self.made = dict.fromkeys(_USERS, 0)
        self._patience_s = 2.0
        self._offset = self._lines = 0

    def next(self, user: str, count: int) -> int:
        """Return the first number of the next `count` calls of a user."""
        first = self.made[user]
        self.made[user] += count
        return first

    def settle(self) -> None:
        """Wait until all lines are there, or none come any more: a peer that loses some."""
        if self._server is not None:
            time.sleep(0.1)
            return
        wanted, moved = sum(self.made.values()), time.monotonic()
        while self._count_lines() < wanted:
            lines = self._lines
            time.sleep(0.005)
            if self._count_lines() > lines:
                moved = time.monotonic()
            elif time.monotonic() - moved > self._patience_s:
                self._patience_s = 0.1
                return

    def _count_lines(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as source:
                source.seek(self._offset)
                data = source.read()
            self._offset += len(data)
            self._lines += data.count(b"\n")
        return self._lines

    def end(self) -> Figures:
        """Close, and return what became of the lines."""
        self.opened.close()
        if self._server is not None:
            return figures_of(self._server.finish(self.made, "json").tally)
        return figures_of(count_file(self._path, "plain", self.made))


@contextlib.contextmanager
def _set_up(variant: Variant) -> Iterator[_Run]:
    with log_folder() as folder, contextlib.ExitStack() as stack:
        server = None
        if variant.module.endswith("over_tcp"):
            server = stack.enter_context(Server("tcp"))
        yield _Run(variant, folder / "out.log", server)


def extra(name: str, size: int) -> Figures:
    """Make bursts of calls with `extra`."""
    return _tight(VARIANTS[name], VARIANTS[name].calls.extra, size)


def plain(name: str, size: int) -> Figures:
    """Make bursts of calls without."""
    return _tight(VARIANTS[name], VARIANTS[name].calls.plain, size)


def _tight(variant: Variant, call: str, size: int) -> Figures:
    with _set_up(variant) as run:
        loops = Loops(run.opened.log, call)
        loops.run("ann", run.next("ann", _WARM_UP), _WARM_UP)
        cpu, times = [], []
        for _ in range(_BURSTS):
            run.settle()
            cpu.append(loops.cpu("ann", run.next("ann", size), size))
            run.settle()
            times += loops.each("ann", run.next("ann", size), size)
        cost = {"cpu_us": statistics.median(cpu) / 1000, "cpu_min_us": min(cpu) / 1000}
        return cost | _spread(times) | run.end()


def paced(name: str, size: int) -> Figures:
    """Make one call each 0.3 ms."""
    variant = VARIANTS[name]
    with _set_up(variant) as run:
        loops = Loops(run.opened.log, variant.calls.extra)
        loops.run("ann", run.next("ann", _WARM_UP), _WARM_UP)
        run.settle()
        begin = time.process_time()
        times = loops.each_spaced("ann", run.next("ann", size), size, _PAUSE_S)
        used = time.process_time() - begin
        return {"process_us": used * 1e6 / size} | _spread(times) | run.end()


def threads(name: str, size: int) -> Figures:
    """Make calls from four threads at the same time."""
    variant = VARIANTS[name]
    with _set_up(variant) as run:
        loops = Loops(run.opened.log, variant.calls.extra)
        loops.run("ann", run.next("ann", _WARM_UP), _WARM_UP)
        times: list[float] = []
        for _ in range(2):
            run.settle()
            times += _burst_of_threads(run, loops, size // len(_USERS) // 2)
        return {"mean_us": statistics.mean(times) / 1000} | _spread(times) | run.end()


def _burst_of_threads(run: _Run, loops: Loops, count: int) -> list[float]:
    start, times = threading.Barrier(len(_USERS)), {}

    def work(user: str, first: int) -> None:
        start.wait()
        times[user] = loops.each(user, first, count)

    workers = [threading.Thread(target=work, args=(user, run.next(user, count))) for user in _USERS]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [cost for costs in times.values() for cost in costs]


def off(name: str, size: int) -> Figures:
    """Make calls at a level that is off."""
    variant = VARIANTS[name]
    with _set_up(variant) as run:
        loops = Loops(run.opened.log, variant.calls.extra)
        loops.run("ann", run.next("ann", _WARM_UP), _WARM_UP)
        run.settle()
        silent = Loops(run.opened.log, variant.calls.disabled)
        silent.run("bob", 0, 1000)
        bursts = [silent.cpu("bob", 0, size // 10) for _ in range(10)]
        return {"cpu_ns": statistics.median(bursts), "cpu_min_ns": min(bursts)} | run.end()


def _spread(times: list[float]) -> Figures:
    shares = {"p50_us": 50, "p99_us": 99, "p99.9_us": 99.9, "max_us": 100}
    return {name: percentile(times, share) / 1000 for name, share in shares.items()}
