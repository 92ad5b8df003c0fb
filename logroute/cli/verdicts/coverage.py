"""Which routes and handlers of a config no test reaches."""

from collections.abc import Iterable, Sequence

from logroute.app.examples import Verdict
from logroute.app.explain import Explainer
from logroute.diagnostics import Span
from logroute.light import NamedTuple

__all__ = ["Coverage", "measure"]


class Coverage(NamedTuple):
    """How much of one config its tests reach.

    Attributes:
        config: the file.
        routes: how many routes there are.
        handlers: how many handlers routes, loggers or `unmatched` name.
        missed_routes: those that no tested record took, with their places.
        missed_handlers: those that no tested record reaches, with their places.
    """

    config: str
    routes: int
    handlers: int
    missed_routes: Sequence[tuple[str, Span | None]]
    missed_handlers: Sequence[tuple[str, Span | None]]

    @property
    def percent(self) -> float:
        """Routes and handlers that are reached, of all, in percent."""
        total = self.routes + self.handlers
        missed = len(self.missed_routes) + len(self.missed_handlers)
        return 100.0 * (total - missed) / total if total else 100.0


def measure(config: str, explainer: Explainer, verdicts: Iterable[Verdict]) -> Coverage:
    """Return what the tested records reached of a config."""
    taken: set[int] = set()
    reached: set[str] = set()
    for verdict in verdicts:
        if verdict.told is not None and verdict.told.is_made:
            steps = verdict.told.steps
            taken |= {step.number for step in steps if step.matched and step.number is not None}
            reached |= set(verdict.told.reaches)
    routes = explainer.table.routes
    named = [name for route in routes for name in route.to]
    named += [name for at in explainer.table.attachments.values() for name in at.handlers]
    handlers = list(dict.fromkeys([*named, *explainer.table.leftover]))
    return Coverage(
        config,
        len(routes),
        len(handlers),
        [
            (route.label, explainer.place_of(("routes", number)))
            for number, route in enumerate(routes)
            if number not in taken
        ],
        [
            (name, explainer.place_of(("handlers", name), key=True))
            for name in handlers
            if name not in reached
        ],
    )
