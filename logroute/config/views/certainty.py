"""Certainty: whether what a file says is known here, and the same elsewhere.

Runs in whatever thread loads a config.
"""

from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.views.facts import Facts

__all__ = ["FLOW_SECTIONS", "has_unknown", "is_fixed", "is_overlaid", "level_node"]

#: What decides which records get to which handler.
FLOW_SECTIONS = ("handlers", "loggers", "root", "routes", "unmatched")


def is_fixed(node: Node) -> bool:
    """Return whether a value is known, and the same wherever the file is used."""
    if isinstance(node.value, dict):
        return not node.opaque and all(map(is_fixed, node.value.values()))
    if isinstance(node.value, list):
        return not node.opaque and all(map(is_fixed, node.value))
    return not (node.opaque or node.untyped or node.secret)


def is_overlaid(facts: Facts, *sections: str) -> bool:
    """Return whether a profile changes one of these sections."""
    profiles = facts.original.at(("profiles",))
    if profiles is None or not isinstance(profiles.value, dict):
        return profiles is not None
    return any(body.at((name,)) for body in profiles.value.values() for name in sections)


def has_unknown(node: Node) -> bool:
    """Return whether any value below `node` is not known here."""
    if isinstance(node.value, dict):
        return node.opaque or any(map(has_unknown, node.value.values()))
    if isinstance(node.value, list):
        return node.opaque or any(map(has_unknown, node.value))
    return node.opaque


def level_node(facts: Facts, logger: str) -> Node | None:
    """Return where the level of a logger is written."""
    heads: list[Path] = [("loggers", logger)]
    if logger == "root":
        heads = [("root",), ("loggers", "root"), ("loggers", "")]
    for head in heads:
        node = facts.node.at(head)
        if node is not None and isinstance(node.value, dict):
            node = node.value.get("level")
        if node is not None and node.value is not None:
            return node
    return None
