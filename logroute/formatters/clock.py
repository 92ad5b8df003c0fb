"""The time of a record as RFC 3339 in UTC, which the machines' formats share."""

import math
import time

from logroute.formatters.compiled import Memo

__all__ = ["CARRIES", "DIGITS", "UtcClock"]

#: From this fraction on, a second may be rounded up to the next.
CARRIES = 0.9999994
#: Three digits of the numbers below 1000.
DIGITS = Memo("{:03d}".format)


class UtcClock:
    """Writes times as RFC 3339 in UTC with microseconds; keeps the text of the last second.

    Attributes:
        last: the last second, and its text up to the point. Replaced as a whole.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        """Know no second yet."""
        self.last: tuple[int, str] = (-1, "1969-12-31T23:59:59.")

    def __call__(self, created: float) -> str:
        """Return `created`, seconds since 1970, as text.

        Raises:
            Exception: `created` is not a time.
        """
        second, text = self.last
        offset = created - second
        if 0.0 <= offset < CARRIES:
            micros = int(offset * 1_000_000 + 0.5)
            return f"{text}{DIGITS[micros // 1000]}{DIGITS[micros % 1000]}Z"
        return self._begin(created)

    def _begin(self, created: float) -> str:
        """Return `created`, which is of another second, or rounded to the next one."""
        second = math.floor(created)
        micros = int((created - second) * 1_000_000 + 0.5)
        if micros == 1_000_000:
            second, micros = second + 1, 0
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        self.last = (second, text)
        return f"{text}{micros:06d}Z"
