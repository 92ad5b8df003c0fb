"""The logging.Handler faces: where records of the application come in.

`RouteHandler` sits on the root logger and on loggers with handlers of their own;
`HandlerFace` is one configured handler as applications and loggers hold it. They
run in the application's threads: no lock, no import, no look-up by name beyond
one memo, and no exception of ours reaches the caller but that of an audited route.
"""

import logging

from logroute.engine.audit import audit
from logroute.engine.gates import run_gates
from logroute.engine.intake import Decision, Entry
from logroute.engine.runtime import Runtime
from logroute.engine.worker import Worker
from logroute.engine.writing import write_now
from logroute.errors import AuditError
from logroute.light import Any
from logroute.native import get_ident
from logroute.records import freeze, lacks_of, level_of, whole_record

__all__ = ["HandlerFace", "RouteHandler"]

#: Set on a record that a logger further down has routed for the parents too.
SEEN = "_logroute"
#: Decisions that a face remembers, at most.
_MOST_DECISIONS = 20_000


class Face(logging.Handler):
    """A handler without a lock, whose work is done elsewhere."""

    def __init__(self, runtime: Runtime) -> None:
        """Hand records to `runtime`."""
        # First: `logging` knows a handler in the midst of its making, and so does a child
        # that is forked then, which closes it at exit.
        self._runtime = runtime
        self.createLock()
        super().__init__()

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

    def _mend(self, record: logging.LogRecord, fault: AttributeError) -> None:
        """Take a record made by hand that lacks what every record has, and say so."""
        try:
            lacks = lacks_of(record)
            if lacks:
                names = ", ".join(f"`{name}`" for name in lacks)
                self._runtime.notices.say("lacks", f"a record came without {names}; it was mended")
                whole = whole_record(record)
                if not {"name", "levelno"} & set(lacks):
                    whole.__dict__.pop(SEEN, None)  # it was past that question; the mark is ours
                self.handle(whole)
                if SEEN in whole.__dict__:
                    record.__dict__[SEEN] = whole.__dict__[SEEN]
                return
        except AuditError:
            raise
        except Exception as other:
            self._swallow(other)
            return
        self._swallow(fault)

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
        #: Decisions for which it is open yet whether there can be a lane, each with its epoch.
        self._laneless: dict[tuple[str, int], tuple[Decision, list[bool]]] = {}
        runtime.on_change(self._forget)

    def _forget(self) -> None:
        # A new one: a decision being taken right now goes to the old one.
        self._memo = {}
        self._laneless = {}

    def serves(self, runtime: Runtime) -> bool:
        """Return whether the records go into `runtime`."""
        return self._runtime is runtime

    def retire(self) -> None:
        """Remember nothing any more; a record that is on its way is taken all the same."""
        self._runtime.off_change(self._forget)

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand a frozen copy of `record` to the dispatcher, if any route may want it.

        Raises:
            AuditError: an audited route wants it, and it could not be delivered.
        """
        try:
            memo = self._memo
            key = (record.name, record.levelno)
            decision = memo.get(key)
            if decision is None:
                decision = self._decide(memo, key)
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
        except AuditError:
            raise
        except AttributeError as fault:
            self._mend(record, fault)
        except Exception as fault:
            self._swallow(fault)
        return True

    def _decide(self, memo: dict[tuple[str, int], Decision], key: tuple[str, int]) -> Decision:
        """Return what becomes of such records; have a lane opened for those to come."""
        lanes = self._runtime.lanes
        epoch = lanes.epoch  # before the decision, which may be wrong in the next one
        known = self._laneless.get(key)
        if known is not None and known[1] is epoch:
            decision = known[0]
        else:
            decision = self._runtime.dispatcher.decide(*key, self._logger)
        if len(memo) < _MOST_DECISIONS:
            if lanes.consider(self, decision, epoch):
                memo[key] = decision
                self._laneless.pop(key, None)
            else:
                self._laneless[key] = (decision, epoch)
        return decision

    def setLevel(self, level: int | str) -> None:  # noqa: N802  (stdlib's name)
        """Take only records of `level` and above."""
        super().setLevel(level)
        self._runtime.changed()

    def addFilter(self, filter: Any) -> None:  # noqa: N802
        """Add a filter, which runs in the thread that logs."""
        super().addFilter(filter)
        self._runtime.changed()

    def removeFilter(self, filter: Any) -> None:  # noqa: N802
        """Remove a filter."""
        super().removeFilter(filter)
        self._runtime.changed()

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
        self._worker = worker
        super().__init__(runtime)
        self._name = worker.name
        self.level = level
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
            if self._worker.is_at_work(get_ident()):  # its own sink logs to it
                self._runtime.take_internal(record)
            else:
                accept(self._runtime, record, self._decision, is_direct=True)
        except AttributeError as fault:
            self._mend(record, fault)
        except Exception as fault:
            self._swallow(fault)
        return True

    def close(self) -> None:
        """Close the sink where the process ends; do nothing before.

        stdlib closes every handler when any later `dictConfig` runs.
        """
        self._runtime.exit.close(self._worker)

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
    if not runtime.mark[0]:
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
    if decision.has_caller_part:
        left = _caller_part(runtime, entry)
        if left is None:
            return
        entry = left
    if decision.brakes and get_ident() not in runtime.own_threads:
        runtime.intake.brake(decision)
    runtime.intake.put(entry, level_of(record) if is_direct else record.levelno)
    if not runtime.dispatcher.is_running or runtime.is_exiting:
        runtime.wake()


def _caller_part(runtime: Runtime, entry: Entry) -> Entry | None:
    """Do what is to be done of `entry` in this thread; return what is left, None: nothing."""
    decision, dispatcher = entry[1], runtime.dispatcher
    if decision.gated:
        entry = dispatcher.dealer.pass_early(entry, runtime.running_filters, runtime.count_fault)
    if decision.is_dealt_here and audit(runtime, entry):
        return None
    left: Entry | None = write_now(runtime, entry) if decision.writers else entry
    if left is None:
        runtime.intake.note_written()
        if not dispatcher.is_running or runtime.is_exiting:
            runtime.wake()
    elif decision.is_sync:
        dispatcher.deliver_now(left)
        return None
    return left
