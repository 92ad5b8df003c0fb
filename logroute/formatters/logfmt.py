"""The `logfmt` formatter: `ts=... level=info logger=app msg="..." key=value`.

Runs in whichever thread formats. A value is quoted where it has blanks, quotes,
`=` or control characters, and the quoted form is that of a JSON string, which
the readers of logfmt share.
"""

import logging
import re

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.json import (
    JsonText,
    UtcClock,
    encodable,
    extra_fields,
    text_of,
    trace_of,
)
from logroute.formatters.text import escape
from logroute.records import message_of

__all__ = ["LogfmtFormatter", "LogfmtSpec"]

_KEYS = frozenset({"ts", "level", "logger", "msg", "exc", "stack"})
_BARE = re.compile(r"[^\s\"=\\]+")
_KEY_FAULTS = re.compile(r"[\s\"=\\]|[^ -\U0010ffff]")


class LogfmtSpec(FormatterSpec):
    """Format a record as `key=value` pairs on one line."""

    def formatter(self) -> logging.Formatter:
        """Return the live formatter."""
        return LogfmtFormatter()


class LogfmtFormatter(logging.Formatter):
    """Formats a record as one line of logfmt; never raises and never changes the record."""

    def __init__(self) -> None:
        """Prepare the clock and the writer of values."""
        super().__init__()
        self._clock = UtcClock()
        self._json = JsonText()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record on one line."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        pairs = [
            ("ts", self._time(record)),
            ("level", text_of(record.levelname).lower()),
            ("logger", record.name),
            ("msg", message_of(record)),
            *extra_fields(record, _KEYS),
        ]
        if trace := trace_of(record):
            pairs.append(("exc", trace))
        if record.stack_info:
            pairs.append(("stack", record.stack_info))
        line = " ".join([f"{_key(name)}={self._value(value)}" for name, value in pairs])
        return encodable(line)

    def _time(self, record: logging.LogRecord) -> str | None:
        try:
            return self._clock(record.created)
        except Exception:
            return None

    def _value(self, value: object) -> str:
        text = self._json(value)
        if text[:1] == '"':
            bare = text[1:-1]
            return bare if _BARE.fullmatch(bare) and bare.isprintable() else escape(text)
        if text[:1] in "[{":
            return escape(self._json.quote(text))
        return text


def _key(name: str) -> str:
    """Return `name` as a key that ends where it should."""
    name = _KEY_FAULTS.sub("_", name) or "_"
    return name if name.isprintable() else escape(name).replace("\\", "_")
