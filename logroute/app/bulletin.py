"""The records that a runtime sends about itself: its counters, and what is amiss.

They go through the routes like any record, from the thread of the door; where no
handler wants them, or can take them now, they are not made.
"""

import logging
import time
from collections.abc import Mapping

from logroute.engine.handler import accept
from logroute.engine.intake import Decision
from logroute.engine.runtime import Runtime
from logroute.engine.stats import LEDGER, totals
from logroute.engine.worker import Worker
from logroute.light import Any
from logroute.records import own_record

__all__ = ["LOGGER", "Reporter", "send"]

#: The logger of the records with the counters.
LOGGER = "logroute.stats"


def send(runtime: Runtime, name: str, levelno: int, text: str, **fields: Any) -> bool:
    """Send a record through the routes; return whether a handler takes it.

    The level of its logger counts if it is said in so many words; that of the root
    logger does not, since whoever asked for such records wants them.
    """
    if runtime.is_shut_down or _is_silenced(name, levelno):
        return False
    record = own_record(name, levelno, text, (__file__, "send"), fields)
    routing = runtime.dispatcher.routing
    for key, value in routing.context.items():
        record.__dict__.setdefault(key, value)
    plan = routing.table.plan(name, levelno)
    names = plan.pick(record)
    takers = routing.named(plan.leftover if names is None else names)
    takers = tuple(worker for worker in takers if _has_room(worker, levelno))
    if takers:
        asked = plan if plan.has_filters and names is not None else None
        accept(runtime, record, Decision(takers, takers, asked, routing=routing))
    return bool(takers)


def _is_silenced(name: str, levelno: int) -> bool:
    """Return whether the level of the logger, or of one above but the root, forbids it.

    Looked up without `logging.getLogger`, whose lock a reload may hold.
    """
    manager = logging.root.manager
    if manager.disable >= levelno:
        return True
    while name:
        logger = manager.loggerDict.get(name)
        if isinstance(logger, logging.Logger) and (logger.disabled or logger.level):
            return logger.disabled or logger.level > levelno
        name = name.rpartition(".")[0]
    return False


def _has_room(worker: Worker, levelno: int) -> bool:
    return not worker.queue.is_full(0) and worker.queue.fault_now(levelno) is None


class Reporter:
    """Makes the records with the counters; each tells of the time since the last one."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        """Begin at the counters `stats`."""
        self._last = _sums(stats)
        self._since = time.monotonic()

    def report(self, runtime: Runtime) -> bool:
        """Send one; return whether a handler takes it."""
        stats = runtime.stats()
        now, seconds = _sums(stats), time.monotonic() - self._since
        grown = {key: value - self._last[key] for key, value in now.items()}
        self._last, self._since = now, self._since + seconds
        ledgers = totals(stats)
        fields = now | {
            "interval": round(seconds, 3),
            "uptime": round(stats["uptime"], 3),
            "intake": stats["intake"],
            "handlers": {
                name: ledgers[name] | {"state": handler["state"]}
                for name, handler in stats["handlers"].items()
            },
        }
        text = _text(grown, now, stats, seconds)
        return send(runtime, LOGGER, logging.INFO, text, **fields)


def _sums(stats: Mapping[str, Any]) -> dict[str, int]:
    """Return the counters of all handlers together."""
    sums = {"accepted": stats["accepted"], "unmatched": stats["unmatched"]}
    sums |= dict.fromkeys(("enqueued", *LEDGER), 0)
    for ledger in totals(stats).values():
        for key in ("enqueued", *LEDGER):
            value = ledger.get(key, 0)
            sums[key] += sum(value.values()) if isinstance(value, Mapping) else value
    return sums


def _text(
    grown: Mapping[str, int], now: Mapping[str, int], stats: Mapping[str, Any], seconds: float
) -> str:
    """Return one line: what came and what became of it in the last `seconds`."""
    words = {"dead_lettered": "kept as dead letters", "handed_to_fallback": "handed to a fallback"}
    parts = [f"{grown['delivered']} delivered"]
    for key in ("filtered", "dropped", "dead_lettered", "handed_to_fallback"):
        if grown[key]:
            parts.append(f"{grown[key]} {words.get(key, key)}")
    if waiting := now["queued"] + now["in_flight"]:
        parts.append(f"{waiting} waiting")
    text = f"{_count(grown['accepted'])} in {_duration(seconds)}: {', '.join(parts)}"
    troubled = [f"`{n}` {_STATES[h['state']]}" for n, h in stats["handlers"].items() if _ails(h)]
    return text + (f"; {', '.join(troubled)}" if troubled else "")


_STATES = {
    "losing": "is losing records",
    "failing": "is failing",
    "open": "is not tried for the moment",
}


def _ails(handler: Mapping[str, Any]) -> bool:
    return handler["state"] in _STATES


def _count(number: int) -> str:
    return f"{number} record{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
