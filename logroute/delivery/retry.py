"""Backoff: how long to wait before a failed delivery is tried again."""

import time
from collections.abc import Callable

from logroute.delivery.specs import RetrySpec

__all__ = ["Backoff"]


class Backoff:
    """Waits grow by `factor` up to `max`, each a random part of it (full jitter).

    Full jitter keeps many processes that lost the same server from coming back
    in step. One worker owns one backoff.
    """

    def __init__(
        self,
        spec: RetrySpec,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] | None = None,
    ) -> None:
        """Follow `spec`; clock and randomness can be given for tests."""
        self._spec = spec
        self._clock = clock
        self._uniform = uniform
        self._ceiling = min(spec.max, spec.initial)
        self._failing_since: float | None = None

    def delay(self, retry_after_s: float | None = None) -> float | None:
        """Count a failure; return the wait in seconds, or None to give up.

        `retry_after_s` is what the destination asked for; it is honoured where
        it is longer, as long as giving up is not due before.
        """
        spec, left_s = self._spec, self.left_s()
        if left_s <= 0:
            return None
        wait = (self._uniform or _uniform())(0.0, self._ceiling)
        self._ceiling = min(spec.max, self._ceiling * spec.factor)
        if retry_after_s is not None:
            wait = max(wait, retry_after_s)
        return min(wait, left_s)

    def left_s(self) -> float:
        """Return the seconds until giving up is due; they run from the first time it is asked."""
        if self._failing_since is None:
            self._failing_since = self._clock()
        return self._failing_since + self._spec.give_up_after - self._clock()

    def reset(self) -> None:
        """Forget the failures, since a delivery succeeded or a batch was given up."""
        self._ceiling = min(self._spec.max, self._spec.initial)
        self._failing_since = None


def _uniform() -> Callable[[float, float], float]:
    import random  # only a failure needs it

    return random.uniform
