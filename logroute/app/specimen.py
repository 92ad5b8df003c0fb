"""Records made from a description, as `explain` and `test` need them.

Nothing is imported for an exception's class: one that Python does not bring
along is made up, with the right name.
"""

import builtins
import datetime as dt
import functools
import logging
import os

from logroute.config.model import ExceptionSpec, RecordSpec
from logroute.levels import Levels
from logroute.light import Any

__all__ = ["exception_class", "make_record", "parse_time", "set_time"]

#: Attributes that `fields` must not set, since a key of their own does.
_OWN_KEYS = {
    "name": "logger",
    "levelno": "level",
    "levelname": "level",
    "msg": "message",
    "message": "message",
    "args": "args",
    "exc_info": "exception",
    "exc_text": "exception",
    "created": "time",
    "msecs": "time",
    "asctime": "time",
}


def make_record(spec: RecordSpec, levels: Levels) -> logging.LogRecord:
    """Return the record that `spec` describes.

    Raises:
        ValueError: an unknown level, no such day, or a field that has a key of its
            own; the second argument, if any, is the cure.
    """
    number = levels.number(spec.level)
    args: Any = spec.args or None
    record = logging.LogRecord(spec.logger or "root", number, "", 0, spec.message, args, None)
    record.levelname = levels.name(number)
    fields: dict[str, Any] = {**spec.extra, **spec.fields}
    for name in fields:
        if name in _OWN_KEYS:
            raise ValueError(f"the field `{name}` is set by `{_OWN_KEYS[name]}`", "")
    if isinstance(fields.get("pathname"), str):
        file_name = os.path.basename(fields["pathname"])
        fields.setdefault("filename", file_name)
        fields.setdefault("module", os.path.splitext(file_name)[0])
    record.__dict__.update(fields)
    if spec.thread is not None:
        record.threadName = spec.thread
    if spec.exception is not None:
        record.exc_info = _exc_info(spec.exception)
    if spec.time is not None:
        set_time(record, parse_time(spec.time))
    return record


def set_time(record: logging.LogRecord, created: float) -> None:
    """Let `record` be made at `created`, seconds since 1970."""
    record.created = created
    record.msecs = float(int((created - int(created)) * 1000 + 0.5) % 1000)


def parse_time(text: str) -> float:
    """Return seconds since 1970 of an ISO 8601 time; local time where no zone is given.

    Raises:
        ValueError: no such time.
    """
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"`{text[:40]}` is no time: {fault}", "") from None


def _exc_info(spec: str | ExceptionSpec) -> Any:
    name, message = (spec, "") if isinstance(spec, str) else (spec.type, spec.message)
    cls = exception_class(name)
    try:
        made = cls(message) if message else cls()
    except TypeError:  # UnicodeDecodeError wants five arguments
        cls = _made_up(name)
        made = cls(message)
    return (cls, made, None)


@functools.lru_cache(maxsize=1000)
def exception_class(name: str) -> type[BaseException]:
    """Return Python's own exception of that name, or one made up."""
    known = getattr(builtins, name.removeprefix("builtins."), None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return known
    return _made_up(name)


def _made_up(name: str) -> type[BaseException]:
    module, _, bare = name.rpartition(".")
    return type(bare or name, (Exception,), {"__module__": module or "__main__"})
