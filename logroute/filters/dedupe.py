"""The `dedupe` filter: equal records pass once in a stretch of time.

Its memory belongs to the one thread that runs it, as that of `throttle`.
"""

import logging
import time
from collections.abc import Hashable

from logroute.filters import Filter, FilterSpec
from logroute.filters.throttle import Throttle
from logroute.light import Annotated
from logroute.options import Duration, Opt
from logroute.records import message_of

__all__ = ["DedupeSpec", "same"]


class DedupeSpec(FilterSpec):
    """Drop records that repeat one of the last `window`.

    Equal are records with the same logger, level, message and class of
    exception. The first one that passes afterwards carries the number of the
    dropped ones in its field `repeated`.
    """

    window: Annotated[Duration, Opt("How long a record stands for its repetitions.")] = 10.0

    def filter(self) -> Filter:
        """Return the live filter."""
        return Throttle(1, self.window, same, "repeated", time.monotonic)


def same(record: logging.LogRecord) -> Hashable:
    """Return what equal records have in common."""
    error = record.exc_info[0] if record.exc_info else None
    return (record.name, record.levelno, message_of(record), error)
