"""Conversions: how the fields of a layout are shown, as text or as a number.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import shown
from logroute.config.rules.formats import conversion_cure, lost_conversions
from logroute.config.rules.rule import rule
from logroute.config.views.facts import Facts
from logroute.config.views.lines import FORMS, Layout, layouts
from logroute.diagnostics import Diagnostic, Severity, warning
from logroute.patterns import lazy_pattern

__all__ = ["lost_letters"]

#: Most findings in one layout.
_MOST_SHOWN = 20
#: What every record has as a text; `msg` may be anything, and `taskName` nothing.
_TEXTS = frozenset(
    {
        "asctime",
        "filename",
        "funcName",
        "levelname",
        "message",
        "module",
        "name",
        "pathname",
        "processName",
        "threadName",
    }
)
#: Fields shown as a number, by style; a `c` may be a text of one letter.
_AS_NUMBER = {
    "%": lazy_pattern(
        r"%%|%\((?P<name>\w+)\)[#0+-]*[0-9]{0,9}(?:\.[0-9]{0,9})?[hlL]?[diouxXeEfFgG]"
    ),
    "{": lazy_pattern(
        r"\{\{|\}\}|\{(?P<name>\w+):(?:[^{}]?[<>^=])?[+ -]?[z#0]{0,3}[0-9]{0,9}[,_]?"
        r"(?:\.[0-9]{1,9})?[bdeEfFgGnoxX%]\}"
    ),
}


@rule("LR409", Severity.WARNING)
def lost_letters(facts: Facts) -> Iterator[Diagnostic]:
    """Find fields without their letter, or with one that they do not take (LR409).

    In the style `%` a field ends with a letter that says how it is shown, `s` for
    text. Without it, the field swallows what follows: this layout shows the words
    `(message)s` in place of the message::

        formatters:
          line: {format: "%(asctime)s %(levelname) %(message)s"}

    Write `%(levelname)s`. A text shown as a number, `%(message)d` or `{message:d}`,
    fails for every record: an error is printed in its place.
    """
    for layout in layouts(facts):
        yield from islice(_numbers(layout), _MOST_SHOWN)
        if layout.is_own or layout.node is None or not _is_valid(layout):
            continue
        for found in islice(lost_conversions(layout.entry), _MOST_SHOWN):
            name = shown(layout.name)
            message = f"formatter `{name}`: `{shown(found[0])}` has no conversion letter"
            place = layout.place(found.start(), found.end())
            fix = layout.changed(found.end(), found.end(), "s", is_safe=True)
            yield warning("LR409", message, place, conversion_cure(found), fix)


def _numbers(layout: Layout) -> Iterator[Diagnostic]:
    """Yield the fields that show as a number what is always a text."""
    pattern = _AS_NUMBER.get(layout.style)
    if pattern is None or layout.node is None or layout.is_own:
        return
    for found in pattern.finditer(layout.node.value):
        name = found["name"]
        if name not in _TEXTS:
            continue
        right = FORMS[layout.style].format(name)
        if layout.style == "%" and "." not in found[0]:
            right = f"{found[0][:-1].rstrip('hlL')}s"  # with its width
        message = (
            f"formatter `{shown(layout.name)}`: `{shown(found[0])}` fails for every record: "
            f"`{name}` is a text, not a number"
        )
        place = layout.place(found.start(), found.end())
        fix = layout.changed(found.start(), found.end(), right, is_safe=True)
        yield warning("LR409", message, place, f"write `{right}`", fix)


def _is_valid(layout: Layout) -> bool:
    """Return whether stdlib accepts a layout in the style `%`; if not, that has been told."""
    import logging

    checks = layout.entry.at(("validate",))
    if layout.node is None or (checks is not None and not checks.value):
        return True
    try:
        logging.Formatter(layout.node.value)
    except ValueError:
        return False
    return True
