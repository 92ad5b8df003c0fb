"""The functions that stand in the place of a logger's methods, compiled as needed.

They run in the threads that log, for each record, so they are made of one text in
which only what the handlers in question read is left standing. Signatures are those
of `logging.Logger`; what the lane cannot do the method itself does, which is called
for nearly any doubt. The code counts as that of `logging` where the caller is looked
for (by stdlib and by others), since it stands between the two.

Each call looks whether somebody has patched a method of `Logger` meanwhile. Their
namespace is the class's own, so that this is a look at globals, which Python makes
cheap; all else that they name is in cells.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FunctionType

from logroute.bell import LINGERING
from logroute.engine.intake import MANY, URGENT, Decision
from logroute.light import Any, NamedTuple
from logroute.records import FROZEN, HAS_NANOSECONDS, STANDARD, bound_or_none, freeze_extras

__all__ = ["ALL", "Needs", "is_ready", "needs_of", "part", "prepare"]

_PLACE = frozenset({"pathname", "filename", "module", "lineno", "funcName"})
_HAS_TASKS = sys.version_info >= (3, 12)


class Needs(NamedTuple):
    """What of a record is read by those who may get it.

    Attributes:
        extra: fields that stdlib does not give.
        place: file, line and function.
        thread: the thread's name.
        task: the name of the asyncio task.
    """

    extra: bool
    place: bool
    thread: bool
    task: bool


#: Whatever a record has.
ALL = Needs(extra=True, place=True, thread=True, task=_HAS_TASKS)


def needs_of(decision: Decision) -> Needs:
    """Return what those need who may get records of `decision`."""
    names: set[str] = set()
    if decision.plan is not None:  # its conditions may ask for anything
        return ALL
    for worker in decision.possible:
        if worker.reads is None or worker.filters or worker.keeps_records:
            return ALL
        names |= worker.reads
    return Needs(
        extra=not names <= STANDARD,
        place=not names.isdisjoint(_PLACE),
        thread="threadName" in names,
        task=_HAS_TASKS and "taskName" in names,
    )


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

#: Lines that begin with `?name` stand only where that is needed.
_CONDITIONAL = re.compile(r"^( *)\?(\w+) (.*\n)", re.MULTILINE)
_TEXT = """
def make({cells}):
    log_, find_caller, make_record, handle_, call_handlers, is_enabled = steps
    def lane({signature}, exc_info=None, extra=None, stack_info=False, stacklevel=1):
        {decide}
        if (
            {ask}
            or exc_info is not None or stack_info or stacklevel != 1
            or callHandlers is not call_handlers or handle is not handle_
            or makeRecord is not make_record or _log is not log_
            or findCaller is not find_caller {also}
            or logging._logRecordFactory is not record_class
            or (me := get_ident()) in own
            or (len(entries) >= intake.room and not intake.make_room(decision))
        ):
            {slow}
        text, rest = msg, args
        if type(msg) is str:
            for arg in args:
                if type(arg) not in frozen:
                    try:
                        text, rest = rendered(msg, args)
                    except Exception:
                        {slow}
                    break
        else:
            try:
                text, rest = rendered(msg, args)
            except Exception:
                {slow}
        if extra:
            if type(extra) is not dict or not is_new(extra):
                {slow}
            ?extra extra = {{**extra}}
            ?extra for arg in extra.values():
            ?extra     if type(arg) not in frozen:
            ?extra         freeze_extras(extra)
            ?extra         break
        elif extra is not None and type(extra) is not dict:
            {slow}
        ?place try:
        ?place     frame = getframe(1)
        ?place     while (code := frame.f_code).co_filename == source:
        ?place         frame = frame.f_back
        ?place except (ValueError, AttributeError):
        ?place     {slow}
        ?thread if (thread := threading._active.get(me)) is None:
        ?thread     {slow}
        ?task task = task_name() if "asyncio" in modules else None
        now = {now}
        append((
            None, decision, None, now, text, rest, me,
            {thread}, {task}, {extra}, {fields}, {code}, {lasti},
        ))
        if now > intake.lease or (
            bell.state and (bell.state != {lingering} or {urgent} or len(entries) > {many})
        ):
            attend({level})
    return lane
"""
#: The same for a level that nobody wants.
_IDLE_TEXT = """
def make({cells}):
    log_, find_caller, make_record, handle_, call_handlers, is_enabled = steps
    def lane(msg, *args, **options):
        if (
            closed
            or callHandlers is not call_handlers or handle is not handle_
            or makeRecord is not make_record or _log is not log_
            or findCaller is not find_caller or {method} is not begun
            or isEnabledFor is not is_enabled
            or logging._logRecordFactory is not record_class
        ):
            return {method}(logger, msg, *args, **options)
    return lane
"""
_CELLS = (
    *("logger", "decision", "decisions", "closed", "enabled", "intake", "entries", "append"),
    *("bell", "attend", "own", "methods", "steps", "begun"),
)


#: Makes the function in the place of a logger's method, given its cells.
Maker = Callable[[Mapping[str, Any]], Any]
#: What is compiled. It takes milliseconds, so no thread that logs does it.
_makers: dict[tuple[str, Needs | None], Maker] = {}


def is_ready(method: str, needs: Needs | None) -> bool:
    """Return whether `part` has it at hand."""
    return (method, needs) in _makers


def prepare(method: str, needs: Needs | None) -> None:
    """Compile what `part` returns, unless it is there."""
    if not is_ready(method, needs):
        _makers[method, needs] = _idle(method) if needs is None else _lane(method, needs)


def part(method: str, needs: Needs | None) -> Maker:
    """Return what makes the function in the place of `method`; needs None: at an idle level.

    Raises:
        KeyError: it is not prepared.
    """
    return _makers[method, needs]


def _lane(method: str, needs: Needs) -> Maker:
    wanted = needs._asdict()
    levelno = _LEVELS.get(method)
    passed = "exc_info=exc_info, extra=extra, stack_info=stack_info, stacklevel=stacklevel"
    words = {
        "method": method,
        "cells": ", ".join(_all_cells()),
        "now": "time.time_ns()" if HAS_NANOSECONDS else "time.time()",
        "thread": "thread._name" if wanted["thread"] else "None",
        "task": "task" if wanted["task"] else "None",
        "extra": "extra" if wanted["extra"] else "None",
        "fields": "fields(None)" if wanted["extra"] else "None",
        "code": "code" if wanted["place"] else "None",
        "lasti": "frame.f_lasti" if wanted["place"] else "0",
        "lingering": LINGERING,
        "many": MANY,
    }
    if levelno is None:
        words |= {
            "signature": "level, msg, args",
            "decide": "decision = decisions.get(level) if type(level) is int else None",
            "ask": "decision is None or closed or type(args) is not tuple",
            "also": "",
            "slow": f"return _log(logger, level, msg, args, {passed})",
            "urgent": f"level >= {URGENT}",
            "level": "level",
        }
    else:
        words |= {
            "signature": "msg, *args",
            "decide": f"is_enabled_here = enabled({levelno})",
            "ask": "not is_enabled_here or closed",
            "also": f"or {method} is not begun or isEnabledFor is not is_enabled",
            "slow": f"return {method}(logger, msg, *args, {passed})",
            "urgent": levelno >= URGENT,
            "level": levelno,
        }
    text = _CONDITIONAL.sub(lambda m: m[1] + m[3] if wanted[m[2]] else "", _TEXT)
    return _made(method, text.format(**words))


def _idle(method: str) -> Maker:
    words = {"method": method, "cells": ", ".join(_all_cells())}
    return _made(method, _IDLE_TEXT.format(**words))


def _all_cells() -> tuple[str, ...]:
    return (*_CELLS, *_NAMES)


def _made(method: str, text: str) -> Maker:
    names: dict[str, Any] = {}
    exec(compile(text, str(logging._srcfile), "exec"), names)  # noqa: S102

    def make(cells: Mapping[str, Any]) -> Any:
        lane = names["make"](*map(cells.get, _CELLS), *_NAMES.values())
        code = lane.__code__.replace(co_name=method)
        made = FunctionType(code, cells["methods"], method, lane.__defaults__, lane.__closure__)
        made.__kwdefaults__ = lane.__kwdefaults__
        return made

    return make


#: What `extra` may not name, as `Logger.makeRecord` has it.
_RESERVED = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def _rendered(msg: object, args: Any) -> tuple[str, None]:
    """Return the finished message of arguments that may change later.

    Raises:
        Exception: it cannot be made, or somebody has his own way to make it.
    """
    code = getattr(logging.LogRecord.getMessage, "__code__", None)
    if code is None or code.co_filename != logging._srcfile:
        raise TypeError("messages are made by others")
    text = str(msg)
    if args:
        if len(args) == 1 and args[0] and isinstance(args[0], Mapping):
            args = args[0]
        text = text % args
    return str.__str__(text), None


def _task_name() -> str | None:
    """Return the name of the asyncio task that logs, as a record has it."""
    try:
        name: str = sys.modules["asyncio"].current_task().get_name()
        return name
    except Exception:
        return None


#: What the texts name.
_NAMES: dict[str, Any] = {
    "logging": logging,
    "time": time,
    "record_class": logging.LogRecord,
    "frozen": FROZEN,
    "rendered": _rendered,
    "is_new": _RESERVED.isdisjoint,
    "freeze_extras": freeze_extras,
    "getframe": sys._getframe,
    "get_ident": threading.get_ident,
    "source": logging._srcfile,
    "threading": threading,
    "modules": sys.modules,
    "task_name": _task_name,
    "fields": bound_or_none,
}
