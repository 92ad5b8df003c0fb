"""Levels: names in any case, sets of levels, and what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logroute.levels import HIGHEST, Levels, LevelSet

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("ERROR", 40),
        ("error", 40),
        (" Warn ", 30),
        ("fatal", 50),
        ("15", 15),
        (15, 15),
        ("trace", 5),
    ],
)
def test_names_and_numbers_are_known(written, number):
    """Names in any case, stdlib's aliases, custom levels and bare numbers."""
    assert Levels({"TRACE": 5}).number(written) == number


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("ERR", "did you mean `ERROR`?"),
        ("DEBGU", "did you mean `DEBUG`?"),
        ("notice", "did you mean `INFO`?"),
        ("off", "to silence a logger give it a level above CRITICAL, such as 60"),
    ],
)
def test_unknown_names_come_with_a_cure(written, help):
    """The error says what the level was most likely meant to be."""
    with pytest.raises(ValueError, match="is not a level name") as caught:
        Levels().number(written)
    assert caught.value.args[1] == help


@pytest.mark.parametrize(
    ("written", "intervals"),
    [
        ("ERROR", ((40, HIGHEST),)),
        (30, ((30, HIGHEST),)),
        ("=ERROR", ((40, 40),)),
        ("==40", ((40, 40),)),
        ("<WARNING", ((0, 29),)),
        ("<= 30", ((0, 30),)),
        (">30", ((31, HIGHEST),)),
        ("DEBUG..info", ((10, 20),)),
        ("..INFO", ((0, 20),)),
        ("ERROR ..", ((40, HIGHEST),)),
        (["=DEBUG", "INFO..WARNING", "=31"], ((10, 10), (20, 31))),
    ],
)
def test_sets_are_parsed(written, intervals):
    """Every way to write levels gives its interval, lists their union."""
    assert Levels().parse_set(written).intervals == intervals


@pytest.mark.parametrize(
    "written", ["", "LOUD", "ERROR..INFO", "=", "<>ERROR", "A..B..C", "<NOTSET", "<0", 1 << 40]
)
def test_nonsense_and_empty_sets_are_errors(written):
    """Unknown names and sets without levels are ValueErrors."""
    with pytest.raises(ValueError, match=r".+"):
        Levels().parse_set(written)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("ERROR", "ERROR and above"),
        ("=ERROR", "ERROR"),
        ("..INFO", "up to INFO"),
        ("DEBUG..INFO", "DEBUG..INFO"),
        ("NOTSET", "every level"),
        ("=15", "Level 15"),
        (["=DEBUG", "FATAL"], "DEBUG, CRITICAL and above"),
    ],
)
def test_sets_are_described_in_words(written, words):
    """Reports name sets as people would."""
    levels = Levels()
    assert levels.describe(levels.parse_set(written)) == words


@given(PAIRS, PAIRS)
def test_unions_hold_what_their_parts_hold(left, right):
    """A union has the members of both sides, in disjoint sorted intervals."""
    union = LevelSet(left) | LevelSet(right)
    for number in range(62):
        assert (number in union) == any(low <= number <= high for low, high in left + right)
    edges = [edge for pair in union.intervals for edge in pair]
    assert edges == sorted(edges)


@given(PAIRS)
def test_equal_sets_compare_equal(pairs):
    """The order in which intervals are given does not matter."""
    assert LevelSet(pairs) == LevelSet(reversed(pairs))
    assert hash(LevelSet(pairs)) == hash(LevelSet(reversed(pairs)))
