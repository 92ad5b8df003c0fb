"""The `rfc5424` formatter: whatever a record holds, a strict reader gets its parts back."""

import logging
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syslog_kit import parse, parse_old

from logroute.formatters.rfc5424 import Rfc5424Formatter, Rfc5424Spec
from logroute.options import options_of
from logroute.syslog import FACILITIES, Composer, severity_of, text_of_record


def make(message="hello", *args, level=logging.WARNING, **values):
    record = logging.LogRecord("app.db", level, "/srv/db.py", 7, message, args, None)
    record.created = 1057682985.5
    record.__dict__.update(values)
    return record


def read(record, **options):
    return parse(Rfc5424Spec(**options).formatter().format(record).encode())


def visible(text):
    """What is left of a text in a message: control characters escaped."""
    bad = [*range(9), *range(10, 32), *range(127, 160), 0x2028, 0x2029, 0xFEFF, 0x61C, 0x200E]
    bad += [0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)]
    table = {code: ascii(chr(code))[1:-1] for code in bad}
    return text.translate(table)


def test_message_has_all_parts():
    """Priority, time, names, structured data and text are where the RFC puts them."""
    record = make("user %s", "bob", msgid="LOGIN", tenant="acme", order=7)
    found = read(record, facility="local3", app_name="shop", hostname="web1.example.org")
    assert (found.facility, found.severity) == (19, 4)
    assert found[2:7] == (
        "2003-07-08T16:49:45.500000Z",
        "web1.example.org",
        "shop",
        str(record.process),
        "LOGIN",
    )
    assert found.data == {
        "fields@32473": [
            ("logger", "app.db"),
            ("level", "WARNING"),
            ("tenant", "acme"),
            ("order", "7"),
        ]
    }
    assert found.text == "user bob"


#: Lone surrogates too.
any_text = st.text(st.characters(exclude_categories=()))
values = st.one_of(
    any_text, st.binary(), st.integers(), st.floats(), st.none(), st.booleans(),
    st.lists(st.text(), max_size=3), st.dictionaries(st.text(), st.text(), max_size=3),
)  # fmt: skip
names = st.text(min_size=1).filter(lambda name: name not in make().__dict__ and name[0] != "_")


@given(
    message=any_text,
    extra=st.dictionaries(names, values, max_size=5),
    level=st.one_of(st.integers(), st.just(None)),
    created=st.one_of(st.floats(), st.integers(), st.none()),
    names=st.tuples(any_text, st.text(max_size=60), st.text(max_size=40)),
)
@settings(max_examples=150, deadline=None)
def test_any_record_reads_back(message, extra, level, created, names):
    """Hostile names, fields and texts come back as they were, but for what is escaped."""
    record = make("%s", message, level=logging.INFO, **extra)
    record.levelno, record.created, record.name = level, created, names[0]
    record.levelname = "X"
    host, app = (name or None for name in names[1:])
    data = Composer(Rfc5424Spec(hostname=host, app_name=app))(record, text_of_record(record))
    assert not any(byte < 32 and byte != 9 for byte in data) and b"\x7f" not in data
    found = parse(data)
    assert found.text == visible(message)
    pairs = next(iter(found.data.values()))
    assert pairs[:2] == [("logger", visible(names[0])), ("level", "X")]
    texts = [visible(value) for key, value in extra.items() if type(value) is str
             and key not in ("msgid", "color_message")]  # fmt: skip
    assert set(texts) <= {value for _, value in pairs}
    assert len(pairs) == 2 + len(set(extra) - {"msgid", "color_message"})
    assert found.severity == severity_of(level)


@given(message=any_text, host=st.text(max_size=300), app=st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_record_reads_back_in_the_old_form(message, host, app):
    """RFC 3164: the tag ends where it should, whatever the names hold."""
    record = make("%s", message)
    options = Rfc5424Spec(hostname=host or None, app_name=app or None, facility="daemon")
    found = parse_old(Composer(options, is_old=True)(record, message))
    assert (found.facility, found.severity) == (3, 4)
    assert found.procid == str(record.process) and found.hostname and found.tag
    assert found.text == visible(message)


@given(
    message=st.text(max_size=4000),
    extra=st.dictionaries(names, st.text(max_size=2000), max_size=6),
    limit=st.integers(512, 3000),
)
@settings(max_examples=100, deadline=None)
def test_long_record_is_cut_to_a_whole_message(message, extra, limit):
    """Never longer than `max_message`, never cut inside a character, a name or a value."""
    record = make("%s", message, **extra)
    compose = Composer(Rfc5424Spec(max_message=limit, hostname="h" * 255, app_name="a" * 48))
    data = compose(record, text_of_record(record))
    assert len(data) <= limit
    found = parse(data)
    whole = visible(message)
    assert found.text == whole or "..." in found.text or len(found.text) < 4
    if extra:
        assert found.data == {} or "fields_left_out" in found.fields or len(found.fields) >= 3


@pytest.mark.parametrize("unit", ["x", "\u00e9", "\u20ac", "\U0001f600", "\x00", "]"])
@pytest.mark.parametrize("is_old", [False, True])
def test_cut_is_exact_for_every_length(unit, is_old):
    """Whatever the characters' sizes and the limit, a whole message of that size comes out."""
    for limit in range(600, 640):
        options = Rfc5424Spec(max_message=limit, bom=bool(limit % 2), hostname="h", app_name="a")
        record = make(unit * 2000, field=unit * 200)
        data = Composer(options, is_old=is_old)(record, record.msg)
        assert limit - 12 <= len(data) <= limit
        text = (parse_old if is_old else parse)(data).text
        assert text.count("...") == 1
        assert set(text) <= {*visible(unit), ".", "\ufeff"}


def test_cut_keeps_the_end_of_a_traceback():
    """The exception stands at the end of a traceback, and is what one looks for."""
    try:
        raise ValueError("the reason")
    except ValueError:
        record = make("failed " + "x" * 3000)
        record.exc_info = sys.exc_info()
    found = read(record, max_message=600)
    assert found.text.startswith("failed xxx")
    assert found.text.endswith("ValueError: the reason") and "..." in found.text


def test_traceback_stays_on_the_line():
    """Fault 59: line ends are escaped; a daemon reads one message as one."""
    try:
        raise ValueError("boom\nforged")
    except ValueError:
        record = make("failed", exc_info=sys.exc_info())
    found = read(record)
    assert "\n" not in found.text and r"ValueError: boom\nforged" in found.text


def test_nul_never_reaches_the_daemon():
    """Fault 59: neither in text, fields nor names; NUL splits a message in two."""
    record = make("a\x00b", field="c\x00d", **{"e\x00f": 1})
    formatter = Rfc5424Spec(app_name="x\x00y", hostname="h\x00").formatter()
    data = formatter.format(record).encode()
    assert b"\x00" not in data
    assert parse(data).fields["field"] == r"c\x00d"
    assert parse(data).text == r"a\x00b"


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        *[(5, 7), (10, 7), (15, 7), (20, 6), (25, 5), (30, 4), (35, 4), (40, 3), (50, 2)],
        *[(60, 1), (100, 1), (-5, 7), (None, 6), ("ERROR", 6)],
    ],
)
def test_severity_follows_the_level(level, severity):
    """Custom levels count as the named one below; nothing is an emergency."""
    assert severity_of(level) == severity


def test_options_choose_fields_and_ids():
    """PROCID and MSGID are fields of the record; `-` leaves structured data out."""
    record = make("x", threadName="pool 1", tenant="acme")
    found = read(record, procid="threadName", msgid="name", sd_id="shop@1.2")
    assert (found.procid, found.msgid) == ("pool_1", "app.db")
    assert list(found.data) == ["shop@1.2"]
    assert read(record, sd_id="-").data == {}


@pytest.mark.parametrize("text", ["shop", "a b@1", "shop@", "x" * 30 + "@12", 'a"@1', ""])
def test_wrong_sd_id_is_refused(text):
    """An SD-ID without a number, with blanks or too long is none."""
    shape = options_of(Rfc5424Spec)["sd_id"].shape
    assert not re.fullmatch(shape.pattern, text)
    assert re.fullmatch(shape.pattern, "shop@32473") and re.fullmatch(shape.pattern, "-")


def test_mark_is_written_on_request():
    """Without `bom` there is none, since daemons keep it as a part of the text."""
    assert not read(make("h\u00e9")).has_bom
    assert read(make("h\u00e9"), bom=True).has_bom


def test_names_that_meet_are_numbered():
    """Two fields whose names are the same once cleaned are both there."""
    found = read(make("x", **{"a b": 1, "a=b": 2, "logger": 3}))
    assert found.fields | {"level": ""} == {
        "logger": "app.db", "level": "", "a_b": "1", "a_b_2": "2", "logger_2": "3"
    }  # fmt: skip


def test_facilities_are_those_of_stdlib():
    """Whoever comes from SysLogHandler finds its names."""
    from logging.handlers import SysLogHandler

    assert SysLogHandler.facility_names.items() <= FACILITIES.items()
    for name in FACILITIES:
        assert read(make(), facility=name).facility == FACILITIES[name]


def test_record_made_by_hand_is_formatted():
    """Missing attributes are NILVALUEs; a broken message says so."""
    record = logging.makeLogRecord({"msg": "%d", "args": ("x",)})
    for name in ("created", "process", "levelno", "name", "levelname"):
        del record.__dict__[name]
    found = parse(Rfc5424Formatter().format(record).encode())
    assert (found.timestamp, found.procid) == (None, None)
    assert found.text.startswith("<unformattable: TypeError>")


def test_time_before_1970_is_none():
    """A first record whose time is the last second of 1969 has the NILVALUE, as any such."""
    record = logging.makeLogRecord({"msg": "x", "created": -1.0})
    assert Rfc5424Formatter().format(record).split(" ")[1] == "-"
