"""The survey: one walk over all routes, of which the rules on levels and routes live.

The walk goes over cells, each a logger name and a band of levels that stand for all
records alike to every route, logger and handler (`flow.Grid`). What a route takes is
asked of the compiled matcher that the live process uses, what a logger's own handlers
are of its route table. Globs, conditions on content and what is not known here count
for what they may take, never for what they surely take. Pure; runs in whatever thread
loads a config.
"""

import bisect
import logging
from collections.abc import Iterable, Iterator, Mapping
from weakref import WeakKeyDictionary

from logroute.config.flow import (
    CHILD,
    STRANGER,
    EffectiveLevel,
    Grid,
    effective_level,
    route_table,
)
from logroute.config.model import Config
from logroute.config.readers import Path
from logroute.config.views.certainty import has_unknown, is_fixed, is_overlaid, level_node
from logroute.config.views.facts import Facts
from logroute.config.views.lanes import Lane, Memo
from logroute.levels import HIGHEST, Levels, LevelSet
from logroute.matchers import Probe

__all__ = ["Row", "Survey", "parents", "survey"]

# The walk is left out rather than slow; that only hides findings.
_MOST_ROUTES = 2000
_MOST_STEPS = 120_000
_LONGEST_NAME = 500
_EVERY = HIGHEST + 1


class Row:
    """What becomes of the records of one logger name; sets of levels by handler.

    Attributes:
        name: the logger's; see `flow.Grid`.
        given: of which levels every record gets to a handler, whatever its own level.
        more: of which levels some may, besides.
        silenced: the levels that a route without handlers takes.
        matched: the levels of which every record is taken by some route.
        level: from which the logger makes records, and who says so.
        made: the levels of which it makes records; all where that is not sure.
        reaches_root: whether its records get to the top-level routes.
    """

    __slots__ = (
        "given",
        "level",
        "made",
        "matched",
        "more",
        "name",
        "reaches_root",
        "silenced",
    )

    def __init__(self, name: str, level: EffectiveLevel, made: int, reaches_root: bool) -> None:
        """Start with nothing given."""
        self.name = name
        self.level = level
        self.given: dict[str, int] = {}
        self.more: dict[str, int] = {}
        self.silenced = self.matched = 0
        self.made = made
        self.reaches_root = reaches_root

    @property
    def perhaps(self) -> Mapping[str, int]:
        """Of which levels some records may get to a handler."""
        if not self.more:
            return self.given
        found = dict(self.given)
        for handler, bits in self.more.items():
            found[handler] = found.get(handler, 0) | bits
        return found


class Survey:
    """The outcome of the walk.

    Attributes:
        lanes: the top-level routes.
        rows: by logger name.
        lows: the lowest level of each band.
        all: the set of all levels.
        named: the bands with a level that has a name.
        handler_levels: the handlers' own levels; None where one is not sure.
        passing: the levels that they let pass; all where that is not sure.
        unsure: the loggers whose level may be another elsewhere.
        knows_loggers: all that the file says of loggers is understood.
        knows_levels: nothing but the file, as it is, says which records loggers make.
    """

    def __init__(self, facts: Facts) -> None:
        """Walk over all cells.

        Raises:
            ValueError: an unknown level.
            OverflowError: there is too much to look at.
        """
        self.config = facts.config
        self.levels: Levels = Memo(facts.config.levels)
        self.unsure = _unsure_levels(facts)
        self.knows_loggers = _knows_loggers(facts)
        self.knows_levels = self.knows_loggers and not is_overlaid(facts, "root", "loggers")
        self.lanes = _lanes(facts, self.levels)
        config = self._understood()
        grid = Grid(config, levels=self.levels)
        self.lows = [low for low, _ in grid.bands]
        self.all = (1 << len(self.lows)) - 1
        numbers = {*logging.getLevelNamesMapping().values(), *config.levels.values()}
        self._numbers = sorted(numbers)
        self.named = 0
        for number in numbers:
            self.named |= 1 << (bisect.bisect_right(self.lows, number) - 1)
        # a child is taken by whatever takes its parent, but for globs, which are never sure
        self.names = [name for name in grid.names if not name.endswith(CHILD)]
        if any(len(name) > _LONGEST_NAME for name in self.names):
            raise OverflowError("a name too long to look at its parents")
        self._attached = route_table(config.replace(routes=None), self.levels)
        self._steps, self._most = 0, _MOST_STEPS
        self._prepare()
        self._passing(facts)
        self.rows = {name: self._row(name) for name in self.names}
        self._most = HIGHEST  # what a finding asks besides is little

    def _understood(self) -> Config:
        """Return the config without what is not known of it."""
        specs = tuple(lane.spec for lane in self.lanes)
        config = self.config.replace(routes=specs)
        return config if self.knows_loggers else config.replace(loggers={}, root=None)

    def _prepare(self) -> None:
        self._everywhere: list[int] = []
        self._by_name: dict[str, list[int]] = {}
        twins: dict[str, frozenset[str]] = {}
        for lane in self.lanes:
            match = lane.spec.match
            below = _EVERY if lane.spec.final else self.levels.number(lane.spec.final_below or 0)
            lane.ends = self.bits([(0, below - 1)])
            wanted = self.levels.parse_set(match.level).intervals if match.level else ()
            lane.plain_bits = self.bits(wanted) if match.level else self.all
            if lane.names is None:
                self._everywhere.append(lane.position)
            for name in lane.names or ():
                self._by_name.setdefault(name or "root", []).append(lane.position)
            if lane.is_known and not lane.is_sure and lane.gives_all:
                key = repr(match)
                lane.twins = twins.get(key, frozenset())
                twins[key] = lane.twins | set(lane.spec.to)

    def _row(self, name: str) -> Row:
        routes, reaches_root = self._attached.chain(name)
        level = effective_level(self.config, self.levels, name)
        is_sure = self.knows_levels and level.origin not in self.unsure
        made = self.from_level(level.number) if is_sure else self.all
        row = Row(name, level, made, reaches_root)
        for route in routes:
            for handler in route.to:
                row.given[handler] = self.all
            row.matched = self.all
        if reaches_root:
            self._walk(row)
        else:
            for lane in self.lanes_of(name):
                lane.wanted |= self.wanted_by(lane, name)
        return row

    def _walk(self, row: Row) -> None:
        live = certain = self.all
        given, more, made = row.given, row.more, row.made
        passed = given  # what a record that comes so far has got
        for lane in self.lanes_of(row.name):
            is_everywhere = lane.is_plain and lane.names is None
            wanted = lane.plain_bits if is_everywhere else self.wanted_by(lane, row.name)
            lane.wanted |= wanted
            take = wanted & live
            if not take:
                continue
            to = lane.spec.to
            self._count(len(to))
            lane.taken |= take
            lane.made |= take & made
            lane.origins.add(row.level)
            if not lane.is_useful:
                lane.is_useful = not lane.is_known or _adds(lane, passed, take)
            if not to or not lane.is_known:  # on purpose, or who knows where to
                row.silenced |= take
            if lane.is_sure:
                live &= ~(take & lane.ends)
                row.matched |= take & certain
                if not lane.gives_all:
                    _give(more, to, take)
                    continue
                _give(given, to, take & certain)
                if passed is not given:
                    _give(passed, to, take)
                    _give(more, to, take & ~certain)
                continue
            _give(more, to, take)
            ends = lane.ends if lane.is_known else self.all
            if take & ends:
                passed = dict(given) if passed is given else passed
                certain &= ~(take & ends)

    def lanes_of(self, name: str) -> Iterable[Lane]:
        """Return the routes that may take records of a logger, in order."""
        found = {position for parent in parents(name) for position in self._by_name.get(parent, ())}
        if not found:
            positions: Iterable[int] = self._everywhere
        else:
            positions = sorted(found.union(self._everywhere))
        self._count(len(self._everywhere) + len(found))
        return map(self.lanes.__getitem__, positions)

    def wanted_by(self, lane: Lane, name: str) -> int:
        """Return the levels of which the route may take records of one logger."""
        ask = lane.wide.holds_for
        if lane.is_plain:
            wanted = lane.plain_bits
            if not wanted or not lane.names:
                return wanted
            return wanted if ask(Probe(name, self.lows[_lowest(wanted)])) else 0
        self._count(4 * len(self.lows))
        return sum(1 << bit for bit, low in enumerate(self.lows) if ask(Probe(name, low)))

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > self._most:
            raise OverflowError("more than may be looked at")

    def from_level(self, number: int) -> int:
        """Return the levels from `number` on."""
        return self.bits([(number, HIGHEST)])

    def _passing(self, facts: Facts) -> None:
        """Find which levels each handler lets pass, where its own level is known."""
        self.handler_levels: dict[str, int | None] = {}
        self.passing: dict[str, int] = {}
        for name, spec in self.config.handlers.items():
            node = facts.node.at(("handlers", name, "level"))
            is_sure = node is None or is_fixed(node)
            level = self.levels.number(spec.level) if is_sure else None
            self.handler_levels[name] = level
            self.passing[name] = self.all if level is None else self.from_level(level)

    def reached(self, row: Row) -> int:
        """Return the levels of which records of a logger may reach a handler."""
        found = 0
        for name, bits in row.perhaps.items():
            found |= bits & self.passing.get(name, self.all)
        return found

    def delivered(self, row: Row, handler: str) -> int:
        """Return the levels of which a handler surely gets the records that a logger makes."""
        if self.handler_levels.get(handler) is None:
            return 0
        return row.given.get(handler, 0) & row.made & self.passing[handler]

    def bits(self, intervals: Iterable[tuple[int, int]]) -> int:
        """Return the set of the bands that lie in `intervals`."""
        found = 0
        for low, high in intervals:
            first = bisect.bisect_left(self.lows, low)
            last = bisect.bisect_right(self.lows, high)
            found |= (1 << last) - (1 << first) if last > first else 0
        return found

    def lowest(self, bits: int) -> int:
        """Return the lowest level of a set that is not empty."""
        return self.lows[_lowest(bits)]

    def describe(self, bits: int) -> str:
        """Return a set of levels in words."""
        highs = [*(low - 1 for low in self.lows[1:]), HIGHEST]
        bands = enumerate(zip(self.lows, highs, strict=True))
        found = LevelSet(band for bit, band in bands if bits >> bit & 1)
        return ", ".join(_stretch(*pair, self._numbers, self.levels) for pair in found.intervals)

    def row_of(self, name: str) -> Row:
        """Return the row that stands for a logger of any name."""
        found = next((self.rows[one] for one in parents(name) if one in self.rows), None)
        return found or self.rows[STRANGER]


_KEPT: "WeakKeyDictionary[Facts, Survey | None]" = WeakKeyDictionary()


def survey(facts: Facts) -> Survey | None:
    """Return the survey of a config, made once; None where it cannot be made."""
    if facts not in _KEPT:
        _KEPT[facts] = _made(facts)
    return _KEPT[facts]


def _made(facts: Facts) -> Survey | None:
    nodes, specs = facts.items("routes"), facts.config.routes or ()
    if facts.config.incremental or len(nodes) != len(specs) or len(specs) > _MOST_ROUTES:
        return None
    if facts.excess_pattern is not None:
        return None  # compiling it could take for ever
    try:
        return Survey(facts)
    except (ValueError, OverflowError):
        return None


def _give(given: dict[str, int], handlers: tuple[str, ...], levels: int) -> None:
    for handler in handlers:
        given[handler] = given.get(handler, 0) | levels


def _adds(lane: Lane, passed: dict[str, int], take: int) -> bool:
    """Return whether a route gives something to records that got to handlers before it."""
    for handler in lane.spec.to:
        if handler not in lane.twins and take & ~passed.get(handler, 0):
            return True
    return False


def _lanes(facts: Facts, levels: Levels) -> list[Lane]:
    pairs = zip(facts.config.routes or (), facts.items("routes"), strict=True)
    return [Lane(facts, levels, at, spec, node) for at, (spec, node) in enumerate(pairs)]


def parents(name: str) -> Iterator[str]:
    """Yield a logger's name and those of its parents, without the root logger."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _stretch(low: int, high: int, named: list[int], levels: Levels) -> str:
    """Return the levels from `low` to `high` in words, by the names that lie there."""
    inside = named[bisect.bisect_left(named, low) : bisect.bisect_right(named, high)]
    if high >= HIGHEST:
        return f"{levels.name(inside[0] if inside else low)} and above" if low else "every level"
    if not inside or inside == [0]:
        return f"levels {low} to {high}" if low < high else f"level {low}"
    first, last = levels.name(inside[0]), levels.name(inside[-1])
    if low == 0:
        return f"{last} and below"
    return first if first == last else f"{first}..{last}"


def _knows_loggers(facts: Facts) -> bool:
    paths: tuple[Path, ...] = (("loggers",), ("root",))
    nodes = [facts.node.at(path) for path in paths]
    is_broken = any(map(facts.is_broken, paths)) or not facts.misspelt.isdisjoint(
        {"loggers", "root"}
    )
    is_unknown = any(node is not None and has_unknown(node) for node in nodes)
    return facts.is_complete and not is_broken and not is_unknown


def _unsure_levels(facts: Facts) -> frozenset[str]:
    """Return the loggers whose level comes from a variable, and may be another elsewhere."""
    found = set()
    for name in (*facts.config.loggers, "root"):
        node = level_node(facts, name)
        if node is not None and not is_fixed(node):
            found.add(name)
    return frozenset(found)
