"""Handlers that write files, as the rules about files see them.

Ours, stdlib's, and the best known of other people's. Paths are compared as they are
written: nothing is looked up in the file system. Runs in whatever thread loads a
config.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakKeyDictionary

from logroute.config.model import Foreign
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.views.entries import class_of, handlers
from logroute.config.views.facts import Facts
from logroute.diagnostics import Span
from logroute.light import Any, NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["Writer", "writers"]

_CLASSES = {
    "logging.FileHandler": "FileHandler",
    "logging.handlers.RotatingFileHandler": "RotatingFileHandler",
    "logging.handlers.TimedRotatingFileHandler": "TimedRotatingFileHandler",
    "logging.handlers.WatchedFileHandler": "WatchedFileHandler",
    "concurrent_log_handler.ConcurrentRotatingFileHandler": "ConcurrentRotatingFileHandler",
    "concurrent_log_handler.ConcurrentTimedRotatingFileHandler": "ConcurrentRotatingFileHandler",
    "cloghandler.ConcurrentRotatingFileHandler": "ConcurrentRotatingFileHandler",
}
# a gap that somebody fills in before the file is loaded
_GAP = lazy_pattern(r"\$\{|\{\{|\{\w*\}|%\(|\$\(|<\w+>|^(?:ext|cfg)://|^\$\w")
_GAP_MARKS = frozenset("${%<:")  # without any of them there is none
_WINDOWS = lazy_pattern(r"[A-Za-z]:[\\/]|\\\\")


class Writer(NamedTuple):
    """A handler that writes a file.

    Attributes:
        name: of the handler.
        kind: `file`, or the short name of the class.
        entry: the handler as written.
        path: the file as written, without a secret or what is not known here.
        node: where the file is written.
        values: the arguments of a class, as it gets them; empty for ours.
    """

    name: str
    kind: str
    entry: Node
    path: str
    node: Node
    values: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether the kind is one of ours."""
        return self.kind == "file"

    @property
    def is_stdlib(self) -> bool:
        """Whether the class is one of stdlib's."""
        return not self.is_ours and not self.kind.startswith("Concurrent")

    @property
    def is_whole(self) -> bool:
        """Whether the path is all there, without gaps that others fill."""
        return _GAP_MARKS.isdisjoint(self.path) or not _GAP.search(self.path)

    @property
    def is_in_home(self) -> bool:
        """Whether the path begins in somebody's home, at least for people."""
        return self.path.startswith("~")

    @property
    def is_absolute(self) -> bool:
        """Whether the path means the same in each working directory."""
        is_home = self.is_in_home and self.is_ours
        return self.path.startswith("/") or is_home or bool(_WINDOWS.match(self.path))

    @property
    def normal(self) -> str:
        """The path without detours; only names with a link in them can mean another file."""
        if self.is_ours or not self.is_in_home:
            return re.sub("^/+", "/", posixpath.normpath(self.path))
        return "./" + posixpath.normpath(self.path)  # a folder called `~`

    def value(self, key: str, default: Any = None) -> Any:
        """Return an argument of the class."""
        return self.values.get(key, default)

    def knows(self, *keys: str) -> bool:
        """Return whether arguments are known here, and no reference to an object."""
        nodes = [node for key in keys if (node := self.entry.at((key,))) is not None]
        references = ("ext://", "cfg://")
        return not any(
            node.opaque or (isinstance(node.value, str) and node.value.startswith(references))
            for node in nodes
        )

    def place(self, facts: Facts, key: str | None = None) -> Span:
        """Return where an argument is written, or the handler's name."""
        path: Path = ("handlers", self.name)
        if key is not None and key in self.entry.value:
            return facts.view.place((*path, key))
        return facts.view.place(path, of_key=True)


def writers(facts: Facts) -> Sequence[Writer]:
    """Return the handlers whose file is known."""
    found = _found.get(facts)
    if found is None:
        found = _found[facts] = list(_find(facts))
    return found


#: What was found, as long as the facts live: ten rules ask.
_found: WeakKeyDictionary[Facts, list[Writer]] = WeakKeyDictionary()


def _find(facts: Facts) -> Iterator[Writer]:
    if facts.config.incremental:  # no handler is made
        return
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        if spec is None or facts.is_broken(("handlers", name)):
            continue
        values: Mapping[str, Any] = {}
        if isinstance(spec.sink, Foreign):
            kind, key = _CLASSES.get(class_of(entry), ""), "filename"
            values = spec.sink.entry
        else:
            kind, key = str(entry.value["type"].value), "path"
        node = entry.at((key,))
        if not kind or (not values and kind != "file") or node is None or node.opaque:
            continue
        if isinstance(node.value, str) and node.value and not node.secret:
            yield Writer(name, kind, entry, node.value, node, values)
