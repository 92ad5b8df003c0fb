"""Lanes: top-level routes as the survey sees them.

Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterable, Mapping

from logroute.config.flow import EffectiveLevel
from logroute.config.model import RouteSpec
from logroute.config.nodes import Node
from logroute.config.views.certainty import has_unknown
from logroute.config.views.facts import Facts
from logroute.levels import Levels, LevelSet
from logroute.matchers import MatchSpec, compile_match, is_glob

__all__ = ["Lane", "Memo"]


class Memo(Levels):
    """The levels of a config; thousands of routes ask for the same few sets."""

    def __init__(self, custom: Mapping[str, int]) -> None:
        super().__init__(custom)
        self._sets: dict[object, LevelSet] = {}
        self._words: dict[LevelSet, str] = {}

    def parse_set(self, value: str | int | Iterable[str | int]) -> LevelSet:
        """Return what `Levels` returns."""
        key = value if isinstance(value, str | int | tuple) else tuple(value)
        if key not in self._sets:
            self._sets[key] = super().parse_set(key)
        return self._sets[key]

    def describe(self, levels: LevelSet) -> str:
        """Return what `Levels` returns."""
        if levels not in self._words:
            self._words[levels] = super().describe(levels)
        return self._words[levels]


class Lane:
    """One top-level route as the walk sees it.

    Sets of levels are integers with one bit for each band.

    Attributes:
        position: its index in `routes`.
        spec: what it says.
        node: where.
        is_known: all of it is understood, and no part of it unknown here.
        is_sure: every record of the cells that it takes matches it. The match alone says
            whether a record goes to later routes, whatever the route's filters do with it.
        gives_all: no filters keep anything from its handlers.
        is_plain: no match stands inside its match.
        names: it takes these loggers and their children only; None: any.
        ends: the levels of which a matched record goes to no later route.
        wanted: the levels it would take of any logger, were it alone.
        taken: those that earlier routes leave it.
        made: those of them of which loggers make records, as far as the file says.
        origins: the levels of the loggers whose records it takes.
        is_useful: it adds a handler to some record.
    """

    __slots__ = (
        "ends",
        "gives_all",
        "is_known",
        "is_plain",
        "is_sure",
        "is_useful",
        "made",
        "names",
        "node",
        "origins",
        "plain_bits",
        "position",
        "spec",
        "taken",
        "twins",
        "wanted",
        "wide",
    )

    def __init__(
        self, facts: Facts, levels: Levels, position: int, spec: RouteSpec, node: Node
    ) -> None:
        """Compile the route; one that cannot be understood may take everything."""
        self.position = position
        self.node = node
        self.is_known = not facts.is_broken(("routes", position)) and not has_unknown(node)
        match, has_glob = spec.match, _has_glob(spec.match)
        if self.is_known:
            try:
                self.wide = compile_match(_without_globs(match) if has_glob else match, levels)
                facts.levels.number(spec.final_below or 0)
            except (ValueError, re.error, OverflowError, RecursionError):
                self.is_known = False  # which other rules tell
        if not self.is_known:
            spec = RouteSpec(to=spec.to)
            match, has_glob = spec.match, False  # everything
            self.wide = compile_match(match, levels)
        self.spec = spec
        self.is_plain = not _inner(match)
        self.names = None if any(map(is_glob, match.logger)) else match.logger or None
        self.is_sure = self.is_known and not (self.wide.by_content or has_glob)
        self.gives_all = not spec.filters
        self.wanted = self.taken = self.made = self.ends = self.plain_bits = 0
        self.is_useful = False
        self.origins: set[EffectiveLevel] = set()
        self.twins: frozenset[str] = frozenset()


def _inner(match: MatchSpec) -> list[MatchSpec]:
    return [*match.any, *match.all, *([match.negate] if match.negate else [])]


def _has_glob(match: MatchSpec) -> bool:
    return any(map(is_glob, match.logger)) or any(map(_has_glob, _inner(match)))


def _without_globs(match: MatchSpec) -> MatchSpec:
    """Return a match that takes all that `match` takes, and has no globs."""
    changes: dict[str, object] = {}
    if any(map(is_glob, match.logger)):
        changes["logger"] = ()
    if any(map(_has_glob, match.any)):
        changes["any"] = ()
    if match.negate is not None and _has_glob(match.negate):
        changes["negate"] = None
    if match.all:
        changes["all"] = tuple(map(_without_globs, match.all))
    return match.replace(**changes) if changes else match
