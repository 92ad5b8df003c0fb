"""Records that are written before the call returns: handlers with `write: caller`.

Runs in the thread that logs, signal handlers included.
"""

from logroute.engine.intake import WRITTEN, Entry
from logroute.engine.routing import Routing
from logroute.engine.worker import Worker
from logroute.light import TYPE_CHECKING
from logroute.native import get_ident

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["write_now"]


def write_now(runtime: "Runtime", entry: Entry) -> Entry | None:
    """Have the handlers of `entry` that promise so write it; return it without those.

    None: nobody else wants it. What comes in the midst of this, from a formatter or
    from a signal's handler, goes the way of other handlers' records: were it written
    here too, a formatter that logs would never end.
    """
    ident, writing = get_ident(), runtime.writing
    if ident in writing:
        return entry
    try:
        writing.add(ident)
        return _write(runtime, entry)
    finally:
        writing.discard(ident)


def _write(runtime: "Runtime", entry: Entry) -> Entry | None:
    record, decision, refused_by = entry
    try:
        targets, is_left = _targets(runtime.dispatcher.routing, entry)
    except Exception:  # a condition raised: the dispatcher meets and counts it
        return entry
    if len(targets) == 1 and not is_left and not refused_by and targets[0].writes_now:
        told = targets[0].write_now(record)  # as nearly always: nobody needs to know who is done
        if told is False:
            runtime.intake.tell_refused()
        return entry if told is None else None
    done = dict(refused_by) if refused_by else {}
    for worker in targets:
        if not worker.writes_now or worker in done:
            is_left = True
            continue
        told = worker.write_now(record)
        if told is None:
            is_left = True
            continue
        done[worker] = WRITTEN
        if not told:
            runtime.intake.tell_refused()
    return (record, decision, done) if is_left else None


def _targets(routing: Routing, entry: Entry) -> tuple[tuple[Worker, ...], bool]:
    """Return the workers that get the record, with the config's context on it.

    Also returns whether the dispatcher has to know of it in any case.
    """
    record, decision, _ = entry
    if routing.context:
        for name, value in routing.context.items():
            record.__dict__.setdefault(name, value)
    if decision.plan is None:
        return decision.targets, decision.is_unmatched
    names = decision.plan.pick(record)
    is_unmatched = names is None
    names = decision.plan.leftover if names is None else names
    return tuple(worker for worker in decision.possible if worker.name in names), is_unmatched
