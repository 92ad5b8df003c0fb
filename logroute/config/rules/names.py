"""Names: references without a definition. Runs in whatever thread loads a config."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from logroute.config.model import StdHandlerSpec
from logroute.config.nodes import Node, shown
from logroute.config.readers import Site
from logroute.config.rules.rule import rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity
from logroute.hints import nearest
from logroute.options import VEIL
from logroute.shapes import Name

__all__ = ["fold", "is_near", "misplaced", "nested", "references", "undefined_names"]

_SHOWN_USES = 5
#: Kinds that need no options.
_READY = {
    "handler": ("console",),
    "formatter": ("json", "text", "logfmt", "ecs", "gelf"),
    "filter": ("redact",),
}
_MOST_FIXES = 50
_MOST_NAMES = 500
# of shorter words a letter changes too much
_SHORTEST = 4
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
    uses: dict[tuple[str, str], list[Node]] = {}
    for part, name, node in references(facts):
        section = f"{part}s"
        if name not in facts.section(section) and facts.is_complete:
            root = facts.node.at((section,))
            is_known = root is None or isinstance(root.value, dict | None)
            # of a misspelt section the error tells; in a dictConfig file there is none
            if is_known and (section not in facts.misspelt or facts.is_stdlib):
                uses.setdefault((part, name), []).append(node)
    sites = facts.view.found.sites
    secrets = {site.value for site in sites if facts.view.is_secret(site.path)} if uses else set()
    if facts.is_stdlib and uses:
        yield from _under_misspelt(facts, uses, secrets)
    paths = {site.value: site.path for site in reversed(sites)} if uses else {}
    if uses:
        from logroute.config.slips import text_cure  # only for a finding
    for count, ((part, name), nodes) in enumerate(uses.items()):
        more = f" (+{len(nodes) - 1} more uses)" if len(nodes) > 1 else ""
        slip = text_cure(facts.view, paths.get(name, ()))
        cure = slip or facts.view.suggest(name, facts.section(f"{part}s"))
        is_sure = slip is None and cure is not None and count < _MOST_FIXES
        yield Diagnostic(
            Severity.ERROR,
            "LR201",
            f"{part} `{VEIL if name in secrets else shown(name)}` is not defined{more}",
            nodes[0].span,
            (None if facts.is_stdlib else _of_kind(part, name, facts.section(f"{part}s")))
            or cure
            or f"define it under `{part}s`",
            tuple(("used here too", node.span) for node in nodes[1 : _SHOWN_USES + 1]),
            _renamed(nodes, name, facts.section(f"{part}s")) if is_sure else None,
        )


def misplaced(facts: Facts, part: str, name: str) -> str | None:
    """Return the misspelt section of a dictConfig file under which `name` is defined."""
    key = facts.misspellings.get(f"{part}s") if facts.is_stdlib else None
    entries = facts.node.at((key,)) if key is not None else None
    is_there = entries is not None and isinstance(entries.value, dict) and name in entries.value
    return key if is_there else None


def _under_misspelt(
    facts: Facts, uses: dict[tuple[str, str], list[Node]], secrets: Collection[str]
) -> Iterator[Diagnostic]:
    """Take the uses out that a misspelt section explains; tell of each section once."""
    from logroute.config.views import fixes  # only for a finding

    sections: dict[tuple[str, str], list[str]] = {}
    for part, name in list(uses):
        key = misplaced(facts, part, name)
        if key is not None:
            sections.setdefault((part, key), []).append(name)
    for (part, key), names in sections.items():
        nodes = [node for name in names for node in uses.pop((part, name))]
        listed = ", ".join(
            f"`{VEIL if name in secrets else shown(name)}`" for name in names[:_SHOWN_USES]
        )
        more = f" (+{len(names) - _SHOWN_USES} more)" if len(names) > _SHOWN_USES else ""
        is_one = len(names) == 1
        where = f"{'it stands' if is_one else 'they stand'} under `{shown(key)}`"
        is_free = f"{part}s" not in facts.node.value
        yield Diagnostic(
            Severity.ERROR,
            "LR201",
            f"{part}{'' if is_one else 's'} {listed}{more} {'is' if is_one else 'are'} "
            f"not defined: {where}",
            facts.view.place((key,), of_key=True),
            f"did you mean `{part}s`?" if is_free else f"move what stands there to `{part}s`",
            tuple(("used here", node.span) for node in nodes[:_SHOWN_USES]),
            fixes.rename(facts, (key,), f"{part}s"),
        )


def _of_kind(part: str, name: str, defined: Collection[str]) -> str | None:
    """Return the cure where the name is that of a kind, which has to be defined first."""
    if name not in _READY[part] or nearest(name, defined) is not None:
        return None
    return f"define it under `{part}s`: `{name}: {{type: {name}}}`"


def _renamed(nodes: list[Node], name: str, known: Iterable[str]) -> Fix | None:
    """Return the fix that writes the one name that can have been meant, everywhere.

    Another case or separator is sure; one letter more, less or other is likely.
    """
    names = list(islice(known, _MOST_NAMES))
    alike = [one for one in names if fold(one) == fold(name)]
    near = alike or [one for one in names if is_near(one, name)]
    if len(near) != 1 or near[0] not in names:
        return None
    from logroute.config.views import fixes  # only for a finding

    return fixes.join(*(fixes.replace(node, near[0], is_safe=bool(alike)) for node in nodes))


def fold(word: str) -> str:
    """Return a name without what people confuse: case and separators."""
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


def is_near(one: str, other: str) -> bool:
    """Return whether one letter more, less or other, or two swapped, make the difference."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < _SHORTEST:
        return False
    head = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if head is None:
        return True
    one, other = one[head:], other[head:]
    swapped = one[1::-1] + one[2:]
    return one[1:] == other[1:] or one[1:] == other or one == other[1:] or swapped == other


def references(facts: Facts) -> Iterator[tuple[str, str, Node]]:
    """Yield every use of a name: the kind of part, the name, and where."""
    for site in facts.view.found.sites:
        is_word = site.path[0] == "unmatched" and site.value == "drop"
        if isinstance(site.shape, Name) and not _is_none(site) and not is_word:
            yield site.shape.part, site.value, site.node
    for entry in facts.section("handlers").values():
        for node in nested(entry):
            yield "handler", node.value, node


def _is_none(site: Site) -> bool:
    """Return whether a name is empty where stdlib takes that for none."""
    is_stdlib = site.owner is StdHandlerSpec and site.path[-1] == "formatter"
    return site.value == "" and is_stdlib


def nested(entry: Node) -> list[Node]:
    """Return the names of other handlers among the arguments of a stdlib class."""
    class_ = entry.at(("class",))
    argument = _NESTING.get(class_.value) if class_ and isinstance(class_.value, str) else None
    found = _texts(entry.at((argument,))) if argument else []
    return [node for node in found if "://" not in node.value and not node.opaque]


def _texts(node: Node | None) -> list[Node]:
    """Return a text, or the texts of a list."""
    if node is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    return [item for item in items if isinstance(item.value, str)]
