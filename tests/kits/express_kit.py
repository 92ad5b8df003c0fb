"""A tree of real loggers with one of our faces at its head, for tests of the express lane."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine_kit import Kit

from logroute.engine import express, lanecode

TOP = "express_top"
METHODS = ("debug", "info", "warning", "error", "critical", "_log")

# So that the very first record can open a lane: nobody waits for the dispatcher to compile.
express._code = lanecode
for _method in METHODS:
    for _needs in (lanecode.ALL, None)[: 1 if _method == "_log" else 2]:
        lanecode.prepare(_method, _needs)


def has_lane(logger: logging.Logger, method: str = "info") -> bool:
    """Return whether a call of `method` takes the express lane now."""
    lane: Any = logger.__dict__.get(method)
    return hasattr(lane, "lane_of") and not lane.lane_of


def forget_loggers(*names: str) -> None:
    """Take loggers out of the tree again."""
    for name in names:
        logging.root.manager.loggerDict.pop(name, None)


def keep(record: logging.LogRecord) -> bytes:
    """Encode all that a record has, but for its traceback's objects."""
    values = {**record.__dict__, "text": record.getMessage()}
    info = values.pop("exc_info")
    values["raised"] = repr(info[:2]) if info else info
    for name in ("msg", "args"):
        del values[name]
    return repr(list(values.items())).encode("utf-8", "backslashreplace")


class Records(logging.Handler):
    """Keeps what it is given, as `keep` has it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.kept.append(keep(record))


@contextmanager
def tree(**options: Any) -> Iterator[tuple[Kit, logging.Logger]]:
    """Yield a kit whose face stands on a logger of the tree, and a logger two below."""
    names = (TOP, f"{TOP}.a", f"{TOP}.a.b")
    top, _, low = (logging.getLogger(name) for name in names)
    top.propagate = False
    top.setLevel(logging.DEBUG)
    try:
        with Kit("a", **options) as kit:
            top.addHandler(kit.face)
            yield kit, low
    finally:
        top.handlers.clear()
        forget_loggers(*names)


def logged(kit: Kit) -> list[bytes]:
    """Return what has arrived, all of it."""
    assert kit.runtime.flush(10)
    return kit.sinks["a"].logged
