"""The spool as a queue: what a worker sees of it."""

import ast
import errno
import gc
import inspect
import os
import tracemalloc
from pathlib import Path

import pytest
from engine_kit import Collector, adds_up
from spool_kit import Clock, FaultyDisk, drain, kill, numbered, put, segments, spool, take

import logroute.engine.worker
from logroute.delivery.queue import Kept, Queue
from logroute.delivery.specs import QueueSpec
from logroute.delivery.spool import locks
from logroute.delivery.spool.frames import body_of
from logroute.delivery.spool.ledger import joined
from logroute.delivery.spool.queue import SpoolQueue
from logroute.delivery.spool.sink import SpoolFull, SpoolSink, spooled
from logroute.engine.notices import Notices
from logroute.engine.worker import Worker
from logroute.errors import Retryable
from logroute.records import pack


@pytest.fixture
def made():
    """Make spools that are closed at the end, however the test ends."""
    queues = []

    def make(*arguments, **options):
        queues.append(spool(*arguments, **options))
        return queues[-1]

    yield make
    for queue in queues:
        queue.close("shutdown")


def test_spool_offers_what_a_queue_offers():
    """Every public name of the queue in memory is there, with the same parameters."""
    for name, member in inspect.getmembers(Queue):
        if name.startswith("_") or name in ("count_past", "is_closed"):
            continue  # an audit asks for these, and ends before the spool
        assert hasattr(SpoolQueue, name), name
        if inspect.isfunction(member):
            ours = inspect.signature(getattr(SpoolQueue, name)).parameters
            for parameter in inspect.signature(member).parameters:
                assert parameter in ours, (name, parameter)


def test_worker_asks_for_nothing_else():
    """Whatever the engine touches of a queue, a spool has too."""
    folder = Path(logroute.engine.worker.__file__).parent
    asked = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and getattr(node.value, "attr", "") == "queue":
                asked.add(node.attr)
    assert len(asked) > 10
    queue = spool("/nowhere")
    assert [name for name in sorted(asked) if not hasattr(queue, name)] == []


def test_nothing_is_opened_before_use(tmp_path, made):
    """Making a spool, and asking it, creates nothing."""
    queue = made(tmp_path)
    assert queue.waiting == 0 and queue.take(10, 1000) == [] and queue.unsettled == 0
    assert queue.chores() > 0
    called = []
    queue.when_settled(lambda: called.append(1))
    assert called == [1] and list(tmp_path.iterdir()) == []


def test_records_come_in_order(tmp_path, made):
    """What was spooled first is taken first, over many segments."""
    queue = made(tmp_path, max_bytes=16 << 10)
    payloads = numbered(60, size=100)
    assert put(queue, *payloads) == 60
    assert len(segments(tmp_path)) > 3
    assert drain(queue) == payloads
    assert len(segments(tmp_path)) == 1  # the one being written
    assert adds_up(queue.counts()) and queue.counts()["delivered"] == 60


def test_delivered_spool_leaves_no_files(tmp_path, made):
    """A process that delivered all removes its series when it ends."""
    queue = made(tmp_path)
    put(queue, *numbered(3))
    drain(queue)
    queue.close("shutdown")
    assert list((tmp_path / "h").iterdir()) == []


def test_undelivered_waits_for_next_process(tmp_path, made):
    """What was not delivered, in flight or not, is delivered by the next process."""
    queue = made(tmp_path)
    put(queue, *numbered(5))
    queue.delivered(len(take(queue, 1)))
    take(queue, 2)
    assert queue.close("shutdown") == 0
    assert adds_up(queue.counts()) and queue.counts()["queued"] == 4
    again = made(tmp_path)
    assert again.waiting >= 1
    assert drain(again) == numbered(4, 1)
    assert again.counts()["recovered"] == 4 and adds_up(again.counts())
    assert again.counts()["enqueued"] == 4


def test_batch_that_came_back_is_taken_again(tmp_path, made):
    """`undelivered` is no loss here: the batch waits on, and not in a hot loop."""
    clock = Clock()
    queue = made(tmp_path, clock=clock)
    put(queue, *numbered(5))
    assert take(queue, 3) == numbered(3)
    queue.delivered(1)
    queue.dropped("undelivered", 2)
    assert queue.waiting == 0 and take(queue) == []
    assert queue.counts()["dropped"] == {} and queue.counts()["queued"] == 4
    assert 0 < queue.chores() <= 1
    clock.now += 1.1
    assert drain(queue) == numbered(4, 1)
    assert adds_up(queue.counts())


def test_batch_of_orphans_comes_back(tmp_path, made):
    """A batch of a dead process that came back spans segments, and is taken again whole."""
    dead = made(tmp_path, max_bytes=8 << 10)
    put(dead, *numbered(30, size=100))
    kill(dead)
    clock = Clock()
    queue = made(tmp_path, max_bytes=8 << 10, clock=clock)
    first = take(queue)
    second = take(queue)
    assert len(first + second) < 30
    queue.dropped("undelivered", len(first + second))
    assert adds_up(queue.counts())
    clock.now += 2
    assert drain(queue) == numbered(30, size=100)
    assert queue.counts()["recovered"] == 30 and adds_up(queue.counts())


def test_refused_batch_is_lost_and_counted(tmp_path, made):
    """A reason that is final settles the records: they never come again."""
    queue = made(tmp_path)
    put(queue, *numbered(3))
    take(queue)
    queue.dropped("rejected", 1)
    queue.dead_lettered(1)
    passed = []
    queue.handed_over(1, passed.append)
    assert passed == [1]
    counts = queue.counts()
    assert counts["dropped"] == {"rejected": 1} and counts["in_flight"] == 0
    assert (counts["dead_lettered"], counts["handed_to_fallback"]) == (1, 1)
    assert adds_up(counts)
    queue.close("shutdown")
    assert drain(made(tmp_path)) == []


def test_sent_is_not_acknowledged(tmp_path, made):
    """What a sink holds until its peer has it, is acknowledged on disk only then."""
    held = [2]
    queue = made(tmp_path)
    queue.held_back = lambda: held[0]
    put(queue, *numbered(5))
    take(queue, 4)
    queue.delivered(4)
    counts = queue.counts()
    assert counts["delivered"] == 4 and counts["in_flight"] == 0 and adds_up(counts)
    kill(queue)
    again = made(tmp_path)
    again.held_back = lambda: held[0]
    assert take(again) == numbered(3, 2)
    again.delivered(3)
    assert again.chores() <= 1
    held[0] = 0
    again.chores()
    again.close("shutdown")
    assert list((tmp_path / "h").iterdir()) == []


def test_sent_and_not_arrived_waits_again(tmp_path, made):
    """Records that a closed connection has not brought over wait again, and are not lost."""
    held = [2]
    queue = made(tmp_path)
    queue.held_back = lambda: held[0]
    put(queue, *numbered(6))
    take(queue, 4)
    queue.delivered(2)
    queue.dropped("rejected", 1)
    queue.delivered(1)
    queue.lost_after_all("unacknowledged", 2)
    held[0] = 0
    counts = queue.counts()
    assert counts["delivered"] == 1 and counts["queued"] == 5 and adds_up(counts)
    assert drain(queue) == numbered(5, 1)
    assert adds_up(queue.counts()) and queue.counts()["dropped"] == {"rejected": 1}


def test_unconfirmed_records_are_queued_at_the_end(tmp_path, made):
    """What the next process sends again does not count as delivered by this one."""
    queue = made(tmp_path)
    queue.held_back = lambda: 2
    put(queue, *numbered(5))
    take(queue, 4)
    queue.delivered(3)
    queue.close("shutdown")
    counts = queue.counts()
    assert counts["delivered"] == 1 and counts["queued"] == 4 and adds_up(counts)
    assert drain(made(tmp_path)) == numbered(4, 1)


def test_seized_records_stay_on_disk(tmp_path, made):
    """What a hanging worker holds is put back; what it settles later changes nothing."""
    clock = Clock()
    queue = made(tmp_path, clock=clock)
    put(queue, *numbered(4))
    take(queue, 3)
    assert queue.seize() == [] and queue.settle_seized("shutdown") == 0
    queue.delivered(2)
    queue.dropped("worker_error", 1)
    assert queue.counts()["queued"] == 4 and adds_up(queue.counts())
    clock.now += 2
    assert drain(queue) == numbered(4)


def test_batch_respects_bytes(tmp_path, made):
    """A batch stays under max_bytes but has at least one record."""
    queue = made(tmp_path)
    put(queue, *numbered(4, size=1000))
    assert len(queue.take(10, 2500)) == 2
    assert len(queue.take(10, 1)) == 1
    assert queue.in_flight == 3


def test_batch_is_bounded_whatever_is_asked(tmp_path, made):
    """A sink that takes all that gathers still gets no more than memory should hold."""
    queue = made(tmp_path)
    put(queue, *[b"x"] * 10_100)
    assert len(queue.take(1 << 40, 1 << 40)) == queue.max_records == 10_000


def test_errors_are_urgent(tmp_path, made):
    """An ERROR among what waits makes the worker hurry, until all is taken."""
    queue = made(tmp_path)
    put(queue, b"info")
    assert not queue.urgent
    put(queue, b"error", levelno=40)
    assert queue.urgent
    take(queue)
    assert not queue.urgent


def test_whole_batch_is_noticed(tmp_path, made):
    """has_reached tells of records and of bytes."""
    queue = made(tmp_path)
    put(queue, *numbered(5, size=100))
    assert queue.has_reached(5, 1 << 20) and not queue.has_reached(6, 1 << 20)
    assert queue.has_reached(100, 500)
    drain(queue)
    assert not queue.has_reached(1, 1)


def test_packed_records_are_kept(tmp_path, made):
    """A packed record travels beside its payload, over a restart too."""
    queue = made(tmp_path)
    queue.put([(Kept(b"text", b'{"name": "a"}'), 40, 4)], [], [])
    kill(queue)
    queue = made(tmp_path)
    queue.keeps_records = True
    ((payload, levelno, size),) = queue.take(1, 1000)
    assert payload == Kept(b"text", b'{"name": "a"}') and (levelno, size) == (40, 4)


def test_flush_waits_for_what_was_spooled(tmp_path, made):
    """when_settled calls back once all spooled before is settled, not after later ones."""
    queue = made(tmp_path)
    called = []
    put(queue, *numbered(2))
    take(queue)
    queue.when_settled(lambda: called.append(1))
    assert called == [] and not queue.is_awaited
    put(queue, b"later")
    queue.delivered(1)
    assert called == []
    queue.delivered(1)
    assert called == [1]


def test_flush_does_not_wait_for_older_processes(tmp_path, made, monkeypatch):
    """While somebody waits, records of this process go before a backlog of dead ones."""
    dead = made(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(locks, "_process", lambda: "00000000-1-1")
        put(dead, *numbered(50))
    kill(dead)
    queue = made(tmp_path)
    take(queue, 1)
    queue.delivered(1)
    put(queue, b"mine")
    called = []
    queue.when_settled(lambda: called.append(1))
    assert queue.is_awaited
    assert take(queue, 5) == [b"mine"]
    queue.delivered(1)
    assert called == [1] and take(queue, 2) == [b"1:", b"2:"]


def test_flush_waits_for_what_the_former_handler_left(tmp_path, made):
    """After a reload, records of this process in another series are waited for, too."""
    former, heir = made(tmp_path), made(tmp_path)
    heir.hold()
    put(former, *numbered(3))
    called = []
    heir.when_settled(lambda: called.append(1))
    assert take(heir) == [] and called == []  # the former one delivers yet
    former.close("reload")
    heir.look_again()
    assert called == [] and take(heir, 2) == numbered(3)[:2]
    heir.delivered(2)
    assert called == [] and take(heir, 2) == numbered(3)[2:]
    assert called == []
    heir.delivered(1)
    assert called == [1]


@pytest.mark.parametrize("looks", ["take", "chores"])
def test_flush_ends_where_the_former_handler_left_nothing(tmp_path, made, looks):
    """Who waits is told by whoever looks first."""
    former, heir = made(tmp_path), made(tmp_path)
    put(former, b"one")
    heir.hold()
    called = []
    heir.when_settled(lambda: called.append(1))
    drain(former)
    former.close("reload")
    heir.look_again()
    assert called == []
    take(heir) if looks == "take" else heir.chores()
    assert called == [1]


def test_flush_ends_where_there_never_was_a_folder(tmp_path, made):
    """No thread is woken to look into a folder that is not there."""
    heir = made(tmp_path)
    heir.hold()
    called = []
    heir.when_settled(lambda: called.append(1))
    assert called == []
    heir.look_again()
    assert called == [1]


def test_end_calls_who_waits(tmp_path, made):
    """Who waits at the end is called when others may have what is left."""
    queue = made(tmp_path)
    put(queue, b"one")
    found = []
    queue.when_settled(lambda: found.extend(drain(made(tmp_path))))
    queue.close("shutdown")
    assert found == [b"one"] and queue.unsettled == 1


def test_forgotten_waiter_is_not_called(tmp_path, made):
    """Who has given up waiting is not called."""
    queue = made(tmp_path)
    put(queue, b"one")
    called = []

    def call():
        called.append(1)

    queue.when_settled(call)
    queue.forget(call)
    drain(queue)
    assert called == []


def test_full_spool_refuses_the_newest(tmp_path, made):
    """At its bound the spool takes no more; what is on disk stays, and all is counted."""
    queue = made(tmp_path, max_bytes=8 << 10)
    whole = put(queue, *numbered(100, size=200))
    assert 25 < whole < 40
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 8 << 10
    counts = queue.counts()
    assert counts["dropped"] == {"spool_full": 100 - whole} and adds_up(counts)
    assert counts["dropped_by_level"] == {"spool_full": {"INFO": 100 - whole}}
    assert drain(queue) == numbered(whole, size=200)
    assert put(queue, b"again") == 1


def test_full_spool_drops_the_oldest(tmp_path, made):
    """With drop_oldest the oldest segment goes, and its records are counted."""
    queue = made(tmp_path, "drop_oldest", max_bytes=8 << 10)
    assert put(queue, *numbered(100, size=200)) == 100
    counts = queue.counts()
    dropped = counts["dropped"]["spool_full"]
    assert adds_up(counts) and queue.losses == dropped
    assert drain(queue) == numbered(100 - dropped, dropped, size=200)
    assert queue.take_untold() == {"spool_full": {20: dropped}}


def test_oldest_in_flight_is_spared(tmp_path, made):
    """What a worker is sending is not dropped under its hands; what follows it is."""
    queue = made(tmp_path, "drop_oldest", max_bytes=8 << 10)
    put(queue, *numbered(20, size=200))
    flight = take(queue, 2)
    put(queue, *numbered(80, 20, size=200))
    first, rest = segments(tmp_path)[:2]
    assert first.name.endswith(".00000001.seg") and not rest.name.endswith(".00000002.seg")
    queue.delivered(2)
    assert adds_up(queue.counts())
    rest = drain(queue)
    assert not set(flight) & set(rest) and rest[-1] == numbered(1, 99, size=200)[0]
    assert len(flight) + len(rest) + queue.counts()["dropped"]["spool_full"] == 100


def test_oldest_of_dead_processes_goes_first(tmp_path, made):
    """A backlog of dead processes is dropped before records of this one; all is counted."""
    dead = made(tmp_path, max_bytes=8 << 10)
    put(dead, *numbered(25, size=200))
    kill(dead)
    clock = Clock()
    queue = made(tmp_path, "drop_oldest", max_bytes=8 << 10, clock=clock)
    queue.chores()
    assert put(queue, *numbered(25, 100, size=200)) == 25
    found = drain(queue)
    counts = queue.counts()
    assert set(numbered(25, 100, size=200)) <= set(found) and adds_up(counts)
    assert counts["recovered"] == 25 and counts["dropped"]["spool_full"] == 50 - len(found)


def test_record_beyond_the_bound_costs_only_itself(tmp_path, made):
    """A record larger than the spool may be drops nothing else to make room in vain."""
    queue = made(tmp_path, "drop_oldest", max_bytes=8 << 10)
    put(queue, *numbered(10))
    assert put(queue, b"x" * (9 << 10)) == 0
    assert drain(queue) == numbered(10)


def test_large_record_gets_its_own_segment(tmp_path, made):
    """A record larger than a segment fits as long as the spool has room."""
    queue = made(tmp_path, max_bytes=80 << 10)
    payloads = [b"a", b"x" * (40 << 10), b"b"]
    assert put(queue, *payloads) == 3
    assert drain(queue) == payloads


def test_others_bytes_count(tmp_path, made):
    """The bound is that of the folder: what other processes have there counts."""
    other = made(tmp_path, max_bytes=8 << 10)
    put(other, *numbered(20, size=200))
    queue = made(tmp_path, max_bytes=8 << 10, adopts=False)
    assert 5 < put(queue, *numbered(40, size=200)) < 20
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 8 << 10


def test_missing_segment_is_passed_over(tmp_path, made):
    """A segment that is gone at the start is normal: the others are delivered."""
    dead = made(tmp_path, max_bytes=8 << 10)
    put(dead, *numbered(30, size=200))
    kill(dead)
    segments(tmp_path)[1].unlink()
    found = drain(made(tmp_path, max_bytes=8 << 10))
    assert found[0] == numbered(1, size=200)[0] and found[-1] == numbered(1, 29, size=200)[0]
    assert 20 < len(found) < 30


def test_segment_removed_while_written(tmp_path, made):
    """A segment that somebody deletes costs at most what was in it; the next one is new."""
    queue = made(tmp_path)
    put(queue, *numbered(3))
    segments(tmp_path)[0].unlink()
    put(queue, *numbered(3, 10))
    assert drain(queue) == numbered(3, 10)
    assert queue.counts()["dropped"] == {"spool_damaged": 3} and adds_up(queue.counts())


def test_living_owner_keeps_its_series(tmp_path, made):
    """What another living process has spooled is not taken from it."""
    clock = Clock()
    owner, other = made(tmp_path), made(tmp_path, clock=clock)
    put(owner, *numbered(3))
    assert drain(other) == []
    kill(owner)
    assert other.waiting == 0  # not yet looked
    clock.now += 31
    other.chores()
    assert other.waiting == 3 and drain(other) == numbered(3)


def test_many_orphans_are_adopted_in_turns(tmp_path, made):
    """However many processes died, few files are open at a time, and all is delivered."""
    for number in range(20):
        dead = made(tmp_path, adopts=False)
        put(dead, b"%d" % number)
        kill(dead)
    queue = made(tmp_path)
    queue.chores()
    assert len(queue.store.adoption.readers) == 8
    assert sorted(drain(queue), key=int) == [b"%d" % number for number in range(20)]
    queue.close("shutdown")
    assert list((tmp_path / "h").iterdir()) == []


def test_next_orphans_are_waiting_as_soon_as_there_is_room(tmp_path, made):
    """A sink may acknowledge a whole turn at once; the next one is found without a pause."""
    for number in range(20):
        dead = made(tmp_path, adopts=False)
        put(dead, b"%d" % number)
        kill(dead)
    queue = made(tmp_path)
    found, held = [], [0]
    queue.held_back = lambda: held[0]
    for turn in (8, 8, 4):
        held[0] = turn
        while queue.waiting:
            items = queue.take(100, 1 << 20)
            found += items
            queue.delivered(len(items))
        held[0] = 0
        queue.chores()
        assert (queue.waiting > 0) == (len(found) < 20)
    assert len(found) == 20


def test_removed_lock_file_is_made_anew(tmp_path, made):
    """A series whose lock file is gone can still be adopted."""
    dead = made(tmp_path)
    put(dead, b"one")
    kill(dead)
    next((tmp_path / "h").glob("*.lock")).unlink()
    assert drain(made(tmp_path)) == [b"one"]


def test_memory_does_not_grow_with_the_backlog(tmp_path, made):
    """A hundred thousand waiting records need no more memory than a batch."""
    queue = made(tmp_path, max_bytes=64 << 20)
    items = [(b"x" * 100, 20, 100)] * 1000
    queue.put(items, [], [])
    queue.delivered(len(queue.take(500, 1 << 20)))
    tracemalloc.start()
    try:
        for _ in range(100):
            queue.put(items, [], [])
        assert len(queue.take(500, 1 << 20)) == 500
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20
    assert queue.counts()["queued"] == 100_000


def test_dropped_spool_gives_its_files_back(tmp_path, made):
    """A spool that nobody holds any more lets go of its lock and its descriptors."""
    gc.collect()  # what a test before has left
    before = len(os.listdir("/proc/self/fd"))
    queue = spool(tmp_path)
    put(queue, b"one")
    take(queue)
    assert len(os.listdir("/proc/self/fd")) > before
    del queue
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert drain(made(tmp_path)) == [b"one"]


def test_closed_spool_refuses(tmp_path, made):
    """After the end nothing is taken or written any more, and what comes is counted."""
    queue = made(tmp_path)
    put(queue, b"one")
    queue.close("shutdown")
    assert queue.close("shutdown") == 0
    assert put(queue, b"two") == 0 and take(queue) == [] and queue.waiting == 0
    assert queue.append(b"three", 20) == "shutdown"
    assert queue.counts()["dropped"] == {"shutdown": 1} and adds_up(queue.counts())


# -- two workers in a chain


def worker(name, queue, sink, encode):
    return Worker(
        name, queue, lambda: sink, encode, notices=Notices(), own_threads=set(), is_sync=True
    )


def test_two_workers_make_one_handler(tmp_path, made):
    """Memory to disk by the one worker, disk to sink by the other; one ledger adds up."""
    spool_queue, memory = made(tmp_path), Queue(QueueSpec(), "shed")
    target = Collector()
    first = worker("h", memory, SpoolSink(spool_queue), lambda record: b"")
    second = worker("h", spool_queue, target, lambda record: b"")
    memory.put([(body_of(payload, 20, 0.0), 20, 9) for payload in numbered(30)], ["f"], [])
    assert adds_up(joined(memory, spool_queue)) and joined(memory, spool_queue)["queued"] == 30
    first.drain()
    assert adds_up(joined(memory, spool_queue)) and joined(memory, spool_queue)["queued"] == 30
    second.drain()
    counts = joined(memory, spool_queue)
    assert counts["enqueued"] == 31 and counts["delivered"] == 30 and counts["filtered"] == {"f": 1}
    assert adds_up(counts) and target.received == numbered(30)


def test_ledger_adds_up_in_the_midst_of_a_write(tmp_path, made):
    """Records on disk that the first worker has not settled yet count once."""
    spool_queue, memory = made(tmp_path), Queue(QueueSpec(), "shed")
    seen = []

    class Sink(SpoolSink):
        def send(self, batch):
            super().send(batch)
            seen.append(joined(memory, spool_queue))

    first = worker("h", memory, Sink(spool_queue), lambda record: b"")
    memory.put([(body_of(b"x", 20, 0.0), 20, 9)] * 3, [], [])
    first.drain()
    assert adds_up(seen[0]) and seen[0]["queued"] == 3 and seen[0]["in_flight"] == 0


def test_what_flies_at_the_end_is_in_doubt(tmp_path, made):
    """A batch whose fate nobody knows comes again; the counts say how many records that are."""
    queue = made(tmp_path)
    put(queue, *numbered(5))
    queue.take(2, 10_000)
    queue.delivered(1)
    queue.close("shutdown")
    counts = queue.counts()
    assert (counts["delivered"], counts["queued"], counts["in_doubt"]) == (1, 4, 1)
    again = made(tmp_path)
    assert [payload for payload, _, _ in again.take(9, 10_000)] == numbered(5)[1:]
    assert again.counts()["in_doubt"] == 0


def test_write_that_ends_after_the_queue_was_closed_is_no_loss(tmp_path, made):
    """What was given up amid a write, and got to the disk all the same, was not dropped."""
    spool_queue, memory = made(tmp_path), Queue(QueueSpec(), "shed")
    memory.put([(body_of(b"x", 20, 0.0), 20, 9)] * 3, [], [])
    taken = memory.take(10, 10_000)
    assert memory.close("shutdown") == 3
    SpoolSink(spool_queue).send([payload for payload, _, _ in taken])
    counts = joined(memory, spool_queue)
    assert adds_up(counts) and counts["queued"] == 3
    assert counts["dropped"] == counts["dropped_by_level"] == {}


def test_failing_sink_keeps_records_in_the_spool(tmp_path, made):
    """A destination that is down loses nothing: the worker gives up, the spool keeps."""
    clock = Clock()
    spool_queue, target = made(tmp_path, clock=clock), Collector()
    put(spool_queue, *numbered(3))
    target.faults = [Retryable("down", delivered=1)]
    second = worker("h", spool_queue, target, lambda record: b"")
    second.drain()
    assert target.received == numbered(1) and spool_queue.counts()["queued"] == 2
    clock.now += 2
    second.drain()
    assert target.received == numbered(3) and adds_up(spool_queue.counts())


def test_full_spool_is_told_to_the_worker(tmp_path, made):
    """The sink says how many are on disk, and under which reason the rest counts."""
    queue = made(tmp_path, max_bytes=8 << 10)
    with pytest.raises(SpoolFull) as caught:
        SpoolSink(queue).send([body_of(b"x" * 1000, 20, 0.0)] * 20)
    assert caught.value.delivered == queue.counts()["spooled"] > 3
    assert caught.value.reason == "spool_full"


def test_full_disk_is_tried_again(tmp_path, made):
    """No space left is no refusal: the batch stays in memory and is tried again."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, b"first")
    disk.budget = 150
    with pytest.raises(Retryable) as caught:
        SpoolSink(queue).send([body_of(b"x" * 50, 20, 0.0)] * 5)
    assert caught.value.delivered == 1
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_encoder_makes_bodies(tmp_path, made):
    """The first worker's encoder wraps the handler's own; level and record go along."""
    import logging

    record = logging.LogRecord("a", 40, "", 0, "text", None, None)
    encode = spooled(lambda record: record.getMessage().encode(), lambda: True)
    queue = made(tmp_path)
    queue.keeps_records = True
    woken = []
    SpoolSink(queue, wake=lambda: woken.append(1)).send([encode(record)])
    assert queue.take(1, 1000) == [(Kept(b"text", pack(record)), 40, 4)] and woken == [1]
