"""Backoff at its bounds."""

from logroute.delivery.retry import Backoff
from logroute.delivery.specs import RetrySpec


def test_steep_backoff_never_overflows():
    """A huge factor reaches the longest wait and stays there."""
    spec = RetrySpec(initial=1.0, factor=1e12, max=30.0, give_up_after=1e9)
    backoff = Backoff(spec, clock=lambda: 0.0, uniform=lambda low, high: high)
    waits = [backoff.delay() for _ in range(100)]
    assert waits == [1.0] + [30.0] * 99
    backoff.reset()
    assert backoff.delay() == 1.0
