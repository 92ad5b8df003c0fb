"""Levels: names that are none, ranges that are empty."""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import shown
from logroute.config.readers import Site
from logroute.config.rules.facts import Facts
from logroute.config.rules.rule import rule
from logroute.diagnostics import Diagnostic, Severity, error
from logroute.matchers import MatchSpec
from logroute.options import VEIL
from logroute.shapes import LEVEL

__all__ = ["empty_ranges", "unknown_levels"]

# a guess at what was meant takes its time
_MOST = 200


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

    Write `INFO..ERROR`. A bare level means that level and above, so that
    `>CRITICAL` is possible, but `<NOTSET` is not.
    """
    for site, fault in _faults(facts):
        if _is_empty(fault):
            yield _told(facts, "LR303", site, fault)


def _faults(facts: Facts) -> Iterator[tuple[Site, ValueError]]:
    sites = (site for site in facts.view.found.sites if site.shape is LEVEL)
    faults = ((site, _fault(facts, site)) for site in sites)
    return islice(((site, fault) for site, fault in faults if fault is not None), _MOST)


def _fault(facts: Facts, site: Site) -> ValueError | None:
    try:
        if site.owner is not MatchSpec:
            facts.levels.number(site.value)
        elif not facts.levels.parse_set(site.value).intervals:
            return ValueError(f"`{site.value}` holds no level", "no level is below 0")
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
    return error(
        code,
        shown(str(message), 300),
        site.node.span,
        slip or (str(cure[0]) if cure else "") or None,
    )
