"""A graph as text for the terminal: loggers, routes from top to bottom, handlers.

What no record can take is drawn with dashes. Pure; runs in the thread of the command.
"""

from collections.abc import Callable, Iterable, Iterator

from logroute.cli.graphs import Graph, Handler, Logger, Route

__all__ = ["render"]

#: What is drawn with, and what takes its place where a terminal cannot show it.
_PLAIN = str.maketrans(
    {
        "├": "|",
        "└": "`",
        "│": "|",
        "─": "-",
        "╌": ".",
        "→": ">",
        "■": "#",
        "…": "...",
        "\ufffd": "?",
    }
)
_COLORS = {10: "2", 20: "32", 30: "33", 40: "31", 50: "35"}
_GREY = "2"


def render(graph: Graph, *, is_colored: bool = False, is_plain: bool = False) -> str:
    """Return the tree.

    Args:
        graph: what to draw.
        is_colored: whether to paint it for a terminal.
        is_plain: whether to draw with ASCII alone.
    """

    def paint(text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if is_colored and color and text else text

    profile = f"  (profile {graph.profile})" if graph.profile else ""
    lines = [f"{graph.name}{profile}", ""]
    lines += ["loggers", *_branches(graph, paint), ""]
    if graph.has_routes:
        lines += ["routes, from top to bottom", *_routes(graph, paint), ""]
    if graph.exit.levels:
        lines += [f"no {_taker(graph)} wants: {graph.exit.levels}  -> {graph.exit.fate}", ""]
    lines += ["handlers", *_handlers(graph, paint)]
    if graph.unused:
        lines += ["", *(f"unused: {name}" for name in graph.unused)]
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.translate(_PLAIN) if is_plain else text


Paint = Callable[[str, str], str]


def _taker(graph: Graph) -> str:
    return "route" if graph.has_routes else "logger"


def _branches(graph: Graph, paint: Paint) -> Iterator[str]:
    """Yield the loggers as a tree, root first."""
    heads = list(_heads(graph.loggers))
    width = max(len(head) for head, _ in heads)
    for head, logger in heads:
        color = _COLORS.get(logger.level.number // 10 * 10, "")
        origin = "" if logger.origin == logger.name else f" ({_origin(logger)})"
        level = f"{paint(logger.level.name, color)}{origin}"
        arrow = f"  -> {', '.join(logger.handlers)}" if logger.handlers else ""
        through = f"  through {', '.join(logger.filters)}" if logger.filters else ""
        stop = "" if logger.propagates else paint("  ■ propagate: false", "31")
        yield f"{head:<{width}}  {level}{through}{arrow}{stop}{_marks(logger, paint)}"


def _origin(logger: Logger) -> str:
    return f"from {logger.origin}" if logger.origin else "stdlib's default"


def _heads(loggers: tuple[Logger, ...]) -> Iterator[tuple[str, Logger]]:
    last = {logger.parent: logger.id for logger in loggers}  # the last child of each
    indents: dict[str, str] = {}
    for logger in loggers:
        if logger.parent is None:
            indents[logger.id] = "  "
            yield f"  {logger.name}", logger
            continue
        indent, is_last = indents[logger.parent], last[logger.parent] == logger.id
        indents[logger.id] = indent + ("   " if is_last else "│  ")
        yield f"{indent}{'└─' if is_last else '├─'} {logger.name}", logger


def _routes(graph: Graph, paint: Paint) -> Iterator[str]:
    if not graph.routes:
        yield "  none"
    labels = [f"{route.position}" for route in graph.routes]
    digits = max(map(len, labels), default=1)
    whens = [_when(route) for route in graph.routes]
    width = min(max(map(len, whens), default=0), 60)
    dead = {edge.source + " " + edge.target for edge in graph.edges if not edge.is_live}
    ids = {handler.name: handler.id for handler in graph.handlers}
    for label, when, route in zip(labels, whens, graph.routes, strict=True):
        line = "╌" if route.is_unreachable else "─"
        names = [
            paint(f"╌{name}╌", _GREY) if f"{route.id} {ids.get(name)}" in dead else name
            for name in route.to
        ]
        to = ", ".join(route.to if route.is_unreachable else names) or "nothing (silence)"
        arrow = "╌╌>" if route.is_unreachable else "->"
        through = f" through {', '.join(route.filters)}" if route.filters else ""
        head = f"  {line}{line} {label:>{digits}}  {when:<{width}}{through}  {arrow} {to}"
        yield (paint(head, _GREY) if route.is_unreachable else head) + _end(route, paint)


def _when(route: Route) -> str:
    name = f"{route.name}: " if route.name else ""
    return name + ("; ".join(route.conditions) or "every record")


def _end(route: Route, paint: Paint) -> str:
    """Return where the walk ends, and what is wrong with a route."""
    stop = "■ final" if route.final else ""
    if route.final_below and not route.final:
        stop = f"■ final below {route.final_below}"
    stop = paint(f"  {stop}", "31") if stop else ""
    stop = f"  audited{stop}" if route.audit else stop
    dead = paint("  unreachable", "33") if route.is_unreachable else ""
    return f"{stop}{dead}{_marks(route, paint)}"


def _marks(node: Logger | Route | Handler, paint: Paint) -> str:
    codes = dict.fromkeys(finding.code for finding in node.findings)
    return paint(f"  [{', '.join(codes)}]", "33") if codes else ""


def _handlers(graph: Graph, paint: Paint) -> Iterable[str]:
    targets = {item.id: item for item in graph.destinations}
    where = {e.source: targets[e.target].text for e in graph.edges if e.kind == "delivers"}
    names = {handler.id: handler.name for handler in graph.handlers}
    onward: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "hands_on":
            onward.setdefault(edge.source, []).append(names[edge.target])
    if not graph.handlers:
        yield "  none"
    rows = [(h.name, h.kind, where.get(h.id, ""), h) for h in graph.handlers]
    widths = [max((len(row[i]) for row in rows), default=0) for i in (0, 1, 2)]
    for name, kind, text, handler in rows:
        cells = (name, kind, text)
        line = "  ".join(
            f"{cell:<{min(width, 50)}}" for cell, width in zip(cells, widths, strict=True)
        )
        more = "; ".join(_details(handler, onward.get(handler.id, [])))
        mark = "─" if handler.is_reached else "╌"
        row = f"  {mark}{mark} {line}  {more}".rstrip()
        if not handler.is_reached:
            dead = "no record gets here" if handler.is_used else "unused"
            yield paint(row, _GREY) + paint(f"  {dead}", "33") + _marks(handler, paint)
        else:
            yield row + _marks(handler, paint)


def _details(handler: Handler, onward: list[str]) -> Iterator[str]:
    if handler.level.number:
        yield f"{handler.level.name} and above"
    if handler.filters:
        yield f"through {', '.join(handler.filters)}"
    if handler.formatter:
        yield f"as {handler.formatter}"
    if handler.queue:
        yield f"queue: {handler.queue}"
    if onward:
        yield f"then -> {', '.join(onward)}"
