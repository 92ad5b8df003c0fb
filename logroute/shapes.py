"""Shapes: how the values of options are written.

The decoder has one reader, and the JSON Schema one description, per class here.
Specs seldom name a shape: `logroute.options` derives them from annotations.
"""

from collections.abc import Callable, Mapping

from logroute.light import TYPE_CHECKING, ClassVar
from logroute.units import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size

if TYPE_CHECKING:
    from logroute.options import Spec

__all__ = [
    "DURATION",
    "LEVEL",
    "SIZE",
    "Anything",
    "Choice",
    "Either",
    "Flag",
    "Many",
    "Name",
    "Nested",
    "Number",
    "Parsed",
    "Part",
    "Shape",
    "Table",
    "Text",
    "Truth",
]


class Shape:
    """How a value is written; the decoder and the schema know one case each."""

    __slots__ = ()


class Text(Shape):
    """A string, whole-matched by `pattern` if there is one."""

    __slots__ = ("expects", "pattern")

    def __init__(self, pattern: str | None = None, expects: str | None = None) -> None:
        """Take any text, or text that `pattern` matches as a whole."""
        self.pattern = pattern
        self.expects = expects


class Name(Text):
    """The name of a part that the file must define; the rules see to it."""

    __slots__ = ("part",)

    def __init__(self, part: str) -> None:
        """Take the name of a `part`: `handler`, `formatter` or `filter`."""
        super().__init__()
        self.part = part


class Number(Shape):
    """A number within limits; `whole` ones have no fraction."""

    __slots__ = ("maximum", "minimum", "whole")

    def __init__(self, whole: bool, minimum: float | None, maximum: float | None) -> None:
        """Take numbers from `minimum` to `maximum`, both included."""
        self.whole = whole
        self.minimum = minimum
        self.maximum = maximum


class Flag(Shape):
    """true or false; yes, no, on and off are understood too."""

    __slots__ = ()
    WORDS: ClassVar[Mapping[str, bool]] = {
        word: value
        for value, names in ((True, ("true", "yes", "on")), (False, ("false", "no", "off")))
        for name in names
        for word in (name, name.title(), name.upper())
    }


class Truth(Shape):
    """true or false as stdlib takes them: any value that Python finds true or not."""

    __slots__ = ()


class Anything(Shape):
    """Any value, kept as plain data."""

    __slots__ = ()


class Choice(Shape):
    """One of a few words."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[str, ...]) -> None:
        """Take one of `values`."""
        self.values = values


class Parsed(Shape):
    """A scalar with a syntax of its own.

    Args:
        name: what it is, as the schema calls it.
        parse: value -> Python value; raises ValueError saying what would be right.
        schema: the draft-07 schema that accepts exactly what `parse` accepts.
    """

    __slots__ = ("name", "parse", "schema")

    def __init__(
        self, name: str, parse: Callable[[object], object], schema: Mapping[str, object]
    ) -> None:
        """Keep the parser and its equal schema."""
        self.name = name
        self.parse = parse
        self.schema = schema

    @property
    def expects(self) -> str:
        """What would be right, in the parser's own words."""
        try:
            self.parse(None)
        except ValueError as fault:
            return str(fault)
        return f"must be a {self.name}"


class Many(Shape):
    """A list of one shape; with `single`, a lone item stands for a list of one."""

    __slots__ = ("item", "minimum", "single")

    def __init__(self, item: Shape, single: bool, minimum: int) -> None:
        """Take at least `minimum` items."""
        self.item = item
        self.single = single
        self.minimum = minimum


class Table(Shape):
    """A mapping from the user's own names, or from names of parts, to one shape."""

    __slots__ = ("key", "value")

    def __init__(self, value: Shape, key: Name | None = None) -> None:
        """Take any names, or those that `key` stands for, with values of one shape."""
        self.value = value
        self.key = key


class Nested(Shape):
    """A mapping described by a spec."""

    __slots__ = ("spec",)

    def __init__(self, spec: "type[Spec]") -> None:
        """Take the options of `spec`."""
        self.spec = spec


class Part(Shape):
    """An entry of a family of parts: written stdlib's way, or by its kind (`type`)."""

    __slots__ = ("family",)

    def __init__(self, family: str) -> None:
        """Take an entry of `family`: `handler`, `formatter` or `filter`."""
        self.family = family


class Either(Shape):
    """A mapping described by a spec, or something shorter."""

    __slots__ = ("nested", "short")

    def __init__(self, short: Shape, nested: Shape) -> None:
        """Take a mapping for `nested`, anything else for `short`."""
        self.short = short
        self.nested = nested


def _parse_level(value: object) -> str | int:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("must be a level: a name such as `WARNING`, or a number")


SIZE = Parsed(
    "size",
    parse_size,
    {"type": ["integer", "string"], "minimum": 0, "pattern": SIZE_PATTERN},
)
DURATION = Parsed(
    "duration",
    parse_duration,
    {
        "type": ["number", "string"],
        "minimum": 0,
        "exclusiveMaximum": 10**12,
        "pattern": DURATION_PATTERN,
    },
)
LEVEL = Parsed(
    "level",
    _parse_level,
    {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"\S",
        "examples": ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    },
)
