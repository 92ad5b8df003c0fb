"""Audit: delivers what takes a route with `audit: true` in the thread that logs it.

One attempt per handler, past its queue and under the lock of its worker; what fails
is raised to the caller, when all were tried. The other handlers of the record get it
from the dispatcher, as ever, but those that promise to write before the call returns.
"""

import logging
import sys

from logroute.engine.dealing import Hand
from logroute.engine.dispatch import Dispatcher
from logroute.engine.intake import Decision, Entry
from logroute.engine.notices import describe, inside
from logroute.engine.parcels import Round
from logroute.engine.runtime import Runtime
from logroute.errors import AuditError
from logroute.light import Any, NamedTuple
from logroute.records import copy_of, level_of
from logroute.routing import Route

__all__ = ["FAILED", "audit"]

#: How long a caller waits for the dispatcher, or for a handler that is at work.
WAIT_S = 5.0
#: The reason of a drop.
FAILED = "audit_failed"


class _Letter(NamedTuple):
    """A record on its way to one handler; `fault` is why it cannot be made."""

    hand: Hand
    payload: Any
    levelno: int
    fault: BaseException | None = None


def audit(runtime: Runtime, entry: Entry) -> bool:
    """Deliver a record that takes an audited route; return False where it takes none.

    Where routes have filters, handlers that write in the caller get it here, too.

    Raises:
        AuditError: handlers of such a route did not get it.
    """
    dispatcher = runtime.dispatcher
    record, decision, _ = entry
    if not _is_dealt_here(record, decision):
        return False
    if runtime.is_exiting and sys.is_finalizing():
        runtime.wake()  # whoever held a lock of ours is frozen
    if decision.brakes:
        runtime.intake.brake(decision)
    lock: Any = dispatcher._step_lock
    with inside(runtime.own_threads):  # what a formatter logs now would come round for ever
        if not lock.acquire(timeout=WAIT_S):
            return _give_way(runtime, entry)
        try:
            letters, immediate, escaped = _prepare(dispatcher, entry)
        finally:
            lock.release()
        dispatcher._drain_wanted()
    if letters is None:  # a reload has just taken the route away
        return False
    if not dispatcher.is_running or runtime.is_exiting:
        runtime.wake()
    faults: dict[str, BaseException] = {}
    with inside(runtime.own_threads):
        for hand in immediate:
            _serve(runtime, hand)
        for letter in letters:
            fault = _deliver(dispatcher, letter)
            if isinstance(fault, Exception):
                faults[letter.hand.worker.name] = fault
            else:
                escaped = fault or escaped
    if escaped is not None:  # a Ctrl-C, now that all is in order
        raise escaped
    if faults:
        raise _failed(faults) from next(iter(faults.values()))
    return True


def _is_dealt_here(record: logging.LogRecord, decision: Decision) -> bool:
    routing: Any = decision.routing
    if decision.plan is None:
        return False
    routing.add_context(record)
    return bool(_audited(record, decision)) or (decision.is_dealt and bool(decision.writers))


def _audited(record: logging.LogRecord, decision: Decision) -> list[Route]:
    """Return the audited routes that a record takes; what we say ourselves takes none."""
    taken = decision.plan.taken(record) if decision.plan is not None and decision.key else []
    return [route for route in taken if route.audit]


def _give_way(runtime: Runtime, entry: Entry) -> bool:
    """Let the record go the way of all others, since the dispatcher is stuck.

    Raises:
        AuditError: it takes an audited route.
    """
    record, decision, _ = entry
    runtime.intake.put(entry, record.levelno)
    routes = _audited(record, decision)
    if routes:
        fault = TimeoutError(f"the dispatcher was busy for {WAIT_S:g} s")
        names = dict.fromkeys(name for route in routes for name in route.to)
        text = f"the record is not delivered yet: {fault}"
        raise AuditError(dict.fromkeys(names, fault), text) from fault
    return True


def _serve(runtime: Runtime, hand: Hand) -> None:
    """Have one record delivered or written by a handler that does so in the caller."""
    record, _, refused_by = hand.entry
    if hand.worker.is_sync:
        hand.worker.drain()
    elif not (refused_by and hand.worker in refused_by):
        is_written = hand.worker.write_now(record)
        if is_written is None:
            runtime.intake.put_barrier(lambda: _hand_over(runtime.dispatcher, hand))
        elif not is_written:
            runtime.intake.tell_refused()


def _failed(faults: dict[str, BaseException]) -> AuditError:
    told = " nor ".join(f"to handler `{name}` ({describe(f)})" for name, f in faults.items())
    return AuditError(faults, f"the record was not delivered {told}")


def _prepare(
    dispatcher: Dispatcher, entry: Entry
) -> tuple[list[_Letter] | None, list[Hand], BaseException | None]:
    """Deal a record out, under the dispatcher's lock.

    Returns what is to be delivered now (None: nothing is to be done here), what other
    handlers deliver or write in the caller, and a Ctrl-C that came meanwhile.
    """
    if entry[1].routing is not dispatcher.routing:
        entry = dispatcher._of_now(entry)
        if not _is_dealt_here(entry[0], entry[1]):
            return None, [], None
    dispatcher._escaped = None
    dispatcher.intake.taken += 1
    letters: list[_Letter] = []
    later: list[Hand] = []
    immediate: list[Hand] = []
    for hand in dispatcher.dealer.deal(entry):
        if hand.is_audited and hand.worker.can_audit and entry[1].key is not None:
            letter = _letter(dispatcher, hand)
            letters += [letter] if letter is not None else []
        elif hand.worker.is_sync:
            immediate.append(hand)
            _hand_over(dispatcher, hand)
        elif hand.worker.writes_now and hand.fault is None:
            immediate.append(hand)
            _count_refusal(hand)
        else:
            later.append(hand)
    if later:
        dispatcher.intake.put_barrier(lambda: _hand_over_all(dispatcher, later))
    escaped, dispatcher._escaped = dispatcher._escaped, None
    return letters, immediate, escaped


def _hand_over_all(dispatcher: Dispatcher, hands: list[Hand]) -> None:
    for hand in hands:
        _hand_over(dispatcher, hand)


def _hand_over(dispatcher: Dispatcher, hand: Hand) -> None:
    """Put one record into the queue of a handler, or of the one in its place by now."""
    hand = hand._replace(worker=dispatcher.routing.workers.get(hand.worker.name, hand.worker))
    parcels = Round()
    dispatcher.packer.pack_hand(hand, parcels)
    for worker, parcel in parcels.take():
        dispatcher.hand_over(worker, parcel)


def _count_refusal(hand: Hand) -> None:
    """Count a record that a filter keeps from a handler that writes in the caller."""
    name = (hand.entry[2] or {}).get(hand.worker)
    if name is not None:
        hand.worker.queue.put([], [name], [])


def _letter(dispatcher: Dispatcher, hand: Hand) -> _Letter | None:
    """Return what the sink takes; None where a filter of the handler drops the record."""
    worker = hand.worker
    record: logging.LogRecord | None
    record, _, refused_by = hand.entry
    levelno = level_of(record)
    fault = hand.fault
    try:
        if fault is not None:
            raise fault
        dropped_by = refused_by.get(worker) if refused_by else None
        for name, apply in worker.filters if dropped_by is None else ():
            record = apply(record)
            if record is None:
                dropped_by = name
                break
        if record is None or dropped_by is not None:
            worker.queue.put([], [dropped_by or ""], [])
            return None
        payload = copy_of(record) if worker.encodes_late else worker.encode_safely(record)
        return _Letter(hand, payload, levelno)
    except BaseException as broken:
        worker.note(broken)
        dispatcher._keep_for_the_caller(broken)
        worker.queue.put([], [], [(FAILED, levelno)])
        worker.announce_drops()
        return _Letter(hand, None, levelno, broken)


def _deliver(dispatcher: Dispatcher, letter: _Letter | None) -> BaseException | None:
    """Deliver to the handler, or to the one that a reload has just put in its place."""
    while letter is not None and letter.fault is None:
        hand, payload, levelno, _ = letter
        worker = hand.worker
        try:
            fault = worker.deliver_at_once(payload, levelno, FAILED, WAIT_S)
        except RuntimeError as ended:
            now = dispatcher.routing.workers.get(worker.name, worker)
            if now is not worker:
                with dispatcher._step_lock:
                    letter = _letter(dispatcher, hand._replace(worker=now))
                continue
            worker.queue.put([], [], [(FAILED, levelno)])
            fault = ended
        worker.announce_drops()
        return fault
    return None if letter is None else letter.fault
