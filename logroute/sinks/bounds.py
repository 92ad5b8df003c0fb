"""The bound on one record for a network: 256 KiB, so that one call cannot fill a queue.

Runs in whichever thread encodes. A record is cut before it is formatted, so that
JSON stays JSON, and says in its place how much there was. Local destinations have
no such bound: a file may hold a message of 10 MB, as with stdlib.
"""

import logging
from collections.abc import Callable, Mapping
from itertools import islice

from logroute.light import Any, TypeVar
from logroute.records import STANDARD, exception_text, message_of

__all__ = ["bounded", "trace_of"]

Made = TypeVar("Made", str, bytes)

# Of each container in `extra`, where a record is too long.
_MOST_ITEMS = 200
_MOST_DEPTH = 6


def bounded(make: Callable[[logging.LogRecord], Made], limit: int) -> Callable[..., Made]:
    """Return `make`, cutting records that it would make longer than `limit` bytes."""

    def make_bounded(record: logging.LogRecord) -> Made:
        if not _is_long(record, limit):  # else formatting it would cost several times that
            made = make(record)
            if _fits(made, limit):
                return made
        # Escapes make up to twelve bytes of a character.
        for share in (1, 4, 16):
            made = make(_cut_record(record, limit // share))
            if _fits(made, limit):
                return made
        return make(_cut_record(record, limit // 32, keeps_extras=False))

    return make_bounded


def _is_long(record: logging.LogRecord, limit: int) -> bool:
    values = record.__dict__
    if isinstance(values.get("msg"), str) and len(values["msg"]) > limit:
        return True
    if len(values) <= _PLAIN_SIZE:
        return False
    # What follows the fields that every record has; what slips by is seen once it is made.
    more = islice(values.values(), _PLAIN_SIZE, None)
    return any(isinstance(value, str | bytes) and len(value) > limit for value in more)


_PLAIN_SIZE = len(logging.makeLogRecord({}).__dict__)


def _fits(made: str | bytes, limit: int) -> bool:
    if len(made) * (4 if isinstance(made, str) else 1) <= limit:
        return True
    if isinstance(made, str):
        return len(made.encode("utf-8", "backslashreplace")) <= limit
    return False


def _cut_record(
    record: logging.LogRecord, limit: int, *, keeps_extras: bool = True
) -> logging.LogRecord:
    """Return a record that says the same in about `limit` characters."""
    values = dict(record.__dict__)
    values |= {"msg": _cut(message_of(record), limit // 2), "args": None}
    values["exc_text"] = _cut_middle(trace_of(record), limit // 4) or None
    if values.get("stack_info"):
        values["stack_info"] = _cut_middle(str(values["stack_info"]), limit // 8)
    left = 0
    for name in [name for name in values if name not in STANDARD]:
        left += not keeps_extras
        if keeps_extras:
            values[name] = _shrink(values[name], max(limit // 32, 16), _MOST_DEPTH)
        else:
            del values[name]
    for name in _TEXTS:
        if isinstance(values.get(name), str):
            values[name] = _cut(values[name], limit // 32)
    if left:
        values["fields_left_out"] = left
    small = logging.LogRecord.__new__(logging.LogRecord)
    small.__dict__.update(values)
    return small


_TEXTS = frozenset({"name", "levelname", "pathname", "filename", "module", "funcName"})
_TEXTS |= {"threadName", "processName", "taskName"}


def trace_of(record: logging.LogRecord) -> str:
    """Return the traceback as text, "" where there is none; never raises."""
    try:
        return exception_text(record) or ""
    except Exception as fault:
        return f"<unprintable traceback: {type(fault).__name__}>"


def _cut(text: str, limit: int) -> str:
    """Return `text`, or its head and how long it was."""
    return text if len(text) <= limit else f"{text[:limit]}...[cut: {len(text)} characters]"


def _cut_middle(text: str, limit: int) -> str:
    """Return `text`, or its head and its end, where a traceback says what happened."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n...[cut: {len(text)} characters]\n{text[-half:]}"


def _shrink(value: Any, limit: int, depth: int) -> Any:
    """Return `value` with short texts, few items and few levels."""
    if isinstance(value, str):
        return _cut(value, limit)
    if isinstance(value, bytes | bytearray):
        text = bytes(value[:limit]).decode("utf-8", "backslashreplace")
        return text if len(value) <= limit else f"{text}...[cut: {len(value)} bytes]"
    if value is None or isinstance(value, bool | float):
        return value
    if depth == 0:
        return "..."
    try:
        if isinstance(value, Mapping):
            return _shrink_mapping(value, limit, depth - 1)
        if isinstance(value, list | tuple | set | frozenset):
            few = [_shrink(item, limit, depth - 1) for item in islice(value, _MOST_ITEMS)]
            more = len(value) - len(few)
            return [*few, f"...[cut: {more} more]"] if more else few
        text = str(value)
    except Exception:
        return value  # its formatter says what is wrong with it
    return value if len(text) <= limit else _cut(text, limit)


def _shrink_mapping(values: Mapping[Any, Any], limit: int, depth: int) -> dict[Any, Any]:
    few: dict[Any, Any] = {}
    for key, value in islice(values.items(), _MOST_ITEMS):
        few[_cut(key, limit) if isinstance(key, str) else key] = _shrink(value, limit, depth)
    if len(values) > len(few):
        few["..."] = f"[cut: {len(values) - len(few)} more]"
    return few
