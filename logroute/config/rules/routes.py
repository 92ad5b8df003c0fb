"""Routes: those that no record can reach.

The question is decided over cells, each a logger name and a level that stand
for all records alike to every route: the names are those that any route
mentions, a child of each, and a stranger; the levels are where any range
begins. Whether a route takes a cell is asked of the compiled matcher that the
live process uses. Conditions on content and globs never count as cover, so that
a route is only called unreachable where it is.
"""

import bisect
import contextlib
import re
from collections.abc import Iterable, Iterator

from logroute.config.flow import CHILD, STRANGER, all_of
from logroute.config.model import RouteSpec
from logroute.config.nodes import Node
from logroute.config.rules.facts import Facts
from logroute.config.rules.rule import rule
from logroute.diagnostics import Diagnostic, Severity, Span, warning
from logroute.levels import HIGHEST, Levels, LevelSet
from logroute.matchers import MatchSpec, Probe, compile_match, is_glob

__all__ = ["unreachable_routes"]

# The check is left unfinished rather than slow; that only hides warnings.
_MOST_ROUTES = 1000
_MOST_STEPS = 150_000
_COST_OF_ASKING = 16
_SHOWN_COVERS = 3


@rule("LR302", Severity.WARNING)
def unreachable_routes(facts: Facts) -> Iterator[Diagnostic]:
    """Find routes that can never get a record (LR302).

    Routes are tried from top to bottom, and a record that matches one with
    `final: true` goes to no later one::

        routes:
          - {match: {logger: app}, to: file, final: true}
          - {match: {logger: app.db, level: ERROR}, to: mail}

    Move the narrower route up, or remove `final`.
    """
    routes = list(_routes(facts))
    if not any(route.is_cover or not route.is_plain for route in routes):
        return
    with contextlib.suppress(_EnoughError):
        yield from _find(routes, _Cells(routes, facts.levels))


def _find(routes: list["_Route"], cells: "_Cells") -> Iterator[Diagnostic]:
    covers: list[_Route] = []
    for route in routes:
        if route.is_known and not cells.has_free(route):
            yield _unreachable(route, covers, cells)
        elif route.is_cover and cells.take(route):
            covers.append(route)


class _Route:
    """One route as the check sees it.

    `wide` takes every record that the route may take, and perhaps more;
    `names` limit it to these loggers and their children, None: any.
    """

    __slots__ = (
        "final_below",
        "is_cover",
        "is_known",
        "is_plain",
        "names",
        "node",
        "position",
        "spec",
        "wide",
    )

    def __init__(self, facts: Facts, position: int, spec: RouteSpec, node: Node) -> None:
        """Compile the route.

        Raises:
            ValueError: an unknown level (or `re.error`: a bad pattern).
        """
        match = spec.match
        has_glob = _has_glob(match)
        self.position = position
        self.spec = spec
        self.node = node
        self.wide = compile_match(_without_globs(match) if has_glob else match, facts.levels)
        self.is_plain = not _inner(match)
        self.names = None if any(map(is_glob, match.logger)) else match.logger or None
        self.final_below = _EVERY if spec.final else facts.levels.number(spec.final_below or 0)
        self.is_known = not facts.is_broken(("routes", position)) and not _has_unknown(node)
        is_sure = self.is_known and not (self.wide.by_content or has_glob or spec.filters)
        self.is_cover = is_sure and self.final_below > 0


_EVERY = HIGHEST + 1


def _routes(facts: Facts) -> Iterator[_Route]:
    nodes, specs = facts.items("routes"), facts.config.routes or ()
    if len(nodes) != len(specs):
        return  # some are no routes at all
    if facts.excess_pattern is not None:
        return  # compiling it could take for ever
    for position, (spec, node) in enumerate(zip(specs[:_MOST_ROUTES], nodes, strict=False)):
        try:
            yield _Route(facts, position, spec, node)
        except (ValueError, re.error, OverflowError, RecursionError):
            continue  # told by other rules; what it may have meant is not known


def _has_unknown(node: Node) -> bool:
    if isinstance(node.value, dict):
        return node.opaque or any(map(_has_unknown, node.value.values()))
    if isinstance(node.value, list):
        return node.opaque or any(map(_has_unknown, node.value))
    return node.opaque


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


class _EnoughError(Exception):
    """The check has done as much as it may."""


class _Cells:
    """All cells; for each logger, the levels that earlier routes have taken for good.

    Sets of levels are integers with one bit for each level in `levels`.
    """

    def __init__(self, routes: list[_Route], levels: Levels) -> None:
        matches = [match for route in routes for match in all_of(route.spec.match)]
        self.levels = _bounds(matches, (route.final_below for route in routes), levels)
        literal = {name for match in matches for name in match.logger if not is_glob(name)}
        literal |= {"root"}
        self.names = sorted(literal | {name + CHILD for name in literal} | {STRANGER})
        self._taken = dict.fromkeys(self.names, 0)
        self._taken_everywhere = 0
        self._wanted = {  # a route without inner matches wants the same levels everywhere
            route: self._bits(levels.parse_set(route.spec.match.level).intervals)
            if route.spec.match.level
            else self._bits([(0, HIGHEST)])
            for route in routes
            if route.is_plain
        }
        self._steps = 0

    def has_free(self, route: _Route) -> bool:
        """Return whether the route may take a cell that is not taken yet."""
        everywhere = self._taken_everywhere
        wanted = self._wanted.get(route, -1)
        if wanted & ~everywhere == 0:
            return False
        return any(wanted & ~(self._taken[name] | everywhere) for name, wanted in self.of(route))

    def take(self, route: _Route) -> bool:
        """Mark the cells at which the route is the last one; return whether there are any."""
        ends = self.ends(route)
        if route.is_plain and not route.spec.match.logger:
            self._taken_everywhere |= self._wanted[route] & ends
            return bool(self._wanted[route] & ends)
        found = 0
        for name, wanted in self.of(route):
            self._taken[name] |= wanted & ends
            found |= wanted & ends
        return found != 0

    def of(self, route: _Route) -> Iterator[tuple[str, int]]:
        """Yield each logger name with the levels at which the route may take it."""
        for name in self._candidates(route.names):
            wanted = self.at(route, name)
            if wanted:
                yield name, wanted

    def at(self, route: _Route, name: str) -> int:
        """Return the levels at which the route may take records of one logger.

        Raises:
            _EnoughError: no more may be asked.
        """
        self._steps += 1 if route.is_plain else _COST_OF_ASKING * len(self.levels)
        if self._steps > _MOST_STEPS:
            raise _EnoughError
        ask = route.wide.holds_for
        if not route.is_plain:
            numbered = enumerate(self.levels)
            return sum(1 << bit for bit, level in numbered if ask(Probe(name, level)))
        wanted = self._wanted[route]
        if not wanted or not route.names:
            return wanted
        return wanted if ask(Probe(name, self.levels[_lowest(wanted)])) else 0

    def ends(self, route: _Route) -> int:
        """Return the levels at which a record that matches goes to no later route."""
        return self._bits([(0, route.final_below - 1)])

    def _bits(self, intervals: Iterable[tuple[int, int]]) -> int:
        found = 0
        for low, high in intervals:
            first = bisect.bisect_left(self.levels, low)
            last = bisect.bisect_right(self.levels, high)
            found |= (1 << last) - (1 << first)
        return found

    def _candidates(self, loggers: tuple[str, ...] | None) -> Iterable[str]:
        """Return the names that a route for `loggers` may take."""
        if loggers is None:
            return self.names
        found: dict[str, None] = {}
        for logger in loggers:
            name = logger or "root"
            first = bisect.bisect_left(self.names, f"{name}.")
            last = bisect.bisect_left(self.names, f"{name}/")  # the character after the dot
            found.update(dict.fromkeys([name, *self.names[first:last]]))
        return found


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _bounds(matches: list[MatchSpec], ends: Iterable[int], levels: Levels) -> list[int]:
    """Return one level from each stretch of levels that all routes treat alike."""
    found = {0}
    for match in matches:
        wanted: LevelSet = levels.parse_set(match.level)
        for low, high in wanted.intervals:
            found |= {low, high + 1}
    found.update(ends)
    return sorted(level for level in found if 0 <= level <= HIGHEST)


def _unreachable(route: _Route, covers: list[_Route], cells: _Cells) -> Diagnostic:
    taken = dict(cells.of(route))
    if not taken:
        span = _place(route)
        cure = "its conditions exclude each other"
        return warning("LR302", f"{_title(route)} can never match a record", span, cure)
    related: list[tuple[str, Span]] = []
    for cover in covers:
        kept = cells.ends(cover)
        shares = [(cells.at(cover, name) & kept & wanted, wanted) for name, wanted in taken.items()]
        if all(share == wanted for share, wanted in shares):
            related = [("this route takes every such record first", _place(cover))]
            break
        if any(share for share, _ in shares):
            related.append(("this route takes some of its records", _place(cover)))
    return Diagnostic(
        Severity.WARNING,
        "LR302",
        f"{_title(route)} can never be reached",
        _place(route),
        f"move it up, or remove {_what_ends(covers)} above",
        tuple(related[:_SHOWN_COVERS]),
    )


def _title(route: _Route) -> str:
    name = f" `{route.spec.name}`" if route.spec.name else ""
    return f"route {route.position + 1}{name}"


def _what_ends(covers: list[_Route]) -> str:
    return "`final`" if any(route.spec.final for route in covers) else "`final_below`"


def _place(route: _Route) -> Span:
    """Return the place of the route's match, or of its beginning."""
    match = route.node.at(("match",))
    span = (match or route.node).span
    if span.line == span.end_line:
        return span
    return span._replace(end_line=span.line, end_column=span.column + 1)


ADVICE = (unreachable_routes,)
