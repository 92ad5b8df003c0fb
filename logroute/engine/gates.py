"""Gates: filters that run in the caller's thread, since they are not ours.

They may read what only that thread knows (a request, a task), and, as in stdlib,
what they add to the record is there for everybody. The dispatcher runs them only
for records that were on their way while a reload put another handler there.
"""

import logging
import threading
from collections.abc import Callable, Iterable

from logroute.engine.worker import Worker
from logroute.light import Any

__all__ = ["run_filter", "run_gates"]


def run_gates(
    record: logging.LogRecord,
    workers: Iterable[Worker],
    running: set[tuple[int, int]],
    on_fault: Callable[[BaseException], None],
) -> tuple[logging.LogRecord, dict[Worker, str] | None]:
    """Return the record as it passed the gates, and the workers that refuse it.

    Args:
        record: the record of the application, not yet frozen.
        workers: those whose gates are asked.
        running: the filters that run at this moment, by thread and filter.
        on_fault: told of a filter that fails; it lets the record pass.
    """
    refused: dict[Worker, str] = {}
    for worker in workers:
        for filter in worker.gates:
            result = run_filter(filter, record, running, on_fault)
            if not result:
                refused[worker] = getattr(filter, "name", "") or type(filter).__name__
                break
            if isinstance(result, logging.LogRecord):
                record = result
    return record, refused or None


def run_filter(
    filter: Any,
    record: logging.LogRecord,
    running: set[tuple[int, int]],
    on_fault: Callable[[BaseException], None],
) -> Any:
    """Return the answer of a filter; true where it fails.

    A filter that logs is not asked about what it logs, for it would log again.
    """
    this = (threading.get_ident(), id(filter))
    if this in running:
        return True
    try:
        running.add(this)
        return filter.filter(record) if hasattr(filter, "filter") else filter(record)
    except Exception as fault:
        on_fault(fault)
        return True
    finally:
        running.discard(this)
