"""The `gelf` formatter: GELF 1.1 payloads, for Graylog and its like.

Runs in whichever thread formats. Source of the format: Graylog's GELF 1.1
payload specification. Framing and chunking are the sink's.
"""

import logging
import math
import re

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.compiled import Shapes
from logroute.formatters.json import (
    JsonText,
    encodable,
    extra_keys,
    free_name,
    text_of,
    trace_of,
)
from logroute.light import Annotated
from logroute.options import Opt
from logroute.records import message_of
from logroute.syslog import severity_of

__all__ = ["GelfFormatter", "GelfSpec"]

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
        self._json = JsonText()
        self._head = f'{{"version":"1.1","host":{self._json(host)}'
        self._pairs = Shapes(self._find_pairs)

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
        values, json, keys = record.__dict__, self._json, self._json.keys
        parts = [self._head, f'"short_message":{json(short)}']
        if full.strip() != short and full.strip():
            parts.append(f'"full_message":{json(full)}')
        if isinstance(record.created, float) and math.isfinite(record.created):
            parts.append(f'"timestamp":{json(round(record.created, 6))}')
        parts.append(f'"level":{severity_of(record.levelno)}')
        for key, value in (
            ("_logger", record.name),
            ("_file", record.pathname),
            ("_line", record.lineno),
            ("_stack", text_of(record.stack_info) if record.stack_info else None),
        ):
            if value is not None:
                parts.append(f"{keys[key]}{json(value)}")
        for name, key in self._pairs(record):
            field = self._field(values[name])
            if field is not None:
                parts.append(f"{key}{json(field)}")
        return encodable(",".join(parts) + "}")

    def _find_pairs(self, record: logging.LogRecord) -> list[tuple[str, str]]:
        """Return the names of the extras, and their keys as JSON."""
        pairs: dict[str, str] = {}
        for name, key in extra_keys(record, _TAKEN):
            pairs[free_name("_" + _KEY_FAULTS.sub("_", key), pairs)] = name
        return [(name, self._json.keys[key]) for key, name in pairs.items()]

    def _field(self, value: object) -> object:
        """Return a text or a number: additional fields hold nothing else."""
        if value is None or isinstance(value, str):
            return value
        text = self._json(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and text != "null":
            return value
        return text_of(value) if text[:1] == '"' else text
