"""Values of stdlib's handlers: those that their constructors, or their records, fail on.

Each check is a line in `_CHECKS`; what it says was tried with the standard library.
"""

import sys
from collections.abc import Callable, Iterator, Mapping

from logroute.config.findings import subject
from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import rule
from logroute.config.views.calls import UNKNOWN, Call, calls, value_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity
from logroute.hints import nearest
from logroute.light import Any, NamedTuple
from logroute.patterns import lazy_pattern
from logroute.shapes import Flag
from logroute.units import parse_size

__all__ = ["ADVICE", "STREAMS", "text_for_objects", "wrong_arguments"]

#: The streams that a file may name.
STREAMS = ("stdout", "stderr", "stdin")
_EACH = "each record fails"
_ROLLOVER = "the first rollover fails"
# `host:514`, or a Python tuple as INI files have it
_PAIR = lazy_pattern(r"""\(?["' ]*([\w.-]+)["' ]*[:,] *([0-9]{1,5}) *\)?""")
_SOCKET_TYPES = {"tcp": "STREAM", "stream": "STREAM", "udp": "DGRAM", "dgram": "DGRAM"}


class _Fault(NamedTuple):
    """What is wrong with an argument: ``{key}`` ``must be ...``, and what follows from it.

    Attributes:
        what: ends the sentence that begins with the argument.
        cure: what to do.
        follows: what happens then; empty where the file is not loaded.
        value: what to write instead, where that is certain.
        is_safe: whether writing it changes nothing that works.
        is_shown: whether the message may show the value.
    """

    what: str
    cure: str
    follows: str = ""
    value: Any = None
    is_safe: bool = True
    is_shown: bool = True


class _Given(NamedTuple):
    """One argument of a call."""

    call: Call
    key: str
    value: Any

    def other(self, key: str, default: Any = None) -> Any:
        """Return another argument of the same call."""
        return self.call.get(key, default)


_Check = Callable[[_Given], _Fault | None]


@rule("LR909", Severity.ERROR)
def wrong_arguments(facts: Facts) -> Iterator[Diagnostic]:
    """Find arguments of standard handlers that have the wrong type (LR909).

    Some end in a `TypeError` when the file is loaded; others, which are warnings,
    only when a record is written, and then each time::

        handlers:
          log:
            class: logging.handlers.RotatingFileHandler
            filename: /var/log/shop/app.log
            maxBytes: "10485760"
            backupCount: 5

    Write the number without quotes.
    """
    yield from _told(facts, "LR909", _CHECKS)


@rule("LR908", Severity.WARNING)
def text_for_objects(facts: Facts) -> Iterator[Diagnostic]:
    """Find texts where a standard handler needs a Python object (LR908).

    The name of an object is only a text, unless `ext://` stands before it. This
    handler is made, and every record then fails with an `AttributeError`::

        handlers:
          console: {class: logging.StreamHandler, stream: sys.stdout}

    Write `stream: ext://sys.stdout`.
    """
    yield from _told(facts, "LR908", _OBJECTS)


def _told(facts: Facts, code: str, table: Mapping[str, Mapping[str, _Check]]) -> Iterator[Any]:
    for call in calls(facts):
        for key, node in call.arguments().items():
            if key not in call.signature.names:
                continue
            tables = (table.get(base.__name__, {}) for base in call.cls.__mro__)
            check = next((checks[key] for checks in tables if key in checks), None)
            value = value_of(node) if check is not None else UNKNOWN
            if check is None or value is UNKNOWN:
                continue
            fault = check(_Given(call, key, value))
            if fault is not None:
                yield _diagnostic(facts, code, call, key, node, fault)


def _diagnostic(
    facts: Facts, code: str, call: Call, key: str, node: Node, fault: _Fault
) -> Diagnostic:
    path = (*call.path, key)
    message = f"{subject(path)} {fault.what}"
    if fault.is_shown:
        message += f", got {facts.view.show(path)}"
    if fault.follows:
        message += f"; {fault.follows}"
    fix: Fix | None = None
    if fault.value is not None:
        from logroute.config.views.fixes import replace  # only for a finding

        fix = replace(node, fault.value, is_safe=fault.is_safe)
    severity = Severity.WARNING if fault.follows else Severity.ERROR
    cure = None if facts.view.is_secret(path) else fault.cure  # which may quote the value
    return Diagnostic(severity, code, message, node.span, cure, fix=fix)


# -- numbers and flags ---------------------------------------------------------------------


def _number(follows: str = "", *, whole: bool = False) -> _Check:
    def check(given: _Given) -> _Fault | None:
        value = given.value
        if isinstance(value, int) or (isinstance(value, float) and not whole):
            return None
        what = "must be a whole number" if whole else "must be a number"
        if isinstance(value, float):
            return _Fault(what, "write it without a fraction", follows)
        number = _as_number(value)
        cure = f"write `{given.key}: {number}`" if number is not None else "write a plain number"
        if value is None:
            cure = "write a number, or leave the key out"
        return _Fault(what, cure, follows, number)

    return check


def _as_number(value: Any) -> int | None:
    """Return the number that a text spells."""
    if not isinstance(value, str):
        return None
    text = value.strip().replace("_", "")
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    try:
        return parse_size(value)
    except ValueError:
        return None


def _flag(given: _Given) -> _Fault | None:
    if not isinstance(given.value, str):
        return None
    meant = Flag.WORDS.get(given.value)
    if meant is bool(given.value):
        return None
    right = "false" if meant is False else "true` or `false"
    value = False if meant is False else None
    follows = f"as a text it counts as {'true' if given.value else 'false'}"
    cure = f"write `{given.key}: {right}`, without quotes"
    return _Fault("must be true or false", cure, follows, value, is_safe=False)


# -- files ---------------------------------------------------------------------------------


def _file_name(given: _Given) -> _Fault | None:
    return None if isinstance(given.value, str) else _Fault("must be a path", "write a path")


def _mode(given: _Given) -> _Fault | None:
    rolls = given.call.is_a("RotatingFileHandler") and given.other("maxBytes", 0)
    if isinstance(given.value, str) or rolls:
        return None  # a file that rolls is always appended to
    cure = "it says how to open the file: `a` to append, `w` to begin anew; not who may read it"
    return _Fault("must be text", cure)


def _encoding(given: _Given) -> _Fault | None:
    if given.value is None or isinstance(given.value, str):
        return None
    follows = _EACH if given.other("delay") else ""
    return _Fault("must be text", "write `encoding: utf-8`", follows, "utf-8")


# -- networks ------------------------------------------------------------------------------


def _mail_host(given: _Given) -> _Fault | None:
    value = given.value
    if isinstance(value, list | tuple):
        if len(value) == 2:
            return None
        return _Fault("must be a host, or a host and a port", "write `mailhost: [HOST, PORT]`")
    pair = _PAIR.fullmatch(value) if isinstance(value, str) else None
    if pair is None:
        return None
    cure = f"write `mailhost: [{shown(pair[1])}, {pair[2]}]`"
    what = "is one text, which is taken for the name of a host"
    return _Fault(what, cure, _EACH, [pair[1], int(pair[2])], is_shown=False)


def _credentials(given: _Given) -> _Fault | None:
    if given.value is None:
        return None
    if isinstance(given.value, list | tuple):
        if len(given.value) == 2:
            return None
        what = "must be a user name and a password"
        return _Fault(what, "write both: `credentials: [USER, PASSWORD]`", is_shown=False)
    what = "must be a list of a user name and a password"
    follows = "as it stands nobody logs in"
    return _Fault(what, "write `credentials: [USER, PASSWORD]`", follows, is_shown=False)


def _secure(given: _Given) -> _Fault | None:
    has_login = isinstance(given.other("credentials"), list | tuple)
    if given.value is None or isinstance(given.value, list | tuple | dict) or not has_login:
        return None
    what = "must be a list of a key file and a certificate file, which may be empty"
    cure = "write `secure: []` for STARTTLS, or leave the key out"
    return _Fault(what, cure, _EACH)


def _syslog_address(given: _Given) -> _Fault | None:
    value = given.value
    if isinstance(value, list | tuple):
        if len(value) != 2:
            return _Fault("must be a host and a port, or a path", "write `address: [HOST, 514]`")
        is_datagram = given.other("socktype") in (None, 2)
        if not isinstance(value[1], str) or not value[1].isdigit() or not is_datagram:
            return None
        cure = f"write `address: [{shown(str(value[0]))}, {value[1]}]`"
        right = [value[0], int(value[1])]
        return _Fault("must have a number for its port", cure, _EACH, right, is_shown=False)
    if not isinstance(value, str) or not value or "/" in value or value[0] == "\0":
        return None
    what = "is one text, which is taken for the path of a Unix socket"
    pair = _PAIR.fullmatch(value)
    if pair is None:
        return _Fault(what, "write `address: [HOST, 514]`", _EACH, is_shown=False)
    cure = f"write `address: [{shown(pair[1])}, {pair[2]}]`"
    return _Fault(what, cure, _EACH, [pair[1], int(pair[2])], is_shown=False)


def _facility(given: _Given) -> _Fault | None:
    from logging.handlers import SysLogHandler  # the file names it

    value, names = given.value, SysLogHandler.facility_names
    if isinstance(value, int) or (isinstance(value, str) and value in names):
        return None
    best = nearest(value, names) if isinstance(value, str) else None
    number = _as_number(value)
    right: Any = best if number is None else number
    cure = f"write `facility: {right}`" if right is not None else "write a name such as `local0`"
    return _Fault("must be the name or number of a facility", cure, _EACH, right)


def _method(given: _Given) -> _Fault | None:
    if isinstance(given.value, str) and given.value.upper() in ("GET", "POST"):
        return None
    return _Fault("must be GET or POST", "write `method: POST`")


def _web_credentials(given: _Given) -> _Fault | None:
    if given.value is None or (isinstance(given.value, tuple) and len(given.value) == 2):
        return None
    what = "must be a Python tuple, which a file cannot hold"
    cure = "use `type: http`, which has `auth`"
    return _Fault(what, cure, _EACH, is_shown=False)


# -- objects -------------------------------------------------------------------------------


def _stream(given: _Given) -> _Fault | None:
    value = given.value
    if value is None or not isinstance(value, str | int | float | bool):
        return None
    right = _stream_of(value) if isinstance(value, str) else None
    cure = f"write `stream: {right}`" if right else "write `stream: ext://sys.stdout`"
    return _Fault("must be a stream", cure, _EACH, right)


def _stream_of(text: str) -> str | None:
    word = text.strip().removeprefix("sys.").casefold()
    if word in STREAMS:
        return f"ext://sys.{word}"
    is_dotted = "." in text and all(part.isidentifier() for part in text.split("."))
    return f"ext://{text}" if is_dotted and not text.endswith((".log", ".txt")) else None


def _socket_type(given: _Given) -> _Fault | None:
    if not isinstance(given.value, str):
        return None
    word = given.value.casefold().removeprefix("socket.").removeprefix("sock_")
    name = _SOCKET_TYPES.get(word)
    right = f"ext://socket.SOCK_{name}" if name else None
    cure = f"write `socktype: {right or 'ext://socket.SOCK_DGRAM'}`"
    return _Fault("must be a constant of `socket`", cure, value=right)


def _time_of_day(given: _Given) -> _Fault | None:
    when = given.other("when", "h")
    is_used = isinstance(when, str) and when.upper().startswith(("MIDNIGHT", "W"))
    if not is_used or not isinstance(given.value, str | int | float):
        return None
    what = "must be a `datetime.time`"
    return _Fault(what, "leave it out, or name an object of yours: `ext://package.module.NAME`")


def _queue(given: _Given) -> _Fault | None:
    is_used = given.call.maker == "()" or "handlers" not in given.call.entry
    resolves = given.call.maker == "class" and sys.version_info >= (3, 12)
    if not isinstance(given.value, str) or not is_used or resolves:
        return None
    return _Fault("must be a queue", f"write `queue: ext://{shown(given.value)}`", _EACH)


def _target(given: _Given) -> _Fault | None:
    if given.call.maker == "class" or not isinstance(given.value, str):
        return None  # dictConfig puts the handler of that name there
    return _Fault("must be a handler", "write `class` in place of `()`", "each flush fails")


def _flush_level(given: _Given) -> _Fault | None:
    if sys.version_info >= (3, 13) or isinstance(given.value, int | float):
        return None  # a later Python reads names, too
    import logging

    names = logging.getLevelNamesMapping()
    number = names.get(given.value) if isinstance(given.value, str) else None
    cure = f"write `flushLevel: {40 if number is None else number}`"
    return _Fault("must be the number of a level", cure, _EACH, number)


_CHECKS: Mapping[str, Mapping[str, _Check]] = {
    "FileHandler": {
        "filename": _file_name,
        "mode": _mode,
        "encoding": _encoding,
        "delay": _flag,
    },
    "RotatingFileHandler": {
        "maxBytes": _number(),
        "backupCount": _number(_ROLLOVER, whole=True),
    },
    "TimedRotatingFileHandler": {
        "interval": _number(),
        "backupCount": _number(_ROLLOVER, whole=True),
        "utc": _flag,
    },
    "SysLogHandler": {"address": _syslog_address, "facility": _facility},
    "DatagramHandler": {"port": _number(_EACH, whole=True)},
    "SMTPHandler": {
        "mailhost": _mail_host,
        "credentials": _credentials,
        "secure": _secure,
        "timeout": _number(_EACH),
    },
    "HTTPHandler": {"method": _method, "credentials": _web_credentials, "secure": _flag},
    "BufferingHandler": {"capacity": _number(_EACH)},
    "MemoryHandler": {"flushLevel": _flush_level, "flushOnClose": _flag},
}
_OBJECTS: Mapping[str, Mapping[str, _Check]] = {
    "StreamHandler": {"stream": _stream},
    "SysLogHandler": {"socktype": _socket_type},
    "TimedRotatingFileHandler": {"atTime": _time_of_day},
    "QueueHandler": {"queue": _queue},
    "MemoryHandler": {"target": _target},
}

ADVICE = (wrong_arguments, text_for_objects)
