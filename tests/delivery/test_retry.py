"""Backoff with full jitter, and giving up."""

from logroute.delivery.retry import Backoff
from logroute.delivery.specs import RetrySpec


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def highest(low, high):
    return high


def test_waits_grow_up_to_max():
    """Waits double and stop at the maximum."""
    backoff = Backoff(RetrySpec(initial=1, factor=2, max=5), Clock(), highest)
    assert [backoff.delay() for _ in range(4)] == [1, 2, 4, 5]


def test_wait_is_a_random_part():
    """The wait is drawn between zero and the ceiling."""
    drawn = []
    backoff = Backoff(RetrySpec(initial=4), Clock(), lambda a, b: drawn.append((a, b)) or 0.5)
    assert backoff.delay() == 0.5
    assert drawn == [(0.0, 4)]


def test_retry_after_is_honoured():
    """A destination's own wish lengthens the wait."""
    backoff = Backoff(RetrySpec(initial=1), Clock(), highest)
    assert backoff.delay(retry_after_s=7) == 7


def test_gives_up_after_a_while():
    """Once a batch has failed for give_up_after, there is no further wait."""
    clock = Clock()
    backoff = Backoff(RetrySpec(initial=1, give_up_after=10), clock, highest)
    assert backoff.delay() == 1
    clock.now = 9.5
    assert backoff.delay() == 0.5
    clock.now = 10.0
    assert backoff.delay() is None


def test_success_starts_anew():
    """After a success the first wait is the short one again."""
    backoff = Backoff(RetrySpec(initial=1), Clock(), highest)
    backoff.delay()
    backoff.reset()
    assert backoff.delay() == 1
