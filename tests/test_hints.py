"""Did-you-mean: the likeliest intended name."""

import pytest

from logroute.hints import OPTION_SYNONYMS, nearest, suggest

NAMES = ["host", "port", "password", "username", "max_records", "max_bytes", "to", "from"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hots", "host"),
        ("passwrd", "password"),
        ("Host", "host"),
        ("max-records", "max_records"),
        ("maxRecords", "max_records"),
        ("usrename", "username"),
        ("mailhost", "host"),
        ("sender", "from"),
        ("colour", None),
        ("", None),
    ],
)
def test_likeliest_name_is_found(written, meant):
    """Typing errors, other spellings and words of other loggers find their name."""
    assert nearest(written, NAMES, OPTION_SYNONYMS) == meant


def test_synonym_must_fit_the_place():
    """A synonym counts only where the name that it means is known."""
    assert nearest("mailhost", ["path", "level"], OPTION_SYNONYMS) is None


def test_word_itself_is_never_meant():
    """A name is not offered for itself."""
    assert nearest("host", ["host"]) is None


def test_suggestion_lists_the_names_otherwise():
    """Where nothing is near, the names that fit are listed, twelve at most."""
    assert suggest("hots", NAMES) == "did you mean `host`?"
    assert suggest("zzzzzz", ["b", "a"]) == "known here: `a`, `b`"
    assert suggest("zzzzzz", []) is None
    assert suggest("zzzzzz", [f"name{n:02}" for n in range(15)]).endswith("`name11` and 3 more")


def test_endless_word_is_not_compared():
    """A word of a hostile file that is no name at all costs nothing."""
    assert nearest("x" * 10_000_000, ["x" * 9_999_999]) is None
