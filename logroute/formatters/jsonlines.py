"""The common case of the `json` formatter, compiled for a number of extras.

Level and logger are written once, with their keys; what is left for each record are
the time, the message and the values, put into one string.
"""

from collections.abc import Callable, Mapping, Sequence
from logging import LogRecord

from logroute.formatters.clock import CARRIES, DIGITS, UtcClock
from logroute.formatters.compiled import (
    CREATED,
    MESSAGE,
    TRACED,
    Memo,
    function,
    indented,
    straight,
)
from logroute.formatters.jsontext import JsonText, encodable
from logroute.framing import Framing, Straight
from logroute.light import Any

__all__ = ["line_names", "line_writer", "straight_writer"]

_SOURCE = """\
def write(record):
    values = record.__dict__
    {message}
    level, name, created = values["levelname"], values["name"], values["created"]
    {assign}
    text = f'{line}'
    if {traced}:
        text = text[:-1] + traces(record)
    if text.isascii() and delete not in text:
        return text
    return encodable(text)
"""

_STRAIGHT = """\
{same}
values = extra
{assign}
text = f'{line}'
if not text.isascii() or delete in text:
    text = encodable(text)
"""

# As `UtcClock` does; another second is left to it.
_CLOCK = "second, begun = clock.last\n"
_MICROS = """\
offset = created - second
if not 0.0 <= offset < carries:
    return {otherwise}
micros = int(offset * 1000000 + 0.5)
"""
_DIGITS = "{digits[micros // 1000]}{digits[micros % 1000]}"

# Shorter texts cost more to decode than orjson saves.
_SHORT = 40
# More extras than that are written by a loop.
_MOST_UNROLLED = 12


def line_names(
    json_text: JsonText,
    clock: Callable[[float], str],
    general: Callable[[LogRecord], str],
    traces: Callable[[LogRecord], str],
) -> dict[str, Any]:
    """Return what the functions of one formatter use.

    Args:
        json_text: writes values.
        clock: returns a time as text; a number, unless it is a `UtcClock`.
        general: formats any record.
        traces: returns the end of a record with a traceback or a stack.
    """
    quote = json_text.quote
    mark, zone = ('"', 'Z"') if isinstance(clock, UtcClock) else ("", "")
    return {
        "head": f'{{"timestamp":{mark}',
        "clock": clock,
        "carries": CARRIES,
        "digits": DIGITS,
        "levels": Memo(lambda level: f'{zone},"level":{quote(level)}'),
        "loggers": Memo(lambda logger: f',"logger":{quote(logger)},"message":'),
        "quote": quote,
        "dumps": json_text.dumps,
        "json_text": json_text,
        "end": "}",
        "delete": "\x7f",
        "general": general,
        "traces": traces,
        "encodable": encodable,
    }


def line_writer(
    pairs: Sequence[tuple[str, str]], names: Mapping[str, Any]
) -> Callable[[LogRecord], str]:
    """Return a function from record to line; it raises where `general` must decide.

    Args:
        pairs: attributes to write behind the message, and their keys as `"key":`.
        names: see `line_names`.
    """
    is_utc = isinstance(names["clock"], UtcClock)
    moment = f"{{begun}}{_DIGITS}" if is_utc else "{clock(created)}"
    behind, assign, own = _behind(pairs, names)
    if is_utc:
        assign += _CLOCK + _MICROS.format(otherwise="general(record)")
    source = _SOURCE.format(
        message=indented(MESSAGE, 1),
        assign=indented(assign, 1),
        line=f"{{head}}{moment}{{levels[level]}}{{loggers[name]}}{behind}",
        traced=TRACED,
    )
    return function(source, own)


def straight_writer(
    pairs: Sequence[tuple[str, str]],
    names: Mapping[str, Any],
    framing: Framing,
    shape: list[str],
) -> Straight:
    """Return the function that `compiled.straight` makes, for extras that make these `pairs`.

    The names of those extras are `shape`; it ends before one that has others.
    """
    behind, assign, own = _behind(pairs, names)
    before, line = "", f"{{head}}{{clock(created)}}{{common}}{behind}"
    if isinstance(names["clock"], UtcClock):
        before = f"{_CLOCK}start = head + begun\n"
        assign = _MICROS.format(otherwise="") + assign
        line = f"{{start}}{_DIGITS}{{common}}{behind}"
    same = "if not extra or [*extra] != shape:" if shape else "if extra:"
    body = _STRAIGHT.format(same=f"{same}\n    return", assign=CREATED + assign, line=line)
    own |= {"end": own["end"] + framing.end, "shape": shape}
    return straight(before, "common = levels[level] + loggers[name]\n", body, own, framing)


def _behind(
    pairs: Sequence[tuple[str, str]], names: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    """Return the text behind the logger, between quotes, what goes before, and what both name."""
    # orjson reads texts many characters at a time; it refuses surrogates, loudly
    quoted = "quote({0})"
    if names["dumps"] is not None:
        quoted = f"({quoted} if len({{0}}) < {_SHORT} else dumps({{0}}).decode())"
    line = f"{{{quoted.format('message')}}}"
    assign, own = "", dict(names)
    if len(pairs) > _MOST_UNROLLED:
        own["pairs"] = [(name, f",{key}") for name, key in pairs]
        assign = 'more = "".join([key + json_text(values[attr]) for attr, key in pairs])\n'
        line += "{more}"
        pairs = ()
    for at, (name, key) in enumerate(pairs):
        own |= {f"name{at}": name, f"key{at}": f",{key}"}
        value = f"value{at}"
        assign += f"{value} = values[name{at}]\n"
        text = f"{quoted.format(value)} if type({value}) is str"
        line += (
            f"{{key{at}}}{{{text} else {value} if type({value}) is int else json_text({value})}}"
        )
    return f"{line}{{end}}", assign, own
