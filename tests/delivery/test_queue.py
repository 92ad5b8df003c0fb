"""The bounded queue and its ledger."""

from engine_kit import adds_up

from logroute.delivery.ledger import OwnLevel
from logroute.delivery.queue import Queue
from logroute.delivery.specs import QueueSpec


def queue(overflow="shed", **options):
    return Queue(QueueSpec(**{"max_records": 10, **options}), overflow)


def items(count, levelno=20, size=10):
    return [(b"x" * size, levelno, size) for _ in range(count)]


def test_full_queue_sheds_low_levels_first():
    """From 80 % full, records below WARNING are dropped; when full, all."""
    q = queue()
    q.put(items(9, 20), [], [])
    assert q.counts()["queued"] == 8
    q.put(items(3, 40), [], [])
    counts = q.counts()
    assert counts["queued"] == 10
    assert counts["dropped"] == {"shed": 1, "queue_full": 1}
    assert adds_up(counts)


def test_drop_oldest_keeps_the_newest():
    """drop_oldest makes room for what comes."""
    q = queue("drop_oldest")
    q.put([(n, 20, 1) for n in range(15)], [], [])
    assert [item[0] for item in q.take(100, 1000)] == list(range(5, 15))
    assert q.counts()["dropped"] == {"queue_full": 5}


def test_drop_newest_keeps_the_oldest():
    """drop_newest refuses what comes."""
    q = queue("drop_newest")
    q.put([(n, 20, 1) for n in range(15)], [], [])
    assert [item[0] for item in q.take(100, 1000)] == list(range(10))


def test_bytes_bound_the_queue():
    """max_bytes bounds what waits, yet one large record always fits."""
    q = queue("drop_newest", max_bytes=100)
    q.put(items(1, size=500), [], [])
    q.put(items(1, size=1), [], [])
    assert q.counts()["queued"] == 1
    assert q.counts()["dropped"] == {"queue_full": 1}


def test_take_respects_batch_bytes():
    """A batch stays under max_bytes but has at least one item."""
    q = queue()
    q.put(items(4, size=40), [], [])
    assert len(q.take(10, 100)) == 2
    assert len(q.take(10, 1)) == 1


def test_settled_call_waits_for_items_before_it():
    """when_settled calls back once all placed before is settled, not after later ones."""
    q = queue()
    called = []
    q.when_settled(lambda: called.append("empty"))
    q.put(items(2), [], [])
    q.when_settled(lambda: called.append("two"))
    q.take(2, 1000)
    q.put(items(1), [], [])
    q.delivered(1)
    assert called == ["empty"]
    q.dropped("rejected", 1)
    assert called == ["empty", "two"]


def test_drop_oldest_does_not_settle_what_flies():
    """Dropping a waiting item does not stand for one in flight."""
    q = queue("drop_oldest", max_records=1)
    called = []
    q.put(items(1), [], [])
    q.take(1, 1000)
    q.put(items(1), [], [])
    q.when_settled(lambda: called.append(1))
    q.put(items(1), [], [])
    assert called == []
    q.delivered(1)
    assert called == [1]


def test_refused_records_are_counted():
    """Records that could not enter the intake appear as enqueued and dropped."""
    q = queue()
    for _ in range(3):
        q.refuse()
    assert q.counts()["dropped"] == {"intake_full": 3}
    assert q.counts()["enqueued"] == 3
    assert q.take_untold() == {"intake_full": {0: 3}}
    q.refuse(20)
    assert q.counts()["dropped_by_level"] == {"intake_full": {"INFO": 1, "NOTSET": 3}}


def test_closed_queue_counts_what_it_held():
    """close counts the waiting and the flying; later settling changes nothing."""
    q = queue()
    q.put(items(3), ["level"], [("format_error", 20)])
    q.take(1, 1000)
    assert q.close("shutdown") == 3
    q.delivered(1)
    q.put(items(1), [], [])
    counts = q.counts()
    assert counts["dropped"] == {"format_error": 1, "shutdown": 4}
    assert counts["filtered"] == {"level": 1}
    assert adds_up(counts)


def test_block_queue_drops_only_when_given_up():
    """A blocking queue keeps what comes, unless its callers gave up waiting."""
    q = queue("block")
    q.put(items(12), [], [])
    assert q.counts()["queued"] == 12
    q.gave_up = True
    q.put(items(1), [], [])
    assert q.counts()["dropped"] == {"queue_full": 1}
    q.take(5, 1000)
    assert not q.gave_up


def test_drops_are_counted_by_level_and_reason():
    """Each loss is in `dropped` by reason and in `dropped_by_level` by both."""
    q = queue(max_records=10)
    q.put(items(10, 20), [], [("format_error", 30)])
    q.put(items(5, 40), [], [])
    q.take(2, 1000)
    q.dropped("rejected", 2)
    counts = q.counts()
    assert counts["dropped"] == {"format_error": 1, "shed": 2, "queue_full": 3, "rejected": 2}
    assert counts["dropped_by_level"] == {
        "format_error": {"WARNING": 1},
        "shed": {"INFO": 2},
        "queue_full": {"ERROR": 3},
        "rejected": {"INFO": 2},
    }
    assert adds_up(counts)


def test_loss_of_what_tells_of_losses_is_not_told():
    """A record of ours that is dropped is counted, but is no news."""
    q = queue(max_records=1)
    q.put([(b"x", 20, 1), (b"x", OwnLevel(30), 1), (b"x", 30, 1)], [], [])
    assert q.counts()["dropped"] == {"queue_full": 2}
    assert q.take_untold() == {"queue_full": {30: 1}}
    assert q.take_untold() == {}


def test_every_outcome_settles_from_the_head():
    """Delivered, dropped, dead-lettered and handed over are told apart and add up."""
    q = queue()
    q.put([(n, 10 * n, 1) for n in range(1, 6)], [], [])
    q.take(4, 1000)
    q.delivered(1)
    q.dropped("rejected", 1)
    q.dead_lettered(1)
    passed = []
    q.handed_over(1, passed.append)
    assert passed == [1]
    counts = q.counts()
    assert [counts[k] for k in ("delivered", "dead_lettered", "handed_to_fallback")] == [1, 1, 1]
    assert counts["dropped_by_level"] == {"rejected": {"INFO": 1}}
    assert (counts["queued"], counts["in_flight"]) == (1, 0)
    assert adds_up(counts)


def test_seized_items_belong_to_who_seized_them():
    """What a worker settles after its items were seized changes nothing."""
    q = queue()
    called = []
    q.put([(n, 20, 1) for n in range(5)], [], [])
    q.take(2, 1000)
    q.when_settled(lambda: called.append(1))
    assert [item[0] for item in q.seize()] == [0, 1, 2, 3, 4]
    assert q.counts()["in_flight"] == 5 and q.is_seized
    q.delivered(1)
    q.dropped("rejected", 1)
    assert not q.is_seized
    assert called == []
    assert q.settle_seized("shutdown", dead_lettered=1, handed_over=3) == 1
    assert called == [1]
    counts = q.counts()
    assert (counts["delivered"], counts["dead_lettered"], counts["handed_to_fallback"]) == (0, 1, 3)
    assert counts["dropped"] == {"shutdown": 1}
    assert adds_up(counts)


def test_queue_works_on_after_a_seizure():
    """Items that come after a seizure are taken and settled as ever."""
    q = queue()
    q.put(items(2), [], [])
    q.take(1, 1000)
    q.seize()
    q.settle_seized("shutdown")
    q.delivered(1)  # the worker comes back late
    q.put(items(3), [], [])
    q.take(3, 1000)
    q.delivered(3)
    counts = q.counts()
    assert (counts["delivered"], counts["dropped"]) == (3, {"shutdown": 2})
    assert adds_up(counts)


def test_seized_records_are_waited_for():
    """What the worker delivers meanwhile came later, and does not stand for them."""
    q, told = queue(), []
    q.put([(b"x", 20, 1)], [], [])
    q.when_settled(lambda: told.append(1))
    q.put([(b"x", 20, 1)] * 2, [], [])
    q.seize()
    q.put([(b"y", 20, 1)], [], [])
    assert q.take(9, 9) == [(b"y", 20, 1)]
    q.delivered(1)
    assert told == []
    assert q.settle_seized("undelivered", dead_lettered=3) == 0
    assert told == [1]


def test_what_was_seized_is_not_handed_over():
    """A worker that comes back late with its batch gives the fallback nothing of it."""
    q, passed = queue(), []
    q.put([(b"x", 20, 1)] * 2, [], [])
    q.take(9, 9)
    q.seize()
    q.handed_over(2, passed.append)
    q.settle_seized("undelivered")
    counts = q.counts()
    assert passed == [] and counts["handed_to_fallback"] == 0
    assert counts["dropped"] == {"undelivered": 2}
