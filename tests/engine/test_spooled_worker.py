"""A handler with a spool as the engine sees it: its two workers, and what they count."""

import logging
import threading
import time

import pytest
from life_kit import adds_up

from logroute import native
from logroute.bell import Latch
from logroute.delivery.queue import Queue
from logroute.delivery.specs import QueueSpec, SpoolSpec
from logroute.delivery.spool.frames import body_of
from logroute.delivery.spool.ledger import joined
from logroute.delivery.spool.queue import SpoolQueue
from logroute.engine import thread as thread_module
from logroute.engine.notices import Notices
from logroute.engine.retirement import end_worker
from logroute.engine.spooled import SpooledWorker
from logroute.engine.worker import Worker


class Sink:
    """Takes everything."""

    def __init__(self):
        self.sent = []

    def open(self):
        pass

    def send(self, batch):
        self.sent += batch

    flush = close = open


@pytest.fixture
def spooled(tmp_path):
    made = SpooledWorker(
        "h",
        Queue(QueueSpec(), "block"),
        Sink,
        lambda record: record.getMessage().encode(),
        spool=SpoolSpec(path=str(tmp_path), write="caller"),
        notices=Notices(),
        own_threads=set(),
    )
    yield made
    made.stop(0.0)
    made.join(5)
    made.close_queue("shutdown")


def test_threads_that_wake_at_once_start_one(spooled, monkeypatch):
    """Two threads of the application that log first start the rear's thread once."""
    started = []
    both = threading.Barrier(2)

    def latch():
        both.wait(5)  # each has looked, and neither has begun
        return native_latch()

    native_latch = thread_module.Latch
    monkeypatch.setattr(thread_module, "Latch", latch)
    monkeypatch.setattr(native, "start_thread", started.append)
    threads = [threading.Thread(target=spooled.rear.start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    monkeypatch.undo()
    spooled.rear.is_running = False
    assert len(started) == 1


def test_new_worker_spools_while_its_rear_waits(spooled):
    """After a reload only the delivery waits for the former worker; the disk is free."""
    spooled.hold()
    spooled.queue.put([(b"", 20, 0)], [], [])
    assert spooled.held is None and spooled.rear.held is not None
    spooled.let_go()
    assert spooled.rear.held is None


class Former(Latch):
    """Opens when the worker of before has ended, as who waits for it sees."""

    def wait(self, timeout_s=None):
        self.open()
        return True


def test_worker_between_two_reloads_waits_for_the_first(spooled):
    """It delivers when the former one has ended, and only then is its successor let go."""
    spooled.hold()
    former = spooled.rear.held = Former()
    assert spooled.spool.append_body(body_of(b"one", 20, 0.0), 20) is None
    assert end_worker(spooled, lambda: time.monotonic() + 10) == 0
    assert former.is_open and spooled.rear._sink.sent == [b"one"]


def test_batch_given_up_amid_its_write_counts_once(tmp_path):
    """A disk that hangs at the end, and writes after all: no number is below 0."""
    memory, spool = Queue(QueueSpec(), "block"), SpoolQueue(SpoolSpec(path=str(tmp_path)), "h")
    body = body_of(b"one", 20, 0.0)
    memory.put([(body, 20, 10)] * 5, [], [])
    batch = memory.take(3, 1000)
    spool.append_bodies([payload for payload, _, _ in batch])
    memory.close("shutdown")  # nobody has told it yet what is on disk
    counts = joined(memory, spool)
    assert counts["in_flight"] == 0 and counts["queued"] == 3
    assert counts["dropped"] == {"shutdown": 2} and adds_up(counts)
    assert counts["dropped_by_level"] == {"shutdown": {"INFO": 2}}
    spool.close("shutdown")


def test_who_spools_waits_for_no_destination(spooled, monkeypatch):
    """Fault 11: where no thread can start the spool is filled first, and delivered at the end."""

    def refuse(_):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(native, "start_thread", refuse)
    record = logging.makeLogRecord({"msg": "one", "levelno": 20})
    sink = spooled.rear._sink
    seen = []
    monkeypatch.setattr(sink, "send", lambda batch: seen.append((spooled.unsettled, batch)))
    spooled.queue.put([(spooled.encode(record), 20, 3)] * 3, [], [])
    assert Worker.step(spooled) and seen == []
    spooled.drain()
    assert seen == [(3, [b"one"] * 3)] and spooled.unsettled == 0


def test_successor_finds_at_once_what_was_left(spooled, tmp_path):
    """What a caller wrote as the former worker ended does not wait for the next look around."""
    former = SpoolQueue(SpoolSpec(path=str(tmp_path), write="caller"), "h")
    assert former.append(b"left", 20) is None
    spooled.hold()
    spooled.spool.chores()  # it has looked, and found the folder in use
    former.close("shutdown")
    spooled.let_go()
    settled = threading.Event()
    for _ in range(500):
        if spooled.rear._sink.sent:
            break
        settled.wait(0.01)
    assert spooled.rear._sink.sent == [b"left"]


def test_who_waits_as_the_threads_end_is_told(spooled):
    """A flush that comes when the rear looks no more learns at the end that all is out."""
    assert spooled.spool.append_body(body_of(b"one", 20, 0.0), 20) is None
    spooled.rear.is_running = True  # and on its way out
    told = []
    spooled.when_settled(lambda: told.append(1))
    assert told == []
    spooled.rear.is_running = False
    assert spooled.rear.step() and spooled.rear._sink.sent == [b"one"]
    spooled.close_queue("shutdown")
    assert told == [1]
