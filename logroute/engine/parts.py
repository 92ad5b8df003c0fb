"""The parts of a running config that a reload exchanges together. Plain data."""

import logging
from collections.abc import Callable, Mapping

from logroute.engine.routing import Routing
from logroute.engine.worker import Worker
from logroute.light import Any
from logroute.routing import RouteTable
from logroute.sinks import Encoder, Format

__all__ = ["Parts"]


class Parts:
    """The handlers of a config, live, and what is decided by.

    Attributes:
        routing: routes, workers and context.
        faces: the handlers as `logging.Handler` objects, by name.
        levels: their level numbers.
        encoders: make a handler's encoder anew when its formatter changes.
        shutdown_timeout_s: how long to drain at the end.
    """

    __slots__ = ("encoders", "faces", "levels", "routing", "shutdown_timeout_s")

    def __init__(
        self,
        table: RouteTable,
        *,
        context: Mapping[str, Any] | None = None,
        shutdown_timeout_s: float = 5.0,
        keeps_unmatched_quiet: bool = False,
    ) -> None:
        """Start without handlers."""
        self.routing = Routing(table, {}, context, is_quiet=keeps_unmatched_quiet)
        self.faces: dict[str, logging.Handler] = {}
        self.levels: dict[str, int] = {}
        self.encoders: dict[str, Callable[[Format], Encoder]] = {}
        self.shutdown_timeout_s = shutdown_timeout_s

    def add(
        self,
        worker: Worker,
        face: logging.Handler,
        level: int,
        encoder: Callable[[Format], Encoder] | None,
    ) -> None:
        """Add a handler."""
        self.routing.workers[worker.name] = worker
        self.faces[worker.name] = face
        self.levels[worker.name] = level
        if encoder is not None:
            self.encoders[worker.name] = encoder
