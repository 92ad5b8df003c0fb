"""Compiled formatters: the same text as stdlib, and as their own general way."""

import datetime as dt
import json
import logging
import sys
import threading
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logroute.formatters.compiled import Memo, Shapes
from logroute.formatters.json import JsonFormatter
from logroute.formatters.text import StdlibFormatter, TextFormatter

FIELDS = ["name", "levelname", "levelno", "pathname", "filename", "module", "lineno", "funcName"]
FIELDS += ["created", "asctime", "msecs", "relativeCreated", "thread", "threadName", "process"]
FIELDS += ["processName", "message", "msg", "args", "tenant", "missing"]
LITERALS = st.text("ab '\"\\%{}$:\u00e9\n\x1b", max_size=4)


class Text(str):
    """A text with a mind of its own, as markup classes have."""

    __slots__ = ()

    def __format__(self, spec):
        return "never shown"

    def isprintable(self):
        return True


class Sly:
    def __init__(self, text):
        self.text = Text(text)

    def __str__(self):
        return self.text

    def __format__(self, spec):
        return "formatted"


class Counted(logging.LogRecord):
    pass


class Shouting(logging.LogRecord):
    def getMessage(self):
        return Text(super().getMessage().upper())


TEXTS = st.one_of(
    st.sampled_from(["app.db", "INFO", "", "a\nb", "\x1b[2J", "\u2028", "\ud800", "\x7f"]),
    st.text(st.characters(), max_size=60),
)
VALUES = st.one_of(
    TEXTS,
    TEXTS.map(Text),
    st.integers(),
    st.floats(),
    st.sampled_from([None, True, 2**63, -(2**63), 10**300, dt.date(2024, 2, 29), 1e16, 1e-5]),
)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXTS, st.integers(), st.none()), inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=10,
)


@st.composite
def records(draw, values=VALUES):
    cls = draw(st.sampled_from([logging.LogRecord] * 3 + [Counted, Shouting]))
    message, args = draw(
        st.sampled_from([("plain", None), ("%s", ("x",)), ("%d%%", (5,)), ("%(a)s", ({"a": "b"},))])
        | st.tuples(TEXTS, st.none() | st.tuples(values))
        | st.tuples(values, st.none())
    )
    level = draw(st.sampled_from([10, 20, 33]))
    record = cls(draw(TEXTS), level, "/a/b.py", 7, message, args, None)
    record.created = draw(st.floats(1e9, 1e9 + 3) | st.floats(-2, 4e9))
    record.msecs = float(int(record.created % 1 * 1000))
    odd = draw(st.dictionaries(st.sampled_from([*FIELDS[:8], "threadName"]), values, max_size=1))
    record.__dict__.update(odd)
    extras = st.sampled_from(["tenant", "b", "level", "a b", 'q"'])
    for name in draw(st.lists(extras, unique=True)):
        record.__dict__[name] = draw(values)
    return record


def percent(field):
    rare = [f"%({field})-9s", f"%({field})r", f"%({field}).2s"]
    return st.sampled_from([f"%({field})s"] * 3 + rare)


def braces(field):
    return st.sampled_from([f"{{{field}}}"] * 3 + [f"{{{field}!r:>9}}", f"{{{field}!s}}"])


WRITERS = {"%": percent, "{": braces, "$": lambda field: st.just(f"${{{field}}}")}
DOUBLED = {"%": "%", "{": "{}", "$": "$"}


@st.composite
def layouts(draw):
    style = draw(st.sampled_from("%{$"))
    text = ""
    for field in draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=6)):
        literal = draw(LITERALS)
        for mark in DOUBLED[style]:
            literal = literal.replace(mark, mark * 2)
        text += draw(WRITERS[style](field)) + literal
    return text, style


def outcome(formatter, record):
    """Return stdlib's text, None where it raises."""
    try:
        return str.__str__(formatter.format(record))
    except Exception:
        return None


@settings(deadline=None, max_examples=100)
@given(layout=layouts(), items=st.lists(records(), min_size=1, max_size=4))
def test_any_layout_gives_stdlib_bytes(layout, items):
    """Whatever the layout and the records, one after another, the text is stdlib's."""
    fmt, style = layout
    defaults = {"missing": "a\nb"}
    ours = TextFormatter(fmt, None, style, defaults=defaults, newlines="keep")
    theirs = logging.Formatter(fmt, None, style, defaults=defaults)
    for record in items:
        text, wanted = ours.format(record), outcome(theirs, record)
        assert text == wanted or (wanted is None and type(text) is str)


@settings(deadline=None, max_examples=100)
@given(layout=layouts(), items=st.lists(records(), min_size=1, max_size=4))
def test_formatters_of_dictconfig_are_stdlibs(layout, items):
    """A formatter written stdlib's way gives stdlib's bytes, or raises what stdlib raises."""
    fmt, style = layout
    ours, theirs = (cls(fmt, None, style) for cls in (StdlibFormatter, logging.Formatter))
    for record in items:
        assert result(ours, record) == result(theirs, record)


def result(formatter, record):
    try:
        return str.__str__(formatter.format(record))
    except Exception as fault:
        return (type(fault), str(fault)[:200])


@settings(deadline=None, max_examples=100)
@given(
    layout=layouts(),
    items=st.lists(records(), max_size=4),
    newlines=st.sampled_from(["escape", "indent", "keep"]),
)
def test_compiled_text_is_the_general_one(layout, items, newlines):
    """The compiled function writes what the general way writes, cold and warm."""
    fmt, style = layout
    formatter = TextFormatter(fmt, None, style, defaults={"missing": "a\nb"}, newlines=newlines)
    for record in [*items, *items]:
        assert formatter.format(record) == formatter._general(record)


@settings(deadline=None, max_examples=100)
@given(
    items=st.lists(records(NESTED), max_size=4),
    fields=st.sampled_from([(), ("lineno", "tenant", "thread")]),
    timestamp=st.sampled_from(["rfc3339", "epoch"]),
    ascii_only=st.booleans(),
)
def test_compiled_json_is_the_general_one(items, fields, timestamp, ascii_only):
    """So it is with JSON, for records with one set of extras after another."""
    formatter = JsonFormatter(fields, timestamp, ascii_only)
    for record in [*items, *items]:
        assert formatter.format(record) == formatter._general(record)


@pytest.fixture
def plain_json(monkeypatch):
    """Return a formatter that does without orjson."""
    monkeypatch.setitem(sys.modules, "orjson", None)
    formatter = JsonFormatter()
    assert formatter._value.dumps is None
    return formatter


@pytest.fixture
def fast_json():
    """Return a formatter that uses orjson."""
    formatter = JsonFormatter()
    assert formatter._value.dumps is not None
    return formatter


def make(message="hello", args=(), **values):
    record = logging.LogRecord("app.db", 20, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


def test_orjson_changes_no_byte(fast_json, plain_json):
    """With orjson and without, hostile values give the same text."""

    @settings(deadline=None, max_examples=150)
    @given(record=records(NESTED))
    @example(record=make(x=[0.1, 1e15, 1e16, 1e-4, 9.9e-5, -0.0, 5e-324, 123456789.123]))
    @example(record=make(x={"a": [dt.datetime(2024, 1, 2, 3, 4, 5, 6)], 1: {"a", "b"}}))
    @example(record=make(x=[[[[[[[1]]]]]]], y={"a": {"b": [2**63, 2**64]}}))
    def compare(record):
        assert fast_json.format(record) == plain_json.format(record)

    compare()


def test_orjson_escapes_as_we_do(fast_json, plain_json):
    """Every character, in short and long texts, alone and in a list, is written alike."""
    for start in range(0, 0x110000, 64):
        text = "".join(map(chr, range(start, start + 64)))
        for record in (make(text), make("x", a=text, b=[text], c={text: 1})):
            assert fast_json.format(record) == plain_json.format(record)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats()))
def test_orjson_writes_floats_as_we_do(values):
    """Plain floats have the same digits from both; the others are left to ours."""
    record = make(values=values)
    assert JsonFormatter().format(record) == JsonFormatter()._format(record)
    joined = ",".join([repr(v) if v - v == 0 else "null" for v in values])
    assert f'"values":[{joined}]' in JsonFormatter().format(record)


FORMATTERS = [lambda: TextFormatter("%(message)s"), JsonFormatter]


@pytest.mark.parametrize("make_formatter", FORMATTERS)
def test_replaced_get_message_is_asked(make_formatter, monkeypatch):
    """A `getMessage` put on the class or on one record is honoured at once."""
    formatter = make_formatter()
    record = make("user %s", ("bob",))
    assert "user bob" in formatter.format(record)
    record.getMessage = lambda: "hidden"
    assert "hidden" in formatter.format(record)
    monkeypatch.setattr(logging.LogRecord, "getMessage", lambda self: "patched")
    assert "patched" in formatter.format(make("user %s", ("bob",)))


def test_foreign_words_are_never_code():
    """Quotes, braces and names of Python in layouts and extras stay what they are."""
    foreign = '\'"}{__import__(\'os\')}\\\n"""'
    text = TextFormatter("%(tenant)s" + foreign.replace("%", "%%"), newlines="keep")
    assert text.format(make(tenant="t")) == f"t{foreign}"
    assert f"k{foreign}" in json.loads(JsonFormatter().format(make(**{f"k{foreign}": 1})))


@pytest.mark.parametrize("newlines", ["escape", "indent"])
def test_texts_of_own_classes_cannot_forge_lines(newlines):
    """A `__str__` whose text calls itself printable is cleaned all the same."""
    formatter = TextFormatter("%(name)s %(user)s %(lineno)s %(message)s", newlines=newlines)
    record = make("%s", (Sly("a\nb"),), user=Sly("c\nd"))
    record.name, record.lineno = Text("e\nf"), Sly("g\nh")
    first = formatter.format(record).splitlines()[0]
    assert first.startswith("e\\nf c\\nd g\\nh a")


def test_many_extras_are_all_written():
    """Records with any number of extras show each of them once, in their order."""
    formatter = JsonFormatter()
    for count in range(30):
        extra = {f"k{n}": [n, str(n)][n % 2] for n in range(count)}
        record = make(**extra)
        assert formatter.format(record) == formatter._general(record)
        assert list(json.loads(formatter.format(record)))[4:] == list(extra)


@pytest.mark.parametrize("make_formatter", [lambda: TextFormatter(newlines="keep"), JsonFormatter])
def test_threads_may_mix_seconds_and_extras(make_formatter):
    """Records of several seconds and shapes, formatted at once, keep what is theirs."""
    shared, wrong = make_formatter(), []

    def work(start):
        own = make_formatter()
        for n in range(400):
            record = make("x", created=start + n / 3, msecs=5.0, **{f"k{(start + n) % 5}": n})
            if shared.format(record) != own._general(record):
                wrong.append(record)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 10**6 + 1, 10**9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_remembered_is_bounded():
    """Endless new names and extras neither fill the memory nor change the text."""
    memo, shapes = Memo(str), Shapes(lambda record: len(record.__dict__))
    for n in range(3000):
        assert memo[n] == str(n)
        assert shapes(make(**{f"k{n}": 1})) == len(make().__dict__) + 1
    assert memo["x" * 10**6] == "x" * 10**6
    assert len(memo) <= 1024
    assert len(shapes._known) <= 256
    assert "x" * 10**6 not in memo


def test_a_second_is_formatted_once(monkeypatch):
    """Records of one second ask for the layout of the time once."""
    asked = []
    formatter = TextFormatter("%(asctime)s", "%H:%M:%S")
    formatter.converter = lambda moment: asked.append(moment) or time.gmtime(moment)
    for tenth in range(10):
        formatter.format(make(created=1000 + tenth / 10))
    assert asked == [1000.0]
