"""A config as a picture: one model of nodes and edges, one file per format.

`build.py` makes a `Graph` from what was loaded; `tree`, `mermaid`, `dot`, `svg`,
`html` and `json` draw it. A graph holds no secret and only printable text, in the
order of the file. Pure; runs in the thread of the command.
"""

from logroute.light import NamedTuple

__all__ = [
    "Destination",
    "Edge",
    "Exit",
    "Finding",
    "Graph",
    "Handler",
    "Logger",
    "Route",
    "Step",
]


class Step(NamedTuple):
    """One named level: a mark on the scale that the pictures show."""

    name: str
    number: int


class Finding(NamedTuple):
    """What a check says of a node."""

    code: str
    message: str


class Logger(NamedTuple):
    """A logger that the file names, or the root logger.

    Attributes:
        parent: the id of the nearest logger above it that is shown; None: of root.
        level: the effective level; `origin` is the logger that sets it, None: stdlib.
        handlers: its own handlers.
        filters: its own filters, with their kinds.
        propagates: whether its records go on to the parent and to the routes.
    """

    id: str
    name: str
    parent: str | None
    level: Step
    origin: str | None
    handlers: tuple[str, ...]
    filters: tuple[str, ...]
    propagates: bool
    place: str
    findings: tuple[Finding, ...]


class Route(NamedTuple):
    """A route, in the order of the file; positions count from 1.

    Attributes:
        levels: closed intervals of the level numbers that it asks for.
        conditions: all of its conditions in words, those on level and logger first.
        to: names of handlers; none: silence.
    """

    id: str
    position: int
    name: str | None
    levels: tuple[tuple[int, int], ...]
    conditions: tuple[str, ...]
    filters: tuple[str, ...]
    to: tuple[str, ...]
    final: bool
    final_below: str | None
    audit: bool
    is_unreachable: bool
    place: str
    findings: tuple[Finding, ...]


class Exit(NamedTuple):
    """What becomes of records that no route wants.

    Attributes:
        levels: in words, the levels of such records; None: there are none.
        to: handlers that `unmatched` names.
        fate: in words, where such records go.
    """

    id: str
    levels: str | None
    to: tuple[str, ...]
    fate: str


class Handler(NamedTuple):
    """A handler of the file.

    Attributes:
        kind: the `type`, or the name of the class.
        level: the number of its own level, 0 where it takes every record.
        formatter: in words, such as ``json`` or ``line (text)``.
        filters: with their kinds, in order.
        queue: in words what differs from the defaults; empty where nothing does.
        is_used: whether a route, logger, `unmatched` or handler names it.
        is_reached: whether any record can get to it.
    """

    id: str
    name: str
    kind: str
    level: Step
    formatter: str
    filters: tuple[str, ...]
    queue: str
    is_used: bool
    is_reached: bool
    place: str
    findings: tuple[Finding, ...]


class Destination(NamedTuple):
    """What handlers write to or talk to; several may share one.

    `kind` is one of console, file, mail, network, web, memory, nowhere and code.
    """

    id: str
    kind: str
    text: str
    detail: str


class Edge(NamedTuple):
    """A way that records take, between the ids of two nodes.

    Attributes:
        kind: ``propagates`` (logger to parent), ``enters`` (root to the routes),
            ``next`` (route to route), ``sends`` (to a handler), ``hands_on``
            (handler to handler) or ``delivers`` (handler to destination).
        is_live: whether any record can take it.
        lowest: the lowest level that may pass.
    """

    source: str
    target: str
    kind: str
    is_live: bool
    lowest: int


class Graph(NamedTuple):
    """A whole config as nodes and edges.

    Attributes:
        name: the file as it was given.
        scale: the named levels, ascending.
        has_routes: whether the file has top-level routes; an old one has none.
        unused: formatters and filters that nothing names, in words.
    """

    name: str
    profile: str | None
    scale: tuple[Step, ...]
    loggers: tuple[Logger, ...]
    routes: tuple[Route, ...]
    exit: Exit
    handlers: tuple[Handler, ...]
    destinations: tuple[Destination, ...]
    edges: tuple[Edge, ...]
    has_routes: bool
    unused: tuple[str, ...]
