"""How a config routes: its route table, effective levels, and the cells to ask about.

The live process, `explain`, `test`, `graph`, `diff` and the rules all ask the table
made here. Pure; runs in whatever thread asks.
"""

import bisect
from collections.abc import Iterable, Iterator

from logroute.config.model import Config, RouteSpec
from logroute.levels import HIGHEST, Levels
from logroute.light import NamedTuple
from logroute.matchers import MatchSpec, compile_match, is_glob
from logroute.routing import Attachment, Route, RouteTable

__all__ = [
    "CHILD",
    "STRANGER",
    "EffectiveLevel",
    "Grid",
    "all_of",
    "effective_level",
    "route_table",
]

#: A child of a mentioned logger, and a logger that nobody mentions: no name has a NUL.
CHILD = ".\0"
STRANGER = "\0"


def route_table(config: Config, levels: Levels) -> RouteTable:
    """Return the routes of `config`.

    Raises:
        ValueError: an unknown level or a bad pattern, which the rules tell of.
    """
    routes = [_route(spec, index, levels) for index, spec in enumerate(config.routes or ())]
    attachments = {
        name: Attachment(spec.handlers, spec.propagate is not False)
        for name, spec in config.loggers.items()
    }
    if config.root is not None:
        attachments["root"] = Attachment(config.root.handlers)
    handler_levels = {name: levels.number(spec.level) for name, spec in config.handlers.items()}
    leftover = [name for name in config.unmatched or () if name != "drop"]
    return RouteTable(routes, attachments, handler_levels, leftover)


def _route(spec: RouteSpec, index: int, levels: Levels) -> Route:
    return Route(
        label=spec.name or f"routes[{index}]",
        matcher=compile_match(spec.match, levels),
        to=spec.to,
        final=spec.final,
        final_below=None if spec.final_below is None else levels.number(spec.final_below),
        filters=spec.filters,
        audit=spec.audit,
    )


class EffectiveLevel(NamedTuple):
    """From which level a logger makes records, and the logger that says so.

    `origin` is the name of that logger, ``root``, or None where the file sets no
    level and stdlib's default counts.
    """

    number: int
    origin: str | None


def effective_level(config: Config, levels: Levels, logger: str) -> EffectiveLevel:
    """Return the level from which `logger` (``root`` for the root logger) makes records."""
    name = "" if logger == "root" else logger
    while name:
        spec = config.loggers.get(name)
        if spec is not None and spec.level is not None and levels.number(spec.level):
            return EffectiveLevel(levels.number(spec.level), name)
        name = name.rpartition(".")[0]
    if config.root is not None and config.root.level is not None:
        return EffectiveLevel(levels.number(config.root.level), "root")
    return EffectiveLevel(30, None)


class Grid:
    """Logger names and stretches of levels that stand for all records alike.

    No route, logger or handler tells two loggers apart that stand for the same
    name here, or two levels of one band, but for globs and conditions on content.

    Attributes:
        names: every logger that the config mentions, ``root``, a child of each
            (`CHILD` at the end) and a stranger (`STRANGER`), sorted.
        bands: closed intervals of level numbers, ascending, that cover all levels.
    """

    __slots__ = ("bands", "names")

    def __init__(self, *configs: Config, levels: Levels) -> None:
        """Find what `configs` tell apart; several give a grid fit for each of them.

        Raises:
            ValueError: an unknown level.
        """
        names, starts = {"root"}, {0}
        for config in configs:
            matches = [match for route in config.routes or () for match in all_of(route.match)]
            names |= {name for match in matches for name in match.logger if not is_glob(name)}
            names |= set(config.loggers)
            starts |= set(_starts(config, matches, levels))
        names.discard("")
        self.names = sorted(names | {name + CHILD for name in names} | {STRANGER})
        lows = sorted(level for level in starts if 0 <= level <= HIGHEST)
        highs = [*(low - 1 for low in lows[1:]), HIGHEST]
        self.bands = list(zip(lows, highs, strict=True))

    def band_of(self, level: int) -> tuple[int, int]:
        """Return the band that holds `level`."""
        lows = [low for low, _ in self.bands]
        return self.bands[bisect.bisect_right(lows, level) - 1]


def _starts(config: Config, matches: Iterable[MatchSpec], levels: Levels) -> Iterator[int]:
    """Yield each level at which something begins or ends to hold."""
    for match in matches:
        for low, high in levels.parse_set(match.level).intervals:
            yield from (low, high + 1)
    for route in config.routes or ():
        if route.final_below is not None:
            yield levels.number(route.final_below)
    loggers = [*config.loggers.values(), *([config.root] if config.root else [])]
    given = [logger.level for logger in loggers] + [h.level for h in config.handlers.values()]
    yield from (levels.number(level) for level in given if level is not None)
    yield 30  # stdlib's default level of the root logger


def all_of(match: MatchSpec) -> Iterator[MatchSpec]:
    """Yield a match and every match in it."""
    yield match
    inner = [*match.any, *match.all, *([match.negate] if match.negate else [])]
    for item in inner:
        yield from all_of(item)
