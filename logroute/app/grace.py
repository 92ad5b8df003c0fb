"""Waits until no thread is in the middle of handing a record from logger to logger.

Such a thread may have passed a logger before a handler was put there, and must
still find the way up open. Runs in the thread that reloads.
"""

import logging
import sys
import time
from types import FrameType

__all__ = ["await_walkers"]

#: A handler that is not ours may hold a thread for long in the middle of its way.
MOST_S = 1.0
_WALK = logging.Logger.callHandlers.__code__


def await_walkers() -> bool:
    """Wait for the threads that are in `Logger.callHandlers` now to leave it.

    Returns False where one of them has not in `MOST_S` seconds.
    """
    deadline = time.monotonic() + MOST_S
    waiting = _walks()
    while waiting:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)  # no event tells of a frame that ends
        now = _walks()
        waiting = [frame for frame in waiting if any(frame is other for other in now)]
    return True


def _walks() -> list[FrameType]:
    """Return the frames of the walk in all threads but this one."""
    own = sys._getframe()
    found: list[FrameType] = []
    for frame in sys._current_frames().values():
        walk: list[FrameType] = []
        at: FrameType | None = frame
        while at is not None and at is not own:
            if at.f_code is _WALK:
                walk.append(at)
            at = at.f_back
        if at is None:
            found += walk
    return found
