"""A graph in Graphviz's language, for `dot -Tsvg` and its kin.

The routes are one table, since Graphviz keeps no order among nodes; everything that
the file says stands in labels, quoted or escaped. Pure; runs in the thread of the
command.
"""

import textwrap
from collections.abc import Iterable, Iterator

from logroute.cli.graphs import Edge, Graph, labels
from logroute.cli.graphs.paint import escape

__all__ = ["render"]

_WIDEST = 44
_COLORS = {0: "#64748b", 20: "#0868b0", 30: "#c98a00", 40: "#c2410c", 50: "#86195f"}
_FILLS = {"logger": "#e2e8f0", "route": "#dbeafe", "handler": "#fef3c7", "place": "#f1f5f9"}


def render(graph: Graph) -> str:
    """Return the graph as a `digraph`."""
    lines = [
        "digraph logroute {",
        "  rankdir=LR;",
        f'  graph [label={_text(graph.name)}, labelloc=t, fontname="sans-serif"];',
        '  node [shape=box, style="rounded,filled", color="#64748b"];',
        '  node [fontname="sans-serif", fontsize=11];',
        "  edge [arrowsize=0.7];",
        *_cluster("loggers", "Loggers", _loggers(graph)),
        *_cluster("routes", "Routes, from top to bottom", _routes(graph)),
        *_cluster("handlers", "Handlers", _handlers(graph)),
        *_cluster("destinations", "Destinations", _destinations(graph)),
        *(
            f"  {_edge(edge, graph.has_routes)}"
            for edge in graph.edges
            if not _is_inside(edge, graph)
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _cluster(name: str, title: str, nodes: Iterable[str]) -> list[str]:
    inside = [f"    {node}" for node in nodes]
    style = f'    label={_text(title)}; style=rounded; color="#c9d3df";'
    return [f"  subgraph cluster_{name} {{", style, *inside, "  }"] if inside else []


def _text(*lines: str) -> str:
    r"""Return a quoted label: quotes and backslashes escaped, lines joined by ``\n``."""
    told = [piece.replace("\\", "\\\\").replace('"', '\\"') for piece in _pieces(lines)]
    return '"' + "\\n".join(told) + '"'


def _pieces(lines: Iterable[str]) -> list[str]:
    """Return lines broken where they are long."""
    return [piece for line in lines for piece in textwrap.wrap(line, _WIDEST)]


def _node(id: str, fill: str, lines: Iterable[str], *, is_dead: bool = False) -> str:
    dead = ', style="rounded,dashed", fontcolor="#64748b"' if is_dead else ""
    return f'"{id}" [label={_text(*lines)}, fillcolor="{_FILLS[fill]}"{dead}];'


def _loggers(graph: Graph) -> Iterator[str]:
    for logger in graph.loggers:
        yield _node(logger.id, "logger", labels.of_logger(logger))


def _routes(graph: Graph) -> Iterator[str]:
    if not graph.has_routes:
        if graph.exit.levels:
            yield _node(graph.exit.id, "route", labels.of_exit(graph.exit, graph))
        return
    rows = [
        _row(route.id, labels.of_route(route), is_dead=route.is_unreachable)
        for route in graph.routes
    ]
    rows.append(
        _row(graph.exit.id, labels.of_exit(graph.exit, graph), is_dead=not graph.exit.levels)
    )
    table = '<table border="0" cellborder="1" cellspacing="6" cellpadding="6" color="#64748b">'
    yield f'"routes" [shape=plain, style="", label=<{table}{"".join(rows)}</table>>];'


def _row(id: str, lines: Iterable[str], *, is_dead: bool) -> str:
    """Return one route as a row, with a port for its edges."""
    text = "<br/>".join(map(escape, _pieces(lines)))
    color = "#f8fafc" if is_dead else _FILLS["route"]
    style = "rounded,dashed" if is_dead else "rounded"
    text = f'<font color="#64748b">{text}</font>' if is_dead else text
    return f'<tr><td port="{id}" style="{style}" bgcolor="{color}">{text}</td></tr>'


def _is_inside(edge: Edge, graph: Graph) -> bool:
    """Return whether an edge is the order of the table itself."""
    return edge.kind == "next" and graph.has_routes


def _handlers(graph: Graph) -> Iterator[str]:
    for handler in graph.handlers:
        lines = labels.of_handler(handler)
        yield _node(handler.id, "handler", lines, is_dead=not handler.is_reached)


def _destinations(graph: Graph) -> Iterator[str]:
    for item in graph.destinations:
        yield _node(item.id, "place", (item.text, item.detail))


def _edge(edge: Edge, has_routes: bool) -> str:
    color = _COLORS[max(level for level in _COLORS if level <= max(edge.lowest, 0))]
    looks = [f'color="{color}"'] if edge.is_live else ['color="#9aa8ba"', "style=dashed"]
    if edge.kind == "enters" and edge.is_live:
        looks.append("penwidth=2")
    source, target = _end(edge.source, "e", has_routes), _end(edge.target, "w", has_routes)
    return f"{source} -> {target} [{', '.join(looks)}];"


def _end(id: str, side: str, has_routes: bool) -> str:
    """Return the name of a node; of a route, its port on one side of the table."""
    is_row = id.startswith("route/") or (id == "unmatched" and has_routes)
    return f'"routes":"{id}":{side}' if is_row else f'"{id}"'
