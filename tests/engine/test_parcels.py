"""The parcels of one round: who has no room is asked once, and everything is counted."""

import pytest
from engine_kit import Clock, Kit, adds_up, wait_until
from hypothesis import given
from hypothesis import strategies as st

from logroute.delivery.queue import Queue
from logroute.delivery.specs import QueueSpec
from logroute.engine import dispatch
from logroute.engine.parcels import Round

INFO, WARNING = 20, 30


class AskedQueue(Queue):
    """A queue that knows how often it was asked for room."""

    asked = 0

    def fault_now(self, levelno):
        self.asked += 1
        return super().fault_now(levelno)


class Bearer:
    """As much of a worker as a round needs."""

    def __init__(self, queue):
        self.queue = queue


def worker(overflow="shed", waiting=0, level=WARNING):
    """Return a worker with a queue for ten, of which so many wait."""
    queue = AskedQueue(QueueSpec(max_records=10), overflow)
    queue.put([(b"x", level, 1)] * waiting, [], [])
    return Bearer(queue)


def hand_over(round_):
    for worker_, parcel in round_.take():
        worker_.queue.put(parcel.items, parcel.filtered, parcel.dropped)


def test_full_queue_is_asked_once_a_round():
    """A hundred records cost a full queue no more questions than two; all are counted."""
    full, free = worker(waiting=10), worker()
    round_ = Round()
    full.queue.asked = 0
    assert {round_.takers((full, free), INFO) for _ in range(100)} == {(free,)}
    assert full.queue.asked <= 2
    hand_over(round_)
    counts = full.queue.counts()
    assert counts["dropped_by_level"] == {"queue_full": {"INFO": 100}}
    assert adds_up(counts)
    assert free.queue.counts()["dropped"] == {}


def test_room_is_used_at_once():
    """A worker that takes a batch amid a round gets the very next record."""
    full = worker(waiting=10)
    round_ = Round()
    assert round_.takers((full,), INFO) == ()
    full.queue.take(5, 1000)
    assert round_.takers((full,), INFO) == (full,)
    hand_over(round_)
    assert full.queue.counts()["dropped"] == {"queue_full": 1}


def test_seized_queue_has_room_at_once():
    """What is taken from a hanging worker makes room too."""
    full = worker(waiting=10)
    round_ = Round()
    assert round_.takers((full,), INFO) == ()
    full.queue.seize()
    assert round_.takers((full,), INFO) == (full,)


def test_shedding_queue_takes_warnings_yet():
    """Between 80 % and full, a round turns away INFO alone."""
    crowded = worker(waiting=8)
    round_ = Round()
    taken = [bool(round_.takers((crowded,), level)) for level in (INFO, WARNING, INFO, WARNING)]
    assert taken == [False, True, False, True]
    hand_over(round_)
    assert crowded.queue.counts()["dropped_by_level"] == {"shed": {"INFO": 2}}


def test_taken_round_begins_anew():
    """What was handed over is not counted a second time."""
    full = worker(waiting=10)
    round_ = Round()
    round_.takers((full,), INFO)
    hand_over(round_)
    hand_over(round_)
    assert full.queue.counts()["dropped"] == {"queue_full": 1}


@given(
    overflow=st.sampled_from(["shed", "drop_newest", "drop_oldest", "block"]),
    waiting=st.integers(0, 25),
    gave_up=st.booleans(),
    steps=st.lists(st.sampled_from([INFO, WARNING, "take", "end"]), max_size=60),
)
def test_round_decides_as_if_it_asked_each_time(overflow, waiting, gave_up, steps):
    """Whatever comes and goes, the ledger is that of asking the queue for each record."""
    ours, plain = (worker(overflow, waiting, INFO) for _ in range(2))
    ours.queue.gave_up = plain.queue.gave_up = gave_up
    round_, items, dropped = Round(), [], []
    for step in [*steps, "end"]:
        if step == "take":
            assert ours.queue.take(4, 1000) == plain.queue.take(4, 1000)
        elif step == "end":
            hand_over(round_)
            plain.queue.put(items, [], dropped)
            items, dropped = [], []
        else:
            for taker in round_.takers((ours,), step):
                round_.parcel(taker).items.append((b"x", step, 1))
            if fault := plain.queue.fault_now(step):
                dropped.append((fault, step))
            else:
                items.append((b"x", step, 1))
    assert ours.queue.counts() == plain.queue.counts()
    assert adds_up(ours.queue.counts())


def test_gate_counts_before_a_full_queue():
    """A record that a filter refuses is filtered, though there is no room for it either."""
    with Kit("stuck", "fine", overflow="drop_newest", max_records=1) as kit:
        kit.sinks["stuck"].gate.clear()
        kit.runtime.handlers["stuck"].addFilter(lambda record: "secret" not in record.getMessage())
        kit.logger.info("flies")
        assert wait_until(lambda: kit.counts("stuck")["in_flight"] == 1)
        kit.logger.info("waits")
        kit.runtime.dispatcher.drain()
        for text in ("a secret", "too much", "a secret"):
            kit.logger.info(text)
        kit.runtime.dispatcher.drain()
        counts = kit.counts("stuck")
        assert sum(counts["filtered"].values()) == 2
        assert counts["dropped"] == {"queue_full": 1}
        assert adds_up(counts)


def test_full_queue_takes_nothing_from_others():
    """Records of one round reach the handler beside a full one, all and in order."""
    with Kit("stuck", "fine", overflow="shed", max_records=100) as kit:
        kit.sinks["stuck"].gate.clear()
        for n in range(300):
            kit.logger.info("record %d", n)
            if n % 40 == 0:
                assert kit.runtime.settle([kit.runtime.workers["fine"]], 10)
        assert kit.runtime.settle([kit.runtime.workers["fine"]], 10)
        assert kit.sinks["fine"].logged == [b"record %d" % n for n in range(300)]
        counts = kit.counts("stuck")
        assert counts["dropped"] == {"shed": 300 - 80 - counts["in_flight"]}
        assert adds_up(counts)


@pytest.fixture
def rests(monkeypatch):
    """Return a list that gets each rest of the dispatcher, which takes no time here."""
    taken = []
    monkeypatch.setattr(dispatch.native, "sleep", taken.append)
    monkeypatch.setattr(dispatch, "monotonic", Clock())
    return taken


def logged_at_once(kit, count):
    """Log while the dispatcher is kept from its work, so that all of it comes in one go."""
    with kit.runtime.dispatcher._step_lock:
        for n in range(count):
            kit.logger.info("record %d", n)


def test_long_rounds_have_rests(rests):
    """Callers get the interpreter amid a round, by the number of items made."""
    with Kit("one", "other", max_records=10_000) as kit:
        logged_at_once(kit, 640)
        assert kit.runtime.flush(10)
        assert kit.sinks["one"].logged == [b"record %d" % n for n in range(640)]
    assert len(rests) == 2 * 640 // dispatch.SPELL


def test_rest_that_takes_long_earns_work_as_long(monkeypatch):
    """Where threads that compute keep the interpreter, the dispatcher takes its turn, too."""
    clock, taken = Clock(), []

    def rest(seconds):
        taken.append(seconds)
        clock.now += 0.005

    def encode_slowly(record):
        clock.now += 0.00001
        return record.getMessage().encode()

    monkeypatch.setattr(dispatch.native, "sleep", rest)
    monkeypatch.setattr(dispatch, "monotonic", clock)
    with Kit("one", max_records=10_000, encode=encode_slowly) as kit:
        logged_at_once(kit, 1280)
        assert kit.runtime.flush(10)
        assert len(kit.sinks["one"].logged) == 1280
    assert 2 <= len(taken) <= 0.01280 / 0.005 + 1 < 1280 // dispatch.SPELL


def test_records_without_room_need_no_rest(rests):
    """What is turned away is no work to rest from."""
    with Kit("stuck", overflow="drop_newest", max_records=10) as kit:
        kit.sinks["stuck"].gate.clear()
        kit.logger.info("flies")
        assert wait_until(lambda: kit.counts("stuck")["in_flight"] == 1)
        logged_at_once(kit, 10)
        kit.runtime.dispatcher.drain()
        assert kit.runtime.workers["stuck"].queue.fault_now(INFO) == "queue_full"
        logged_at_once(kit, 1000)
        kit.runtime.dispatcher.drain()
        counts = kit.counts("stuck")
        assert counts["dropped"] == {"queue_full": 1000}
        assert adds_up(counts)
    assert rests == []


def test_rests_end_where_callers_outrun(rests, monkeypatch):
    """Far behind, the dispatcher takes its full share of the time."""
    monkeypatch.setattr(dispatch, "FAR_BEHIND", 0)
    with Kit("one", max_records=10_000) as kit:
        logged_at_once(kit, 640)
        assert kit.runtime.flush(10)
    assert rests == []


def test_callers_that_drain_do_not_rest(rests):
    """Whoever empties the intake in another thread wants it done."""
    with Kit("one", max_records=10_000) as kit:
        with kit.runtime.dispatcher._step_lock:
            for n in range(640):
                kit.logger.info("record %d", n)
            kit.runtime.dispatcher.drain()
        assert kit.runtime.flush(10)
    assert rests == []
