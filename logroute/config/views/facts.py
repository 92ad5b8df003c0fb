"""What every rule may ask: the config, its tree, and what is broken in it."""

from collections.abc import Iterator
from itertools import chain

from logroute.config.decode import Decoded, is_ignored, is_ours, top_options
from logroute.config.findings import View, is_inside
from logroute.config.model import Config
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.diagnostics import Span
from logroute.hints import nearest
from logroute.levels import Levels

__all__ = ["MAX_PATTERNS", "Facts", "is_unknown", "letter", "redacted"]

#: Most characters of all regular expressions; compiling takes several microseconds each.
MAX_PATTERNS = 50_000
# a guess at what was meant takes its time
_MOST_MISSPELT = 20


class Facts:
    """A decoded config and its tree.

    Attributes:
        config: what could be decoded; the rest has its defaults.
        node: the expanded tree.
        view: the tree with what decoding found.
        levels: the level names that the config knows.
        is_complete: whether all included files were read.
        is_stdlib: it is a plain dictConfig file: nothing in it is ours.
        original: the tree before it was expanded, with `vars` and `profiles`.
        patterns: the regular expressions of routes and filters, as far as they may be compiled.
        excess_pattern: the first one that may not.
        misspelt: the top-level sections that misspelt keys were meant to be.
        misspellings: those keys, as far as they are known, by section.
    """

    def __init__(
        self,
        config: Config,
        node: Node,
        found: Decoded,
        *,
        is_complete: bool,
        original: Node | None = None,
    ) -> None:
        """Gather the facts of one config."""
        self.config = config
        self.node = node
        self.view = View(node, found)
        self.levels = Levels(config.levels)
        self.is_complete = is_complete
        self.is_stdlib = isinstance(node.value, dict) and not is_ours(node.value)
        self.original = original or node
        self.patterns: list[Node] = []
        self.excess_pattern: Node | None = None
        self.misspelt, self.misspellings = _misspelt(node)
        self._find_patterns()
        shapes = [problem for problem in found.problems if problem.is_shape]
        # a missing `version` says nothing about the rest
        self._broken = {p.path for p in shapes if p.path or p.code != "LR102"}
        self._above = {path[:length] for path in self._broken for length in range(len(path) + 1)}

    def _find_patterns(self) -> None:
        size = 0
        matches = (route.at(("match",)) for route in self.items("routes"))
        of_routes = (node for match in matches for node in _patterns(match))
        of_filters = (n for e in self.section("filters").values() for n in redacted(e))
        for node in chain(of_routes, of_filters):
            if isinstance(node.value, str) and not node.opaque:
                size += len(node.value)
                if size > MAX_PATTERNS:
                    self.excess_pattern = node
                    return
                self.patterns.append(node)

    def is_broken(self, path: Path) -> bool:
        """Return whether the value at `path`, a part of it or what it is in has the wrong shape."""
        if not self._broken:  # as in most files
            return False
        return path in self._above or is_inside(path, self._broken)

    def section(self, name: str) -> dict[str, Node]:
        """Return the entries of a top-level mapping; none where there is no such mapping."""
        node = self.node.at((name,))
        return node.value if node is not None and isinstance(node.value, dict) else {}

    def items(self, name: str) -> list[Node]:
        """Return the items of a top-level list; none where there is no such list."""
        node = self.node.at((name,))
        return node.value if node is not None and isinstance(node.value, list) else []


def _patterns(match: Node | None) -> Iterator[Node]:
    """Yield the patterns of a match and of the matches in it."""
    if match is None or not isinstance(match.value, dict):
        return
    for key, node in match.value.items():
        if key == "message":
            yield node
        elif key == "not":
            yield from _patterns(node)
        elif key in ("any", "all") and isinstance(node.value, list):
            for item in node.value:
                yield from _patterns(item)
        elif key == "fields" and isinstance(node.value, dict):
            for field in node.value.values():
                if regex := field.at(("regex",)):
                    yield regex


def redacted(entry: Node) -> Iterator[Node]:
    """Yield the patterns of a `redact` filter."""
    kind, patterns = entry.at(("type",)), entry.at(("patterns",))
    if kind is not None and kind.value == "redact" and patterns is not None:
        yield from patterns.value if isinstance(patterns.value, list) else [patterns]


def _misspelt(root: Node) -> tuple[frozenset[str], dict[str, str]]:
    """Return the sections that unknown keys at the top were likely meant to be, and the keys."""
    known = top_options()
    top = root.value if isinstance(root.value, dict) else {}
    unknown = [key for key in top if key not in known and not is_ignored(key)]
    meant: dict[str, str] = {}
    for key in unknown[:_MOST_MISSPELT]:
        from logroute.config.slips import odd_character  # only for a finding

        if odd_character(key) is not None:  # an indentation, perhaps, of any section
            return frozenset(known), {}
        best = nearest(key.partition(":")[0], known)
        if best is not None:
            meant.setdefault(best, key)
    return frozenset(meant), meant


def letter(node: Node, offset: int) -> Span:
    """Return the place of one letter of a scalar; all of it where escapes shift the letters."""
    span = node.span
    quotes, rest = divmod(span.end_column - span.column - len(node.text), 2)
    if span.line != span.end_line or rest or quotes not in (0, 1) or offset >= len(node.text):
        return span
    column = span.column + quotes + offset
    return span._replace(column=column, end_column=column + 1)


def is_unknown(entry: Node) -> bool:
    """Return whether a part of an entry is not known here."""
    return entry.opaque or any(node.opaque for node in entry.value.values())
