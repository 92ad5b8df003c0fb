"""Tables of kinds: a short name in a file -> the spec that describes it.

A table row names where the spec lives; the module is imported when a config
first uses the kind. Packages add kinds by entry points; those are looked for only
when a name is not one of ours.
"""

import importlib
from collections.abc import Mapping

from logroute.light import TYPE_CHECKING, Generic, TypeVar
from logroute.options import Spec, options_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["KindTable"]

S = TypeVar("S", bound=Spec)


class KindTable(Generic[S]):
    """The kinds of one family: sinks, formatters or filters.

    Attributes:
        broken: plug-in kinds that could not be loaded, and why.
    """

    def __init__(self, rows: Mapping[str, str], group: str, base: type[S]) -> None:
        """List our own kinds, and say where plug-ins are announced.

        Args:
            rows: name -> ``module:Class``.
            group: the entry-point group of plug-ins, such as ``logroute.sinks``.
            base: the class that every spec of the family derives from.
        """
        self._rows = dict(rows)
        self._group = group
        self._base = base
        self._found: dict[str, type[S]] = {}
        self._announced: dict[str, EntryPoint] | None = None
        self.broken: dict[str, str] = {}

    def names(self, *, with_plugins: bool = False) -> list[str]:
        """Return the names of our kinds in table order, then those of plug-ins, sorted."""
        if not with_plugins:
            return list(self._rows)
        return [*self._rows, *sorted(name for name in self._plugins() if self.get(name))]

    def get(self, name: str) -> type[S] | None:
        """Return the spec of the kind `name`, or None where there is no such kind."""
        if name in self._found:
            return self._found[name]
        if name in self._rows:
            module, _, attribute = self._rows[name].partition(":")
            self._found[name] = getattr(importlib.import_module(module), attribute)
        elif name not in self.broken and name in self._plugins():
            self._load(self._plugins()[name])
        return self._found.get(name)

    def announced(self) -> list[str]:
        """Return the names of all kinds, plug-ins as announced, whether or not they load."""
        return [*self._rows, *sorted(self._plugins())]

    def used_plugins(self) -> frozenset[str]:
        """Return the names of the plug-in kinds that were asked for so far."""
        return frozenset(self._found) - frozenset(self._rows)

    def _plugins(self) -> "dict[str, EntryPoint]":
        """Return what installed packages announce, by name; ours have precedence."""
        if self._announced is None:
            from importlib.metadata import entry_points  # slow, and rarely needed

            announced = {point.name: point for point in entry_points(group=self._group)}
            self._announced = {k: v for k, v in announced.items() if k not in self._rows}
        return self._announced

    def _load(self, point: "EntryPoint") -> None:
        try:
            spec = point.load()
            if isinstance(spec, type) and issubclass(spec, Spec):
                options_of(spec)  # an annotation that we cannot read
        except Exception as fault:  # other people's code
            self.broken[point.name] = f"{type(fault).__name__}: {fault}"
            return
        if isinstance(spec, type) and issubclass(spec, self._base):
            self._found[point.name] = spec
        else:
            self.broken[point.name] = f"`{point.value}` is no {self._base.__name__}"
