"""Collects the counters of a runtime. Any thread may call it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime

__all__ = ["collect"]


def collect(runtime: "Runtime") -> dict[str, Any]:
    """Return the counters of `runtime` as plain data.

    Keys: ``handlers`` (per name the ledger, ``last_error``, ``restarts``),
    ``accepted`` (records taken from the application), ``intake`` (those not yet
    routed), ``unmatched`` (no route wanted them), ``internal`` (made by our own
    threads), ``faults`` (our exceptions that callers never saw), ``pid``.
    """
    handlers = {}
    for name, worker in runtime.workers.items():
        handlers[name] = worker.queue.counts() | {
            "last_error": worker.last_error,
            "restarts": worker.restarts,
        }
    waiting = len(runtime.intake.entries)
    return {
        "handlers": handlers,
        "accepted": runtime.intake.taken + waiting,
        "intake": waiting,
        "unmatched": runtime.dispatcher.unmatched,
        "internal": runtime.internal,
        "faults": runtime.faults + runtime.dispatcher.faults,
        "notices": runtime.notices.count,
        "pid": runtime.pid,
    }
