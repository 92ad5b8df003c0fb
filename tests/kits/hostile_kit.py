"""Records that somebody made on purpose to break what shows or sends them."""

import datetime as dt
import logging
import sys


class Explodes:
    """Cannot be shown in any way."""

    def __str__(self):
        raise RuntimeError("no str")

    __repr__ = __format__ = __str__


class Lies:
    """Has a `str` that is none."""

    def __str__(self):
        return 5  # noqa: PLE0307

    __repr__ = __str__


class Endless(dict):
    """A mapping whose items fail part of the way."""

    def items(self):
        yield "a", 1
        raise RuntimeError("no more")


class Text(str):
    """A text whose every method fails."""

    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no str")

    def translate(self, table):
        raise RuntimeError("no translate")

    def isprintable(self):
        raise RuntimeError("no isprintable")


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def circle():
    value = {}
    value["self"] = [value]
    return value


CONTROLS = "".join(map(chr, [*range(32), *range(0x7F, 0xA0)]))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FORGED = "2030-01-01 00:00:00,000 CRITICAL root: forged"

MESSAGES = {
    "line-breaks": f"a\r\n{FORGED}\n{FORGED}\r{FORGED}\v{FORGED}\f{FORGED}\x1c{FORGED}\x85{FORGED}",
    "separators": f"a\u2028{FORGED}\u2029{FORGED}",
    "controls": CONTROLS,
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b31m\x1b[0m\x08\x08",
    "bidi": BIDI,
    "nul": "a\0b",
    "high-surrogate": "a\ud83d",
    "low-surrogate": "\udc80\udfff",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "percent": "%s %(message)s %n %d %%",
    "braces": "{0.__class__.__init__.__globals__} {message} {{",
    "lookups": "${env:HOME} ${jndi:ldap://x} $HOME %HOME%",
    "json": '"}\n{"level":"CRITICAL"}',
    "headers": "x\r\nBcc: victim@example.org\r\n\r\nbody",
    "smtp-end": "a\r\n.\r\nMAIL FROM:<x@y>",
    "empty": "",
    "blank": " \t ",
}

ARGUMENTS = {
    "too-few": ("%s %s", ("x",)),
    "too-many": ("none", ("x", "y")),
    "wrong": ("%d", ("x",)),
    "explodes": ("%s", (Explodes(),)),
    "lies": ("%s", (Lies(),)),
    "mapping": ("%(a)s %(b)s", ({"a": Explodes()},)),
    "wide": ("%200000s|", ("x",)),
    "exploding-message": (Explodes(), ()),
    "lying-message": (Lies(), ()),
    "bytes-message": (b"\xff\n", ()),
    "text-subclass": (Text("x"), ()),
    "no-message": (None, ()),
}

EXTRAS = {
    "names": {
        "": 1, "a b": 1, "a\nb": 1, "a=b": 1, 'a"b': 1, "é": 1, "\udc80": 1, "x" * 3000: 1,
        "a.b": 1, "\x1b[31m": 1, "\u2028": 1, "_private": 1, "__class__": 1,
    },
    "clashes": {
        "message": "m", "timestamp": 1, "level": 2, "logger": 3, "exception": 4, "stack": 5,
        "asctime": 6, "id": 7, "_id": 8, "short_message": 9, "host": 10, "version": 11, "ts": 12,
        "msg_": 13, "log.level": 14, "@timestamp": 15, "labels": 16, "log": 17, "error": {},
        "taskName": Explodes(), "subject": "s",
    },
    "numbers": {"nan": float("nan"), "inf": float("inf"), "big": 10**5000, "j": 1j, "b": True},
    "objects": {
        "o": Explodes(), "l": Lies(), "f": len, "c": Explodes, "g": (x for x in ()), "t": Text("x"),
        "e": Endless(a=1), "d": dt.datetime.max, "m": sys, "z": memoryview(b"\xff"),
    },
    "containers": {
        "deep": nested(500), "circle": circle(), "keys": {1: 2, None: 3, "1": 4, (5,): Explodes()},
        "set": {1, "a"}, "bytes": b"\xff\0", "strings": ["\ud800\n", "\u2028\x9b"],
    },
    "many": {f"k{number}": number for number in range(5000)},
    "odd-names": {5: 1, None: 2, (1,): 3},
}  # fmt: skip


class BadError(Exception):
    """An exception that cannot be shown."""

    def __str__(self):
        raise RuntimeError("no str")


def raised(fault):
    try:
        raise fault
    except Exception:
        return sys.exc_info()


MADE = {
    "nothing": {},
    "name": {"name": None},
    "name-number": {"name": 5},
    "level": {"levelno": None, "levelname": None},
    "level-text": {"levelno": "x", "levelname": 7},
    "level-huge": {"levelno": 10**30},
    "level-negative": {"levelno": -1},
    "created": {"created": None, "msecs": None},
    "created-text": {"created": "yesterday"},
    "created-nan": {"created": float("nan")},
    "created-far": {"created": 1e300},
    "created-before": {"created": -1e11},
    "line": {"lineno": "x", "pathname": None, "funcName": Explodes()},
    "thread": {"thread": None, "threadName": "\n", "process": Explodes()},
    "exc-true": {"exc_info": True},
    "exc-empty": {"exc_info": (None, None, None)},
    "exc-bogus": {"exc_info": ("a", "b", "c")},
    "exc-bad": {"exc_info": raised(BadError())},
    "exc-forges": {"exc_info": raised(ValueError(f"x\n{FORGED}\r\n{FORGED}\u2028{FORGED}"))},
    "exc-text": {"exc_text": f"Traceback (most recent call last):\n  x\nE: a\n{FORGED}"},
    "exc-bytes": {"exc_text": b"\xff\n"},
    "stack": {"stack_info": f"Stack (most recent call last):\n{FORGED}\r"},
    "stack-number": {"stack_info": 5},
    "args-number": {"msg": "x %s", "args": 5},
    "args-bad": {"msg": "x %s", "args": Explodes()},
}

LONG = {
    "message": {"msg": "x" * 10_000_000},
    "controls": {"msg": "\x1b\n" * 2_000_000},
    "wide": {"msg": "\U0001f600" * 2_000_000},
    "argument": {"msg": "%s", "args": ("y" * 10_000_000,)},
    "extra": {"msg": "m", "field": "z" * 10_000_000},
    "bytes": {"msg": "m", "field": b"\xff" * 3_000_000},
    "list": {"msg": "m", "field": [f"\u2028{n}" * 20 for n in range(50_000)]},
    "mapping": {"msg": "m", "field": {f"k{n}": {"v": "x" * 50} for n in range(50_000)}},
    "trace": {"msg": "m", "exc_info": raised(ValueError("t\n" * 2_000_000))},
    "name": {"msg": "m", "name": "n" * 1_000_000},
    "extras": {"msg": "m", **{f"k{n}": "x" * 100 for n in range(20_000)}},
}

#: Attributes that formatters and sinks read; a record may lack any of them.
ATTRIBUTES = list(logging.makeLogRecord({}).__dict__)


def make(message="m", args=(), **values):
    record = logging.LogRecord("app", logging.WARNING, "app.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


def records(*, with_long=False):
    """Yield (name, record) for all of them; each record is new."""
    for name, message in MESSAGES.items():
        yield f"message {name}", make(message)
        yield f"logger {name}", make(name=message)
        yield f"extra {name}", make(field=message, **{f"key{message}": message})
        yield f"level {name}", make(levelname=message)
    for name, (message, args) in ARGUMENTS.items():
        yield f"arguments {name}", make(message, args)
    for name, extra in EXTRAS.items():
        record = make()
        record.__dict__.update(extra)
        yield f"extra {name}", record
    for name, values in MADE.items():
        known = {"msg": "m", "levelno": 30, "levelname": "WARNING"} if values else {}
        yield f"made {name}", logging.makeLogRecord({**known, **values})
    for name in ATTRIBUTES:
        record = make()
        del record.__dict__[name]
        yield f"without {name}", record
    if with_long:
        yield from long_records()


def long_records():
    """Yield (name, record) for those of megabytes."""
    for name, values in LONG.items():
        yield f"long {name}", make(values["msg"], **{k: v for k, v in values.items() if k != "msg"})
