"""The rules about layouts and dates: what they tell, and above all what not."""

import logging
import platform
import string
import time

import pytest

from logroute.config.load import load
from logroute.diagnostics import Severity

CODES = frozenset({"LR401", "LR402", "LR405", "LR406", "LR409", "LR410", "LR411", "LR412"})


def check(formatter, handler=None, **more):
    """Return what is told of a formatter that the root logger's handler uses."""
    document = {
        "version": 1,
        "formatters": {"line": formatter},
        "handlers": {"out": {"type": "console", "formatter": "line", **(handler or {})}},
        "root": {"level": "INFO", "handlers": ["out"]},
        **more,
    }
    found = load(document, environ={}, advise=True).diagnostics
    return [item for item in found if item.code in CODES]


def codes(formatter, handler=None, **more):
    return [item.code for item in check(formatter, handler, **more)]


def helps(text):
    """Return code, marked text, help and fixed line of what is told of a layout in YAML."""
    document = f"version: 1\nformatters:\n  line: {text}\nhandlers:\n"
    document += "  out: {type: console, formatter: line}\nroot: {handlers: [out]}\n"
    told = []
    for item in load(document, environ={}, advise=True).diagnostics:
        if item.code in CODES and item.span.line == 3:
            line = document.splitlines()[2]
            marked = line[item.span.column - 1 : item.span.end_column - 1]
            edit = item.fix.edits[0] if item.fix else None
            told.append((item.code, marked, item.help, edit and edit.text))
    return told


# -- LR401


@pytest.mark.parametrize(
    ("style", "layout"),
    [
        ("%", "%(asctime)s %(levelname)-8s %(taskName)s %(process)d %(msecs)03d %% %(message)s"),
        ("{", "{asctime} {levelname:<8} {args[0]} {exc_info!r} {{x}} {message:>{lineno}}"),
        ("$", "$asctime ${levelname} $$x ${message}"),
    ],
)
def test_fields_of_records_are_known(style, layout):
    """Every attribute of a record is known, whatever is done with it."""
    assert codes({"format": layout, "style": style}) == []


@pytest.mark.parametrize(
    ("style", "layout"), [("%", "%(levlname)s %(message)s"), ("{", "{levlname} {message}")]
)
def test_misspelt_field_is_marked_and_fixed(style, layout):
    """The caret stands under the name, and the fix corrects it and nothing else."""
    ((code, marked, cure, fixed),) = helps(f"{{format: '{layout}', style: '{style}'}}")
    assert (code, marked, cure) == ("LR401", "levlname", "did you mean `levelname`?")
    assert fixed == f'"{layout.replace("levlname", "levelname")}"' or fixed == layout.replace(
        "levlname", "levelname"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("level", "levelname"), ("logger", "name"), ("timestamp", "asctime"), ("func", "funcName")],
)
def test_names_of_others_are_translated(name, meant):
    """What other loggers call a field leads to stdlib's name."""
    (found,) = check({"format": f"%({name})s %(message)s"})
    assert found.help == f"did you mean `{meant}`?"


@pytest.mark.parametrize("name", ["hostname", "request_id", "trace_id", "client_addr", "app_name"])
def test_field_of_the_program_is_no_slip(name):
    """A name like none of stdlib's gets no guess."""
    (found,) = check({"format": f"%({name})s %(message)s"})
    assert found.severity is Severity.WARNING
    assert "did you mean" not in found.help


def test_field_for_certain_loggers_is_a_remark():
    """Where no record of a library gets to, the program may set the field on each record."""
    more = {"root": "INFO", "loggers": {"app.access": {"handlers": ["out"]}}}
    (found,) = check({"format": "%(client)s %(message)s"}, **more)
    assert found.severity is Severity.INFO
    routes = [{"match": {"logger": "app"}, "to": "out"}, {"match": {"level": "ERROR"}, "to": "out"}]
    (found,) = check({"format": "%(client)s %(message)s"}, root="INFO", routes=routes)
    assert found.severity is Severity.WARNING


FOREIGN = {"f": {"()": "app.RequestFilter"}}


@pytest.mark.parametrize(
    "more",
    [
        {"context": {"tenant": "a"}},
        {"filters": {"f": {"type": "add_fields", "fields": {"tenant": "a"}}}},
        {"filters": {"f": {"type": "rename_fields", "fields": {"customer": "tenant"}}}},
        {"filters": FOREIGN},
        {"filters": FOREIGN, "handler": {"filters": ["f"]}},
    ],
)
def test_added_fields_are_known(more):
    """Context and filters give records more fields."""
    handler = more.pop("handler", None)
    assert codes({"format": "%(tenant)s %(message)s"}, handler, **more) == []
    assert codes({"format": "%(tenant)s %(message)s", "defaults": {"tenant": "-"}}) == []


@pytest.mark.parametrize(
    "formatter",
    [
        {"class": "app.Formatter", "format": "%(log_color)s %(asctime) %(threadname)s {message}"},
        {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(client_addr)s"},
        {"()": "pythonjsonlogger.jsonlogger.JsonFormatter", "format": "%(asctime) %(level)"},
        {"()": "app.Formatter", "datefmt": "%f YYYY"},
    ],
)
def test_own_formatters_read_their_own_way(formatter):
    """What a class of somebody's own makes of its layout is not known."""
    assert codes(formatter) == []


@pytest.mark.parametrize(
    ("formatter", "more"),
    [
        ({"class": "app.Formatter", "format": "%(levlname)s %(message)s"}, {}),
        ({"format": "%(levlname)s %(message)s"}, {"filters": FOREIGN}),
    ],
)
def test_slip_is_told_whoever_reads_it(formatter, more):
    """One wrong letter is a slip, also where fields may be added."""
    assert codes(formatter, **more) == ["LR401"]


def test_handler_class_may_add_fields():
    """A handler of somebody's own may set what its formatter needs."""
    handlers = {"out": {"class": "app.Handler", "formatter": "line"}}
    assert codes({"format": "%(tenant)s %(message)s"}, handlers=handlers) == []


def test_secret_layout_is_not_judged():
    """A layout from a secret is neither shown nor judged."""
    document = """
version: 1
formatters: {line: {format: "${file:/nowhere/secret}"}, other: {format: "${LAYOUT_TOKEN}"}}
handlers: {a: {type: console, formatter: line}, b: {type: console, formatter: other}}
root: {handlers: [a, b]}
"""
    environ = {"LAYOUT_TOKEN": "%(hunter2)s"}
    loaded = load(document, environ=environ, read_secrets=False, advise=True)
    assert not any("hunter2" in str(item) for item in loaded.diagnostics)


# -- LR402


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="says what glibc does")
@pytest.mark.parametrize("prefix", ["", "E", "O"])
def test_known_directives_are_those_of_the_c_library(prefix):
    """A directive is told exactly where `time.strftime` prints it as it stands."""
    now = time.gmtime(1_700_000_000)
    for letter in string.ascii_letters:
        directive = f"%{prefix}{letter}"
        told = codes({"format": "%(asctime)s %(message)s", "datefmt": f"%H {directive} %p"})
        is_printed = time.strftime(directive, now) == directive
        assert (told == ["LR402"]) == is_printed, directive


@pytest.mark.parametrize(
    "datefmt",
    [
        "%Y-%m-%d %H:%M:%S",
        "%d/%m/%Y %I:%M:%S %p",
        "%Y%m%dT%H%M%S%z",
        "%H:%M:%S %%",
        "%-d. %b %y, %_H:%M",
        "%a, %d %b %Y %T %Z",
        "%Hh%Mm%Ss",
        "%s",
        "%m-%d %H:%M",
        "%I o'clock %P",
        "",
        None,
    ],
)
def test_sound_dates_are_silent(datefmt):
    """What prints the date as it says is not told."""
    assert codes({"format": "%(asctime)s %(message)s", "datefmt": datefmt}) == []


@pytest.mark.parametrize(
    ("datefmt", "marked", "meant"),
    [
        ("%H:%M:%S.%f", "%f", None),
        ("%H:%M:%S,%03d", "%03d", None),
        ("%Y-%M-%d", "%M", "%m"),
        ("%d/%M/%Y", "%M", "%m"),
        ("%H:%m:%S", "%m", "%M"),
        ("%d.%mm.%y", "%mm", "%m"),
        ("%YYYY-%m-%d", "%YYYY", "%Y"),
        ("%I:%M", "%I", "%H"),
        ("%H:%M %", "%", "%%"),
        ("YYYY-MM-DD HH:mm:ss,SSS", "YYYY-MM-DD HH:mm:ss,SSS", "%Y-%m-%d %H:%M:%S"),
        ("dd/MM/yyyy", "dd/MM/yyyy", "%d/%m/%Y"),
        ("ISO8601", "ISO8601", "%Y-%m-%dT%H:%M:%S%z"),
        ("H:i:s", "H:i:s", None),
    ],
)
def test_odd_dates_are_told(datefmt, marked, meant):
    """The caret stands under what is odd, and a guess says what was meant."""
    ((code, found, cure, fixed),) = helps(
        f"{{format: '%(asctime)s %(message)s', datefmt: '{datefmt}'}}"
    )
    assert (code, found) == ("LR402", marked)
    assert (f"`{meant}`" in cure) == (meant is not None)
    assert (fixed is None) == (meant is None)


# -- what a layout lacks


@pytest.mark.parametrize(
    "formatter",
    [
        {"format": "%(msg)s"},
        {"datefmt": "%H:%M:%S", "newlines": "indent"},
        {"format": '{"message": "%(message)s", "at": "%(asctime)s"}'},
        {"format": "{message} 100 %", "style": "{"},
        {"format": "$message costs $$5 (%d)", "style": "$"},
        {"format": "%(message)s {x} {} $x {request} %(asctime)s"},
        {"type": "json"},
        {},
    ],
)
def test_sound_layouts_are_silent(formatter):
    """What shows the message in its own style is not told."""
    assert codes(formatter) == []


def test_access_log_without_message_is_silent():
    """A layout of fields of one's own shows what it wants."""
    more = {"context": {"client": "-"}}
    assert codes({"format": "%(asctime)s %(client)s"}, **more) == []
    assert codes({"format": "%(asctime)s"}, **more) == ["LR406"]


def test_unused_layout_needs_no_message():
    """Nobody misses the message in a layout that nobody uses; that is told instead."""
    assert codes({"format": "%(asctime)s"}, {"formatter": None}) == []


@pytest.mark.parametrize(
    ("layout", "marked"),
    [
        ("%(asctime)s %(levelname) %(message)s", "%(levelname)"),
        ("%(asctime)s %(levelname)-8 %(message)s", "%(levelname)-8"),
        ("%(asctime)s [%(process)] %(message)s", "%(process)"),
    ],
)
def test_lost_letter_is_marked_and_fixed(layout, marked):
    """The fix puts the letter in, after which the layout shows the field."""
    ((code, found, _, fixed),) = helps(f"{{format: '{layout}'}}")
    assert (code, found) == ("LR409", marked)
    assert fixed.strip("'\"") == layout.replace(marked, f"{marked}s")
    record = logging.makeLogRecord({"msg": "hello", "levelname": "INFO"})
    assert logging.Formatter(fixed.strip("'\"")).format(record).endswith("hello")


@pytest.mark.parametrize(
    ("style", "layout", "right"),
    [
        ("%", "%(asctime)s {message}", "%(message)s"),
        ("%", "%(asctime)s $message", "%(message)s"),
        ("{", "{asctime} %(message)s", "{message}"),
        ("{", "{asctime} $message", "{message}"),
        ("$", "$asctime %(message)s", "$message"),
        ("$", "$asctime {message}", "$message"),
    ],
)
def test_field_of_other_style_is_told(style, layout, right):
    """What another style calls a field is shown as it stands."""
    ((code, _, cure, _),) = helps(f"{{format: '{layout}', style: '{style}'}}")
    assert (code, cure) == ("LR411", f"write `{right}`")


def test_date_format_needs_the_date():
    """`datefmt` without `asctime` has no effect; the default of ours shows it."""
    assert codes({"format": "%(message)s", "datefmt": "%H:%M"}) == ["LR412"]
    assert codes({"datefmt": "%H:%M"}) == ["LR412"]
    assert codes({"type": "text", "datefmt": "%H:%M"}) == []
    assert codes({"format": "{asctime:>9} {message}", "style": "{", "datefmt": "%H:%M"}) == []


def test_style_of_fields_is_a_fix():
    """A layout that would be refused gets the style that its fields are written in."""
    ((code, _, cure, fixed),) = helps("{format: '{asctime} {message}'}")
    assert (code, fixed) == ("LR405", 'style: "{"')
    assert cure.endswith('write `style: "{"`')


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ({"class": "logging.StreamHandler"}, ["LR410"]),
        ({"class": "logging.StreamHandler", "formatter": "line"}, []),
        ({"class": "logging.NullHandler"}, []),
        ({"class": "logging.handlers.SocketHandler", "host": "localhost", "port": 9020}, []),
        ({"class": "rich.logging.RichHandler"}, []),
        ({"type": "console"}, []),
    ],
)
def test_bare_messages_are_of_writers(handler, expected):
    """Only what writes the text of a record alone lacks a formatter."""
    assert codes({"format": "%(message)s"}, handlers={"out": handler}) == expected


@pytest.mark.parametrize(
    ("style", "layout", "marked", "meant"),
    [
        ("%", "%(asctime)s %(message)d", "%(message)d", "%(message)s"),
        ("%", "%(asctime)d %(message)s", "%(asctime)d", "%(asctime)s"),
        ("%", "%(levelname)-8d %(message)s", "%(levelname)-8d", "%(levelname)-8s"),
        ("%", "%(name).2f %(message)s", "%(name).2f", "%(name)s"),
        ("{", "{levelname:>8d} {message}", "{levelname:>8d}", "{levelname}"),
    ],
)
def test_text_shown_as_number_fails(style, layout, marked, meant):
    """It is told just where formatting a record raises, and the cure does not raise."""
    ((code, place, cure, fixed),) = helps(f"{{format: '{layout}', style: '{style}'}}")
    assert (code, place, cure) == ("LR409", marked, f"write `{meant}`")
    record = logging.LogRecord("app", 20, "/a.py", 1, "hello", (), None)
    with pytest.raises((TypeError, ValueError)):
        logging.Formatter(layout, style=style).format(record)
    assert logging.Formatter(layout.replace(marked, meant), style=style).format(record)
    assert meant in fixed


@pytest.mark.parametrize(
    ("style", "layout"),
    [
        ("%", "%(levelno)d %(lineno)05d %(created)f %(msecs)03d %(process)d %(message)s"),
        ("%", "%(thread)x %(relativeCreated)d %(message)s"),
        ("%", "%(message)-20s %%(name)d %(name)r %(module)a"),
        ("%", "%(msg)d %(message)s"),
        ("{", "{levelno:d} {created:.3f} {message:>10} {name:s} {{name:d}} {asctime!r:>9}"),
        ("$", "$message"),
    ],
)
def test_numbers_shown_as_numbers_are_silent(style, layout):
    """A number may be shown as one, and `msg` may be a number."""
    assert codes({"format": layout, "style": style}) == []
