"""The logging.Handler faces: where records of the application come in.

`RouteHandler` sits on the root logger and on loggers with handlers of their own;
`HandlerFace` is one configured handler as applications and loggers hold it. They
run in the application's threads: no lock, no import, no look-up by name beyond
one memo, and no exception of ours reaches the caller.
"""

import logging
from os import getpid
from typing import Any

from logroute.engine.gates import run_gates
from logroute.engine.intake import Decision, Entry
from logroute.engine.runtime import Runtime
from logroute.engine.worker import Worker
from logroute.native import get_ident
from logroute.records import freeze, level_of

__all__ = ["HandlerFace", "RouteHandler"]

#: Set on a record that a logger further down has routed for the parents too.
SEEN = "_logroute"


class Face(logging.Handler):
    """A handler without a lock, whose work is done elsewhere."""

    def __init__(self, runtime: Runtime) -> None:
        """Hand records to `runtime`."""
        super().__init__()
        self._runtime = runtime

    def createLock(self) -> None:  # noqa: N802  (stdlib's name)
        """Have no lock: nothing here is shared, and a lock could deadlock."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record from code that calls `emit` directly."""
        self.handle(record)

    def flush(self) -> None:
        """Wait, for a bounded time, until what was taken so far is settled.

        Not at exit, where the one drain is enough; nor under the lock of `logging`, as
        `dictConfig` flushes all handlers: a handler that is not ours may wait for it.
        """
        if not self._runtime.is_exiting and not _holds_logging_lock():
            self._runtime.flush(self._runtime.shutdown_timeout_s)

    def close(self) -> None:
        """Do nothing: the runtime owns the resources, and stays usable.

        stdlib closes every handler when any later `dictConfig` runs.
        """

    def _swallow(self, fault: Exception) -> None:
        """Count an exception of ours; the application must not see it."""
        try:
            self._runtime.count_fault(fault)
        except Exception:  # the stack or the memory is at its end
            self._runtime.faults += 1


class RouteHandler(Face):
    """Takes the records that reach one logger, for the routes at it and above."""

    def __init__(self, runtime: Runtime, logger: str, *, has_lower: bool) -> None:
        """Stand on `logger`; `has_lower` says whether others of us stand below it."""
        super().__init__(runtime)
        self._logger = logger
        #: A reload that takes the last one below away leaves this true for a while: a
        #: record may have met that one already and be on its way up.
        self.has_lower = has_lower
        self._marks = logger != "root"
        self._memo: dict[tuple[str, int], Decision] = {}
        runtime.on_change(self._forget)

    def _forget(self) -> None:
        # A new one: a decision being taken right now goes to the old one.
        self._memo = {}

    def serves(self, runtime: Runtime) -> bool:
        """Return whether the records go into `runtime`."""
        return self._runtime is runtime

    def retire(self) -> None:
        """Remember nothing any more; a record that is on its way is taken all the same."""
        self._runtime.off_change(self._forget)

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand a frozen copy of `record` to the dispatcher, if any route may want it."""
        try:
            memo = self._memo
            key = (record.name, record.levelno)
            decision = memo.get(key)
            if decision is None:
                decision = self._runtime.dispatcher.decide(*key, self._logger)
                if len(memo) < 20_000:
                    memo[key] = decision
            if decision.is_never:
                return True
            if self.has_lower and SEEN in record.__dict__ and self._was_seen(record):
                return True
            if self.filters:
                kept: Any = self.filter(record)
                if not kept:
                    return False
                record = kept if isinstance(kept, logging.LogRecord) else record
            if self._marks:
                record.__dict__[SEEN] = (*self._runtime.token, get_ident())
            accept(self._runtime, record, decision)
        except Exception as fault:
            self._swallow(fault)
        return True

    def _was_seen(self, record: logging.LogRecord) -> bool:
        """Return whether a face further down has routed `record` on this very way up.

        A record that comes again, from another thread or process, is a new one.
        """
        if record.__dict__[SEEN] != (*self._runtime.token, get_ident()):
            return False
        if not self._marks:  # nobody above asks
            del record.__dict__[SEEN]
        return True


class HandlerFace(Face):
    """One configured handler, as a `logging.Handler` that may be used directly."""

    def __init__(self, runtime: Runtime, worker: Worker, level: int) -> None:
        """Stand for the handler that `worker` delivers for."""
        super().__init__(runtime)
        self._name = worker.name
        self.level = level
        self._worker = worker
        worker.gates = self.filters  # these run in the caller's thread
        self._decide()

    def _decide(self) -> None:
        self._decision = Decision((self._worker,), (self._worker,))

    def become(self, other: "HandlerFace") -> None:
        """Stand for what `other` was made for: who holds this face goes on using it."""
        self.__dict__.update(other.__dict__)

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand a frozen copy of `record` to this handler alone."""
        try:
            if self._worker.busy_ident == get_ident():  # its own sink logs to it
                self._runtime.take_internal(record)
            else:
                accept(self._runtime, record, self._decision, is_direct=True)
        except Exception as fault:
            self._swallow(fault)
        return True

    def close(self) -> None:
        """Close the sink where the process ends; do nothing before.

        stdlib closes every handler when any later `dictConfig` runs.
        """
        self._runtime.close_at_exit(self._worker)

    def setLevel(self, level: int | str) -> None:  # noqa: N802  (stdlib's name)
        """Change the handler's level, for the routes too."""
        super().setLevel(level)
        self._runtime.set_level(self._worker.name, self.level)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802
        """Change the formatter of the records to come."""
        super().setFormatter(fmt)
        if fmt is not None:
            self._runtime.set_format(self._worker.name, fmt.format)

    def addFilter(self, filter: Any) -> None:  # noqa: N802
        """Add a filter; it runs in the thread that logs, as stdlib's do."""
        super().addFilter(filter)
        self._decide()
        self._runtime.changed()

    def removeFilter(self, filter: Any) -> None:  # noqa: N802
        """Remove a filter."""
        super().removeFilter(filter)
        self._decide()
        self._runtime.changed()


def _holds_logging_lock() -> bool:
    is_owned = getattr(logging._lock, "_is_owned", None)  # type: ignore[attr-defined]
    return is_owned is not None and bool(is_owned())


def accept(
    runtime: Runtime, record: logging.LogRecord, decision: Decision, *, is_direct: bool = False
) -> None:
    """Take one record from an application thread."""
    if getpid() != runtime.pid:
        runtime.revive()
    if not is_direct and get_ident() in runtime.own_threads:
        runtime.take_internal(record)
        return
    refused_by: dict[Worker, str] | None = None
    if decision.gates:
        record, refused_by = run_gates(
            record, decision.gates, runtime.running_filters, runtime.count_fault
        )
    entry: Entry = (freeze(record), decision, refused_by)
    if decision.is_sync:
        runtime.dispatcher.deliver_now(entry)
        return
    if decision.brakes and get_ident() not in runtime.own_threads:
        runtime.intake.brake(decision)
    runtime.intake.put(entry, level_of(record) if is_direct else record.levelno)
    if not runtime.dispatcher.is_running or runtime.is_exiting:
        runtime.wake()
