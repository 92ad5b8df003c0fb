"""Oddities of a text: what the eye reads otherwise than the parser does.

Characters that do not show, or show in another order; lines that end where an
editor sees no end; and ``#`` in a password. `parse.py` loads this only for a text
that may have such a thing. Pure functions.
"""

import itertools
import unicodedata
from collections.abc import Iterator

from logroute.config.nodes import SECRET_NAME, Node, shown
from logroute.config.source import Lines, Source, split_lines
from logroute.diagnostics import Diagnostic, Edit, Fix, Span, warning
from logroute.patterns import lazy_pattern

__all__ = ["comments_in_secrets", "odd_characters"]

#: Most findings of each kind in a text.
_MOST = 20
_ODD = lazy_pattern(
    "[\x85\u2028\u2029]|\r(?!\n)|[\u202a-\u202e\u2066-\u2069]"
    "|[\u00ad\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff]"
)
_BREAKS = "\x85\u2028\u2029\r"
_NAMES = {"\x85": "next line", "\r": "carriage return", "\ufeff": "byte order mark"}
_ORDER = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# what joins or parts letters is part of words in many scripts, and of emoji
_JOINERS = frozenset("\u200c\u200d\u200e\u200f\u061c")
# words that stand directly behind the `#` of a comment
_REMARK = lazy_pattern(r"[ \t]+#(?!(?i:noqa|nosec|todo|fixme|xxx|pragma)\b)[^\s#!]\S*[ \t]*")
_BEARER = lazy_pattern(r"(?i)bearer|passphrase")


def odd_characters(source: Source) -> Iterator[Diagnostic]:
    """Yield what does not show in `source`, or not as what it is."""
    text = source.text
    found = (item.start() for item in _ODD.finditer(text))
    odd = (at for at in found if _is_odd(text, at, source.syntax))
    lines = None
    for at in itertools.islice(odd, _MOST):
        lines = lines or Lines(text)
        line, column = lines.place(at)
        end = column if text[at] == "\r" else column + 1  # a line end is in no line
        yield _told(text[at], Span(source.name, line, column, line, end))


def _is_odd(text: str, at: int, syntax: str) -> bool:
    char = text[at]
    if char in _BREAKS:
        return syntax == "yaml"  # elsewhere it ends no line
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if char in _JOINERS:
        return before.isascii() and after.isascii()
    return char in _ORDER or before.isascii() or after.isascii()


def _told(char: str, span: Span) -> Diagnostic:
    name = _NAMES.get(char) or unicodedata.name(char, "character").lower()
    what = f"a {name} (U+{ord(char):04X})"
    if char == "\r":
        message = f"{what} ends a line here, and not in every editor"
        return warning("LR011", message, span, "save the file with line feeds")
    escape = f"\\u{ord(char):04x}"
    cure = f"remove it; where it is meant, {escape} in double quotes says the same"
    if char in _BREAKS:
        message = f"{what} ends a line in YAML, and in no editor"
        return warning("LR011", message, span, cure)
    message = f"{what} stands here and does not show"
    if char in _ORDER:
        message = f"{what} makes the text show in another order than it is read"
    return warning("LR011", message, span, cure, Fix((Edit(span, ""),), is_safe=False))


def comments_in_secrets(source: Source, root: Node) -> Iterator[Diagnostic]:
    """Yield the secrets in a YAML text that end at a ``#`` which looks like a part of them."""
    lines = split_lines(source.text)
    found = (told for told in _secrets(root) if (told[2].plain and "${" not in told[2].text))
    for key, place, node in found:
        where = place if node.value is None else node.span
        line = lines[where.end_line - 1] if where.end_line <= len(lines) else ""
        start = where.end_column - 1 + (1 if node.value is None else 0)  # behind the colon
        rest = _REMARK.fullmatch(line, start)
        if rest is None:
            continue
        width = len(line.rstrip())
        span = Span(source.name, where.end_line, start + 1, where.end_line, width + 1)
        if node.value is not None:
            span = span._replace(line=node.span.line, column=node.span.column)
        message = f"`{shown(key)}` ends before ` #`: the rest of the line is a comment"
        cure = "put the whole value in quotes; behind the `#` of a comment stands a space"
        yield warning("LR012", message, span, cure)


def _secrets(root: Node) -> Iterator[tuple[str, Span, Node]]:
    """Yield the scalars whose key says that they are secret, with the place of the key."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        if isinstance(node.value, dict):
            seen.add(id(node))
            for key, item in node.value.items():
                if isinstance(item.value, dict | list):
                    waiting.append(item)
                elif SECRET_NAME.search(key) or _BEARER.fullmatch(key):
                    yield key, node.keys[key], item
        elif isinstance(node.value, list):
            seen.add(id(node))
            waiting += [item for item in node.value if isinstance(item.value, dict | list)]
