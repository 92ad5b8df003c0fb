"""What stands on the nodes of a graph where only plain lines can: Mermaid and Graphviz.

Pure; runs in the thread of the command.
"""

from collections.abc import Iterator

from logroute.cli.graphs import Exit, Graph, Handler, Logger, Route

__all__ = ["of_exit", "of_handler", "of_logger", "of_route"]


def of_logger(logger: Logger) -> Iterator[str]:
    """Yield the lines of a logger."""
    yield logger.name
    yield f"{logger.level.name} and above" if logger.level.number else "every level"
    if not logger.propagates:
        yield "propagate: false"


def of_route(route: Route) -> Iterator[str]:
    """Yield the lines of a route."""
    yield f"{route.position}: {route.name}" if route.name else f"route {route.position}"
    yield from route.conditions or ("every record",)
    if route.filters:
        yield f"through {', '.join(route.filters)}"
    if route.audit:
        yield "audited"
    if not route.to:
        yield "to nobody"
    if route.final:
        yield "final"
    elif route.final_below:
        yield f"final below {route.final_below}"
    if route.is_unreachable:
        yield "unreachable"


def of_exit(exit: Exit, graph: Graph) -> Iterator[str]:
    """Yield the lines of the way out."""
    yield "no route wants it" if graph.has_routes else "no logger wants it"
    if exit.levels:
        yield exit.levels
        yield exit.fate
    else:
        yield "never"


def of_handler(handler: Handler) -> Iterator[str]:
    """Yield the lines of a handler."""
    yield handler.name
    yield f"{handler.kind}, as {handler.formatter}" if handler.formatter else handler.kind
    if handler.level.number:
        yield f"only {handler.level.name} and above"
    if handler.filters:
        yield f"through {', '.join(handler.filters)}"
    if not handler.is_reached:
        yield "no record gets here" if handler.is_used else "unused"
