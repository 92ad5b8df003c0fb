"""Secrets in the texts that a report quotes: where they are, and a veil over them.

The tree of a text says what is a secret; where there is no tree, or a secret
stands in a comment, its looks do. Nothing else of a text leaves a report.
"""

import bisect
import functools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from logroute.config.nodes import SECRET_NAME, Node
from logroute.config.parse import parse
from logroute.config.source import Source, Syntax, split_lines
from logroute.diagnostics import Span
from logroute.options import VEIL
from logroute.patterns import lazy_pattern

__all__ = ["Page", "Pages", "mask_secrets"]

_WORDS = (
    "pas{1,2}(?:wo|ow|w)r?[dt]|passphrase|secret|secert|token|tokne|api[_-]?key|private[_-]?key"
    "|credential|authorization|bearer|cookie|dsn"
)
_OTHER_NAMES = lazy_pattern(r"(?i)passphrase|authorization|bearer|cookie|^headers$|^pwd$|^pass$")
# a text without any of these has no secret that its tree would tell
_HINT = lazy_pattern(rf"(?i){_WORDS}|headers|pwd|pass")
_SECRET = lazy_pattern(
    rf"""(?ix) (?P<key> (?:{_WORDS})[\w-]{{0,60}} ["']? \s{{0,60}} [:=] \s* )
    (?P<value> \$\{{[^}}]*\}} | "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' | [^\s,}}\]][^,}}\]\n]* )"""
)
# `password: ab #cd`: YAML ends the value there, its author did not mean to
_REMARK = lazy_pattern(
    rf"(?i)(?:{_WORDS})[\w-]{{0,60}}[\"']?\s{{0,60}}:[^#]{{0,300}}\s(?P<value>#[^\s#]\S*)"
)
_USERINFO = lazy_pattern(r"(?<!\w)(?P<key>\w+://)(?P<value>[^/\s@\"']+)(?=@)")
_VARIABLE = lazy_pattern(r"\s*[\"']?\$\{[^}]*\}[\"']?\s*")
_OPENED = lazy_pattern(
    rf"(?i)(?:{_WORDS})[\w-]*[\"']?\s*[:=]\s*(?P<how>[|>][-+0-9]*|\"(?:[^\"\\]|\\.)*|'[^']*)?\s*$"
)
_CLOSING = {quote: lazy_pattern(rf"{quote}(?=[\s,}}\]:]|$)") for quote in "\"'"}
#: A shorter value is too likely to be a part of other words.
_SHORTEST = 6
#: Most secrets of a text that are looked for everywhere.
_MOST_VALUES = 300
#: How much of a line tells it from others.
_BEGINNING = 1000
_SECTIONS = ("handlers", "formatters", "filters", "loggers", "profiles")

Part = tuple[int, int]
_NONE: Mapping[str, Node] = MappingProxyType({})


class Pages:
    """The texts of one report, each read once."""

    __slots__ = ("_pages", "_texts", "_trees")

    def __init__(self, texts: Mapping[str, str], trees: Mapping[str, Node] = _NONE) -> None:
        """Take the texts by name, and such of their trees as are known already."""
        self._texts = texts
        self._trees = trees
        self._pages: dict[str, Page] = {}

    def page(self, name: str) -> "Page":
        """Return the text called `name`; an empty one where it is not known."""
        if name not in self._pages:
            self._pages[name] = Page(name, self._texts.get(name, ""), self._trees.get(name))
        return self._pages[name]

    def veil(self, message: str) -> str:
        """Return `message` without any value that is a secret of these texts.

        Messages are made without secrets; this is the second lock.
        """
        for name in self._texts:
            for value in self.page(name).values:
                if value in message:
                    message = _whole(value).sub(VEIL, message)
        return message


class Page:
    """The lines of one text, and the places of the secrets in them.

    Attributes:
        lines: numbered as spans number them, from 0.
        values: the secrets themselves, the longest first.
    """

    __slots__ = ("_beginnings", "_decided", "_parts", "lines", "values")

    def __init__(self, name: str, text: str, root: Node | None = None) -> None:
        """Read `text`, as the suffix of `name` says, unless `root` is its tree."""
        self.lines = split_lines(text)
        self._parts: dict[int, list[Part]] = {}  # secrets, by line
        self._decided: dict[int, list[Part]] = {}  # keys that the tree knows, by line
        self._beginnings: dict[int, str] = {}
        values: set[str] = set()
        root = (root or _tree(name, text)) if _HINT.search(text) else None
        if root is None:
            for line, part in _opened(self.lines):
                self._parts.setdefault(line, []).append(part)
        else:
            for value, span in self._secrets(root):
                self._add(span)
                if len(value) >= _SHORTEST:
                    values.add(value)
        for number, parts in self._parts.items():
            self._parts[number] = _merged(parts)
        for keys in self._decided.values():
            keys.sort()
        self.values = sorted(
            (value for value in values if not _VARIABLE.fullmatch(value)),
            key=lambda value: (-len(value), value),
        )[:_MOST_VALUES]

    def parts(self, number: int, low: int = 0, high: int | None = None) -> list[Part]:
        """Return where the secrets in a line are, as far as they lie between two columns."""
        line = self.lines[number]
        high = len(line) if high is None else high
        found = self._known(number, low, high)
        start = max(0, low - 200)  # a key stands near its value
        for key, value in _looks(line[start : high + 1]):
            if not self._is_key(number, key + start + 1):
                found.append((value[0] + start, value[1] + start))
        found += [match.span("value") for match in _REMARK.finditer(line, start, high + 200)]
        for match in _USERINFO.finditer(line, start, high + 200):
            found += _visible_part(line, match.span("value"))
        window = line[start : high + 200]
        for text in self.values:  # the same word in another place
            if text in window:
                found += [match.span() for match in _whole(text).finditer(line, start, high + 200)]
        return _merged(found)

    def _known(self, number: int, low: int, high: int) -> list[Part]:
        """Return what the tree says between two columns."""
        parts = self._parts.get(number, [])
        first = bisect.bisect_left(parts, (low, 0))
        last = bisect.bisect_left(parts, (high, 0))
        before = parts[max(0, first - 1) : first]  # it may reach into them
        return [part for part in before if part[1] > low] + parts[first:last]

    def _is_key(self, number: int, column: int) -> bool:
        """Return whether the tree knows a key at a column: then it has decided about its value."""
        keys = self._decided.get(number, [])
        at = bisect.bisect_right(keys, (column, len(self.lines[number]))) - 1
        return at >= 0 and column <= keys[at][1]

    def masked(self, number: int, most: int | None = None) -> str:
        """Return a line, or so many characters of it, with its secrets veiled."""
        pieces, at = [], 0
        line = self.lines[number][:most]
        for low, high in self.parts(number, 0, len(line)):
            pieces += [line[at:low], VEIL]
            at = high
        return "".join([*pieces, line[at:]])

    def beginning(self, number: int) -> str:
        """Return what a line can be recognised by, secrets veiled; nothing where there is none."""
        if number not in self._beginnings:
            is_there = number < len(self.lines)
            self._beginnings[number] = self.masked(number, _BEGINNING) if is_there else ""
        return self._beginnings[number]

    def _secrets(self, root: Node) -> Iterator[tuple[str, Span]]:
        """Yield the scalars that are secrets, and their places; note every key."""
        waiting: list[tuple[Node, bool, int, bool]] = [(root, False, 0, False)]
        seen: set[tuple[int, bool]] = set()  # aliases share nodes
        while waiting:
            node, is_secret, depth, is_section = waiting.pop()
            if (id(node), is_secret) in seen:
                continue
            seen.add((id(node), is_secret))
            entries = node.value.items() if isinstance(node.value, dict) else ()
            for key, item in entries:
                is_inner = isinstance(item.value, dict | list)
                if is_secret and item.value is None:  # `{{name}}` and `{name}` are mappings
                    yield key, node.keys[key]
                else:
                    self._note(node.keys.get(key))
                # the name of a handler or logger says nothing about what is in it
                is_name = is_section and isinstance(item.value, dict)
                inner = is_secret or (not is_name and _is_secret_name(key))
                if is_inner:
                    waiting.append((item, inner, depth + 1, depth < 3 and key in _SECTIONS))
                elif inner:
                    yield from _scalar(item)
            for item in node.value if isinstance(node.value, list) else ():
                if isinstance(item.value, dict | list):
                    waiting.append((item, is_secret, depth + 1, False))
                elif is_secret:
                    yield from _scalar(item)

    def _note(self, key: Span | None) -> None:
        if key is not None and key.line == key.end_line:
            place = (key.column - 1, key.end_column - 1)
            self._decided.setdefault(key.line - 1, []).append(place)

    def _add(self, span: Span) -> None:
        """Note a secret that may go over several lines."""
        for number in range(span.line - 1, min(span.end_line, len(self.lines))):
            line = self.lines[number]
            first = span.column - 1 if number == span.line - 1 else _indent(line)
            last = span.end_column - 1 if number == span.end_line - 1 else len(line.rstrip())
            parts = _visible_part(line, (first, min(last, len(line))))
            self._parts.setdefault(number, []).extend(parts)


def _whole(text: str) -> re.Pattern[str]:
    """Return what finds a text that is not a part of a longer word."""
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")


def mask_secrets(line: str) -> str:
    """Return `line` with what looks like a secret shown as ``********``."""
    return Page("", "\n" + line).masked(1)


def _scalar(node: Node) -> Iterator[tuple[str, Span]]:
    """Yield a scalar under a secret name, unless it says nothing."""
    if node.text and not isinstance(node.value, bool | None):
        yield node.text if isinstance(node.value, str) else "", node.span


@functools.lru_cache(maxsize=1000)
def _is_secret_name(key: str) -> bool:
    return bool(SECRET_NAME.search(key) or _OTHER_NAMES.search(key))


def _tree(name: str, text: str) -> Node | None:
    """Return the tree of a text, without what only a whole config has."""
    syntax: Syntax = "yaml"
    if name.lower().endswith(".json"):
        syntax = "json"
    elif name.lower().endswith(".toml"):
        syntax = "toml"
    return parse(Source(name, text, syntax))[0]


def _looks(line: str) -> Iterator[tuple[int, Part]]:
    """Yield what looks like a secret: where its key begins, and the value."""
    for match in _SECRET.finditer(line):
        part = match.span("value")
        if match.start("key") and line[match.start("key") - 1] in "?&":
            part = _argument(line, part)
        for visible in _visible_part(line, part):
            yield match.start("key"), visible


def _argument(line: str, part: Part) -> Part:
    """Return the value of an argument of a URL, without what follows: `&`, or its quote."""
    low, high = part
    if line[low] in "\"'$":
        return part
    ends = [line.find("&", low, high)]
    for quote, pattern in _CLOSING.items():
        if low < _BEGINNING and line.count(quote, 0, low) % 2:  # it is open
            found = pattern.search(line, low, high)
            ends.append(found.start() if found is not None else -1)
    return low, min((end for end in ends if low < end < high), default=high)


def _visible_part(line: str, part: Part) -> list[Part]:
    """Return the part of a value to veil: of a variable, its default only."""
    low, high = part
    text = line[low:high]
    if not text.strip():
        return []
    if not _VARIABLE.fullmatch(text):
        return [(low, low + len(text.rstrip()))]
    default = text.find(":-")
    end = text.rfind("}")
    return [(low + default + 2, low + end)] if default >= 0 and default + 2 < end else []


def _opened(lines: list[str]) -> Iterator[tuple[int, Part]]:
    """Yield the further lines of secrets in a text that is no tree."""
    number = 0
    while number < len(lines):
        line = lines[number][:2000]
        match = _OPENED.search(line)
        number += 1
        if match is None:
            continue
        how = match["how"] or ""
        quote = how[:1] if how[:1] in ("'", '"') else ""
        indent = _indent(line)
        while number < len(lines):
            text = lines[number]
            if not quote and text.strip() and _indent(text) <= indent:
                break
            yield number, (_indent(text), len(text.rstrip()))
            number += 1
            if quote and quote in text:
                break


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _merged(parts: list[Part]) -> list[Part]:
    """Return parts in order, those that touch each other as one."""
    merged: list[Part] = []
    for low, high in sorted(parts):
        if high <= low:
            continue
        if merged and low < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
