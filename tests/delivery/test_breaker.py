"""The breaker: opens, probes, closes; all by an injected clock."""

from engine_kit import Clock

from logroute.delivery.breaker import Breaker
from logroute.delivery.specs import BreakerSpec


def longest(low, high):
    return high


def opened(clock, **options):
    breaker = Breaker(BreakerSpec(**options), clock, longest)
    for _ in range(options.get("failures", 5)):
        breaker.failed()
    return breaker


def test_breaker_opens_after_failures_in_a_row():
    """Five failures in a row open it; a success between them starts the count anew."""
    clock = Clock()
    breaker = Breaker(BreakerSpec(), clock, longest)
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    assert (breaker.is_open, breaker.wait_s()) == (False, 0)
    breaker.failed()
    assert (breaker.is_open, breaker.wait_s()) == (True, 1)


def test_waits_between_probes_double_to_the_longest():
    """Probes come after 1, 2, 4, 8 s and no later than `max_probe_after`."""
    clock = Clock()
    breaker = opened(clock, max_probe_after=8)
    waits = []
    for _ in range(5):
        waits.append(breaker.wait_s())
        clock.now += breaker.wait_s()
        assert breaker.wait_s() == 0  # the probe may go
        breaker.failed()
    assert waits == [1, 2, 4, 8, 8]


def test_good_probe_closes():
    """After one success nothing is held back, and the next opening begins at the first wait."""
    clock = Clock()
    breaker = opened(clock)
    breaker.failed()
    breaker.succeeded()
    assert (breaker.is_open, breaker.wait_s()) == (False, 0)
    for _ in range(5):
        breaker.failed()
    assert breaker.wait_s() == 1


def test_wait_is_at_least_half():
    """The jitter is between half of the wait and all of it."""
    drawn = []
    breaker = Breaker(
        BreakerSpec(failures=1, probe_after=4), Clock(), lambda a, b: drawn.append((a, b)) or a
    )
    breaker.failed()
    assert drawn == [(2, 4)]
    assert breaker.wait_s() == 2


def test_retry_after_delays_the_probe():
    """A destination that asked for a longer wait gets it."""
    breaker = Breaker(BreakerSpec(failures=1), Clock(), longest)
    breaker.failed(retry_after_s=90)
    assert breaker.wait_s() == 90
