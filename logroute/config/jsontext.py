"""Nodes from JSON text (RFC 8259).

The standard library's decoder knows no positions, and YAML's view of JSON
differs in tabs, surrogate pairs and line ends; so the tokens are read here.
Runs in whatever thread loads a config.
"""

import json
import re

from logroute.config.nodes import (
    MAX_DEPTH,
    MAX_FAULTS,
    Budget,
    Node,
    RefusedError,
    shown,
    too_deep,
    too_long,
)
from logroute.config.scalars import MAX_DIGITS
from logroute.config.source import Lines, Source
from logroute.diagnostics import Diagnostic, Span, error
from logroute.light import Any

__all__ = ["build"]

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?(?![\w.+-])")
_WORD = re.compile(r"\w+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_WORDS = {"true": True, "false": False, "null": None}
_NEAR_WORDS = {"True": "true", "False": "false", "None": "null", "undefined": "null"}


def build(source: Source, budget: Budget, faults: list[Diagnostic]) -> Node | None:
    """Return the root of `source`; None where the text is blank.

    Raises:
        RefusedError: what is wrong ends the reading.
    """
    return _Reader(source, budget, faults).run()


class _Reader:
    """Reads values with a stack of its own, so that depth is no danger."""

    def __init__(self, source: Source, budget: Budget, faults: list[Diagnostic]) -> None:
        self.text = source.text
        self.name = source.name
        self.budget = budget
        self.faults = faults
        self.place = Lines(source.text).place
        self.index = 0

    def run(self) -> Node | None:
        """Read the one value of the text."""
        if self._skip() == "":
            return None
        open_nodes: list[Node] = []
        keys: list[tuple[str, Span] | None] = []
        node = None
        while node is None or open_nodes:
            if node is not None:  # a value is complete: put it where it belongs
                self._put(open_nodes[-1], keys[-1], node)
                node = self._after_value(open_nodes, keys)
                if node is not None:
                    continue
            node = self._value(open_nodes, keys)
            if len(self.faults) >= MAX_FAULTS:
                return None
        if self._skip() != "":
            raise self._refuse(
                "text stands behind the end of the value",
                self.index,
                "remove it; a config is one `{...}`",
            )
        return node

    def _skip(self) -> str:
        found = _SPACE.match(self.text, self.index)
        assert found is not None
        self.index = found.end()
        return self.text[self.index : self.index + 1]

    def _span(self, start: int, end: int) -> Span:
        return Span(self.name, *self.place(start), *self.place(end))

    def _line_span(self, start: int) -> Span:
        """Return the place from `start` to here, which is in one line: strings have no break."""
        line, column = self.place(start)
        return Span(self.name, line, column, line, column + self.index - start)

    def _value(self, open_nodes: list[Node], keys: list[tuple[str, Span] | None]) -> Node | None:
        """Read a scalar, or open a list or mapping and return None."""
        char, start = self._skip(), self.index
        if char not in ("[", "{"):
            value, text = self._scalar(char)
            span = self._line_span(start)
            self.budget.add(1, span)
            return Node(value, span, None, text)
        span = self._span(start, start + 1)
        self.budget.add(1, span)
        if len(open_nodes) >= MAX_DEPTH:
            raise too_deep(span)
        self.index += 1
        node = Node([], span) if char == "[" else Node({}, span, {})
        if self._skip() == ("]" if char == "[" else "}"):
            return self._close(node)
        open_nodes.append(node)
        keys.append(self._key() if char == "{" else None)
        return None

    def _after_value(
        self, open_nodes: list[Node], keys: list[tuple[str, Span] | None]
    ) -> Node | None:
        """Read what follows a value: the closed list or mapping, None where more comes."""
        node = open_nodes[-1]
        closing = "]" if isinstance(node.value, list) else "}"
        char = self._skip()
        if char == closing:
            open_nodes.pop()
            keys.pop()
            return self._close(node)
        if char != ",":
            raise self._no_comma(char, closing, node.span)
        comma = self.index
        self.index += 1
        if self._skip() == closing:
            raise self._refuse("a `,` stands before the closing bracket", comma, "remove it")
        if closing == "}":
            keys[-1] = self._key()
        return None

    def _close(self, node: Node) -> Node:
        self.index += 1
        line, column = self.place(self.index)
        node.span = node.span._replace(end_line=line, end_column=column)
        return node

    def _put(self, parent: Node, key: tuple[str, Span] | None, node: Node) -> None:
        if key is None:
            parent.value.append(node)
            return
        name, span = key
        first = parent.keys.get(name)
        parent.value[name] = node  # the last one counts, as for the json module
        parent.keys[name] = span
        if first is None:
            return
        message = f"the key `{shown(name)}` is written twice"
        fault = error("LR006", message, span, "remove one of the two, or make them one")
        self.faults.append(fault._replace(related=(("first written here", first),)))

    def _key(self) -> tuple[str, Span]:
        """Read a key and its colon."""
        char, start = self._skip(), self.index
        if char != '"':
            raise self._refuse("a key in double quotes is expected", start, self._cure(char))
        key = self._string()
        span = self._line_span(start)
        if self._skip() != ":":
            raise self._refuse(
                "a `:` is missing behind the key", self.index, "put a `:` between key and value"
            )
        self.index += 1
        return key, span

    def _scalar(self, char: str) -> tuple[Any, str]:
        """Read a string, number or word; return its value and its text."""
        if char == '"':
            text = self._string()
            return text, text
        start = self.index
        number = _NUMBER.match(self.text, start)
        if number is not None:
            self.index = number.end()
            text = number[0]
            if len(text) > MAX_DIGITS:
                raise RefusedError(too_long(self._span(start, self.index)))
            return (float(text) if number[1] or number[2] else int(text)), text
        word = _WORD.match(self.text, start)
        if word is not None and word[0] in _WORDS:
            self.index = word.end()
            return _WORDS[word[0]], word[0]
        raise self._refuse("a value is expected", start, self._cure(char))

    def _string(self) -> str:
        start = self.index
        found = _STRING.match(self.text, start)
        if found is None:
            raise self._broken_string(start)
        self.index = found.end()
        raw = found[0]
        if "\\" not in raw:
            return raw[1:-1]
        for escape in _ESCAPE.finditer(raw):
            if len(escape[0]) == 1:
                raise self._refuse(
                    "this escape is not known in JSON",
                    start + escape.start(),
                    "write the backslash twice",
                )
        text: str = json.loads(raw)
        if _SURROGATE.search(text):
            raise self._refuse(
                "half of a surrogate pair is not a character", start, "type the character itself"
            )
        return text

    def _broken_string(self, start: int) -> RefusedError:
        line_end = re.compile(r"[\x00-\x1f]|\Z").search(self.text, start + 1)
        assert line_end is not None
        if line_end[0] and line_end[0] not in "\r\n":
            return self._refuse(
                "a control character stands in a string", line_end.start(), "write it as an escape"
            )
        return self._refuse("this quote is never closed", start, "add the closing quote")

    def _cure(self, char: str) -> str | None:
        word = _WORD.match(self.text, self.index)
        if char == "'":
            return "JSON knows double quotes only"
        if char in ("/", "#") and char:
            return "JSON has no comments; a YAML file may have them"
        if word is not None and word[0] in _NEAR_WORDS:
            return f"write `{_NEAR_WORDS[word[0]]}`"
        if word is not None and word[0] in ("NaN", "Infinity"):
            return "JSON has no such number"
        if char == "":
            return "the text ends too early"
        return "put a text in double quotes"

    def _no_comma(self, char: str, closing: str, opened: Span) -> RefusedError:
        help = self._cure(char) if char in ("/", "#", "") else "put a `,` between two entries"
        refusal = self._refuse(f"a `,` or the closing `{closing}` is missing", self.index, help)
        opened = opened._replace(end_line=opened.line, end_column=opened.column + 1)
        related = (("opened here", opened),)
        return RefusedError(refusal.diagnostic._replace(related=related))

    def _refuse(self, message: str, index: int, help: str | None = None) -> RefusedError:
        span = self._span(index, min(index + 1, len(self.text)))
        if index < len(self.text):
            span = span._replace(end_line=span.line, end_column=span.column + 1)
        return RefusedError(error("LR005", f"not valid JSON: {message}", span, help))
