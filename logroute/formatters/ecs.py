"""The `ecs` formatter: JSON lines in the names of the Elastic Common Schema.

Runs in whichever thread formats. Source of the names: the ECS field reference
and the ECS logging specification of Elastic. `extra` goes to `labels`; one
whose name has a dot (`trace.id`, `event.dataset`) is taken for an ECS name and
written as it is.
"""

import logging

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.compiled import Memo, Shapes
from logroute.formatters.json import (
    JsonText,
    UtcClock,
    encodable,
    extra_keys,
    free_name,
    text_of,
    trace_of,
)
from logroute.light import Any
from logroute.records import message_of

__all__ = ["ECS_VERSION", "EcsFormatter", "EcsSpec"]

ECS_VERSION = "8.11.0"

_OURS = ("@timestamp", "message", "ecs", "log", "error", "process", "labels")
_ORIGIN = (
    ("log.origin.file.name", "filename"),
    ("log.origin.file.line", "lineno"),
    ("log.origin.function", "funcName"),
    ("process.pid", "process"),
    ("process.thread.name", "threadName"),
)


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
        quote = self._json.quote
        self._levels = Memo(lambda level: f'"log.level":{quote(text_of(level).lower())}')
        self._keys = Shapes(self._find_keys)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object without line breaks."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        values, json, keys = record.__dict__, self._json, self._json.keys
        parts = [
            f'{{"@timestamp":{self._time(record)},{self._levels.of(record.levelname)}',
            f'"message":{json(message_of(record))},"ecs.version":"{ECS_VERSION}"',
            f'"log.logger":{json(record.name)}',
        ]
        parts += [f"{keys[key]}{json(values.get(name))}" for key, name in _ORIGIN]
        parts += [f"{keys[key]}{json(value)}" for key, value in _error(record).items()]
        own, labels = self._keys(record)
        parts += [f"{key}{json(values[name])}" for name, key in own]
        if labels:
            texts = [f"{key}{json(self._label(values[name]))}" for name, key in labels]
            parts.append(f'"labels":{{{",".join(texts)}}}')
        return encodable(",".join(parts) + "}")

    def _find_keys(
        self, record: logging.LogRecord
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the extras that are written as they are, and the labels, with their keys."""
        own: dict[str, str] = {}
        labels: dict[str, str] = {}
        for name, key in extra_keys(record):
            if "." in key and key.split(".", 1)[0] not in _OURS:
                own[key] = name
            else:
                labels[free_name(key.replace(".", "_").replace("*", "_"), labels)] = name
        quoted = [[(name, self._json.keys[key]) for key, name in x.items()] for x in (own, labels)]
        return quoted[0], quoted[1]

    def _time(self, record: logging.LogRecord) -> str:
        try:
            return f'"{self._clock(record.created)}"'
        except Exception:
            return "null"

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
