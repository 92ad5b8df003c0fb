"""The proof that a fix did what it was made for, and no harm."""

from collections import Counter
from collections.abc import Sequence

from logroute.config.decode import MAX_PROBLEMS
from logroute.config.edits import Changed
from logroute.config.flow import Grid, effective_level, route_table
from logroute.config.load import Loaded
from logroute.config.model import Config
from logroute.config.source import Source
from logroute.config.textplaces import Offsets
from logroute.diagnostics import Diagnostic, Severity
from logroute.levels import Levels
from logroute.routing import Plan

__all__ = ["Proof", "is_same_routing"]

#: Most steps that the comparison of two routings takes.
MAX_STEPS = 400_000


class Proof:
    """Two readings of a text, under one profile: before some fixes, and after them."""

    def __init__(self, old: Loaded, new: Loaded, changed: Changed, source: Source) -> None:
        self.old = old
        self.new = new
        self.changed = changed
        self._name = source.name
        self._before = Offsets(source.text)
        self._after = Offsets(changed.source.text)

    def is_cured(self, done: Sequence[Diagnostic]) -> bool:
        """Return whether the findings `done` are gone."""
        there = {(self._key(item), item.message) for item in self.new.diagnostics}
        return not any((self._moved(item), item.message) in there for item in done)

    def is_harmless(self, done: Sequence[Diagnostic]) -> bool:
        """Return whether no new error came up, and no safe fix changed where records go."""
        if not self._has_no_new_error(done):
            return False
        old, new = self.old.config, self.new.config
        if old is None or new is None or not all(item.fix and item.fix.is_safe for item in done):
            return True
        return is_same_routing(old, new)

    def _has_no_new_error(self, done: Sequence[Diagnostic]) -> bool:
        """Return whether no new error came up.

        Where an error was cured, what it had hidden may show now, but not at the
        very place that was edited.
        """
        errors = [item for item in self.new.diagnostics if item.severity is Severity.ERROR]
        known = Counter(self._moved(item) for item in self.old.diagnostics)
        fresh = Counter(map(self._key, errors)) - known
        is_cut = len(self.old.diagnostics) >= MAX_PROBLEMS  # others may have been left out
        if not fresh or (not is_cut and any(item.severity is not Severity.ERROR for item in done)):
            return not fresh
        edited = {self.changed.moved(place) for place in self.changed.places}
        return not any(name == self._name and place in edited for _, name, place in fresh)

    def _key(self, item: Diagnostic) -> tuple[str, str, int | None]:
        place = self._after.start_of(item.span) if item.span.file == self._name else item.span.line
        return item.code, item.span.file, place

    def _moved(self, item: Diagnostic) -> tuple[str, str, int | None]:
        if item.span.file != self._name:
            return item.code, item.span.file, item.span.line
        return item.code, self._name, self.changed.moved(self._before.start_of(item.span))


def is_same_routing(old: Config, new: Config) -> bool:
    """Return whether two configs send records of each logger and level the same ways.

    By the same filters, that is, and audited alike. Of a config with very many loggers
    and routes only a part is compared.
    """
    if old.levels != new.levels or _filters_by_place(old) != _filters_by_place(new):
        return False
    levels = Levels(old.levels)
    try:
        grid = Grid(old, new, levels=levels)
        tables = route_table(old, levels), route_table(new, levels)
        steps = len(grid.bands) * (1 + max(len(table.routes) for table in tables))
        stride = 1 + len(grid.names) * steps // MAX_STEPS
        for name in grid.names[::stride]:
            if effective_level(old, levels, name)[0] != effective_level(new, levels, name)[0]:
                return False
            for low, _ in grid.bands:
                first, second = (table.plan(name, low) for table in tables)
                if (first.possible, first.leftover) != (second.possible, second.leftover):
                    return False
                if _ways(old, first) != _ways(new, second):
                    return False
    except ValueError:  # a level that is not known
        return False
    return True


#: What a filter is: its spec, or its name where the file does not define it.
_Filter = object


def _filters_by_place(config: Config) -> dict[tuple[str, str], tuple[_Filter, ...]]:
    """Return the filters of handlers and loggers, of those that have any."""
    places = [("handlers", *pair) for pair in config.handlers.items()]
    loggers = {**config.loggers, **({"root": config.root} if config.root is not None else {})}
    found = {(part, name): _filters(config, spec.filters) for part, name, spec in places}
    found |= {("loggers", name): _filters(config, spec.filters) for name, spec in loggers.items()}
    return {place: filters for place, filters in found.items() if filters}


def _filters(config: Config, names: Sequence[str]) -> tuple[_Filter, ...]:
    # One that is named twice is asked twice, and drops what it drops.
    return tuple(config.filters.get(name, name) for name in dict.fromkeys(names))


def _ways(config: Config, plan: Plan) -> dict[str, list[tuple[tuple[_Filter, ...], bool]]]:
    """Return by handler the filters of the routes to it, and whether they are audited."""
    if not (plan.has_filters or plan.may_audit):  # as nearly always
        return {}
    ways: dict[str, list[tuple[tuple[_Filter, ...], bool]]] = {}
    for route in plan.routes:
        way = (_filters(config, route.filters), route.audit)
        for handler in route.to:
            ways_of = ways.setdefault(handler, [])
            if way not in ways_of:
                ways_of.append(way)
    return ways
