"""Lines of a log -> entries: what `logroute explain --from-log` replays.

Understands what our formatters write (json, ecs, gelf, logfmt), JSON objects
with the usual names, the usual layouts of text, and a pattern of one's own.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from logroute.config.scalars import as_core
from logroute.light import Any

__all__ = ["Entry", "LogReader"]

#: Names under which programs write the parts of a record.
_LEVEL = ("level", "levelname", "severity", "log.level", "lvl")
_LOGGER = ("logger", "name", "log.logger", "_logger", "logger_name")
_MESSAGE = ("message", "msg", "full_message", "short_message", "event")
_TIME = ("timestamp", "@timestamp", "time", "ts", "asctime")
_TRACE = ("exception", "exc_info", "exc", "error.stack_trace", "stack_trace")
_PARTS = frozenset((*_LEVEL, *_LOGGER, *_MESSAGE, *_TIME, *_TRACE, "error.type", "labels"))

#: Syslog severities, as GELF writes levels (RFC 5424, 6.2.1).
_SEVERITIES = {0: 50, 1: 50, 2: 50, 3: 40, 4: 30, 5: 25, 6: 20, 7: 10}

_STAMP = r"\[?(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\]?"
_WORD = r"\[?(?P<level>[A-Z][A-Z0-9_]+)\]?"
_NAME = r"\[?(?P<logger>[\w.$<>-]+)\]?"
_LAYOUTS = (
    rf"{_STAMP} {_WORD} +{_NAME}: ?(?P<message>.*)",
    rf"{_STAMP} - {_NAME} - {_WORD} - (?P<message>.*)",
    r"(?P<level>[A-Z][A-Z0-9_]+):(?P<logger>[\w.$-]+):(?P<message>.*)",
    rf"{_STAMP} +{_NAME} +{_WORD}:? +(?P<message>.*)",
    rf"{_STAMP} {_WORD} +{_NAME} +(?P<message>.*)",
    rf"{_WORD} +{_NAME}:? +(?P<message>.*)",
)
_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|\S*)')
_LOGFMT = re.compile(r'(?:^|\s)(?:level|lvl)=[^\s"]')
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*)(?::|$)")
_BETWEEN = ("During handling of the above", "The above exception was")


class Entry:
    """One record as a log shows it.

    Attributes:
        logger: name of the logger.
        level: name or number of the level.
        message: the message.
        size: bytes of its lines.
        time: when, as it is written; None: the log does not say.
        exception: name of the exception's class.
    """

    __slots__ = ("_values", "exception", "level", "logger", "message", "size", "time")

    def __init__(
        self,
        values: Mapping[str, Any],
        level: str | int,
        logger: str,
        message: str,
        size: int,
    ) -> None:
        """Take the parts from `values`, all that the line says."""
        self._values = values
        self.level = level
        self.logger = logger
        self.message = message
        self.size = size
        self.time = _first(values, _TIME)
        self.exception: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return what else the line says: `extra`, and attributes of the record."""
        found = {name: value for name, value in self._values.items() if name not in _PARTS}
        if "short_message" in self._values:
            found = {name.removeprefix("_"): value for name, value in found.items()}
        labels = self._values.get("labels")
        if isinstance(labels, dict):
            found |= labels
        return {name: value for name, value in found.items() if name not in _STANDARD}

    def exception_name(self) -> str | None:
        """Return the class of the exception, None where there is none."""
        if self.exception is not None:
            return self.exception
        name = self._values.get("error.type")
        if isinstance(name, str):
            return name
        trace = _first(self._values, _TRACE)
        if trace is None and _TRACEBACK in self.message:  # as GELF has it
            trace = self.message.partition(_TRACEBACK)[2]
        if not isinstance(trace, str) or not trace.strip():
            return None
        found = None
        for line in trace.splitlines():
            if not line.startswith((" ", "\t", _TRACEBACK, *_BETWEEN)):
                found = _EXCEPTION.match(line) or found
        return found[1] if found else "Exception"


#: Attributes that every record has already, and that a log does not bring anew.
_STANDARD = frozenset({"args", "exc_text", "levelno", "created", "msecs", "stack_info"})


class LogReader:
    """Reads the lines of one log, and counts those it does not understand.

    Attributes:
        lines: lines read.
        unread: lines that are no record and belong to none.
        unread_at: the numbers of the first of them.
        belonging: lines of tracebacks and the like that belong to a record.
    """

    def __init__(self, pattern: str | None = None, *, is_jsonl: bool = False) -> None:
        """Read lines of any known form, of `pattern`, or only JSON.

        Raises:
            ValueError: `pattern` is no regular expression, or has no group `level`.
        """
        self.lines = 0
        self.unread = 0
        self.unread_at: list[int] = []
        self.belonging = 0
        self._is_jsonl = is_jsonl
        self._layouts = [re.compile(layout) for layout in _LAYOUTS]
        self._is_own = pattern is not None
        if pattern is not None:
            self._layouts = [_compiled(pattern)]

    def read(self, lines: Iterable[bytes], is_level: Callable[[Any], bool]) -> Iterator[Entry]:
        """Yield the entries; `is_level` says whether a word is the name of a level."""
        pending: Entry | None = None
        in_trace = False
        for raw in lines:
            self.lines += 1
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            entry = self._entry(text, len(raw), is_level)
            if entry is not None:
                if pending is not None:
                    yield pending
                pending, in_trace = entry, False
            elif pending is not None and (in_trace or _belongs(text)):
                pending.size += len(raw)
                self.belonging += 1
                in_trace = _follow(pending, text, in_trace)
            elif text.strip():
                self.unread += 1
                if len(self.unread_at) < 3:
                    self.unread_at.append(self.lines)
        if pending is not None:
            yield pending

    def _entry(self, text: str, size: int, is_level: Callable[[Any], bool]) -> Entry | None:
        if not self._is_own:
            if text[:1] == "{":
                return _from_json(text, size, is_level)
            if self._is_jsonl:
                return None
            if _LOGFMT.search(text):
                return _from_logfmt(text, size, is_level)
        for place, layout in enumerate(self._layouts):
            found = layout.search(text) if self._is_own else layout.match(text)
            if found:
                values = {name: value for name, value in found.groupdict().items() if value}
                entry = _from_values(values, size, is_level)
                if entry is not None:
                    if place:  # the next line is most likely like this one
                        self._layouts.insert(0, self._layouts.pop(place))
                    return entry
        return None


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"`{pattern[:80]}` is not a regular expression: {fault}") from None
    if "level" not in compiled.groupindex:
        raise ValueError("the pattern needs a group `(?P<level>...)`")
    return compiled


def _from_json(text: str, size: int, is_level: Callable[[Any], bool]) -> Entry | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    if isinstance(values.get("log"), dict):  # ECS with nested objects
        values |= {f"log.{name}": value for name, value in values.pop("log").items()}
    level = values.get("level")
    if "short_message" in values and isinstance(level, int):
        values["level"] = _SEVERITIES.get(level, level)
    return _from_values(values, size, is_level)


def _from_logfmt(text: str, size: int, is_level: Callable[[Any], bool]) -> Entry | None:
    values: dict[str, Any] = {}
    for name, value in _PAIR.findall(text):
        if value[:1] != '"':
            values[name] = as_core(value)
            continue
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value[1:-1]
    return _from_values(values, size, is_level)


def _from_values(
    values: Mapping[str, Any], size: int, is_level: Callable[[Any], bool]
) -> Entry | None:
    level = _first(values, _LEVEL)
    if isinstance(level, bool) or not isinstance(level, str | int) or not is_level(level):
        return None
    message = _first(values, _MESSAGE)
    logger = _first(values, _LOGGER)
    return Entry(
        values,
        level,
        logger if isinstance(logger, str) and logger else "root",
        message if isinstance(message, str) else "" if message is None else str(message),
        size,
    )


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in values:
            return values[name]
    return None


def _belongs(text: str) -> bool:
    """Return whether a line goes on with the record before it."""
    return not text.strip() or text.startswith((" ", "\t", _TRACEBACK, *_BETWEEN))


def _follow(entry: Entry, text: str, in_trace: bool) -> bool:
    """Learn from a line that belongs to `entry`; return whether a traceback goes on."""
    if text.startswith(_TRACEBACK):
        entry.exception = entry.exception or "Exception"
        return True
    if in_trace and text[:1] not in ("", " ", "\t"):
        found = _EXCEPTION.match(text)
        entry.exception = found[1] if found else entry.exception
        return False
    return in_trace


def is_log_level(levels: Any) -> Callable[[Any], bool]:
    """Return the question whether a word is a level that `levels` knows, memoised."""
    known: dict[Any, bool] = {}

    def ask(word: Any) -> bool:
        answer = known.get(word)
        if answer is None:
            try:
                levels.number(word)
                answer = True
            except ValueError:
                answer = False
            if len(known) < 1000:
                known[word] = answer
        return answer

    return ask
