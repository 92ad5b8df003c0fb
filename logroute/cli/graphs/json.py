"""A graph as one JSON document; its schema is `schemas/graph.schema.json`."""

import json

from logroute.cli.graphs import Graph
from logroute.levels import HIGHEST
from logroute.light import Any

__all__ = ["render"]

FORMAT_VERSION = "1.0"


def render(graph: Graph) -> str:
    """Return the graph as JSON text."""
    document = {
        "format_version": FORMAT_VERSION,
        "file": graph.name,
        "profile": graph.profile,
        "levels": [step._asdict() for step in graph.scale],
        "loggers": [_node(logger) for logger in graph.loggers],
        "routes": [_node(route) for route in graph.routes] if graph.has_routes else None,
        "unmatched": _node(graph.exit),
        "handlers": [_node(handler) for handler in graph.handlers],
        "destinations": [_node(item) for item in graph.destinations],
        "edges": [_node(edge) for edge in graph.edges],
        "unused": list(graph.unused),
    }
    return json.dumps(document, indent=2) + "\n"


_KEYS = {
    "is_unreachable": "unreachable",
    "is_used": "used",
    "is_reached": "reached",
    "is_live": "live",
}


def _node(node: Any) -> dict[str, Any]:
    """Return a node or edge as a mapping."""
    return {_KEYS.get(key, key): _plain(key, value) for key, value in node._asdict().items()}


def _plain(key: str, value: Any) -> Any:
    if key == "findings":
        return [finding._asdict() for finding in value]
    if key == "levels" and isinstance(value, tuple):
        return [_interval(*pair) for pair in value]
    return value._asdict() if key == "level" else value


def _interval(low: int, high: int) -> dict[str, int | None]:
    """Return a stretch of levels; no end where it has none."""
    return {"from": low, "to": None if high >= HIGHEST else high}
