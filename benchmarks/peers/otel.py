"""The OpenTelemetry SDK: its logging handler, batch processor and console exporter."""

import datetime as dt
import json
import logging
import time
import warnings
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter

from benchmarks.lines import LOGGER
from benchmarks.peers import Log, Place


def _plain(data: Any) -> str:
    record, seconds = data.log_record, data.log_record.timestamp / 1e9
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    name = data.instrumentation_scope.name
    return f"{stamp},{int(seconds % 1 * 1000):03d} {record.severity_text} {name} {record.body}\n"


def _json_line(data: Any) -> str:
    record = data.log_record
    fields = {
        "timestamp": dt.datetime.fromtimestamp(record.timestamp / 1e9, dt.UTC).isoformat(),
        "level": record.severity_text,
        "logger": data.instrumentation_scope.name,
        "message": record.body,
    }
    extras = {k: v for k, v in record.attributes.items() if not k.startswith("code.")}
    return json.dumps(fields | extras) + "\n"


def batched(place: Place) -> Log:
    """As the manual shows it, with the line of the others; the queue holds 2048 records."""
    warnings.simplefilter("ignore")  # the handler is to move to another package
    target = place.path.open("a", encoding="utf-8")
    provider = LoggerProvider()
    layout = _json_line if place.form == "json" else _plain
    provider.add_log_record_processor(
        BatchLogRecordProcessor(ConsoleLogRecordExporter(out=target, formatter=layout))
    )
    root = logging.getLogger()
    root.addHandler(LoggingHandler(logger_provider=provider))
    root.setLevel(logging.INFO)

    def close() -> None:
        provider.shutdown()
        target.close()

    return Log(logging.getLogger(LOGGER), close)
