"""The `ecs` formatter: JSON lines in the names of the Elastic Common Schema.

Runs in whichever thread formats. Source of the names: the ECS field reference
and the ECS logging specification of Elastic. `extra` goes to `labels`; one
whose name has a dot (`trace.id`, `event.dataset`) is taken for an ECS name and
written as it is.
"""

import logging
from typing import Any

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.json import (
    JsonText,
    UtcClock,
    encodable,
    extra_fields,
    free_name,
    text_of,
    trace_of,
)
from logroute.records import message_of

__all__ = ["ECS_VERSION", "EcsFormatter", "EcsSpec"]

ECS_VERSION = "8.11.0"

_OURS = ("@timestamp", "message", "ecs", "log", "error", "process", "labels")


class EcsSpec(FormatterSpec):
    """Format a record as one JSON object in the Elastic Common Schema."""

    def formatter(self) -> logging.Formatter:
        """Return the live formatter."""
        return EcsFormatter()


class EcsFormatter(logging.Formatter):
    """Formats a record for Elasticsearch; never raises and never changes the record."""

    def __init__(self) -> None:
        """Prepare the clock and the writer of values."""
        super().__init__()
        self._clock = UtcClock()
        self._json = JsonText()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object without line breaks."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        values = record.__dict__
        entry: dict[str, Any] = {
            "@timestamp": self._time(record),
            "log.level": text_of(record.levelname).lower(),
            "message": message_of(record),
            "ecs.version": ECS_VERSION,
            "log.logger": record.name,
            "log.origin.file.name": values.get("filename"),
            "log.origin.file.line": values.get("lineno"),
            "log.origin.function": values.get("funcName"),
            "process.pid": values.get("process"),
            "process.thread.name": values.get("threadName"),
        }
        entry.update(_error(record))
        labels: dict[str, Any] = {}
        for name, value in extra_fields(record):
            if "." in name and name.split(".", 1)[0] not in _OURS:
                entry[name] = value
            else:
                label = name.replace(".", "_").replace("*", "_")
                labels[free_name(label, labels)] = self._label(value)
        if labels:
            entry["labels"] = labels
        pairs = [f"{self._json.quote(name)}:{self._json(value)}" for name, value in entry.items()]
        return encodable(f"{{{','.join(pairs)}}}")

    def _time(self, record: logging.LogRecord) -> str | None:
        try:
            return self._clock(record.created)
        except Exception:
            return None

    def _label(self, value: object) -> object:
        """Return a scalar: labels hold no objects."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        text = self._json(value)
        return text_of(value) if text[:1] == '"' else text


def _error(record: logging.LogRecord) -> dict[str, Any]:
    trace = trace_of(record)
    found: dict[str, Any] = {}
    if trace:
        info = record.exc_info
        if isinstance(info, tuple) and isinstance(info[0], type):
            found["error.type"] = info[0].__name__
            found["error.message"] = text_of(info[1])
        found["error.stack_trace"] = trace
    if record.stack_info:
        found.setdefault("error.stack_trace", text_of(record.stack_info))
    return found
