"""Variables with an empty default, at places where nothing empty will do.

What a place needs is told by the shape of its option, or, for classes of the
standard library, by a table. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterator

from logroute.config.decode import FAMILIES, is_marked, top_options
from logroute.config.model import HandlerSpec, NetworkHandlerSpec
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.views.entries import class_of, text_of
from logroute.config.views.facts import Facts
from logroute.options import Option, options_of
from logroute.patterns import lazy_pattern
from logroute.shapes import Choice, Either, Flag, Many, Nested, Number, Parsed, Part, Table, Text

__all__ = ["blanks"]

_BLANK = lazy_pattern(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*):-\}")
_ARGUMENTS = frozenset({"mailhost", "host", "fromaddr", "toaddrs", "filename", "address", "url"})
_ANY_TEXTS = Many(Text(".+"), single=True, minimum=0)
#: Texts of any form, which must be there all the same.
_NEEDED = frozenset({"path", "cert_file"})


def blanks(facts: Facts) -> Iterator[tuple[Path, Node, str]]:
    """Yield path, scalar and variable of each blank that a whole value may turn out to be."""
    top = facts.original.value
    if not isinstance(top, dict):
        return
    for key, option in top_options().items():
        if key in ("handlers", "loggers", "root", "queue", "shutdown_timeout") and key in top:
            for path, node in _needy(top[key], option.shape, (key,)):
                found = _BLANK.fullmatch(node.value)
                if found is not None:
                    yield path, node, found[1]


def _needy(node: Node, shape: object, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield the texts that would be refused if they were empty."""
    value = node.value
    if isinstance(value, dict):
        if isinstance(shape, Either):
            shape = shape.nested
        if isinstance(shape, Table):
            for key, item in value.items():
                yield from _needy(item, shape.value, (*path, key))
        elif isinstance(shape, Nested):
            yield from _of_options(value, options_of(shape.spec), path)
        elif isinstance(shape, Part):
            yield from _of_handler(value, node, path)
    elif isinstance(value, list):
        if isinstance(shape, Many):
            for index, item in enumerate(value):
                yield from _needy(item, shape.item, (*path, index))
    elif isinstance(value, str) and ":-}" in value and _refuses_nothing(shape, path):
        yield path, node


def _of_handler(entry: dict[str, Node], node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if is_marked("handler", entry):
        spec = FAMILIES["handler"].get(text_of(entry.get("type")))
        if spec is not None:
            outer = NetworkHandlerSpec if spec.networked else HandlerSpec
            yield from _of_options(entry, {**options_of(outer), **options_of(spec)}, path)
    elif class_of(node).startswith("logging."):
        for key, item in entry.items():
            if key in _ARGUMENTS:
                yield from _needy(item, _ANY_TEXTS, (*path, key))


def _of_options(
    entry: dict[str, Node], options: dict[str, Option], path: Path
) -> Iterator[tuple[Path, Node]]:
    for key, item in entry.items():
        if key in options:
            yield from _needy(item, options[key].shape, (*path, key))


def _refuses_nothing(shape: object, path: Path) -> bool:
    if isinstance(shape, Either):
        shape = shape.short
    if isinstance(shape, Many):
        shape = shape.item
    if isinstance(shape, Text):
        if shape.pattern is None:
            return path[-1] in _NEEDED
        return re.fullmatch(shape.pattern, "") is None
    return isinstance(shape, Number | Parsed | Choice | Flag)
