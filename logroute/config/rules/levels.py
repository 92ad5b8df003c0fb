"""Levels: names that are none, ranges that are empty, numbers without a name."""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import shown
from logroute.config.readers import Site
from logroute.config.rules.rule import rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity, error, info
from logroute.matchers import MatchSpec
from logroute.options import VEIL
from logroute.shapes import LEVEL

__all__ = ["empty_ranges", "unknown_levels", "unnamed_levels"]

# a guess at what was meant takes its time
_MOST = 200
# short for one level and nothing else; other synonyms are only near it
_ABBREVIATIONS = frozenset({"err", "eror", "crit", "wrn", "dbg", "inf", "information"})


@rule("LR301", Severity.ERROR)
def unknown_levels(facts: Facts) -> Iterator[Diagnostic]:
    """Find level names that do not exist (LR301).

    Known are the names of the standard library in any case, what the program
    registered with `logging.addLevelName` before, and the file's own `levels`::

        handlers:
          console: {type: console, level: WARNNG}

    Correct the name, or add it: `levels: {TRACE: 5}`.
    """
    for site, fault in _faults(facts):
        if not _is_empty(fault):
            yield _told(facts, "LR301", site, fault)


@rule("LR303", Severity.ERROR)
def empty_ranges(facts: Facts) -> Iterator[Diagnostic]:
    """Find conditions on the level that no level can meet (LR303).

    The lower end of a range stands first::

        routes:
          - {match: {level: "ERROR..INFO"}, to: console}

    Write `INFO..ERROR` instead. A bare level means that level and above, so that
    `>CRITICAL` is possible, but `<NOTSET` is not.
    """
    for site, fault in _faults(facts):
        if _is_empty(fault):
            yield _told(facts, "LR303", site, fault)


def _faults(facts: Facts) -> Iterator[tuple[Site, ValueError]]:
    known: dict[tuple[bool, object], ValueError | None] = {}
    declared = {name.casefold() for name in facts.section("levels")}
    found = 0
    for site in facts.view.found.sites:
        if site.shape is not LEVEL:
            continue
        is_set = site.owner is MatchSpec
        key = (is_set, site.value)
        if key not in known:
            known[key] = _fault(facts, site.value, is_set)
        fault = known[key]
        if fault is not None and str(site.value).casefold() in declared:
            continue  # whose number is told to be wrong
        if fault is not None:
            yield site, fault
            found += 1
        if found == _MOST:
            return


def _fault(facts: Facts, value: str | int, is_set: bool) -> ValueError | None:
    try:
        if not is_set:
            facts.levels.number(value)
        elif not facts.levels.parse_set(value).intervals:
            return ValueError(f"`{value}` holds no level", "no level is below 0")
    except ValueError as fault:
        return fault
    return None


def _is_empty(fault: ValueError) -> bool:
    return str(fault.args[0]).endswith("holds no level")


def _told(facts: Facts, code: str, site: Site, fault: ValueError) -> Diagnostic:
    message, *cure = fault.args
    if facts.view.is_secret(site.path):
        return error(code, f"`{VEIL}` is no level", site.node.span)
    from logroute.config.slips import text_cure  # only for a finding

    slip = text_cure(facts.view, site.path)
    if "${" in str(site.value):  # in a plain dictConfig file, where it stays as it is
        slip = "set the variable, or write a level"
    return error(
        code,
        shown(str(message), 300),
        site.node.span,
        slip or (str(cure[0]) if cure else "") or None,
        None if slip else _fix(site, str(cure[0]) if cure else ""),
    )


def _fix(site: Site, cure: str) -> Fix | None:
    """Return the fix where the help names one level, or the range the right way round."""
    word = site.value if isinstance(site.value, str) else ""
    meant = cure.removeprefix("did you mean ").removeprefix("write ").strip("`?")
    if not word or cure == meant or f"`{meant}`" not in cure:
        return None
    from logroute.config.rules.names import is_near
    from logroute.config.views import fixes  # only for a finding

    if cure.startswith("write "):
        return fixes.replace(site.node, meant)
    is_short = word.strip().casefold() in _ABBREVIATIONS
    if is_short or is_near(word.strip().upper(), meant):
        return fixes.replace(site.node, meant, is_safe=is_short)
    return None


@rule("LR311", Severity.INFO)
def unnamed_levels(facts: Facts) -> Iterator[Diagnostic]:
    """Find level numbers that have no name (LR311).

    A record of such a level is written as "Level 25" wherever a format has
    `levelname`, and readers of the file have to guess::

        loggers:
          app: {level: 25}

    Give the number a name under `levels`, or use a level that has one. Numbers above
    CRITICAL, which silence a logger, and the bounds of ranges need none.
    """
    sites = (site for site in facts.view.found.sites if site.shape is LEVEL)
    for site in islice(sites, 10 * _MOST):
        number = _number(site)
        if number is None or not 0 < number < 50 or facts.view.is_secret(site.path):
            continue
        if facts.levels.name(number) == f"Level {number}":
            cure = "name it under `levels`, or take a level that has a name"
            if facts.is_stdlib:
                cure = "name it in the program with `logging.addLevelName`, or take one with a name"
            yield info("LR311", f"level {number} has no name", site.node.span, cure)


def _number(site: Site) -> int | None:
    """Return the number that stands for a level; the bounds of a range are none."""
    if isinstance(site.value, int):
        return site.value
    text = site.value.strip().removeprefix("=").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


ADVICE = (unnamed_levels,)
