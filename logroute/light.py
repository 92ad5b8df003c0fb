"""What `typing` offers to annotations and class bodies, without its price.

Type checkers see `typing` itself, under the same names. Importing it, and what it
does for 150 annotations and 25 named tuples, would cost a start as much as reading a
config; these stand-ins cost nearly nothing, and do what this package asks of them.
All modules of this package take their names from here, as ruff sees to; in other
packages those of `typing` are as good.
"""

import types
from _collections import _tuplegetter  # type: ignore[import-not-found]  # as in `collections`

TYPE_CHECKING = False

__all__ = [
    "IO",
    "TYPE_CHECKING",
    "Annotated",
    "Any",
    "BinaryIO",
    "ClassVar",
    "Generic",
    "Literal",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeVar",
    "cast",
    "dataclass_transform",
]

if TYPE_CHECKING:
    from typing import (
        IO,
        Annotated,
        Any,
        BinaryIO,
        ClassVar,
        Generic,
        Literal,
        NamedTuple,
        NoReturn,
        Protocol,
        Self,
        TypeVar,
        cast,
        dataclass_transform,
    )
else:

    class _Form:
        """A type that is only written: a name, or a name with something in brackets."""

        __slots__ = ("__args__", "__origin__", "_name")

        def __init__(self, name: str, origin: object = None, args: tuple = ()) -> None:
            """Keep how it was written; `origin` is the form without brackets."""
            self._name = name
            self.__origin__ = origin
            self.__args__ = args

        def __getitem__(self, args: object) -> "_Form":
            """Return the form with something in brackets."""
            return _Form(self._name, self, args if isinstance(args, tuple) else (args,))

        def __or__(self, other: object) -> "_Union":
            """Return either type."""
            return _Union(self, other)

        def __ror__(self, other: object) -> "_Union":
            """Return either type."""
            return _Union(other, self)

        def __repr__(self) -> str:
            """Return how `typing` shows it."""
            inside = ", ".join(map(repr, self.__args__))
            return f"typing.{self._name}[{inside}]" if inside else f"typing.{self._name}"

    Any, ClassVar, Literal, NoReturn, Self, BinaryIO, IO = map(
        _Form, ("Any", "ClassVar", "Literal", "NoReturn", "Self", "BinaryIO", "IO")
    )

    class Protocol:
        """What a class offers; nothing here asks for it while a program runs."""

    class Generic:
        """A class with types for parameters, which mean nothing while a program runs."""

        def __class_getitem__(cls, _types: object) -> type:
            """Return the class itself."""
            return cls

    def TypeVar(name: str, *_types: object, **_said: object) -> _Form:  # noqa: N802  (the name in typing)
        """Return a name for a type."""
        return _Form(name)

    def cast(_type: object, value: object) -> object:
        """Return `value`."""
        return value

    def dataclass_transform(**_said: object) -> object:
        """Return what leaves a class as it is."""
        return lambda cls: cls

    class Annotated:
        """A type and what is said of it: ``Annotated[int, "bytes"]``."""

        __slots__ = ("__metadata__", "__origin__")

        def __class_getitem__(cls, said: tuple) -> "Annotated":
            """Keep the type and what is said of it."""
            made = cls()
            made.__origin__, *rest = said
            made.__metadata__ = tuple(rest)
            return made

        def __or__(self, other: object) -> "_Union":
            """Return either type."""
            return _Union(self, other)

        def __ror__(self, other: object) -> "_Union":
            """Return either type."""
            return _Union(other, self)

    class _Union:
        """What `X | Y` makes of types, where one of them is annotated."""

        __slots__ = ("__args__",)
        __origin__ = types.UnionType

        def __init__(self, *args: object) -> None:
            """Take the types; None stands for its own, as in all annotations."""
            self.__args__ = tuple(types.NoneType if arg is None else arg for arg in args)

        def __or__(self, other: object) -> "_Union":
            """Return one type more."""
            return _Union(*self.__args__, other)

    class NamedTuple(tuple):
        """A tuple whose items have names, written as a class with annotations."""

        __slots__ = ()
        _fields = ()
        _field_defaults = types.MappingProxyType({})

        def __init_subclass__(cls) -> None:
            """Read the names and defaults of a class that is being made."""
            names = tuple(cls.__annotations__)
            if not names or cls._fields:  # a class derived from a named tuple
                return
            cls._fields = cls.__match_args__ = names
            cls._field_defaults = {n: cls.__dict__[n] for n in names if n in cls.__dict__}
            for index, name in enumerate(names):
                setattr(cls, name, _tuplegetter(index, None))

        def __new__(cls, *args: object, **more: object) -> Self:
            """Make a tuple of all fields, by place or by name."""
            names = cls._fields
            if len(args) != len(names) or more:
                args = _completed(cls, args, more)
            return _new(cls, args)

        def __repr__(self) -> str:
            """Return the fields by name."""
            shown = zip(self._fields, self, strict=True)
            words = ", ".join(f"{name}={value!r}" for name, value in shown)
            return f"{type(self).__name__}({words})"

        def __getnewargs__(self) -> tuple:
            """Return what a copy or an unpickled one is made of."""
            return tuple(self)

        def _replace(self, **changes: object) -> Self:
            """Return a copy with some fields changed."""
            values = [changes.pop(*pair) for pair in zip(self._fields, self, strict=True)]
            if changes:
                raise ValueError(f"got unexpected field names: {list(changes)!r}")
            return _new(type(self), values)

        __replace__ = _replace  # of `copy.replace`

        def _asdict(self) -> dict[str, object]:
            """Return the fields by name."""
            return dict(zip(self._fields, self, strict=True))

    _new = tuple.__new__

    def _completed(cls: type, args: tuple, more: dict[str, object]) -> list[object]:
        """Return all fields of a tuple that is given only some, or some by name."""
        names, defaults = cls._fields, cls._field_defaults
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} values, not {len(args)}")
        values = list(args)
        for name in names[len(args) :]:
            if name in more:
                values.append(more.pop(name))
            elif name in defaults:
                values.append(defaults[name])
            else:
                raise TypeError(f"{cls.__name__} needs {name!r}")
        if more:
            raise TypeError(f"{cls.__name__} has no {', '.join(more)}, or is given it twice")
        return values
