"""Attaches a runtime to the tree of loggers, and takes it off again.

Levels, propagation, filters and handlers of the named loggers change as
`dictConfig` would change them, with one difference: handlers that neither stdlib
nor we made (pytest's caplog, an agent's) stay where they are.

A reload changes the tree in two steps (`Move`): what the new config adds stands
before its routes are in force, what it no longer wants goes after that. So a
record meets at every moment a face that takes it, and, by the mark that the first
one leaves on it, only one.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from logroute.app.grace import await_walkers
from logroute.config.model import Config, LoggerSpec
from logroute.engine.handler import RouteHandler
from logroute.engine.runtime import Runtime
from logroute.levels import Levels
from logroute.light import Any

__all__ = ["Move", "Tree"]

_NOTHING = LoggerSpec()


class _Before:
    """How a logger was before we came, and which handlers we took off it."""

    __slots__ = ("disabled", "filters", "level", "logger", "propagate", "removed")

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self.level = logger.level
        self.propagate = logger.propagate
        self.disabled = logger.disabled
        self.filters = list(logger.filters)
        self.removed: list[logging.Handler] = []


class _Aim:
    """How a logger shall be."""

    __slots__ = ("before", "face", "filters", "is_ours", "level", "name", "propagate")

    def __init__(self, name: str, before: _Before, face: RouteHandler | None) -> None:
        self.name = name
        self.before = before
        self.face = face
        #: The config names it; else it becomes again what it was.
        self.is_ours = False
        self.level = before.level
        self.propagate = before.propagate
        self.filters: list[Any] = before.filters

    @property
    def logger(self) -> logging.Logger:
        return self.before.logger

    @property
    def depth(self) -> int:
        return 0 if self.name == "root" else 1 + self.name.count(".")


class Tree:
    """The loggers that we changed, and how they were before."""

    def __init__(self) -> None:
        """Start with nothing changed."""
        self.before: dict[str, _Before] = {}
        self.faces: dict[str, RouteHandler] = {}
        self.disabled: list[logging.Logger] = []

    def attach(
        self, runtime: Runtime, config: Config, levels: Levels, filters: Mapping[str, Any]
    ) -> None:
        """Let records flow from the loggers into `runtime`."""
        self.prepare(runtime, config, levels, filters).finish()

    def prepare(
        self, runtime: Runtime, config: Config, levels: Levels, filters: Mapping[str, Any]
    ) -> "Move":
        """Return the way to the tree that `config` describes; nothing changes yet."""
        faces = _faces(runtime, config, self.faces)
        specs = dict(config.loggers)
        if config.root is not None:
            specs["root"] = config.root
        touched = dict.fromkeys([*faces, *specs])
        aims = []
        for name in dict.fromkeys([*touched, *self.before]):
            before = self.before.get(name) or self._look(name)
            aim = _Aim(name, before, faces.get(name))
            if name in touched:
                _describe(aim, specs.get(name, _NOTHING), levels, filters, runtime.count_fault)
            aims.append(aim)
        others = set(config.loggers) if config.disable_existing_loggers else None
        return Move(self, runtime, aims, faces, others)

    def _look(self, name: str) -> _Before:
        before = _Before(_logger(name))
        if before.logger in self.disabled:  # by us
            before.disabled = False
        return before

    def is_whole(self) -> bool:
        """Return whether all our faces are still where we put them."""
        return all(face in _logger(name).handlers for name, face in self.faces.items())

    def detach(self) -> None:
        """Bring every logger back to what it was."""
        for before in self.before.values():
            _restore(before)
        self.before.clear()
        self.faces = {}
        for logger in self.disabled:
            logger.disabled = False
        self.disabled = []


class Move:
    """The way from one tree to the next, in two steps."""

    def __init__(
        self,
        tree: Tree,
        runtime: Runtime,
        aims: Iterable[_Aim],
        faces: dict[str, RouteHandler],
        named: set[str] | None,
    ) -> None:
        """Plan it; `named` is what stays enabled where all other loggers are silenced."""
        self._tree = tree
        self._runtime = runtime
        self._aims = sorted(aims, key=lambda aim: aim.depth)
        self._faces = faces
        self._named = named
        self._new: list[RouteHandler] = []

    def begin(self) -> None:
        """Put up what the new config adds, before its routes are in force."""
        standing = {**self._tree.faces, **self._faces}
        lower = _having_lower(standing)
        for name, face in standing.items():
            face.has_lower = face.has_lower or name in lower
        for aim in self._aims:  # from the root down: who marks records stands below who looks
            if aim.face is not None and aim.face not in aim.logger.handlers:
                # A record may be on its way up from a face that the last reload took away.
                aim.face.has_lower = True
                self._new.append(aim.face)
                aim.logger.handlers = [*aim.logger.handlers, aim.face]
        # Who passed before they stood must meet one further up, and as before.
        if self._new and await_walkers():
            for name, face in standing.items():  # marked by faces that are long gone
                face.has_lower = name in lower

    def give_up(self) -> None:
        """Take off again what `begin` put up: the new routes do not come."""
        for aim in self._aims:
            if aim.face in self._new:
                aim.logger.handlers = [h for h in aim.logger.handlers if h is not aim.face]
        for face in self._new:
            if face not in self._tree.faces.values():
                face.retire()

    def finish(self) -> None:
        """Do the rest, now that the new routes are in force."""
        aims = self._aims
        for aim in aims:
            aim.logger.filters = aim.filters
            aim.logger.disabled = False if aim.is_ours else aim.before.disabled
            if aim.propagate and not aim.logger.propagate:
                aim.logger.propagate = True
        for aim in aims:
            if aim.face is not None:
                self._set_handlers(aim)
        for aim in aims:
            if aim.logger.propagate != aim.propagate:
                aim.logger.propagate = aim.propagate
        _set_levels(aims)
        for aim in aims:
            if aim.face is None:
                self._set_handlers(aim)
        self._keep()
        self._set_disabled()

    def _keep(self) -> None:
        """Let the tree know how it is now."""
        tree = self._tree
        for name, face in tree.faces.items():
            if self._faces.get(name) is not face:
                face.retire()
        lower = _having_lower(tree.faces) | _having_lower(self._faces)
        for name, face in self._faces.items():  # what is on its way may be marked yet
            face.has_lower = face.has_lower or name in lower
        tree.before = {aim.name: aim.before for aim in self._aims if aim.is_ours}
        tree.faces = self._faces

    def _set_handlers(self, aim: _Aim) -> None:
        logger, removed = aim.logger, aim.before.removed
        kept = [handler for handler in logger.handlers if not isinstance(handler, RouteHandler)]
        if aim.face is not None:
            theirs = [h for h in kept if type(h).__module__ in ("logging", "logging.handlers")]
            removed += [handler for handler in theirs if handler not in removed]
            kept = [handler for handler in kept if handler not in theirs]
            logger.handlers = [*kept, aim.face]  # one assignment: the old list or the new one
        else:
            logger.handlers = [*(h for h in removed if h not in kept), *kept]
            removed.clear()

    def _set_disabled(self) -> None:
        """Silence the other loggers, if the config says so; enable those silenced before."""
        tree = self._tree
        silent = [] if self._named is None else list(_others(self._named, tree.disabled))
        for logger in silent:
            logger.disabled = True
        for logger in tree.disabled:
            if logger not in silent:
                logger.disabled = False
        tree.disabled = silent


def _having_lower(faces: Iterable[str]) -> set[str]:
    """Return the names below which, in the tree of loggers, others of `faces` stand."""
    names = set(faces)
    found = {"root"} if names - {"root"} else set()
    for name in names:
        while name := name.rpartition(".")[0]:
            found.add(name)
    return found & names


def _faces(
    runtime: Runtime, config: Config, known: Mapping[str, RouteHandler]
) -> dict[str, RouteHandler]:
    """Return a face for each logger where records must be met; one that is known stays."""
    names = [name for name, spec in config.loggers.items() if spec.handlers]
    takes_root = config.root is not None and bool(config.root.handlers)
    if takes_root or config.routes is not None or config.unmatched is not None:
        names.append("root")
    lower = _having_lower(names)
    faces = {}
    for name in names:
        face = known.get(name)
        if face is None or not face.serves(runtime):
            face = RouteHandler(runtime, name, has_lower=name in lower)
        faces[name] = face
    return faces


def _logger(name: str) -> logging.Logger:
    return logging.getLogger() if name == "root" else logging.getLogger(name)


def _describe(
    aim: _Aim,
    spec: LoggerSpec,
    levels: Levels,
    filters: Mapping[str, Any],
    count_fault: Callable[[BaseException], None],
) -> None:
    """Aim at what `spec` says of a logger."""
    aim.is_ours = True
    if spec.level is not None:
        aim.level = levels.number(spec.level)
    if aim.logger is not logging.root:
        aim.propagate = spec.propagate is not False
    aim.filters = aim.before.filters + [
        _as_logger_filter(filters[name], count_fault) for name in spec.filters
    ]


def _set_levels(aims: list[_Aim]) -> None:
    """Set the levels, in an order that silences nobody for a moment.

    No logger's effective level is meanwhile above the higher one of before and
    after: first go those that become lower; then those that become higher, children
    before their parents; then those that take their parents' level, parents first.
    """
    for aim in aims:
        if 0 < aim.level <= aim.logger.getEffectiveLevel():
            _set_level(aim)
    for aim in reversed(aims):
        if aim.level:
            _set_level(aim)
    for aim in aims:
        _set_level(aim)


def _set_level(aim: _Aim) -> None:
    if aim.logger.level != aim.level:
        aim.logger.setLevel(aim.level)


def _others(named: set[str], silenced: list[logging.Logger]) -> Iterable[logging.Logger]:
    """Yield the loggers that are not named, nor below one that is, and were not silent."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        is_child = any(name.startswith(f"{parent}.") for parent in named)
        if name in named or is_child or not isinstance(logger, logging.Logger):
            continue
        if name == "logroute":  # what we have to say of ourselves
            continue
        if not logger.disabled or logger in silenced:
            yield logger


def _restore(before: _Before) -> None:
    logger = before.logger
    kept = [handler for handler in logger.handlers if not isinstance(handler, RouteHandler)]
    logger.handlers = before.removed + kept
    logger.setLevel(before.level)
    logger.propagate, logger.disabled = before.propagate, before.disabled
    logger.filters = before.filters


def _as_logger_filter(filter: Any, count_fault: Callable[[BaseException], None]) -> Any:
    """Return a filter as loggers take it: ours change the record in place.

    One of ours that fails drops the record, which may be full of secrets still.
    """
    if hasattr(filter, "filter"):
        return filter

    def apply(record: logging.LogRecord) -> bool:
        try:
            changed = filter(record)
        except Exception as fault:
            count_fault(fault)
            return False
        if not changed:
            return False
        if isinstance(changed, logging.LogRecord) and changed is not record:
            values = dict(changed.__dict__)
            record.__dict__.clear()
            record.__dict__.update(values)
        return True

    return apply
