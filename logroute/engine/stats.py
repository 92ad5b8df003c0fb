"""Collects the counters of a runtime: the one place that knows them all.

Any thread may call it. Nothing here is taken from the application's path: a queue's
lock is held for a moment, as the dispatcher and the worker do.
"""

import os
import sys
import time
from collections.abc import Iterable, Mapping

from logroute.engine.retirement import add_counts
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime
    from logroute.engine.worker import Worker

__all__ = ["FORMAT_VERSION", "LEDGER", "collect", "imbalance", "totals"]

#: Grows by a whole number when a key goes away or means something else.
FORMAT_VERSION = "1.0"
#: What becomes of records, in the order of the law; all of them together are `enqueued`.
LEDGER = (
    "delivered",
    "dropped",
    "filtered",
    "dead_lettered",
    "handed_to_fallback",
    "queued",
    "in_flight",
)
#: A handler is said to be losing records for so long after the last one that it lost.
RECENT_S = 60.0


def collect(runtime: "Runtime") -> dict[str, Any]:
    """Return the counters of `runtime` as plain data; see `schemas/stats.schema.json`.

    Keys: ``format_version``, ``version`` (of logroute), ``pid``, ``program``, ``time``
    and ``started`` (seconds since the epoch), ``uptime`` (seconds), ``handlers`` (see
    `_of_handler`), ``accepted`` (records taken from the application), ``intake`` (those
    not yet routed), ``unmatched`` (no route wanted them), ``internal`` (made by our own
    threads), ``faults`` (our exceptions that callers never saw), ``notices`` (lines for
    stderr, shown or not), ``retired`` (the ledgers of what reloads have replaced, by
    handler), ``reload`` (``count``, the ``last`` outcome, ``when`` as seconds since the
    epoch, ``error``).
    """
    import logroute  # the package, which is complete by now

    workers = dict(runtime.workers)
    waiting = len(runtime.intake.entries)
    started, began = runtime.began
    return {
        "format_version": FORMAT_VERSION,
        "version": logroute.__version__,
        "pid": runtime.pid,
        "program": _program(),
        "time": time.time(),
        "started": started,
        "uptime": time.monotonic() - began,
        "handlers": {name: _of_handler(worker) for name, worker in workers.items()},
        "accepted": runtime.intake.taken + runtime.intake.written + waiting,
        "intake": waiting,
        "unmatched": runtime.dispatcher.unmatched,
        "internal": runtime.internal,
        "faults": runtime.faults + runtime.dispatcher.faults,
        "notices": runtime.notices.count,
        "retired": runtime.retired.counts(),
        "reload": dict(runtime.reloads),
    }


def _of_handler(worker: "Worker") -> dict[str, Any]:
    """Return what is known of one handler.

    The ledger (``enqueued`` and what became of it; ``dropped_by_level`` as ``{"shed":
    {"INFO": 12}}``; with a spool ``recovered`` and the like), how much waits
    (``queued_bytes``, ``oldest`` seconds) within which bounds (``max_records``,
    ``max_bytes``, ``overflow``), ``last_loss`` (seconds ago), ``last_error`` (None: the
    last delivery went well), ``errors`` (``count``, ``when``, ``last``: told even when
    it is over), ``restarts``, ``breaker`` (closed, open or None), and in one word the
    ``state``: ok, losing, failing, or open.
    """
    queues = [part.queue for part in worker.chain]
    last_loss = min(_known(queue.last_loss_s() for queue in queues), default=None)
    last_error = next((part.last_error for part in worker.chain if part.last_error), None)
    breaker = worker.breaker.state if worker.breaker is not None else None
    return worker.counts() | {
        "queued_bytes": sum(queue.bytes for queue in queues),
        "oldest": max(_known(queue.oldest_s() for queue in queues), default=None),
        "max_records": worker.queue.max_records,
        "max_bytes": worker.queue.max_bytes,
        "overflow": worker.queue.overflow,
        "last_loss": last_loss,
        "state": _state(breaker, last_error, last_loss),
        "last_error": last_error,
        "errors": _errors(worker),
        "restarts": sum(part.restarts for part in worker.chain),
        "breaker": breaker,
    }


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _errors(worker: "Worker") -> dict[str, Any]:
    """Return the errors of a handler: how many, and the last one."""
    found = [part.errors for part in worker.chain]
    latest = max(found, key=lambda errors: errors["when"] or 0.0)
    return dict(latest, count=sum(errors["count"] for errors in found))


def _state(breaker: str | None, error: str | None, last_loss: float | None) -> str:
    if breaker not in (None, "closed"):
        return "open"
    if error is not None:
        return "failing"
    return "losing" if last_loss is not None and last_loss < RECENT_S else "ok"


def _program() -> str:
    """Return what people call this process; no argument of it, which may be a secret."""
    path = (getattr(sys, "argv", None) or [""])[0]
    name = os.path.basename(path)
    if name == "__main__.py":  # python -m package
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return name if name not in ("", "-c", "-m") else "python"


def imbalance(counts: Mapping[str, Any]) -> int:
    """Return how many records of a ledger are unaccounted for; the law says 0.

    ``enqueued = delivered + dropped{reason} + filtered{filter} + dead_lettered +
    handed_to_fallback + queued + in_flight``
    """
    found: int = counts["enqueued"]
    for key in LEDGER:
        value = counts[key]
        found -= sum(value.values()) if isinstance(value, Mapping) else value
    return found


def totals(stats: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the ledgers by handler, with those of what reloads have replaced.

    So added up, the counts of a name never go back at a reload.
    """
    added: dict[str, dict[str, Any]] = {}
    for ledgers in (stats["handlers"], stats["retired"]):
        for name, counts in ledgers.items():
            ledger = {key: counts[key] for key in ("enqueued", *LEDGER)}
            add_counts(added.setdefault(name, {}), ledger)
    return added
