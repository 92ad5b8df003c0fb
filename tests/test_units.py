"""Units: sizes and durations as people write them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logroute.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("written", "size"),
    [(0, 0), (4096, 4096), ("10MiB", 10 << 20), ("1.5 kB", 1500), ("2GB", 2 * 10**9), ("7B", 7)],
)
def test_sizes_are_bytes(written, size):
    """Bare numbers are bytes, units are decimal or binary."""
    assert parse_size(written) == size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("5s", 5),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1d", 86400),
        ("2 w", 1209600),
    ],
)
def test_durations_are_seconds(written, seconds):
    """Bare numbers are seconds."""
    assert parse_duration(written) == seconds


NEITHER = [
    "",
    "10",
    "10 mib",
    "1e3s",
    "-1s",
    "10MiB\n",
    "\u0661s",
    " 5s",
    "5  s",
    None,
    True,
    [],
    -1,
]


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize("written", [*NEITHER, math.nan, math.inf])
def test_anything_else_is_refused(parse, written):
    """Signs, exponents, unknown units and other types say what would be right."""
    with pytest.raises(ValueError, match="such as"):
        parse(written)


@given(st.from_regex(SIZE_PATTERN[:-1] + r"\Z") | st.text(max_size=6))
def test_sizes_match_their_pattern(text):
    """The schema's pattern accepts exactly what the parser accepts."""
    try:
        parse_size(text)
    except ValueError:
        assert not re.fullmatch(SIZE_PATTERN[1:-1], text)
    else:
        assert re.fullmatch(SIZE_PATTERN[1:-1], text)


@given(st.from_regex(DURATION_PATTERN[:-1] + r"\Z") | st.text(max_size=6))
def test_durations_match_their_pattern(text):
    """The schema's pattern accepts exactly what the parser accepts."""
    try:
        parse_duration(text)
    except ValueError:
        assert not re.fullmatch(DURATION_PATTERN[1:-1], text)
    else:
        assert re.fullmatch(DURATION_PATTERN[1:-1], text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (5, "5s"), (90, "90s"), (60, "1m"), (7200, "2h"), (86400, "1d"), (0.25, "250ms")],
)
def test_durations_are_shown_short(seconds, text):
    """The largest unit that leaves a whole number is used."""
    assert format_duration(seconds) == text


@given(st.integers(0, 10**10) | st.integers(0, 10**7).map(lambda number: number / 1000))
def test_shown_durations_read_back(seconds):
    """What is shown can be written into a file and means the same."""
    assert math.isclose(parse_duration(format_duration(seconds)), seconds, abs_tol=1e-9)
