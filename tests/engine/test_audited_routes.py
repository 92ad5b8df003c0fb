"""Audited routes inside the engine: one attempt in the caller, and nothing uncounted."""

import logging
import threading

import pytest
from engine_kit import Kit, adds_up, wait_until

from logroute.engine import audit
from logroute.errors import AuditError, Rejected, Retryable
from logroute.routing import Passage

AUDIT = {"audit": True}


def counts(kit, name):
    found = kit.counts(name)
    assert adds_up(found)
    return found["delivered"], found["dropped"]


def test_record_is_there_when_the_call_returns():
    """No thread has to run for it."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.logger.info("paid")
        assert kit.sinks["a"].received == [b"paid"]
        assert not kit.runtime.workers["a"].is_running
        assert (counts(kit, "a"), kit.runtime.stats()["accepted"]) == ((1, {}), 1)


def test_failure_is_raised_when_all_were_tried():
    """The error names who failed, chains the first cause, and comes after the others' turn."""
    with Kit("a", "b", "c", routes=[({}, "abc", AUDIT)]) as kit:
        kit.sinks["a"].faults = [Retryable("busy")]
        kit.sinks["b"].faults = [OSError("gone")]
        with pytest.raises(AuditError, match=r"`a` \(busy\) nor to handler `b` .*gone") as caught:
            kit.logger.info("paid")
        assert caught.value.handlers == ("a", "b")
        assert caught.value.__cause__ is caught.value.failures["a"]
        assert kit.sinks["c"].received == [b"paid"]
        assert counts(kit, "a") == counts(kit, "b") == (0, {"audit_failed": 1})


def test_failure_is_tried_once():
    """What failed is not sent again, whatever `retry` says."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.sinks["a"].faults = [Retryable("busy")]
        with pytest.raises(AuditError):
            kit.logger.info("paid")
        assert kit.runtime.flush(5) and kit.sinks["a"].received == []
        kit.logger.info("again")
        assert (kit.sinks["a"].received, kit.counts("a")["last_error"]) == ([b"again"], None)


@pytest.mark.parametrize("raises", [True, False])
def test_stdlib_switch_changes_nothing(monkeypatch, raises):
    """`logging.raiseExceptions` is about handlers that swallow what goes wrong."""
    monkeypatch.setattr(logging, "raiseExceptions", raises)
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.sinks["a"].faults = [OSError("gone")]
        with pytest.raises(AuditError):
            kit.logger.info("paid")


def test_other_handlers_get_it_as_ever():
    """A handler of another route gets the record from its own thread, also after a failure."""
    with Kit("a", "b", routes=[({}, "a", AUDIT), ({}, "b")]) as kit:
        kit.sinks["b"].gate.clear()
        kit.logger.info("paid")
        kit.sinks["a"].faults = [OSError("gone")]
        with pytest.raises(AuditError):
            kit.logger.info("paid too")
        assert kit.sinks["b"].received == []
        kit.sinks["b"].gate.set()
        assert kit.runtime.flush(5)
        assert kit.sinks["b"].received == [b"paid", b"paid too"]


def test_only_records_that_take_the_route_are_audited():
    """Where content decides, others go to the same handler without a wait or an error."""
    with Kit("a", routes=[({"message": "paid"}, "a", AUDIT), ({}, "a")]) as kit:
        kit.sinks["a"].gate.clear()
        kit.logger.info("hello")
        assert wait_until(lambda: kit.counts("a")["in_flight"] == 1)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(5)
        kit.sinks["a"].faults = [OSError("gone")]
        with pytest.raises(AuditError):
            kit.logger.info("paid")
        assert counts(kit, "a") == (1, {"audit_failed": 1})


def test_busy_handler_is_not_waited_for_for_ever(monkeypatch):
    """A sink that hangs in its own thread costs the caller a bounded time."""
    monkeypatch.setattr(audit, "WAIT_S", 0.01)
    with Kit("a", routes=[({"message": "paid"}, "a", AUDIT), ({}, "a")]) as kit:
        kit.sinks["a"].gate.clear()
        kit.logger.info("hello")
        assert wait_until(lambda: kit.counts("a")["in_flight"] == 1)
        with pytest.raises(AuditError, match="it is busy") as caught:
            kit.logger.info("paid")
        assert isinstance(caught.value.__cause__, TimeoutError)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(5)
        assert (kit.sinks["a"].received, counts(kit, "a")) == (
            [b"hello"],
            (1, {"audit_failed": 1}),
        )


def test_busy_dispatcher_delivers_later(monkeypatch):
    """Where even the dispatcher is stuck, the error says so, and the record is not lost."""
    monkeypatch.setattr(audit, "WAIT_S", 0.01)
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        errors = []

        def log():
            try:
                kit.logger.info("paid")
            except AuditError as error:
                errors.append(error)

        with kit.runtime.dispatcher._step_lock:
            thread = threading.Thread(target=log)
            thread.start()
            thread.join()
        assert [error.handlers for error in errors] == [("a",)]
        kit.runtime.wake()
        assert kit.runtime.flush(5) and kit.sinks["a"].received == [b"paid"]


def test_record_of_the_sink_itself_goes_to_no_route():
    """What a sink logs while it delivers an audited record does not come round again."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        sink = kit.sinks["a"]
        send = sink.send

        def chatty(batch):
            kit.logger.info("sending")
            send(batch)

        sink.send = chatty
        kit.logger.info("paid")
        assert (sink.received, kit.runtime.internal) == ([b"paid"], 1)


def test_ctrl_c_reaches_the_caller_as_it_is():
    """An interrupt in the midst of a delivery is no audit error; the record is counted."""
    with Kit("a", "b", routes=[({}, "ab", AUDIT)]) as kit:
        kit.sinks["a"].faults = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            kit.logger.info("paid")
        assert counts(kit, "a") == (0, {"audit_failed": 1})
        assert kit.sinks["b"].received == [b"paid"]


def test_partly_refused_mail_counts_as_delivered():
    """A batch that was delivered but for a part of its journey is no failure."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.sinks["a"].faults = [Rejected("one recipient refused", delivered=1)]
        kit.logger.info("paid")
        assert counts(kit, "a") == (1, {})


def test_unknown_fault_closes_the_sink():
    """After an error that no sink should raise, it is opened anew."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.sinks["a"].faults = [ZeroDivisionError()]
        with pytest.raises(AuditError):
            kit.logger.info("paid")
        assert kit.sinks["a"].closed == 1


def test_filters_decide_in_the_caller():
    """What a handler's filter drops is no failure; one that breaks is, and is counted."""
    with Kit("a", "b", routes=[({}, "ab", AUDIT)]) as kit:
        kit.runtime.workers["a"].filters = (("never", lambda _: None),)
        kit.runtime.workers["b"].filters = (("broken", lambda _: 1 // 0),)
        with pytest.raises(AuditError) as caught:
            kit.logger.info("paid")
        assert caught.value.handlers == ("b",)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert kit.counts("a")["filtered"] == {"never": 1}
        assert counts(kit, "b") == (0, {"audit_failed": 1})


def test_broken_route_filter_is_raised():
    """A filter of the audited route that breaks keeps the record from its handlers: an error."""
    with Kit("a", routes=[({}, "a", {"audit": True, "filters": ("broken",)})]) as kit:
        kit.runtime.dispatcher.routing.filters["broken"] = lambda _: 1 // 0
        with pytest.raises(AuditError):
            kit.logger.info("paid")
        assert counts(kit, "a") == (0, {"audit_failed": 1})


def test_dropped_by_route_filter_is_no_failure():
    """A filter of the audited route that drops is asked once, and counted."""
    asked = []
    with Kit("a", "b", routes=[({}, "a", {"audit": True, "filters": ("no",)}), ({}, "b")]) as kit:
        kit.runtime.dispatcher.routing.filters["no"] = lambda record: asked.append(record)
        kit.logger.info("paid")
        assert kit.runtime.flush(5)
        assert (len(asked), kit.counts("a")["filtered"]) == (1, {"no": 1})
        assert kit.sinks["b"].received == [b"paid"]


def test_shut_down_handler_is_told():
    """A handler that takes nothing any more fails the audit."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.runtime.workers["a"].close_queue("shutdown")
        with pytest.raises(AuditError, match="ended"):
            kit.logger.info("paid")
        assert counts(kit, "a") == (0, {"audit_failed": 1})


def test_handler_that_follows_another_waits_for_it(monkeypatch):
    """After a reload the file, or the peer, may still belong to the handler before."""
    monkeypatch.setattr(audit, "WAIT_S", 0.01)
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        kit.runtime.workers["a"].hold()
        with pytest.raises(AuditError, match="before"):
            kit.logger.info("paid")
        kit.runtime.workers["a"].let_go()
        kit.logger.info("paid again")
        assert kit.sinks["a"].received == [b"paid again"]


def test_synchronous_handler_of_another_route_is_served_too():
    """Where all handlers are synchronous, those of ordinary routes get it in the caller."""
    with Kit("a", "b", routes=[({}, "a", AUDIT), ({}, "b")], mode="sync") as kit:
        kit.logger.info("paid")
        assert (kit.sinks["a"].received, kit.sinks["b"].received) == ([b"paid"], [b"paid"])


def test_many_threads_audit_beside_ordinary_records():
    """Every record is counted once, and each that was raised is a drop."""
    routes = [({"message": "audit"}, "a", AUDIT), ({}, "ab")]
    with Kit("a", "b", routes=routes) as kit:
        kit.sinks["a"].faults = [Rejected("no") for _ in range(5)]
        raised = []

        def log(name):
            for number in range(100):
                try:
                    kit.logger.info("%s %s %s", "audit" if number % 2 else "other", name, number)
                except AuditError as error:
                    raised.append(error)

        threads = [threading.Thread(target=log, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kit.runtime.flush(10)
        delivered, dropped = counts(kit, "a")
        assert dropped.get("audit_failed", 0) == len(raised)
        assert delivered + sum(dropped.values()) == 400 == counts(kit, "b")[0]
        assert len(kit.sinks["a"].logged) == delivered


def test_passage_of_no_filter_is_the_record():
    """A route without filters is not asked to run any."""
    with Kit("a", routes=[({}, "a", AUDIT)]) as kit:
        record = logging.LogRecord("x", 20, "", 0, "m", None, None)
        (share,) = kit.runtime.dispatcher.routing.table.plan("x", 20).deal(record, None).values()
        assert share.passage == Passage(record) and share.is_audited
