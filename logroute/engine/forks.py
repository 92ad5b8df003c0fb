"""What a fork asks of the process that forks, and of a child that multiprocessing made.

A child inherits every lock as it stands at the fork, and none of the threads that
would release it. So the thread that forks waits, within bounds, until ours are
neither in the middle of an import nor inside a handler that is not ours. The
hooks do no I/O and start nothing. uWSGI calls no hooks; there no thread of ours
runs in the master.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from logroute import native
from logroute.engine.worker import Worker

__all__ = ["drain_in_children", "forget_held", "hold", "is_multiprocessing_child", "let_go"]

#: How long a fork waits for an import of ours; the first record of a handler begins one.
IMPORT_PATIENCE_S = 2.0
#: How long it waits for handlers that are not ours to be between two records.
HANDLER_PATIENCE_S = 0.1

_IMPORTER = "<frozen importlib"
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_held: dict[int, list[Callable[[], None]]] = {}


def hold(workers: Iterable[Worker]) -> None:
    """Wait until a fork is harmless, and keep it so; the calling thread is about to fork."""
    held = _held[native.get_ident()] = []
    deadline = time.monotonic() + HANDLER_PATIENCE_S
    for worker in workers:
        worker.hold_for_fork(deadline - time.monotonic(), held)
    deadline = time.monotonic() + IMPORT_PATIENCE_S
    while _is_importing() and time.monotonic() < deadline:
        native.sleep(0.001)


def let_go() -> None:
    """Let all go on, in the process that forked."""
    for release in _held.pop(native.get_ident(), ()):
        release()


def forget_held() -> None:
    """Forget what was held: in a forked child it is all new."""
    _held.clear()


def _is_importing() -> bool:
    """Return whether a thread of ours is in the middle of an import."""
    own = native.get_ident()
    frames = sys._current_frames()
    return any(_imports_for_us(frame) for ident, frame in frames.items() if ident != own)


def _imports_for_us(frame: FrameType | None) -> bool:
    imports = False
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_IMPORTER):
            imports = True
        elif imports and name.startswith(_OURS):
            return True
        frame = frame.f_back
    return False


# -- children of multiprocessing, where Python 3.11 runs no atexit hooks


def is_multiprocessing_child() -> bool:
    """Return whether this process runs the target of a Process, of billiard's too."""
    for name in ("multiprocessing.process", "billiard.process"):
        process = getattr(sys.modules.get(name), "_current_process", None)
        if getattr(process, "_parent_pid", None) is not None:
            return True
    return False


def drain_in_children(anchor: object, drain: Callable[[], None]) -> None:
    """Call `drain` at the end of the children that multiprocessing forks.

    A child clears its finalizers right after the fork, so this one is entered by the
    child's own start-up, as long as `anchor` lives; at once where this is the child.
    """
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if is_multiprocessing_child():
        util.Finalize(None, drain, exitpriority=10)
    util.register_after_fork(anchor, lambda _: util.Finalize(None, drain, exitpriority=10))
