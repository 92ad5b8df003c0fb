"""The line that everybody writes, and how lines that arrived are counted and compared.

A line names a user and a number; each thread of a run has a user of its own and counts
from 0. So it is known of every line whether it came, came twice, came late or came
different from what `logging` would have written.
"""

import datetime as dt
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["JSON", "LAYOUT", "LOGGER", "READERS", "JsonLines", "Line", "Tally", "tally"]

LOGGER = "app.mod.sub"
LAYOUT = "%(asctime)s %(levelname)s %(name)s %(message)s"
#: All fields of a JSON line but its time and its message.
JSON = {"level": "INFO", "logger": LOGGER, "request_id": "r-7", "status": 200}

_MESSAGE = re.compile(rb"user (\w+) did (\d+)")
_PLAIN = re.compile(
    rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} INFO app\.mod\.sub user (\w+) did (\d+)"
)
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"})


class JsonLines(logging.Formatter):
    """What a program without a library for it writes to have JSON lines of `logging`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object."""
        stamp = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat()
        fields: dict[str, Any] = {
            "timestamp": stamp.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return json.dumps(fields | extras)


class Line(NamedTuple):
    """What a line is about, and whether it is as it should be."""

    user: str
    number: int
    is_equal: bool


def _read_plain(line: bytes) -> Line | None:
    found = _PLAIN.fullmatch(line)
    if found:
        return Line(found[2].decode(), int(found[3]), _is_today(found[1].decode()))
    return _named(line)


def _is_today(stamp: str) -> bool:
    if stamp not in _SEEN:
        apart = dt.datetime.now() - dt.datetime.fromisoformat(stamp)
        _SEEN[stamp] = abs(apart) < dt.timedelta(minutes=10)
    return _SEEN[stamp]


_SEEN: dict[str, bool] = {}


def _named(line: bytes) -> Line | None:
    """Return what a line is about that is not as it should be."""
    found = _MESSAGE.search(line)
    return Line(found[1].decode(), int(found[2]), False) if found else None


def _read_json(line: bytes) -> Line | None:
    try:
        fields = json.loads(line)
        found = _MESSAGE.fullmatch(fields.pop("message").encode())
        dt.datetime.fromisoformat(fields.pop("timestamp"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _named(line)
    if not found:
        return _named(line)
    fields["level"] = str(fields.get("level")).upper()  # structlog writes it small
    return Line(found[1].decode(), int(found[2]), fields == JSON)


def _read_pickle(line: bytes) -> Line | None:
    import pickle

    fields = pickle.loads(line)  # from a process of ours
    message = str(fields["msg"]) % (fields["args"] or ())
    found = _MESSAGE.fullmatch(message.encode())
    is_equal = all(fields.get(key) == JSON[key] for key in ("request_id", "status"))
    return Line(found[1].decode(), int(found[2]), is_equal) if found else None


def _read_form(line: bytes) -> Line | None:
    from ast import literal_eval
    from urllib.parse import parse_qs

    fields = {key: values[0] for key, values in parse_qs(line.decode()).items()}
    message = fields["msg"] % literal_eval(fields["args"])
    found = _MESSAGE.fullmatch(message.encode())
    is_equal = (fields.get("request_id"), fields.get("status")) == ("r-7", "200")
    return Line(found[1].decode(), int(found[2]), is_equal) if found else None


def _read_message(line: bytes) -> Line | None:
    """Read a line that only has to have the message, at its end."""
    found = _named(line.rstrip(b"\x00\r\n"))
    whole = found and line.rstrip(b"\x00\r\n").endswith(b"did %d" % found.number)
    return found._replace(is_equal=bool(whole)) if found else None


#: How what a handler sends is read.
READERS: Mapping[str, Callable[[bytes], Line | None]] = {
    "plain": _read_plain,
    "json": _read_json,
    "pickle": _read_pickle,
    "form": _read_form,
    "message": _read_message,
}


class Tally(NamedTuple):
    """What became of the lines of a run.

    Attributes:
        expected: how many calls there were.
        lost: lines that did not come.
        repeated: lines that came once more.
        different: lines that are not what they should be.
        reordered: lines behind a later one of the same thread.
    """

    expected: int
    lost: int
    repeated: int
    different: int
    reordered: int


def tally(
    lines: Iterable[bytes], expected: Mapping[str, int], read: Callable[[bytes], Line | None]
) -> Tally:
    """Count `lines`; `expected` says how many each user should have."""
    seen: dict[str, set[int]] = {user: set() for user in expected}
    last = dict.fromkeys(expected, -1)
    repeated = different = reordered = 0
    for text in lines:
        line = read(text)
        if line is None or line.number >= expected.get(line.user, 0):
            different += 1
            continue
        different += not line.is_equal
        repeated += line.number in seen[line.user]
        reordered += line.number < last[line.user]
        last[line.user] = line.number
        seen[line.user].add(line.number)
    wanted = sum(expected.values())
    came = sum(len(numbers) for numbers in seen.values())
    return Tally(wanted, wanted - came, repeated, different, reordered)
