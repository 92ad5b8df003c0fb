"""The filters `sample`, `throttle` and `dedupe`, under a clock and dice of the test."""

import logging
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logroute.filters import throttle
from logroute.filters.dedupe import DedupeSpec, same
from logroute.filters.sample import Sample, SampleSpec
from logroute.filters.throttle import Throttle, ThrottleSpec


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def make(message="hello", args=(), name="app.db", level=20, **values):
    record = logging.LogRecord(name, level, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


@pytest.fixture
def clock(monkeypatch):
    """Stand in for the clock that live filters are made with."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


# sample


def test_sample_passes_below_its_rate():
    """A record passes where the draw is below the rate."""
    draws = iter([0.0, 0.09, 0.1, 0.99])
    sample = Sample(0.1, logging.WARNING, lambda: next(draws))
    assert [sample(make()) is not None for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(("level", "passes"), [(20, False), (30, True), (50, True)])
def test_sample_keeps_what_matters(level, passes):
    """Records of `keep_level` and above pass at any rate."""
    record = make(level=level)
    assert (SampleSpec(rate=0).filter()(record) is record) is passes


def test_sample_of_everything_passes_everything():
    """Rate 1 drops nothing; a level may be a name in any case."""
    sample = SampleSpec(rate=1, keep_level="critical").filter()
    assert all(sample(make()) for _ in range(100))


def test_unknown_keep_level_is_refused():
    """A level that does not exist is a ValueError when the filter is made."""
    with pytest.raises(ValueError, match="LOUD"):
        SampleSpec(rate=0.5, keep_level="LOUD").filter()


# throttle


def test_throttle_passes_up_to_its_limit(clock):
    """In each stretch of time `limit` records pass; the next tells of the others."""
    limited = ThrottleSpec(limit=2, per=10).filter()
    records = [make("n %d", (number,)) for number in range(5)]
    assert [limited(record) for record in records] == [records[0], records[1], None, None, None]
    clock.now += 10
    told = limited(records[0])
    assert told is not records[0]
    assert (told.suppressed, told.getMessage()) == (3, "n 0")
    assert not hasattr(records[0], "suppressed")
    assert limited(records[1]) is records[1]


@pytest.mark.parametrize(
    ("by", "passed"),
    [
        ("template", ["a 1 app", "b 1 app", "a 1 web"]),
        ("message", ["a 1 app", "a 2 app", "b 1 app", "a 1 web"]),
        ("logger", ["a 1 app", "a 1 web"]),
        ("level", ["a 1 app"]),
        ("all", ["a 1 app"]),
    ],
)
def test_throttle_counts_by_kind(by, passed, clock):
    """What makes records one kind is chosen by `by`."""
    limited = ThrottleSpec(limit=1, per=10, by=by).filter()
    records = [make("a %d", (1,), "app"), make("a %d", (2,), "app"), make("b %d", (1,), "app")]
    records.append(make("a %d", (1,), "web"))
    found = [limited(record) for record in records]
    assert [f"{made.getMessage()} {made.name}" for made in found if made] == passed


def test_throttle_forgets_the_oldest_kinds(monkeypatch):
    """The number of remembered kinds is bounded, whatever the messages."""
    monkeypatch.setattr(throttle, "MAX_KEYS", 10)
    limited = Throttle(1, 10, lambda record: record.msg, "suppressed", Clock())
    assert all(limited(make(f"message {number}")) for number in range(100))
    assert limited(make("message 99")) is None
    assert limited(make("message 0")) is not None
    assert len(limited._windows) <= 10


@given(
    limit=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 4)), max_size=60),
)
def test_throttle_accounts_for_every_record(limit, steps):
    """What passed, what it tells of and what is still open make up all records."""
    clock = Clock()
    limited = Throttle(limit, 5, lambda record: record.msg, "suppressed", clock)
    passed = told = 0
    for message, wait in steps:
        clock.now += wait
        made = limited(make(message))
        if made is not None:
            passed += 1
            told += getattr(made, "suppressed", 0)
    still_open = sum(window[2] for window in limited._windows.values())
    assert passed + told + still_open == len(steps)


# dedupe


def test_dedupe_passes_one_in_a_window(clock):
    """Equal records pass once; the next tells how often they were repeated."""
    once = DedupeSpec(window=5).filter()
    assert once(make()) is not None
    assert [once(make()) for _ in range(3)] == [None, None, None]
    clock.now += 4.9
    assert once(make()) is None
    clock.now += 0.1
    assert once(make()).repeated == 4
    clock.now += 60
    assert not hasattr(once(make()), "repeated")


def test_dedupe_tells_different_records_apart():
    """Logger, level, message and class of exception make the difference."""
    try:
        raise KeyError("x")
    except KeyError:
        info = sys.exc_info()
    records = [make(), make(name="x"), make(level=30), make("other"), make(exc_info=info)]
    assert len({same(record) for record in records}) == 5
    assert same(make("n %d", (1,))) == same(make("n 1"))
