"""The `logfmt` formatter: `ts=... level=info logger=app msg="..." key=value`.

Runs in whichever thread formats. A value is quoted where it has blanks, quotes,
`=` or control characters, and the quoted form is that of a JSON string, which
the readers of logfmt share.
"""

import logging
import re

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.compiled import Memo, Shapes
from logroute.formatters.json import (
    JsonText,
    UtcClock,
    encodable,
    extra_keys,
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
        self._levels = Memo(lambda level: self._value(text_of(level).lower()))
        self._loggers = Memo(self._value)
        self._pairs = Shapes(_pairs)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record on one line."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        values = record.__dict__
        head = f"ts={self._time(record)} level={self._levels.of(record.levelname)}"
        parts = [head, f"logger={self._loggers.of(record.name)}"]
        parts.append(f"msg={self._value(message_of(record))}")
        parts += [f"{key}={self._value(values[name])}" for name, key in self._pairs(record)]
        if trace := trace_of(record):
            parts.append(f"exc={self._value(trace)}")
        if record.stack_info:
            parts.append(f"stack={self._value(record.stack_info)}")
        return encodable(" ".join(parts))

    def _time(self, record: logging.LogRecord) -> str:
        try:
            return self._clock(record.created)
        except Exception:
            return "null"

    def _value(self, value: object) -> str:
        text = self._json(value)
        if text[:1] == '"':
            bare = text[1:-1]
            return bare if _BARE.fullmatch(bare) and bare.isprintable() else escape(text)
        if text[:1] in "[{":
            return escape(self._json.quote(text))
        return text


def _pairs(record: logging.LogRecord) -> list[tuple[str, str]]:
    """Return the names of the extras, and their keys."""
    return [(name, _key(key)) for name, key in extra_keys(record, _KEYS)]


def _key(name: str) -> str:
    """Return `name` as a key that ends where it should."""
    name = _KEY_FAULTS.sub("_", name) or "_"
    return name if name.isprintable() else escape(name).replace("\\", "_")
