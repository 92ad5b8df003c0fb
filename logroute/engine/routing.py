"""What records are routed by at one time: routes, workers and filters. Plain data."""

import logging
from collections.abc import Iterable, Mapping

from logroute.engine.intake import Decision
from logroute.engine.worker import Worker
from logroute.filters import Filter
from logroute.light import Any
from logroute.routing import RouteTable

__all__ = ["Routing"]


class Routing:
    """What records are routed by; a reload exchanges it as one.

    Attributes:
        table: the routes.
        workers: who delivers, by the handler's name.
        context: fields added to every record.
        filters: those of ours that routes have, by name.
        gates: those of others that routes have, by name.
        is_quiet: records that no route wants are not shown.
        renewed: decisions taken under an earlier routing, as they are under this one.
    """

    __slots__ = ("context", "filters", "gates", "is_quiet", "renewed", "table", "workers")

    def __init__(
        self,
        table: RouteTable,
        workers: dict[str, Worker],
        context: Mapping[str, Any] | None = None,
        *,
        is_quiet: bool = False,
    ) -> None:
        """Join the parts."""
        self.table = table
        self.workers = workers
        self.context = dict(context or {})
        self.is_quiet = is_quiet
        self.renewed: dict[Decision, Decision] = {}
        self.filters: dict[str, Filter] = {}
        self.gates: dict[str, Any] = {}

    def add_context(self, record: logging.LogRecord) -> None:
        """Put the config's context on `record`."""
        for name, value in self.context.items():
            record.__dict__.setdefault(name, value)

    def named(self, names: Iterable[str]) -> tuple[Worker, ...]:
        """Return the workers of these handlers."""
        return tuple(self.workers[name] for name in names)
