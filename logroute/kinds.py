"""Tables of kinds: a short name in a file -> the spec that describes it.

A table row names where the spec lives; the module is imported when a config
first uses the kind. Other packages add rows through entry points, which are
looked at only for a name that no row has.
"""

import importlib
from collections.abc import Mapping
from typing import Generic, TypeVar

from logroute.options import Spec

__all__ = ["KindTable"]

S = TypeVar("S", bound=Spec)


class KindTable(Generic[S]):
    """The kinds of one family: sinks, formatters or filters."""

    def __init__(self, group: str, base: type[S], rows: Mapping[str, str]) -> None:
        """List `rows` (name -> ``module:Class``); `group` is the entry-point group."""
        self.group = group
        self._base = base
        self._rows = dict(rows)
        self._found: dict[str, type[S]] = {}

    def names(self) -> list[str]:
        """Return the names of our own kinds, in table order."""
        return list(self._rows)

    def get(self, name: str) -> type[S] | None:
        """Return the spec of the kind `name`, or None where nobody offers it.

        Only our own rows are imported; a name offered by an entry point imports
        that package, so checking a file must not ask for it (see `offered`).
        """
        if name in self._rows and name not in self._found:
            module, _, attribute = self._rows[name].partition(":")
            self._found[name] = getattr(importlib.import_module(module), attribute)
        return self._found.get(name)

    def load_plugin(self, name: str) -> type[S] | None:
        """Import and return the kind that an installed package offers as `name`.

        Raises:
            TypeError: the package offers something that is not such a spec.
        """
        from importlib.metadata import entry_points

        for point in entry_points(group=self.group, name=name):
            spec = point.load()
            if not (isinstance(spec, type) and issubclass(spec, self._base)):
                raise TypeError(f"{point.value} is not a {self._base.__name__}")
            self._found[name] = spec
        return self._found.get(name)
