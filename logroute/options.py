"""One truth per option: specs, their annotated fields, and the shapes they take.

A *spec* describes one part of a config (`EmailSpec`, `QueueSpec`). Each option
is one annotated class attribute::

    class EmailSpec(Spec):
        \"\"\"Send records by mail.\"\"\"

        host: Annotated[str, Opt("Name or address of the mail server.")]
        port: Annotated[int | None, Opt("Port.", minimum=1, maximum=65535)] = None

and from it come the decoder, the JSON Schema, hover texts and did-you-mean.
An attribute without a default is required. Annotations are understood as
*shapes*: ``str int float bool``, ``Literal[...]``, ``tuple[X, ...]``,
``Mapping[str, X]``, another `Spec`, ``X | None``, ``object`` (anything), and the
parsed scalars below (`Size`, `Duration`, `Level`); the shapes are in `shapes.py`.

`Spec` is a frozen dataclass in all that a reader can see, built without
generated code: 30 generated dataclasses cost a start more than reading the
config does, and a generated ``repr`` would print secrets.
"""

import sys
import types
from collections.abc import Mapping

from logroute.light import Annotated, Any, ClassVar, Self, dataclass_transform
from logroute.shapes import (
    DURATION,
    LEVEL,
    SIZE,
    Anything,
    Choice,
    Either,
    Flag,
    Many,
    Name,
    Nested,
    Number,
    Shape,
    Table,
    Text,
)

__all__ = [
    "EMPTY",
    "Duration",
    "FilterName",
    "FormatterName",
    "HandlerName",
    "Level",
    "Opt",
    "Option",
    "Size",
    "Spec",
    "options_of",
]

EMPTY: Mapping[str, Any] = types.MappingProxyType({})
VEIL = "********"


class Opt:
    """What an annotation says beyond the type.

    Args:
        doc: one sentence for people: hover text, docs, `logroute rule`.
        key: the YAML key where it cannot be the attribute's name (`from`, `not`).
        minimum: smallest number, or fewest items of a list.
        maximum: largest number.
        secret: the value is veiled in every message, repr and report.
        single: a lone value is accepted where a list is meant.
        planned: the machinery is not there yet; using the key is an error.
        nullable: an empty value is as good as no key; always so for `X | None`, but
            for a mapping described by a spec.
        pattern: a regular expression that a text must match as a whole.
        expects: what would be right, for the message when `pattern` fails.
    """

    __slots__ = (
        "doc",
        "expects",
        "key",
        "maximum",
        "minimum",
        "nullable",
        "pattern",
        "planned",
        "secret",
        "single",
    )

    def __init__(
        self,
        doc: str = "",
        *,
        key: str | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
        secret: bool = False,
        single: bool = False,
        planned: bool = False,
        nullable: bool = False,
        pattern: str | None = None,
        expects: str | None = None,
    ) -> None:
        """Keep what the annotation says."""
        self.doc = doc
        self.key = key
        self.minimum = minimum
        self.maximum = maximum
        self.secret = secret
        self.single = single
        self.planned = planned
        self.nullable = nullable
        self.pattern = pattern
        self.expects = expects


#: Bytes; `10MiB` in a file.
Size = Annotated[int, SIZE]
#: Seconds; `5s` in a file.
Duration = Annotated[float, DURATION]
#: A level's name or number, resolved when the custom levels are known.
Level = Annotated[str | int, LEVEL]
#: Names of parts, as references to them.
HandlerName = Annotated[str, Name("handler")]
FormatterName = Annotated[str, Name("formatter")]
FilterName = Annotated[str, Name("filter")]


class Option:
    """One option of a spec, as read from its annotation."""

    __slots__ = (
        "default",
        "doc",
        "key",
        "name",
        "nullable",
        "planned",
        "required",
        "secret",
        "shape",
    )

    def __init__(self, name: str, annotation: object, owner: "type[Spec]") -> None:
        """Read the option `name` of `owner`."""
        base, opt, parsed = _unwrap(annotation)
        self.name = name
        self.key = opt.key or name
        self.doc = opt.doc
        self.secret = opt.secret
        self.planned = opt.planned
        self.required = not hasattr(owner, name)
        self.default = getattr(owner, name, None)
        self.shape = parsed or _shape(base, opt)
        # `tls:` with nothing behind it hardly means "no TLS"
        is_optional = types.NoneType in _args_of(base) and not isinstance(self.shape, Nested)
        self.nullable = opt.nullable or is_optional


def _unwrap(annotation: object) -> tuple[object, Opt, Shape | None]:
    opt, parsed = _NOTHING, None
    extras = getattr(annotation, "__metadata__", None)
    if extras is None:
        return annotation, opt, parsed
    for extra in extras:
        if isinstance(extra, Opt):
            opt = extra
        elif isinstance(extra, Shape):
            parsed = extra
    return annotation.__origin__, opt, parsed  # type: ignore[attr-defined]


def _form_of(annotation: object) -> str:
    """Return which form of `typing` an annotation is written with, if any, ours or its own."""
    return str(getattr(getattr(annotation, "__origin__", annotation), "_name", ""))


def _args_of(annotation: object) -> tuple[Any, ...]:
    """Return what stands in the brackets of an annotation, or the types of a union."""
    args: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return args


_NOTHING = Opt()


def _shape(annotation: object, opt: Opt) -> Shape:
    if hasattr(annotation, "__metadata__"):
        base, inner, parsed = _unwrap(annotation)
        return parsed or _shape(base, inner if inner.doc else opt)
    origin, args = getattr(annotation, "__origin__", None), _args_of(annotation)
    form = _form_of(annotation)
    if form == "Union" or types.UnionType in (origin, type(annotation)):
        return _union([arg for arg in args if arg is not types.NoneType], opt)
    if form == "Literal":
        return Choice(args)
    if origin is tuple:
        return Many(_shape(args[0], _NOTHING), opt.single, int(opt.minimum or 0))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key = _shape(args[0], _NOTHING)
        return Table(_shape(args[1], _NOTHING), key if isinstance(key, Name) else None)
    if isinstance(annotation, type):
        if issubclass(annotation, Spec):
            return Nested(annotation)
        if annotation is bool:
            return Flag()
        if annotation in (int, float):
            return Number(annotation is int, opt.minimum, opt.maximum)
        if annotation is str:
            return Text(opt.pattern, opt.expects)
        if annotation is object:
            return Anything()
    raise TypeError(f"an option cannot have the type {annotation!r}")


def _union(args: list[object], opt: Opt) -> Shape:
    shapes = [_shape(arg, opt) for arg in args]
    if len(shapes) == 1:
        return shapes[0]
    nested = [shape for shape in shapes if isinstance(shape, Nested | Table)]
    short = [shape for shape in shapes if not isinstance(shape, Nested | Table)]
    if len(nested) == len(short) == 1:
        return Either(short[0], nested[0])
    raise TypeError(f"an option cannot be a union of {args!r}")


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=True)
class Spec:
    """Describes one part of a config: frozen, comparable, secrets veiled in its repr."""

    #: Unknown keys are only warned of, where stdlib passes over them in silence.
    lenient: ClassVar[bool] = False

    def __init__(self, **values: Any) -> None:
        """Set the given options; the others keep their defaults.

        Raises:
            TypeError: an unknown option, or a required one is missing.
        """
        fields = _fields_of(type(self))
        for name in values:
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no option {name!r}")
        for name in fields:
            if name not in values and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name!r}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; use .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some options changed."""
        return type(self)(**{**self.__dict__, **changes})

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _fields_of(type(self)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        try:
            return hash((type(self), self._key()))
        except TypeError:  # a mapping or list somewhere in it
            return hash(type(self))

    def __repr__(self) -> str:
        secret = {option.name for option in options_of(type(self)).values() if option.secret}
        shown = (
            f"{name}={VEIL if name in secret and value else repr(value)}"
            for name, value in self.__dict__.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


_FIELDS: dict[type[Spec], dict[str, object]] = {}
_TABLES: dict[type[Spec], dict[str, Option]] = {}


def _fields_of(spec: type[Spec]) -> dict[str, object]:
    """Return the annotated attributes of `spec`, inherited ones first."""
    fields = _FIELDS.get(spec)
    if fields is None:
        fields = {}
        for owner in reversed(spec.__mro__):
            for name, annotation in getattr(owner, "__annotations__", {}).items():
                if _form_of(annotation) != "ClassVar":
                    fields[name] = annotation
        _FIELDS[spec] = fields
    return fields


def _resolved(spec: type[Spec], fields: dict[str, object]) -> dict[str, object]:
    """Return the fields of a spec that has annotations in quotes: it mentions itself."""
    scope = vars(sys.modules[spec.__module__])
    if scope["__name__"].startswith("logroute."):  # a whole annotation in quotes, seldom
        return {
            name: eval(known, scope) if isinstance(known, str) else known  # noqa: S307
            for name, known in fields.items()
        }
    import typing  # noqa: TID251  (other packages may quote as they like)

    return typing.get_type_hints(spec, include_extras=True)


def options_of(spec: type[Spec]) -> dict[str, Option]:
    """Return the options of `spec` by YAML key, inherited ones first.

    An option is an attribute annotated with an `Opt`; other attributes are set
    by code, never by a file.
    """
    table = _TABLES.get(spec)
    if table is None:
        table = {}
        fields = _fields_of(spec)
        if any(isinstance(known, str) for known in fields.values()):
            fields = _resolved(spec, fields)
        for name, annotation in fields.items():
            if _unwrap(annotation)[1].doc:
                option = Option(name, annotation, spec)
                table[option.key] = option
        _TABLES[spec] = table
    return table
