"""The loggers that are compared, one module each; a variant is one way to set one up.

A module has functions that take a `Place` and return a `Log`: the peer, ready to write
the same line to that place as all the others. What a call looks like is the business
of the peer's style, since not all speak as `logging` does. The loops around the calls
are the harness's own, so that they are the same for everybody.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = ["FILE_PEERS", "QUEUED_PEERS", "STYLES", "VARIANTS", "Calls", "Log", "Place", "Variant"]

#: `large`: as good as no bounds, as the peers have none; `block`: the caller of a
#: networked handler waits when its queue is full, so that nothing is dropped.
Queue = Literal["default", "large", "block"]


class Place(NamedTuple):
    """Where lines go, and in which form."""

    kind: str = "file"
    form: str = "plain"
    path: Path = Path()
    port: int = 0
    queue: Queue = "default"

    @property
    def address(self) -> str:
        """Where a server of this machine listens."""
        return f"127.0.0.1:{self.port}"


class Log(NamedTuple):
    """A peer that is set up.

    Attributes:
        log: what `log` is in the calls of its style.
        close: deliver what waits, and end.
        waiting: how many records wait; -1 where the peer does not know.
    """

    log: Any
    close: Callable[[], object]
    waiting: Callable[[], int] = lambda: -1


class Calls(NamedTuple):
    """What a program writes to log: without and with extras, and at a level that is off."""

    plain: str
    extra: str
    disabled: str


_FIELDS = '"request_id": "r-7", "status": 200'
STYLES: Mapping[str, Calls] = {
    "logging": Calls(
        'log.info("user %s did %d", name, n)',
        f'log.info("user %s did %d", name, n, extra={{{_FIELDS}}})',
        'log.debug("user %s did %d", name, n)',
    ),
    "structlog": Calls(
        'log.info("user %s did %d", name, n)',
        'log.info("user %s did %d", name, n, request_id="r-7", status=200)',
        'log.debug("user %s did %d", name, n)',
    ),
    "loguru": Calls(
        'log.info("user {} did {}", name, n)',
        'log.info("user {} did {}", name, n, request_id="r-7", status=200)',
        'log.debug("user {} did {}", name, n)',
    ),
    "logbook": Calls(
        'log.info("user {} did {}", name, n)',
        f'log.info("user {{}} did {{}}", name, n, extra={{{_FIELDS}}})',
        'log.debug("user {} did {}", name, n)',
    ),
}


class Variant(NamedTuple):
    """One way to set up one peer.

    Attributes:
        name: how it is called in results and on the command line.
        words: what it is, for readers.
        module: its module in this room, and the function there.
        packages: what must be installed for it.
        style: how it is called.
        weight: which part of the load it gets; slow peers would take all the time.
    """

    name: str
    words: str
    module: str
    packages: tuple[str, ...] = ()
    style: str = "logging"
    weight: float = 1.0

    def missing(self) -> str:
        """Return which package is not installed, '' if all are."""
        for package in self.packages:
            try:
                importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                return package
        return ""

    def open(self, place: Place) -> Log:
        """Set the peer up."""
        module, _, function = self.module.partition(":")
        opened: Log = getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)(
            place
        )
        return opened

    def prepare(self) -> None:
        """Hide what this variant must not find; before anything else is imported."""
        if self.name == "logroute":  # without the extra `fast`
            sys.modules["orjson"] = None  # type: ignore[assignment]

    @property
    def calls(self) -> Calls:
        """What a program writes."""
        return STYLES[self.style]


_OTEL = "opentelemetry-sdk"
_TABLE = (
    Variant("stdlib", "logging, handler direct", "stdlib:direct"),
    Variant("stdlib-queue", "logging, QueueHandler + queue.Queue", "stdlib:queued"),
    Variant("stdlib-simplequeue", "logging, QueueHandler + SimpleQueue", "stdlib:simply_queued"),
    Variant("stdlib-json", "logging, handler direct, JSON lines", "stdlib:json_lines"),
    Variant("picologging", "picologging, FileHandler", "picolog:direct", ("picologging",)),
    Variant("picologging-queue", "picologging, QueueHandler", "picolog:queued", ("picologging",)),
    Variant("loguru", "loguru", "loguru_:direct", ("loguru",), "loguru", 0.5),
    Variant("loguru-enqueue", "loguru, enqueue", "loguru_:enqueued", ("loguru",), "loguru", 0.2),
    Variant(
        "structlog",
        "structlog, BytesLogger + orjson",
        "structlog_:to_bytes",
        ("structlog", "orjson"),
        "structlog",
    ),
    Variant("logbook", "Logbook, FileHandler", "logbook_:direct", ("logbook",), "logbook"),
    Variant(
        "logbook-threaded",
        "Logbook, ThreadedWrapperHandler",
        "logbook_:threaded",
        ("logbook",),
        "logbook",
    ),
    Variant(
        "logstash-async",
        "python-logstash-async",
        "logstash:over_tcp",
        ("python-logstash-async",),
        weight=0.04,
    ),
    Variant(
        "opentelemetry", "OpenTelemetry SDK, batch processor", "otel:batched", (_OTEL,), weight=0.2
    ),
    Variant("logroute", "logroute", "ours:configured"),
    Variant("logroute-fast", "logroute with the extra `fast`", "ours:configured", ("orjson",)),
    Variant("logroute-syslog", "logroute, `type: syslog`", "ours:syslog"),
    Variant("logroute-single", "logroute, one mail a record", "ours:single_mails", weight=0.1),
)
VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _TABLE}

#: Those that write a file; the baseline is the one with a queue that everybody knows.
FILE_PEERS = (
    "stdlib-queue",
    "stdlib",
    "stdlib-simplequeue",
    "picologging",
    "picologging-queue",
    "loguru",
    "loguru-enqueue",
    "structlog",
    "logbook",
    "logbook-threaded",
    "opentelemetry",
    "logroute",
)
QUEUED_PEERS = tuple(
    name for name in FILE_PEERS if name not in ("picologging", "loguru", "logbook")
)
