"""Where the parts of a config stand in its text, as offsets.

The tree of one source, before anything is included or put in, with an index from
offsets to entries. What an alias repeats has no place of its own and is left out.
Runs in whatever thread fixes a file.
"""

import bisect
import re
from collections.abc import Mapping

from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.readers import Path
from logroute.config.source import Source, Syntax
from logroute.diagnostics import Span
from logroute.light import Any, NamedTuple

__all__ = ["Entry", "Offsets", "TextPlaces"]

_PROPERTIES = re.compile(r"(?:[&!][^\s]*\s+)*")
_COLON = re.compile(r"\s*:")
_ALIAS = re.compile(r"\s*:\s+\*[^\s,\[\]{}]+")
_NEWLINE = re.compile(r"\r\n|\n|\r")


class Entry(NamedTuple):
    """An entry of a mapping, or an item of a list, in a text.

    Attributes:
        path: where it is in the tree.
        node: its value.
        start: offset of the key, of an item the value.
        key_end: offset behind the key; None for an item.
        value_start: offset of the value.
        value_end: offset behind the value.
        end: offset behind all of it.
    """

    path: Path
    node: Node
    start: int
    key_end: int | None
    value_start: int
    value_end: int
    end: int


class Offsets:
    """Turns lines and columns, as editors count them, into offsets in a text."""

    __slots__ = ("_end", "_starts")

    def __init__(self, text: str) -> None:
        """Find where the lines of `text` start."""
        self._starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        self._end = len(text)

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a place; the end of the text where there is no such place."""
        if not 1 <= line <= len(self._starts):
            return self._end
        return min(self._starts[line - 1] + column - 1, self._end)

    def start_of(self, span: Span) -> int:
        """Return where `span` starts."""
        return self.offset(span.line, span.column)

    def line_start(self, offset: int) -> int:
        """Return where the line of `offset` starts."""
        return self._starts[bisect.bisect_right(self._starts, offset) - 1]


class TextPlaces:
    """The index of one text.

    Attributes:
        name: the source, as spans call it.
        root: the tree.
        newline: how the lines of the text end.
    """

    def __init__(self, source: Source, root: Node) -> None:
        """Index the tree `root` of `source`."""
        self.name = source.name
        self.text = source.text
        self.syntax: Syntax = source.syntax
        self.root = root
        found = _NEWLINE.search(source.text)
        self.newline = found[0] if found else "\n"
        self._lines = Offsets(source.text)
        # by where they start; None: an alias repeats it
        self._entries: dict[int, Entry | None] = {}
        self._items: dict[int, Entry | None] = {}
        self._values: dict[int, Entry | None] = {}  # by start of the value
        self._children: dict[Path, list[Entry]] = {}
        self._mappings: dict[tuple[int, int], Path | None] = {}
        self._seen: set[int] = set()
        self._index(root, ())
        for entries in self._children.values():
            entries.sort(key=_start)

    @classmethod
    def of(cls, source: Source) -> "TextPlaces | None":
        """Return the index of `source`; None where it has no text that can be edited."""
        if source.data is not None or source.syntax == "toml":
            return None
        root, _ = parse(source)
        return cls(source, root) if root is not None and isinstance(root.value, dict) else None

    def _index(self, node: Node, path: Path) -> None:
        """Take in a list or mapping with all that is in it."""
        self._seen.add(id(node))
        if isinstance(node.value, dict):
            span = self.offsets(node.span)
            self._mappings[span] = None if span in self._mappings else path
        pairs = node.value.items() if isinstance(node.value, dict) else enumerate(node.value)
        for step, inner in pairs:
            entry = self._entry((*path, step), node.keys.get(str(step)), inner)
            index = self._entries if entry.key_end is not None else self._items
            if entry.start in index or (entry.key_end is None and id(inner) in self._seen):
                index[entry.start] = None  # merged in from elsewhere, or an alias as item
            else:
                index[entry.start] = entry
                self._children.setdefault(path, []).append(entry)
            if id(inner) in self._seen:
                self._values[self.offsets(inner.span)[0]] = None
                self._repeated(inner)
                continue
            self._values[entry.value_start] = entry
            if isinstance(inner.value, dict | list):
                self._index(inner, entry.path)
            self._seen.add(id(inner))

    def _repeated(self, node: Node) -> None:
        """Forget what an alias repeats: an edit would change it in several places."""
        if not isinstance(node.value, dict | list):
            return
        if isinstance(node.value, dict):
            self._mappings[self.offsets(node.span)] = None
        for inner in node.value.values() if isinstance(node.value, dict) else node.value:
            self._values[self.offsets(inner.span)[0]] = None
            self._repeated(inner)
        for span in node.keys.values():
            self._entries[self.offsets(span)[0]] = None

    def _entry(self, path: Path, key: Span | None, node: Node) -> Entry:
        low, high = self.offsets(node.span)
        if key is None:
            return Entry(path, node, low, None, low, high, high)
        start, key_end = self.offsets(key)
        end = max(high, key_end)
        if low < key_end:  # an alias
            found = _ALIAS.match(self.text, key_end)
            end = found.end() if found else key_end
        elif low == high:
            found = _COLON.match(self.text, key_end)
            end = found.end() if found else key_end
        return Entry(path, node, start, key_end, low, high, end)

    def offsets(self, span: Span) -> tuple[int, int]:
        """Return where `span` starts and ends in the text."""
        return self._lines.start_of(span), self._lines.offset(span.end_line, span.end_column)

    def line_start(self, offset: int) -> int:
        """Return where the line of `offset` starts."""
        return self._lines.line_start(offset)

    def entry_at(self, start: int, end: int) -> Entry | None:
        """Return the entry or item that is there, unless an alias repeats it."""
        item, entry = self._items.get(start), self._entries.get(start)
        if item is not None and (entry is None or item.end == end):
            return item
        return entry

    def scalar_at(self, start: int, end: int) -> Entry | None:
        """Return the entry whose key or scalar is, or holds, that part of the text."""
        for offset in range(start, max(-1, start - 2000), -1):
            entry = self._entries.get(offset)
            if entry is not None and entry.key_end is not None and end <= entry.key_end:
                return entry
            entry = self._values.get(offset)
            if entry is not None and not isinstance(entry.node.value, dict | list):
                return entry if end <= entry.value_end else None
            if offset in self._values:
                return None
        return None

    def mapping_at(self, span: Span) -> Path | None:
        """Return the path of the mapping at `span`, unless an alias repeats it."""
        return self._mappings.get(self.offsets(span))

    def children(self, path: Path) -> list[Entry]:
        """Return what stands in the list or mapping at `path`, in the order of the text."""
        return self._children.get(path, [])

    def neighbours(self, entry: Entry) -> tuple[Entry | None, Entry | None]:
        """Return what stands before and behind `entry` in its list or mapping."""
        all_of = self.children(entry.path[:-1])
        at = bisect.bisect_left(all_of, entry.start, key=_start)
        before = all_of[at - 1] if at else None
        return before, all_of[at + 1] if at + 1 < len(all_of) else None

    def is_flow(self, path: Path) -> bool:
        """Return whether the list or mapping at `path` is written in brackets."""
        return self.text[self._open(path)] in "[{" if self._open(path) < len(self.text) else False

    def inside(self, path: Path) -> tuple[int, int]:
        """Return the offsets behind the opening and of the closing bracket."""
        node = self.root.at(path)
        assert node is not None
        return self._open(path) + 1, self.offsets(node.span)[1] - 1

    def _open(self, path: Path) -> int:
        node = self.root.at(path)
        assert node is not None
        found = _PROPERTIES.match(self.text, self.offsets(node.span)[0])
        return found.end() if found else 0

    def read_mapping(self, text: str) -> Mapping[str, Any] | None:
        """Return what a mapping is when it is written as `text`."""
        root, _ = parse(Source("", text, self.syntax))
        data = root.data() if root is not None else None
        return data if isinstance(data, dict) else None


def _start(entry: Entry) -> int:
    return entry.start
