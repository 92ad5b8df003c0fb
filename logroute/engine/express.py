"""The express lane: plain loggers put into the intake what a record is made of.

stdlib makes a record of 22 fields in the thread that logs, walks up the tree of
loggers and only then meets a handler. Where it would meet none but ours, `Lanes`
puts functions in the place of a logger's methods that keep what must be known now
(time, thread, place, arguments); the dispatcher makes the record (`thaw.py`). At a
level that no route wants they do nothing at all.

Nothing may tell the difference. So a lane is open only while the logger, its
parents and `logging` itself are as stdlib made them; who changes a logger closes all
lanes first (`_Adopted`, `_Watched`), and the next record finds out whether they may
open again. A lane that somebody has kept a reference to does what the method does.
"""

import gc
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable

from logroute import native
from logroute.engine.intake import Decision
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.engine.handler import RouteHandler
    from logroute.engine.runtime import Runtime

__all__ = ["Lanes", "prepare"]

#: Methods of `Logger` that a record passes, and those that begin it.
_STEPS = ("_log", "findCaller", "makeRecord", "handle", "callHandlers", "isEnabledFor")
_METHODS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
#: Loggers with lanes, at most: some programs make a logger for each of their objects.
_MOST_LOGGERS = 2000

#: The namespace of the class itself: what is put there later is seen, at the price of a
#: look into a dict.
_METHODS_OF_LOGGER: dict[str, Any] = next(
    (each for each in gc.get_referents(logging.Logger.__dict__) if type(each) is dict), {}
)

_all: "weakref.WeakSet[Lanes]" = weakref.WeakSet()
#: What makes the functions, once a dispatcher has prepared it; who logs imports nothing.
_code: Any = None
#: Decisions that wait for their lanes' code, at most.
_MOST_ASKED = 1000


def prepare(asked: deque[Decision]) -> None:
    """Import and compile the code of lanes, which takes milliseconds: not while anybody logs."""
    global _code
    while asked:
        if _code is None:
            from logroute.engine import lanecode

            _code = lanecode
        for part in _parts_of(asked.popleft()):
            _code.prepare(*part)


def _tell() -> None:
    """Close all lanes, since somebody has changed a logger."""
    for lanes in list(_all):
        lanes.reconsider()


class _Watched(list[Any]):
    """The handlers or filters of a logger; tells of changes."""

    __slots__ = ()


def _telling(name: str) -> Any:
    plain = getattr(list, name)

    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return plain(self, *args, **kwargs)
        finally:
            _tell()

    change.__name__ = name
    return change


for _name in ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"):
    setattr(_Watched, _name, _telling(_name))
for _name in ("__setitem__", "__delitem__", "__iadd__", "__imul__"):
    setattr(_Watched, _name, _telling(_name))


def _matters(name: str) -> bool:
    """Return whether an attribute has to do with where records go, or who makes them."""
    return name in _ATTRIBUTES or hasattr(logging.Logger, name)


_ATTRIBUTES = frozenset(("name", "level", "parent", "propagate", "handlers", "filters", "disabled"))


def _adopted(base: type) -> Any:
    """Return a class like `base` whose objects tell of changes; it looks the same."""

    def setattr_(self: Any, name: str, value: Any) -> None:
        try:
            object.__setattr__(self, name, value)
        finally:
            if _matters(name):
                _tell()

    def delattr_(self: Any, name: str) -> None:
        try:
            object.__delattr__(self, name)
        finally:
            if _matters(name):
                _tell()

    own = {"__slots__": (), "__setattr__": setattr_, "__delattr__": delattr_}
    names = {"__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), {**own, **names})


#: What a logger becomes while lanes may depend on it.
_ADOPTED: dict[Any, Any] = {
    logging.Logger: _adopted(logging.Logger),
    logging.RootLogger: _adopted(logging.RootLogger),
}
_PLAIN: dict[Any, Any] = {adopted: plain for plain, adopted in _ADOPTED.items()}


class Lanes:
    """The lanes into one runtime. Any thread opens and closes them; nobody waits."""

    def __init__(self, runtime: "Runtime") -> None:
        """Open lanes into `runtime`, as records show which."""
        self._runtime = weakref.ref(runtime)
        self._is_over = False
        self._is_paused = False
        self._is_opening = False
        self._adopted: dict[str, logging.Logger] = {}
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        #: Filled once these lanes are closed; each lane looks at it.
        self._closed: list[bool] = []
        self._opened: dict[str, tuple[logging.Logger, dict[int, Decision]]] = {}

    def reconsider(self) -> None:
        """Close the lanes; the next record of each logger says whether they may open again."""
        runtime = self._runtime()
        if runtime is not None and not self._is_over:
            runtime.changed()  # which closes these, too

    def close(self) -> None:
        """Close the lanes that are open now."""
        closed, opened = self._closed, self._opened
        self._begin()
        closed.append(True)
        for logger, _ in list(opened.values()):
            for name in ("_log", *_METHODS.values()):
                lane = logger.__dict__.get(name)
                if getattr(lane, "lane_of", None) is closed:
                    logger.__dict__.pop(name, None)

    def pause(self) -> None:
        """Close the lanes, and open none for a while."""
        self._is_paused = True
        self.close()

    def resume(self) -> None:
        """Let the next records open lanes again."""
        self._is_paused = False
        self.reconsider()

    def reset(self) -> None:
        """Close the lanes that a parent had, as a forked child must."""
        self._is_paused = self._is_opening = False
        self.close()

    def end(self) -> None:
        """Close the lanes for good, and leave all loggers as they would be without."""
        self._is_over = True
        self.close()
        _all.discard(self)
        lock: Any = logging._lock  # type: ignore[attr-defined]
        is_held = lock.acquire(timeout=1.0)  # who holds it for longer waits for us
        try:
            self._let_go()
        finally:
            if is_held:
                lock.release()

    def _let_go(self) -> None:
        held = {name for lanes in list(_all) for name in lanes._adopted}
        for name, logger in self._adopted.items():
            plain = _PLAIN.get(type(logger))
            if plain is None or name in held:
                continue
            object.__setattr__(logger, "__class__", plain)
            logger.handlers = _unwatched(logger.handlers)
            logger.filters = _unwatched(logger.filters)
        self._adopted = {}

    # -- opening

    @property
    def epoch(self) -> list[bool]:
        """What says, by being filled, that lanes opened from now on are closed again."""
        return self._closed

    def consider(self, face: "RouteHandler", decision: Decision, closed: list[bool]) -> bool:
        """Open a lane for the records of `decision`, which `face` meets, if nothing forbids it.

        `closed` is the epoch of before the decision. Nobody waits here: returns False, and
        may be asked again, while somebody changes loggers under the lock of `logging`, or
        opens a lane (in this very thread, too, where a signal has come in the midst of
        it), or while what makes them is not there yet.
        """
        runtime = self._runtime()
        if runtime is None or runtime.is_exiting or self._is_over or self._is_paused:
            return True
        key = decision.key
        if key is None or not _may_have_lane(decision) or len(self._opened) >= _MOST_LOGGERS:
            return True
        lock: Any = logging._lock  # type: ignore[attr-defined]
        if self._is_opening or not _has_code(decision, runtime):
            return False
        if not lock.acquire(blocking=False):
            return False
        self._is_opening = True
        try:
            self._consider(face, decision, key, closed)
        finally:
            self._is_opening = False
            lock.release()
        return True

    def _consider(
        self,
        face: "RouteHandler",
        decision: Decision,
        key: tuple[str, int, str | None],
        closed: list[bool],
    ) -> None:
        name, levelno, _ = key
        logger: Any = logging.root
        if name != "root":
            logger = logging.root.manager.loggerDict.get(name)
        if not (_is_untouched() and self._adopt(logger, face)):
            return
        self._open(logger, levelno, decision, closed)

    def _adopt(self, logger: Any, face: "RouteHandler") -> bool:
        """Return whether a record of `logger` meets `face` and nobody else; watch that."""
        met: list[Any] = []
        current = logger
        while current is not None:
            if type(current) not in _ADOPTED and type(current) not in _PLAIN:
                return False
            self._watch(current)
            met += current.handlers
            current = current.parent if current.propagate else None
        if not met or met[0] is not face or logger.filters or logger.disabled:
            return False
        return all(self._is_ours(handler) for handler in met)

    def _is_ours(self, handler: Any) -> bool:
        serves = getattr(handler, "serves", None)
        if serves is None or handler.level or handler.filters:
            return False
        runtime = self._runtime()
        return runtime is not None and bool(serves(runtime))

    def _watch(self, logger: Any) -> None:
        if type(logger.handlers) is not _Watched:
            object.__setattr__(logger, "handlers", _Watched(logger.handlers))
        if type(logger.filters) is not _Watched:
            object.__setattr__(logger, "filters", _Watched(logger.filters))
        if (adopted := _ADOPTED.get(type(logger))) is not None:
            logger.__class__ = adopted
        self._adopted[logger.name] = logger

    def _open(self, logger: Any, levelno: int, decision: Decision, closed: list[bool]) -> None:
        runtime = self._runtime()
        if runtime is None:
            return
        _, decisions = self._opened.setdefault(logger.name, (logger, {}))
        intake = runtime.intake
        cells = {
            "logger": logger,
            "decision": decision,
            "decisions": decisions,
            "closed": closed,
            "enabled": logger._cache.get,
            "intake": intake,
            "entries": intake.entries,
            "append": intake.entries.append,
            "bell": intake.bell,
            "attend": _attendant(self._runtime),
            "own": runtime.own_threads,
            "methods": _METHODS_OF_LOGGER,
            "steps": tuple(_METHODS_OF_LOGGER[step] for step in _STEPS),
        }
        if not _is_wanted_by_nobody(decision):
            decisions[levelno] = decision
        for method, needs in _parts_of(decision):
            cells["begun"] = _METHODS_OF_LOGGER.get(method)
            self._put(logger, method, _code.part(method, needs)(cells), closed)

    def _put(self, logger: Any, name: str, lane: Any, closed: list[bool]) -> None:
        lane.lane_of = closed
        present = logger.__dict__.get(name)
        if present is None or hasattr(present, "lane_of"):
            logger.__dict__[name] = lane
        if closed and logger.__dict__.get(name) is lane:  # meanwhile
            logger.__dict__.pop(name, None)


def _attendant(runtime: "weakref.ref[Runtime]") -> Callable[[int], None]:
    """Return what sees to it that what a lane has put is worked on; a lane holds no runtime."""

    def attend(levelno: int) -> None:
        found = runtime()
        if found is not None:
            found.attend(levelno)

    return attend


def _unwatched(entries: list[Any]) -> list[Any]:
    return list(entries) if type(entries) is _Watched else entries


def _may_have_lane(decision: Decision) -> bool:
    """Return whether the thread that logs has nothing to do but to put the record in."""
    return not (decision.has_caller_part or decision.gates or _is_shown(decision))


def _parts_of(decision: Decision) -> list[tuple[str, Any]]:
    """Return the methods that lanes take the place of, and what is needed there."""
    assert decision.key is not None
    method = _METHODS.get(decision.key[1], "")
    if _is_wanted_by_nobody(decision):
        return [(method, None)] if method else []
    both = [(method, _code.needs_of(decision)), ("_log", _code.ALL)]
    return both if method else both[1:]


def _has_code(decision: Decision, runtime: "Runtime") -> bool:
    """Return whether the functions are compiled; else have the dispatcher do that."""
    if _code is not None and all(_code.is_ready(*part) for part in _parts_of(decision)):
        return True
    asked = runtime.dispatcher.asked
    if decision not in asked and len(asked) < _MOST_ASKED:
        asked.append(decision)
        runtime.intake.bell.ring()
    return False


def _is_shown(decision: Decision) -> bool:
    """Return whether stderr shows records that no route wants."""
    return decision.is_unmatched and (decision.key is None or decision.key[1] >= logging.WARNING)


def _is_wanted_by_nobody(decision: Decision) -> bool:
    return decision.is_never or (decision.is_unmatched and not decision.targets)


def _is_untouched() -> bool:
    """Return whether `logging` works as stdlib made it."""
    source = logging._srcfile
    steps = [_METHODS_OF_LOGGER.get(name) for name in (*_STEPS, *_METHODS.values())]
    steps += [logging.LogRecord.__init__, logging.LogRecord.getMessage, logging.Filterer.filter]
    return (
        bool(source)
        and logging._logRecordFactory is logging.LogRecord  # type: ignore[attr-defined]
        and threading.get_ident is native.get_ident  # gevent has not put its own in place
        and all(_is_stdlib(step) for step in steps)
    )


def _is_stdlib(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == logging._srcfile
