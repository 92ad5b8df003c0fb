"""Wording: what messages call routes and loggers, and the places they point at."""

from collections.abc import Iterable, Sequence

from logroute.config.flow import STRANGER
from logroute.config.nodes import Node, shown
from logroute.config.views.certainty import level_node
from logroute.config.views.facts import Facts
from logroute.config.views.lanes import Lane
from logroute.config.views.survey import Row, Survey
from logroute.diagnostics import Span

__all__ = ["first_line", "level_places", "title", "whose"]

_SHOWN = 3


def title(lane: Lane) -> str:
    """Return what a message calls a route."""
    name = lane.node.at(("name",))
    if not lane.spec.name or name is None or name.secret:
        return f"route {lane.position + 1}"
    return f"route {lane.position + 1} `{shown(lane.spec.name)}`"


def first_line(node: Node) -> Span:
    """Return the place of a node, or of its beginning where it has several lines."""
    span = node.span
    if span.line == span.end_line:
        return span
    return span._replace(end_line=span.line, end_column=span.column + 1)


def whose(found: Survey, rows: Sequence[Row]) -> str:
    """Return `` of `app` `` for records of some loggers, nothing for those of all."""
    names = {row.name for row in rows}
    if len(names) == len(found.rows):
        return ""
    if STRANGER in names:
        return " of most loggers"
    tops = [name for name in names if name.rpartition(".")[0] not in names]
    words = ["the root logger" if name == "root" else f"`{shown(name)}`" for name in sorted(tops)]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f" of {', '.join(words[:_SHOWN])}{more}"


def level_places(facts: Facts, loggers: Iterable[str | None]) -> tuple[tuple[str, Span], ...]:
    """Return where the levels of some loggers are written, for `related`."""
    places = []
    for name in loggers:
        node = level_node(facts, name) if name is not None else None
        if node is not None and name is not None:
            logger = "the root logger" if name == "root" else f"`{shown(name)}`"
            places.append((f"{logger} makes records from here on", node.span))
    return tuple(places[:_SHOWN])
