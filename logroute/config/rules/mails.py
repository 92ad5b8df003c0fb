"""Mails: handlers that send one for each record, or for records nobody reads.

Which records get to a handler is asked of the route table that the live process
uses, for every logger and stretch of levels that the file tells apart. Runs in
whatever thread loads a config.
"""

import re
from collections.abc import Collection, Iterator

from logroute.config.findings import subject
from logroute.config.flow import CHILD, STRANGER, Grid, effective_level, route_table
from logroute.config.model import Config, RouteSpec
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views.entries import class_of, handlers, kind_of
from logroute.config.views.facts import Facts
from logroute.config.views.fixes import add, replace
from logroute.diagnostics import Diagnostic, Severity, Span, info, warning
from logroute.light import NamedTuple
from logroute.matchers import Probe
from logroute.routing import Route, RouteTable
from logroute.units import format_duration

__all__ = ["mails_of_low_levels", "mails_per_record"]

_MOST_STEPS = 50_000
#: A digest that goes out more often than this is hardly one.
_SHORTEST_DIGEST_S = 5.0
_WARNING, _ERROR, _CRITICAL = 30, 40, 50
_CLASSES = ("logging.handlers.SMTPHandler", "django.utils.log.AdminEmailHandler")


@rule("LR802", Severity.WARNING)
def mails_per_record(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers that send a mail for each record (LR802).

    A fault seldom comes alone: a database that is away gives thousands of errors in
    a minute, and mail servers stop taking mail from whoever sends that many::

        handlers:
          mail:
            type: email
            host: smtp.example.org
            from: app@example.org
            to: [ops@example.org]
            batch: {max_wait: 0s}

    Write `max_wait: 60s`, or leave it out: the records of a minute then come as one
    mail. A `throttle` or `dedupe` filter at the handler limits them, too. That
    stdlib's `SMTPHandler` sends a mail for each warning is a remark only; see LR806
    for those of lower levels.
    """
    for name, entry in _mail_handlers(facts):
        base: Path = ("handlers", name, "batch")
        if kind_of(entry) != "email" or _is_limited(facts, name) or facts.is_broken(base):
            continue
        records, wait = entry.at(("batch", "max_records")), entry.at(("batch", "max_wait"))
        batch = getattr(facts.config.handlers[name], "batch", None)
        if batch is None:
            continue
        if records is not None and batch.max_records == 1 and not records.opaque:
            message = f"{subject(base[:2])} sends a mail for each record"
            fix = replace(records, 500, is_safe=False)
            yield warning("LR802", message, records.span, "write `max_records: 500`", fix)
        elif wait is not None and not wait.opaque and (batch.max_wait or 0) < _SHORTEST_DIGEST_S:
            every = format_duration(batch.max_wait or 0)
            message = f"{subject(base[:2])} gathers records for {every} only before each mail"
            fix = replace(wait, "60s", is_safe=False)
            yield warning("LR802", message, wait.span, "write `max_wait: 60s`", fix)
    singles = {name for name, entry in _mail_handlers(facts) if class_of(entry)}
    for name, reach in _lowest(facts, singles, _ERROR).items():
        if reach.level >= _WARNING:
            message = f"{subject(('handlers', name))} sends a mail for each warning"
            cure = "use `type: email`, which gathers them, or add `level: ERROR`"
            yield info("LR802", message, facts.view.place(("handlers", name), of_key=True), cure)


@rule("LR806", Severity.WARNING)
def mails_of_low_levels(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers that mail records below WARNING (LR806).

    Nobody reads a mail for each request, and what matters is lost among them::

        handlers:
          mail: {type: email, host: smtp.example.org, from: app@example.org, to: [ops@example.org]}
        root: {level: INFO, handlers: [mail]}

    Add `level: ERROR` to the handler, or a condition on the level to its route.
    Not meant are handlers with filters, routes with conditions on what is in a
    record, and those that are made for it: a route that names both logger and
    level, or a logger's route or `handlers` with the mail as the only destination.
    """
    names = {name for name, _ in _mail_handlers(facts)}
    for name, reach in _lowest(facts, names, _WARNING).items():
        path: Path = ("handlers", name)
        level = facts.levels.name(reach.level)
        message = f"{subject(path)} mails records of level {level} and above{_whose(reach.logger)}"
        fix = add(facts, path, "level: ERROR", is_safe=False)
        node = facts.node.at((*path, "level"))
        if node is not None:
            fix = replace(node, "ERROR", is_safe=False)
        yield Diagnostic(
            Severity.WARNING,
            "LR806",
            message,
            facts.view.place(path, of_key=True),
            f"{'write' if node is not None else 'add'} `level: ERROR`",
            (("they come from here", reach.place),),
            fix,
        )


def _whose(logger: str) -> str:
    if logger in (STRANGER, "root"):
        return ", of any logger"
    return f", of the logger `{shown(logger.removesuffix(CHILD))}`"


def _mail_handlers(facts: Facts) -> Iterator[tuple[str, Node]]:
    for name, entry in handlers(facts):
        if kind_of(entry) == "email" or class_of(entry) in _CLASSES:
            yield name, entry


def _is_limited(facts: Facts, name: str) -> bool:
    """Return whether a handler has filters, or a level that few records have."""
    entry = facts.node.at(("handlers", name))
    level = entry.at(("level",)) if entry is not None else None
    spec = facts.config.handlers.get(name)
    if spec is None or entry is None or "filters" in entry.value or (level and level.opaque):
        return True
    try:
        return facts.levels.number(spec.level) >= _CRITICAL
    except ValueError:
        return True


class _Reach(NamedTuple):
    """The lowest level of which a handler gets records, from which logger, and where."""

    level: int
    logger: str
    place: Span


def _lowest(facts: Facts, names: Collection[str], below: int) -> dict[str, _Reach]:
    """Return, for the handlers that get records below a level, the lowest of them."""
    wanted = {name for name in names if not _is_limited(facts, name)}
    if not wanted or facts.excess_pattern is not None or facts.config.incremental:
        return {}
    if any(facts.is_broken((key,)) for key in ("routes", "loggers", "root", "handlers")):
        return {}
    try:
        return _Search(facts, wanted, below).found()
    except (ValueError, re.error, OverflowError, RecursionError):
        return {}  # told by other rules


class _Search:
    def __init__(self, facts: Facts, wanted: set[str], below: int) -> None:
        self.facts = facts
        self.wanted = wanted
        self.below = below
        self.table: RouteTable = route_table(facts.config, facts.levels)
        self.specs = dict(
            zip(map(id, self.table.routes), enumerate(facts.config.routes or ()), strict=True)
        )

    def found(self) -> dict[str, _Reach]:
        config: Config = self.facts.config
        grid = Grid(config, levels=self.facts.levels)
        lows = [low for low, _ in grid.bands if low < self.below]
        found: dict[str, _Reach] = {}
        steps = 0
        # a stranger and the root logger first: what all share is the better example
        for name in sorted(grid.names, key=lambda name: (name not in (STRANGER, "root"), name)):
            spec = config.loggers.get(name) if name != "root" else config.root
            if spec is not None and spec.filters:
                continue
            lowest = effective_level(config, self.facts.levels, name).number
            chain, _ = self.table.chain(name)
            for low in lows:
                steps += len(chain) + 1
                if steps > _MOST_STEPS:
                    return found
                if low >= lowest:
                    self._look(chain, Probe(name, low), found)
        return found

    def _look(self, chain: tuple[Route, ...], probe: Probe, found: dict[str, _Reach]) -> None:
        """Note which handlers get all records that a probe stands for."""
        for route in chain:
            if route.matcher.by_content or not route.matcher.holds_for(probe):
                continue
            for handler in self.wanted & set(route.to):
                minimum = self.table.handler_levels[handler]
                known = found.get(handler)
                if probe.levelno < minimum or route.filters or self._is_deliberate(route):
                    continue
                if known is None or probe.levelno < known.level:
                    place = self.facts.view.place(self._path(route))
                    found[handler] = _Reach(probe.levelno, probe.name, place)
            if route.ends(probe.levelno):
                return

    def _is_deliberate(self, route: Route) -> bool:
        """Return whether a route is there to mail just these records."""
        is_alone = self.wanted.issuperset(route.to)
        position = self.specs.get(id(route))
        if position is None:
            return is_alone and route.label != "root"
        spec: RouteSpec = position[1]
        return bool(spec.match.logger) and (is_alone or bool(spec.match.level))

    def _path(self, route: Route) -> Path:
        position = self.specs.get(id(route))
        if position is not None:
            return ("routes", position[0], "to")
        if route.label == "root":
            return ("root", "handlers")
        return ("loggers", route.label.removeprefix("loggers."), "handlers")
