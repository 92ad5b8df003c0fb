"""Nodes from TOML text.

The standard library's `tomllib` yields values without places. So the text is
walked once for the places of keys and values, under the same limits as YAML,
and the two are put together. Runs in whatever thread loads a config.
"""

import contextlib
import re

from logroute.config.nodes import MAX_DEPTH, Budget, Node, RefusedError, shown, too_deep
from logroute.config.source import Lines, Source
from logroute.diagnostics import Diagnostic, Span, error
from logroute.light import Any

__all__ = ["build"]

#: `tomllib` needs about a second per MiB, so less is read than of YAML.
MAX_TOML_BYTES = 1024 * 1024

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_INDENT = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_QUOTES = ("'", '"')
_BARE_VALUE = re.compile(r"[^\[\]{},\r\n#\"'=]+")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")
_UNESCAPED = "Unescaped '\\'"
_LOOK = "look at this place and the line before it; TOML has `key = value` and `[section]` lines"
_CURES = (
    ("Expected '='", "write `key = value`"),
    ("Invalid value", "put a text in quotes"),
    (_UNESCAPED, "use single quotes: 'C:\\logs', or write the backslash twice"),
)


def build(source: Source, budget: Budget, faults: list[Diagnostic]) -> Node | None:
    """Return the root of `source`; None where it says nothing.

    Raises:
        RefusedError: the text is not TOML, or goes beyond a limit.
    """
    import tomllib

    del faults  # TOML has no fault that can be read over
    top = Span(source.name, 1, 1, 1, 1)
    if len(source.text) > MAX_TOML_BYTES:
        raise RefusedError(
            error("LR004", f"TOML larger than {MAX_TOML_BYTES // 1024} KiB", top, "use YAML")
        )
    walker = _Walker(source, Budget(budget.nodes))
    with contextlib.suppress(_LostError):  # then tomllib says what is wrong
        walker.walk()
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as fault:
        raise RefusedError(_explain(str(fault), source)) from None
    except RecursionError:
        raise too_deep(top) from None
    except ValueError:  # int() has a limit of its own
        cure = "put it in quotes if it is a text"
        raise RefusedError(error("LR004", "a number has too many digits", top, cure)) from None
    if not data:
        return None
    line, column = Lines(source.text).place(len(source.text))
    walker.values[()] = top._replace(end_line=line, end_column=column)
    return _join(data, (), top, walker, budget)


def _join(value: Any, path: Path, near: Span, walker: "_Walker", budget: Budget) -> Node:
    """Put a value and its place together; where that is unknown, its parent's."""
    span = walker.values.get(path, near)
    budget.add(1, span)
    if isinstance(value, dict):
        entries, keys = {}, {}
        for key, item in value.items():
            inner = (*path, key)
            keys[key] = walker.keys.get(inner, span)
            entries[key] = _join(item, inner, keys[key], walker, budget)
        return Node(entries, span, keys)
    if isinstance(value, list):
        items = enumerate(value)
        return Node([_join(item, (*path, i), span, walker, budget) for i, item in items], span)
    if isinstance(value, bool):
        return Node(value, span, text="true" if value else "false")
    if isinstance(value, int | float | str):
        return Node(value, span, text=str(value))
    return Node(str(value), span, text=str(value))  # dates have no meaning of their own here


def _explain(message: str, source: Source) -> Diagnostic:
    found = _AT.search(message)
    line, column = Lines(source.text).place(len(source.text))
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    what = message[: found.start()] if found else message
    if what.startswith(_UNESCAPED):
        column = max(1, column - 2)  # it has read on by then
    code = "LR006" if what.startswith(_TWICE) else "LR005"
    help = next((cure for start, cure in _CURES if what.startswith(start)), _LOOK)
    what = what[:1].lower() + what[1:]
    return error(
        code, f"not valid TOML: {what}", Span(source.name, line, column, line, column), help
    )


class _LostError(Exception):
    """The walk met what is not TOML."""


class _Walker:
    """Notes where keys and values stand; takes more than TOML, never less.

    Attributes:
        keys: place of each key, by path.
        values: place of each value, by path; of a table, that of its header.
    """

    def __init__(self, source: Source, budget: Budget) -> None:
        self.text = source.text
        self.name = source.name
        self.place = Lines(source.text).place
        self.budget = budget
        self.index = 0
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self.counts: dict[Path, int] = {}  # tables of each array of tables

    def walk(self) -> None:
        """Walk the whole text."""
        table: Path = ()
        while self._skip(_BLANK):
            if self._peek("["):
                table = self._header()
            else:
                self._entry(table)

    def _span(self, start: int, end: int) -> Span:
        line, column = self.place(start)
        if end - start < 3 or "\n" not in self.text[start:end]:
            return Span(self.name, line, column, line, column + end - start)
        return Span(self.name, line, column, *self.place(end))

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Skip what `pattern` matches; return whether text is left."""
        found = pattern.match(self.text, self.index)
        assert found is not None
        self.index = found.end()
        return self.index < len(self.text)

    def _peek(self, word: str) -> bool:
        return self.text.startswith(word, self.index)

    def _take(self, word: str) -> None:
        self._skip(_INDENT)
        if not self._peek(word):
            raise _LostError
        self.index += len(word)

    def _header(self) -> Path:
        start = self.index
        many = self._peek("[[")
        self.index += 2 if many else 1
        parts = self._parts()
        self._take("]]" if many else "]")
        span = self._span(start, self.index)
        path: Path = ()
        for number, (name, place) in enumerate(parts, 1):
            path = (*path, name)
            self.keys.setdefault(path, place)
            if number < len(parts):
                self.values.setdefault(path, place)
                if path in self.counts:
                    path = (*path, self.counts[path] - 1)
        if many:
            count = self.counts[path] = self.counts.get(path, 0) + 1
            self.values.setdefault(path, span)
            path = (*path, count - 1)
        self.values[path] = span
        self._count(path, span)
        return path

    def _parts(self) -> list[tuple[str, Span]]:
        """Read a key: names with dots between them."""
        parts: list[tuple[str, Span]] = []
        while True:
            self._skip(_INDENT)
            start = self.index
            found = (_STRING if self.text[start : start + 1] in _QUOTES else _BARE_KEY).match(
                self.text, start
            )
            if found is None:
                raise _LostError
            self.index = found.end()
            span = self._span(start, self.index)
            if len(parts) >= MAX_DEPTH:
                raise too_deep(span)
            parts.append((_name(found[0]), span))
            self._skip(_INDENT)
            if not self._peek("."):
                return parts
            self.index += 1

    def _entry(self, table: Path) -> None:
        """Read ``key = value``."""
        parts = self._parts()
        path = table
        for name, place in parts[:-1]:
            path = (*path, name)
            self.keys.setdefault(path, place)
            self.values.setdefault(path, place)
        name, place = parts[-1]
        path = (*path, name)
        first = self.keys.setdefault(path, place)
        if first is not place and path in self.values:
            message = f"the key `{shown(name)}` is written twice"
            fault = error("LR006", message, place, "remove one of the two, or make them one")
            raise RefusedError(fault._replace(related=(("first written here", first),)))
        self._take("=")
        self._skip(_INDENT)
        self._value(path)

    def _value(self, path: Path) -> None:
        start = self.index
        char = self.text[start : start + 1]
        if char in ("[", "{"):
            self._count(path, self._span(start, start))
            (self._list if char == "[" else self._inline_table)(path)
            self.values[path] = self._span(start, self.index)
            return
        found = (_STRING if char in _QUOTES else _BARE_VALUE).match(self.text, start)
        if found is None:
            raise _LostError
        self.index = start + len(found[0].rstrip())
        self._count(path, span := self._span(start, self.index))
        self.values[path] = span

    def _list(self, path: Path) -> None:
        self.index += 1
        count = 0
        while self._skip(_BLANK) and not self._peek("]"):
            self._value((*path, count))
            count += 1
            self._skip(_BLANK)
            if not self._peek(","):
                break
            self.index += 1
        self._take("]")

    def _inline_table(self, path: Path) -> None:
        self.index += 1
        while self._skip(_BLANK) and not self._peek("}"):
            self._entry(path)
            self._skip(_BLANK)
            if not self._peek(","):
                break
            self.index += 1
        self._take("}")

    def _count(self, path: Path, span: Span) -> None:
        self.budget.add(1, span)
        if len(path) > MAX_DEPTH:
            raise too_deep(span)


def _name(raw: str) -> str:
    """Return the name that a key spells."""
    if raw[0] not in "\"'":
        return raw
    if raw[0] == "'" or "\\" not in raw:
        return raw[1:-1]
    import tomllib

    try:
        return next(iter(tomllib.loads(f"{raw}=0")))
    except tomllib.TOMLDecodeError:
        raise _LostError from None
