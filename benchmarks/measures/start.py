"""What the start of a program costs: whole processes, in CPU time.

The programs read a YAML file of 100 lines with six handlers (`benchmarks.start_up`);
those of peers, which have no such file, import the peer and make one handler.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks import start_up
from benchmarks.measures import Figures

__all__ = ["whole_process"]

_OTEL = "opentelemetry.sdk._logs"
_PEERS = {
    "bare": "pass",
    "loguru": "from loguru import logger; logger.add({path!r})",
    "structlog": "import structlog, orjson; structlog.get_logger()",
    "logbook": "import logbook; logbook.FileHandler({path!r}).push_application()",
    "picologging": "import picologging as p; p.getLogger().addHandler(p.FileHandler({path!r}))",
    "logstash-async": "from logstash_async.handler import AsynchronousLogstashHandler as H; "
    "H('127.0.0.1', 9, None)",
    "opentelemetry": f"from {_OTEL} import LoggerProvider, LoggingHandler; "
    f"from {_OTEL}.export import BatchLogRecordProcessor; LoggerProvider()",
}


def _code(name: str, folder: Path) -> str:
    ours, stdlib = start_up.same_file(folder), start_up.stdlib_file(folder)
    if name == "dictConfig":
        return (
            "import logging.config, yaml\n"
            f"logging.config.dictConfig(yaml.load(open({str(stdlib)!r}), yaml.CSafeLoader))"
        )
    if name.startswith("logroute"):
        file = ours if name == "logroute" else stdlib
        return f"import logroute; logroute.configure({str(file)!r})"
    return _PEERS[name].format(path=str(folder / "peer.log"))


def whole_process(name: str, size: int) -> Figures:
    """Start a program `size` times, and once before unmeasured."""
    with tempfile.TemporaryDirectory() as folder:
        code = _code(name, Path(folder))
        times = [start_up.cpu_ms(code) for _ in range(size + 1)][1:]
    return {"cpu_ms": statistics.median(times), "cpu_min_ms": min(times)}
