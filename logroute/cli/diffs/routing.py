"""Which handlers records reach before and after, asked of both route tables.

The question is put for each cell: a logger name and a band of levels that stand for
all records alike in both configs (`flow.Grid`). Conditions on content are not
evaluated; ways with equal conditions are equal. Pure; runs in the thread of the
command.
"""

import logging
from collections.abc import Iterable, Iterator

from logroute.cli.diffs import STDERR, Change, Line, Way
from logroute.cli.diffs.scopes import sum_up
from logroute.cli.graphs.parts import Parts
from logroute.cli.graphs.words import Scale, say_match
from logroute.config.flow import CHILD, Grid, all_of, effective_level, route_table
from logroute.config.nodes import shown
from logroute.levels import HIGHEST, Levels
from logroute.light import NamedTuple
from logroute.matchers import MatchSpec, Probe, compile_match, glob_to_regex, is_glob
from logroute.options import VEIL
from logroute.routing import Plan, Route, RouteTable

__all__ = ["TooLargeError", "compare_routing"]

#: Most pairs of a logger and a route, each at a microsecond or two.
_MOST_PAIRS = 8_000_000
_MOST_GLOBS = 200
#: All that a route table is made of.
_DECIDING = ("handlers", "loggers", "root", "routes", "unmatched", "levels")
_LEFT = "some records, by content: what no route wants"


class TooLargeError(Exception):
    """Two configs have too many loggers and routes to be compared."""


class _Step(NamedTuple):
    """What a route that may match means for one handler.

    The `key` is empty where all its records get there; `words` say which do,
    `is_content` whether by their content, and not by a filter alone.
    """

    key: tuple[object, ...]
    words: str
    has: bool
    ends: bool
    is_content: bool
    audit: bool


class Side:
    """One of the two configs."""

    def __init__(self, parts: Parts) -> None:
        """Compile its routes."""
        self.config = parts.config
        self.levels = Levels(self.config.levels)
        self.scale = Scale(self.config.levels)
        self.table = route_table(self.config, self.levels)
        self.grid = Grid(self.config, levels=self.levels)
        self._least: dict[str, int] = {}
        self._narrow = "", self.table
        # conditions that look at the logger alone need not be asked for each level
        self._by_name = [
            [c.test for c in route.matcher.by_name_and_level if c.label.startswith("logger: ")]
            for route in self.table.routes
        ]
        self._contents: dict[int, tuple[tuple[MatchSpec, ...], str]] = {}
        pairs = zip(self.table.routes, self.config.routes or (), strict=True)
        for index, (route, spec) in enumerate(pairs):
            content = tuple(_content_of(spec.match, self.levels))
            is_hidden = parts.is_hidden(("routes", index, "match"))
            self._contents[id(route)] = content, self._say(content, is_hidden)

    def _say(self, content: tuple[MatchSpec, ...], is_hidden: bool) -> str:
        told: list[str] = []
        for atom in content:
            told += say_match(atom, self.levels, self.scale, lambda _: False)
        return VEIL if is_hidden and told else "; ".join(told)

    def globs(self) -> list[str]:
        """Return the patterns of logger names."""
        matches = [match for route in self.config.routes or () for match in all_of(route.match)]
        return [name for match in matches for name in match.logger if is_glob(name)]

    def is_made(self, name: str, level: int) -> bool:
        """Return whether a logger makes records of a level."""
        if name not in self._least:
            self._least[name] = effective_level(self.config, self.levels, name).number
        return level >= self._least[name]

    def ways(self, name: str, level: int) -> dict[str, Way]:
        """Return how records of a logger and level get to handlers, by handler."""
        if not self.is_made(name, level):
            return {}
        plan = self._table_of(name).plan(name, level)
        steps = [(self._contents.get(id(route), ((), "")), route) for route in plan.routes]
        is_sure = any(not content[0] for content, _ in steps)
        found: dict[str, Way] = {}
        for handler in plan.possible:
            way = _way(
                handler,
                [_step(content, route, handler, level) for content, route in steps],
            )
            if way is not None:
                found[handler] = way
        if not is_sure and self.table.reaches_root(name):
            missed = tuple(content[0] for content, _ in steps)
            for handler in self._leftover(plan, level):
                way = Way(handler, ("left", missed), _LEFT) if missed else Way(handler, (), "")
                before = found.get(handler)
                found[handler] = way if before is None else _either(before, way)
        return found

    def _table_of(self, name: str) -> RouteTable:
        """Return the route table without the routes that are not for a logger."""
        if self._narrow[0] != name:
            probe = Probe(name, 0)
            pairs = zip(self.table.routes, self._by_name, strict=True)
            routes = [route for route, tests in pairs if all(test(probe) for test in tests)]
            whole = self.table
            narrow = RouteTable(routes, whole.attachments, whole.handler_levels, whole.leftover)
            self._narrow = name, narrow
        return self._narrow[1]

    def _leftover(self, plan: Plan, level: int) -> tuple[str, ...]:
        is_shown = self.config.unmatched is None and level >= logging.WARNING
        return (STDERR,) if is_shown else plan.leftover


def _step(
    content: tuple[tuple[MatchSpec, ...], str], route: Route, handler: str, level: int
) -> _Step:
    """Return what `route`, whose conditions on content are `content`, means for a handler."""
    key: tuple[object, ...] = content[0]
    words, has = content[1], handler in route.to
    is_content = bool(key)
    if has and route.filters:
        key = (*key, ("through", *route.filters))
        through = "through " + ", ".join(shown(name) for name in route.filters)
        words = f"{words}; {through}" if words else through
    return _Step(key, words, has, route.ends(level), is_content, has and route.audit)


def _either(one: Way, other: Way) -> Way:
    """Return the way of a handler that routes send to and `unmatched`, too."""
    words = f"{one.words} or {other.words}" if one.words and other.words else ""
    return Way(one.handler, (one.key, other.key) if words else (), words)


def _content_of(match: MatchSpec, levels: Levels) -> Iterator[MatchSpec]:
    """Yield the conditions that depend on what a record says, one by one."""
    atoms = [MatchSpec(**{key: value}) for key, value in match.__dict__.items() if key in _INNER]
    for name, test in match.fields.items():
        yield MatchSpec(fields={name: test})
    for atom in atoms:
        if compile_match(atom, levels).by_content:
            yield atom
    for item in match.all:
        yield from _content_of(item, levels)


_INNER = ("exception", "message", "any", "negate")


def _way(handler: str, steps: Iterable[_Step]) -> Way | None:
    """Return which records get to a handler past the routes that may match.

    What decides is which conditional routes send to it, which end the walk before,
    and whether a route without such conditions sends all the others.
    """
    kept: list[_Step] = []
    for step in steps:
        if step.has or step.ends:
            kept.append(step)
        if not step.key and (step.has or step.ends):
            break
    while kept and not kept[-1].has:
        kept.pop()
    if not kept:
        return None
    lost = [step for step in kept if step.ends and not step.has]
    way = Way(handler, (), "")
    if kept[-1].key or lost:
        key = tuple((step.key, step.has, step.ends) for step in kept)
        way = Way(handler, key, _say(kept, lost))
    if any(step.audit for step in kept):
        words = f"{way.words}; audited" if way.words else "audited"
        way = Way(handler, (*way.key, "audited"), words)
    return way


def _say(kept: list[_Step], lost: list[_Step]) -> str:
    """Return which records get through, in words."""
    some = " or ".join(dict.fromkeys(step.words for step in kept if step.has and step.key))
    stopped = " or ".join(dict.fromkeys(step.words for step in lost))
    if not kept[-1].key:
        return f"all but some, by content: {stopped}"
    if any(step.is_content for step in kept if step.has and step.key):
        some = f"some records, by content: {some}"
    return some + (f", unless {stopped}" if stopped else "")


# -- comparing


def compare_routing(old: Parts, new: Parts) -> tuple[Line, ...]:
    """Return what differs in where records go.

    Raises:
        TooLargeError: there is too much to compare.
    """
    if all(getattr(old.config, key) == getattr(new.config, key) for key in _DECIDING):
        return ()
    before, after = Side(old), Side(new)
    names = _names(before, after)
    lows = sorted({low for side in (before, after) for low, _ in side.grid.bands})
    bands = list(zip(lows, [*(low - 1 for low in lows[1:]), HIGHEST], strict=True))
    routes = len(before.table.routes) + len(after.table.routes) + 2
    if len(names) * routes > _MOST_PAIRS:
        raise TooLargeError
    changes = {(name, low): _change(before, after, name, low) for name in names for low, _ in bands}
    return sum_up(names, bands, changes)


def _names(before: Side, after: Side) -> list[str]:
    """Return the names of both grids, and what the globs of one may take of the other."""
    found = {*before.grid.names, *after.grid.names}
    literal = [name for name in found if "\0" not in name]
    for glob in dict.fromkeys([*before.globs(), *after.globs()][:_MOST_GLOBS]):
        for name in _taken_by(glob, literal):
            found |= {name, name + CHILD}
    return sorted(found)


def _taken_by(glob: str, literal: list[str]) -> Iterator[str]:
    """Yield names that stand for what a glob takes, also below the loggers of the file."""
    import re

    pattern = re.compile(glob_to_regex(glob))
    instance = re.sub(r"\*+|\?", "\0", glob)
    yield instance
    parts = instance.split(".")
    for start in range(len(parts)):
        rest = ".".join(parts[start:])
        for name in literal:
            inner = f"{name}.{rest}"
            if pattern.fullmatch(inner) and not pattern.fullmatch(name):
                yield inner


def _change(before: Side, after: Side, name: str, level: int) -> Change | None:
    """Return what differs for one cell, None where nothing does."""
    was_made, is_made = before.is_made(name, level), after.is_made(name, level)
    old, new = before.ways(name, level), after.ways(name, level)
    pairs = [(old[handler], way) for handler, way in new.items() if handler in old]
    change = Change(
        None if was_made == is_made else (was_made, is_made),
        tuple(way for handler, way in sorted(new.items()) if handler not in old),
        tuple(way for handler, way in sorted(old.items()) if handler not in new),
        tuple(sorted((pair for pair in pairs if pair[0].key != pair[1].key), key=_name_of)),
    )
    return change if any(change) else None


def _name_of(pair: tuple[Way, Way]) -> str:
    return pair[0].handler
