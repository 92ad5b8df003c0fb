"""Records that come from within: what a handler gives up, and what tells of losses.

They reach the handlers like the application's, but by the dispatcher alone, and
none of them can cause another one for ever.
"""

import logging
from collections.abc import Sequence

from logroute.engine.dealing import Hand
from logroute.engine.intake import Decision
from logroute.engine.losses import LOGGER, Loss, LossTeller
from logroute.engine.worker import Worker
from logroute.light import TYPE_CHECKING
from logroute.records import level_of

if TYPE_CHECKING:
    from logroute.engine.dispatch import Dispatcher

__all__ = ["Handover"]


class Handover:
    """Hands records of our own making, or coming back to us, to the handlers."""

    def __init__(self, dispatcher: "Dispatcher") -> None:
        """Work with the routing and in the thread of `dispatcher`."""
        self._dispatcher = dispatcher
        self.teller = LossTeller()
        self.reset()

    def reset(self) -> None:
        """Forget what was reported, as a forked child must."""
        self.teller.reset()
        #: How many times records were passed on to a fallback, for who waits for those.
        self.passed_on = 0

    def adopt(self, worker: Worker) -> None:
        """Let `worker` report here."""
        worker.on_loss = self.report

    # -- in any thread of ours

    def report(self, worker: Worker) -> None:
        """See to it that the losses of `worker` are told."""
        if not self._dispatcher.is_running:
            worker.say_drops()
        elif self.teller.report(worker):
            self._dispatcher.intake.bell.ring()

    def pass_on(self, records: Sequence[logging.LogRecord], fallback: Worker) -> None:
        """Give `records`, which another handler gave up, to `fallback`; `bring` is next.

        After a reload that is the handler which has its name now. This takes no lock,
        so it may be called under that of a queue.
        """
        dispatcher = self._dispatcher

        def give() -> None:
            worker = dispatcher.routing.workers.get(fallback.name, fallback)
            least = dispatcher.routing.table.handler_levels.get(worker.name, 0)
            high = [record for record in records if level_of(record) >= least]
            low = ["level"] * (len(records) - len(high))
            dispatcher.give(high, worker, low)

        dispatcher.intake.put_barrier(give)
        self.passed_on += 1

    def bring(self) -> None:
        """See to it that what was passed on reaches the fallback."""
        if not self._dispatcher.is_running:
            self._dispatcher.drain_soon()

    # -- in the dispatcher

    def report_refused(self) -> None:
        """Have it told that records could not even enter the intake."""
        for worker in self._dispatcher.routing.workers.values():
            if any(part.queue.has_refused for part in worker.chain):
                self.report(worker)

    def wait_s(self) -> float | None:
        """Return the seconds until there is something to tell; None: there is nothing."""
        return self.teller.wait_s()

    def tell(self, *, is_end: bool = False) -> None:
        """Route what is to be told of losses now; at the end all that is not told yet."""
        for loss in self.teller.due(is_end=is_end):
            if not _is_silenced():
                self._tell(loss)

    def _tell(self, loss: Loss) -> None:
        hands = self._hands(loss.record())
        takers = [hand for hand in hands if _may_take(hand.worker, loss)]
        for worker, (record, _, refused_by), _, _ in takers:
            dropped_by = (refused_by or {}).get(worker)
            if dropped_by is None:
                self._dispatcher.give([record], worker)
            else:
                self._dispatcher.give([], worker, [dropped_by])
        if not takers:
            self._dispatcher.notices.say(f"{loss.worker.name}:drops", loss.text)

    def _hands(self, record: logging.LogRecord) -> list[Hand]:
        routing = self._dispatcher.routing
        routing.add_context(record)
        plan = routing.table.plan(LOGGER, record.levelno)
        names = plan.pick(record)
        if names is not None and plan.has_filters:
            hands = self._dispatcher.dealer.deal_own(record, plan)
            return [hand for hand in hands if hand.fault is None]
        workers = routing.named(plan.leftover if names is None else names)
        return [Hand(worker, (record, Decision((), ()), None)) for worker in workers]


def _may_take(worker: Worker, loss: Loss) -> bool:
    """Return whether telling `worker` of `loss` cannot feed the loss."""
    if worker.is_sync or worker.queue.is_full(0):
        return False
    is_well = all(part.last_error is None for part in worker.chain)
    return worker is not loss.worker or (loss.is_last and is_well)


def _is_silenced() -> bool:
    """Return whether the level of our logger says that nobody wants to know.

    Looked up without `logging.getLogger`, whose lock a reload may hold.
    """
    logger = logging.root.manager.loggerDict.get(LOGGER)
    return isinstance(logger, logging.Logger) and logger.level > logging.WARNING
