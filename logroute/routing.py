"""Routing: which handlers get a record. Pure; any thread may ask, both wings do.

One walk over the routes serves the live process, `explain` and the checks. For
each logger and level the routes that cannot match are left out once and for all
(`Plan`); only what depends on a record's content is looked at per record.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from logroute.light import NamedTuple
from logroute.matchers import Matcher, Probe

__all__ = ["Attachment", "Outcome", "Passage", "Plan", "Route", "RouteTable", "Share", "Through"]


class Route(NamedTuple):
    """One route: matcher, destinations, and whether it is the last one.

    The match alone decides whether a record takes it, and whether it is the last;
    `filters` decide what of the record its destinations get.
    """

    label: str
    matcher: Matcher
    to: tuple[str, ...]
    final: bool = False
    final_below: int | None = None
    filters: tuple[str, ...] = ()
    audit: bool = False

    def ends(self, levelno: int) -> bool:
        """Return whether a matched record of this level goes to no later route."""
        return self.final or (self.final_below is not None and levelno < self.final_below)


class Passage(NamedTuple):
    """What the filters of a route make of a record.

    Attributes:
        record: as it is behind them; None: they drop it.
        dropped_by: the filter that does.
        fault: what that filter raised, where it broke.
    """

    record: logging.LogRecord | None
    dropped_by: str | None = None
    fault: BaseException | None = None


#: Takes a record through the filters of a route.
Through = Callable[[Route, logging.LogRecord], Passage]


class Share(NamedTuple):
    """What one handler gets of a record.

    Attributes:
        passage: what the filters of `route` made of it.
        route: the first that brings it the record; where all drop it, the first of them.
        is_audited: a route says that it is delivered in the caller.
    """

    passage: Passage
    route: Route
    is_audited: bool


class Attachment(NamedTuple):
    """What the file says of one logger: its handlers, and whether records go on up."""

    handlers: tuple[str, ...] = ()
    propagate: bool = True


class Outcome(NamedTuple):
    """What one route did to a record, for `explain`.

    `handlers` are those it added; `failed` is the first condition that did not
    hold; `stopped_by` the earlier route that ended the walk; `dropped_by` the one
    of its filters that kept the record from `handlers`.
    """

    route: Route
    matched: bool
    failed: str | None
    stopped_by: str | None
    handlers: tuple[str, ...]
    dropped_by: str | None = None


class Plan:
    """The routes that a record of one logger and level may take.

    Attributes:
        by_content: whether the content of a record has to be looked at.
        has_filters: whether a route has filters, so that `deal` is to be asked.
        may_audit: whether a route is audited.
        leftover: the handlers of a record that no route wants.
        possible: every handler that a record may reach.
        routes: the routes that may match, in order.
    """

    __slots__ = (
        "_levelno",
        "_levels",
        "by_content",
        "has_filters",
        "leftover",
        "may_audit",
        "possible",
        "routes",
    )

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
        self.has_filters = any(route.filters for route in routes)
        self.may_audit = any(route.audit for route in routes)
        self.leftover = self._allowed(leftover)
        self.possible = self._allowed([name for route in routes for name in route.to])

    def taken(self, record: logging.LogRecord | None) -> list[Route]:
        """Return the routes that `record` takes, in order.

        `record` may be None where no route looks at content.
        """
        found: list[Route] = []
        for route in self.routes:
            for condition in route.matcher.by_content if record is not None else ():
                if not condition.test(record):  # a loop, since a generator costs as much again
                    break
            else:
                found.append(route)
                if route.ends(self._levelno):
                    break
        return found

    def pick(self, record: logging.LogRecord | None) -> tuple[str, ...] | None:
        """Return the handlers of `record`, each once; None where no route wants it.

        `record` may be None where no route looks at content. Filters are not asked.
        """
        taken = self.taken(record)
        return self._allowed([name for route in taken for name in route.to]) if taken else None

    def deal(self, record: logging.LogRecord, through: Through) -> dict[str, Share] | None:
        """Return what each handler gets of `record`; None where no route wants it.

        A handler gets it once, by the first route whose filters let it through.
        Filters are not asked where nothing depends on them.
        """
        taken = self.taken(record)
        shares: dict[str, Share] = {}
        for route in taken:
            names = self._allowed(route.to)
            if not any(_is_open(shares.get(name), route) for name in names):
                continue
            passage = through(route, record) if route.filters else Passage(record)
            for name in names:
                before = shares.get(name)
                is_audited = route.audit and (passage.record or passage.fault) is not None
                if before is not None:
                    is_audited = is_audited or before.is_audited
                if before is None or (before.passage.record is None and passage.record is not None):
                    shares[name] = Share(passage, route, is_audited)
                elif is_audited:
                    shares[name] = before._replace(is_audited=True)
        return shares if taken else None

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

    def explain(
        self,
        record: logging.LogRecord,
        dropped_by: Callable[[Route], str | None] = lambda _: None,
    ) -> Iterator[Outcome]:
        """Yield what each route does to `record`, top to bottom.

        `dropped_by` tells which filter of a route drops it.
        """
        chain, _ = self.chain(record.name)
        stopped_by: str | None = None
        given: set[str] = set()
        for route in chain:
            failed = None if stopped_by else route.matcher.first_failing(record)
            matched = not stopped_by and failed is None
            to = dict.fromkeys(route.to) if matched else ()
            handlers = tuple(name for name in to if name not in given)
            dropper = dropped_by(route) if matched else None
            if dropper is None:
                given.update(handlers)
            label = failed.label if failed else None
            yield Outcome(route, matched, label, stopped_by, handlers, dropper)
            if matched and route.ends(record.levelno):
                stopped_by = route.label


def _is_open(share: Share | None, route: Route) -> bool:
    """Return whether the filters of `route` have a say in what a handler gets."""
    if share is None or share.passage.record is None:
        return True
    return route.audit and not share.is_audited


_EVERYTHING = Matcher(())
