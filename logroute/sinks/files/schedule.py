"""Periods of local time, and the stamps of their files. Pure.

A period is a number that grows with time; two moments with the same number belong
into the same file. Nothing is remembered between runs: the number of the last
write is that of the file's mtime.
"""

import time

__all__ = ["period_of", "stamp_of"]

_HOUR_S, _DAY_S = 3600, 86_400
# 1970-01-05, the first Monday: weeks begin on Mondays (ISO 8601).
_MONDAY_S = 4 * _DAY_S


def period_of(every: str | float, at_s: float) -> int:
    """Return the number of the period in which `at_s` lies.

    Args:
        every: `hour`, `day` or `midnight`, `week`, `month`, or seconds. Periods of
            so many seconds begin at full ones of the local clock.
        at_s: seconds since the epoch.
    """
    local = time.localtime(at_s)
    if every == "month":
        return local.tm_year * 12 + local.tm_mon
    length_s = _seconds_of(every)
    if length_s <= 0:
        return 0
    offset_s = local.tm_gmtoff
    if length_s <= _HOUR_S:
        # The clock goes back by full hours in autumn: an hour that comes twice is two.
        offset_s %= _HOUR_S
    return int((at_s + offset_s - _MONDAY_S) // length_s)


def stamp_of(every: str | float | None, at_s: float) -> str:
    """Return what the name of a file says whose last line was written at `at_s`."""
    length_s = _DAY_S if every is None or every == "month" else _seconds_of(every)
    form = "%Y-%m-%d"
    if 0 < length_s < _DAY_S:
        form += "_%H" if length_s == _HOUR_S else "_%H-%M"
    return time.strftime(form, time.localtime(at_s))


def _seconds_of(every: str | float) -> float:
    if isinstance(every, str):
        return {"hour": _HOUR_S, "week": 7 * _DAY_S}.get(every, _DAY_S)
    return every
