"""Calls that dictConfig would make: classes of `logging` and what a file gives them.

Only names below `logging` are looked up, and `logging.handlers` is imported only
where a file names it; what anybody else's class takes cannot be known here. Runs
in whatever thread loads a config.
"""

import importlib
import logging
from collections.abc import Iterator, Mapping

from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.views.facts import Facts
from logroute.light import Any, NamedTuple

__all__ = ["MISSING", "UNKNOWN", "Call", "Signature", "calls", "dotted_names", "find", "value_of"]

#: There is nothing of that name.
MISSING: Any = object()
#: What a value, or a name, means is not known here.
UNKNOWN: Any = object()

_MAKERS = ("()", "class")
# what `DictConfigurator` itself takes from an entry
_TAKEN = {
    "handlers": frozenset({".", "formatter", "level", "filters"}),
    "formatters": frozenset({"."}),
    "filters": frozenset({"."}),
}
# arguments that a later Python knows, or that dictConfig replaces
_ALSO = {
    "SysLogHandler": ("timeout",),
    "QueueHandler": ("handlers", "listener", "respect_handler_level"),
    "Formatter": ("format",),
}
_VARIADIC = 0x04 | 0x08  # `*args`, `**kwargs`


class Signature(NamedTuple):
    """What a constructor takes: all names, and those that it must get."""

    names: tuple[str, ...]
    required: tuple[str, ...]


class Call(NamedTuple):
    """One part that is made of a class of `logging`.

    Attributes:
        path: where its entry is.
        entry: the entry.
        maker: ``class`` or ``()``.
        cls: the class.
        signature: what its constructor takes.
    """

    path: Path
    entry: Mapping[str, Node]
    maker: str
    cls: type[Any]
    signature: Signature

    @property
    def title(self) -> str:
        """The class as messages call it."""
        return self.cls.__name__

    def arguments(self) -> dict[str, Node]:
        """Return what the constructor would get."""
        taken = _TAKEN[str(self.path[0])]
        return {k: node for k, node in self.entry.items() if k != self.maker and k not in taken}

    def is_a(self, name: str) -> bool:
        """Return whether the class is the one of that name, or derived from it."""
        return any(base.__name__ == name for base in self.cls.__mro__)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of an argument, `UNKNOWN` where that cannot be said."""
        node = self.entry.get(key)
        return default if node is None else value_of(node)


def value_of(node: Node) -> Any:
    """Return what a constructor would get for `node`."""
    if node.opaque:
        return UNKNOWN
    value = node.data(legacy=True)
    if isinstance(value, str) and value.startswith(("ext://", "cfg://")):
        return UNKNOWN
    return value


def calls(facts: Facts, family: str = "handlers") -> Iterator[Call]:
    """Yield the calls of a family's entries whose class stands in `logging`."""
    known: dict[str, tuple[Any, Signature | None]] = {}
    section = facts.section(family)
    for path, node in dotted_names(facts, family):
        maker = str(path[2])
        if maker == "class" and family != "handlers":
            continue  # a formatter's class gets no keys, a filter has none
        if node.value not in known:
            cls = find(node.value)
            known[node.value] = (cls, _signature(cls) if isinstance(cls, type) else None)
        cls, signature = known[node.value]
        if signature is not None:
            yield Call(path[:2], section[str(path[1])].value, maker, cls, signature)


def dotted_names(facts: Facts, family: str) -> Iterator[tuple[Path, Node]]:
    """Yield the names of the classes and factories that dictConfig would look up."""
    if facts.config.incremental:
        return
    for name, entry in facts.section(family).items():
        if not isinstance(entry.value, dict) or entry.opaque:
            continue
        maker = next((key for key in _MAKERS if key in entry.value), None)
        if maker is None or (family == "filters" and maker == "class"):
            continue
        node = entry.value[maker]
        if isinstance(node.value, str) and not node.opaque:
            yield (family, name, maker), node


def find(dotted: str) -> Any:
    """Return what a name means as dictConfig looks it up.

    Returns:
        `MISSING` where `logging` has no such thing, `UNKNOWN` for names of others.
    """
    if not dotted.startswith("logging.") or dotted.startswith("logging.config"):
        return UNKNOWN
    if dotted.startswith("logging.handlers"):
        importlib.import_module("logging.handlers")  # only a file that names it needs it
    found: Any = logging
    for step in dotted.split(".")[1:]:
        found = getattr(found, step, MISSING)
    return found


def _signature(cls: type[Any]) -> Signature | None:
    """Return what `cls` takes; `inspect`, which would know more, is slow to load."""
    init: Any = cls.__init__
    code = getattr(init, "__code__", None)
    if code is None or code.co_flags & _VARIADIC:
        return None
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    required = code.co_varnames[1 : code.co_argcount - len(init.__defaults__ or ())]
    return Signature((*names, *_ALSO.get(cls.__name__, ())), required)
