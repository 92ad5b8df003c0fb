"""The dispatcher: the thread that owns routing state.

It empties the intake, decides per record where content matters, filters and
encodes for each worker, and hands each worker one list. It never waits for a
destination; what waits for one waits encoded, in that worker's queue.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from logroute import native
from logroute.bell import LINGERING, Latch
from logroute.engine import express
from logroute.engine.dealing import Dealer
from logroute.engine.gates import run_gates
from logroute.engine.handover import Handover
from logroute.engine.intake import WRITTEN, Decision, Entry, Intake
from logroute.engine.notices import Notices, describe, inside
from logroute.engine.packing import Packer
from logroute.engine.parcels import Look, Parcel, Round
from logroute.engine.routing import Routing
from logroute.engine.thaw import thaw
from logroute.engine.worker import Worker
from logroute.light import Any
from logroute.records import message_of
from logroute.routing import Plan

__all__ = ["Dispatcher"]

#: How long the dispatcher lets records pile up after work, so that a steady
#: trickle of records does not wake a thread each.
LINGER_S = 0.005
#: Entries per round, so that workers get their share of a long backlog soon.
ROUND = 1000
#: Items made between two rests, which takes some tenths of a millisecond. A caller that
#: wants the interpreter waits no longer for it then; else Python lets it wait for 5 ms.
SPELL = 256
#: Entries looked at together at first, and behind one that goes another way: the next may, too.
_FIRST = 8
#: How long a rest is; the system makes it a little longer.
REST_S = 0.00002
#: Entries in the intake from which on the dispatcher does not rest any more, since
#: callers outrun it: more would delay a file noticeably.
FAR_BEHIND = 2000

#: Stands in the entries of records that no routes decided on.
_NOBODY = Decision((), ())


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
        #: Decisions for which the code of the express lane is to be made ready.
        self.asked: deque[Decision] = deque()
        self.unmatched = 0
        #: Records that could not be routed, since a condition raised.
        self.faults = 0
        self.notices = notices
        self._own_threads = own_threads
        #: Brings records of handlers' own affairs to the handlers.
        self.handover = Handover(self)
        #: Deals out what takes routes with filters.
        self.dealer = Dealer(self)
        #: Makes payloads of records.
        self.packer = Packer(self._keep_for_the_caller)
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
        #: Counts what is made since the last rest.
        self.packer.made = 0
        #: When the next rest may begin, in monotonic seconds.
        self._rest_from = 0.0
        #: The process ends: nobody logs who might want the interpreter.
        self.is_hasty = False
        #: Somebody who could not wait wants the intake emptied.
        self._is_wanted = False
        self.handover.reset()

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
            return self._ask_later(possible, plan, key, routing)
        names = plan.pick(None)
        if names is None:
            workers = routing.named(plan.leftover)
            tell = not routing.is_quiet and routing.table.reaches_root(name, attached_to)
            return Decision(workers, workers, is_unmatched=tell, key=key, routing=routing)
        workers = routing.named(names)
        if plan.has_filters or plan.may_audit:
            return self._ask_later(workers, plan, key, routing)
        return Decision(workers, workers, key=key, routing=routing)

    def _ask_later(
        self,
        possible: tuple[Worker, ...],
        plan: Plan,
        key: tuple[str, int, str | None],
        routing: Routing,
    ) -> Decision:
        """Return a decision by which each record is looked at."""
        gates = routing.gates.keys()
        gated = tuple(route for route in plan.routes if not gates.isdisjoint(route.filters))
        return Decision((), possible, plan, gated=gated, key=key, routing=routing)

    def _of_now(self, entry: Entry) -> Entry:
        """Return an entry as the routing in force has it: it was put under another one."""
        record, old, refused_by = entry
        renewed = self.routing.renewed
        new = renewed.get(old)
        if new is None:
            new = self._direct(old) if old.key is None else self.decide(*old.key)
            if old.key is not None:
                renewed[old] = new
        if old.writers and refused_by:  # what is written is not for who takes their place
            names = {worker.name for worker, name in refused_by.items() if name == WRITTEN}
            written = (worker for worker in new.possible if worker.name in names)
            refused_by = {**refused_by, **dict.fromkeys(written, WRITTEN)}
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
                        if self.handover.teller.episodes:
                            self.handover.tell()
                    express.prepare(self.asked)
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self.notices.say("dispatcher", f"dispatcher: {describe(fault)}")
                bell.doze(LINGERING) if worked else bell.doze()
                if self._is_over or len(self.intake.entries) > (ROUND if worked else 0):
                    bell.rouse()
                else:
                    bell.sleep(LINGER_S if worked else self.handover.wait_s())
        finally:
            self.is_running = False
            self.intake.room = -1
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
            self.handover.report_refused()
        self.intake.taken += [*map(type, entries)].count(tuple)
        self.intake.renew_lease()
        parcels, pid = Round(), os.getpid()
        looks: dict[Decision, Look | None] = {}
        place, window = [0], _FIRST
        while (at := place[0]) < len(entries):
            entry = entries[at]
            place[0] = at + 1
            try:
                if isinstance(entry, tuple):
                    if parcels.is_stale:
                        looks.clear()
                    if entry[1] not in looks:
                        looks[entry[1]] = self._look(entry[1], parcels)
                    look = looks[entry[1]]
                    if look is None or entry[2] is not None:
                        self._pack_one(entry, parcels, pid)
                    else:
                        done = 0
                        if entry[0] is None and look.straight:
                            run = entries[at : at + window]
                            done = self.packer.pack_straight(run, looks, look, place)
                            window = SPELL if done == window else _FIRST
                        if not done:
                            self.packer.pack_plainly(entry, look, pid)
                    if self.packer.made >= SPELL:
                        self._rest()
                else:  # a barrier: all before it first
                    looks.clear()
                    self._hand_over_all(parcels)
                    entry()
            except BaseException as fault:
                self._count_fault(fault)
                self._keep_for_the_caller(fault)
        self._hand_over_all(parcels)
        self.intake.room = self._room() if self.is_running else -1
        self._let_escape()
        return len(entries)

    def _pack_one(self, entry: Entry, parcels: Round, pid: int) -> None:
        """Put one record, of which not all targets may get all, into the parcels."""
        if entry[0] is None:
            entry = (thaw(entry, pid), entry[1], None)
        if entry[1].routing is not self.routing:
            entry = self._of_now(entry)
        if entry[1].is_dealt:
            self._pack_dealt(entry, parcels)
        else:
            self.packer.pack(entry, self.targets_of(entry[0], entry[1]), parcels)

    def _room(self) -> int:
        """Return how many entries have room; beyond, callers look closer, and may wait."""
        room = self.intake.most
        for worker in self.routing.workers.values():
            queue = worker.queue
            if queue.overflow == "block" and not queue.gave_up:
                room = min(room, queue.room())
        return room

    def _rest(self) -> None:
        """Let callers have the interpreter for a moment."""
        self.packer.made = 0
        is_ours = native.get_ident() == self._own_ident
        if not is_ours or self.is_hasty or len(self.intake.entries) >= FAR_BEHIND:
            return
        begun = monotonic()
        if begun >= self._rest_from:
            native.sleep(REST_S)
            # Threads that compute give the interpreter back after 5 ms each: as long as
            # the rest took, there is none, else we would hardly get on.
            now = monotonic()
            self._rest_from = now + now - begun

    def _keep_for_the_caller(self, fault: BaseException) -> None:
        """Keep a Ctrl-C, or the like, of a thread that is not ours until all is in order."""
        if not isinstance(fault, Exception) and native.get_ident() != self._own_ident:
            self._escaped = fault

    def _let_escape(self) -> None:
        fault, self._escaped = self._escaped, None
        if fault is not None:
            raise fault

    def _hand_over_all(self, parcels: Round) -> None:
        for worker, parcel in parcels.take():
            try:
                self.hand_over(worker, parcel)
                if worker.is_sync:  # since a reload, and the caller is gone
                    worker.drain()
            except BaseException as fault:  # must not cost the other workers theirs
                worker.note(fault)
                self._keep_for_the_caller(fault)

    def _look(self, decision: Decision, parcels: Round) -> Look | None:
        """Return who gets records of `decision` now, where all of them get all of it."""
        routing = self.routing
        if decision.routing is not routing or decision.plan is not None or routing.context:
            return None
        if decision.is_unmatched or decision.key is None:
            return None
        look = parcels.look(decision.targets, decision.key[1])
        look.begin(parcels)
        return look if look.is_plain else None

    def _pack_dealt(self, entry: Entry, parcels: Round) -> tuple[Worker, ...]:
        """Filter and encode one record whose routes have filters; return who is dealt one."""
        hands = self.dealer.deal(entry)
        for hand in hands:
            self.packer.pack_hand(hand, parcels)
        return tuple(hand.worker for hand in hands)

    def hand_over(self, worker: Worker, parcel: Parcel) -> None:
        """Put a parcel into a worker's queue and see to it that it is awake."""
        losses = worker.queue.losses
        worker.queue.put(parcel.items, parcel.filtered, parcel.dropped)
        if worker.queue.losses != losses:  # a worker that hangs cannot say it
            worker.announce_drops()
        if parcel.items and not worker.is_sync:
            worker.wake()

    def give(
        self, records: Sequence[logging.LogRecord], worker: Worker, filtered: Sequence[str] = ()
    ) -> None:
        """Filter, encode and hand over records that no application thread brings.

        `filtered` says of further ones why they are not for the worker.
        """
        parcels = Round()
        parcel = parcels.parcel(worker)
        parcel.filtered.extend(filtered)
        for record in records:
            entry: Entry = (record, _NOBODY, None)
            if worker.gates:
                passed, refused = run_gates(
                    record, (worker,), self._running_filters, self._count_fault
                )
                entry = (passed, _NOBODY, refused)
            self.packer.pack(entry, (worker,), parcels)
        for _, parcel in parcels.take():
            self.hand_over(worker, parcel)
        if worker.is_sync:
            worker.drain()

    def deliver_now(self, entry: Entry) -> None:
        """Deliver to the synchronous workers of `entry` in the calling thread."""
        with inside(self._own_threads):  # what a formatter logs now would come round for ever
            with self._step_lock:  # filters and formatters see one thread at a time
                self._escaped = None
                if entry[1].routing is not self.routing:
                    entry = self._of_now(entry)
                parcels = Round()
                if entry[1].is_dealt:
                    targets = self._pack_dealt(entry, parcels)
                else:
                    targets = self.targets_of(entry[0], entry[1])
                    self.packer.pack(entry, targets, parcels)
                for worker, parcel in parcels.take():
                    self.hand_over(worker, parcel)
                escaped = self._escaped
            for worker in targets:
                if worker.is_sync:
                    worker.drain()
        self._drain_wanted()
        if escaped is not None:
            raise escaped
