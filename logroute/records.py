"""What a record is made of, and how it is made safe to leave its thread.

`freeze` runs in the application's thread; everything else runs anywhere.
"""

import contextvars
import functools
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping

from logroute.light import Any

try:
    # a start has no use for what `datetime` puts around it
    import _datetime as dt  # type: ignore[import-not-found]
except ImportError:
    import datetime as dt

__all__ = [
    "EXTRAS",
    "FROZEN",
    "HAS_NANOSECONDS",
    "LITTLE",
    "STAMPS_PER_S",
    "STANDARD",
    "bind",
    "blank_record",
    "bound",
    "bound_or_none",
    "copy_of",
    "exception_names",
    "exception_text",
    "extras",
    "freeze",
    "freeze_extras",
    "lacks_of",
    "level_of",
    "message_of",
    "own_record",
    "pack",
    "plain_copy",
    "stamp",
    "unbind",
    "unpack",
    "whole_record",
]

#: The attributes that stdlib itself gives a record (3.11 to 3.14).
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

#: What is known of each record in any case.
LITTLE = frozenset(
    {"name", "msg", "args", "message", "asctime", "levelname", "levelno", "created", "msecs"}
)

#: Stands, among the attributes that somebody reads, for all that stdlib does not give.
EXTRAS = frozenset({"*"})

#: Values that nobody can change after the call, so that formatting may wait.
FROZEN = frozenset(
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


#: The fields bound in this context, or the default that is given.
bound_or_none = _bound.get


def bound() -> Mapping[str, Any]:
    """Return the fields bound in this context."""
    return _bound.get({})


#: Since 3.13 records are made of nanoseconds, before of seconds.
HAS_NANOSECONDS = sys.version_info >= (3, 13)
STAMPS_PER_S = 1_000_000_000 if HAS_NANOSECONDS else 1


def stamp() -> float:
    """Return the time of now, as `LogRecord` takes it: in ns, or in s before 3.13."""
    return time.time_ns() if HAS_NANOSECONDS else time.time()


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
        freeze_extras(values)
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
_BLANK = logging.makeLogRecord({"args": None}).__dict__


def blank_record() -> logging.LogRecord:
    """Return a record without content, made without asking which thread this is.

    `threading.current_thread` would enter threads that are not Python's own, as
    ours, in its tables for good.
    """
    record = _new_record(_Record)
    record.__dict__.update(_BLANK)
    return record


def own_record(
    name: str, levelno: int, text: str, place: tuple[str, str], fields: Mapping[str, Any]
) -> logging.LogRecord:
    """Return a record of our own making, of now.

    Args:
        name: its logger, which names the thread too.
        levelno: its level.
        text: its message, finished.
        place: path of the module and name of the function that make it.
        fields: further attributes, as `extra` gives.
    """
    path, function = place
    record = blank_record()
    now, blank = time.time(), record.created
    filename = os.path.basename(path)
    record.__dict__.update(fields)
    record.__dict__.update(
        name=name,
        msg=text,
        levelno=levelno,
        levelname=logging.getLevelName(levelno),
        pathname=path,
        filename=filename,
        module=os.path.splitext(filename)[0],
        funcName=function,
        created=now,
        msecs=now % 1 * 1000,
        relativeCreated=record.relativeCreated + (now - blank) * 1000,
        threadName=name,
        process=os.getpid(),
    )
    return record


_MUTABLE = (list, dict, set, bytearray, tuple)


def freeze_extras(values: dict[str, Any]) -> None:
    """Put copies in the place of values, of fields that are not stdlib's, that may change."""
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
        return all(type(arg) in FROZEN for arg in args)
    if type(args) is dict:
        return False
    return type(args) in FROZEN


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message; never raises.

    A message that cannot be made (wrong arguments, a `__str__` that raises)
    becomes its template and the reason, so that the record is not lost.
    """
    try:
        return record.getMessage()
    except Exception as fault:
        try:
            template = str(getattr(record, "msg", ""))
        except Exception:
            template = f"<{type(record.msg).__name__}>"
        return f"<unformattable: {type(fault).__name__}> {template}"


def plain_copy(record: logging.LogRecord, fault: BaseException) -> logging.LogRecord:
    """Return a bare record that any formatter can take, saying what went wrong."""
    text = message_of(record)
    if not text.startswith("<unformattable"):
        text = f"<unformattable: {type(fault).__name__}> {text}"
    plain = blank_record()
    for name in _PLAIN_NAMES:
        if name not in ("exc_info", "exc_text", "stack_info"):
            plain.__dict__[name] = record.__dict__.get(name)
    plain.__dict__.update(msg=text, args=None)
    return plain


#: What routing needs, and what stands for it in records made by hand that lack it.
_NEEDED = {"name": "root", "levelno": logging.NOTSET, "msg": "", "args": None}


def lacks_of(record: logging.LogRecord) -> list[str]:
    """Return the attributes that a record made by hand must have, and has not."""
    return [name for name in _NEEDED if not hasattr(record, name)]


def whole_record(record: logging.LogRecord) -> logging.LogRecord:
    """Return a plain copy of `record` that has all that routing needs."""
    cls: Any = type(record)
    whole = _new_record(_Record)
    whole.__dict__.update(record.__dict__)
    for name in (*_NEEDED, *_slots(cls)):
        if hasattr(record, name):
            whole.__dict__[name] = getattr(record, name)
    if "msg" not in whole.__dict__:
        whole.__dict__.update(msg=message_of(record), args=None)
    whole.__dict__.update({**_NEEDED, **whole.__dict__})
    return whole


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
    known: str | None = getattr(record, "exc_text", None)
    if known:
        return known
    info = getattr(record, "exc_info", None)
    if not info or not info[0]:
        return None
    try:
        lines = traceback.format_exception(*info)
    except SystemError:  # Python 3.11, where two threads do it at once (CPython gh-106905)
        lines = traceback.format_exception(*info)
    return "".join(lines).rstrip("\n")


def exception_names(record: logging.LogRecord) -> list[str]:
    """Return the names of the exception's class and its bases, bare and dotted."""
    info = record.exc_info
    if not info or not info[0]:
        return []
    names = []
    for cls in info[0].__mro__:
        names += [cls.__name__, f"{cls.__module__}.{cls.__qualname__}"]
    return names


#: What of a record is packed as it is; the rest is made or left out.
_PACKED_NAMES = (
    *("name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName"),
    *("created", "msecs", "relativeCreated", "thread", "threadName", "processName", "process"),
    *("taskName", "stack_info"),
)
_MOST_TEXT = 2000
_MOST_DEPTH = 6


def pack(record: logging.LogRecord) -> bytes:
    """Return `record` as one line of JSON, from which `unpack` makes it again.

    The message is rendered, the traceback is text, and of an exception its classes
    and its message remain. What JSON lacks becomes its `repr`, cut at 2000
    characters. Never raises, and never pickles.
    """
    import json  # few handlers need it

    values = record.__dict__
    packed = {name: values[name] for name in _PACKED_NAMES if name in values}
    packed["message"] = message_of(record)
    packed["exc_text"] = _traceback_of(record)
    if record.exc_info and record.exc_info[0]:
        packed["exception"] = _classes_of(record.exc_info)
    packed["extra"] = dict(extras(record))
    try:
        return json.dumps(packed, allow_nan=False, default=_repr).encode()
    except Exception:  # keys that are no text, circles, NaN, numbers beyond all bounds
        return json.dumps(_plain(packed, _MOST_DEPTH + 2)).encode()


def unpack(packed: bytes) -> logging.LogRecord:
    """Return the record that `pack` made `packed` of.

    Raises:
        ValueError: `packed` is nothing of that kind.
    """
    import json

    try:
        values: dict[str, Any] = json.loads(packed)
        extra, message = values.pop("extra"), values.pop("message")
        classes = values.pop("exception", None)
        record = blank_record()
        record.__dict__.update(values, msg=message)
        record.__dict__.update(extra)
        if classes is not None:
            record.exc_info = _exception_like(tuple(map(tuple, classes[0])), classes[1])
    except (KeyError, TypeError, AttributeError, IndexError) as fault:
        raise ValueError(f"no packed record: {fault!r}") from fault
    return record


def _traceback_of(record: logging.LogRecord) -> str | None:
    try:
        return exception_text(record)
    except Exception as fault:
        return f"<unprintable traceback: {type(fault).__name__}>"


def _classes_of(info: Any) -> list[Any]:
    """Return module and name of an exception's class and its bases, and its message."""
    named = [
        [cls.__module__, cls.__qualname__]
        for cls in info[0].__mro__
        if cls not in (Exception, BaseException, object)
    ]
    return [named[:20], _text(str, info[1])]


def _exception_like(names: tuple[tuple[str, str], ...], message: str) -> Any:
    """Return what stands for an exception of another time: its classes by name, and its text."""
    kind = _class_like(names)
    return kind, kind(message), None


@functools.lru_cache(maxsize=256)
def _class_like(names: tuple[tuple[str, str], ...]) -> type[Exception]:
    """Return a class with these names: its own first, those of its bases behind."""
    made: type[Exception] = Exception
    for module, name in reversed(names):
        head = {"__module__": module, "__qualname__": name}
        made = type(name.rpartition(".")[2], (made,), head)
    return made


def _repr(value: object) -> str:
    return _text(repr, value)


def _text(make: Any, value: object) -> str:
    try:
        return str.__str__(make(value))[:_MOST_TEXT]
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _plain(value: Any, depth: int) -> Any:
    """Return `value` made of what JSON knows, cut in depth."""
    kind = type(value)
    if kind in (str, bool, type(None)):
        return value
    if (kind is float and value - value == 0) or (kind is int and abs(value) < 1 << 256):
        return value  # neither NaN nor infinite, nor of more digits than Python writes
    if depth and isinstance(value, dict):
        return {
            key if type(key) is str else _repr(key): _plain(item, depth - 1)
            for key, item in value.items()
        }
    if depth and isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    return _repr(value) if depth else f"<{kind.__name__}>"
