"""Routing: which handlers get a record. Pure; any thread may ask, both wings do.

One walk over the routes serves the live process, `explain` and the checks. For
each logger and level the routes that cannot match are left out once and for all
(`Plan`); only what depends on a record's content is looked at per record.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from logroute.matchers import Matcher, Probe

__all__ = ["Attachment", "Outcome", "Plan", "Route", "RouteTable"]


class Route(NamedTuple):
    """One route: matcher, destinations, and whether it is the last one."""

    label: str
    matcher: Matcher
    to: tuple[str, ...]
    final: bool = False
    final_below: int | None = None

    def ends(self, levelno: int) -> bool:
        """Return whether a matched record of this level goes to no later route."""
        return self.final or (self.final_below is not None and levelno < self.final_below)


class Attachment(NamedTuple):
    """What the file says of one logger: its handlers, and whether records go on up."""

    handlers: tuple[str, ...] = ()
    propagate: bool = True


class Outcome(NamedTuple):
    """What one route did to a record, for `explain`.

    `handlers` are those it added; `failed` is the first condition that did not
    hold; `stopped_by` the earlier route that ended the walk.
    """

    route: Route
    matched: bool
    failed: str | None
    stopped_by: str | None
    handlers: tuple[str, ...]


class Plan:
    """The routes that a record of one logger and level may take.

    Attributes:
        by_content: whether the content of a record has to be looked at.
        leftover: the handlers of a record that no route wants.
        possible: every handler that a record may reach.
        routes: the routes that may match, in order.
    """

    __slots__ = ("_levelno", "_levels", "by_content", "leftover", "possible", "routes")

    def __init__(
        self,
        levelno: int,
        routes: tuple[Route, ...],
        levels: Mapping[str, int],
        leftover: tuple[str, ...],
    ) -> None:
        """Keep `routes`, all of which may match; `levels` are the handlers' own."""
        self._levelno = levelno
        self.routes = routes
        self._levels = levels
        self.by_content = any(route.matcher.by_content for route in routes)
        self.leftover = self._allowed(leftover)
        self.possible = self._allowed([name for route in routes for name in route.to])

    def pick(self, record: logging.LogRecord | None) -> tuple[str, ...] | None:
        """Return the handlers of `record`, each once; None where no route wants it.

        `record` may be None where no route looks at content.
        """
        names: list[str] = []
        wanted = False
        for route in self.routes:
            if record is None or all(c.test(record) for c in route.matcher.by_content):
                wanted = True
                names += route.to
                if route.ends(self._levelno):
                    break
        return self._allowed(names) if wanted else None

    def _allowed(self, names: Sequence[str]) -> tuple[str, ...]:
        level = self._levelno
        return tuple(name for name in dict.fromkeys(names) if level >= self._levels[name])


class RouteTable:
    """All routes of a config, seen from the loggers that the engine is attached to."""

    def __init__(
        self,
        routes: Sequence[Route],
        attachments: Mapping[str, Attachment],
        handler_levels: Mapping[str, int],
        leftover: Sequence[str] = (),
    ) -> None:
        """Join the handlers of loggers and the top-level `routes`.

        `attachments` is by logger name, the root logger being ``root``;
        `leftover` names the handlers of records that no route wants.
        """
        self.routes = tuple(routes)
        self.attachments = dict(attachments)
        self.handler_levels = dict(handler_levels)
        self.leftover = tuple(leftover)

    def chain(self, logger: str) -> tuple[tuple[Route, ...], bool]:
        """Return the routes of a record made by `logger`, and whether it reaches root.

        A logger's own handlers are a route without conditions at that logger.
        """
        found: list[Route] = []
        name = logger if logger != "root" else ""
        while name:
            at = self.attachments.get(name)
            if at is not None:
                if at.handlers:
                    found.append(Route(f"loggers.{name}", _EVERYTHING, at.handlers))
                if not at.propagate:
                    return tuple(found), False
            name = name.rpartition(".")[0]
        root = self.attachments.get("root", Attachment())
        if root.handlers:
            found.append(Route("root", _EVERYTHING, root.handlers))
        return (*found, *self.routes), True

    def reaches_root(self, logger: str, attached_to: str | None = None) -> bool:
        """Return whether a record of `logger` gets to the top-level routes."""
        return self.chain(logger if attached_to is None else attached_to)[1]

    def plan(self, logger: str, levelno: int, attached_to: str | None = None) -> Plan:
        """Return the plan for records of `logger` and `levelno`.

        `attached_to` names the logger where the record was met; a record that was
        handed to a parent directly concerns only that parent and those above.
        """
        chain, reaches_root = self.chain(logger if attached_to is None else attached_to)
        probe = Probe(logger, levelno)
        possible: list[Route] = []
        for route in chain:
            if route.matcher.holds_for(probe):
                possible.append(route)
                if route.ends(levelno) and not route.matcher.by_content:
                    break
        leftover = self.leftover if reaches_root else ()
        return Plan(levelno, tuple(possible), self.handler_levels, leftover)

    def explain(self, record: logging.LogRecord) -> Iterator[Outcome]:
        """Yield what each route does to `record`, top to bottom."""
        chain, _ = self.chain(record.name)
        stopped_by: str | None = None
        given: set[str] = set()
        for route in chain:
            failed = None if stopped_by else route.matcher.first_failing(record)
            matched = not stopped_by and failed is None
            to = dict.fromkeys(route.to) if matched else ()
            handlers = tuple(name for name in to if name not in given)
            given.update(handlers)
            yield Outcome(route, matched, failed.label if failed else None, stopped_by, handlers)
            if matched and route.ends(record.levelno):
                stopped_by = route.label


_EVERYTHING = Matcher(())
