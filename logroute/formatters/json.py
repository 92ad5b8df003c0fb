"""The `json` formatter: a record as one JSON object on one line.

Owns times, extras and traces, which the formatters for particular receivers share.
Runs in whichever thread formats; a formatter has no state but what it remembers,
so several threads may share it.

The result is valid JSON that can be encoded as UTF-8, whatever the record holds.
An `extra` named like one of our keys is written with a `_` behind its name.
"""

import logging
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.clock import UtcClock
from logroute.formatters.compiled import MOST_SHAPES, Shapes
from logroute.formatters.jsonlines import line_names, line_writer, straight_writer
from logroute.formatters.jsontext import JsonText, encodable, text_of
from logroute.framing import Framing, Straight
from logroute.light import Annotated, Any, Literal
from logroute.options import Opt
from logroute.records import EXTRAS, blank_record, exception_text, extras, message_of

__all__ = [
    "JsonFormatter",
    "JsonSpec",
    "JsonText",
    "UtcClock",
    "encodable",
    "extra_keys",
    "free_name",
    "text_of",
    "trace_of",
]

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
    """Formats a record as one JSON object; never raises and never changes the record.

    Attributes:
        reads: the attributes of a record that it reads; of a subclass None, perhaps all.
    """

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
        self._clock = UtcClock() if timestamp == "rfc3339" else None
        self.reads: frozenset[str] | None = None
        if type(self) is JsonFormatter:
            self.reads = EXTRAS | set(self._fields)
        self._pairs = Shapes(self._find_pairs)
        self._names = line_names(self._value, self._clock or _epoch, self._general, self._traces)
        self._writers = Shapes(lambda record: line_writer(self._pairs(record), self._names))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object without line breaks."""
        try:
            names, write = self._writers.last
            if write is None or names != [*record.__dict__]:
                write = self._writers(record)
            return write(record)
        except Exception:
            return self._general(record)

    def straight(self, framing: Framing) -> Straight | None:
        """Return a way from what the express lane keeps to a payload; see `compiled.straight`."""
        if self.reads != EXTRAS:
            return None
        writers: dict[tuple[str, ...], Straight] = {}

        def make(extra: dict[str, Any] | None) -> Straight:
            record = blank_record()
            record.__dict__.update(extra or {})
            return straight_writer(self._pairs(record), self._names, framing, [*(extra or {})])

        def write(
            entries: Sequence[Any],
            looks: Mapping[Any, object],
            look: object,
            level: str,
            add: Callable[[bytes], object],
        ) -> None:
            extra = entries[0][9]
            shape = (*extra,) if extra else ()
            writer = writers.get(shape)
            if writer is None:
                try:
                    writer = make(extra)
                except Exception:  # too deep in the stack to compile, or at the end of the memory
                    return
                if len(writers) >= MOST_SHAPES:
                    writers.clear()
                writers[shape] = writer
            writer(entries, looks, look, level, add)

        return write

    def _general(self, record: logging.LogRecord) -> str:
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        values = record.__dict__
        parts = [
            f'{{"timestamp":{self._stamp(record.created)}',
            f'"level":{self._quote(text_of(record.levelname))}',
            f'"logger":{self._quote(text_of(record.name))}',
            f'"message":{self._quote(message_of(record))}',
        ]
        parts += [f"{key}{self._value(values[name])}" for name, key in self._pairs(record)]
        return encodable(",".join(parts) + self._traces(record))

    def _find_pairs(self, record: logging.LogRecord) -> list[tuple[str, str]]:
        """Return the attributes to write behind the message, and their keys as JSON."""
        fields = [(name, name) for name in self._fields if name in record.__dict__]
        pairs = [*fields, *extra_keys(record, self._taken, self._fields)]
        return [(name, self._value.keys[key]) for name, key in pairs]

    def _stamp(self, created: Any) -> str:
        clock = self._clock
        if clock is None:
            return _epoch(created)
        try:
            return f'"{clock(created)}"'
        except Exception:
            return "null"

    def _traces(self, record: logging.LogRecord) -> str:
        """Return the end of the object, with what only some records have."""
        text = ""
        if record.exc_info or record.exc_text:
            trace = trace_of(record)
            if trace:
                text = f',"exception":{self._quote(trace)}'
        if record.stack_info:
            text += f',"stack":{self._quote(text_of(record.stack_info))}'
        return text + "}"


def _epoch(created: Any) -> str:
    try:
        return f"{created:.6f}" if math.isfinite(created) else "null"
    except Exception:
        return "null"


def extra_keys(
    record: logging.LogRecord, taken: frozenset[str] = frozenset(), done: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the names of the extras of `record`, and keys for them that are none of `taken`.

    Those named in `done` are already written and left out.
    """
    for name, _ in extras(record):
        if name in taken:
            if name in done:
                continue
            yield name, free_name(name, taken, record.__dict__)
        elif name not in _NOISE:
            yield name, name


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
