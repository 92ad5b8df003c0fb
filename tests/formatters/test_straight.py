"""Payloads made past the record: the same bytes as by way of it, or none."""

import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logroute.engine.thaw import thaw
from logroute.formatters.json import JsonFormatter
from logroute.formatters.text import StdlibFormatter, TextFormatter
from logroute.records import HAS_NANOSECONDS
from logroute.sinks import straight_of
from logroute.sinks.file import FileSpec
from logroute.sinks.http import HttpSpec
from logroute.sinks.socket import SocketSpec

NOW = 1_700_000_000.25


class Kept:
    """What is needed of a decision."""

    is_lean = True

    def __init__(self, key):
        self.key = key


def entry(msg="hello %s", args=("you",), *, when=NOW, extra=None, fields=None, levelno=20):
    decision = Kept(("app.db", levelno, None))
    stamp = round(when * 1e9) if HAS_NANOSECONDS else when
    return (None, decision, None, stamp, msg, args, 1, None, None, extra, fields, None, 0)


def past_the_record(straight, kept):
    """Return the payload that is made of what the express lane keeps; None: make the record."""
    made, level = [], logging.getLevelName(kept[1].key[1])
    straight([kept], {kept[1]: "way"}, "way", level, made.append)
    return made[0] if made else None


def both(spec, formatter, kept):
    """Return what the way past the record gives, and the way by it; the latter goes first."""
    straight = straight_of(formatter.format, spec.frame())
    by_record = spec.encoder(formatter.format)(thaw(kept, 1))
    return past_the_record(straight, kept), by_record


LAYOUTS = [
    ("%(asctime)s %(levelname)-8s %(name)s: %(message)s", "%"),
    ("%(levelno)03d|%(msecs)d|%(created).6f|%(name)s|%(message)-20s|", "%"),
    ("{asctime} {levelname:>8} {name} {message}", "{"),
    ("${asctime} ${levelname} ${name} ${message} $$", "$"),
    ("%(message)s", "%"),
]
FILE, LINES = FileSpec(path="a.log"), SocketSpec(address="h:1")


@pytest.mark.parametrize("newlines", ["escape", "indent", "keep"])
@pytest.mark.parametrize(("layout", "style"), LAYOUTS)
@pytest.mark.parametrize("spec", [FILE, LINES])
def test_ordinary_text_is_made_past_the_record(layout, style, newlines, spec):
    """The plain case takes the short way, whatever the layout."""
    formatter = TextFormatter(layout, None, style, newlines=newlines)
    kept = entry("naïve %s %d", ("a\tb", 7))
    made, expected = both(spec, formatter, kept)
    assert made == expected is not None


MESSAGES = st.one_of(st.text(), st.sampled_from(["%", "%s", "%d", "%s %s", "a\nb", "\ud800", "é"]))
ARGUMENTS = st.lists(
    st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.binary()),
    max_size=2,
).map(tuple)
TIMES = st.one_of(
    st.floats(0, 4e9),
    st.floats(0, 1).map(lambda part: 1_700_000_000 + part),
    st.sampled_from([0.0, 0.9999, 0.9999996, 0.99999999]).map(lambda part: 1_700_000_000 + part),
)


@given(
    st.sampled_from(LAYOUTS),
    st.sampled_from(["escape", "indent", "keep"]),
    st.sampled_from([FILE, LINES, SocketSpec(address="h:1", max_record_bytes=40)]),
    MESSAGES,
    ARGUMENTS,
    TIMES,
)
def test_text_is_the_same_or_none(layout, newlines, spec, msg, args, when):
    """Any message at any time: what is not the record's way says so."""
    formatter = TextFormatter(layout[0], None, layout[1], newlines=newlines)
    made, expected = both(spec, formatter, entry(msg, args or None, when=when))
    assert made in (None, expected)


@given(MESSAGES, ARGUMENTS, TIMES)
def test_stdlib_text_is_the_same_or_none(msg, args, when):
    """So it is for the formatters of dictConfig files, where stdlib's raises for some."""
    formatter = StdlibFormatter("%(asctime)s %(levelname)s %(message)s")
    kept = entry(msg, args or None, when=when)
    straight = straight_of(formatter.format, FILE.frame())
    try:
        expected = FILE.encoder(formatter.format)(thaw(kept, 1))
    except (TypeError, ValueError):
        expected = None
    assert past_the_record(straight, kept) in (None, expected)


EXTRAS = st.dictionaries(
    st.one_of(st.text(max_size=3), st.sampled_from(["tenant", "level", "timestamp", "_x", "a.b"])),
    st.one_of(
        st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.binary(max_size=3)
    ),
    max_size=14,
)


@pytest.mark.parametrize("spec", [FILE, LINES, HttpSpec(url="http://h/")])
@pytest.mark.parametrize("timestamp", ["rfc3339", "epoch"])
def test_ordinary_json_is_made_past_the_record(spec, timestamp):
    """Extras and all; the second record of a second takes the short way."""
    formatter = JsonFormatter(timestamp=timestamp)
    extra = {"tenant": "acme", "n": 7, "share": 0.5, "level": None}
    for kept in (entry(extra=extra), entry(extra=None), entry(extra={"other": "naïve"})):
        made, expected = both(spec, formatter, kept)
        assert made == expected is not None


@given(
    st.sampled_from([FILE, LINES, HttpSpec(url="http://h/", max_record_bytes=100)]),
    st.booleans(),
    MESSAGES,
    ARGUMENTS,
    st.one_of(st.none(), EXTRAS),
    TIMES,
)
def test_json_is_the_same_or_none(spec, ascii, msg, args, extra, when):
    """Any extras, any message, any time."""
    formatter = JsonFormatter(ascii=ascii)
    made, expected = both(spec, formatter, entry(msg, args or None, extra=extra, when=when))
    assert made in (None, expected)


@pytest.mark.parametrize(
    ("spec", "formatter", "kept"),
    [
        (FILE, TextFormatter("%(message)s"), entry(fields={"request": 1})),
        (FILE, JsonFormatter(), entry(extra={"getMessage": str})),
        (FILE, JsonFormatter(), entry("%d", ("x",))),
        (FILE, TextFormatter("%(message)s"), entry("lone \ud800 surrogate", None)),
        (LINES, TextFormatter("%(message)s", newlines="keep"), entry("two\nlines", None)),
        (SocketSpec(address="h:1", max_record_bytes=10), TextFormatter(), entry("x" * 20, None)),
        (FILE, TextFormatter("%(asctime)s %(message)s"), entry(when=math.floor(NOW) + 5)),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_record(spec, formatter, kept):
    """Fields of others, faults, long and broken lines, and another second."""
    formatter.format(thaw(entry(), 1))
    straight = straight_of(formatter.format, spec.frame())
    assert past_the_record(straight, kept) is None


@pytest.mark.parametrize("formatter", [TextFormatter("%(name)s %(message)s"), JsonFormatter()])
def test_loggers_that_go_the_same_way_take_turns(formatter):
    """One call makes the lines of all, in order, up to what goes another way."""
    formatter.format(thaw(entry(), 1))
    ours, theirs = Kept(("app.db", 20, None)), Kept(("app.web", 20, None))
    other = Kept(("app.web", 40, None))
    turns = enumerate([ours, theirs] * 3)
    kept = [(None, decision, *entry(f"{n} %s")[2:]) for n, decision in turns]
    late = (None, other, *entry()[2:])
    record = (thaw(entry(), 1), ours, None)
    looks = {ours: "one", theirs: "one", other: "another"}
    for last in (late, record, lambda: None, (None, Kept(("unknown", 20, None)), *entry()[2:])):
        made = []
        straight = straight_of(formatter.format, FILE.frame())
        straight([*kept, last, *kept], looks, "one", "INFO", made.append)
        assert made == [both(FILE, formatter, each)[1] for each in kept]


def test_patched_get_message_is_called(monkeypatch):
    """Who makes messages in another way has the record made."""
    straight = straight_of(TextFormatter("%(message)s").format, FILE.frame())
    assert past_the_record(straight, entry()) == b"hello you\n"
    monkeypatch.setattr(logging.LogRecord, "getMessage", lambda record: "mine")
    assert past_the_record(straight, entry()) is None


@pytest.mark.parametrize(
    ("spec", "formatter"),
    [
        (FileSpec(path="a.log", encoding="latin-1"), TextFormatter()),
        (SocketSpec(address="h:1", framing="length"), TextFormatter()),
        (HttpSpec(url="http://h/"), TextFormatter()),
        (HttpSpec(url="http://h/", body="form"), JsonFormatter()),
        (FILE, TextFormatter("%(lineno)d %(message)s")),
        (FILE, TextFormatter("%(tenant)s %(message)s")),
        (FILE, TextFormatter("%(levelname)s")),
        (FILE, TextFormatter("%(asctime)s %(message)s", "%H:%M")),
        (FILE, JsonFormatter(fields=("process",))),
        (FILE, logging.Formatter()),
    ],
)
def test_what_needs_the_record_has_no_other_way(spec, formatter):
    """Layouts, framings and formatters of others for which there is no short way."""
    assert straight_of(formatter.format, spec.frame()) is None
