"""Fallbacks: by outcome of delivery, in chains, and back to the primary."""

import logging
import threading

import pytest
from engine_kit import FAST, ONE_BY_ONE, Kit, adds_up, wait_until

from logroute.delivery.specs import BatchSpec, BreakerSpec, DeadLetterSpec, RetrySpec
from logroute.errors import Rejected, Retryable

#: Opens at the second failure, and looks again only when told to.
BREAKER = BreakerSpec(failures=2, probe_after=3600, max_probe_after=3600)
TO_A = [({}, ["a"])]


def pair(**options):
    """Return a kit whose handler `a` falls back to `b`; nothing is routed to `b`."""
    options = {"retry": FAST, "networked": True, **options}
    return Kit("a", "b", routes=TO_A, fallbacks={"a": "b"}, **options)


def all_add_up(kit):
    return all(adds_up(counts) for counts in kit.runtime.stats()["handlers"].values())


def test_given_up_records_reach_the_fallback():
    """What the primary gives up is delivered by the fallback, in order, and counted at both."""
    with pair(retry=None) as kit:
        kit.sinks["a"].faults = [OSError("down")]
        kit.sinks["a"].gate.clear()
        for n in range(3):
            kit.logger.info("%d", n)
        kit.sinks["a"].gate.set()
        assert kit.runtime.flush(10)
        assert sorted(kit.sinks["a"].received + kit.sinks["b"].received) == [b"0", b"1", b"2"]
        a, b = kit.counts("a"), kit.counts("b")
        assert a["handed_to_fallback"] == b["enqueued"] == b["delivered"] >= 1
        assert a["dropped"] == b["dropped"] == {}
        assert all_add_up(kit)


def test_breaker_opens_and_batches_go_straight_on():
    """While the breaker is open, batches reach the fallback without an attempt."""
    with pair(breaker=BREAKER, batch=ONE_BY_ONE) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 2
        for n in range(20):
            kit.logger.error("%d", n)
        assert kit.runtime.flush(10)
        assert kit.sinks["b"].received == [str(n).encode() for n in range(20)]
        assert kit.sinks["a"].received == []
        assert kit.sinks["a"].faults == []  # two attempts, no third
        assert kit.counts("a")["breaker"] == "open"
        assert kit.counts("a")["handed_to_fallback"] == 20


def test_good_probe_returns_to_the_primary():
    """When a probe succeeds, records go to the primary again."""
    with pair(breaker=BREAKER, batch=ONE_BY_ONE) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 2
        kit.logger.error("1")
        assert kit.runtime.flush(10)
        kit.runtime.workers["a"].breaker._next_probe = 0.0  # an hour later
        kit.logger.error("2")
        kit.logger.error("3")
        assert kit.runtime.flush(10)
        assert (kit.sinks["b"].received, kit.sinks["a"].received) == ([b"1"], [b"2", b"3"])
        assert kit.counts("a")["breaker"] == "closed"


def test_failed_probe_loses_nothing():
    """The batch that was a probe in vain is with the fallback too."""
    with pair(breaker=BREAKER, batch=ONE_BY_ONE) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 3
        kit.logger.error("1")
        assert kit.runtime.flush(10)
        kit.runtime.workers["a"].breaker._next_probe = 0.0
        kit.logger.error("2")
        kit.logger.error("3")
        assert kit.runtime.flush(10)
        assert kit.sinks["b"].received == [b"1", b"2", b"3"]


def test_rejected_records_reach_the_fallback():
    """Refused records go to the fallback, those around them do not."""
    with pair(batch=BatchSpec(max_wait=60.0), digest=True) as kit:
        kit.sinks["a"].faults = [Rejected("no", which=[1])]
        kit.sinks["a"].send = sending = Refusing(kit.sinks["a"])
        for n in range(3):
            kit.logger.error("%d", n)
        assert kit.runtime.flush(10)
        assert sending.batches == [[b"0", b"1", b"2"]]
        assert kit.sinks["b"].received == [b"1"]
        assert (kit.counts("a")["delivered"], kit.counts("a")["handed_to_fallback"]) == (2, 1)


class Refusing:
    """A `send` that raises the sink's faults and keeps what it was given."""

    def __init__(self, sink):
        self.sink, self.batches = sink, []

    def __call__(self, batch):
        self.batches.append(list(batch))
        if self.sink.faults:
            raise self.sink.faults.pop(0)


def test_dead_letters_take_refusals_and_the_fallback_the_rest(tmp_path):
    """With both, refused records are dead-lettered and given-up ones handed over."""
    letters = {"a": DeadLetterSpec(path=str(tmp_path / "dead"))}
    with pair(retry=None, batch=ONE_BY_ONE, dead_letters=letters) as kit:
        kit.sinks["a"].faults = [Rejected("no"), OSError("down")]
        kit.logger.error("refused")
        kit.logger.error("given up")
        assert kit.runtime.flush(10)
        assert kit.sinks["b"].received == [b"given up"]
        assert b"refused" in (tmp_path / "dead").read_bytes()
        assert kit.counts("a")["dead_lettered"] == kit.counts("a")["handed_to_fallback"] == 1


def test_fallback_applies_its_own_level_and_filters():
    """Handed-over records meet the fallback's level, filters and formatter, as any record."""

    def drop(record):
        return None if "secret" in record.getMessage() else record

    def refuse(record):
        return "gate" not in record.getMessage()

    with pair(retry=None, batch=ONE_BY_ONE) as kit:
        b = kit.runtime.workers["b"]
        b.filters = (("no-secrets", drop),)
        b.encode = lambda record: f"{record.levelname} {record.tenant}".encode()
        kit.runtime.handlers["b"].addFilter(refuse)
        kit.runtime.set_level("b", logging.WARNING)
        kit.sinks["a"].faults = [OSError("down")] * 4
        kit.logger.info("low", extra={"tenant": "x"})
        kit.logger.error("a secret", extra={"tenant": "x"})
        kit.logger.error("at the gate", extra={"tenant": "x"})
        kit.logger.error("fine", extra={"tenant": "acme"})
        assert kit.runtime.flush(10)
        assert kit.sinks["b"].received == [b"ERROR acme"]
        counts = kit.counts("b")
        assert counts["filtered"] == {"level": 1, "no-secrets": 1, "function": 1}
        assert (counts["enqueued"], kit.counts("a")["handed_to_fallback"]) == (4, 4)
        assert all_add_up(kit)


def test_what_a_filter_took_out_stays_out():
    """The fallback gets the record as the primary's filters left it."""

    def redact(record):
        record.password = "***"
        return record

    with pair(retry=None) as kit:
        kit.runtime.workers["a"].filters = (("redact", redact),)
        kit.runtime.workers["b"].encode = lambda record: record.password.encode()
        kit.sinks["a"].faults = [OSError("down")]
        kit.logger.error("x", extra={"password": "hunter2"})
        assert kit.runtime.flush(10)
        assert kit.sinks["b"].received == [b"***"]


def test_chain_ends_at_its_last_handler():
    """A fallback may have a fallback; flush sees the records through all of them."""
    chain = {"a": "b", "b": "c"}
    with Kit("a", "b", "c", routes=TO_A, fallbacks=chain, networked=True) as kit:
        kit.sinks["a"].faults = [OSError("down")]
        kit.sinks["b"].faults = [Retryable("down")]
        kit.logger.error("x")
        assert kit.runtime.flush(10)
        assert kit.sinks["c"].received == [b"x"]
        assert [kit.counts(n)["handed_to_fallback"] for n in "abc"] == [1, 1, 0]
        assert all_add_up(kit)


def test_circle_of_fallbacks_is_refused():
    """Handlers that would hand records round for ever cannot be linked."""
    with Kit("a", "b", "c", fallbacks={"a": "b", "b": "c"}) as kit:
        workers, handover = kit.runtime.workers, kit.runtime.dispatcher.handover
        for name in ("a", "c"):
            with pytest.raises(ValueError, match="falls back to it"):
                workers[name].fall_back_to(workers["a"], handover)


def test_full_fallback_counts_what_it_drops():
    """Records handed over while the fallback's queue is full are dropped and counted there."""
    with pair(retry=None, batch=ONE_BY_ONE, max_records=5, overflow="drop_newest") as kit:
        kit.sinks["b"].gate.clear()
        kit.sinks["a"].send = Refusing(kit.sinks["a"])
        kit.sinks["a"].faults = [OSError("down")] * 20
        for n in range(20):
            kit.logger.error("%d", n)
            assert wait_until(lambda n=n: kit.counts("a")["handed_to_fallback"] == n + 1)
        assert wait_until(lambda: kit.counts("b")["enqueued"] == 20)
        counts = kit.counts("b")
        assert 13 <= counts["dropped"]["queue_full"] <= 15
        assert all_add_up(kit)


def test_shutdown_lets_primaries_go_first():
    """A primary that is down hands over at shutdown at once, and the fallback delivers."""
    slow = RetrySpec(initial=3600, max=3600, give_up_after=1e6)
    with pair(retry=slow) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 100
        for n in range(10):
            kit.logger.error("%d", n)
        assert wait_until(lambda: len(kit.sinks["a"].faults) < 100)
        assert kit.runtime.shutdown(30) == {}
        assert kit.sinks["b"].received == [str(n).encode() for n in range(10)]
        assert kit.runtime.workers["a"].queue.counts()["handed_to_fallback"] == 10


def test_hung_primary_is_left_behind_at_shutdown():
    """What a primary that hangs has, in flight or not, reaches the fallback in time."""
    kit = pair()
    kit.sinks["a"].gate.clear()
    for n in range(10):
        kit.logger.error("%d", n)
    assert kit.runtime.shutdown(1.0) == {}
    assert sorted(kit.sinks["b"].received) == [str(n).encode() for n in range(10)]
    for worker in kit.runtime.workers.values():
        assert adds_up(worker.queue.counts())
    kit.sinks["a"].gate.set()
    assert kit.runtime.workers["a"].join(10)
    assert kit.runtime.workers["a"].queue.counts()["handed_to_fallback"] == 10


def test_primary_that_fails_late_sends_nothing_again():
    """A batch that was handed over while its sink hung is not sent or handed over once more."""
    kit = pair()
    sink = kit.sinks["a"]
    sink.gate.clear()
    sink.faults = [Retryable("timed out at last"), Retryable("again")]
    kit.logger.error("x")
    assert wait_until(lambda: sink.calls)
    worker = kit.runtime.workers["a"]
    worker.abandon()
    sink.gate.set()
    assert wait_until(lambda: not worker.queue.held)
    assert kit.runtime.flush(10)
    assert len(sink.faults) == 1
    assert kit.sinks["b"].received == [b"x"]
    assert kit.counts("a")["handed_to_fallback"] == 1
    kit.runtime.shutdown(5)


def test_sync_primary_hands_over_in_the_caller():
    """Without threads, what the caller could not deliver is with the fallback when it returns."""
    with pair(mode="sync") as kit:
        kit.sinks["a"].faults = [OSError("down")]
        kit.logger.error("x")
        assert kit.sinks["b"].received == [b"x"]
        assert kit.counts("a")["handed_to_fallback"] == 1


def test_sync_handlers_never_wait_for_each_other_in_a_ring():
    """Threads that deliver, hand over and fall back at once, without workers, all get through."""
    chain = {"a": "b", "b": "c"}
    with Kit("a", "b", "c", routes=[({}, ["a", "b"])], fallbacks=chain, mode="sync") as kit:
        for name in ("a", "b"):
            kit.sinks[name].faults = [OSError("down")] * 100_000

        def log():
            for n in range(200):
                kit.logger.error("%d", n)

        threads = [threading.Thread(target=log, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert len(kit.sinks["c"].received) == 2 * 4 * 200
        assert all_add_up(kit)


def test_steady_stream_does_not_hold_up_a_flush():
    """flush ends although newer records are handed over all the time."""
    with pair(breaker=BREAKER) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 2
        kit.logger.error("x")
        stop = []
        handover = kit.runtime.dispatcher.handover
        settle = kit.runtime.settle

        def settle_busily(*args):
            stop.append(1)
            handover.passed_on += 1
            return settle(*args)

        kit.runtime.settle = settle_busily
        assert kit.runtime.flush(10)
        assert len(stop) == 2


def test_batch_seized_amid_the_hand_over_comes_once():
    """Who waits no longer seizes the batch while its worker gives it away: one of them does."""
    with pair(breaker=BREAKER) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 9
        worker = kit.runtime.workers["a"]
        handed_over = worker.queue.handed_over

        def seize_and_hand_over(*args):
            worker.abandon()
            handed_over(*args)

        worker.queue.handed_over = seize_and_hand_over
        for n in range(5):
            kit.logger.error("%d", n)
        assert kit.runtime.flush(10)
        assert sorted(kit.sinks["b"].logged) == [b"%d" % n for n in range(5)]
        assert all_add_up(kit)


def test_hand_over_is_known_before_it_is_settled():
    """Who waits for the primary, and is told, finds the record on its way to the fallback."""
    with pair(breaker=BREAKER) as kit:
        kit.sinks["a"].faults = [OSError("down")] * 9
        handover, queue, seen = kit.runtime.dispatcher.handover, kit.runtime.workers["a"].queue, []
        notify = queue._notify

        def note_and_notify():
            seen.append((queue._ledger.handed_over, handover.passed_on))
            notify()

        queue._notify = note_and_notify
        kit.logger.error("first")
        assert kit.runtime.flush(10)
        assert (1, 1) in seen and (1, 0) not in seen
        assert kit.sinks["b"].logged == [b"first"]
