"""A disk that stalls under a spool: the dispatcher, callers and other handlers go on."""

import contextlib
import logging
import threading

import pytest
from engine_kit import Kit, adds_up, encode, wait_until
from spool_kit import FaultyDisk

from logroute.delivery.queue import Queue
from logroute.delivery.specs import QueueSpec, SpoolSpec
from logroute.delivery.spool.ledger import joined
from logroute.delivery.spool.queue import SpoolQueue
from logroute.engine.spooled import SpooledWorker


class Stalling(FaultyDisk):
    """A disk whose writes, of records or of acknowledgements, hang while it is told to."""

    def __init__(self):
        super().__init__()
        self.stalls = self.stalls_acks = False
        self.is_stuck, self.go_on = threading.Event(), threading.Event()

    def _stall(self):
        self.is_stuck.set()
        assert self.go_on.wait(60)

    def write(self, number, data):
        if self.stalls:
            self._stall()
        return super().write(number, data)

    def pwrite(self, number, data, at):
        if self.stalls_acks:
            self._stall()
        return super().pwrite(number, data, at)


class Stalled:
    """A runtime with a handler `quick`, and one called `spooled` on a disk that may stall."""

    def __init__(self, folder, write, patience):
        self._patience = patience
        patience.setattr("logroute.delivery.spool.looks._PATIENCE_S", 0.1)
        self.kit = Kit("quick", "spooled", "other")
        self.disk = Stalling()
        former = self.kit.runtime.workers["spooled"]
        self.worker = SpooledWorker(
            "spooled",
            Queue(QueueSpec(), "shed"),
            lambda: self.kit.sinks["spooled"],
            encode,
            spool=SpoolSpec(path=str(folder), write=write),
            notices=self.kit.notices,
            own_threads=former.own_threads,
        )
        self.worker.spool.store.folder.disk = self.disk
        self.kit.runtime.add(self.worker)

    def stall(self):
        """Have the lock of the spool held by who waits for the disk."""
        self.kit.logger.info("first")
        assert self.kit.runtime.flush(20)
        self.disk.stalls_acks = True
        self.kit.logger.info("second")
        assert self.disk.is_stuck.wait(20)

    def resume(self):
        """Let the disk go on; from now on looks are as patient as ever."""
        self._patience.undo()
        self.disk.go_on.set()

    def arrived(self, *names):
        """Return what other handlers have got; waits for it."""
        workers = tuple(self.kit.runtime.workers[name] for name in names)
        assert self.kit.runtime.settle(workers, 20)
        return [self.kit.sinks[name].received for name in names]


@pytest.fixture(params=["worker", "caller"])
def stalled(request, tmp_path, monkeypatch):
    made = Stalled(tmp_path, request.param, monkeypatch)
    with contextlib.ExitStack() as stack:
        stack.callback(made.kit.__exit__)
        stack.callback(made.disk.go_on.set)
        yield made


def held_by_another(lock, stack):
    """Have another thread hold `lock` until `stack` is left."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            assert done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    stack.callback(thread.join)
    stack.callback(done.set)
    assert held.wait(20)


def test_others_go_on_while_a_disk_stalls(stalled):
    """With a flush of the stuck handler and looks at it under way, records of others arrive."""
    stalled.stall()
    flushed = []
    flush = threading.Thread(target=lambda: flushed.append(stalled.kit.runtime.flush(20)))
    flush.start()
    for n in range(50):
        stalled.kit.logger.info("record %d", n)
        if n % 10 == 0:
            stalled.kit.runtime.stats()
    everything = [b"first", b"second", *(b"record %d" % n for n in range(50))]
    assert stalled.arrived("quick", "other") == [everything, everything]
    assert flushed == []
    stalled.resume()
    flush.join(30)
    assert flushed == [True] and stalled.kit.runtime.flush(20)
    assert stalled.kit.sinks["spooled"].received == everything


def test_looks_at_a_stalled_spool_end_and_add_up(stalled):
    """Stats of before the stall, the records since then in flight; and the truth after it."""
    stalled.stall()
    for n in range(10):
        stalled.kit.logger.info("record %d", n)
        assert adds_up(stalled.kit.counts("spooled"))
    assert stalled.worker.unsettled < 13
    assert not stalled.kit.runtime.flush(0.05)
    stalled.resume()
    assert stalled.kit.runtime.flush(20)
    counts = stalled.kit.counts("spooled")
    assert counts["delivered"] == counts["enqueued"] == 12 and adds_up(counts)


def test_stalled_write_does_not_keep_others(tmp_path, monkeypatch):
    """The front hangs in a write; the dispatcher, stats and other handlers do not."""
    made = Stalled(tmp_path, "worker", monkeypatch)
    with made.kit, contextlib.ExitStack() as stack:
        stack.callback(made.disk.go_on.set)
        made.kit.logger.info("first")
        assert made.kit.runtime.flush(20)
        made.disk.stalls = True
        made.kit.logger.info("second")
        assert made.disk.is_stuck.wait(20)
        assert not made.kit.runtime.flush(0.05)
        made.kit.logger.info("third")
        assert made.arrived("quick") == [[b"first", b"second", b"third"]]
        assert made.kit.counts("spooled")["delivered"] == 1
        made.resume()
        assert made.kit.runtime.flush(20)
        assert made.kit.sinks["spooled"].received == [b"first", b"second", b"third"]


def test_losses_are_told_after_a_stall(stalled):
    """Who is to tell of losses waits for no disk, and forgets none of them."""
    stalled.kit.logger.info("first")
    assert stalled.kit.runtime.flush(20)
    with contextlib.ExitStack() as stack:
        stalled.worker.spool.put([], [], [("spool_full", logging.INFO)] * 3)
        held_by_another(stalled.worker.spool.store.lock, stack)
        assert stalled.worker.take_untold() == {} and stalled.worker.has_untold
    assert stalled.worker.take_untold() == {"spool_full": {logging.INFO: 3}}
    assert not stalled.worker.has_untold


def test_reload_waits_for_no_disk(stalled):
    """What the dispatcher does at a change, for each handler, leaves the spool's lock alone."""
    with contextlib.ExitStack() as stack:
        held_by_another(stalled.worker.spool.store.lock, stack)
        stalled.worker.begin()
        stalled.worker.when_settled(lambda: None)
        stalled.worker.hurry()
        stalled.worker.forget(print)
        stalled.kit.logger.info("first")
        assert stalled.arrived("quick") == [[b"first"]]


def test_who_gave_up_is_not_called_after_a_stall(stalled):
    """A flush whose time is up while the lock is held leaves nobody behind in the spool."""
    stalled.stall()
    assert not stalled.kit.runtime.flush(0.05)
    stalled.resume()
    assert stalled.kit.runtime.flush(20)
    spool, waiters = stalled.worker.spool, stalled.worker._waiters
    assert wait_until(lambda: spool._waiters == [] and not waiters.is_due)


def test_ledger_of_a_stalled_spool_is_that_of_before(tmp_path, monkeypatch):
    """What was spooled since counts as in flight, so that no number is below 0."""
    monkeypatch.setattr("logroute.delivery.spool.looks._PATIENCE_S", 0.01)
    memory, spool = Queue(QueueSpec(), "block"), SpoolQueue(SpoolSpec(path=str(tmp_path)), "h")
    memory.put([(b"x", 20, 1)] * 5, [], [])
    before = joined(memory, spool)
    batch = memory.take(3, 1000)
    with contextlib.ExitStack() as stack:
        spool.put(batch, [], [])
        held_by_another(spool.store.lock, stack)
        memory.delivered(3)
        amid = joined(memory, spool)
    after = joined(memory, spool)
    assert before["queued"] == 5 and before["in_flight"] == 0
    assert amid["queued"] == 2 and amid["in_flight"] == 3 and amid["spooled"] == 0
    assert after["queued"] == 5 and after["in_flight"] == 0 and after["spooled"] == 3
    assert all(adds_up(counts) for counts in (before, amid, after))
    spool.close("shutdown")


def test_end_waits_for_no_disk_for_ever(tmp_path, monkeypatch):
    """A spool whose lock is held at the end is left as it is; nobody hangs, nothing is removed."""
    monkeypatch.setattr("logroute.delivery.spool.looks._PATIENCE_S", 0.01)
    spool = SpoolQueue(SpoolSpec(path=str(tmp_path)), "h")
    spool.put([(b"x", 20, 1)], [], [])
    with contextlib.ExitStack() as stack:
        held_by_another(spool.store.lock, stack)
        assert spool.close("shutdown") == 0 and not spool.is_open
    spool.store.close()
    again = SpoolQueue(SpoolSpec(path=str(tmp_path)), "h")
    assert [payload for payload, _, _ in again.take(10, 1000)] == [b"x"]
    again.close("shutdown")
