"""Tables of kinds: a short name in a file -> the spec that describes it.

A table row names where the spec lives; the module is imported when a config
first uses the kind.
"""

import importlib
from collections.abc import Mapping
from typing import Generic, TypeVar

from logroute.options import Spec

__all__ = ["KindTable"]

S = TypeVar("S", bound=Spec)


class KindTable(Generic[S]):
    """The kinds of one family: sinks, formatters or filters."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        """List `rows`: name -> ``module:Class``."""
        self._rows = dict(rows)
        self._found: dict[str, type[S]] = {}

    def names(self) -> list[str]:
        """Return the names of the kinds, in table order."""
        return list(self._rows)

    def get(self, name: str) -> type[S] | None:
        """Return the spec of the kind `name`, or None where there is no such kind."""
        if name in self._rows and name not in self._found:
            module, _, attribute = self._rows[name].partition(":")
            self._found[name] = getattr(importlib.import_module(module), attribute)
        return self._found.get(name)
