"""What is measured: a table of measures; what one run of a variant does is a module each.

A run is a fresh process (`benchmarks.one`). It returns its figures by name, and with
them what became of its lines, as figures named `lost`, `repeated` and so on.
"""

import contextlib
import importlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.lines import READERS, Tally, tally
from benchmarks.peers import FILE_PEERS, QUEUED_PEERS, VARIANTS

__all__ = [
    "MEASURES",
    "Figures",
    "Measure",
    "count_file",
    "figures_of",
    "log_folder",
    "missing_for",
    "size_for",
    "words_of",
]

Figures = dict[str, float]


class Measure(NamedTuple):
    """Something to measure.

    Attributes:
        name: how it is called in results and on the command line.
        title: what it is, for readers.
        run: its module in this room and the function, called with a variant and a size.
        variants: who takes part.
        baseline: to whom the ratios are.
        figures: those that the page shows; the first one is the one for ratios.
        size: how many calls a run makes, times the weight of the variant.
        rounds: how often at most; 0: as often as asked for.
    """

    name: str
    title: str
    run: str
    variants: tuple[str, ...]
    figures: tuple[str, ...]
    size: int
    baseline: str = "stdlib-queue"
    rounds: int = 0

    def measure(self, variant: str, size: int) -> Figures:
        """Run it once, here."""
        module, _, function = self.run.partition(":")
        found = getattr(importlib.import_module(f"benchmarks.measures.{module}"), function)
        figures: Figures = found(variant, size)
        return figures


_JSON_PEERS = (*FILE_PEERS, "logroute-fast")
_THREADED_PEERS = (
    "stdlib-queue",
    "stdlib",
    "loguru-enqueue",
    "structlog",
    "logroute",
    "logroute-fast",
)
_OFF_PEERS = ("stdlib", "picologging", "loguru", "structlog", "logbook", "logroute")
_CALLER = ("cpu_us", "p50_us", "p99_us", "p99.9_us")
_DRAIN = ("per_second", "cpu_us")

_TABLE = (
    Measure(
        "caller-extra",
        "a call with `extra`, tight loop",
        "caller:extra",
        (*FILE_PEERS, "logstash-async"),
        _CALLER,
        3_000,
    ),
    Measure(
        "caller-plain",
        "a call without `extra`, tight loop",
        "caller:plain",
        QUEUED_PEERS,
        _CALLER,
        3_000,
    ),
    Measure(
        "caller-paced",
        "a call with `extra` each 0.3 ms",
        "caller:paced",
        FILE_PEERS,
        ("p50_us", "p99.9_us"),
        3_000,
    ),
    Measure(
        "caller-threads",
        "a call with `extra`, four threads at once",
        "caller:threads",
        FILE_PEERS,
        ("mean_us", "p99_us"),
        40_000,
    ),
    Measure(
        "caller-off",
        "a call at a level that is off; logroute: that no route wants",
        "caller:off",
        _OFF_PEERS,
        ("cpu_ns",),
        100_000,
        "stdlib",
    ),
    Measure("file-plain", "plain lines to a file", "drain:plain", FILE_PEERS, _DRAIN, 50_000),
    Measure(
        "file-plain-threads",
        "plain lines to a file, four threads",
        "drain:plain_threads",
        FILE_PEERS,
        _DRAIN,
        50_000,
    ),
    Measure("file-json", "JSON lines to a file", "drain:json", _JSON_PEERS, _DRAIN, 50_000),
    Measure(
        "file-json-threads",
        "JSON lines to a file, four threads",
        "drain:json_threads",
        _THREADED_PEERS,
        _DRAIN,
        50_000,
    ),
    Measure(
        "tcp",
        "delivered over TCP",
        "network:tcp",
        ("stdlib", "stdlib-json", "logstash-async", "logroute", "logroute-fast"),
        _DRAIN,
        30_000,
        "stdlib",
    ),
    Measure(
        "udp",
        "delivered over UDP",
        "network:udp",
        ("stdlib", "logroute", "logroute-fast", "logroute-syslog"),
        _DRAIN,
        20_000,
        "stdlib",
    ),
    Measure(
        "http",
        "delivered over HTTP",
        "network:http",
        ("stdlib", "logroute", "logroute-fast"),
        _DRAIN,
        30_000,
        "stdlib",
    ),
    Measure(
        "smtp",
        "delivered by mail",
        "network:smtp",
        ("stdlib", "logroute", "logroute-single"),
        _DRAIN,
        5_000,
        "stdlib",
    ),
    Measure(
        "stalled",
        "a file beside a mail server and a web server that take 1 s",
        "stalled:beside_a_file",
        ("stdlib-queue", "loguru-enqueue", "logroute"),
        ("p50_us", "p99.9_us", "file_delay_ms"),
        1_000,
        rounds=3,
    ),
    Measure(
        "dead",
        "20 000 records a second, all networked destinations dead",
        "stalled:dead_or_null",
        ("logroute-null", "logroute-dead"),
        ("p50_us", "p99.9_us", "file_delay_ms"),
        40_000,
        "logroute-null",
        rounds=3,
    ),
    Measure(
        "memory",
        "records waiting for a dead web server",
        "memory:waiting",
        ("stdlib-queue", "stdlib-simplequeue", "logroute", "logroute-fast"),
        ("bytes", "longest_ms", "collection_ms", "waiting"),
        200_000,
        rounds=3,
    ),
    Measure(
        "start",
        "start of a program, whole process",
        "start:whole_process",
        (
            "bare",
            "dictConfig",
            "logroute",
            "logroute-dictConfig",
            "loguru",
            "structlog",
            "logbook",
            "picologging",
            "logstash-async",
            "opentelemetry",
        ),
        ("cpu_ms",),
        2,
        "dictConfig",
    ),
)
MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _TABLE}

#: What takes part beside the variants of peers, in words.
_OTHERS = {
    "bare": "python -c pass",
    "dictConfig": "yaml.CSafeLoader + dictConfig",
    "logroute-dictConfig": "logroute, the same dictConfig file",
    "logroute-null": "logroute, a null handler",
    "logroute-dead": "logroute, a file and five dead destinations",
}


def words_of(name: str) -> str:
    """Return what a variant is, for readers."""
    return VARIANTS[name].words if name in VARIANTS else _OTHERS[name]


def missing_for(name: str) -> str:
    """Return which package a variant misses, '' for none."""
    return VARIANTS[name].missing() if name in VARIANTS else ""


def size_for(measure: Measure, name: str, share: float) -> int:
    """Return how many calls a variant makes."""
    weight = VARIANTS[name].weight if name in VARIANTS else 1.0
    return max(1, round(measure.size * weight * share))


@contextlib.contextmanager
def log_folder() -> Iterator[Path]:
    """Yield a folder in memory where there is one, so that no disk is measured."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def count_file(path: Path, form: str, expected: Mapping[str, int]) -> Tally:
    """Count the lines of a file."""
    with path.open("rb") as source:
        return tally((line.rstrip(b"\n") for line in source), expected, READERS[form])


def figures_of(result: Tally) -> Figures:
    """Return a tally as figures."""
    return dict(result._asdict())
