"""A graph as a self-contained page: the picture, and tables of routes and handlers.

No script and nothing from elsewhere. Pure; runs in the thread of the command.
"""

from collections.abc import Iterable, Iterator

from logroute.cli.graphs import Graph, Handler, Route
from logroute.cli.graphs.paint import escape
from logroute.cli.graphs.svg import draw

__all__ = ["render"]

_CSS = """\
:root{color-scheme:light dark}
body{margin:0 auto;padding:1.5rem;max-width:110rem;background:#fff;color:#0f172a;
 font:15px/1.5 Inter,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
figure{margin:0 0 2rem;overflow-x:auto}
svg{max-width:100%;height:auto;min-width:60rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;
 border-bottom:1px solid #c9d3df}
th{color:#52627a;font-weight:600}
td.dead{color:#7b8aa0;text-decoration:line-through}
code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em;
 overflow-wrap:anywhere}
.warn{color:#9a5b00}
@media (prefers-color-scheme:dark){
body{background:#0e1525;color:#e6edf6}
th,td{border-color:#3a4a63}
th{color:#a3b3c9}
.warn{color:#facc5a}
}
@media print{figure{overflow:visible}svg{min-width:0}}"""


def render(graph: Graph) -> str:
    """Return the page."""
    title = escape(graph.name)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}: where log records go</title>",
        f"<style>\n{_CSS}\n</style>",
        f"<figure>\n{draw(graph)}\n</figure>",
    ]
    if graph.routes:
        parts += _table("Routes, from top to bottom", _OF_ROUTES, map(_route, graph.routes))
    if graph.handlers:
        rows = (_handler(handler, graph) for handler in graph.handlers)
        parts += _table("Handlers", _OF_HANDLERS, rows)
    return "\n".join([*parts, "</html>", ""])


_OF_ROUTES = ("", "name", "takes", "sends to", "then", "found by check")
_OF_HANDLERS = ("name", "kind", "sends to", "from level", "formatter", "filters", "found by check")
#: The cells of a row, and whether no record gets there.
Row = tuple[list[str], bool]


def _table(title: str, heads: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    yield f"<h2>{title}</h2>"
    yield f"<table>\n<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for cells, is_dead in rows:
        style = ' class="dead"' if is_dead else ""
        told = "".join(f"<td>{cell}</td>" for cell in cells[1:])
        yield f"<tr><td{style}>{cells[0]}</td>{told}</tr>"
    yield "</table>"


def _codes(texts: Iterable[str], between: str = ", ") -> str:
    return between.join(f"<code>{escape(text)}</code>" for text in texts)


def _found(node: Route | Handler) -> str:
    told = (f"{finding.code}: {finding.message}" for finding in node.findings)
    return "<br>".join(f'<span class="warn">{escape(text)}</span>' for text in told)


def _route(route: Route) -> Row:
    then = "next route"
    if route.final:
        then = "stop"
    elif route.final_below:
        then = f"stop below {escape(route.final_below)}"
    to = _codes(route.to) or "nobody"
    if route.filters:
        to += f" through {_codes(route.filters)}"
    if route.audit:
        to += ", audited"
    cells = [
        str(route.position),
        escape(route.name or ""),
        _codes(route.conditions, "<br>") or "every record",
        to,
        then,
        _found(route),
    ]
    return cells, route.is_unreachable


def _handler(handler: Handler, graph: Graph) -> Row:
    names = {h.id: h.name for h in graph.handlers} | {d.id: d.text for d in graph.destinations}
    targets = [names[edge.target] for edge in graph.edges if edge.source == handler.id]
    cells = [
        escape(handler.name),
        escape(handler.kind),
        _codes(targets),
        escape(handler.level.name) if handler.level.number else "",
        escape(handler.formatter),
        escape(", ".join(handler.filters)),
        _found(handler),
    ]
    return cells, not handler.is_reached
