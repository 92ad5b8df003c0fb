"""Values of the user's own that older readers of YAML take for something else."""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import Rule, rule
from logroute.config.scalars import as_core, as_legacy
from logroute.config.views import fixes
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, warning

__all__ = ["ADVICE"]

_MOST = 100
_BEGINNINGS = frozenset("yYnNoO0123456789+-")


@rule("LR010", Severity.WARNING)
def differing_readings(facts: Facts) -> Iterator[Diagnostic]:
    """Find values that YAML 1.1 and 1.2 read differently (LR010).

    Here `yes`, `no`, `on` and `off` are words, `12:30` is a text and `0644` the
    number 644, as YAML 1.2 says; other programs read true, false, 750 and 420. A
    field is compared with what stands here, so this route never matches a record
    whose `admin` is true::

        routes:
          - {match: {fields: {admin: yes}}, to: [audit]}

    Write `true` or `false` where that is meant, and put a word in quotes. Where an
    option wants true or false, all these words mean the same and are left alone.
    """
    found = (told for node in _values(facts) if (told := _told(node)) is not None)
    yield from islice(found, _MOST)


def _told(node: Node) -> Diagnostic | None:
    text = node.text
    if not node.plain or node.opaque or node.secret or text[:1] not in _BEGINNINGS:
        return None
    ours, older = as_core(text), as_legacy(text)
    if not isinstance(older, bool | int | float) or (ours == older and type(ours) is type(older)):
        return None
    is_word = isinstance(older, bool)
    here = "a word" if isinstance(ours, str) and is_word else "a text"
    here = here if isinstance(ours, str) else f"the number {ours}"
    there = str(older).lower() if is_word else str(older)
    message = f"`{shown(text)}` is {here} here; YAML 1.1 reads {there}"
    cure = f'put it in quotes: `"{shown(text)}"`'
    if is_word:
        cure = f'write `{there}` if that is meant, or `"{shown(text)}"` for the word'
    fix = fixes.replace(node, text) if isinstance(ours, str) and not is_word else None
    return warning("LR010", message, node.span, cure, fix)


def _values(facts: Facts) -> Iterator[Node]:
    """Yield the scalars that may be anything: of fields, tests of fields and defaults."""
    yield from _scalars(facts.node.at(("context",)))
    for route in facts.items("routes"):
        yield from _matched(route.at(("match",)))
    for section, key in (("filters", "fields"), ("formatters", "defaults")):
        for entry in facts.section(section).values():
            if entry.at(("class",)) is None and entry.at(("()",)) is None:
                yield from _scalars(entry.at((key,)))


def _matched(match: Node | None) -> Iterator[Node]:
    if match is None or not isinstance(match.value, dict):
        return
    yield from _scalars(match.at(("fields",)))
    yield from _matched(match.at(("not",)))
    for key in ("any", "all"):
        inner = match.at((key,))
        for item in inner.value if inner is not None and isinstance(inner.value, list) else ():
            yield from _matched(item)


def _scalars(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    if isinstance(node.value, dict):
        for key, item in node.value.items():
            if key != "exists":  # which is true or false, in whatever words
                yield from _scalars(item)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _scalars(item)
    else:
        yield node


ADVICE: tuple[Rule, ...] = (differing_readings,)
