"""The `throttle` filter: at most so many records of a kind in a stretch of time.

Its counters belong to the one thread that runs it. Where callers run it (queue
mode `sync`) two at once may let one record too many pass, never lose count of
more than that.
"""

import logging
import time
from collections.abc import Callable, Hashable

from logroute.filters import Filter, FilterSpec
from logroute.filters.fields import copy_of
from logroute.light import Annotated, Literal
from logroute.options import Duration, Opt
from logroute.records import message_of

__all__ = ["MAX_KEYS", "Throttle", "ThrottleSpec"]

#: Kinds of records remembered at a time; the one opened first is forgotten first.
MAX_KEYS = 10_000

Key = Callable[[logging.LogRecord], Hashable]


class ThrottleSpec(FilterSpec):
    """Let at most `limit` records of a kind pass in each `per`.

    The first record of that kind that passes afterwards carries the number of
    the dropped ones in its field `suppressed`.
    """

    limit: Annotated[int, Opt("Most records that pass.", minimum=1)]
    per: Annotated[Duration, Opt("Length of the stretch of time.")]
    by: Annotated[
        Literal["template", "message", "logger", "level", "all"],
        Opt(
            "What makes records the same kind: logger and message before or after its arguments "
            "are filled in, logger, level, or nothing."
        ),
    ] = "template"

    def filter(self) -> Filter:
        """Return the live filter."""
        return Throttle(self.limit, self.per, _KEYS[self.by], "suppressed", time.monotonic)


class Throttle:
    """Counts records by key in windows that open with a key's first record.

    Args:
        limit: most records of one key that pass in a window.
        window_s: length of a window in seconds.
        key: what must be equal for records to count together.
        field: name of the field that tells the number of dropped records.
        clock: monotonic seconds.
    """

    def __init__(
        self, limit: int, window_s: float, key: Key, field: str, clock: Callable[[], float]
    ) -> None:
        """Remember nothing yet."""
        self._limit = limit
        self._window_s = window_s
        self._key = key
        self._field = field
        self._clock = clock
        # key -> [end of window, passed, dropped], in the order the windows opened
        self._windows: dict[int, list[float]] = {}

    def __call__(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return `record` or a copy that tells of dropped ones, or None to drop it."""
        key = hash(self._key(record))  # not the key itself: a message may be a megabyte
        now = self._clock()
        window = self._windows.get(key)
        if window is None or now >= window[0]:
            return self._open(key, now, record)
        if window[1] < self._limit:
            window[1] += 1
            return record
        window[2] += 1
        return None

    def _open(self, key: int, now: float, record: logging.LogRecord) -> logging.LogRecord:
        former = self._windows.pop(key, None)
        if len(self._windows) >= MAX_KEYS:
            for oldest in list(self._windows)[: MAX_KEYS // 10]:
                self._windows.pop(oldest, None)
        self._windows[key] = [now + self._window_s, 1, 0]
        if former is None or not former[2]:
            return record
        return copy_of(record, **{self._field: int(former[2])})


def _template(record: logging.LogRecord) -> Hashable:
    return (record.name, record.msg if isinstance(record.msg, str) else message_of(record))


_KEYS: dict[str, Key] = {
    "template": _template,
    "message": lambda record: (record.name, message_of(record)),
    "logger": lambda record: record.name,
    "level": lambda record: record.levelno,
    "all": lambda _record: None,
}
