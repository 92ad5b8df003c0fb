"""Patterns: regular expressions that can take for ever. Runs in whatever thread loads a config."""

from collections.abc import Iterator

from logroute.config.nodes import shown
from logroute.config.regexes.traps import Budget, find_trap
from logroute.config.rules.rule import Rule, rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, warning

__all__ = ["ADVICE"]


@rule("LR404", Severity.WARNING)
def slow_patterns(facts: Facts) -> Iterator[Diagnostic]:
    r"""Find regular expressions that some texts stop for ever (LR404).

    Where one repeat stands in another, and a text can be split between them in
    more than one way, Python tries all ways before it gives up: twice as many
    with each further letter. A record with thirty letters and no match then holds
    up all others, and whoever can write into the log can send it::

        routes:
          - {match: {message: '^(\w+\s?)+$'}, to: console}

    Let each round end with something that cannot be left out, as in
    `^(\w+\s)*\w+$`, or let the inner repeat keep what it took, as in
    `^(\w++\s?)+$`.
    """
    budget = Budget()
    for node in facts.patterns:
        trap = find_trap(node.value, budget)
        if trap is not None:
            text = "" if node.secret else f", such as `{shown(trap.head + trap.pump * 3, 30)}…`"
            message = f"a text that does not match can take this pattern for ever{text}"
            yield warning("LR404", message, node.span, _CURE)


_CURE = (
    "let each round of the outer repeat end with something that cannot be left out "
    "or repeated within it, or make the inner repeat possessive (`++`, `*+`)"
)


ADVICE: tuple[Rule, ...] = (slow_patterns,)
