"""From a loaded config to its graph.

What is unreachable or unused is taken from the findings of the rules, and where
records get to from the route table that the live process asks. Pure; runs in the
thread of the command.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from logroute.cli.graphs import (
    Destination,
    Edge,
    Exit,
    Finding,
    Graph,
    Handler,
    Logger,
    Route,
)
from logroute.cli.graphs.parts import Parts, Target
from logroute.cli.graphs.words import Scale, say_match
from logroute.config.flow import Grid, effective_level, route_table
from logroute.config.load import Loaded
from logroute.config.model import Config, Foreign, HandlerSpec, LoggerSpec, RouteSpec
from logroute.config.nodes import shown
from logroute.config.readers import Path
from logroute.diagnostics import Diagnostic, Severity, Span
from logroute.levels import HIGHEST, Levels, LevelSet
from logroute.matchers import is_glob
from logroute.patterns import lazy_pattern
from logroute.routing import RouteTable

__all__ = ["build"]

#: Most questions to the route table; a larger config is drawn without these marks.
_MOST_QUESTIONS = 2_000_000


def build(loaded: Loaded, name: str, profile: str | None = None) -> Graph:
    """Return the graph of a config that could be loaded."""
    return _Builder(loaded).graph(shown(name, 200), profile)


class _Builder:
    """Makes the nodes and edges of one config."""

    def __init__(self, loaded: Loaded) -> None:
        assert loaded.config is not None and loaded.node is not None
        self.config: Config = loaded.config
        self.node = loaded.node
        self.found = [item for item in loaded.diagnostics if item.severity is not Severity.INFO]
        self.parts = Parts(loaded)
        self.levels = Levels(self.config.levels)
        self.scale = Scale(self.config.levels)
        self.table = route_table(self.config, self.levels)
        self.ids = _ids(self.config)
        self.unreachable = set(self._unreachable())
        self.reached, self.left = _follow(self.config, self.levels, self.table)

    def graph(self, name: str, profile: str | None) -> Graph:
        """Gather everything."""
        loggers = tuple(map(self._logger, self._names()))
        routes = tuple(self._route(*pair) for pair in enumerate(self.config.routes or ()))
        exit = self._exit()
        self._spread(routes, exit)
        handlers = tuple(self._handler(*pair) for pair in self.config.handlers.items())
        targets = {
            name: self.parts.target(name, spec)
            for name, spec in self.config.handlers.items()
            if not self._onward(spec) or self.parts.kind(name) not in _BUFFERS
        }
        destinations = _destinations(targets)
        edges = [*self._logger_edges(), *self._route_edges(routes, exit)]
        live = [edge for edge in edges if edge.is_live]
        return Graph(
            name,
            profile and shown(profile),
            self.scale.steps,
            loggers,
            routes,
            exit,
            handlers,
            tuple(destinations.values()),
            (*edges, *self._handler_edges(destinations, targets, live)),
            self.config.routes is not None,
            tuple(self._unused()),
        )

    # -- loggers

    def _names(self) -> Iterator[str]:
        """Yield root, then every logger behind its parent, in the order of the file."""
        children: dict[str, list[str]] = {}
        for name in self.config.loggers:
            children.setdefault(self._parent(name), []).append(name)
        waiting = ["root"]
        while waiting:
            name = waiting.pop()
            yield name
            waiting += reversed(children.get(name, []))

    def _parent(self, name: str) -> str:
        while name:
            name = name.rpartition(".")[0]
            if name in self.config.loggers:
                return name
        return "root"

    def _logger(self, name: str) -> Logger:
        is_root = name == "root"
        spec = (self.config.root if is_root else self.config.loggers[name]) or LoggerSpec()
        level = effective_level(self.config, self.levels, name)
        path: Path = ("root",) if is_root else ("loggers", name)
        return Logger(
            self.ids["logger", name],
            shown(name, 200),
            None if is_root else self.ids["logger", self._parent(name)],
            self.scale.step(level.number),
            level.origin and shown(level.origin, 200),
            tuple(shown(handler, 200) for handler in spec.handlers),
            self.parts.filters(spec.filters),
            is_root or spec.propagate is not False,
            self._place(path),
            self._findings(path),
        )

    # -- routes

    def _route(self, index: int, spec: RouteSpec) -> Route:
        path: Path = ("routes", index, "match")
        conditions = say_match(
            spec.match,
            self.levels,
            self.scale,
            lambda rest: self.parts.is_hidden((*path, *rest)),
        )
        below = spec.final_below
        return Route(
            f"route/{index + 1}",
            index + 1,
            spec.name and self.parts.show((*path[:2], "name"), spec.name),
            self.levels.parse_set(spec.match.level).intervals if spec.match.level else _ALL,
            conditions,
            self.parts.filters(spec.filters),
            tuple(shown(handler, 200) for handler in spec.to),
            spec.final,
            None if below is None else self.scale.step(self.levels.number(below)).name,
            spec.audit,
            index in self.unreachable,
            self._place(path[:2]),
            self._findings(path[:2]),
        )

    def _unreachable(self) -> Iterator[int]:
        """Yield the indices of the routes that LR302 tells of, which it counts from 1."""
        for item in self.found:
            told = _ROUTE.match(item.message) if item.code == "LR302" else None
            if told is not None:
                yield int(told[1]) - 1

    def _exit(self) -> Exit:
        unmatched = self.config.unmatched
        names = tuple(shown(name, 200) for name in unmatched or () if name != "drop")
        levels = self.scale.say_all(self.left) if self.left else None
        if unmatched is not None:
            fate = f"to {', '.join(names)}" if names else "dropped"
        elif not self.left or self.left[-1][1] < 30:
            fate = "only counted"
        elif not self.scale.has_name([(self.left[0][0], 29)]):
            fate = "to stderr"
        else:
            fate = f"{self.scale.say(30, HIGHEST)} to stderr, the rest only counted"
        return Exit("unmatched", levels, names, fate)

    # -- handlers

    def _spread(self, routes: Iterable[Route], exit: Exit) -> None:
        """Mark as reached what handlers hand on to, and what globs may reach."""
        for route, spec in zip(routes, self.config.routes or (), strict=True):
            if not route.is_unreachable and any(map(is_glob, spec.match.logger)):
                self.reached.update(spec.to)
        if exit.levels:
            self.reached.update(self._leftover())
        waiting = list(self.reached)
        while waiting:
            handler = self.config.handlers.get(waiting.pop())
            for other in _handed_on(handler) if handler is not None else ():
                if other not in self.reached:
                    self.reached.add(other)
                    waiting.append(other)

    def _handler(self, name: str, spec: HandlerSpec) -> Handler:
        path: Path = ("handlers", name)
        findings = self._findings(path)
        return Handler(
            self.ids["handler", name],
            shown(name, 200),
            self.parts.kind(name),
            self.scale.step(self.levels.number(spec.level)),
            self.parts.formatter(spec),
            self.parts.filters(spec.filters),
            self.parts.queue(name, spec),
            not any(finding.code == "LR202" for finding in findings),
            name in self.reached,
            self._place(path),
            findings,
        )

    # -- edges

    def _logger_edges(self) -> Iterator[Edge]:
        for name in self._names():
            spec = self.config.root if name == "root" else self.config.loggers[name]
            source, low = (
                self.ids["logger", name],
                effective_level(self.config, self.levels, name).number,
            )
            for handler in spec.handlers if spec is not None else ():
                yield self._sends(source, ((low, HIGHEST),), handler)
            if name != "root" and spec is not None and spec.propagate is not False:
                yield Edge(source, self.ids["logger", self._parent(name)], "propagates", True, low)

    def _route_edges(self, routes: tuple[Route, ...], exit: Exit) -> Iterator[Edge]:
        root, least = self.ids["logger", "root"], self.left[0][0] if self.left else 0
        if self.config.routes is None:
            if exit.levels:
                yield Edge(root, exit.id, "next", True, least)
        else:
            stops = [*(route.id for route in routes), exit.id]
            yield Edge(root, stops[0], "enters", bool(routes) or bool(exit.levels), 0)
            for source, target in pairwise(stops):
                yield Edge(source, target, "next", target != exit.id or bool(exit.levels), 0)
        for route, spec in zip(routes, self.config.routes or (), strict=True):
            for name in spec.to:
                edge = self._sends(route.id, route.levels, name)
                yield edge._replace(is_live=edge.is_live and not route.is_unreachable)
        for name in self._leftover():
            edge = self._sends(exit.id, self.left or _ALL, name)
            yield edge._replace(is_live=edge.is_live and exit.levels is not None)

    def _leftover(self) -> list[str]:
        return [name for name in self.config.unmatched or () if name != "drop"]

    def _sends(self, source: str, levels: tuple[tuple[int, int], ...], name: str) -> Edge:
        """Return the edge from a node that gives records of `levels` to a handler."""
        own = self.levels.number(self.config.handlers[name].level)
        passing = [max(low, own) for low, high in levels if high >= own]
        is_live = bool(passing) and name in self.reached
        return Edge(source, self.ids["handler", name], "sends", is_live, min([*passing, HIGHEST]))

    def _handler_edges(
        self,
        destinations: dict[Target, Destination],
        targets: dict[str, Target],
        arriving: list[Edge],
    ) -> Iterator[Edge]:
        for name, spec in self.config.handlers.items():
            source, is_live = self.ids["handler", name], name in self.reached
            level = self.levels.number(spec.level)
            for other in self._onward(spec):
                yield Edge(source, self.ids["handler", other], "hands_on", is_live, level)
            if name in targets:
                target = destinations[_key(targets[name])].id
                lowest = min((e.lowest for e in arriving if e.target == source), default=level)
                yield Edge(source, target, "delivers", is_live, max(lowest, level))

    def _onward(self, spec: HandlerSpec) -> list[str]:
        return [other for other in _handed_on(spec) if other in self.config.handlers]

    # -- findings

    def _place(self, path: Path) -> str:
        node = self.node.at(path)
        return "" if node is None else shown(str(self._key_or(path, node.span)), 300)

    def _key_or(self, path: Path, span: Span) -> Span:
        """Return the place of the key at the end of `path`; of the value where there is none."""
        parent = self.node.at(path[:-1])
        return parent.keys.get(str(path[-1]), span) if parent is not None else span

    def _findings(self, path: Path) -> tuple[Finding, ...]:
        """Return what was found between the key at `path` and the end of its value."""
        node = self.node.at(path)
        if node is None:
            return ()
        start = self._key_or(path, node.span)
        return tuple(
            Finding(item.code, item.message)
            for item in self.found
            if item.span.file == node.span.file
            and start[1:3] <= item.span[1:3] < max(node.span[3:5], start[3:5])
        )

    def _unused(self) -> Iterator[str]:
        """Yield the formatters and filters that LR202 tells of."""
        for item in self.found:
            for family in ("formatters", "filters"):
                section = self.node.at((family,))
                names = section.keys if item.code == "LR202" and section is not None else {}
                yield from (
                    f"{family.removesuffix('s')} {shown(name)}"
                    for name, span in names.items()
                    if span == item.span and _is_used_as(item, family)
                )


_ALL = ((0, HIGHEST),)
_ROUTE = lazy_pattern(r"route (\d+)\b")
# kinds of handlers that only keep records for another one
_BUFFERS = ("memory", "MemoryHandler", "QueueHandler")


def _ids(config: Config) -> dict[tuple[str, str], str]:
    """Return the ids of loggers and handlers, which may have any name."""
    loggers = {("logger", name): f"logger/{n}" for n, name in enumerate(["root", *config.loggers])}
    handlers = {("handler", name): f"handler/{n}" for n, name in enumerate(config.handlers, 1)}
    return loggers | handlers


def _is_used_as(item: Diagnostic, family: str) -> bool:
    return item.message.startswith(family.removesuffix("s"))


def _handed_on(spec: HandlerSpec) -> list[str]:
    """Return the handlers that a handler passes records on to."""
    if isinstance(spec.sink, Foreign):
        entry = spec.sink.entry
        is_nesting = str(entry.get("class", "")).endswith((".MemoryHandler", ".QueueHandler"))
        values: list[object] = [entry.get("target")] if is_nesting else []
        inner = entry.get("handlers") if is_nesting else None
        values += inner if isinstance(inner, list | tuple) else []
    else:
        values = [getattr(spec.sink, "target", None), getattr(spec, "fallback", None)]
    return [value for value in values if isinstance(value, str)]


def _key(target: Target) -> Target:
    """Return what tells one destination from another: two mailboxes of one server are one."""
    return target if target.kind == "code" else target._replace(detail="")


def _destinations(targets: dict[str, Target]) -> dict[Target, Destination]:
    found: dict[Target, Destination] = {}
    for target in targets.values():
        key = _key(target)
        seen = found.get(key)
        if seen is None:
            id = f"destination/{len(found) + 1}"
            found[key] = Destination(id, target.kind, target.text, target.detail)
        elif target.detail not in seen.detail.split("; "):
            detail = "; ".join(filter(None, (seen.detail, target.detail)))
            found[key] = seen._replace(detail=detail)
    return found


def _follow(
    config: Config, levels: Levels, table: RouteTable
) -> tuple[set[str], tuple[tuple[int, int], ...]]:
    """Return the handlers that records reach, and the levels that no route may want."""
    grid = Grid(config, levels=levels)
    size = len(grid.names) * len(grid.bands) * (len(table.routes) + 1)
    if size > _MOST_QUESTIONS:
        return set(config.handlers), ()
    reached: set[str] = set()
    left: list[tuple[int, int]] = []
    for name in grid.names:
        least = effective_level(config, levels, name).number
        for low, high in grid.bands:
            if high < least:
                continue
            plan = table.plan(name, low)
            reached.update(plan.possible)
            if table.reaches_root(name) and not any(
                not route.matcher.by_content for route in plan.routes
            ):
                reached.update(plan.leftover)
                left.append((low, high))
    return reached, LevelSet(left).intervals
