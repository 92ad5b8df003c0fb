"""A format string in one of stdlib's three styles, taken apart once.

Owns the reading of `%(name)s`, `{name}` and `${name}`; knows nothing of records
but that they are mappings. Immutable, so any thread may use one.
"""

import logging
import re
import string
from collections.abc import Callable, Mapping

from logroute.light import Any, NamedTuple

__all__ = ["Field", "Layout"]

_PERCENT = re.compile(r"%%|%\(([^()]*)\)([#0\- +]*\d*(?:\.\d*)?[hlL]?[diouxXeEfFgGcrsa])")
_WIDE = re.compile(r"[0-9]{5}")

Values = Mapping[str, Any]


class Field(NamedTuple):
    """One field of a layout.

    Attributes:
        name: the plain name, or "" where the field reaches into a value.
        named: the field alone, as a format of its own that takes a mapping.
        positional: the same for a lone value, or "" where there is no such form.
    """

    name: str
    named: str
    positional: str


Parts = list[str | Field]


class Layout:
    """A format string, ready to be filled.

    Attributes:
        parts: its own text and its fields in order; empty where only stdlib can read it.
        names: the fields by name; empty where the layout looks inside values.
        braces: whether the fields are written for `str.format`.
        whole: fills the layout exactly as stdlib does.
    """

    __slots__ = ("braces", "names", "parts", "whole")

    def __init__(self, fmt: str, style: str) -> None:
        """Take `fmt` apart; one that cannot be is left to stdlib as a whole."""
        self.braces = style == "{"
        self.parts = _PARSERS[style](fmt) or []
        self.whole: Callable[[Values], str] = _whole(fmt, style)
        fields = [part for part in self.parts if isinstance(part, Field)]
        is_plain = all(field.positional for field in fields)
        self.names = [field.name for field in fields] if is_plain else []

    def check(self) -> None:
        """Raise ValueError where a field would pad a line to a foolish width."""
        for part in self.parts:
            if isinstance(part, Field) and _WIDE.search(part.named):
                raise ValueError(f"width of `{part.named[:80]}` is above 9999")

    def join(
        self, values: Values, clean: Callable[[str], str], clean_message: Callable[[str], str]
    ) -> str:
        """Fill the layout field by field, each field's text cleaned.

        The layout's own text stays as it is: colours and line breaks written
        there are meant.
        """
        if not self.parts:
            return clean(self.whole(values))
        done = []
        for part in self.parts:
            if isinstance(part, str):
                done.append(part)
            else:
                text = part.named.format_map(values) if self.braces else part.named % values
                text = str.__str__(text)  # a `__str__` may return a text of a class of its own
                done.append(clean_message(text) if part.name == "message" else clean(text))
        return "".join(done)


def _whole(fmt: str, style: str) -> Callable[[Values], str]:
    if style == "{":
        return lambda values: fmt.format(**values)
    if style == "$":
        return string.Template(fmt).substitute
    return lambda values: fmt % values


def _parse_percent(fmt: str) -> Parts | None:
    parts: Parts = []
    end = 0
    for found in _PERCENT.finditer(fmt):
        parts.append(fmt[end : found.start()])
        name, rest = found[1], found[2]
        parts.append("\0%" if name is None else Field(name, found[0], f"%{rest}"))
        end = found.end()
    parts.append(fmt[end:])
    if any(isinstance(part, str) and "%" in part and part != "\0%" for part in parts):
        return None
    return ["%" if part == "\0%" else part for part in parts]


def _parse_braces(fmt: str) -> Parts | None:
    parts: Parts = []
    try:
        pieces = list(string.Formatter().parse(fmt))
    except ValueError:
        return None
    for literal, name, spec, conversion in pieces:
        parts.append(literal)
        if name is None:
            continue
        rest = (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        plain = name.isidentifier() and "{" not in (spec or "")
        if not plain and not name[:1].isidentifier():
            return None
        parts.append(
            Field(name if plain else "", f"{{{name}{rest}}}", f"{{{rest}}}" if plain else "")
        )
    return parts


def _parse_dollar(fmt: str) -> Parts | None:
    parts: Parts = []
    end = 0
    for found in string.Template.pattern.finditer(fmt):
        parts.append(fmt[end : found.start()])
        name = found["named"] or found["braced"]
        if name:
            parts.append(Field(name, f"%({name})s", "%s"))
        elif found["escaped"]:
            parts.append("$")
        else:
            return None
        end = found.end()
    parts.append(fmt[end:])
    return parts


_PARSERS: Mapping[str, Callable[[str], Parts | None]] = {
    "%": _parse_percent,
    "{": _parse_braces,
    "$": _parse_dollar,
}

assert set(_PARSERS) == set(logging._STYLES)
