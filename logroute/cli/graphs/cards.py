"""The cards of the SVG picture: what stands on each, and how large it is.

A card is drawn twice: once to learn how wide its text wants to be, then at the
width of its column. Pure; runs in the thread of the command.
"""

from collections.abc import Callable, Iterable

from logroute.cli.graphs import Destination, Exit, Finding, Graph, Handler, Logger, Route, Step
from logroute.cli.graphs.paint import ICONS, escape, number, shade, text_width, wrap
from logroute.levels import HIGHEST

__all__ = ["Card", "Maker", "Pen", "makers", "octagon"]

_PAD = 12.0
_LINE = 17.0
_CELL = 15.0
_TITLE = 13.0
_BODY = 11.5
_SMALL = 10.5
_MANY_ROUTES = 12

#: Draws a card at a width.
Maker = Callable[[float], "Card"]


class Card:
    """One box of the picture, with its place once that is known.

    Attributes:
        marks: its elements, in coordinates of its own.
        natural: the width at which no line of it has to be broken.
        indent: how far it stands from the left edge of its column.
    """

    __slots__ = ("height", "id", "indent", "is_dead", "marks", "natural", "tip", "width", "x", "y")

    def __init__(self, id: str, pen: "Pen", tip: str, *, is_dead: bool = False) -> None:
        """Take what `pen` has drawn."""
        self.id = id
        self.marks = pen.marks
        self.width = pen.width
        self.height = pen.y + _PAD - 5
        self.natural = pen.natural
        self.tip = tip
        self.is_dead = is_dead
        self.indent = 0.0
        self.x = self.y = 0.0

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


class Pen:
    """Writes rows onto a card, from top to bottom."""

    def __init__(self, width: float) -> None:
        """Begin a card of `width`."""
        self.width = width
        self.natural = 0.0
        self.y = 6.0
        self.marks: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        style: str = "tx",
    ) -> None:
        """Write one piece of text."""
        place = f'x="{number(x)}" y="{number(y)}" font-size="{number(size)}"'
        self.marks.append(f'<text class="{style}" {place}>{escape(text)}</text>')

    def title(
        self, text: str, *, right: float = 0.0, left: float = _PAD, mono: bool = False
    ) -> None:
        """Write the heading; `right` is kept free at the end of its first line."""
        room = self.width - left - _PAD - right
        style = "tx b mono" if mono else "tx b"
        for line in wrap(text, room / (1 if mono else 1.14), _TITLE, is_mono=mono, most=3):
            self.text(left, self.y + 15, line, _TITLE, style)
            self.y += _LINE + 1
        wide = text_width(text, _TITLE, is_bold=True, is_mono=mono)
        self.natural = max(self.natural, left + wide + right + _PAD + 2)

    def row(self, key: str, value: str, *, left: float = _PAD, mono: bool = False) -> None:
        """Write a quiet word and what it is, in as many lines as that needs."""
        head = text_width(key, _BODY) + 7 if key else 0.0
        if key:
            self.text(left, self.y + 13, key, _BODY, "soft")
        room = self.width - left - head - _PAD
        style = "tx mono" if mono else "tx" if key else "soft"
        size = _SMALL + 0.5 if mono else _BODY
        for line in wrap(value, room, size, is_mono=mono, most=6):
            self.text(left + head, self.y + 13, line, size, style)
            self.y += _LINE - 1
        wide = text_width(value, size, is_mono=mono)
        self.natural = max(self.natural, left + head + wide + _PAD + 2)

    def stop(self, text: str) -> None:
        """Write a row behind a stop sign."""
        self.marks.append(octagon(_PAD + 5, self.y + 9, 5))
        self.text(_PAD + 15, self.y + 13, text, _BODY)
        self.y += _LINE - 1
        self.natural = max(self.natural, 2 * _PAD + 17 + text_width(text, _BODY))

    def strip(self, scale: Iterable[Step], levels: tuple[tuple[int, int], ...]) -> float:
        """Draw the levels that pass at the top right; return how much room that takes."""
        steps = list(scale)
        wide = len(steps) * (_CELL + 2)
        x = self.width - _PAD - wide + 2
        ends = [*(step.number - 1 for step in steps[1:]), HIGHEST]
        for step, end in zip(steps, ends, strict=True):
            is_on = any(low <= end and high >= step.number for low, high in levels)
            self.cell(x, self.y + 2, step, is_on=is_on)
            x += _CELL + 2
        return wide + 8

    def cell(self, x: float, y: float, step: Step, *, is_on: bool) -> None:
        """Draw one letter of a scale."""
        color = shade(step.number)
        box = f'x="{number(x)}" y="{number(y)}" width="15" height="15" rx="3"'
        self.marks.append(f'<rect class="{f"f-{color}" if is_on else "off"}" {box}/>')
        style = f"t-{color}" if is_on else "off-text"
        self.text(x + 7.5, y + 11.3, step.name[:1].upper(), 10, f"{style} b mid")

    def chips(self, words: Iterable[tuple[str, str]], *, left: float = _PAD) -> None:
        """Write short marks next to each other: text and kind (stop, warn or quiet)."""
        x = left
        wanted = left
        is_any = False
        for text, kind in words:
            wide = text_width(text, _SMALL, is_bold=True) + 16
            if x > left and x + wide > self.width - _PAD:
                x, self.y = left, self.y + 22
            self._chip(x, self.y + 4, wide, text, kind)
            x += wide + 6
            wanted += wide + 6
            is_any = True
        if is_any:
            self.y += 24
            self.natural = max(self.natural, wanted + _PAD - 6)

    def _chip(self, x: float, y: float, wide: float, text: str, kind: str) -> None:
        box = f'x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="18" rx="9"'
        self.marks.append(f'<rect class="{kind if kind == "warn" else "off"}" {box}/>')
        if kind == "stop":
            self.marks.append(octagon(x + 11, y + 9, 5))
            self.text(x + 19, y + 12.7, text.removeprefix("■ "), _SMALL, "tx b")
        else:
            self.text(x + 8, y + 12.7, text, _SMALL, "note b" if kind == "warn" else "soft b")


def octagon(x: float, y: float, radius: float) -> str:
    """Return a stop sign."""
    cut = radius * 0.414
    corners = [(cut, -radius), (radius, -cut), (radius, cut), (cut, radius)]
    corners += [(-a, -b) for a, b in corners]
    points = " ".join(f"{number(x + a)},{number(y + b)}" for a, b in corners)
    return f'<polygon class="stop" points="{points}"/>'


def makers(graph: Graph) -> dict[str, Maker]:
    """Return what draws each node of a graph, by id."""
    found: dict[str, Maker] = {}
    for logger in graph.loggers:
        found[logger.id] = _maker(_logger, logger, graph)
    for route in graph.routes:
        found[route.id] = _maker(_route, route, graph)
    found[graph.exit.id] = _maker(_exit, graph.exit, graph)
    for handler in graph.handlers:
        found[handler.id] = _maker(_handler, handler, graph)
    for destination in graph.destinations:
        found[destination.id] = _maker(_destination, destination, graph)
    return found


def _maker(draw: Callable[..., Card], node: object, graph: Graph) -> Maker:
    return lambda width: draw(node, graph, width)


def _logger(logger: Logger, graph: Graph, width: float) -> Card:
    pen = Pen(width)
    room = pen.strip(graph.scale, ((logger.level.number, HIGHEST),))
    pen.title(logger.name, right=room, mono=True)
    words = f"{logger.level.name} and above" if logger.level.number else "every level"
    if logger.origin != logger.name:
        words += f", from {logger.origin}" if logger.origin else ", stdlib's default"
    pen.row("", words)
    if logger.filters:
        pen.row("through", ", ".join(logger.filters))
    if not logger.propagates:
        pen.stop("stays here, propagate: false")
    pen.chips(_warnings(logger.findings))
    tip = [f"logger {logger.name}", logger.place]
    if not logger.propagates:
        tip.append("its records go neither to its parents nor to the routes")
    return Card(logger.id, pen, _tip(tip, logger.findings))


def _route(route: Route, graph: Graph, width: float) -> Card:
    pen = Pen(width)
    label, left = str(route.position), 36.0
    pen.marks.append('<circle class="badge" cx="20" cy="17" r="10.5"/>')
    pen.text(20, 20.9, label, 11 if len(label) < 3 else 9, "badge-text b mid")
    room = pen.strip(graph.scale, route.levels)
    conditions = list(route.conditions)
    title = route.name or _heading(conditions)
    pen.title(title, right=room, left=left)
    for condition in conditions:
        key, _, value = condition.partition(": ") if _is_keyed(condition) else ("", "", condition)
        pen.row(key, value, left=left, mono=bool(key) and key != "level")
    if route.filters:
        pen.row("through", ", ".join(route.filters), left=left)
    if route.to and len(graph.routes) > _MANY_ROUTES:  # their arrows are hard to follow
        pen.row("to", ", ".join(route.to), left=left)
    chips = []
    if route.final:
        chips.append(("■ final", "stop"))
    elif route.final_below:
        chips.append((f"■ final below {route.final_below}", "stop"))
    if route.audit:
        chips.append(("audited", "quiet"))
    if not route.to:
        chips.append(("to nobody", "quiet"))
    if route.is_unreachable:
        chips.append(("unreachable", "warn"))
    others = [finding for finding in route.findings if finding.code != "LR302"]
    pen.chips([*chips, *_warnings(others)], left=left)
    tip = [f"route {route.position}", route.place, *route.conditions]
    return Card(route.id, pen, _tip(tip, route.findings), is_dead=route.is_unreachable)


def _heading(conditions: list[str]) -> str:
    """Return what heads a route without a name; taken out of its conditions."""
    if not conditions:
        return "every record"
    key, _, value = conditions[0].partition(": ")
    if key not in ("level", "logger"):
        return "some records"
    del conditions[0]
    return value


def _is_keyed(condition: str) -> bool:
    key = condition.partition(": ")[0]
    return key in ("level", "logger", "message", "exception") or key.startswith("fields.")


def _exit(exit: Exit, graph: Graph, width: float) -> Card:
    pen = Pen(width)
    what = "no route wants it" if graph.has_routes else "no logger wants it"
    pen.title(what, left=36.0)
    pen.marks.append('<path class="icon" d="M13 17h12M21 12.5l5 4.5-5 4.5"/>')
    if exit.levels:
        pen.row("", exit.levels, left=36.0)
        pen.row("then", exit.fate, left=36.0)
    else:
        pen.row("", "never: every record is taken", left=36.0)
    return Card(exit.id, pen, "records that no route wants", is_dead=not exit.levels)


def _handler(handler: Handler, graph: Graph, width: float) -> Card:
    pen = Pen(width)
    levels = ((handler.level.number, HIGHEST),)
    room = pen.strip(graph.scale, levels) if handler.level.number else 0.0
    pen.title(handler.name, right=room)
    shape = f"{handler.kind}, as {handler.formatter}" if handler.formatter else handler.kind
    pen.row("", shape)
    if handler.level.number:
        pen.row("only", f"{handler.level.name} and above")
    if handler.filters:
        pen.row("through", ", ".join(handler.filters))
    if handler.queue:
        pen.row("queue", handler.queue)
    dead = [] if handler.is_reached else [_why_dead(handler)]
    others = [finding for finding in handler.findings if finding.code != "LR202"]
    pen.chips([*dead, *_warnings(others)])
    tip = [f"handler {handler.name}", handler.place]
    return Card(handler.id, pen, _tip(tip, handler.findings), is_dead=not handler.is_reached)


def _why_dead(handler: Handler) -> tuple[str, str]:
    return ("no record gets here" if handler.is_used else "unused", "warn")


def _destination(destination: Destination, graph: Graph, width: float) -> Card:
    pen = Pen(width)
    icon = ICONS.get(destination.kind, ICONS["code"])
    pen.marks.append(f'<path class="icon" transform="translate(12,10)" d="{icon}"/>')
    pen.y += 2
    for line in wrap(destination.text, width - 38 - _PAD, 11.5, is_mono=True):
        pen.text(38, pen.y + 13, line, 11.5, "tx mono")
        pen.y += _LINE - 1
    pen.natural = 38 + text_width(destination.text, 11.5, is_mono=True) + _PAD + 2
    if destination.detail:
        pen.row("", destination.detail, left=38.0)
    sources = [
        edge.source for edge in graph.edges if edge.target == destination.id and edge.is_live
    ]
    return Card(destination.id, pen, destination.text, is_dead=not sources)


def _warnings(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    codes = dict.fromkeys(finding.code for finding in findings)
    return [(code, "warn") for code in codes]


def _tip(lines: Iterable[str], findings: Iterable[Finding]) -> str:
    told = [f"{finding.code}: {finding.message}" for finding in findings]
    return "\n".join([line for line in lines if line] + told)
