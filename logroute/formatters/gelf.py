"""The `gelf` formatter: GELF 1.1 payloads, for Graylog and its like.

Runs in whichever thread formats. Source of the format: Graylog's GELF 1.1
payload specification. Framing and chunking are the sink's.
"""

import logging
import math
import re
from typing import Annotated, Any

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.json import (
    JsonText,
    encodable,
    extra_fields,
    free_name,
    text_of,
    trace_of,
)
from logroute.options import Opt
from logroute.records import message_of

__all__ = ["GelfFormatter", "GelfSpec", "severity_of"]

_KEY_FAULTS = re.compile(r"[^\w.\-]", re.ASCII)
# `_id` is Graylog's own; the others are ours
_TAKEN = frozenset({"id", "logger", "file", "line", "stack"})


class GelfSpec(FormatterSpec):
    """Format a record as a GELF 1.1 message; `extra` becomes additional fields."""

    host: Annotated[str | None, Opt("Name of the sender. Default: the name of the machine.")] = None

    def formatter(self) -> logging.Formatter:
        """Return the live formatter."""
        if self.host:
            return GelfFormatter(self.host)
        import socket

        return GelfFormatter(socket.gethostname() or "localhost")


class GelfFormatter(logging.Formatter):
    """Formats a record as GELF; never raises and never changes the record."""

    def __init__(self, host: str) -> None:
        """Send as `host`."""
        super().__init__()
        self._host = host
        self._json = JsonText()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object without line breaks."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        message = message_of(record)
        # Graylog refuses a message without text
        short = message.strip().split("\n", 1)[0].rstrip() or "-"
        trace = trace_of(record)
        full = f"{message}\n{trace}" if trace else message
        entry: dict[str, Any] = {"version": "1.1", "host": self._host, "short_message": short}
        if full.strip() != short and full.strip():
            entry["full_message"] = full
        if isinstance(record.created, float) and math.isfinite(record.created):
            entry["timestamp"] = round(record.created, 6)
        entry["level"] = severity_of(record.levelno)
        entry["_logger"] = record.name
        entry["_file"] = record.pathname
        entry["_line"] = record.lineno
        if record.stack_info:
            entry["_stack"] = text_of(record.stack_info)
        for name, value in extra_fields(record, _TAKEN):
            key = "_" + _KEY_FAULTS.sub("_", name)
            entry[free_name(key, entry)] = self._field(value)
        pairs = [
            f"{self._json.quote(name)}:{self._json(value)}"
            for name, value in entry.items()
            if value is not None
        ]
        return encodable(f"{{{','.join(pairs)}}}")

    def _field(self, value: object) -> object:
        """Return a text or a number: additional fields hold nothing else."""
        if value is None or isinstance(value, str):
            return value
        text = self._json(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and text != "null":
            return value
        return text_of(value) if text[:1] == '"' else text


def severity_of(levelno: object) -> int:
    """Return the syslog severity (RFC 5424, 6.2.1) of a level: 2 critical to 7 debug."""
    if not isinstance(levelno, int):
        return 6
    steps = ((50, 2), (40, 3), (30, 4), (25, 5), (20, 6))
    return next((severity for lowest, severity in steps if levelno >= lowest), 7)
