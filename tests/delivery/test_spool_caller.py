"""`write: caller`: records on disk before the call returns, from anywhere, without a lock."""

import itertools
import os
import signal
import threading

import pytest
from engine_kit import adds_up
from spool_kit import Clock, FaultyDisk, drain, kill, segments, spool, take

from logroute.delivery.spool import store, writer
from logroute.delivery.spool.folder import Folder
from logroute.delivery.spool.frames import body_of
from logroute.tally import Tally


@pytest.fixture
def made(tmp_path):
    """Make spools that are closed at the end, however the test ends."""
    queues = []

    def make(**options):
        queues.append(spool(tmp_path, **{"write": "caller", **options}))
        return queues[-1]

    yield make
    for queue in queues:
        queue.close("shutdown")


def test_record_is_on_disk_when_the_call_returns(tmp_path, made):
    """A process killed right after the call has lost nothing."""
    queue = made()
    assert queue.append(b"one", 20) is None
    kill(queue)
    assert drain(made()) == [b"one"]


def test_append_takes_no_lock(made):
    """While every lock of the spool is held by another thread, records get to the disk."""
    queue = made()
    queue.append(b"first", 20)  # creates the series
    held, done = threading.Event(), threading.Event()

    def hold():
        with queue.store.lock, queue.store.write_lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        worker = threading.Thread(target=queue.append, args=(b"second", 20))
        worker.start()
        worker.join(10)
        assert not worker.is_alive()
    finally:
        done.set()
        thread.join()
    assert drain(queue) == [b"first", b"second"]


def test_many_threads_over_many_segments(tmp_path, made, monkeypatch):
    """Four threads write while segments are begun beneath them: every record comes, in order."""
    monkeypatch.setattr(writer, "_PATIENCE_S", float("inf"))  # our clock runs faster than they
    clock = Clock()
    queue = made(max_bytes=64 << 20, clock=clock)
    queue.store.segment_size = 5_000
    faults, is_enough, written = [], threading.Event(), {}

    def log(name):
        number = 0
        while number < 200 or not is_enough.is_set():
            if reason := queue.append(b"%d:%d" % (name, number), 20):
                faults.append(reason)
            number += 1
        written[name] = number

    threads = [threading.Thread(target=log, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        clock.now += 1.5
        queue.chores()
        found += take(queue)
        queue.delivered(queue.in_flight)
        if queue.store.writer is not None and queue.store.writer.number > 8:
            is_enough.set()
    found += drain(queue)
    assert faults == []
    for name in range(4):
        mine = [payload for payload in found if payload.startswith(b"%d:" % name)]
        assert mine == [b"%d:%d" % (name, number) for number in range(written[name])]
    counts = queue.counts()
    assert counts["delivered"] == len(found) == sum(written.values())
    assert adds_up(counts) and counts["dropped"] == {} and counts["damaged"] == 0


def test_half_written_frame_is_waited_for(made):
    """Who reads in the midst of a write sees no damage, and reads the record when it is whole."""
    disk = FaultyDisk()
    queue = made(disk=disk)
    queue.append(b"one", 20)

    def halting(number, data):
        count = os.write(number, data[:20])
        assert drain(queue) == [b"one"]  # meanwhile
        return count + os.write(number, data[20:])

    disk.write = halting
    assert queue.append(b"two" * 20, 20) is None
    assert drain(queue) == [b"two" * 20]
    assert queue.counts()["damaged"] == 0 and adds_up(queue.counts())


def test_left_segment_waits_for_its_last_write(made):
    """A write that began before a rollover ends in the old segment: it is read, and first."""
    disk, clock = FaultyDisk(), Clock()
    queue = made(disk=disk, clock=clock)
    queue.store.segment_size = 50
    queue.append(b"one" * 10, 20)
    entered, done = threading.Event(), threading.Event()

    def slow(number, data):
        old = os.dup(number)  # as the system keeps the file of a write under way
        entered.set()
        done.wait(30)
        try:
            return os.write(old, data)
        finally:
            os.close(old)

    disk.write = slow
    thread = threading.Thread(target=queue.append, args=(b"two", 20))
    thread.start()
    entered.wait(30)
    del disk.write
    clock.now += 1.5
    queue.chores()
    assert queue.store.writer.number == 2
    queue.append(b"three", 20)
    clock.now += 30  # a disk that takes its time
    early = drain(queue)
    done.set()
    thread.join()
    assert early == [b"one" * 10] and drain(queue) == [b"two", b"three"]
    assert adds_up(queue.counts()) and queue.counts()["dropped"] == {}


def test_left_segment_does_not_wait_for_later_writes(made):
    """However busy the next segment is, one that nobody writes to any more is read to its end."""
    disk, clock = FaultyDisk(), Clock()
    queue = made(disk=disk, clock=clock)
    queue.store.segment_size = 50
    queue.append(b"one" * 10, 20)
    clock.now += 1.5
    queue.chores()
    entered, done = threading.Event(), threading.Event()

    def slow(number, data):
        entered.set()
        assert done.wait(30)
        return os.write(number, data)

    disk.write = slow
    thread = threading.Thread(target=queue.append, args=(b"three", 20))
    thread.start()
    entered.wait(30)
    disk.write = os.write
    queue.append(b"two", 20)
    assert drain(queue) == [b"one" * 10, b"two"]
    done.set()
    thread.join()
    assert drain(queue) == [b"three"]


def test_signal_handlers_may_log(made):
    """Fault 26: records from a signal's handler get through, whatever it interrupts."""
    queue = made(max_bytes=64 << 20)
    queue.append(b"first", 20)
    sent = itertools.count()
    before = signal.signal(signal.SIGALRM, lambda *_: queue.append(b"s:%d" % next(sent), 20))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for number in range(15_000):
            assert queue.append(b"m:%d" % number, 20) is None
            if number % 500 == 0:
                queue.counts()
                queue.delivered(len(queue.take(300, 1 << 20)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    drain(queue)
    counts = queue.counts()
    assert next(sent) > 10
    assert counts["delivered"] == 15_001 + next(sent) - 1
    assert counts["queued"] == 0 and adds_up(counts) and counts["dropped"] == {}


def test_first_record_interrupted_by_another(tmp_path, made, monkeypatch):
    """A handler that logs while the series is begun begins one too; one of them stays."""
    queue = made()
    begin, depth, reasons = Folder.create, [0], []

    def create(folder):
        depth[0] += 1
        reasons.append(queue.append(b"nested", 20))
        begin(folder)

    monkeypatch.setattr(Folder, "create", create)
    assert queue.append(b"outer", 20) is None
    assert depth[0] == 3 and reasons.count("spool_error") == 1  # no endless nesting
    assert drain(queue) == [b"nested", b"nested", b"outer"]
    assert len(segments(tmp_path)) == 1


def test_series_begun_amid_the_end_takes_nothing(tmp_path, made, monkeypatch):
    """A first record that comes while the spool is closed is refused, not left where none looks."""
    queue = made()
    begin = store.begin_series

    def begin_late(*arguments, **options):
        series = begin(*arguments, **options)
        queue.close("shutdown")
        return series

    monkeypatch.setattr(store, "begin_series", begin_late)
    assert queue.append(b"late", 20) == "shutdown"
    assert queue.counts()["enqueued"] == 0 and not queue.is_open
    assert list((tmp_path / "h").iterdir()) == []


def test_first_records_of_several_threads(tmp_path, made):
    """Threads that log first at the same time begin one series between them."""
    for _ in range(20):
        queue = made()
        gate = threading.Barrier(4)

        def log(queue=queue, gate=gate):
            gate.wait(10)
            queue.append(b"one", 20)

        threads = [threading.Thread(target=log) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(drain(queue)) == 4
        assert len(segments(tmp_path)) == 1
        queue.close("shutdown")
        assert list((tmp_path / "h").iterdir()) == []


def test_interrupt_in_the_midst_is_counted_once(made):
    """A Ctrl-C that strikes within the write: the record comes or is counted, no other is."""
    disk = FaultyDisk()
    queue = made(disk=disk)
    queue.append(b"one", 20)

    def interrupted(number, data):
        os.write(number, data)
        raise KeyboardInterrupt

    disk.write = interrupted
    with pytest.raises(KeyboardInterrupt):
        queue.append(b"two", 20)
    del disk.write
    queue.append(b"three", 20)
    assert drain(queue) == [b"one", b"two", b"three"]
    assert adds_up(queue.counts()) and queue.counts()["queued"] == 0
    assert queue.append(b"four", 20) is None and drain(queue) == [b"four"]


def test_refused_records_are_counted_without_a_lock(made):
    """What did not fit is refused by name, and counted by level."""
    queue = made(max_bytes=4 << 10)
    reasons = [queue.append(b"x" * 200, 30) for _ in range(40)]
    for reason in filter(None, reasons):
        queue.refuse(30, reason)
    full = reasons.count("spool_full")
    assert 15 < full < 35 and reasons.count(None) == 40 - full
    assert queue.counts()["dropped_by_level"] == {"spool_full": {"WARNING": full}}
    assert queue.has_refused and adds_up(queue.counts())


def test_room_is_made_behind_the_callers(tmp_path, made):
    """With drop_oldest our thread drops segments ahead, so that callers find room."""
    clock = Clock()
    queue = made(max_bytes=16 << 10, clock=clock, overflow="drop_oldest")
    for number in range(200):
        assert queue.append(b"%d:" % number + b"x" * 200, 20) is None
        clock.now += 0.5
        queue.chores()
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 17 << 10
    found = drain(queue)
    assert found[-1].startswith(b"199:") and 30 < len(found) < 80
    counts = queue.counts()
    assert adds_up(counts) and counts["dropped"] == {"spool_full": 200 - len(found)}


def test_torn_write_is_not_cut_off(tmp_path, made):
    """Several threads write, so a torn frame stays; the ones behind it are found."""
    disk = FaultyDisk()
    queue = made(disk=disk)
    assert queue.append(b"one", 20) is None
    disk.budget = 10
    assert queue.append(b"two", 20) == "spool_full"
    disk.budget = None
    assert queue.append(b"three", 20) is None
    assert drain(queue) == [b"one", b"three"]
    assert queue.counts()["damaged"] == 1 and queue.counts()["dropped"] == {}


def test_torn_batch_does_not_cut_others_off(made):
    """A batch of ours that tears takes nothing away that a caller wrote behind it."""
    disk = FaultyDisk()
    queue = made(disk=disk)
    queue.append(b"one", 20)

    def tearing(number, data):
        del disk.write
        count = os.write(number, data[:30])
        assert queue.append(b"caller", 20) is None  # another thread, at this very moment
        disk.budget = 0
        return count

    disk.write = tearing
    assert queue.append_bodies([body_of(b"torn" * 20, 20, 0.0)]).whole == 0
    disk.budget = None
    assert drain(queue) == [b"one", b"caller"]
    assert queue.counts()["damaged"] == 1 and adds_up(queue.counts())


def test_each_call_is_forced_where_wanted(made):
    """`sync: always` with `write: caller`: the call returns after fdatasync."""
    disk = FaultyDisk()
    queue = made(disk=disk, sync="always")
    queue.append(b"one", 20)
    queue.append(b"two", 20)
    assert disk.synced == ["folder", "data", "data"]


def test_end_spares_a_write_under_way(tmp_path, made, monkeypatch):
    """A thread that is in the midst of its write when the spool closes loses nothing."""
    disk = FaultyDisk()
    queue, other = made(disk=disk), made()
    queue.append(b"first", 20)
    entered, done = threading.Event(), threading.Event()

    def slow(number, data):
        entered.set()
        done.wait(30)
        return os.write(number, data)

    disk.write = slow
    results = []
    thread = threading.Thread(target=lambda: results.append(queue.append(b"second", 20)))
    thread.start()
    entered.wait(30)
    queue.close("shutdown")
    assert drain(other) == []  # the series is still ours
    done.set()
    thread.join()
    assert results == [None]
    kill(queue)  # the end of the process
    again = made()
    assert drain(again) == [b"first", b"second"]


def test_tally_counts_while_it_is_read():
    """A tally that is read again and again still tells what was added."""
    tally = Tally()
    seen = []
    for number in range(100):
        tally.add()
        if number % 7 == 0:
            seen.append(tally.value() == number + 1)
    assert all(seen) and tally.value() == tally.value() == 100
