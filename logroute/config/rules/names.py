"""Names: references without a definition, definitions without a reference."""

import re
from collections.abc import Iterator

from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.facts import Facts
from logroute.config.rules.rule import rule
from logroute.diagnostics import Diagnostic, Severity, Span, warning
from logroute.hints import nearest
from logroute.options import VEIL
from logroute.shapes import Name

__all__ = ["undefined_names", "unused_definitions"]

_PARTS = ("handler", "formatter", "filter")
_SHOWN_USES = 5
# stdlib's handlers that take names of other handlers: class -> argument
_NESTING = {
    "logging.handlers.MemoryHandler": "target",
    "logging.handlers.QueueHandler": "handlers",
}


@rule("LR201", Severity.ERROR)
def undefined_names(facts: Facts) -> Iterator[Diagnostic]:
    """Find names of handlers, formatters and filters that nothing defines (LR201).

    A route, a logger or a handler can only refer to what the file defines under
    `handlers`, `formatters` and `filters`::

        handlers:
          console: {type: console}
        routes:
          - {to: [consle]}

    Correct the name, or define it. `unmatched: drop` is a word, not a name.
    """
    uses: dict[tuple[str, str], list[Span]] = {}
    for part, name, node in _references(facts):
        section = f"{part}s"
        if name not in facts.section(section) and facts.is_complete:
            root = facts.node.at((section,))
            is_known = root is None or isinstance(root.value, dict | None)
            if is_known and section not in facts.misspelt:
                uses.setdefault((part, name), []).append(node.span)
    sites = facts.view.found.sites
    secrets = {site.value for site in sites if facts.view.is_secret(site.path)} if uses else ()
    paths = {site.value: site.path for site in reversed(sites)} if uses else {}
    if uses:
        from logroute.config.slips import text_cure  # only for a finding
    for (part, name), spans in uses.items():
        more = f" (+{len(spans) - 1} more uses)" if len(spans) > 1 else ""
        yield Diagnostic(
            Severity.ERROR,
            "LR201",
            f"{part} `{VEIL if name in secrets else shown(name)}` is not defined{more}",
            spans[0],
            text_cure(facts.view, paths.get(name, ()))
            or facts.view.suggest(name, facts.section(f"{part}s"))
            or f"define it under `{part}s`",
            tuple(("used here too", span) for span in spans[1 : _SHOWN_USES + 1]),
        )


def _references(facts: Facts) -> Iterator[tuple[str, str, Node]]:
    for site in facts.view.found.sites:
        is_word = site.path[0] == "unmatched" and site.value == "drop"
        if isinstance(site.shape, Name) and site.value and not is_word:
            yield site.shape.part, site.value, site.node
    for entry in facts.section("handlers").values():
        class_ = entry.at(("class",))
        argument = _NESTING.get(class_.value) if class_ and isinstance(class_.value, str) else None
        for node in _texts(entry.at((argument,))) if argument else ():
            if "://" not in node.value:
                yield "handler", node.value, node


def _texts(node: Node | None) -> list[Node]:
    """Return a text, or the texts of a list."""
    if node is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    return [item for item in items if isinstance(item.value, str)]


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
    used = {(part, name) for part, name, _ in _references(facts)}
    # a misspelt name has been told; what it was likely meant to be is not unused
    unknown = [(part, name) for part, name in used if name not in facts.section(f"{part}s")]
    for part, name in sorted(unknown)[:_SHOWN_USES]:
        used.add((part, nearest(name, list(facts.section(f"{part}s"))[:500]) or name))
    used |= _loosely_used(facts)
    for part in _PARTS:
        section = facts.node.at((f"{part}s",))
        if not facts.misspelt.isdisjoint(_USERS[part]) or (part == "handler" and _has_gap(facts)):
            continue
        for name in facts.section(f"{part}s"):
            if (part, name) not in used and section is not None:
                span = section.keys.get(name, section.span)
                cure = _USES[part]
                yield warning("LR202", f"{part} `{shown(name)}` is not used", span, cure)


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


def _loosely_used(facts: Facts) -> set[tuple[str, str]]:
    """Return what is mentioned where decoding could not, or must not, look closely.

    The arguments of a foreign class may be names, and so may anything in a part
    whose shape is wrong.
    """
    words: set[str] = set()
    for name, entry in facts.section("handlers").items():
        spec = facts.config.handlers.get(name)
        if spec is None or isinstance(spec.sink, Foreign) or facts.is_broken(("handlers", name)):
            words.update(_words(entry))
    others: tuple[Path, ...] = (("routes",), ("loggers",), ("root",), ("unmatched",))
    for path in others:
        node = facts.node.at(path)
        if node is not None and facts.is_broken(path):
            words.update(_words(node))
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


ADVICE = (unused_definitions,)
