"""The breaker: stops trying a destination that keeps failing, and looks now and then.

One worker owns one breaker. It knows no time but its clock's, which is monotonic.
"""

import time
from collections.abc import Callable

from logroute.delivery.specs import BreakerSpec

__all__ = ["Breaker"]


class Breaker:
    """Opens after so many failures in a row; then lets one attempt through at a time.

    The attempts after opening are probes. The wait for the first is `probe_after`;
    each probe that fails doubles it, up to `max_probe_after`, and each wait is a
    random part, at least half of it, so that many processes do not come in step.
    One success closes the breaker.
    """

    def __init__(
        self,
        spec: BreakerSpec,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] | None = None,
    ) -> None:
        """Follow `spec`; clock and randomness can be given for tests."""
        self._spec = spec
        self._clock = clock
        self._uniform = uniform
        self.reset()

    def reset(self) -> None:
        """Be closed, as if nothing had failed yet."""
        self.is_open = False
        self._failures = 0
        self._wait = self._spec.probe_after
        self._next_probe = 0.0

    @property
    def state(self) -> str:
        """``open`` or ``closed``."""
        return "open" if self.is_open else "closed"

    def wait_s(self) -> float:
        """Return the seconds until an attempt may be made; 0: now."""
        return max(0.0, self._next_probe - self._clock()) if self.is_open else 0.0

    def failed(self, retry_after_s: float | None = None) -> None:
        """Count a failure of the destination; `retry_after_s` is what it asked for."""
        self._failures += 1
        if not self.is_open and self._failures < self._spec.failures:
            return
        self.is_open = True
        if self._uniform is None:
            import random  # only a failure needs it

            self._uniform = random.uniform
        wait = self._uniform(self._wait / 2, self._wait)
        self._next_probe = self._clock() + max(wait, retry_after_s or 0.0)
        longest = max(self._spec.max_probe_after, self._spec.probe_after)
        self._wait = min(longest, self._wait * 2)

    def succeeded(self) -> None:
        """Close: the destination answered."""
        if self._failures:
            self.reset()
