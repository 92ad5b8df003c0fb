"""The `text` formatter: stdlib's bytes where asked, one line per record otherwise."""

import logging
import sys
import threading
import time
from types import TracebackType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.formatters.text import DEFAULT_FORMATS, TextFormatter, TextSpec

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# Everything that an editor, a terminal or a reader of lines could act on.
HOSTILE = "a\r\nb\x1b[31mc\x00d\x7fe\x9bf\u2028g\u2029h\u202ei\u2066j\x0bk\x0cl\x85m"
ALLOWED_CONTROLS = {"\n", "\t"}


def make(message="hello", args=(), *, created=None, exc_info=None, stack=None, **extra):
    record = logging.LogRecord("app.db", 20, "/srv/app/db.py", 7, message, args, exc_info)
    if created is not None:
        record.created = created
        record.msecs = (created - int(created)) * 1000 + 0.0
    record.stack_info = stack
    record.__dict__.update(extra)
    return record


def raised(error: BaseException) -> ExcInfo:
    try:
        raise error
    except BaseException:
        info = sys.exc_info()
    assert info[0] is not None
    assert info[1] is not None
    return (info[0], info[1], info[2])


def lines_of(text):
    """Split where any reader might: `str.splitlines` knows all of them."""
    return text.splitlines()


# stdlib's bytes

FIELDS = ["name", "levelname", "levelno", "lineno", "funcName", "message", "asctime", "process"]
FIELDS += ["tenant", "ratio", "created", "msecs", "threadName"]
LITERALS = st.text("ab 1:%{}$[]-\u00e9\n\t", max_size=5)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def percent(parts):
    specs = {"levelname": "-8s", "levelno": "03d", "created": ".3f", "message": "s"}
    return "".join(
        f"%({name})" + specs.get(name, "s") + literal.replace("%", "%%") for name, literal in parts
    )


def braces(parts):
    specs = {"levelname": ":<8", "levelno": ":03d", "created": ":.3f", "tenant": "!r:>12"}
    return "".join(
        "{" + name + specs.get(name, "") + "}" + literal.replace("{", "{{").replace("}", "}}")
        for name, literal in parts
    )


def dollars(parts):
    return "".join("${" + name + "}" + literal.replace("$", "$$") for name, literal in parts)


WRITERS = {"%": percent, "{": braces, "$": dollars}
RECORDS = st.builds(
    make,
    message=TEXTS.map(lambda text: text.replace("%", "%%") + " %s"),
    args=st.tuples(st.one_of(TEXTS, st.integers(), st.none())),
    created=st.floats(0, 4e9),
    exc_info=st.sampled_from([None, raised(ValueError("bad\nvalue")), (None, None, None)]),
    stack=st.sampled_from([None, "Stack (most recent call last):\n  File"]),
    ratio=st.floats(),
)


@settings(deadline=None, max_examples=300)
@given(
    style=st.sampled_from("%{$"),
    parts=st.lists(st.tuples(st.sampled_from(FIELDS), LITERALS), min_size=1, max_size=6),
    record=RECORDS,
    datefmt=st.sampled_from([None, "", "%H:%M", "%d.%m.%Y %H:%M:%S %z %%", "week %V"]),
    has_tenant=st.booleans(),
)
def test_kept_newlines_mean_stdlib_bytes(style, parts, record, datefmt, has_tenant):
    """Any layout, record and time layout gives what `logging.Formatter` gives."""
    fmt = WRITERS[style](parts)
    if has_tenant:
        record.tenant = "acme\n"
    defaults = {"tenant": "none", "name": "never used"}
    ours = TextFormatter(fmt, datefmt, style, defaults=defaults, newlines="keep").format(record)
    theirs = logging.Formatter(fmt, datefmt, style, defaults=defaults).format(record)
    assert ours == theirs


@pytest.mark.parametrize(
    ("style", "fmt"),
    [
        ("{", "{message:{levelno}} {tenant.real} {tags[0]}"),
        ("{", "{{{message!r:^20}}} {levelname.__class__.__name__}"),
        ("%", "%(message).3s %(lineno)+5d %(lineno)x %(ratio)e %% %(process)05ld"),
        ("%", "%(asctime)30s|%(asctime)s|%(message)s|%(message)s"),
        ("$", "$asctime ${message} $$ $levelname"),
    ],
)
def test_odd_layouts_give_stdlib_bytes(style, fmt):
    """Nested widths, lookups inside values and rare conversions are stdlib's."""
    record = make("hello", tenant=5, tags=["x"], ratio=0.25)
    ours = TextFormatter(fmt, style=style, newlines="keep").format(record)
    assert ours == logging.Formatter(fmt, style=style).format(record)


@pytest.mark.parametrize("style", ["%", "{", "$"])
def test_default_layout_fits_each_style(style):
    """Without a format each style writes time, level, logger and message."""
    record = make("hello", created=1057682985.896, levelname="INFO")
    text = TextSpec(style=style).formatter().format(record)
    assert text == logging.Formatter(DEFAULT_FORMATS[style], style=style).format(record)
    assert text.split(" ", 2)[2].split() == ["INFO", "app.db:", "hello"]


@pytest.mark.parametrize(
    ("style", "fmt"),
    [("%", "no field"), ("{", "{message"), ("{", "{message!x}"), ("$", "$"), ("%", "{message}")],
)
def test_layouts_stdlib_refuses_are_refused(style, fmt):
    """A layout that does not fit its style is a ValueError, as in stdlib."""
    with pytest.raises(ValueError, match=r".+"):
        TextSpec(format=fmt, style=style).formatter()


@pytest.mark.parametrize(
    ("style", "fmt"), [("%", "%(message)200000000s"), ("{", "{message:>200000000}")]
)
def test_foolish_widths_are_refused(style, fmt):
    """A width that would make one line fill the disk is a ValueError."""
    with pytest.raises(ValueError, match="width of"):
        TextSpec(format=fmt, style=style).formatter()


def test_time_follows_the_converter():
    """A converter set on the formatter is used, as in stdlib."""
    formatter = TextFormatter("%(asctime)s %(message)s", newlines="keep")
    formatter.converter = time.gmtime
    record = make(created=0.5)
    assert formatter.format(record) == "1970-01-01 00:00:00,500 hello"


def test_negative_times_are_rounded_down():
    """Times before 1970 share no cached second with later ones."""
    formatter = TextFormatter("%(asctime)s", newlines="keep")
    formatter.converter = time.gmtime
    texts = [formatter.format(make(created=moment)) for moment in (0.25, -0.25)]
    assert texts == ["1970-01-01 00:00:00,250", "1969-12-31 23:59:59,-250"]


def test_threads_may_share_one_formatter():
    """Records of different seconds formatted at once keep their own times."""
    formatter = TextFormatter("%(asctime)s %(message)s")
    stdlib = logging.Formatter("%(asctime)s %(message)s")
    wrong = []

    def work(start):
        for offset in range(300):
            record = make("x", created=float(start + offset))
            if formatter.format(record) != stdlib.format(record):
                wrong.append(record)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 10**6, 10**9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# One line per record


@pytest.mark.parametrize("style", ["%", "{", "$"])
def test_hostile_message_stays_one_line(style):
    """No control character of a message survives; what it was can be read."""
    text = TextSpec(style=style).formatter().format(make(HOSTILE))
    assert len(lines_of(text)) == 1
    assert r"a\r\nb\x1b[31mc\x00d\x7fe\x9bf\u2028g\u2029h\u202ei\u2066j\x0bk\x0cl\x85m" in text


@pytest.mark.parametrize("newlines", ["escape", "indent"])
def test_hostile_fields_cannot_forge_records(newlines):
    """A logger's name or an extra with line breaks ends no line either."""
    spec = TextSpec(format="%(name)s %(user)s %(message)s", newlines=newlines)
    record = make("ok", user=ValueError("x\n2024 ERROR forged"))
    record.name = "app\n2024 forged"
    assert len(lines_of(spec.formatter().format(record))) == 1


def test_layouts_own_line_breaks_stay():
    """Colours and line breaks that the layout itself has are meant."""
    spec = TextSpec(format="\x1b[1m%(levelname)s\x1b[0m\n  %(message)s")
    assert spec.formatter().format(make("a\nb")) == "\x1b[1mINFO\x1b[0m\n  a\\nb"


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_message_is_one_line(message):
    """Whatever the message, the result has no line break and no control but tab."""
    text = TextSpec(format="%(message)s").formatter().format(make(message))
    assert len(lines_of(text)) <= 1
    assert not any(ord(char) < 32 and char != "\t" for char in text)


def test_harmless_text_is_left_alone():
    """Tabs, accents, joined emoji and backslashes are no control characters."""
    message = "tab\there \u00e9 \U0001f468\u200d\U0001f469 C:\\new no\u00a0break"
    assert TextSpec(format="%(message)s").formatter().format(make(message)) == message


def test_indented_lines_cannot_pass_as_records():
    """With `indent` only the first line of a record starts at the margin."""
    spec = TextSpec(newlines="indent")
    record = make("one\r\ntwo\nthree\x1b", exc_info=raised(ValueError("x\ny")), stack="Stack\nS")
    first, *rest = lines_of(spec.formatter().format(record))
    assert first.endswith("one")
    assert rest[:2] == ["    two", r"    three\x1b"]
    assert all(line.startswith("    ") for line in rest)


def test_traceback_stays_readable():
    """A traceback keeps stdlib's lines below the record."""
    record = make("failed", exc_info=raised(ValueError("boom")), stack="Stack:\n  File")
    text = TextSpec().formatter().format(record)
    assert text == TextSpec(newlines="keep").formatter().format(record)
    assert "\nTraceback (most recent call last):\n  File" in text


def chained() -> ExcInfo:
    try:
        try:
            raise KeyError("first")
        except KeyError as first:
            first.add_note("a note\nFORGED by a note\nTraceback (most recent call last):\nFORGED")
            raise ValueError("second\nFORGED by text\n\nFORGED again") from first
    except ValueError:
        info = sys.exc_info()
    assert info[0] is not None
    assert info[1] is not None
    return (info[0], info[1], info[2])


def test_exception_text_cannot_forge_records():
    """Lines that an exception's text or notes put at the margin are indented."""
    text = TextSpec().formatter().format(make("failed", exc_info=chained()))
    at_margin = [line for line in lines_of(text)[1:] if line and not line.startswith(" ")]
    assert [line.split(" ")[0] for line in at_margin] == [
        "Traceback",
        "KeyError:",
        "The",
        "Traceback",
        "ValueError:",
    ]
    assert "    FORGED by a note" in text


def test_control_characters_in_tracebacks_are_escaped():
    """An escape sequence in an exception's text does not reach the terminal."""
    record = make("failed", exc_info=raised(ValueError("\x1b[2J\rhidden\u2028")))
    text = TextSpec().formatter().format(record)
    controls = {char for char in text if not char.isprintable()}
    assert controls <= ALLOWED_CONTROLS
    assert r"\x1b[2J\rhidden\u2028" in text


# Nothing is lost and nothing is left behind


@pytest.mark.parametrize(
    ("style", "fmt", "reason"),
    [
        ("%", "%(tenant)s %(message)s", "KeyError 'tenant'"),
        ("{", "{tenant} {message}", "KeyError 'tenant'"),
        ("$", "$tenant $message", "KeyError 'tenant'"),
        ("%", "%(name)d %(message)s", "TypeError %d format"),
        ("{", "{name.nope} {message}", "AttributeError"),
    ],
)
@pytest.mark.parametrize("newlines", ["escape", "indent", "keep"])
def test_missing_field_keeps_the_message(style, fmt, reason, newlines):
    """A layout that a record cannot fill leaves the reason and the message."""
    spec = TextSpec(format=fmt, style=style, newlines=newlines)
    text = spec.formatter().format(make("hello"))
    assert text.startswith(f"<unformattable: {reason}")
    assert text.endswith("> hello")


def test_wrong_arguments_keep_the_template():
    """Too few arguments for the message do not lose the record."""
    text = TextSpec(format="%(message)s").formatter().format(make("%s and %s", ("one",)))
    assert text == "<unformattable: TypeError> %s and %s"


class Exploding:
    def __str__(self):
        raise RuntimeError("no\ntext")

    __repr__ = __str__


class Bottomless:
    def __str__(self):
        return str(self)


@pytest.mark.parametrize("value", [Exploding(), Bottomless()])
def test_exploding_values_keep_the_record(value):
    """A `__str__` that raises, in a message or an extra, loses no record."""
    formatter = TextSpec(format="%(user)s %(message)s").formatter()
    assert formatter.format(make("seen", user=value)).endswith("> seen")
    assert "who: %s" in formatter.format(make("who: %s", (value,), user="x"))


@pytest.mark.parametrize("created", [float("nan"), 1e300, None, "today"])
def test_impossible_times_keep_the_record(created):
    """A record whose time is no time is shown without it."""
    record = make("hello")
    record.created = created
    assert TextSpec().formatter().format(record).endswith("> hello")


def test_large_message_is_whole():
    """A megabyte of message arrives as it was."""
    message = "x" * (1 << 20)
    assert TextSpec(format="%(message)s").formatter().format(make(message)) == message


def test_lone_surrogates_pass_through():
    """A lone surrogate is left for the encoder of the sink."""
    assert TextSpec(format="%(message)s").formatter().format(make("a\udc80b")) == "a\udc80b"


@pytest.mark.parametrize("newlines", ["escape", "indent", "keep"])
def test_record_is_left_untouched(newlines):
    """Formatting leaves neither message, asctime nor exc_text on the record."""
    record = make("a\n%s", ("b",), exc_info=raised(ValueError("x")), stack="s")
    before = dict(record.__dict__)
    TextSpec(newlines=newlines).formatter().format(record)
    assert record.__dict__ == before


def test_existing_exception_text_is_used():
    """A traceback that a filter has rewritten is the one that is shown."""
    record = make("failed", exc_info=raised(ValueError("secret")), exc_text="redacted")
    assert TextSpec(format="%(message)s").formatter().format(record) == "failed\nredacted"


def test_record_content_is_never_interpolated():
    """What looks like a field or a variable in a message is plain text."""
    message = "${env:HOME} %(name)s {name} ${name} ${jndi:ldap://x}"
    for style in "%{$":
        assert TextSpec(style=style).formatter().format(make(message)).endswith(message)
