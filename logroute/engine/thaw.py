"""Makes the records of the express lane, as `logging.LogRecord` itself would.

Runs in the dispatcher. What no handler reads was not kept, and is None here.
"""

import logging
import os
import sys

from logroute.light import Any
from logroute.records import HAS_NANOSECONDS

__all__ = ["thaw"]

_Record = logging.LogRecord
_new_record = _Record.__new__
_START: Any = logging._startTime  # type: ignore[attr-defined]
_level_names: dict[int, str] = logging._levelToName
_HAS_TASKS = sys.version_info >= (3, 12)

#: Where a call stands: path, file, module, line, function; by the ident of its code, which
#: it holds, and the place in it.
_places: dict[tuple[int, int], tuple[object, str, str, str, int, str]] = {}
_MOST_PLACES = 4096


def thaw(entry: Any, pid: int) -> logging.LogRecord:
    """Return the record of what the express lane has put into the intake."""
    _, decision, _, when, msg, args, _, _, _, extra, fields, _, _ = entry
    name, levelno, _ = decision.key
    if HAS_NANOSECONDS:
        created = when / 1e9
        msecs = (when % 1_000_000_000) // 1_000_000 + 0.0
        if msecs == 999.0 and int(created) != when // 1_000_000_000:
            msecs = 0.0  # as `LogRecord` has it, where the float was rounded up
    else:
        created = when
        whole = int(when)
        msecs = int((when - whole) * 1000) + 0.0
    values: dict[str, Any] = {
        "name": name,
        "msg": msg,
        "args": args,
        "levelname": _level_names.get(levelno) or logging.getLevelName(levelno),
        "levelno": levelno,
        "exc_info": None,
        "exc_text": None,
        "stack_info": None,
        "created": created,
        "msecs": msecs,
    }
    if not decision.is_lean:
        values = _whole(values, entry, pid)
    if extra:
        values.update(extra)
    if fields:
        for key, value in fields.items():
            values.setdefault(key, value)
    record = _new_record(_Record)
    record.__dict__ = values
    return record


def _whole(little: dict[str, Any], entry: Any, pid: int) -> dict[str, Any]:
    """Return all that stdlib gives a record, in its order."""
    _, _, _, when, _, _, ident, thread, task, _, _, code, lasti = entry
    path: Any
    if code is None:
        path = file = module = line = function = None
    else:
        _, path, file, module, line, function = _places.get((id(code), lasti)) or _find(code, lasti)
    has_threads = logging.logThreads
    values: dict[str, Any] = {
        "name": little["name"],
        "msg": little["msg"],
        "args": little["args"],
        "levelname": little["levelname"],
        "levelno": little["levelno"],
        "pathname": path,
        "filename": file,
        "module": module,
        "exc_info": None,
        "exc_text": None,
        "stack_info": None,
        "lineno": line,
        "funcName": function,
        "created": little["created"],
        "msecs": little["msecs"],
        "relativeCreated": (when - _START) / 1e6 if HAS_NANOSECONDS else (when - _START) * 1000,
        "thread": ident if has_threads else None,
        "threadName": thread if has_threads else None,
        "processName": _process_name() if logging.logMultiprocessing else None,
        "process": pid if logging.logProcesses else None,
    }
    if _HAS_TASKS:
        values["taskName"] = task if logging.logAsyncioTasks else None  # type: ignore[attr-defined]
    return values


def _process_name() -> str:
    module: Any = sys.modules.get("multiprocessing")
    if module is not None:
        try:
            name: str = module.current_process().name
            return name
        except Exception:  # as `LogRecord`: it may be half imported
            return "MainProcess"
    return "MainProcess"


def _find(code: Any, lasti: int) -> tuple[object, str, str, str, int, str]:
    """Return where a call stands, and remember it."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end:
            line = number
            break
    path = code.co_filename
    file = os.path.basename(path)
    module = os.path.splitext(file)[0]
    place = (code, path, file, module, line, code.co_name)
    if len(_places) >= _MOST_PLACES:
        _places.clear()
    _places[id(code), lasti] = place
    return place
