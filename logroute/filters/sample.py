"""The `sample` filter: a random part of the records, and all that matter.

No state of its own, so any thread may run it.
"""

import logging
from collections.abc import Callable

from logroute.filters import Filter, FilterSpec
from logroute.levels import Levels
from logroute.light import Annotated
from logroute.options import Level, Opt

__all__ = ["Sample", "SampleSpec"]


class SampleSpec(FilterSpec):
    """Let a random part of the records pass."""

    rate: Annotated[float, Opt("Part that passes: 0.1 is one in ten.", minimum=0, maximum=1)]
    keep_level: Annotated[Level, Opt("Records of this level and above always pass.")] = "WARNING"

    def filter(self) -> Filter:
        """Return the live filter.

        Raises:
            ValueError: `keep_level` is no level.
        """
        import random

        return Sample(self.rate, Levels().number(self.keep_level), random.random)


class Sample:
    """Passes records at random; `draw` returns numbers from 0 to 1, without 1."""

    def __init__(self, rate: float, keep_level: int, draw: Callable[[], float]) -> None:
        """Pass the part `rate` of what is below the level number `keep_level`."""
        self._rate = rate
        self._keep_level = keep_level
        self._draw = draw

    def __call__(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return `record`, or None to drop it."""
        if record.levelno >= self._keep_level or self._draw() < self._rate:
            return record
        return None
