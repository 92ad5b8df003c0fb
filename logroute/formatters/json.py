"""The `json` formatter: a record as one JSON object on one line.

Owns the turning of arbitrary values into JSON, which the formatters for
particular receivers share. Runs in whichever thread formats; a formatter has no
state but a clock, so several threads may share it.

The result is valid JSON (RFC 8259: no NaN) that can be encoded as UTF-8,
whatever the record holds. An `extra` named like one of our keys is written with
a `_` behind its name.
"""

import datetime as dt
import logging
import math
import re
import time
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from itertools import islice
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Annotated, Any, Literal

from logroute.formatters import FormatterSpec, completed
from logroute.options import Opt
from logroute.records import exception_text, extras, message_of

__all__ = [
    "JsonFormatter",
    "JsonSpec",
    "JsonText",
    "UtcClock",
    "encodable",
    "extra_fields",
    "free_name",
    "text_of",
    "trace_of",
]

#: Whole numbers below it are plain in every reader.
_LARGE = 1 << 63

MAX_DEPTH = 6
MAX_ITEMS = 100_000
_CUT = '"..."'
# Tuples, since `list | tuple` makes a new object at each use.
_LISTS = (list, tuple, set, frozenset)
_BYTES = (bytes, bytearray, memoryview)
_TIMES = (dt.date, dt.time)

#: Extras that repeat the message for a terminal (uvicorn).
_NOISE = frozenset({"color_message"})
_KEYS = frozenset({"timestamp", "level", "logger", "message", "exception", "stack"})


class JsonSpec(FormatterSpec):
    """Format a record as one JSON object: timestamp, level, logger, message, then `extra`."""

    fields: Annotated[
        tuple[str, ...],
        Opt("Attributes of the record to add, such as `lineno` or `threadName`.", single=True),
    ] = ()
    timestamp: Annotated[
        Literal["rfc3339", "epoch"],
        Opt("`rfc3339`: `2003-07-08T16:49:45.896123Z`; `epoch`: seconds since 1970."),
    ] = "rfc3339"
    ascii: Annotated[bool, Opt("Write characters outside ASCII as escapes.")] = False

    def formatter(self) -> logging.Formatter:
        """Return the live formatter."""
        return JsonFormatter(self.fields, self.timestamp, self.ascii)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; never raises and never changes the record."""

    def __init__(
        self,
        fields: tuple[str, ...] = (),
        timestamp: Literal["rfc3339", "epoch"] = "rfc3339",
        ascii: bool = False,
    ) -> None:
        """Prepare the keys; the arguments are those of `JsonSpec`."""
        super().__init__()
        self._value = JsonText(ascii)
        self._quote = self._value.quote
        self._fields = tuple(name for name in dict.fromkeys(fields) if name not in _KEYS)
        self._taken = _KEYS | frozenset(self._fields)
        self._stamp = _epoch if timestamp == "epoch" else _quoted(UtcClock())

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object without line breaks."""
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        parts = [self._head(record)]
        if self._fields:
            values = record.__dict__
            parts += [
                f"{self._quote(name)}:{self._value(values[name])}"
                for name in self._fields
                if name in values
            ]
        for name, value in extra_fields(record, self._taken, self._fields):
            parts.append(f"{self._quote(name)}:{self._value(value)}")
        if record.exc_info or record.exc_text:
            trace = trace_of(record)
            if trace:
                parts.append(f'"exception":{self._quote(trace)}')
        if record.stack_info:
            parts.append(f'"stack":{self._quote(text_of(record.stack_info))}')
        return encodable(",".join(parts) + "}")

    def _head(self, record: logging.LogRecord) -> str:
        quote = self._quote
        stamp, level, logger = self._stamp(record.created), record.levelname, record.name
        try:
            message = record.getMessage()
            level, logger, message = quote(level), quote(logger), quote(message)
        except Exception:
            message = quote(message_of(record))
            level, logger = quote(text_of(level)), quote(text_of(logger))
        return f'{{"timestamp":{stamp},"level":{level},"logger":{logger},"message":{message}'


class UtcClock:
    """Writes times as RFC 3339 in UTC with microseconds; keeps the text of the last second."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        """Know no second yet."""
        self._last: tuple[int, str] = (-1, "1969-12-31T23:59:59")

    def __call__(self, created: float) -> str:
        """Return `created`, seconds since 1970, as text.

        Raises:
            Exception: `created` is not a time.
        """
        second = math.floor(created)
        micros = int((created - second) * 1_000_000 + 0.5)
        if micros == 1_000_000:
            second, micros = second + 1, 0
        last, text = self._last
        if second != last:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._last = (second, text)
        return f"{text}.{micros:06d}Z"


def _quoted(clock: UtcClock) -> Callable[[Any], str]:
    def stamp(created: Any) -> str:
        try:
            return f'"{clock(created)}"'
        except Exception:
            return "null"

    return stamp


def _epoch(created: Any) -> str:
    try:
        return f"{created:.6f}" if math.isfinite(created) else "null"
    except Exception:
        return "null"


def extra_fields(
    record: logging.LogRecord, taken: frozenset[str] = frozenset(), done: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield the extras of `record` under keys that are none of `taken`.

    Those named in `done` are already written and left out.
    """
    for name, value in extras(record):
        if name in taken:
            if name in done:
                continue
            yield free_name(name, taken, record.__dict__), value
        elif name not in _NOISE:
            yield name, value


def free_name(name: str, *taken: Container[str]) -> str:
    """Return `name`, with as many `_` behind it as it takes to be in none of `taken`."""
    while any(name in names for names in taken):
        name += "_"
    return name


def trace_of(record: logging.LogRecord) -> str:
    """Return the traceback as text, "" where there is none; never raises."""
    try:
        return text_of(exception_text(record) or "")
    except Exception as fault:
        return f"<unprintable traceback: {type(fault).__name__}>"


# As in the `text` formatter; JSON itself escapes C0.
_UNSAFE = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def encodable(text: str) -> str:
    r"""Return JSON text that UTF-8 takes and no reader of lines or terminal trips over.

    Lone surrogates, DEL, C1 controls, line separators and bidirectional controls
    are written as `\u2028`; they stand in strings only.
    """
    if text.isascii():
        return text if "\x7f" not in text else text.replace("\x7f", "\\u007f")
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def text_of(value: object) -> str:
    """Return ``str(value)``, or ``<unprintable Type>`` where that raises."""
    try:
        if isinstance(value, str):
            return str.__str__(value)  # of a subclass, the text itself
        if isinstance(value, _BYTES):
            return bytes(value).decode("utf-8", "backslashreplace")
        if isinstance(value, _TIMES):
            return value.isoformat()
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {type(value).__name__}>"


class JsonText:
    """Writes any value as JSON text; never raises.

    What JSON lacks is written as what reads best: times as ISO 8601, bytes as
    text, sets as lists, NaN as null, other objects as their `str`. Containers are
    cut at 6 levels and 100 000 items, marked by `...`; that also ends cycles.
    """

    __slots__ = ("quote",)

    def __init__(self, ascii: bool = False) -> None:
        """Escape what is outside ASCII if `ascii`."""
        self.quote: Callable[[str], str] = encode_basestring_ascii if ascii else encode_basestring

    def __call__(self, value: object) -> str:
        """Return `value` as JSON text."""
        kind = type(value)
        if kind is str:
            return self.quote(value)  # type: ignore[arg-type]
        if kind is int and -_LARGE < value < _LARGE:  # type: ignore[operator]
            return repr(value)
        if kind is float:
            return repr(value) if math.isfinite(value) else "null"  # type: ignore[arg-type]
        return self._guarded(value, MAX_DEPTH, [MAX_ITEMS])

    def _guarded(self, value: object, depth: int, left: list[int]) -> str:
        try:
            return self._write(value, depth, left)
        except Exception:
            return self.quote(f"<unprintable {type(value).__name__}>")

    def _write(self, value: object, depth: int, left: list[int]) -> str:
        kind = type(value)
        if kind is str:
            return self.quote(value)  # type: ignore[arg-type]
        if value is None:
            return "null"
        if value is True or value is False:
            return "true" if value else "false"
        if isinstance(value, int):
            return self._whole(value)
        if isinstance(value, float):
            return float.__repr__(value) if math.isfinite(value) else "null"
        if isinstance(value, _LISTS):
            return self._items(value, depth - 1, left) if depth else _CUT
        if kind is dict or isinstance(value, Mapping):
            return self._mapping(value, depth - 1, left) if depth else _CUT  # type: ignore[arg-type]
        return self.quote(text_of(value))

    def _items(self, values: Collection[object], depth: int, left: list[int]) -> str:
        room, quote = left[0], self.quote
        left[0] = max(0, room - len(values))
        done = [
            quote(value) if type(value) is str else self._guarded(value, depth, left)
            for value in islice(values, room)
        ]
        if len(values) > room:
            done.append(_CUT)
        return f"[{','.join(done)}]"

    def _mapping(self, values: Mapping[Any, object], depth: int, left: list[int]) -> str:
        room, quote = left[0], self.quote
        left[0] = max(0, room - len(values))
        done: dict[str, str] = {}
        for key, value in islice(values.items(), room):
            name = quote(key if type(key) is str else text_of(key))
            while name in done:  # 1 and "1"
                name = f'{name[:-1]}_"'
            done[name] = self._guarded(value, depth, left)
        if len(values) > room:
            done[_CUT] = _CUT
        return f"{{{','.join([f'{name}:{text}' for name, text in done.items()])}}}"

    def _whole(self, value: int) -> str:
        try:
            return int.__repr__(value)
        except ValueError:  # beyond 4300 digits Python refuses
            return self.quote(f"<number of {value.bit_length()} bits>")
