"""The dispatcher: the thread that owns routing state.

It empties the intake, decides per record where content matters, filters and
encodes for each worker, and hands each worker one list. It never waits for a
destination; what waits for one waits encoded, in that worker's queue.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from logroute import native
from logroute.bell import LINGERING, Latch
from logroute.delivery.queue import Item, Kept
from logroute.engine.gates import run_gates
from logroute.engine.intake import Decision, Entry, Intake
from logroute.engine.notices import Notices, describe, inside
from logroute.engine.within import Within
from logroute.engine.worker import RECORD_SIZE, Worker
from logroute.records import copy_of, level_of, message_of, pack
from logroute.routing import RouteTable

__all__ = ["Dispatcher", "Routing"]

#: How long the dispatcher lets records pile up after work, so that a steady
#: trickle of records does not wake a thread each.
LINGER_S = 0.005
#: Entries per round, so that workers get their share of a long backlog soon.
ROUND = 1000

#: For one worker: items, names of filters that dropped one, reason and level of drops.
_Parcel = tuple[list[Item], list[str], list[tuple[str, int]]]
_Parcels = dict[Worker, _Parcel]


#: Stands in the entries of records that no routes decided on.
_NOBODY = Decision((), ())


class Routing:
    """What records are routed by; a reload exchanges it as one.

    Attributes:
        table: the routes.
        workers: who delivers, by the handler's name.
        context: fields added to every record.
        is_quiet: records that no route wants are not shown.
        renewed: decisions taken under an earlier routing, as they are under this one.
    """

    __slots__ = ("context", "is_quiet", "renewed", "table", "workers")

    def __init__(
        self,
        table: RouteTable,
        workers: dict[str, Worker],
        context: Mapping[str, Any] | None = None,
        *,
        is_quiet: bool = False,
    ) -> None:
        """Join the parts."""
        self.table = table
        self.workers = workers
        self.context = dict(context or {})
        self.is_quiet = is_quiet
        self.renewed: dict[Decision, Decision] = {}

    def named(self, names: Iterable[str]) -> tuple[Worker, ...]:
        """Return the workers of these handlers."""
        return tuple(self.workers[name] for name in names)


class Dispatcher:
    """Takes from the intake, fans out to workers."""

    def __init__(
        self,
        routing: Routing,
        intake: Intake,
        notices: Notices,
        own_threads: set[int],
    ) -> None:
        """Route by `routing`, which may be exchanged between two records."""
        self.routing = routing
        self.intake = intake
        self.unmatched = 0
        #: Records that could not be routed, since a condition raised.
        self.faults = 0
        self.notices = notices
        self._own_threads = own_threads
        #: Brings records of handlers' own affairs to the handlers.
        self.within = Within(self)
        self.reset()

    def reset(self) -> None:
        """Forget the thread, as a forked child must."""
        self.is_running = False
        #: The thread is about to run; a signal may have stopped who starts it.
        self.is_starting = False
        self._own_ident: int | None = None
        self._is_over = False
        self._running_filters: set[tuple[int, int]] = set()
        self._ended = Latch()
        self._step_lock = native.RLock()
        self._escaped: BaseException | None = None
        #: Somebody who could not wait wants the intake emptied.
        self._is_wanted = False
        self.within.reset()

    def take_over(self) -> None:
        """Forget the thread, which the ending interpreter has frozen for good."""
        self.is_running = False
        self._step_lock = native.RLock()

    # -- deciding, in any thread

    def decide(self, name: str, levelno: int, attached_to: str | None) -> Decision:
        """Return what becomes of records of this logger and level."""
        routing = self.routing  # one for the whole decision
        key = (name, levelno, attached_to)
        plan = routing.table.plan(name, levelno, attached_to)
        if plan.by_content:
            possible = routing.named(dict.fromkeys(plan.possible + plan.leftover))
            return Decision((), possible, plan, key=key, routing=routing)
        names = plan.pick(None)
        if names is None:
            workers = routing.named(plan.leftover)
            tell = not routing.is_quiet and routing.table.reaches_root(name, attached_to)
            return Decision(workers, workers, is_unmatched=tell, key=key, routing=routing)
        workers = routing.named(names)
        return Decision(workers, workers, key=key, routing=routing)

    def _of_now(self, entry: Entry) -> Entry:
        """Return an entry as the routing in force has it: it was put under another one."""
        record, old, refused_by = entry
        renewed = self.routing.renewed
        new = renewed.get(old)
        if new is None:
            new = self._direct(old) if old.key is None else self.decide(*old.key)
            if old.key is not None:
                renewed[old] = new
        if new is old or not new.gates:
            return record, new, refused_by
        late = [worker for worker in new.gates if worker not in old.gates]
        record, refused = run_gates(record, late, self._running_filters, self._count_fault)
        return record, new, {**(refused_by or {}), **(refused or {})} or None

    def _direct(self, old: Decision) -> Decision:
        """Return a decision for one handler: its worker, or the one in its place by now."""
        worker = old.targets[0]
        now = self.routing.workers.get(worker.name)
        if now is worker:
            return old
        if now is None and worker.is_retired:  # who still holds that handler?
            return Decision((), (), is_unmatched=True)
        return Decision((now or worker,), (now or worker,))

    def _count_fault(self, fault: BaseException) -> None:
        self.faults += 1
        self.notices.say("dispatcher", f"dispatcher: {describe(fault)}")

    def targets_of(self, record: logging.LogRecord, decision: Decision) -> tuple[Worker, ...]:
        """Return the workers that get `record`, with the config's context on it."""
        values = record.__dict__
        routing = self.routing
        for name, value in routing.context.items():
            values.setdefault(name, value)
        if decision.plan is None:
            if decision.is_unmatched:
                self._leave(record, bool(decision.targets))
            return decision.targets
        names = decision.plan.pick(record)
        if names is None:
            self._leave(record, bool(decision.plan.leftover) or routing.is_quiet)
            return routing.named(decision.plan.leftover)
        return routing.named(names)

    def _leave(self, record: logging.LogRecord, is_handled: bool) -> None:
        """Count a record that no route wants; show it as stdlib's last resort does."""
        self.unmatched += 1
        if not is_handled and record.levelno >= logging.WARNING:
            self.notices.last_resort(message_of(record))

    # -- the thread

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        if not self.is_running:
            self.is_starting = self.is_running = True
            try:
                native.start_thread(self._run)
            except RuntimeError:
                self.is_running = False
                raise
            finally:
                self.is_starting = False

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
        ident = self._own_ident = native.get_ident()
        bell = self.intake.bell
        try:
            self._own_threads.add(ident)
            while not self._is_over:
                worked = 0
                try:
                    with self._step_lock:
                        worked = self.step()
                        if self.within.teller.episodes:
                            self.within.tell()
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self.notices.say("dispatcher", f"dispatcher: {describe(fault)}")
                bell.doze(LINGERING) if worked else bell.doze()
                if self._is_over or len(self.intake.entries) > (ROUND if worked else 0):
                    bell.rouse()
                else:
                    bell.sleep(LINGER_S if worked else self.within.wait_s())
        finally:
            self.is_running = False
            # Who puts an entry from now on sees to it; those before saw us running.
            self.drain()
            self._own_threads.discard(ident)
            self._own_ident = None
            self._ended.open()

    def drain(self) -> None:
        """Hand on what is in the intake now, in the calling thread."""
        with self._step_lock:
            self._drain()
        self._drain_wanted()

    def drain_soon(self) -> None:
        """Hand on what is in the intake now, here or in the thread that is at it.

        For those who hold the lock of a worker, and so must not wait for ours.
        """
        self._is_wanted = True
        self._drain_wanted()

    def _drain_wanted(self) -> None:
        lock: Any = self._step_lock
        while self._is_wanted and not lock._is_owned() and lock.acquire(blocking=False):
            try:
                self._is_wanted = False
                self._drain()
            finally:
                lock.release()

    def _drain(self) -> None:
        with inside(self._own_threads):
            left = len(self.intake.entries)
            while left > 0 and (worked := self.step()):
                left -= worked

    def step(self) -> int:
        """Hand on one round of records; return how many there were."""
        entries = self.intake.take(ROUND)
        self._escaped = None
        if self.intake.has_refused:
            self.intake.has_refused = False
            self.within.report_refused()
        parcels: _Parcels = {}
        for entry in entries:
            try:
                if isinstance(entry, tuple):
                    self.intake.taken += 1
                    if entry[1].routing is not self.routing:
                        entry = self._of_now(entry)  # noqa: PLW2901
                    for worker in self.targets_of(entry[0], entry[1]):
                        if worker not in parcels:
                            parcels[worker] = ([], [], [])
                        self._pack(worker, entry, *parcels[worker])
                else:  # a barrier: all before it first
                    self._hand_over_all(parcels)
                    entry()
            except BaseException as fault:
                self._count_fault(fault)
                self._keep_for_the_caller(fault)
        self._hand_over_all(parcels)
        self._let_escape()
        return len(entries)

    def _keep_for_the_caller(self, fault: BaseException) -> None:
        """Keep a Ctrl-C, or the like, of a thread that is not ours until all is in order."""
        if not isinstance(fault, Exception) and native.get_ident() != self._own_ident:
            self._escaped = fault

    def _let_escape(self) -> None:
        fault, self._escaped = self._escaped, None
        if fault is not None:
            raise fault

    def _hand_over_all(self, parcels: "_Parcels") -> None:
        for worker, parcel in parcels.items():
            try:
                self.hand_over(worker, *parcel)
                if worker.is_sync:  # since a reload, and the caller is gone
                    worker.drain()
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
        dropped: list[tuple[str, int]],
    ) -> None:
        """Filter and encode one record for `worker`."""
        record: logging.LogRecord | None
        record, _, refused_by = entry
        if refused_by and worker in refused_by:
            filtered.append(refused_by[worker])
            return
        levelno = level_of(record)
        if fault := worker.queue.fault_now(levelno):
            dropped.append((fault, levelno))
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
            dropped.append(("format_error", levelno))
            worker.note(broken)
            self._keep_for_the_caller(broken)
            return
        size = len(payload) if isinstance(payload, bytes) else RECORD_SIZE
        if worker.keeps_records and not worker.encodes_late:
            packed = pack(record)
            payload, size = Kept(payload, packed), size + len(packed)
        items.append((payload, levelno, size))

    def hand_over(
        self,
        worker: Worker,
        items: list[Item],
        filtered: list[str],
        dropped: list[tuple[str, int]],
    ) -> None:
        """Put a parcel into a worker's queue and see to it that it is awake."""
        losses = worker.queue.losses
        worker.queue.put(items, filtered, dropped)
        if worker.queue.losses != losses:  # a worker that hangs cannot say it
            worker.announce_drops()
        if items and not worker.is_sync:
            worker.wake()

    def give(
        self, records: Sequence[logging.LogRecord], worker: Worker, filtered: Sequence[str] = ()
    ) -> None:
        """Filter, encode and hand over records that no application thread brings.

        `filtered` says of further ones why they are not for the worker.
        """
        parcel: _Parcel = ([], list(filtered), [])
        for record in records:
            entry: Entry = (record, _NOBODY, None)
            if worker.gates:
                passed, refused = run_gates(
                    record, (worker,), self._running_filters, self._count_fault
                )
                entry = (passed, _NOBODY, refused)
            self._pack(worker, entry, *parcel)
        self.hand_over(worker, *parcel)
        if worker.is_sync:
            worker.drain()

    def deliver_now(self, entry: Entry) -> None:
        """Deliver to the synchronous workers of `entry` in the calling thread."""
        with inside(self._own_threads):  # what a formatter logs now would come round for ever
            with self._step_lock:  # filters and formatters see one thread at a time
                self._escaped = None
                if entry[1].routing is not self.routing:
                    entry = self._of_now(entry)
                targets = self.targets_of(entry[0], entry[1])
                for worker in targets:
                    parcel: _Parcel = ([], [], [])
                    self._pack(worker, entry, *parcel)
                    self.hand_over(worker, *parcel)
                escaped = self._escaped
            for worker in targets:
                if worker.is_sync:
                    worker.drain()
        self._drain_wanted()
        if escaped is not None:
            raise escaped
