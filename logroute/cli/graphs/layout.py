"""Where the cards and edges of the SVG picture lie.

Four columns: loggers, routes from top to bottom, handlers, destinations. Edges run
only in the gutters between columns, so none crosses a card. Handlers and
destinations are placed next to what sends to them, as far as there is room. Pure;
runs in the thread of the command.
"""

from collections.abc import Iterable, Mapping

from logroute.cli.graphs import Edge, Graph
from logroute.cli.graphs.cards import Card, Maker, Pen, makers
from logroute.light import NamedTuple

__all__ = ["Column", "Curve", "Picture", "arrange"]

MARGIN = 36.0
TOP = 134.0
_GAP = 14.0
_INDENT = 22.0
_RAIL = 30.0
_WIDEST = {"loggers": 330.0, "routes": 430.0, "handlers": 310.0, "destinations": 330.0}
_NARROWEST = 150.0


class Curve(NamedTuple):
    """An edge with its two ends; both on the right of their cards where it `returns`."""

    edge: Edge
    x1: float
    y1: float
    x2: float
    y2: float
    returns: bool


class Column(NamedTuple):
    """A column with its heading."""

    title: str
    x: float
    width: float
    cards: list[Card]


class Picture(NamedTuple):
    """Everything in its place.

    Attributes:
        rail: x, top and bottom of the line along the routes, None without routes.
        entry: the end of the edge from the root logger to the rail.
        twigs: the lines from each logger to its parent.
    """

    columns: list[Column]
    curves: list[Curve]
    rail: tuple[float, float, float] | None
    twigs: list[tuple[Card, Card, bool]]
    width: float
    height: float


def arrange(graph: Graph) -> Picture:
    """Return the picture of a graph."""
    make = makers(graph)
    loggers = _loggers(graph, make)
    routes = _routes(graph, make)
    handlers = _sized("handlers", [make[handler.id] for handler in graph.handlers])
    targets = _sized("destinations", [make[item.id] for item in graph.destinations])
    edges = _drawn(graph)
    for group in (handlers, targets):
        _make_room(group, edges)
    for cards in (loggers, routes):
        _stack(cards)
    tallest = max(cards[-1].y + cards[-1].height for cards in (loggers, routes) if cards) - TOP
    _align(handlers, loggers + routes, edges, _gap(handlers, tallest))
    _align(targets, handlers, edges, _GAP)
    titles = ["Loggers", "Routes, from top to bottom", "Handlers", "Destinations"]
    columns = _columns(titles, [loggers, routes, handlers, targets], edges, bool(graph.has_routes))
    by_id = {card.id: card for column in columns for card in column.cards}
    curves = _curves(edges, by_id)
    rail = _rail(graph, by_id)
    last = max((column.x + column.width for column in columns), default=0.0)
    bottom = max((card.y + card.height for card in by_id.values()), default=TOP)
    back = 60.0 if any(curve.returns and curve.x1 > last - 1 for curve in curves) else 0.0
    twigs = [
        (by_id[logger.id], by_id[logger.parent], logger.propagates)
        for logger in graph.loggers
        if logger.parent is not None
    ]
    return Picture(columns, curves, rail, twigs, last + back + MARGIN, bottom)


# -- sizes


def _sized(column: str, draw: list[Maker], indents: Iterable[float] = ()) -> list[Card]:
    """Draw the cards of a column, all as wide as the widest wants to be."""
    offsets = list(indents) or [0.0] * len(draw)
    natural = [maker(_WIDEST[column]).natural for maker in draw]
    wanted = [wide + indent for wide, indent in zip(natural, offsets, strict=True)]
    width = min(max([_NARROWEST, *wanted]), _WIDEST[column])
    cards = []
    for maker, indent in zip(draw, offsets, strict=True):
        card = maker(max(width - indent, _NARROWEST))
        card.indent = indent
        cards.append(card)
    return cards


def _loggers(graph: Graph, make: Mapping[str, Maker]) -> list[Card]:
    depths: dict[str, int] = {}
    for logger in graph.loggers:
        depths[logger.id] = 0 if logger.parent is None else min(depths[logger.parent] + 1, 6)
    draw = [make[logger.id] for logger in graph.loggers]
    if not graph.has_routes and graph.exit.levels:
        draw.append(make[graph.exit.id])
    indents = [depth * _INDENT for depth in depths.values()]
    return _sized("loggers", draw, indents + [0.0] * (len(draw) - len(indents)))


def _routes(graph: Graph, make: Mapping[str, Maker]) -> list[Card]:
    """Return the routes between the handlers of loggers and the exit."""
    if not graph.has_routes:
        return []
    draw: list[Maker] = [
        _lane(logger.id, logger.name) for logger in graph.loggers if logger.handlers
    ]
    draw += [make[route.id] for route in graph.routes]
    draw.append(make[graph.exit.id])
    return _sized("routes", draw, [_RAIL] * len(draw))


def _lane(id: str, name: str) -> Maker:
    """Return what draws the way from a logger past the routes to its own handlers."""

    def draw(width: float) -> Card:
        pen = Pen(width)
        pen.row("handlers of", name, mono=True)
        return Card(f"lane/{id}", pen, f"the own handlers of logger {name}")

    return draw


# -- places


def _stack(cards: list[Card]) -> None:
    y = TOP
    for card in cards:
        card.y = y
        y += card.height + _GAP


def _drawn(graph: Graph) -> list[Edge]:
    """Return the edges that are drawn as curves, lanes put in where there are routes."""
    found = []
    for edge in graph.edges:
        if edge.kind not in ("sends", "delivers", "hands_on", "enters"):
            continue
        if edge.kind == "sends" and edge.source.startswith("logger/") and graph.has_routes:
            lane = f"lane/{edge.source}"
            found.append(edge._replace(target=lane, kind="lane"))
            found.append(edge._replace(source=lane))
        elif edge.kind != "enters":
            found.append(edge)
    return list(dict.fromkeys(_widest_lane(found)))


def _widest_lane(edges: list[Edge]) -> list[Edge]:
    """Return `edges` with one into each lane, live where any behind it is."""
    kept: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        key = (edge.source, edge.target)
        before = kept.get(key)
        if before is None:
            kept[key] = edge
        else:
            kept[key] = before._replace(
                is_live=before.is_live or edge.is_live, lowest=min(before.lowest, edge.lowest)
            )
    return list(kept.values())


def _make_room(cards: list[Card], edges: list[Edge]) -> None:
    """Make cards tall enough for the heads of all arrows that end at them."""
    counts: dict[str, int] = {}
    for edge in edges:
        counts[edge.target] = counts.get(edge.target, 0) + 1
    for card in cards:
        card.height = max(card.height, min(counts.get(card.id, 0) * 8.0 + 12, 320.0))


def _gap(cards: list[Card], height: float) -> float:
    """Return the space between cards, more of it where a column beside them is tall."""
    rest = height * 0.6 - sum(card.height for card in cards)
    return min(max(rest / max(len(cards), 1), _GAP), 70.0)


def _align(cards: list[Card], sources: list[Card], edges: list[Edge], gap: float) -> None:
    """Place cards next to the middle of what leads to them, in that order."""
    middles = {card.id: card.middle for card in sources}
    wanted: dict[str, float] = {}
    for card in cards:
        ends = [middles[e.source] for e in edges if e.target == card.id and e.source in middles]
        if ends:
            wanted[card.id] = sum(ends) / len(ends)
    for edge in edges:  # what only another handler leads to stands beside that one
        if edge.kind == "hands_on" and edge.source in wanted:
            wanted.setdefault(edge.target, wanted[edge.source] + 1)
    lowest = max([TOP, *wanted.values(), *(card.middle for card in sources)])
    places = {card.id: wanted.get(card.id, lowest + 1) for card in cards}
    cards.sort(key=lambda card: places[card.id])
    _settle(cards, [places[card.id] for card in cards], gap)


def _settle(cards: list[Card], wanted: list[float], gap: float) -> None:
    """Give cards places near what they want, in order and without overlap.

    Cards that push each other form a block, which stands where its members want
    on average (isotonic regression).
    """
    offsets, offset = [], 0.0
    for card in cards:
        offsets.append(offset)
        offset += card.height + gap
    blocks: list[tuple[float, int]] = []
    for card, place, before in zip(cards, wanted, offsets, strict=True):
        mean, count = place - card.height / 2 - before, 1
        while blocks and blocks[-1][0] >= mean:
            other, size = blocks.pop()
            mean, count = (other * size + mean * count) / (size + count), size + count
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    for card, start, before in zip(cards, starts, offsets, strict=True):
        card.y = max(start, TOP) + before


def _columns(
    titles: list[str], groups: list[list[Card]], edges: list[Edge], has_routes: bool
) -> list[Column]:
    columns: list[Column] = []
    x = MARGIN
    for title, cards in zip(titles, groups, strict=True):
        if title.startswith("Routes") and not has_routes:
            continue
        width = max([_NARROWEST, *(card.width + card.indent for card in cards)])
        for card in cards:
            card.x = x + card.indent
        columns.append(Column(title, x, width, cards))
        ids = {card.id for card in cards}
        crossing = sum(edge.source in ids for edge in edges)
        x += width + min(90 + crossing * 3, 240)
    return columns


def _rail(graph: Graph, by_id: Mapping[str, Card]) -> tuple[float, float, float] | None:
    stops = [by_id[id] for id in [*(r.id for r in graph.routes), graph.exit.id] if id in by_id]
    if not graph.has_routes:
        return None
    return stops[0].x - _RAIL + 8, stops[0].y + 17, stops[-1].y + 17


# -- edges


def _curves(edges: list[Edge], by_id: Mapping[str, Card]) -> list[Curve]:
    """Return the edges with their ends spread over the sides of the cards."""
    shown = [edge for edge in edges if edge.source in by_id and edge.target in by_id]
    sides: dict[tuple[str, str], list[tuple[Edge, float]]] = {}
    for edge in shown:
        source, target = by_id[edge.source], by_id[edge.target]
        sides.setdefault(("right", edge.source), []).append((edge, target.middle))
        sides.setdefault((_side(edge), edge.target), []).append((edge, source.middle))
    places = {side: _ports(by_id[side[1]], ends) for side, ends in sides.items()}
    curves = []
    for edge in shown:
        source, target = by_id[edge.source], by_id[edge.target]
        side = _side(edge)
        x1, y1 = source.x + source.width, places["right", edge.source][edge]
        x2 = target.x + target.width if side == "right" else target.x
        curves.append(Curve(edge, x1, y1, x2, places[side, edge.target][edge], side == "right"))
    return curves


def _side(edge: Edge) -> str:
    """Return the side of the target where an edge ends."""
    return "right" if edge.kind == "hands_on" else "left"


def _ports(card: Card, ends: list[tuple[Edge, float]]) -> dict[Edge, float]:
    """Spread edges over the side of a card, in the order of their other ends."""
    order = sorted(ends, key=lambda end: end[1])
    step = min(11.0, (card.height - 12) / max(len(ends), 1))
    first = card.middle - step * (len(ends) - 1) / 2
    return {edge: first + step * rank for rank, (edge, _) in enumerate(order)}
