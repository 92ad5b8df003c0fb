"""What becomes of a batch that a sink does not simply take."""

import json

import pytest
from engine_kit import FAST, Clock, Kit, adds_up

from logroute.delivery.breaker import Breaker
from logroute.delivery.queue import Queue
from logroute.delivery.retry import Backoff
from logroute.delivery.specs import BatchSpec, BreakerSpec, DeadLetterSpec, QueueSpec, RetrySpec
from logroute.engine.courier import Courier
from logroute.errors import Rejected, Retryable, TooLarge


class Bench:
    """A courier with one batch, and a sink that answers as told."""

    def __init__(self, count, answer, **parts):
        self.queue = Queue(QueueSpec(), "shed")
        self.clock, self.pauses, self.notes, self.sent = Clock(), [], [], []
        self.answer = answer
        self.courier = Courier(
            "a",
            self.queue,
            Backoff(RetrySpec(initial=1, give_up_after=100), self.clock, lambda low, high: high),
            note=self.notes.append,
            pause=self.pause,
            escapes=lambda fault: False,
            breaker=parts.get("breaker"),
            dead_letters=parts.get("dead_letters"),
        )
        self.queue.put([(n, 20, 1) for n in range(count)], [], [])

    def pause(self, delay, fault):
        self.pauses.append(delay)
        self.clock.now += delay
        return len(self.pauses) < 100

    open = flush = close = lambda self: None

    def send(self, batch):
        self.sent.append(list(batch))
        fault = self.answer(list(batch))
        if fault is not None:
            raise fault

    def run(self):
        items = self.queue.take(1000, 1 << 20)
        self.courier.deliver(self, items, [item[0] for item in items])
        counts = self.queue.counts()
        assert adds_up(counts)
        assert counts["in_flight"] == 0
        return counts


def test_named_payloads_are_rejected_the_others_delivered():
    """A destination that answers for each payload settles each by its answer."""
    bench = Bench(5, lambda batch: Rejected("400", which=[1, 3]) if len(batch) == 5 else None)
    counts = bench.run()
    assert (counts["delivered"], counts["dropped"]) == (3, {"rejected": 2})
    assert bench.sent == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("fault", "outlook"),
    [
        (Rejected("no"), " (refused for good)"),
        (Rejected("no", which=range(5)), " (refused for good)"),
        (Rejected("no", which=[1, 3]), " (2 of 5 refused for good)"),
        (
            Rejected("no", which=[1], again=[1, 2, 4]),
            " (1 of 5 refused for good, 2 will be tried again)",
        ),
        (Rejected("no", delivered=3), " (2 of 5 refused for good)"),
        (
            Rejected("no", delivered=1, rejected=1),
            " (1 of 5 refused for good, 3 will be tried again)",
        ),
        (Rejected("busy", which=[], again=[2]), " (will be tried again)"),
        (Rejected("one recipient", delivered=5), " (delivered all the same)"),
        (TooLarge("too much"), " (sent in halves, as far as they go)"),
        (TooLarge("too much", delivered=4), " (refused for good)"),
    ],
)
def test_outlook_says_how_much_is_refused(fault, outlook):
    """Only what is refused is called so; the rest is delivered, or will be tried again."""
    bench = Bench(5, lambda batch: fault if len(batch) == 5 else None)
    noted, outlooks = bench.courier._note, []
    bench.courier._note = lambda fault: (
        noted(fault),
        outlooks.append(bench.courier.outlook(fault)),
    )
    bench.run()
    assert outlooks[0] == outlook


def test_named_payloads_are_sent_again_later():
    """Payloads that a destination was too busy for are sent again, after a wait, alone."""

    def answer(batch):
        if len(batch) == 5:
            return Rejected("429", which=[0], again=[2, 4], retry_after_s=7)
        return None

    bench = Bench(5, answer)
    counts = bench.run()
    assert bench.sent[1:] == [[2, 4]]
    assert bench.pauses == [7]
    assert (counts["delivered"], counts["dropped"]) == (4, {"rejected": 1})


def test_payloads_refused_again_and_again_are_given_up():
    """Payloads that are always named again end by `give_up_after`, counted."""
    bench = Bench(3, lambda batch: Rejected("429", which=[], again=range(len(batch))))
    counts = bench.run()
    assert counts["dropped"] == {"undelivered": 3}
    assert sum(bench.pauses) == pytest.approx(100)


def test_queue_hears_of_outcomes_in_order():
    """What is behind an open payload is settled only when that one is."""
    seen = []

    def answer(batch):
        seen.append(bench.queue.counts()["delivered"])
        return Rejected("429", which=[], again=[1]) if len(batch) == 3 else None

    bench = Bench(3, answer)
    assert bench.run()["delivered"] == 3
    assert seen == [0, 1]  # the third one waits for the second


def test_delivered_mail_with_a_refused_recipient_is_delivered():
    """All of a batch delivered, and something refused on the way: nothing is lost."""
    bench = Bench(3, lambda batch: Rejected("550 about b@example.org", delivered=3))
    counts = bench.run()
    assert (counts["delivered"], counts["dropped"]) == (3, {})
    assert len(bench.notes) == 1


def test_batch_too_large_is_halved():
    """A batch too large as a whole goes in as few pieces as fit, in order."""
    bench = Bench(10, lambda batch: TooLarge("413") if len(batch) > 3 else None)
    assert bench.run()["delivered"] == 10
    taken = [batch for batch in bench.sent if len(batch) <= 3]
    assert [n for batch in taken for n in batch] == list(range(10))
    assert [len(batch) for batch in taken] == [2, 3, 2, 3]


def test_payload_too_large_alone_is_rejected():
    """One payload too large for the destination is found, rejected, and costs no other."""
    bench = Bench(100, lambda batch: TooLarge("413") if 42 in batch else None)
    counts = bench.run()
    assert (counts["delivered"], counts["dropped"]) == (99, {"rejected": 1})
    assert len(bench.sent) < 20
    assert bench.pauses == []


def test_indices_out_of_range_harm_nobody():
    """A sink that names payloads that are not there settles those that are."""
    bench = Bench(2, lambda batch: Rejected("?", which=[7, -1], again=[9]))
    assert bench.run()["delivered"] == 2


def test_open_breaker_sets_the_pace():
    """After five failures the waits are those between probes, not those of the backoff."""
    clock = Clock()
    breaker = Breaker(BreakerSpec(), clock, lambda low, high: high)
    bench = Bench(1, lambda batch: Retryable("down"), breaker=breaker)
    bench.clock = clock
    bench.courier._backoff._clock = clock
    bench.run()
    assert bench.pauses[:8] == [1, 2, 4, 8, 1, 2, 4, 8]
    assert sum(bench.pauses) <= 100


def test_open_breaker_holds_the_next_batch_back():
    """While the breaker is open the next batch waits for the probe instead of hammering."""
    clock = Clock()
    breaker = Breaker(BreakerSpec(failures=1), clock, lambda low, high: high)
    breaker.failed()
    bench = Bench(2, lambda batch: None, breaker=breaker)
    bench.clock = clock
    assert bench.run()["delivered"] == 2
    assert (bench.pauses, breaker.is_open) == ([1], False)


def test_refusals_do_not_open_the_breaker():
    """A destination that answers is there, whatever it answers."""
    breaker = Breaker(BreakerSpec(failures=2), Clock())
    bench = Bench(9, lambda batch: Rejected("400", rejected=1), breaker=breaker)
    assert bench.run()["dropped"] == {"rejected": 9}
    assert not breaker.is_open


def letters_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Rejected("400 no"), "rejected"), (ZeroDivisionError(), "sink_error"), (None, "undelivered")],
)
def test_lost_records_are_dead_lettered(tmp_path, fault, reason):
    """Refused, failed and given-up records stand in the dead letter file, with the reason."""
    path = tmp_path / "dead.jsonl"
    with Kit("a", dead_letters={"a": DeadLetterSpec(path=str(path))}) as kit:
        kit.sinks["a"].faults = [fault or OSError("unreachable")]
        kit.logger.error("hello %s", "world", extra={"tenant": "acme"})
        assert kit.runtime.flush(10)
        counts = kit.counts("a")
        assert (counts["dead_lettered"], counts["dropped"]) == (1, {})
        assert adds_up(counts)
    [letter] = letters_of(path)
    assert (letter["handler"], letter["reason"]) == ("a", reason)
    assert letter["record"]["message"] == "hello world"
    assert letter["record"]["extra"] == {"tenant": "acme"}


def test_dead_letter_file_that_fails_is_counted(tmp_path, capfd):
    """Where the dead letter file cannot be written, the record counts as dropped."""
    spec = DeadLetterSpec(path=str(tmp_path))  # a folder
    with Kit("a", dead_letters={"a": spec}) as kit:
        kit.sinks["a"].faults = [Rejected("400")]
        kit.logger.error("x")
        assert kit.runtime.flush(10)
        assert kit.counts("a")["dropped"] == {"rejected": 1}
        assert kit.counts("a")["dead_lettered"] == 0
    assert "dead letter file" in capfd.readouterr().err


def test_giant_among_dead_letters_costs_itself(tmp_path):
    """A record too large for the file is dropped; those around it are kept."""
    path = tmp_path / "dead.jsonl"
    spec = DeadLetterSpec(path=str(path), max_bytes=8000)
    batch = BatchSpec(max_wait=60.0)
    with Kit("a", dead_letters={"a": spec}, batch=batch, digest=True) as kit:
        kit.sinks["a"].faults = [Rejected("400")]
        for text in ("one", "x" * 5000, "two"):
            kit.logger.error(text)
        assert kit.runtime.flush(10)
        assert kit.counts("a")["dead_lettered"] == 2
        assert kit.counts("a")["dropped"] == {"rejected": 1}
    assert [letter["record"]["message"] for letter in letters_of(path)] == ["one", "two"]


def test_unformattable_late_record_is_dead_lettered(tmp_path):
    """A record that a foreign formatter cannot take is kept in the dead letter file."""
    path = tmp_path / "dead.jsonl"
    with Kit("a", dead_letters={"a": DeadLetterSpec(path=str(path))}) as kit:
        worker = kit.runtime.workers["a"]
        worker.encodes_late = True
        worker.encode = lambda record: 1 / 0
        kit.logger.error("x")
        assert kit.runtime.flush(10)
        assert kit.counts("a")["dead_lettered"] == 1
    assert letters_of(path)[0]["reason"] == "format_error"


def test_shutdown_leaves_the_rest_in_the_dead_letter_file(tmp_path):
    """What a hung sink has not taken by the deadline is in the file, in flight or not."""
    path = tmp_path / "dead.jsonl"
    kit = Kit("a", dead_letters={"a": DeadLetterSpec(path=str(path))}, networked=True, retry=FAST)
    kit.sinks["a"].gate.clear()
    for n in range(5):
        kit.logger.info("%d", n)
    assert kit.runtime.shutdown(0.2) == {}
    counts = kit.runtime.workers["a"].queue.counts()
    assert counts["dead_lettered"] == 5
    assert adds_up(counts)
    assert sorted(letter["record"]["message"] for letter in letters_of(path)) == list("01234")
    kit.sinks["a"].gate.set()


def test_plain_handlers_keep_no_records():
    """Only handlers with a fallback or a dead letter file pay for packing."""
    with Kit("a", "b", fallbacks={"b": "a"}, routes=[({}, ["a", "b"])]) as kit:
        kept = {}
        for name in ("a", "b"):
            queue = kit.runtime.workers[name].queue
            put = queue.put
            queue.put = lambda items, *rest, n=name, put=put: (
                kept.update({n: items}),
                put(items, *rest),
            )
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        assert kept["a"] == [(b"x", 20, 1)]
        [(payload, _, size)] = kept["b"]
        assert payload.payload == b"x"
        assert size == 1 + len(payload.record)
        assert kit.sinks["b"].received == [b"x"]
