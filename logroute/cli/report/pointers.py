"""Where in the data a finding stands: its place in the text -> a JSON pointer (RFC 6901)."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.source import Source, Syntax
from logroute.diagnostics import Diagnostic, Span

__all__ = ["pointers"]


def pointers(
    items: Iterable[Diagnostic], texts: Mapping[str, str], trees: Mapping[str, Node]
) -> dict[Span, str]:
    """Return the pointers of the places of findings; a key has that of its value.

    `trees` are those of texts, as far as they are known already.
    """
    wanted = {item.span for item in items}
    found: dict[Span, str] = {}
    for name in dict.fromkeys(span.file for span in wanted):
        syntax: Syntax = "yaml"
        if name.lower().endswith((".json", ".toml")):
            syntax = "json" if name.lower().endswith(".json") else "toml"
        root = trees.get(name) or parse(Source(name, texts.get(name, ""), syntax))[0]
        if root is not None:
            _walk(root, "", wanted, found, set())
    return found


def _walk(
    node: Node, pointer: str, wanted: AbstractSet[Span], found: dict[Span, str], seen: set[int]
) -> None:
    if node.span in wanted:
        found.setdefault(node.span, pointer)
    if not isinstance(node.value, dict | list) or id(node) in seen:
        return  # an alias stands where it was written first
    seen.add(id(node))
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            _walk(item, f"{pointer}/{index}", wanted, found, seen)
        return
    for key, item in node.value.items():
        inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if node.keys[key] in wanted:
            found.setdefault(node.keys[key], inner)
        _walk(item, inner, wanted, found, seen)
