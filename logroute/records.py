"""What a record is made of, and how it is made safe to leave its thread.

`freeze` runs in the application's thread; everything else runs anywhere.
"""

import contextvars
import datetime as dt
import functools
import logging
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "bind",
    "bound",
    "copy_of",
    "exception_names",
    "exception_text",
    "extras",
    "freeze",
    "level_of",
    "message_of",
    "unbind",
]

#: The attributes that stdlib itself gives a record (3.11 to 3.14).
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

# Values that nobody can change after the call, so that formatting may wait.
_FROZEN = frozenset(
    {str, int, float, bool, bytes, complex, type(None)}
    | {dt.datetime, dt.date, dt.time, dt.timedelta}
)

_bound: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("logroute_bound")


def bind(**fields: Any) -> contextvars.Token[Mapping[str, Any]]:
    """Add fields to every record logged in this context (thread or task) from now on.

    Returns a token for `unbind`, which brings the former fields back.
    """
    return _bound.set({**_bound.get({}), **fields})


def unbind(token: contextvars.Token[Mapping[str, Any]]) -> None:
    """Undo the `bind` that returned `token`."""
    _bound.reset(token)


def bound() -> Mapping[str, Any]:
    """Return the fields bound in this context."""
    return _bound.get({})


_Record = logging.LogRecord
_new_record = _Record.__new__


def freeze(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of `record` that later changes of its arguments cannot reach.

    Arguments that are not plain immutables are rendered into the message at
    once; a `__str__` that raises leaves a message that says so.
    """
    if type(record) is _Record:  # as nearly every record; a call costs too
        frozen = _new_record(_Record)
        values = frozen.__dict__
        values.update(record.__dict__)
    else:
        frozen = copy_of(record)
        values = frozen.__dict__
    fields = _bound.get(None)
    if fields:
        for name, value in fields.items():
            values.setdefault(name, value)
    args = record.args
    if (args and not _is_frozen(args)) or type(record.msg) is not str:
        frozen = _rendered(frozen, message_of(record))
        values = frozen.__dict__
    if len(values) > _PLAIN_SIZE:
        _freeze_extras(values)
    return frozen


def copy_of(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record of the same class with the same attributes."""
    cls: Any = type(record)
    copied: logging.LogRecord = logging.LogRecord.__new__(cls)
    copied.__dict__.update(record.__dict__)
    if cls is not logging.LogRecord:
        for name in _slots(cls):
            if hasattr(record, name):
                object.__setattr__(copied, name, getattr(record, name))
    return copied


@functools.cache
def _slots(cls: type) -> tuple[str, ...]:
    found: list[str] = []
    for base in cls.__mro__:
        names = base.__dict__.get("__slots__", ())
        found += [names] if isinstance(names, str) else names
    return tuple(name for name in found if name not in ("__dict__", "__weakref__"))


def _rendered(record: logging.LogRecord, text: str) -> logging.LogRecord:
    """Return `record`, a copy, with `text` for its message, whatever its class."""
    cls: Any = type(record)
    if cls is not logging.LogRecord and _has_own_message(cls):
        try:
            record.__class__ = _finished(cls)
        except Exception:  # a class that cannot be derived from or exchanged
            record = logging.makeLogRecord(record.__dict__)
    record.__dict__["msg"] = text
    record.__dict__["args"] = None
    return record


@functools.cache
def _has_own_message(cls: Any) -> bool:
    if cls.getMessage is not logging.LogRecord.getMessage:
        return True
    return hasattr(cls, "msg") or hasattr(cls, "args")  # properties


@functools.cache
def _finished(cls: type) -> type:
    """Return a subclass of a record class whose message is made already.

    The class may read `msg` and `args` in its own way ("{}".format), or not at
    all; a message that is made must not be made again.
    """
    return type(
        cls.__name__, (cls,), {"__slots__": (), "getMessage": lambda self: self.__dict__["msg"]}
    )


_PLAIN_NAMES = list(logging.makeLogRecord({}).__dict__)
_PLAIN_SIZE = len(_PLAIN_NAMES)
_MUTABLE = (list, dict, set, bytearray, tuple)


def _freeze_extras(values: dict[str, Any]) -> None:
    for name, value in list(values.items()):
        if isinstance(value, _MUTABLE) and name not in STANDARD:
            values[name] = _snapshot(value, 6, {})


def _snapshot(value: Any, depth: int, done: dict[int, Any]) -> Any:
    """Copy plain containers, so that the caller may go on changing the originals.

    `done` holds the copies by the id of their originals: a container that is
    met again, in itself too, is copied once.
    """
    if not isinstance(value, _MUTABLE):
        return value
    if id(value) in done:
        return done[id(value)]
    if depth == 0:
        return f"<{type(value).__name__}>"  # its repr may be endless
    try:
        if type(value) is dict:
            copy = done[id(value)] = {}
            copy.update({k: _snapshot(v, depth - 1, done) for k, v in value.items()})
            return copy
        if type(value) is list:
            items = done[id(value)] = []
            items += [_snapshot(item, depth - 1, done) for item in value]
            return items
        if type(value) is tuple:
            return tuple(_snapshot(item, depth - 1, done) for item in value)
        if isinstance(value, set | bytearray):
            return type(value)(value)
    except Exception:  # another thread changes it right now, or a subclass objects
        return repr(type(value))
    return value


def _is_frozen(args: Any) -> bool:
    if type(args) is tuple:
        return all(type(arg) in _FROZEN for arg in args)
    if type(args) is dict:
        return False
    return type(args) in _FROZEN


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message; never raises.

    A message that cannot be made (wrong arguments, a `__str__` that raises)
    becomes its template and the reason, so that the record is not lost.
    """
    try:
        return record.getMessage()
    except Exception as fault:
        try:
            template = str(record.msg)
        except Exception:
            template = f"<{type(record.msg).__name__}>"
        return f"<unformattable: {type(fault).__name__}> {template}"


def level_of(record: logging.LogRecord) -> int:
    """Return the level for queues to compare; records made by hand may have none."""
    levelno: Any = record.levelno
    return levelno if isinstance(levelno, int) else 0


def extras(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    """Yield the fields that `extra`, filters or `bind` added to the record."""
    values = record.__dict__
    names = list(values)
    if names[:_PLAIN_SIZE] == _PLAIN_NAMES:  # as nearly every record: what follows is new
        del names[:_PLAIN_SIZE]
    for name in names:
        if isinstance(name, str) and name not in STANDARD and not name.startswith("_"):
            yield name, values[name]


def exception_text(record: logging.LogRecord) -> str | None:
    """Return the traceback as stdlib's formatter would print it, or None."""
    if record.exc_text:
        return record.exc_text
    info = record.exc_info
    if not info or not info[0]:
        return None
    return "".join(traceback.format_exception(*info)).rstrip("\n")


def exception_names(record: logging.LogRecord) -> list[str]:
    """Return the names of the exception's class and its bases, bare and dotted."""
    info = record.exc_info
    if not info or not info[0]:
        return []
    names = []
    for cls in info[0].__mro__:
        names += [cls.__name__, f"{cls.__module__}.{cls.__qualname__}"]
    return names
