"""A graph as a Mermaid flowchart, to stand in Markdown.

Ids are letters and digits of ours; whatever the file says stands only in quoted
labels, signs in it as entity codes (``#35;``) wherever Mermaid would read them as
Markdown or HTML. Pure; runs in the thread of the command.
"""

from collections.abc import Iterable, Iterator

from logroute.cli.graphs import Edge, Graph, labels

__all__ = ["render"]

_PLAIN = frozenset(" ,=!?")
#: Signs that mean something only where a line, or after `:` an address, begins.
_INNER = frozenset("./:-")
_STYLES = """\
  classDef logger fill:#e2e8f0,stroke:#64748b,color:#0f172a
  classDef route fill:#dbeafe,stroke:#0868b0,color:#0f172a
  classDef handler fill:#fef3c7,stroke:#b7791f,color:#0f172a
  classDef place fill:#f1f5f9,stroke:#64748b,color:#0f172a
  classDef dead fill:#f8fafc,stroke:#9aa8ba,color:#64748b,stroke-dasharray:5 4
"""


def render(graph: Graph) -> str:
    """Return the flowchart."""
    lines = ["flowchart LR"]
    if graph.has_routes:
        lines += _group("loggers", "Loggers", _loggers(graph))
        routes = [*_routes(graph), *_exit(graph)]
        lines += _group("routes", "Routes, from top to bottom", routes)
    else:
        lines += _group("loggers", "Loggers", [*_loggers(graph), *_exit(graph)])
    lines += _group("handlers", "Handlers", _handlers(graph))
    lines += _group("places", "Destinations", _destinations(graph))
    lines += [_edge(edge) for edge in graph.edges]
    return "\n".join(lines) + "\n" + _STYLES


def _group(id: str, title: str, nodes: Iterable[str]) -> list[str]:
    inside = [f"    {node}" for node in nodes]
    return [f'  subgraph {id} ["{title}"]', "    direction TB", *inside, "  end"] if inside else []


def _id(id: str) -> str:
    """Return an id without signs: ``logger/3`` is ``logger3``."""
    return id.replace("/", "")


def _text(lines: Iterable[str]) -> str:
    """Return a quoted label of several lines."""
    return f'"{"<br/>".join(_code(line) for line in lines if line)}"'


def _code(line: str) -> str:
    """Return a line with the entity codes of the signs that mean something."""
    is_plain = [char.isalnum() or char in _PLAIN for char in line]
    for place, char in enumerate(line):
        is_led = place > 0 and not (char == "." and line[:place].isdigit())
        if char in _INNER and is_led and not line.startswith("//", place + 1):
            is_plain[place] = True
    pairs = zip(line, is_plain, strict=True)
    return "".join(char if plain else f"#{ord(char)};" for char, plain in pairs)


def _loggers(graph: Graph) -> Iterator[str]:
    for logger in graph.loggers:
        yield f"{_id(logger.id)}({_text(labels.of_logger(logger))}):::logger"


def _routes(graph: Graph) -> Iterator[str]:
    for route in graph.routes:
        style = "dead" if route.is_unreachable else "route"
        yield f"{_id(route.id)}[{_text(labels.of_route(route))}]:::{style}"


def _exit(graph: Graph) -> Iterator[str]:
    if graph.has_routes or graph.exit.levels:
        style = "route" if graph.exit.levels else "dead"
        yield f"{_id(graph.exit.id)}([{_text(labels.of_exit(graph.exit, graph))}]):::{style}"


def _handlers(graph: Graph) -> Iterator[str]:
    for handler in graph.handlers:
        style = "handler" if handler.is_reached else "dead"
        yield f"{_id(handler.id)}[{_text(labels.of_handler(handler))}]:::{style}"


def _destinations(graph: Graph) -> Iterator[str]:
    for item in graph.destinations:
        yield f"{_id(item.id)}[({_text((item.text, item.detail))})]:::place"


def _edge(edge: Edge) -> str:
    arrow = "-.->" if not edge.is_live else "==>" if edge.kind == "enters" else "-->"
    label = '|"then"|' if edge.kind == "hands_on" else ""
    return f"  {_id(edge.source)} {arrow}{label} {_id(edge.target)}"
