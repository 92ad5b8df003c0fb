"""Sizes (`10MiB`) and durations (`5s`, `1d`) as people write them."""

import re

from logroute.patterns import lazy_pattern

__all__ = ["DURATION_PATTERN", "SIZE_PATTERN", "format_duration", "parse_duration", "parse_size"]

_SIZES = {"B": 1, "kB": 1000, "KB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20}
_SIZES |= {"GB": 1000**3, "GiB": 1 << 30, "TB": 1000**4, "TiB": 1 << 40}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

#: JSON Schema patterns (ECMA 262) that accept exactly what the parsers accept.
SIZE_PATTERN = rf"^[0-9]{{1,15}}(\.[0-9]{{1,6}})? ?({'|'.join(_SIZES)})$"
DURATION_PATTERN = rf"^[0-9]{{1,12}}(\.[0-9]{{1,6}})? ?({'|'.join(_DURATIONS)})$"

_NUMBER_UNIT = lazy_pattern(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")


def parse_size(value: object) -> int:
    """Return `value` in bytes; a bare integer is bytes already.

    Raises:
        ValueError: neither a non-negative integer nor a number with a unit.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(SIZE_PATTERN[1:-1], value):
        number, unit = _split(value)
        return int(float(number) * _SIZES[unit])
    raise ValueError("must be a number of bytes or a size such as `10MiB`")


def parse_duration(value: object) -> float:
    """Return `value` in seconds; a bare number is seconds already.

    Raises:
        ValueError: neither a non-negative number nor a number with a unit.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    if isinstance(value, str) and re.fullmatch(DURATION_PATTERN[1:-1], value):
        number, unit = _split(value)
        return float(number) * _DURATIONS[unit]
    raise ValueError("must be a number of seconds or a duration such as `5s`, `10m` or `1d`")


def format_duration(seconds: float) -> str:
    """Return `seconds` in the largest unit that leaves a short number."""
    for unit in ("d", "h", "m"):
        if seconds >= _DURATIONS[unit] and seconds % _DURATIONS[unit] == 0:
            return f"{_short(seconds / _DURATIONS[unit])}{unit}"
    return f"{_short(seconds)}s" if seconds >= 1 or seconds == 0 else f"{_short(seconds * 1000)}ms"


def _short(number: float) -> str:
    # not `g`, which writes 1234567 as 1.23457e+06
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _split(text: str) -> tuple[str, str]:
    found = _NUMBER_UNIT.fullmatch(text)
    assert found is not None
    return found[1], found[2]
