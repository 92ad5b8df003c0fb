"""Definitions: what nothing uses, what is named twice, alike, or in a circle.

Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterator

from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.names import fold, nested, references
from logroute.config.rules.rule import rule
from logroute.config.views import fixes
from logroute.config.views.entries import handlers, text_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity, Span, error, info, warning
from logroute.hints import nearest
from logroute.light import NamedTuple
from logroute.options import VEIL
from logroute.patterns import lazy_pattern
from logroute.shapes import Name

__all__ = [
    "case_only_differences",
    "handler_cycles",
    "repeated_names",
    "unused_definitions",
    "unused_variables",
]

_PARTS = ("handler", "formatter", "filter")
_SHOWN = 5
#: Most names that a misspelt one is compared with.
_MOST_NAMES = 500


@rule("LR202", Severity.WARNING)
def unused_definitions(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers, formatters and filters that nothing refers to (LR202).

    A handler gets no record unless a route, a logger, `unmatched` or another
    handler names it::

        handlers:
          console: {type: console}
          mail: {type: email, host: mx.example.org, from: a@example.org, to: b@example.org}
        routes:
          - {to: [console]}

    Refer to it, or remove it.
    """
    if facts.config.incremental or not facts.is_complete:
        return
    used = {(part, name) for part, name, _ in references(facts)}
    # a misspelt name has been told; what it was likely meant to be is not unused
    unknown = [(part, name) for part, name in used if name not in facts.section(f"{part}s")]
    for part, name in sorted(unknown)[:_SHOWN]:
        used.add((part, nearest(name, list(facts.section(f"{part}s"))[:_MOST_NAMES]) or name))
    used |= _loosely_used(facts)
    main = facts.original.span.file  # what another file defines may be used by others
    for part in _PARTS:
        section = facts.node.at((f"{part}s",))
        if not facts.misspelt.isdisjoint(_USERS[part]) or (part == "handler" and _has_gap(facts)):
            continue
        for name, entry in facts.section(f"{part}s").items():
            if not isinstance(entry.value, dict):  # no definition, which has been told
                continue
            if (part, name) not in used and section is not None:
                span = section.keys.get(name, section.span)
                if span.file == main:
                    yield _unused(facts, part, name, span)


def _unused(facts: Facts, part: str, name: str, span: Span) -> Diagnostic:
    fix = fixes.remove(facts, (f"{part}s", name), is_safe=False)
    return warning("LR202", f"{part} `{shown(name)}` is not used", span, _USES[part], fix)


def _has_gap(facts: Facts) -> bool:
    """Return whether a route has an empty `to`, which may have been any handler."""
    targets = (route.at(("to",)) for route in facts.items("routes"))
    return any(node is not None and node.value is None for node in targets)


#: Where the names of each family stand.
_USERS = {
    "handler": {"handlers", "loggers", "root", "routes", "unmatched"},
    "formatter": {"handlers"},
    "filter": {"handlers", "loggers", "root", "routes"},
}

_USES = {
    "handler": "name it in a route, a logger or `unmatched`, or remove it",
    "formatter": "name it in a handler, or remove it",
    "filter": "name it in a handler or logger, or remove it",
}


# what dictConfig reads of a handler itself; all other keys are arguments of its class
_NO_ARGUMENTS = frozenset({"class", "filters", "formatter", "level"})


def _loosely_used(facts: Facts) -> set[tuple[str, str]]:
    """Return what is mentioned where decoding could not, or must not, look closely.

    The arguments of a foreign class may be names, and so may anything in a part
    whose shape is wrong.
    """
    words: set[str] = set()
    for name, entry in facts.section("handlers").items():
        spec = facts.config.handlers.get(name)
        if spec is None or facts.is_broken(("handlers", name)):
            words.update(_words(entry))
        elif isinstance(spec.sink, Foreign) and isinstance(entry.value, dict):
            arguments = (node for key, node in entry.value.items() if key not in _NO_ARGUMENTS)
            words.update(word for node in arguments for word in _words(node))
    others: tuple[Path, ...] = (("routes",), ("loggers",), ("root",), ("unmatched",))
    for path in others:
        node = facts.node.at(path)
        if node is not None and facts.is_broken(path):
            words.update(_words(node))
    for problem in facts.view.found.problems:  # as `handler:` for `handlers:` of a logger
        node = facts.node.at(problem.path) if problem.code == "LR901" else None
        words.update(_words(node) if node is not None else ())
    profiles = facts.original.at(("profiles",))
    words.update(_words(profiles) if profiles is not None else ())  # it may be used in one
    for section in ("formatters", "filters"):
        for entry in facts.section(section).values():
            words.update(word for word in _words(entry) if word.startswith("cfg://"))
    for link in [word for word in words if word.startswith("cfg://")]:
        words.update(re.split(r"[.\[\]/]+", link))
    return {(part, word) for part in _PARTS for word in words}


def _words(node: Node) -> Iterator[str]:
    """Yield every text and key below `node`."""
    if isinstance(node.value, dict):
        yield from node.value
        for item in node.value.values():
            yield from _words(item)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _words(item)
    elif isinstance(node.value, str):
        yield node.value
        if "," in node.value or ":" in node.value:  # `to:console`, or `a, b` for a list
            yield from re.split(r"[\s,:]+", node.value)


@rule("LR206", Severity.WARNING)
def repeated_names(facts: Facts) -> Iterator[Diagnostic]:
    """Find a handler or filter that is named twice in one list (LR206).

    A record goes to a handler once, however often a list names it, so that most
    likely another one was meant::

        routes:
          - {to: [console, console]}

    Remove the second one, or write the other name.
    """
    seen: dict[Path, dict[str, Span]] = {}
    for site in facts.view.found.sites:
        if not isinstance(site.shape, Name) or not isinstance(site.path[-1], int):
            continue
        names = seen.setdefault(site.path[:-1], {})
        if site.value not in names:
            names[site.value] = site.node.span
            continue
        part = site.shape.part
        name = VEIL if facts.view.is_secret(site.path) else shown(site.value)
        yield warning(
            "LR206",
            f"{part} `{name}` is named twice",
            site.node.span,
            "remove it, or write the one that was meant",
        )._replace(
            related=(("here first", names[site.value]),),
            fix=_without_repeat(facts, site.path, part, site.value),
        )


def _without_repeat(facts: Facts, path: Path, part: str, name: str) -> Fix | None:
    # a filter of ours that is named twice runs twice
    is_safe = part == "handler" or isinstance(facts.config.filters.get(name), Foreign)
    return fixes.remove(facts, path, is_safe=is_safe)


@rule("LR207", Severity.WARNING)
def case_only_differences(facts: Facts) -> Iterator[Diagnostic]:
    """Find names that differ only in case, `-` or `_` (LR207).

    Names are case-sensitive. Two that look alike are one that was misspelt, or will
    be::

        handlers:
          log-file: {type: file, path: app.log}
          log_file: {type: file, path: debug.log}

    Join them, or give one another name. Loggers are named by programs, where `app`
    and `App` may both be right, so that for them it is a remark.
    """
    for section in ("handlers", "formatters", "filters", "loggers"):
        node = facts.node.at((section,))
        if node is None or not isinstance(node.value, dict):
            continue
        seen: dict[str, str] = {}
        for name in node.value:
            first = seen.setdefault(fold(name), name)
            if first == name or not fold(name):
                continue
            tell = info if section == "loggers" else warning
            yield tell(
                "LR207",
                f"{section[:-1]} `{shown(name)}` differs from `{shown(first)}` only in case or "
                "separators",
                node.keys[name],
                "join the two, or give one a name that nobody mistakes for the other",
            )._replace(related=(("the other one", node.keys[first]),))


@rule("LR208", Severity.ERROR)
def handler_cycles(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers that hand their records to each other in a circle (LR208).

    A handler hands what it gives up to its `fallback`, a `memory` handler what it
    releases to its `target`, as a `MemoryHandler` does, and a `QueueHandler` all to
    its `handlers`. In a circle records would go round for ever::

        handlers:
          web: {type: http, url: "https://logs.example.org/", fallback: spare}
          spare: {type: socket, address: "logs.example.net:9020", tls: {}, fallback: web}

    Let the last one have none, or name a handler that writes to this machine.
    """
    edges: dict[str, list[tuple[str, Node]]] = {}
    foreign: set[str] = set()
    for name, entry in facts.section("handlers").items():
        for node in nested(entry):
            foreign.add(name)
            edges.setdefault(name, []).append((node.value, node))
    for name, node in _handed_over(facts):
        if name not in foreign:
            edges.setdefault(name, []).append((node.value, node))
    done: set[str] = set()
    for start in edges:
        yield from _cycles(edges, start, done, foreign)


def _handed_over(facts: Facts) -> Iterator[tuple[str, Node]]:
    """Yield the handlers of ours that hand records to another one, and its name."""
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        if spec is None or isinstance(spec.sink, Foreign):
            continue
        key = "target" if getattr(spec.sink, "is_ring", False) else "fallback"
        node = entry.at((key,))
        if text_of(node) and node is not None:
            yield name, node


def _cycles(
    edges: dict[str, list[tuple[str, Node]]], start: str, done: set[str], foreign: set[str]
) -> Iterator[Diagnostic]:
    """Yield the circles that are met on the ways from `start`, each once."""
    way = {start: iter(edges.get(start, ()))}
    while way:
        here = next(reversed(way))
        target, node = next(way[here], (None, None))
        if target is None or node is None:
            done.add(here)
            del way[here]
        elif target in way:
            names = list(way)
            yield _cycle(names[names.index(target) :], node, foreign)
        elif target not in done and target in edges:
            way[target] = iter(edges[target])


def _cycle(names: list[str], node: Node, foreign: set[str]) -> Diagnostic:
    if len(names) == 1:
        message = f"handler `{shown(names[0])}` hands its records to itself"
    else:
        circle = ", ".join(f"`{shown(name)}`" for name in names[:_SHOWN])
        message = f"the handlers {circle} hand their records to each other in a circle"
    # what is built by us and what by stdlib do not see that they form a circle
    is_mixed = 0 < len(foreign.intersection(names)) < len(names)
    tell = warning if is_mixed else error
    return tell("LR208", message, node.span, "name a handler that writes")


@rule("LR209", Severity.WARNING)
def unused_variables(facts: Facts) -> Iterator[Diagnostic]:
    """Find entries of `vars` that nothing uses (LR209).

    A value that nothing refers to as `${var:name}` is a leftover, or what should
    refer to it is written in another way, such as `${name}`, which is an environment
    variable::

        vars: {region: eu-1}
        context: {region: "eu-1"}

    Refer to it, or remove it. Where files are included, which may use it, nothing is
    said.
    """
    table = facts.original.at(("vars",))
    if table is None or not isinstance(table.value, dict) or not facts.is_complete:
        return
    if facts.original.at(("include",)) is not None:
        return
    used: set[str] = set()
    for word in _words(facts.original):
        if "${" in word:
            used.update(match[1] for match in _VARIABLE.finditer(word))
    # a misspelt use has been told; what it was likely meant to be is not unused
    names = list(table.value)[:_MOST_NAMES]
    used |= {nearest(name, names) or name for name in sorted(used - set(table.value))[:_SHOWN]}
    for name in table.value:
        if name not in used:
            message = f"the variable `{shown(name)}` is not used"
            cure = f"refer to it as `${{var:{shown(name)}}}`, or remove it"
            yield warning("LR209", message, table.keys[name], cure, _without_variable(facts, name))


_VARIABLE = lazy_pattern(r"\$\{\s*var:\s*([^}:]*)")


class _Original(NamedTuple):
    """The tree before variables were put in, which alone has `vars`."""

    node: Node


def _without_variable(facts: Facts, name: str) -> Fix | None:
    tree = _Original(facts.original)
    table = facts.original.at(("vars",))
    is_last = table is not None and len(table.value) == 1
    return fixes.remove(tree, ("vars",) if is_last else ("vars", name))


ADVICE = (
    unused_definitions,
    repeated_names,
    case_only_differences,
    handler_cycles,
    unused_variables,
)
