"""Explains where one record goes: by the routes, levels and filters that run live.

Nothing is opened, nothing sent, and nothing imported that the file names, unless
that is asked for. Runs in whatever thread asks.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from logroute.app.explanation import Arrival, Explanation, Step
from logroute.app.outputs import output_of
from logroute.app.specimen import make_record
from logroute.config.flow import effective_level, route_table
from logroute.config.load import Loaded
from logroute.config.model import Foreign, RecordSpec
from logroute.diagnostics import Span
from logroute.errors import ConfigError
from logroute.levels import Levels
from logroute.light import TYPE_CHECKING, Any
from logroute.records import copy_of
from logroute.routing import Outcome, Passage, Plan, Route, Share

if TYPE_CHECKING:
    from logroute.app.foreign import ForeignParts

__all__ = ["Explainer", "Gates", "Passages"]


#: Which of others' filters keeps a record from a handler, and what is not known.
Gate = tuple[str | None, tuple[str, ...]]
Gates = dict[str, Gate]


class Explainer:
    """Explains records by one config."""

    def __init__(self, loaded: Loaded, *, imports: bool = False) -> None:
        """Ask the config in `loaded`.

        Args:
            loaded: what loading found.
            imports: whether filters and formatters that the file names are imported.

        Raises:
            ConfigError: the config cannot be used.
        """
        if loaded.config is None or loaded.node is None:
            raise ConfigError(loaded.diagnostics)
        self.config = loaded.config
        self.node = loaded.node
        self.levels = Levels(loaded.config.levels)
        self.table = route_table(loaded.config, self.levels)
        self._imports = imports
        self._parts: ForeignParts | None = None
        self._places = _route_places(self)
        #: Filters by name; some remember what they have seen.
        self.live: dict[str, Callable[[Any], Any] | None] = {}
        self.keeps_filters = False

    # -- asking

    def record(self, spec: RecordSpec) -> logging.LogRecord:
        """Return the record that `spec` describes; see `make_record` for what is raised."""
        return make_record(spec, self.levels)

    def explain(self, record: logging.LogRecord) -> Explanation:
        """Return where `record` goes, and why."""
        if not self.keeps_filters:
            self.live.clear()
        told = Explanation(self, copy_of(record))
        self._explain_level(told)
        passed, told.dropped_by, told.doubts = self.run_filters(
            self.logger_filters(record.name), told.record
        )
        if passed is not None:
            told.record = passed
        plan = self.table.plan(told.record.name, told.record.levelno)
        told.record, gates = self.run_gates(plan, told.record)
        self.add_context(told.record)
        passages = Passages(self)
        shares = plan.deal(told.record, passages)
        outcomes = list(self.table.explain(told.record, passages.dropped_by))
        told.steps = self._steps(outcomes, told.record.levelno)
        self._explain_propagation(told)
        self._explain_arrivals(told, plan, shares, passages, gates)
        return told

    def output(self, handler: str, record: logging.LogRecord) -> str:
        """Return what `handler` writes of `record`; see `Explanation.output`."""
        load = self._import_formatter if self._imports else None
        return output_of(self.config, handler, record, load)

    def place_of(self, *paths: Sequence[str | int], key: bool = False) -> Span | None:
        """Return the place of the first of `paths` that the file has, or of its key."""
        for path in paths:
            node = self.node.at(path)
            if node is not None:
                parent = self.node.at(path[:-1]) if key else None
                return parent.keys[str(path[-1])] if parent is not None else node.span
        return None

    # -- the parts of an answer

    def _explain_level(self, told: Explanation) -> None:
        number, origin = effective_level(self.config, self.levels, told.record.name)
        told.level, told.level_origin = number, origin
        told.is_made = told.record.levelno >= number
        names = ("", "root") if origin == "root" else (origin,) if origin else ()
        paths: list[tuple[str, ...]] = [("root", "level"), ("root",)] if origin == "root" else []
        for name in names:
            paths += [("loggers", name, "level"), ("loggers", name)]
        told.level_place = self.place_of(*paths)

    def logger_filters(self, logger: str) -> tuple[str, ...]:
        """Return the filters of the logger that makes the record: those above do not run."""
        if logger == "root":
            return self.config.root.filters if self.config.root is not None else ()
        spec = self.config.loggers.get(logger)
        return spec.filters if spec is not None else ()

    def add_context(self, record: logging.LogRecord) -> None:
        """Put the file's context on `record`, as the dispatcher does."""
        for name, value in self.config.context.items():
            record.__dict__.setdefault(name, value)

    def _steps(self, outcomes: Iterable[Outcome], levelno: int) -> tuple[Step, ...]:
        steps = []
        for outcome in outcomes:
            route = outcome.route
            number, place = self._places.get(id(route), (None, None))
            if number is None:
                place = self._attachment_place(route)
            repeated = [name for name in dict.fromkeys(route.to) if name not in outcome.handlers]
            is_kept = outcome.dropped_by is not None
            steps.append(
                Step(
                    label=route.label,
                    place=place,
                    matched=outcome.matched,
                    failed=outcome.failed,
                    stopped_by=outcome.stopped_by,
                    conditions=tuple(c.label for c in route.matcher.conditions),
                    handlers=() if is_kept else outcome.handlers,
                    withheld=outcome.handlers if is_kept else (),
                    dropped_by=outcome.dropped_by,
                    audit=route.audit,
                    repeated=tuple(repeated) if outcome.matched else (),
                    is_last=outcome.matched and route.ends(levelno),
                    number=number,
                )
            )
        return tuple(steps)

    def _attachment_place(self, route: Route) -> Span | None:
        """Return where the handlers of a logger are named."""
        if route.label != "root":
            return self.place_of(("loggers", route.label.removeprefix("loggers."), "handlers"))
        owners: tuple[tuple[str, ...], ...] = (("root",), ("loggers", ""), ("loggers", "root"))
        return self.place_of(*((*owner, "handlers") for owner in owners))

    def _explain_propagation(self, told: Explanation) -> None:
        name = told.record.name if told.record.name != "root" else ""
        while name:
            at = self.table.attachments.get(name)
            if at is not None and not at.propagate:
                told.stops_at = name
                told.stops_place = self.place_of(("loggers", name, "propagate"))
                return
            name = name.rpartition(".")[0]

    def _explain_arrivals(
        self,
        told: Explanation,
        plan: Plan,
        shares: Mapping[str, Share] | None,
        passages: "Passages",
        gates: Gates,
    ) -> None:
        record = told.record
        told.is_unmatched = shares is None
        reached: Mapping[str, Share | None] = shares or {}
        chosen = dict.fromkeys(n for step in told.steps for n in (*step.handlers, *step.withheld))
        if shares is None:
            reached = dict.fromkeys(plan.leftover)
            if told.stops_at is None:
                chosen = dict.fromkeys(self.table.leftover)
        arrivals = []
        for name in chosen:
            share = reached.get(name)
            passage = Passage(record) if share is None else share.passage
            arrival = self._arrive(name, passage, gates.get(name), name in reached)
            if share is not None:
                doubts = passages.doubts.get(id(share.route), ())
                label = share.route.label if arrival.filter and passage.record is None else None
                arrival = arrival._replace(doubts=doubts + arrival.doubts, route=label)
            arrivals.append(arrival)
        told.arrivals = tuple(arrivals)
        if told.is_made and told.dropped_by is None:
            told.reaches = tuple(a.handler for a in told.arrivals if a.record is not None)
            is_quiet = self.config.unmatched is not None and told.stops_at is None
            told.to_stderr = (
                told.is_unmatched and not is_quiet and record.levelno >= logging.WARNING
            )

    def _arrive(self, name: str, passage: Passage, gate: Gate | None, is_reached: bool) -> Arrival:
        place = self.place_of(("handlers", name), key=True)
        if not is_reached:
            level = self.levels.name(self.table.handler_levels[name])
            return Arrival(name, place, None, level=level)
        stopped_by, doubts = gate or (None, ())
        if stopped_by is not None or passage.record is None:
            return Arrival(name, place, None, None, stopped_by or passage.dropped_by, doubts)
        passed, dropped_by, more = self.run_filters(self.own_filters_of(name), passage.record)
        return Arrival(name, place, passed, None, dropped_by, doubts + more)

    def run_route_filters(
        self, route: Route, record: logging.LogRecord
    ) -> tuple[logging.LogRecord | None, str | None, tuple[str, ...]]:
        """Run a route's filters as the live process does: others' first, on a copy."""
        others = [name for name in route.filters if self._is_foreign(name)]
        ours = [name for name in route.filters if not self._is_foreign(name)]
        given = copy_of(record) if others else record
        return self.run_filters([*others, *ours], given, of=route.label)

    def filters_of(self, handler: str) -> tuple[str, ...]:
        """Return a handler's filters in the order they run: others' in the caller, then ours."""
        return self._gates_of(handler) + self.own_filters_of(handler)

    def own_filters_of(self, handler: str) -> tuple[str, ...]:
        """Return a handler's filters of our kinds, which run for this handler alone."""
        names = self.config.handlers[handler].filters
        return tuple(name for name in names if not self._is_foreign(name))

    def _gates_of(self, handler: str) -> tuple[str, ...]:
        names = self.config.handlers[handler].filters
        return tuple(name for name in names if self._is_foreign(name))

    def _is_foreign(self, filter: str) -> bool:
        """Return whether a filter is somebody else's; objects of a dict have no spec."""
        spec = self.config.filters.get(filter)
        return spec is None or isinstance(spec, Foreign)

    def run_gates(self, plan: Plan, record: logging.LogRecord) -> tuple[logging.LogRecord, Gates]:
        """Run others' filters of every handler that may get the record, as the caller does.

        They run before the routes are asked, and what they change is there for all.
        """
        picked = None if plan.by_content else plan.pick(None)
        names = plan.leftover if picked is None else picked
        if plan.by_content:
            names = plan.possible + plan.leftover
        gates: Gates = {}
        for name in dict.fromkeys(names):
            filters = self._gates_of(name)
            if filters:
                passed, dropped_by, doubts = self.run_filters(filters, record)
                record = passed if passed is not None else record
                gates[name] = (dropped_by, doubts)
        return record, gates

    # -- filters

    def run_filters(
        self, names: Sequence[str], record: logging.LogRecord, of: str | None = None
    ) -> tuple[logging.LogRecord | None, str | None, tuple[str, ...]]:
        """Return the record behind the filters, or who dropped it, and what is not known.

        `of` is the route that has the filters, if one has.
        """
        doubts: list[str] = []
        for name in names:
            its = f"its filter `{name}`" if of is None else f"filter `{name}` of {of}"
            if name not in self.live:
                self.live[name] = self._live_filter(name)
            filter = self.live[name]
            if filter is None:
                doubts.append(f"{its} names code that is not imported")
                continue
            chance = self._chance(name, record)
            if chance is not None:
                doubts.append(f"{its} lets {chance:.0%} of such records pass")
                continue
            try:
                passed = filter(record)
            except Exception as fault:  # as in the live process: others' let pass, ours drop
                if not isinstance(self.config.filters.get(name), Foreign):
                    return None, name, tuple(doubts)
                doubts.append(f"{its} raises {type(fault).__name__}: {fault}")
                continue
            if not passed:
                return None, name, tuple(doubts)
            if isinstance(passed, logging.LogRecord):
                record = passed
        return record, None, tuple(doubts)

    def _live_filter(self, name: str) -> Callable[[Any], Any] | None:
        """Return a filter as a callable, None where it names code of somebody else."""
        spec = self.config.filters.get(name)
        if spec is not None and not isinstance(spec, Foreign):
            return spec.filter()
        if spec is not None and "()" not in spec.entry:
            return logging.Filter(str(spec.entry.get("name") or "")).filter
        if not self._imports:
            return None
        live: Any = name if spec is None else self._foreign.filter(name, spec.entry)
        call: Callable[[Any], Any] = live.filter if hasattr(live, "filter") else live
        return call

    def _chance(self, name: str, record: logging.LogRecord) -> float | None:
        """Return the part of such records that a `sample` lets pass, None where that is sure."""
        rate: object = getattr(self.config.filters.get(name), "rate", None)
        if not isinstance(rate, int | float) or not 0 < rate < 1 or self.keeps_filters:
            return None
        keep: Any = getattr(self.config.filters[name], "keep_level", None)
        return None if keep is None or record.levelno >= self.levels.number(keep) else rate

    @property
    def _foreign(self) -> "ForeignParts":
        if self._parts is None:
            from logroute.app.foreign import ForeignParts

            self._parts = ForeignParts(self.node, "any")
        return self._parts

    def _import_formatter(self, name: str) -> logging.Formatter:
        spec = self.config.formatters[name]
        assert isinstance(spec, Foreign)
        return self._foreign.formatter(name, spec.entry)


class Passages:
    """What the filters of the routes make of one record; each route is asked once.

    Attributes:
        doubts: what is not known of a route's filters, by the route's id.
    """

    def __init__(self, explainer: Explainer) -> None:
        """Run the filters of `explainer`."""
        self._explainer = explainer
        self._dropped_by: dict[int, str | None] = {}
        self.doubts: dict[int, tuple[str, ...]] = {}

    def __call__(self, route: Route, record: logging.LogRecord) -> Passage:
        """Take `record` through the filters of `route`."""
        passed, dropped_by, doubts = self._explainer.run_route_filters(route, record)
        self._dropped_by[id(route)] = dropped_by
        self.doubts[id(route)] = doubts
        return Passage(passed, dropped_by)

    def dropped_by(self, route: Route) -> str | None:
        """Return the filter of `route` that drops the record, if one does."""
        return self._dropped_by.get(id(route))


def _route_places(explainer: Explainer) -> dict[int, tuple[int, Span | None]]:
    """Return index and place of each top-level route, by its id: labels may repeat."""
    return {
        id(route): (index, explainer.place_of(("routes", index)))
        for index, route in enumerate(explainer.table.routes)
    }
