"""The dispatcher: the thread that owns routing state.

It empties the intake, decides per record where content matters, filters and
encodes for each worker, and hands each worker one list. It never waits for a
destination; what waits for one waits encoded, in that worker's queue.
"""

import _thread
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from logroute.bell import LINGERING
from logroute.delivery.queue import Item
from logroute.engine.intake import Decision, Entry, Intake
from logroute.engine.notices import Notices, describe, inside
from logroute.engine.worker import RECORD_SIZE, Worker
from logroute.records import copy_of, level_of, message_of
from logroute.routing import RouteTable

__all__ = ["Dispatcher"]

#: How long the dispatcher lets records pile up after work, so that a steady
#: trickle of records does not wake a thread each.
LINGER_S = 0.005
#: Entries per round, so that workers get their share of a long backlog soon.
ROUND = 1000

#: Per worker: items, names of filters that dropped one, reasons of drops.
_Parcels = dict[Worker, tuple[list[Item], list[str], list[str]]]


class Dispatcher:
    """Takes from the intake, fans out to workers."""

    def __init__(
        self,
        table: RouteTable,
        workers: Mapping[str, Worker],
        intake: Intake,
        notices: Notices,
        own_threads: set[int],
        *,
        context: Mapping[str, Any] | None = None,
        keeps_unmatched_quiet: bool = False,
    ) -> None:
        """Route by `table` to `workers`, by name; add `context` to every record."""
        self.table = table
        self.workers = workers
        self.intake = intake
        self.unmatched = 0
        #: Records that could not be routed, since a condition raised.
        self.faults = 0
        self._notices = notices
        self._own_threads = own_threads
        self._context = dict(context or {})
        self._quiet = keeps_unmatched_quiet
        self.reset()

    def reset(self) -> None:
        """Forget the thread, as a forked child must."""
        self.is_running = False
        self._own_ident: int | None = None
        self._is_over = False
        self._ended = threading.Event()
        self._step_lock = threading.RLock()
        self._escaped: BaseException | None = None

    def take_over(self) -> None:
        """Forget the thread, which the ending interpreter has frozen for good."""
        self.is_running = False
        self._step_lock = threading.RLock()

    # -- deciding, in any thread

    def decide(self, name: str, levelno: int, attached_to: str | None) -> Decision:
        """Return what becomes of records of this logger and level."""
        plan = self.table.plan(name, levelno, attached_to)
        if plan.by_content:
            possible = dict.fromkeys(plan.possible + plan.leftover)
            return Decision((), self._named(possible), plan)
        names = plan.pick(None)
        if names is None:
            workers = self._named(plan.leftover)
            tell = not self._quiet and self.table.reaches_root(name, attached_to)
            return Decision(workers, workers, is_unmatched=tell)
        workers = self._named(names)
        return Decision(workers, workers)

    def _named(self, names: Any) -> tuple[Worker, ...]:
        return tuple(self.workers[name] for name in names)

    def targets_of(self, record: logging.LogRecord, decision: Decision) -> tuple[Worker, ...]:
        """Return the workers that get `record`, with the config's context on it."""
        values = record.__dict__
        for name, value in self._context.items():
            values.setdefault(name, value)
        if decision.plan is None:
            if decision.is_unmatched:
                self._leave(record, bool(decision.targets))
            return decision.targets
        names = decision.plan.pick(record)
        if names is None:
            self._leave(record, bool(decision.plan.leftover) or self._quiet)
            return self._named(decision.plan.leftover)
        return self._named(names)

    def _leave(self, record: logging.LogRecord, is_handled: bool) -> None:
        """Count a record that no route wants; show it as stdlib's last resort does."""
        self.unmatched += 1
        if not is_handled and record.levelno >= logging.WARNING:
            self._notices.last_resort(message_of(record))

    # -- the thread

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        if not self.is_running:
            if sys.is_finalizing():  # Python 3.11 would start one that never runs
                raise RuntimeError("the interpreter is shutting down")
            self.is_running = True
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                self.is_running = False
                raise

    def stop(self, timeout_s: float) -> bool:
        """Let the thread end after what is in the intake; return whether it did in time."""
        self.end_soon(lambda: None)
        return not self.is_running or self._ended.wait(timeout_s)

    def end_soon(self, then: Callable[[], None]) -> None:
        """Let the thread end after what is in the intake now, and call `then`."""

        def end() -> None:
            self._is_over = True
            then()

        if self.is_running:
            self.intake.put_barrier(end)
        else:
            then()

    def _run(self) -> None:
        ident = self._own_ident = threading.get_ident()
        bell = self.intake.bell
        try:
            self._own_threads.add(ident)
            while not self._is_over:
                worked = 0
                try:
                    with self._step_lock:
                        worked = self.step()
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self._notices.say("dispatcher", f"dispatcher: {describe(fault)}")
                bell.doze(LINGERING) if worked else bell.doze()
                if self._is_over or len(self.intake.entries) > (ROUND if worked else 0):
                    bell.rouse()
                else:
                    bell.sleep(LINGER_S if worked else None)
        finally:
            self.is_running = False
            # Who puts an entry from now on sees to it; those before saw us running.
            self.drain()
            self._own_threads.discard(ident)
            self._own_ident = None
            self._ended.set()

    def drain(self) -> None:
        """Hand on what is in the intake now, in the calling thread."""
        with self._step_lock, inside(self._own_threads):
            left = len(self.intake.entries)
            while left > 0 and (worked := self.step()):
                left -= worked

    def step(self) -> int:
        """Hand on one round of records; return how many there were."""
        entries = self.intake.take(ROUND)
        self._escaped = None
        parcels: _Parcels = {}
        for entry in entries:
            try:
                if isinstance(entry, tuple):
                    self.intake.taken += 1
                    for worker in self.targets_of(entry[0], entry[1]):
                        if worker not in parcels:
                            parcels[worker] = ([], [], [])
                        self._pack(worker, entry, *parcels[worker])
                else:  # a barrier: all before it first
                    self._hand_over_all(parcels)
                    entry()
            except BaseException as fault:
                self.faults += 1
                self._notices.say("dispatcher", f"dispatcher: {describe(fault)}")
                self._keep_for_the_caller(fault)
        self._hand_over_all(parcels)
        self._let_escape()
        return len(entries)

    def _keep_for_the_caller(self, fault: BaseException) -> None:
        """Keep a Ctrl-C, or the like, of a thread that is not ours until all is in order."""
        if not isinstance(fault, Exception) and threading.get_ident() != self._own_ident:
            self._escaped = fault

    def _let_escape(self) -> None:
        fault, self._escaped = self._escaped, None
        if fault is not None:
            raise fault

    def _hand_over_all(self, parcels: "_Parcels") -> None:
        for worker, parcel in parcels.items():
            try:
                self.hand_over(worker, *parcel)
            except BaseException as fault:  # must not cost the other workers theirs
                worker.note(fault)
                self._keep_for_the_caller(fault)
        parcels.clear()

    def _pack(
        self,
        worker: Worker,
        entry: Entry,
        items: list[Item],
        filtered: list[str],
        dropped: list[str],
    ) -> None:
        """Filter and encode one record for `worker`."""
        record: logging.LogRecord | None
        record, _, refused_by = entry
        if refused_by and worker in refused_by:
            filtered.append(refused_by[worker])
            return
        levelno = level_of(record)
        if fault := worker.queue.fault_now(levelno):
            dropped.append(fault)
            return
        try:
            for name, apply in worker.filters:
                record = apply(record)
                if record is None:
                    filtered.append(name)
                    return
            if worker.encodes_late:  # in another thread, which formats a record of its own
                payload: Any = copy_of(record)
            else:
                payload = worker.encode_safely(record)
        except BaseException as broken:
            dropped.append("format_error")
            worker.note(broken)
            self._keep_for_the_caller(broken)
            return
        size = len(payload) if isinstance(payload, bytes) else RECORD_SIZE
        items.append((payload, levelno, size))

    def hand_over(
        self, worker: Worker, items: list[Item], filtered: list[str], dropped: list[str]
    ) -> None:
        """Put a parcel into a worker's queue and see to it that it is awake."""
        losses = worker.queue.losses
        worker.queue.put(items, filtered, dropped)
        if worker.queue.losses != losses:  # a worker that hangs cannot say it
            worker.announce_drops()
        if items and not worker.is_sync:
            worker.wake()

    def deliver_now(self, entry: Entry) -> None:
        """Deliver to the synchronous workers of `entry` in the calling thread."""
        with inside(self._own_threads):  # what a formatter logs now would come round for ever
            with self._step_lock:  # filters and formatters see one thread at a time
                self._escaped = None
                targets = self.targets_of(entry[0], entry[1])
                for worker in targets:
                    parcel: tuple[list[Item], list[str], list[str]] = ([], [], [])
                    self._pack(worker, entry, *parcel)
                    self.hand_over(worker, *parcel)
                escaped = self._escaped
            for worker in targets:
                if worker.is_sync:
                    worker.drain()
        if escaped is not None:
            raise escaped
