"""How often something may go out: a bucket of tokens, for `max_per_hour`.

Owned by one sink, used in its worker's thread.
"""

import time
from collections.abc import Callable

__all__ = ["Pace"]

_HOUR_S = 3600.0


class Pace:
    """Lets at most `per_hour` things through in any hour, half of them in a row.

    A bucket that held the whole hour's worth would let twice as many through in
    one hour: a full bucket, and what drips in meanwhile. One that holds half, and
    fills by the other half per hour, keeps the promise and is never dry for long.
    """

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a full bucket."""
        self._clock = clock
        self._size = (per_hour + 1) // 2
        self._per_s = (per_hour - self._size + 1) / _HOUR_S
        self._level = float(self._size)
        self._at = clock()

    def wait_s(self) -> float:
        """Return the seconds until the next one may go; 0: now."""
        self._fill()
        return max(0.0, (1.0 - self._level) / self._per_s)

    def spend(self) -> None:
        """Note that one has gone, in its time or not."""
        self._fill()
        self._level -= 1.0

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(float(self._size), self._level + (now - self._at) * self._per_s)
        self._at = now
