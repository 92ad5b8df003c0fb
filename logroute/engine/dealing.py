"""Dealing: what each handler gets of a record, where routes have filters.

The filters of ours run in the dispatcher, those of others in the caller's thread, on
a copy: what a route's filter changes, only its handlers see. The dispatcher runs the
latter only for records that were on their way while a reload brought other routes.
"""

import logging
from collections.abc import Callable, Mapping

from logroute.engine.gates import run_filter
from logroute.engine.intake import Decision, Entry
from logroute.engine.worker import Worker
from logroute.light import TYPE_CHECKING, Any, NamedTuple
from logroute.records import copy_of
from logroute.routing import Passage, Plan, Route

if TYPE_CHECKING:
    from logroute.engine.dispatch import Dispatcher
from logroute.engine.routing import Routing

__all__ = ["Dealer", "Early", "Hand"]

_NONE: Mapping[Route, Passage] = {}


class Early(dict[Worker, str]):
    """What filters in the caller's thread decided: for which handlers they refuse a record.

    Attributes:
        passages: what those of the routes made of it.
    """

    def __init__(self, refused_by: Mapping[Worker, str], passages: Mapping[Route, Passage]) -> None:
        """Join what handlers' filters decided, and what routes' did."""
        super().__init__(refused_by)
        self.passages = passages


class Hand(NamedTuple):
    """What one handler is dealt.

    Attributes:
        worker: the handler's.
        entry: the record, as it is behind the filters of its route.
        fault: what a filter of ours raised; the record is lost then.
        is_audited: it is to be delivered in the caller's thread.
    """

    worker: Worker
    entry: Entry
    fault: BaseException | None = None
    is_audited: bool = False


class Dealer:
    """Deals out the records of routes that have filters, or are audited."""

    def __init__(self, dispatcher: "Dispatcher") -> None:
        """Deal by the routing of `dispatcher`."""
        self._dispatcher = dispatcher

    def pass_early(
        self, entry: Entry, running: set[tuple[int, int]], on_fault: Callable[[BaseException], None]
    ) -> Entry:
        """Run the filters that are not ours of the routes that a record takes.

        In the caller's thread; see `run_gates` for `running` and `on_fault`.
        """
        record, decision, refused_by = entry
        plan: Any = decision.plan
        routing: Routing = decision.routing  # type: ignore[assignment]
        routing.add_context(record)
        try:
            taken = plan.taken(record)
        except Exception:  # the dispatcher will meet it, and tell
            return entry
        passages = {
            route: _pass_gates(routing, route, record, running, on_fault)
            for route in taken
            if route in decision.gated
        }
        return record, decision, Early(refused_by or {}, passages)

    def deal(self, entry: Entry) -> list[Hand]:
        """Return who gets what of a record; under the dispatcher's lock."""
        record, decision, refused_by = entry
        dispatcher = self._dispatcher
        routing = dispatcher.routing
        plan: Any = decision.plan
        routing.add_context(record)
        early = refused_by.passages if isinstance(refused_by, Early) else _NONE
        shares = plan.deal(record, lambda route, given: self._through(route, given, early))
        if shares is None:
            return [Hand(worker, entry) for worker in dispatcher.targets_of(record, decision)]
        hands = []
        for name, share in shares.items():
            worker = routing.workers[name]
            passed, dropped_by, fault = share.passage
            if passed is not None or fault is not None or (refused_by and worker in refused_by):
                own: Entry = (record if passed is None else passed, decision, refused_by)
            else:
                own = (record, decision, {worker: dropped_by})
            hands.append(Hand(worker, own, fault, share.is_audited))
        return hands

    def deal_own(self, record: logging.LogRecord, plan: Plan) -> list[Hand]:
        """Return who gets what of a record of our own making."""
        return self.deal((record, Decision((), (), plan), None))

    def _through(
        self, route: Route, record: logging.LogRecord, early: Mapping[Route, Passage]
    ) -> Passage:
        dispatcher = self._dispatcher
        routing = dispatcher.routing
        passage = early.get(route)
        if passage is None:
            running, on_fault = dispatcher._running_filters, dispatcher._count_fault
            passage = _pass_gates(routing, route, record, running, on_fault)
        passed = passage.record
        for name in route.filters:
            if passed is None:
                return passage
            if (apply := routing.filters.get(name)) is not None:
                try:
                    passed = apply(passed)
                except BaseException as fault:
                    dispatcher._keep_for_the_caller(fault)
                    return Passage(None, name, fault)
                passage = Passage(passed, None if passed is not None else name)
        return passage


def _pass_gates(
    routing: "Routing",
    route: Route,
    record: logging.LogRecord,
    running: set[tuple[int, int]],
    on_fault: Callable[[BaseException], None],
) -> Passage:
    """Return what the filters of `route` that are not ours make of a copy of `record`."""
    passed = record
    for name in route.filters:
        gate = routing.gates.get(name)
        if gate is None:
            continue
        if passed is record:
            passed = copy_of(record)
        result = run_filter(gate, passed, running, on_fault)
        if not result:
            return Passage(None, name)
        if isinstance(result, logging.LogRecord):
            passed = result
    return Passage(passed)
