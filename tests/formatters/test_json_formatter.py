"""The `json` formatter: always one valid object, whatever a record holds."""

import datetime as dt
import decimal
import enum
import json
import logging
import math
import pathlib
import sys
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.formatters.json import JsonSpec, JsonText, UtcClock


def make(message="hello", args=(), **values):
    record = logging.LogRecord("app.db", 20, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


def parsed(record, **options):
    text = JsonSpec(**options).formatter().format(record)
    assert len(text.encode().splitlines()) == 1
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_plain_record_has_four_keys():
    """Without extras an object has timestamp, level, logger and message, in this order."""
    made = parsed(make("user %s", ("bob",), created=1057682985.896123))
    assert list(made.items()) == [
        ("timestamp", "2003-07-08T16:49:45.896123Z"),
        ("level", "INFO"),
        ("logger", "app.db"),
        ("message", "user bob"),
    ]


def test_extras_stand_at_the_top():
    """Extras follow the message under their own names, in their own shape."""
    made = parsed(make(tenant="acme", order={"id": 7, "tags": ["a", "b"]}, ratio=0.5, ok=True))
    assert list(made)[4:] == ["tenant", "order", "ratio", "ok"]
    assert made["order"] == {"id": 7, "tags": ["a", "b"]}


def test_extras_never_replace_our_keys():
    """An extra named like a key of ours gets a `_`, or more where that is taken too."""
    made = parsed(make(level="mine", level_="other", exception="x", stack="y", timestamp=1))
    assert made["level"] == "INFO"
    assert made["level__"] == "mine"
    assert made["level_"] == "other"
    assert (made["exception_"], made["stack_"], made["timestamp_"]) == ("x", "y", 1)


def test_exception_and_stack_are_texts():
    """A traceback is in `exception`, a stack in `stack`, both as text."""
    try:
        raise ValueError("boom")
    except ValueError:
        record = make(exc_info=sys.exc_info(), stack_info="Stack:\n  File")
    made = parsed(record)
    assert made["exception"].startswith("Traceback (most recent call last):\n")
    assert made["exception"].endswith("ValueError: boom")
    assert made["stack"] == "Stack:\n  File"


def test_named_attributes_are_added():
    """`fields` adds attributes once, before the extras, and leaves out unknown ones."""
    made = parsed(make(tenant="acme", a=1), fields=("lineno", "tenant", "nothing", "level"))
    assert list(made) == ["timestamp", "level", "logger", "message", "lineno", "tenant", "a"]
    assert made["lineno"] == 7


def test_epoch_is_a_number():
    """`timestamp: epoch` writes seconds with their fraction."""
    assert parsed(make(created=1057682985.5), timestamp="epoch")["timestamp"] == 1057682985.5


@pytest.mark.parametrize("created", [None, "x", math.nan, math.inf, 1e300])
@pytest.mark.parametrize("timestamp", ["rfc3339", "epoch"])
def test_impossible_times_are_null(created, timestamp):
    """A time that is none does not cost the record."""
    assert parsed(make(created=created), timestamp=timestamp)["timestamp"] in (None, created)


def test_ascii_escapes_everything_else():
    """`ascii: true` writes terminal and bidirectional controls as escapes."""
    text = JsonSpec(ascii=True).formatter().format(make("\u00e9\x9b\u202e\u2028", ké="\u00e9"))
    assert text.isascii()
    assert json.loads(text)["message"] == "\u00e9\x9b\u202e\u2028"


def test_terminal_copy_of_the_message_is_left_out():
    """The extra of uvicorn, `color_message`, says nothing new."""
    assert "color_message" not in parsed(make(color_message="\x1b[1mhello"))


@settings(deadline=None)
@given(st.floats(0, 4e9))
def test_clock_agrees_with_datetime(created):
    """Any time is within a microsecond of what `datetime` makes of it."""
    made = dt.datetime.fromisoformat(UtcClock()(created))
    wanted = dt.datetime.fromtimestamp(created, dt.UTC)
    assert abs(made - wanted) <= dt.timedelta(microseconds=1)


def test_clock_carries_into_the_next_second():
    """A fraction that rounds to a whole second moves the second."""
    clock = UtcClock()
    assert clock(0.9999999) == "1970-01-01T00:00:01.000000Z"
    assert clock(-0.25) == "1969-12-31T23:59:59.750000Z"


# Values that JSON does not have


class Shade(enum.IntEnum):
    DARK = 3


class Word(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no text")


class Exploding:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Grim(dict):
    def items(self):
        raise RuntimeError("no items")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC), "2024-02-29T01:02:03+00:00"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.time(1, 2), "01:02:00"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/srv"), "/srv"),
        (KeyError("x"), "'x'"),
        (b"a\xff", "a\\xff"),
        (bytearray(b"b"), "b"),
        (memoryview(b"c"), "c"),
        ({5}, [5]),
        ((1, (2,)), [1, [2]]),
        (math.nan, None),
        (-math.inf, None),
        ([math.inf], [None]),
        (Shade.DARK, 3),
        (Word("w"), "w"),
        (Exploding(), "<unprintable Exploding>"),
        ([1, Exploding()], [1, "<unprintable Exploding>"]),
        ({Exploding(): 1}, {"<unprintable Exploding>": 1}),
        (Grim(a=1), "<unprintable Grim>"),
        ({1: "a", "1": "b", None: "c"}, {"1": "a", "1_": "b", "None": "c"}),
        (1 << 70, 1 << 70),
        (object, "<class 'object'>"),
    ],
)
def test_foreign_values_are_written_readably(value, wanted):
    """What JSON lacks becomes the nearest thing that it has, alone or inside."""
    made = parsed(make(value=value, inside=[value]))
    assert made["value"] == wanted
    assert made["inside"] == [wanted]


def test_enormous_number_is_described():
    """A number that Python refuses to write does not cost the record."""
    assert parsed(make(n=10**5000))["n"] == "<number of 16610 bits>"


def test_deep_and_cyclic_values_end():
    """Containers end at six levels, so a list that holds itself ends too."""
    cycle: list[object] = []
    cycle.append(cycle)
    deep: object = "bottom"
    for _ in range(100_000):
        deep = {"in": deep}
    made = parsed(make(cycle=cycle, deep=deep))
    assert made["cycle"] == [[[[[["..."]]]]]]
    assert json.dumps(made["deep"]).count("in") == 6
    while isinstance(deep, dict):  # piece by piece, else freeing it overflows the stack
        deep = deep["in"]


def test_value_that_explodes_in_size_is_cut():
    """Shared lists that unfold to 10**12 items are cut and marked."""
    bomb: object = "x"
    for _ in range(6):
        bomb = [bomb] * 100
    text = JsonSpec().formatter().format(make(bomb=bomb))
    assert len(text) < 1_000_000
    assert '"..."' in text
    json.loads(text)


def test_lone_surrogates_can_be_encoded():
    """A lone surrogate in message, extra or key is written as an escape."""
    made = parsed(make("a\udc80\u00e9", **{"k\ud800": ["\udfff"]}))
    assert made["message"] == "a\udc80\u00e9"
    assert made["k\ud800"] == ["\udfff"]


JSONISH = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.text(st.characters(), max_size=3),
        st.binary(max_size=5),
        st.datetimes(),
        st.decimals(),
        st.builds(Exploding),
        st.just(Word("w")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(), st.none()), inner, max_size=3
        ),
        st.tuples(inner),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(
    message=st.text(st.characters()),
    extra=st.dictionaries(st.one_of(st.text(st.characters()), st.integers()), JSONISH, max_size=4),
    ascii_only=st.booleans(),
)
def test_any_record_is_valid_json(message, extra, ascii_only):
    """Arbitrary messages and extras give an object that parses, encodes and is one line."""
    record = make(message)
    for name, value in extra.items():
        record.__dict__.setdefault(name, value)
    before = dict(record.__dict__)
    made = parsed(record, ascii=ascii_only)
    assert made["level"] == "INFO"
    assert list(record.__dict__.items()) == list(before.items())


@settings(deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ).filter(lambda value: str(value).count("[") + str(value).count("{") < 6)
)  # fmt: skip
def test_json_values_come_back_unchanged(value):
    """A value that JSON has is read back as it was."""
    assert json.loads(JsonText()(value)) == value


@pytest.mark.parametrize(
    "changes",
    [
        {"levelname": None},
        {"name": 5},
        {"name": Exploding()},
        {"msg": Exploding()},
        {"msg": "%d", "args": ("x",)},
        {"msg": "a\r\nb\x1b[0m\x00\u2028"},
        {"msg": "x" * (1 << 20)},
        {"exc_info": True},
        {"exc_info": (None, None, None)},
        {"exc_text": 5},
        {"stack_info": ["s"]},
        {1: 2},
    ],
)
def test_hostile_records_are_valid_json(changes):
    """Attributes of wrong types and hostile text never raise."""
    record = make()
    record.__dict__.update(changes)
    assert isinstance(parsed(record)["message"], str)


def test_hand_made_records_show_their_extras():
    """A record with attributes in an unusual order, or some missing, hides no extra."""
    record = make()
    values = {"tenant": "acme", **record.__dict__}
    del values["processName"]
    record.__dict__.clear()
    record.__dict__.update(values)
    assert parsed(record)["tenant"] == "acme"


def test_seconds_are_cached_correctly():
    """Records of changing seconds get their own times from one formatter."""
    formatter = JsonSpec().formatter()
    for created in (10.5, 11.25, 10.5, 10.75):
        stamp = json.loads(formatter.format(make(created=created)))["timestamp"]
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(created)))
        assert stamp == f"{text}.{int(created % 1 * 1e6):06d}Z"
