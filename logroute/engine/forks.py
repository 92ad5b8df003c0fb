"""What a fork asks of the process that forks, and of a child that multiprocessing made.

A child inherits every lock as it stands at the fork, and none of the threads that
would release it. So the thread that forks waits, within bounds, until ours are
neither in the middle of an import nor inside a handler that is not ours. An import
that begins behind that question the child begins anew. The hooks do no I/O and
start nothing. uWSGI calls no hooks; there no thread of ours runs in the master.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from logroute import native
from logroute.engine.worker import Worker
from logroute.light import Any

__all__ = ["begin_child", "drain_in_children", "hold", "is_multiprocessing_child", "let_go"]

#: How long a fork waits for an import of ours; the first record of a handler begins one.
IMPORT_PATIENCE_S = 2.0
#: How long it waits for one of another thread: what that logs may have begun it.
OTHER_IMPORT_PATIENCE_S = 0.2
#: How long it waits for handlers that are not ours to be between two records.
HANDLER_PATIENCE_S = 0.1

_module_locks: dict[str, Callable[[], Any]] = getattr(
    sys.modules["_frozen_importlib"], "_module_locks", {}
)
_held: dict[int, list[Callable[[], None]]] = {}


def hold(workers: Iterable[Worker]) -> None:
    """Wait until a fork is harmless, and keep it so; the calling thread is about to fork."""
    held = _held[native.get_ident()] = []
    workers = tuple(workers)
    deadline = time.monotonic() + HANDLER_PATIENCE_S
    for worker in workers:
        worker.hold_for_fork(deadline - time.monotonic(), held)
    own = _threads_of(workers)
    begun = time.monotonic()
    while patience_s := max((_patience_s(*each, own) for each in _imports()), default=0):
        if time.monotonic() - begun > patience_s:
            break
        native.sleep(0.001)


def let_go() -> None:
    """Let all go on, in the process that forked."""
    for release in _held.pop(native.get_ident(), ()):
        release()


def begin_child(workers: Iterable[Worker]) -> None:
    """Forget, in a forked child, what was held, and imports whose threads are gone.

    Between the question before the fork and the fork itself another thread may run. The
    child would wait for an import that this has begun for ever.
    """
    _held.clear()
    own = _threads_of(workers)
    for name, owner in list(_imports()):
        if _is_ours(name, owner, own):
            _module_locks.pop(name, None)
            module = sys.modules.get(name)
            if getattr(getattr(module, "__spec__", None), "_initializing", False):
                sys.modules.pop(name, None)


def _threads_of(workers: Iterable[Worker]) -> list[set[int]]:
    threads: list[set[int]] = []
    for worker in workers:
        if all(worker.own_threads is not known for known in threads):
            threads.append(worker.own_threads)
    return threads


def _imports() -> Iterator[tuple[str, int]]:
    """Yield each module that another thread is importing, and that thread's ident.

    Asked of the locks that Python has for modules being imported; the frames of a
    thread that runs cannot be walked safely.
    """
    for name, reference in list(_module_locks.items()):
        owner = getattr(reference(), "owner", None)
        if owner not in (None, native.get_ident()):
            yield name, owner


def _is_ours(name: str, owner: int, own: list[set[int]]) -> bool:
    """Return whether an import is one of us, by whomever, or of whatever by one of `own`."""
    return name.startswith("logroute") or any(owner in idents for idents in own)


def _patience_s(name: str, owner: int, own: list[set[int]]) -> float:
    return IMPORT_PATIENCE_S if _is_ours(name, owner, own) else OTHER_IMPORT_PATIENCE_S


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
