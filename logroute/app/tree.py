"""Attaches a runtime to the tree of loggers, and takes it off again.

Levels, propagation, filters and handlers of the named loggers change as
`dictConfig` would change them, with one difference: handlers that neither stdlib
nor we made (pytest's caplog, an agent's) stay where they are.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from logroute.config.model import Config, LoggerSpec
from logroute.engine.handler import RouteHandler
from logroute.engine.runtime import Runtime
from logroute.levels import Levels

__all__ = ["Tree"]

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


class Tree:
    """The loggers that we changed, and how they were before.

    Another runtime may be attached while one is: each logger then changes over
    in one step, so that no record falls between the two.
    """

    def __init__(self) -> None:
        """Start with nothing changed."""
        self._before: dict[str, _Before] = {}
        self._faces: dict[str, RouteHandler] = {}
        self._disabled: list[logging.Logger] = []

    def attach(
        self, runtime: Runtime, config: Config, levels: Levels, filters: Mapping[str, Any]
    ) -> None:
        """Let records flow from the loggers into `runtime`."""
        faces = self._faces = _faces(runtime, config)
        specs = dict(config.loggers)
        if config.root is not None:
            specs["root"] = config.root
        touched = dict.fromkeys([*faces, *specs])
        for name in touched:
            before = self._before.get(name)
            if before is None:
                before = self._before[name] = _Before(_logger(name))
            spec = specs.get(name, _NOTHING)
            _apply(before, faces.get(name), spec, levels, filters, runtime.count_fault)
        for name in [name for name in self._before if name not in touched]:
            _restore(self._before.pop(name))
        self._enable_again()
        if config.disable_existing_loggers:
            self._disable_others(set(config.loggers))

    def is_whole(self) -> bool:
        """Return whether all our faces are still where we put them."""
        return all(face in _logger(name).handlers for name, face in self._faces.items())

    def detach(self) -> None:
        """Bring every logger back to what it was."""
        for before in self._before.values():
            _restore(before)
        self._before.clear()
        self._faces = {}
        self._enable_again()

    def _disable_others(self, named: set[str]) -> None:
        for name, logger in list(logging.root.manager.loggerDict.items()):
            is_child = any(name.startswith(f"{parent}.") for parent in named)
            if name in named or is_child or not isinstance(logger, logging.Logger):
                continue
            if not logger.disabled:
                logger.disabled = True
                self._disabled.append(logger)

    def _enable_again(self) -> None:
        for logger in self._disabled:
            logger.disabled = False
        self._disabled.clear()


def _faces(runtime: Runtime, config: Config) -> dict[str, RouteHandler]:
    """Return a new face for each logger where records must be met."""
    lower = [name for name, spec in config.loggers.items() if spec.handlers]
    names = list(lower)
    takes_root = config.root is not None and bool(config.root.handlers)
    if takes_root or config.routes is not None or config.unmatched is not None:
        names.append("root")
    return {
        name: RouteHandler(
            runtime,
            name,
            has_lower=bool(lower)
            if name == "root"
            else any(other.startswith(f"{name}.") for other in lower),
        )
        for name in names
    }


def _logger(name: str) -> logging.Logger:
    return logging.getLogger() if name == "root" else logging.getLogger(name)


def _apply(
    before: _Before,
    face: RouteHandler | None,
    spec: LoggerSpec,
    levels: Levels,
    filters: Mapping[str, Any],
    count_fault: Callable[[BaseException], None],
) -> None:
    logger = before.logger
    kept: list[logging.Handler] = []
    for handler in logger.handlers:
        if isinstance(handler, RouteHandler):
            continue
        if face is not None and type(handler).__module__ in ("logging", "logging.handlers"):
            before.removed.append(handler)
        else:
            kept.append(handler)
    # One assignment: a record in another thread meets the old face or the new one.
    logger.handlers = kept if face is None else [*kept, face]
    logger.setLevel(before.level if spec.level is None else levels.number(spec.level))
    if logger is not logging.root:
        logger.propagate = spec.propagate is not False
    logger.disabled = False
    logger.filters = before.filters + [
        _as_logger_filter(filters[name], count_fault) for name in spec.filters
    ]


def _restore(before: _Before) -> None:
    logger = before.logger
    ours = [handler for handler in logger.handlers if isinstance(handler, RouteHandler)]
    kept = [handler for handler in logger.handlers if handler not in ours]
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
