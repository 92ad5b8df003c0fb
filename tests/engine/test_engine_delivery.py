"""The way of a record through intake, dispatcher and worker."""

import gc
import logging
import os
import threading

import pytest
from engine_kit import FAST, ONE_BY_ONE, Kit, adds_up, wait_until

from logroute.delivery.specs import BatchSpec
from logroute.errors import Rejected, Retryable


def test_records_arrive_in_order():
    """One thread's records reach each handler in the order they were logged."""
    with Kit("a", "b") as kit:
        for n in range(5000):
            kit.logger.info("%d", n)
        assert kit.runtime.flush(10)
        wanted = [str(n).encode() for n in range(5000)]
        assert kit.sinks["a"].received == wanted
        assert kit.sinks["b"].received == wanted


def test_mutable_arguments_are_frozen():
    """What the caller changes after the call does not change the record."""
    with Kit("a") as kit:
        items = [1]
        kit.logger.info("%s", items)
        items.append(2)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"[1]"]


def test_flush_waits_for_slow_sink():
    """flush returns False while a sink holds a record, True once it let go."""
    with Kit("a") as kit:
        kit.sinks["a"].gate.clear()
        kit.logger.info("x")
        assert not kit.runtime.flush(0.05)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(10)
        assert kit.counts("a")["delivered"] == 1


def test_dead_handler_spares_others():
    """A sink that never returns delays no other handler."""
    with Kit("dead", "alive", overflow="shed", max_records=10) as kit:
        kit.sinks["dead"].gate.clear()
        for n in range(200):
            kit.logger.info("%d", n)
        assert wait_until(
            lambda: (
                len(kit.sinks["alive"].logged) + sum(kit.counts("alive")["dropped"].values()) == 200
            )
        )
        assert adds_up(kit.counts("dead"))
        assert kit.counts("dead")["dropped"]["shed"] > 150


def test_retryable_fault_is_retried():
    """A batch that failed for now is sent again, the delivered head only once."""
    with Kit("a", retry=FAST) as kit:
        kit.sinks["a"].gate.clear()
        kit.sinks["a"].faults = [
            Retryable("later", delivered=0),
            OSError("reset"),
            Retryable("x", delivered=1),
        ]
        for n in range(3):
            kit.logger.info("%d", n)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"0", b"1", b"2"]
        assert kit.counts("a")["delivered"] == 3


def test_rejected_records_are_counted():
    """A refused record is counted; those around it are delivered."""
    with Kit("a", retry=FAST, batch=BatchSpec(max_wait=0.05)) as kit:
        kit.sinks["a"].gate.clear()
        kit.sinks["a"].faults = [Rejected("no", delivered=0, rejected=1)]
        for n in range(3):
            kit.logger.info("%d", n)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(10)
        counts = kit.counts("a")
        assert counts["delivered"] == 2
        assert counts["dropped"] == {"rejected": 1}


def test_worker_outlives_any_exception():
    """SystemExit from a sink costs its batch, not the worker."""
    with Kit("a", batch=ONE_BY_ONE) as kit:
        kit.sinks["a"].faults = [SystemExit(3), ZeroDivisionError()]
        for n in range(4):
            kit.logger.error("%d", n)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"2", b"3"]
        assert kit.counts("a")["dropped"] == {"sink_error": 2}


def test_unformattable_record_is_delivered():
    """A record whose arguments do not fit arrives, saying so."""
    with Kit("a") as kit:
        kit.logger.info("%d apples", "many")
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"<unformattable: TypeError> %d apples"]


def test_broken_encoder_is_counted():
    """A formatter that always raises ends as counted drops, and spares the next handler."""

    def broken(record):
        raise RuntimeError("no")

    with Kit("a", encode=broken) as kit:
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        assert kit.counts("a")["dropped"] == {"format_error": 1}


def test_sync_mode_delivers_in_caller():
    """With mode sync the record is delivered when the call returns, without threads."""
    threads = len(os.listdir("/proc/self/task"))
    with Kit("a", mode="sync") as kit:
        kit.logger.info("x")
        assert kit.sinks["a"].received == [b"x"]
        assert len(os.listdir("/proc/self/task")) == threads


def test_full_block_queue_keeps_everything():
    """A tight loop that outruns a local handler waits for it and loses nothing."""
    with Kit("a", max_records=100, block_for=30) as kit:
        for n in range(20_000):
            kit.logger.info("%d", n)
        assert kit.runtime.flush(20)
        assert len(kit.sinks["a"].received) == 20_000
        assert kit.counts("a")["dropped"] == {}


def test_stuck_block_queue_waits_once():
    """A handler that does not move makes the caller wait once, then counts drops."""
    with Kit("a", max_records=5, block_for=0.05) as kit:
        kit.sinks["a"].gate.clear()
        for n in range(500):
            kit.logger.info("%d", n)
        assert not kit.runtime.flush(0.1)
        assert wait_until(lambda: kit.counts("a")["enqueued"] == 500)
        counts = kit.counts("a")
        assert adds_up(counts)
        assert counts["dropped"]["queue_full"] > 400


def test_digest_waits_then_sends_once():
    """A digest handler collects until it is hurried, errors included."""
    with Kit("a", batch=BatchSpec(max_wait=60.0), digest=True) as kit:
        for n in range(5):
            kit.logger.error("%d", n)
        assert wait_until(lambda: kit.counts("a")["queued"] == 5)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].batches == [5]


def test_quiet_period_ends_at_once():
    """The first record after a quiet period does not wait for its batch."""
    with Kit("a", batch=BatchSpec(max_wait=60.0)) as kit:
        kit.logger.info("first")
        assert wait_until(lambda: kit.sinks["a"].received == [b"first"])
        kit.logger.info("second")
        kit.logger.error("third")
        assert wait_until(lambda: len(kit.sinks["a"].received) == 3)


def test_shutdown_counts_what_is_left():
    """What a hung sink kept is counted as dropped and reported at shutdown."""
    kit = Kit("a", overflow="shed")
    kit.sinks["a"].gate.clear()
    for n in range(3):
        kit.logger.info("%d", n)
    assert kit.runtime.shutdown(0.2) == {"a": 3}
    counts = kit.runtime.workers["a"].queue.counts()
    assert counts["dropped"] == {"shutdown": 3}
    assert adds_up(counts)
    kit.sinks["a"].gate.set()


def test_shutdown_twice_is_harmless():
    """A second shutdown does nothing."""
    with Kit("a") as kit:
        kit.logger.info("x")
        assert kit.runtime.shutdown(5) == {}
        assert kit.runtime.shutdown(5) == {}
        assert kit.sinks["a"].received == [b"x"]


def test_record_after_shutdown_is_delivered():
    """A face that somebody still holds works on, synchronously."""
    with Kit("a") as kit:
        face = kit.runtime.handlers["a"]
        kit.runtime.shutdown(5)
        face.handle(logging.makeLogRecord({"msg": "late", "levelno": 30}))
        counts = kit.runtime.workers["a"].queue.counts()
        assert adds_up(counts)
        assert counts["dropped"] == {"shutdown": 1}


def test_own_threads_do_not_loop():
    """A sink that logs to the routed logger causes no further record."""
    with Kit("a") as kit:
        sink = kit.sinks["a"]
        keep = sink.send

        def noisy(batch):
            kit.logger.warning("from the sink")
            keep(batch)

        sink.send = noisy
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        assert sink.received == [b"x"]
        assert kit.runtime.stats()["internal"] == 1


def test_fork_gives_fresh_threads():
    """A forked child delivers its own records and none of its parent's."""
    with Kit("a") as kit:
        kit.sinks["a"].gate.clear()
        kit.logger.info("parent")
        assert wait_until(lambda: kit.counts("a")["in_flight"] == 1)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            kit.sinks["a"].gate = threading.Event()
            kit.sinks["a"].gate.set()
            kit.logger.info("child")
            kit.runtime.flush(5)
            os.write(writer, b",".join(kit.sinks["a"].received))
            os._exit(0)
        os.close(writer)
        assert os.waitpid(pid, 0)[1] == 0
        assert os.read(reader, 100) == b"child"
        os.close(reader)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"parent"]


def test_fork_inherits_no_waiting_records():
    """Records that wait in the parent's intake at the fork are the parent's alone."""
    with Kit("a") as kit:
        dispatcher = kit.runtime.dispatcher
        dispatcher.start = lambda: None  # they stay in the intake
        kit.logger.info("parent")
        reader, writer = os.pipe()
        pid = os.fork()
        del dispatcher.start
        if pid == 0:
            kit.logger.info("child")
            kit.runtime.flush(5)
            os.write(writer, b",".join(kit.sinks["a"].received))
            os._exit(0)
        os.close(writer)
        assert os.waitpid(pid, 0)[1] == 0
        assert os.read(reader, 100) == b"child"
        os.close(reader)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"parent"]


def test_dropped_runtime_ends_its_threads():
    """A runtime that nobody holds any more is collected with its threads."""
    threads = len(os.listdir("/proc/self/task"))
    kit = Kit("a")
    kit.logger.info("x")
    assert kit.runtime.flush(10)
    assert len(os.listdir("/proc/self/task")) == threads + 2
    del kit
    gc.collect()
    assert wait_until(lambda: len(os.listdir("/proc/self/task")) == threads)


def test_ledger_adds_up_at_every_sample():
    """stats() adds up while threads log, a handler fails and a queue overflows."""
    with Kit("good", "small", overflow="shed", max_records=50, retry=FAST) as kit:
        kit.sinks["small"].faults = [Rejected("no"), Retryable("x"), ZeroDivisionError()] * 200
        stop = threading.Event()

        def log() -> None:
            while not stop.is_set():
                kit.logger.warning("x")

        threads = [threading.Thread(target=log) for _ in range(4)]
        for thread in threads:
            thread.start()
        samples = [kit.runtime.stats()["handlers"] for _ in range(2000)]
        stop.set()
        for thread in threads:
            thread.join()
        for sample in samples:
            assert all(adds_up(counts) for counts in sample.values())
        assert kit.runtime.flush(20)
        last = kit.runtime.stats()["handlers"]["small"]
        assert adds_up(last)
        assert last["dropped"]
        assert last["queued"] == last["in_flight"] == 0


@pytest.mark.parametrize("count", [1, 1000])
def test_handler_face_takes_records_directly(count):
    """A configured handler is a logging.Handler that may be used by itself."""
    with Kit("a") as kit:
        logger = logging.Logger("other")
        logger.addHandler(kit.runtime.handlers["a"])
        for n in range(count):
            logger.warning("%d", n)
        assert kit.runtime.flush(10)
        assert len(kit.sinks["a"].received) == count
