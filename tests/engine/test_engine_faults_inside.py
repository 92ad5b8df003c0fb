"""Faults of formatters, filters, sinks and threads: counted, never spread."""

import asyncio
import logging
import os
import sys
import threading
import types
from collections import deque

import pytest
from engine_kit import ONE_BY_ONE, Kit, adds_up, wait_until

from logroute.delivery.specs import BatchSpec
from logroute.engine import handler as handler_module
from logroute.engine import intake as intake_module
from logroute.engine.notices import Notices
from logroute.engine.parcels import Parcel
from logroute.records import stamp


class Untold(Exception):
    """An exception whose text cannot be made."""

    def __str__(self):
        raise Untold


def threads():
    return len(os.listdir("/proc/self/task"))


def test_formatter_that_exits_costs_one_record():
    """SystemExit in a formatter loses its record, counted, and no other one."""

    def encode(record):
        if record.msg == "bad":
            raise SystemExit
        return record.getMessage().encode()

    with Kit("a", "b", encode=encode) as kit:
        for text in ("1", "bad", "2"):
            kit.logger.info(text)
        assert kit.runtime.flush(10)
        for name in ("a", "b"):
            assert kit.sinks[name].logged == [b"1", b"2"]
            assert kit.counts(name)["dropped"] == {"format_error": 1}
            assert adds_up(kit.counts(name))


def test_fault_without_text_is_survived():
    """Exceptions whose `__str__` raises are counted like any other."""

    def encode(record):
        if record.msg == "bad":
            raise Untold
        return record.getMessage().encode()

    def refuse(record):
        raise Untold

    with Kit("a", encode=encode, batch=ONE_BY_ONE) as kit:
        kit.sinks["a"].faults = [Untold()]
        for text in ("lost", "bad", "2"):
            kit.logger.info(text)
        assert kit.runtime.flush(10)
        kit.runtime.handlers["a"].addFilter(refuse)
        kit.logger.info("3")
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"<unformattable: Untold> bad", b"2", b"3"]
        assert kit.counts("a")["dropped"] == {"sink_error": 1}


def test_record_without_level_is_delivered():
    """A record made by hand, without level or name, is delivered by a face as in stdlib."""
    with Kit("a") as kit:
        for values in ({"msg": "x"}, {"msg": "y", "levelno": "high"}):
            kit.runtime.handlers["a"].handle(logging.makeLogRecord(values))
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"x", b"y"]
        assert adds_up(kit.counts("a"))


def test_broken_condition_is_counted():
    """A record on which a route's condition raises is a counted fault."""
    with Kit("a", routes=[({"exception": (True,)}, ["a"])]) as kit:
        record = logging.makeLogRecord({"levelno": 40, "name": "x", "exc_info": 7})
        kit.face.handle(record)
        assert kit.runtime.flush(10)
        assert kit.runtime.stats()["faults"] == 1


def test_dead_worker_is_replaced():
    """A worker whose thread is killed gets a new one, for what waits already too."""
    with Kit("a", batch=BatchSpec(max_wait=60.0), digest=True) as kit:
        worker, died = kit.runtime.workers["a"], threading.Event()

        def die():
            died.set()
            worker._wait = alive
            raise SystemExit

        def die_noting(fault):
            del worker.note
            raise fault

        alive, worker._wait, worker.note = worker._wait, die, die_noting
        kit.logger.info("x")
        assert died.wait(10)
        assert wait_until(lambda: not worker.is_running)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"x"]
        assert kit.counts("a")["restarts"] == 1


def test_unformattable_neighbour_settles_nothing_else():
    """A record that cannot be formatted does not settle the one sent before it."""
    with Kit("a") as kit:
        worker, settled = kit.runtime.workers["a"], []
        worker.encodes_late = True
        worker.encode = lambda record: 1 / record.levelno
        worker.queue.put([(logging.makeLogRecord({"levelno": 1}), 20, 1)], [], [])
        worker.queue.when_settled(lambda: settled.append(True))
        worker.encode_safely = worker.encode
        worker.queue.put([(logging.makeLogRecord({"levelno": 0}), 20, 1)], [], [])
        before = []
        keep, kit.sinks["a"].send = kit.sinks["a"].send, lambda batch: before.extend(settled)
        worker.drain()
        assert (before, settled) == ([], [True])
        assert kit.counts("a")["delivered"] == kit.counts("a")["dropped"]["format_error"] == 1
        kit.sinks["a"].send = keep


def test_hung_handler_losses_are_told(capfd):
    """What a full queue drops is said although the handler's thread hangs."""
    with Kit("a", overflow="drop_newest", max_records=2) as kit:
        kit.sinks["a"].gate.clear()
        for n in range(10):
            kit.logger.info("%d", n)
        assert wait_until(lambda: kit.counts("a")["dropped"])
        assert wait_until(lambda: kit.pass_time(2) or kit.runtime.stats()["notices"])
        assert "handler `a` dropped " in capfd.readouterr().err


def test_notice_counts_once_it_is_shown(monkeypatch):
    """Who sees the count of a notice finds its line on stderr."""
    notices, counts = Notices(), []
    shown = types.SimpleNamespace(write=lambda _: counts.append(notices.count))
    monkeypatch.setattr(sys, "stderr", shown)
    notices.say("disk", "full")
    notices.say("disk", "full yet")
    notices.say("net", "down")
    assert (counts, notices.count) == ([0, 2], 3)


def test_interrupt_in_sync_sink_reaches_the_caller():
    """Ctrl-C while the caller delivers is the caller's; the record is counted."""
    with Kit("a", mode="sync") as kit:
        kit.sinks["a"].faults = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            kit.logger.info("x")
        kit.logger.info("y")
        assert kit.sinks["a"].received == [b"y"]
        assert kit.counts("a")["dropped"] == {"sink_error": 1}
        assert adds_up(kit.counts("a"))


def test_interrupt_in_sync_formatter_reaches_the_caller():
    """Ctrl-C in a formatter of a synchronous handler is counted and goes on."""

    def encode(record):
        raise KeyboardInterrupt

    with Kit("a", mode="sync", encode=encode) as kit:
        with pytest.raises(KeyboardInterrupt):
            kit.logger.info("x")
        assert kit.counts("a")["dropped"] == {"format_error": 1}


def test_formatter_that_logs_does_not_recur():
    """What a formatter logs while the caller delivers goes to the internal lane."""

    def encode(record):
        kit.logger.warning("from the formatter")
        return record.getMessage().encode()

    with Kit("a", mode="sync", encode=encode) as kit:
        kit.logger.info("x")
        assert kit.sinks["a"].received == [b"x"]
        assert kit.runtime.stats()["internal"] == 1


def test_filter_that_logs_does_not_recur():
    """A filter that logs is not asked about its own record, which is delivered."""

    def chatty(record):
        kit.logger.info("asked")
        return True

    with Kit("a") as kit:
        kit.runtime.handlers["a"].addFilter(chatty)
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"asked", b"x"]
        assert kit.runtime.stats()["faults"] == 0


def test_sink_that_logs_to_its_own_face_does_not_loop():
    """A handler held by a logger that its own sink logs to gets nothing of it."""
    with Kit("a") as kit:
        sink, other = kit.sinks["a"], logging.Logger("other")
        other.addHandler(kit.runtime.handlers["a"])
        keep = sink.send

        def noisy(batch):
            other.warning("from the sink")
            keep(batch)

        sink.send = noisy
        other.warning("x")
        assert kit.runtime.flush(10) and kit.runtime.flush(10)
        assert sink.received == [b"x"]
        assert kit.runtime.stats()["internal"] == 1


def test_late_formatters_get_records_of_their_own():
    """Workers that format in their own threads share no record."""
    with Kit("a", "b") as kit:
        for worker in kit.runtime.workers.values():
            worker.encodes_late, worker.encode = True, lambda record: record
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        [one], [other] = kit.sinks["a"].received, kit.sinks["b"].received
        assert one is not other
        assert one.getMessage() == other.getMessage() == "x"


def test_exhausted_stack_stays_ours(monkeypatch):
    """Even a fault while a fault is counted does not reach the application."""

    def exhausted(*_, **__):
        raise RecursionError

    with Kit("a") as kit:
        monkeypatch.setattr(handler_module, "accept", exhausted)
        monkeypatch.setattr(kit.runtime, "count_fault", exhausted)
        kit.logger.info("x")
        kit.runtime.handlers["a"].handle(logging.makeLogRecord({}))
        assert kit.runtime.stats()["faults"] == 2


def test_interrupted_put_still_wakes():
    """Ctrl-C right after a record entered the intake does not leave it lying."""

    class Interrupting(deque):
        def append(self, entry):
            super().append(entry)
            raise KeyboardInterrupt

    with Kit("a") as kit:
        kit.logger.info("1")
        assert kit.runtime.flush(10)
        assert wait_until(lambda: kit.runtime.intake.bell.state == 2)
        kit.runtime.intake.entries = Interrupting()
        with pytest.raises(KeyboardInterrupt):
            kit.logger.info("2")
        assert wait_until(lambda: kit.sinks["a"].received == [b"1", b"2"])
        kit.runtime.intake.entries = deque()


def test_event_loop_waits_for_no_network(monkeypatch):
    """A full queue to a network does not hold up an event loop."""
    slept = []
    with Kit("a", max_records=1, block_for=30) as kit:
        kit.sinks["a"].gate.clear()
        kit.runtime.workers["a"].is_networked = True
        monkeypatch.setattr(intake_module.time, "sleep", slept.append)

        async def log():
            for n in range(20):
                kit.logger.info("%d", n)

        asyncio.run(log())
        assert slept == []


def test_sink_may_ask_for_a_flush():
    """flush from one of our own threads returns at once instead of waiting for itself."""
    with Kit("a") as kit:
        answers, keep = [], kit.sinks["a"].send

        def flushing(batch):
            answers.append(kit.runtime.flush(60))
            keep(batch)

        kit.sinks["a"].send = flushing
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        assert answers == [False]


def test_endless_flush_is_possible():
    """flush and shutdown take infinity for a timeout."""
    kit = Kit("a")
    kit.logger.info("x")
    assert kit.runtime.flush(float("inf"))
    assert kit.runtime.shutdown(float("inf")) == {}


def straight_lines(interrupt_at=None):
    """Return a way past the record; a Ctrl-C arrives when it has made so many payloads."""
    interrupts = [] if interrupt_at is None else [interrupt_at]

    def write(entries, looks, look, level, add):
        for at, entry in enumerate(entries):
            if interrupts == [at]:
                interrupts.clear()
                raise KeyboardInterrupt
            if looks.get(entry[1]) is not look:
                return
            add(entry[4].encode())

    return write


def keep(kit, count):
    """Put into the intake what the express lane would; return the messages."""
    decision = kit.runtime.dispatcher.decide("kit", logging.INFO, "root")
    texts = [f"text {n}" for n in range(count)]
    kit.runtime.intake.entries.extend(
        (None, decision, None, stamp(), text, None, 1, None, None, None, None, None, 0)
        for text in texts
    )
    return [text.encode() for text in texts]


@pytest.mark.parametrize("at", [0, 1, 7, 8, 11])
@pytest.mark.parametrize(("names", "which"), [("a", "a"), ("ab", "a"), ("ab", "b")])
def test_interrupt_past_the_record_costs_nothing(names, which, at):
    """A Ctrl-C while a caller makes lines of what the express lane kept: all arrive, once."""
    with Kit(*names) as kit:
        for name in names:
            way = straight_lines(at if name == which else None)
            kit.runtime.workers[name].make_straight = lambda way=way: way
        texts = keep(kit, 20)
        with pytest.raises(KeyboardInterrupt):
            kit.runtime.dispatcher.drain()
        assert kit.runtime.flush(10)
        for name in names:
            assert kit.sinks[name].logged == texts and adds_up(kit.counts(name))


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("which", [0, 1])
def test_interrupt_amid_the_parcels_costs_nothing(monkeypatch, which, is_late):
    """So it is where the Ctrl-C arrives as lines are put into the parcels."""
    begin, made = Parcel.__init__, []

    class Interrupted(list):
        def append(self, item):
            if is_late:
                super().append(item)
            if made and made[0] is self:
                made.clear()
                raise KeyboardInterrupt
            if not is_late:
                super().append(item)

    def begin_interrupted(parcel):
        begin(parcel)
        parcel.items = Interrupted()
        made.append(parcel.items)
        if len(made) == 2:
            made[:] = [made[which]]

    monkeypatch.setattr(Parcel, "__init__", begin_interrupted)
    with Kit("a", "b") as kit:
        for worker in kit.runtime.workers.values():
            worker.make_straight = straight_lines
        texts = keep(kit, 5)
        with pytest.raises(KeyboardInterrupt):
            kit.runtime.dispatcher.drain()
        assert kit.runtime.flush(10)
        assert [kit.sinks[name].logged for name in "ab"] == [texts, texts]
