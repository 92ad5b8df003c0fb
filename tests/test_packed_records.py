"""Records packed for a spool, a fallback or a dead letter file, and unpacked again."""

import json
import logging
import sys

import pytest

from logroute.formatters.json import JsonFormatter
from logroute.records import exception_names, extras, pack, unpack


class AppError(LookupError):
    """An exception of the application."""


class Unprintable:
    def __repr__(self):
        raise RuntimeError


def make(message="%d of %s", args=(3, "all"), exc_info=None, **extra):
    record = logging.LogRecord("app.db", 30, "/srv/db.py", 7, message, args, exc_info, "load")
    record.__dict__.update(extra)
    return record


def failed():
    try:
        raise AppError("gone")
    except AppError:
        return make(exc_info=sys.exc_info())


def test_plain_record_comes_back():
    """Name, level, place, time, thread, message and extras survive."""
    before = make(tenant="acme", retry={"n": 2, "of": [1, None, True]})
    after = unpack(pack(before))
    for name in ("name", "levelno", "levelname", "pathname", "lineno", "funcName", "created"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.thread, after.process) == (before.thread, before.process)
    assert after.getMessage() == "3 of all"
    assert dict(extras(after)) == {"tenant": "acme", "retry": {"n": 2, "of": [1, None, True]}}


def test_packed_record_is_one_line_of_json():
    """What is packed is ASCII, one line, and strict JSON."""
    packed = pack(make("line\nbreak \udc80 \u2028", (), n=float("nan")))
    assert b"\n" not in packed and packed.isascii()
    assert json.loads(packed, parse_constant=pytest.fail)["extra"] == {"n": "nan"}
    assert unpack(packed).getMessage() == "line\nbreak \udc80 \u2028"


def test_exception_survives_as_text_and_names():
    """The traceback, the classes and the message of an exception survive."""
    before = failed()
    after = unpack(pack(before))
    assert exception_names(after)[:4] == exception_names(before)[:4]
    assert str(after.exc_info[1]) == "gone"
    text = logging.Formatter().format(after)
    assert text == logging.Formatter().format(before)
    assert json.loads(JsonFormatter().format(after))["exception"].endswith("AppError: gone")


def test_hostile_extras_are_cut_not_lost():
    """What JSON lacks becomes its repr, cut; nothing raises."""
    circle = {}
    circle["self"] = circle
    record = make(
        blob="x",
        object=object(),
        text=b"\xff" * 9000,
        circle=circle,
        bad=Unprintable(),
        huge=10**9999,
    )
    record.__dict__["keys"] = {1: "one", (2, 3): "two"}
    found = dict(extras(unpack(pack(record))))
    assert found["blob"] == "x"
    assert found["object"].startswith("<object object")
    assert len(found["text"]) == 2000
    assert found["bad"] == "<unprintable Unprintable>"
    assert found["huge"] == "<unprintable int>"
    assert found["keys"] == {"1": "one", "(2, 3)": "two"}


def test_message_that_cannot_be_made_is_packed():
    """A record with wrong arguments keeps its template."""
    assert unpack(pack(make("%d apples", ("many",)))).getMessage().endswith("%d apples")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"extra": 1, "message": "x"}', b"\xff"])
def test_other_bytes_are_refused(text):
    """Bytes that are no packed record raise ValueError."""
    with pytest.raises(ValueError):
        unpack(text)
