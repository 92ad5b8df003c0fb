"""A graph as a self-contained SVG picture, for light and dark pages.

No script, no font, no address: the file shows the same anywhere. Hovering over a
card brings out its edges, and says where in the file it stands. Pure; runs in the
thread of the command.
"""

from collections.abc import Iterator

from logroute.cli.graphs import Graph
from logroute.cli.graphs.cards import Card, Pen, octagon
from logroute.cli.graphs.layout import MARGIN, TOP, Curve, Picture, arrange
from logroute.cli.graphs.paint import CSS, escape, number, shade, text_width

__all__ = ["draw", "render"]

_LEAST_WIDTH = 560.0


def render(graph: Graph) -> str:
    """Return the picture as an SVG document."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{draw(graph)}\n'


def draw(graph: Graph) -> str:
    """Return the picture as an SVG element, to stand in a page."""
    picture = arrange(graph)
    width = max(picture.width, _LEAST_WIDTH)
    legend, legend_height = _legend(graph, width)
    height = picture.height + 40 + legend_height
    size = f'width="{number(width)}" height="{number(height)}"'
    box = f'viewBox="0 0 {number(width)} {number(height)}"'
    label = escape(f"How {graph.name} routes log records")
    names = {
        card.id: f"n{index}"
        for index, card in enumerate(card for column in picture.columns for card in column.cards)
    }
    head = f'xmlns="http://www.w3.org/2000/svg" class="lr" {size} {box}'
    parts = [
        f'<svg {head} role="img" aria-label="{label}">',
        f"<style>\n{CSS}\n{_hover(names)}\n</style>",
        f'<rect class="page" {size} rx="10"/>',
        *_heading(graph, picture),
        *_twigs(picture),
        *_rail(graph, picture),
        *(_curve(curve, names) for curve in picture.curves),
        *(_card(card, names) for column in picture.columns for card in column.cards),
        f'<g transform="translate({number(MARGIN)},{number(picture.height + 34)})">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts)


def _hover(names: dict[str, str]) -> str:
    """Return rules by which a card under the pointer brings out its edges."""
    rules = [".lr:has(.n:hover) .edge:not(.k){opacity:.12}"]
    for name in names.values():
        rules.append(f".lr:has(.{name}:hover) .edge.o-{name}{{opacity:1}}")
    return "\n".join(rules)


def _heading(graph: Graph, picture: Picture) -> Iterator[str]:
    pen = Pen(picture.width)
    pen.text(MARGIN, 48, graph.name.rpartition("/")[2], 21, "tx b")
    counts = [
        _count(len(graph.handlers), "handler"),
        _count(len(graph.routes), "route") if graph.has_routes else "",
        _count(len(graph.loggers), "logger"),
        f"profile {graph.profile}" if graph.profile else "",
    ]
    pen.text(MARGIN, 71, " · ".join(filter(None, counts)), 12.5, "soft")
    for column in picture.columns:
        indent = min((card.indent for card in column.cards), default=0.0)
        pen.text(column.x + indent, TOP - 20, column.title, 12, "soft b")
    yield from pen.marks


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _card(card: Card, names: dict[str, str]) -> str:
    style = f"n {names[card.id]}" + (" dead" if card.is_dead else "")
    size = f'width="{number(card.width)}" height="{number(card.height)}"'
    return (
        f'<g class="{style}" transform="translate({number(card.x)},{number(card.y)})">'
        f"<title>{escape(card.tip)}</title>"
        f'<rect class="card" {size} rx="8"/>{"".join(card.marks)}</g>'
    )


def _curve(curve: Curve, names: dict[str, str]) -> str:
    """Return an edge: an S through the gutter, or a loop back to the same column."""
    x1, y1, x2, y2 = curve.x1, curve.y1, curve.x2, curve.y2
    if curve.returns:
        out = x1 + 46 + abs(y2 - y1) / 12
        tip, control = x2 + 7, f"{number(out)} {number(y1)} {number(out)} {number(y2)}"
        head = f"M{number(x2)} {number(y2)}l8 -4v8z"
    else:
        bend = (x2 - x1) * 0.5
        tip = x2 - 7
        control = f"{number(x1 + bend)} {number(y1)} {number(x2 - bend)} {number(y2)}"
        head = f"M{number(x2)} {number(y2)}l-8 -4v8z"
    path = f"M{number(x1)} {number(y1)}C{control} {number(tip)} {number(y2)}"
    color = shade(curve.edge.lowest) if curve.edge.is_live else "x"
    ends = " ".join(f"o-{names[id]}" for id in (curve.edge.source, curve.edge.target))
    return (
        f'<g class="edge e-{color} {ends}"><path class="line" d="{path}"/>'
        f'<path class="head" d="{head}"/></g>'
    )


def _twigs(picture: Picture) -> Iterator[str]:
    """Yield the lines from each logger up to its parent; a bar where records stay."""
    for child, parent, propagates in picture.twigs:
        x, y = parent.x + 10, child.y + child.height / 2
        top = parent.y + parent.height
        if propagates:
            line = f"M{number(child.x)} {number(y)}H{number(x)}V{number(top + 6)}"
            head = f"M{number(x)} {number(top)}l-4 7h8z"
            yield f'<path class="twig" d="{line}"/><path class="railhead" d="{head}"/>'
        else:
            stub = f'<path class="twig" d="M{number(child.x)} {number(y)}h-8"/>'
            yield f'{stub}<path class="stop-line" d="M{number(child.x - 8)} {number(y - 6)}v12"/>'


def _rail(graph: Graph, picture: Picture) -> Iterator[str]:
    """Yield the line along which a record passes the routes, and the way onto it."""
    if picture.rail is None:
        return
    x, top, bottom = picture.rail
    cards = {card.id: card for column in picture.columns for card in column.cards}
    root = cards[graph.loggers[0].id]
    start = root.x + root.width
    y = root.y + (root.height - 9 if graph.loggers[0].handlers else 17)
    bend = (x - start) * 0.5
    yield (
        f'<path class="rail" d="M{number(start)} {number(y)}C{number(start + bend)} {number(y)} '
        f'{number(x - bend)} {number(top)} {number(x)} {number(top)}"/>'
    )
    yield f'<path class="rail" d="M{number(x)} {number(top)}V{number(bottom)}"/>'
    for id in [*(route.id for route in graph.routes), graph.exit.id]:
        card = cards[id]
        place = card.y + 17
        yield f'<path class="rail" d="M{number(x)} {number(place)}H{number(card.x - 8)}"/>'
        yield f'<path class="railhead" d="M{number(card.x)} {number(place)}l-9 -5v10z"/>'


def _legend(graph: Graph, width: float) -> tuple[list[str], float]:
    """Return what the marks mean, in as many lines as the width needs."""
    pen = Pen(width)
    x, y = 0.0, 0.0
    for step in graph.scale:
        wide = 20 + text_width(step.name, 11) + 14
        x, y = (x, y) if x + wide < width - 2 * MARGIN else (0.0, y + 24)
        pen.cell(x, y, step, is_on=True)
        pen.text(x + 20, y + 11.5, step.name, 11, "soft")
        x += wide
    x, y = 0.0, y + 26
    for mark, sentence in _sentences(graph):
        wide = 26 + text_width(sentence, 11) + 22
        x, y = (x, y) if x + wide < width - 2 * MARGIN or not x else (0.0, y + 20)
        pen.marks.append(f'<g transform="translate({number(x)},{number(y + 7.5)})">{mark}</g>')
        pen.text(x + 26, y + 11.5, sentence, 11, "soft")
        x += wide
    return pen.marks, y + 36


def _sentences(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the marks of the picture, each with what it means."""
    head = '<path class="head" d="M20 0l-8 -4v8z"/>'
    yield (
        f'<g class="edge k e-i"><path class="line" d="M0 0H13"/>{head}</g>',
        "the colour is that of the lowest level that passes",
    )
    if any(route.final or route.final_below for route in graph.routes):
        yield octagon(8, 0, 5), "what matched goes to no later route"
    if any(not edge.is_live for edge in graph.edges):
        line = '<path class="line" d="M0 0H13"/>'
        yield f'<g class="edge k e-x">{line}{head}</g>', "no record gets there"
