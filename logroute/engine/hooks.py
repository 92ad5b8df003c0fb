"""The hooks of the process, fork and exit: they find the runtimes, and hold them weakly.

uWSGI calls no hooks at a fork; there the first record finds out (`Runtime.revive`).
"""

import atexit
import os
import time
import weakref
from collections.abc import Iterator

from logroute.engine import forks
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.engine.runtime import Runtime
    from logroute.engine.worker import Worker

__all__ = ["alive", "drain_in_children", "forget", "watch"]

#: The runtimes that are not shut down.
alive: "weakref.WeakSet[Runtime]" = weakref.WeakSet()


def watch(runtime: "Runtime") -> None:
    """Let the hooks find `runtime`."""
    alive.add(runtime)
    _install()
    if forks.is_multiprocessing_child():
        drain_in_children(runtime)


def forget(runtime: "Runtime") -> None:
    """Leave `runtime` alone: it is shut down."""
    alive.discard(runtime)


def drain_in_children(runtime: "Runtime") -> None:
    """Drain at the end of children that multiprocessing makes, as long as `runtime` lives."""
    forks.drain_in_children(runtime, _drain_all)


_is_installed = False


def _install() -> None:
    global _is_installed
    if not _is_installed:
        _is_installed = True
        os.register_at_fork(
            before=_hold_all, after_in_parent=forks.let_go, after_in_child=_revive_all
        )
        atexit.register(_drain_all)


def _workers() -> Iterator["Worker"]:
    for runtime in list(alive):
        yield from dict.fromkeys(
            (*runtime.workers.values(), *runtime.changing, *runtime.retired.draining)
        )


def _hold_all() -> None:
    forks.hold(_workers())


def _revive_all() -> None:
    forks.begin_child(_workers())
    for runtime in list(alive):
        runtime.revive()


def _drain_all() -> None:
    begun = time.monotonic()
    for runtime in list(alive):
        runtime.exit.drain(begun)
