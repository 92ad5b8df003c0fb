"""What logroute is to reach, beside whom; and whether some results reach it."""

from typing import Any, NamedTuple

from benchmarks.results import LOSSES, ratio

__all__ = ["TARGETS", "Target", "lines_missed"]

Data = dict[str, Any]


class Target(NamedTuple):
    """A bound for a figure, or for its ratio to that of another variant.

    Attributes:
        words: what is bounded, for readers.
        measure: where it is measured.
        figure: its name there.
        against: the other variant; '' for a bound of the figure itself.
        bound: what is to be reached.
        is_floor: it is to be at least that, not at most.
        variant: whose figure it is.
        unit: that of a bound without another variant.
    """

    words: str
    measure: str
    figure: str
    against: str
    bound: float
    is_floor: bool = False
    variant: str = "logroute"
    unit: str = "x"

    def figures(self, measures: Data) -> list[float]:
        """Return the figure of each round; empty if it is not measured."""
        measured = measures.get(self.measure, {"variants": {}})
        if self.against:
            return ratio(measured, self.figure, self.variant, self.against)
        found = measured["variants"].get(self.variant, {}).get("figures", {})
        return [value for value in found.get(self.figure, []) if value is not None]

    def is_reached_by(self, value: float) -> bool:
        """Return whether a figure is good enough."""
        return value >= self.bound if self.is_floor else value <= self.bound

    @property
    def wanted(self) -> str:
        """The bound in words."""
        return f"{'at least' if self.is_floor else 'at most'} {self.bound:g}{self.unit}"


_CPU = "caller CPU with `extra`, tight loop"
_PACED = "one call each 0.3 ms"
_THREADS = "four threads"
_FILE = "lines a second to a file"
_JSON = "JSON lines a second to a file"
_WAITING = "records waiting for a dead web server"

TARGETS = (
    Target(_CPU, "caller-extra", "cpu_us", "stdlib-queue", 0.10),
    Target(_CPU, "caller-extra", "cpu_us", "picologging-queue", 0.3),
    Target(_CPU, "caller-extra", "cpu_us", "structlog", 0.3),
    Target(_CPU, "caller-extra", "cpu_us", "loguru-enqueue", 0.02),
    Target(f"{_PACED}: p50", "caller-paced", "p50_us", "stdlib-queue", 0.10),
    Target(f"{_PACED}: p99.9", "caller-paced", "p99.9_us", "stdlib-queue", 0.35),
    Target(f"{_THREADS}: mean of a call", "caller-threads", "mean_us", "stdlib-queue", 0.08),
    Target(f"{_THREADS}: p99 of a call", "caller-threads", "p99_us", "", 10, unit=" us"),
    Target("a level that no route wants", "caller-off", "cpu_ns", "stdlib", 1.1),
    Target(_FILE, "file-plain", "per_second", "stdlib-queue", 6, True),
    Target(_FILE, "file-plain", "per_second", "stdlib", 3.5, True),
    Target(f"{_FILE}, four threads", "file-plain-threads", "per_second", "stdlib-queue", 10, True),
    Target(_JSON, "file-json", "per_second", "stdlib-queue", 5, True),
    Target(f"{_JSON}, `fast`", "file-json", "per_second", "structlog", 1, True, "logroute-fast"),
    Target("delivered over HTTP", "http", "per_second", "stdlib", 20, True),
    Target("delivered over TCP, `fast`", "tcp", "per_second", "stdlib", 2.5, True, "logroute-fast"),
    Target("start from YAML, whole process", "start", "cpu_ms", "dictConfig", 1.1),
    Target(f"{_WAITING}: bytes each", "memory", "bytes", "", 200, unit=" bytes"),
    Target(f"{_WAITING}: longest call", "memory", "longest_ms", "", 5, unit=" ms"),
    Target(
        "dead destinations: p99.9", "dead", "p99.9_us", "logroute-null", 3, False, "logroute-dead"
    ),
    Target(
        "dead destinations: delay of the file",
        "dead",
        "file_delay_ms",
        "",
        1000,
        False,
        "logroute-dead",
        " ms",
    ),
)


def lines_missed(measures: Data) -> dict[str, float]:
    """Return where lines of logroute were lost, repeated, different or reordered; how many."""
    missed = {}
    for name, measured in measures.items():
        for variant, found in measured["variants"].items():
            if not variant.startswith("logroute"):
                continue
            counts = [found["figures"].get(word, []) for word in LOSSES]
            total = sum(value for values in counts for value in values if value)
            if total:
                missed[f"{name}/{variant}"] = total
    return missed
