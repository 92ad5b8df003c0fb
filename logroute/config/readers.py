"""Shapes: one value of a tree, read as its option wants it.

One reader per `Shape` class, in a table. A bad value is told in a `Problem` and
replaced by `BAD`, so that its option keeps the default. Levels and names are
noted (`Site`) for the rules. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Callable, Mapping

from logroute.config.nodes import Node
from logroute.config.scalars import as_core
from logroute.light import TYPE_CHECKING, Any, NamedTuple
from logroute.options import EMPTY, Spec, options_of
from logroute.patterns import lazy_pattern
from logroute.shapes import (
    LEVEL,
    Anything,
    Choice,
    Either,
    Flag,
    Many,
    Name,
    Nested,
    Number,
    Parsed,
    Part,
    Shape,
    Table,
    Text,
    Truth,
)

__all__ = ["BAD", "OTHER_VARIABLE", "Path", "Problem", "Site", "read_value", "stand_in", "typed"]

#: How others write variables.
OTHER_VARIABLE = lazy_pattern(r"\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|\{\{[^{}]+\}\}")

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """What is wrong at a path.

    `of_key` says that the key at the end of the path is meant, not its value.
    Codes LR10x are faults of shape, which the schema finds too.
    """

    path: Path
    message: str
    code: str = "LR103"
    of_key: bool = False

    @property
    def is_shape(self) -> bool:
        """Whether the JSON Schema says so too."""
        return self.code.startswith("LR10")


class Site:
    """A level or a name met on the way; `owner` is the spec it is an option of."""

    __slots__ = ("node", "owner", "path", "shape", "value")

    def __init__(self, path: Path, node: Node, value: Any, shape: Shape, owner: type[Spec]) -> None:
        """Note `value`, read from `node` at `path`."""
        self.path = path
        self.node = node
        self.value = value
        self.shape = shape
        self.owner = owner


class _Bad:
    """Stands for a value that was reported."""


BAD: Any = _Bad()


if TYPE_CHECKING:
    from logroute.light import Protocol

    class Reading(Protocol):
        """A walk over a tree, as the readers see it."""

        sites: list[Site]
        owner: type[Spec]

        def fault(
            self, path: Path, message: str, code: str = "LR103", *, of_key: bool = False
        ) -> Any:
            """Note a problem; return `BAD`."""

        def fields(self, spec: type[Spec], entry: Mapping[str, Node], path: Path) -> dict[str, Any]:
            """Read the options of `spec` from a mapping."""

        def part(self, family: str, node: Node, path: Path) -> Any:
            """Read an entry of `handlers`, `formatters` or `filters`."""


def read_value(walk: "Reading", shape: Shape, node: Node, path: Path) -> Any:
    """Return the value of `node` read as `shape`, or `BAD`."""
    if node.opaque and not isinstance(shape, Part):
        return stand_in(shape)
    return _READERS[type(shape)](walk, shape, node, path)


def typed(node: Node) -> Any:
    """Return the value; the text of a variable is the number or truth value it spells."""
    value = node.value
    return as_core(value) if node.untyped and isinstance(value, str) else value


def _read_text(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    value = node.value
    if not isinstance(value, str):
        return walk.fault(path, "must be text")
    if shape.pattern is not None and not re.fullmatch(shape.pattern, value):
        return walk.fault(path, shape.expects or "does not have the right form")
    is_marked = value.startswith(("$", "{{")) or value[:1] == "%" == value[-1:]
    if is_marked and not node.untyped and OTHER_VARIABLE.fullmatch(value):
        walk.fault(path, "is no variable, and is used as it stands", "LR611")
    return value


def _read_name(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    value = node.value
    if shape.part == "filter" and _is_filter(value):
        return value
    if not isinstance(value, str):
        return walk.fault(path, f"must be the name of a {shape.part}")
    walk.sites.append(Site(path, node, value, shape, walk.owner))
    return value


def _is_filter(value: object) -> bool:
    """Return whether a value of a dict source is a filter itself, as stdlib takes it."""
    if isinstance(value, str | int | float | dict | list | None):
        return False
    return callable(value) or callable(getattr(value, "filter", None))


def _read_number(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    value = typed(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return walk.fault(path, "must be a whole number" if shape.whole else "must be a number")
    if isinstance(value, float):
        if value - value != 0:  # infinite, or not a number
            return walk.fault(path, "must be a finite number")
        if shape.whole and not value.is_integer():
            return walk.fault(path, "must be a whole number")
    if shape.minimum is not None and value < shape.minimum:
        return walk.fault(path, f"must be at least {shape.minimum:g}", "LR104")
    if shape.maximum is not None and value > shape.maximum:
        return walk.fault(path, f"must be at most {shape.maximum:g}", "LR104")
    return int(value) if shape.whole else value


def _read_flag(walk: "Reading", _shape: Any, node: Node, path: Path) -> Any:
    value = node.value
    if isinstance(value, str):
        value = Flag.WORDS.get(value)
    return value if isinstance(value, bool) else walk.fault(path, "must be true or false")


def _read_truth(walk: "Reading", _shape: Any, node: Node, path: Path) -> Any:
    value = node.value
    if isinstance(value, dict | list):
        return walk.fault(path, "must be true or false")
    if isinstance(value, str):
        meant = Flag.WORDS.get(value)
        if meant is not None and (node.plain or node.untyped):
            return meant
        if meant is not bool(value):
            taken = "true" if value else "false"
            walk.fault(path, f"which counts as {taken}", "LR902")
    return bool(value)


def _read_anything(_walk: "Reading", _shape: Any, node: Node, _path: Path) -> Any:
    return node.data()


def _read_choice(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    value = node.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}"  # `1.2` is a number in YAML, and a version to people
    if isinstance(value, str) and value in shape.values:
        return value
    return walk.fault(path, f"must be one of {', '.join(shape.values)}", "LR106")


def _read_parsed(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    message = ""
    for value in (node.value, typed(node)):
        try:
            result = shape.parse(_whole(value, shape))
        except ValueError as fault:
            message = str(fault)
            continue
        if shape is LEVEL:
            walk.sites.append(Site(path, node, result, shape, walk.owner))
        return result
    return walk.fault(path, message)


def _whole(value: object, shape: Any) -> object:
    """Return 10.0 as 10 where a whole number is meant: JSON does not tell them apart."""
    kinds = shape.schema.get("type", "number")
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole and "number" not in kinds else value  # type: ignore[call-overload]


def _read_many(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    items = node.value
    if not isinstance(items, list):
        if not shape.single:
            return walk.fault(path, "must be a list")
        item = read_value(walk, shape.item, node, path)
        return item if item is BAD else (item,)
    if len(items) < shape.minimum:
        return walk.fault(path, f"needs at least {shape.minimum} items", "LR104")
    values = (read_value(walk, shape.item, item, (*path, i)) for i, item in enumerate(items))
    return tuple(value for value in values if value is not BAD)


def _read_table(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    if not isinstance(node.value, dict):
        return walk.fault(path, "must be a mapping")
    if shape.key is not None:  # the keys are references
        for key in node.value:
            name = Node(key, node.keys[key], text=key)
            walk.sites.append(Site((*path, key), name, key, shape.key, walk.owner))
    values = (
        (key, read_value(walk, shape.value, item, (*path, key))) for key, item in node.value.items()
    )
    return {key: value for key, value in values if value is not BAD}


def _read_nested(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    if not isinstance(node.value, dict):
        return walk.fault(path, "must be a mapping")
    return shape.spec(**walk.fields(shape.spec, node.value, path))


def _read_either(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    inner = shape.nested if isinstance(node.value, dict) else shape.short
    return read_value(walk, inner, node, path)


def _read_part(walk: "Reading", shape: Any, node: Node, path: Path) -> Any:
    return walk.part(shape.family, node, path)


_READERS: Mapping[type[Shape], Callable[["Reading", Any, Node, Path], Any]] = {
    Anything: _read_anything,
    Choice: _read_choice,
    Either: _read_either,
    Flag: _read_flag,
    Many: _read_many,
    Name: _read_name,
    Nested: _read_nested,
    Number: _read_number,
    Parsed: _read_parsed,
    Part: _read_part,
    Table: _read_table,
    Text: _read_text,
    Truth: _read_truth,
}


def stand_in(shape: Shape) -> Any:
    """Return a harmless value of `shape`, where the real one is not known."""
    if isinstance(shape, Nested):
        options = options_of(shape.spec).values()
        return shape.spec(**{o.name: stand_in(o.shape) for o in options if o.required})
    if isinstance(shape, Either):
        return stand_in(shape.short)
    if isinstance(shape, Number):
        return shape.minimum or 0
    if isinstance(shape, Choice):
        return shape.values[0]
    simple: tuple[tuple[type[Shape], Any], ...] = (
        (Text, ""),
        (Many, ()),
        (Table, EMPTY),
        (Flag, False),
        (Truth, False),
    )
    return next((value for cls, value in simple if isinstance(shape, cls)), 0)
