"""Threads and locks as the system has them, whatever a program has put in their place.

gevent and eventlet replace threads by greenlets, of which one runs at a time, and
the locks by ones that only greenlets can wait for. Ours deliver while a greenlet
computes, and start and sleep alike before and after such a patch.
"""

import _thread
import importlib
import os
import sys
from collections.abc import Callable

from logroute.light import TYPE_CHECKING, Any, Protocol


def original(module: str, name: str, *default: Any) -> Any:
    """Return what `module.name` was before gevent or eventlet came, if they did.

    `default` is for what not every system has.
    """
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original(module, name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None:
        return getattr(eventlet.original(module), name, *default)
    return getattr(importlib.import_module(module), name, *default)


#: Of Linux since 4.14; Python has no name for it.
_MADV_WIPEONFORK = 18

allocate_lock: Callable[[], _thread.LockType] = original("_thread", "allocate_lock")
_RLock: type[_thread.RLock] = original("_thread", "RLock")
get_ident: Callable[[], int] = original("_thread", "get_ident")
sleep: Callable[[float], None] = original("time", "sleep")
#: Makes what waits for descriptors; eventlet takes it out of `select`.
poll: Callable[[], Any] = original("select", "poll", None)
_start_new_thread: Callable[..., int] = original("_thread", "start_new_thread")
_get_native_id: Callable[[], int] = original("_thread", "get_native_id")


class RLock:
    """A reentrant lock that stays one for threads.

    eventlet, when it patches, looks through the attributes of all objects for those of
    Python and replaces them; ours would then keep a thread waiting for ever. It does not
    look into slots, and from these `with` takes the lock's own methods.
    """

    __slots__ = ("__enter__", "__exit__", "_is_owned", "acquire", "release")

    if TYPE_CHECKING:  # what the slots hold

        def __enter__(self) -> bool: ...
        def __exit__(self, *_: object) -> None: ...
        def _is_owned(self) -> bool: ...
        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...  # noqa: D102
        def release(self) -> None: ...  # noqa: D102

    def __init__(self) -> None:
        """Start with no owner."""
        lock = _RLock()
        for name in self.__slots__:
            setattr(self, name, getattr(lock, name))


class ForkMark(Protocol):
    """Says by its first item whether this is still the process that set it to 1."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


class _PidMark:
    def __init__(self) -> None:
        self._pid = os.getpid()

    def __getitem__(self, index: int) -> int:
        return int(self._pid == os.getpid())

    def __setitem__(self, index: int, value: int) -> None:
        self._pid = os.getpid()


def fork_mark() -> ForkMark:
    """Return what has a 1 at its head here, and a 0 in a process that is forked off.

    Linux itself wipes the page, whether or not somebody calls Python's hooks at the fork;
    to look costs a fifth of asking for the process's ident.
    """
    try:
        import mmap

        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
    except (ImportError, AttributeError, OSError, ValueError):
        return _PidMark()
    page[0] = 1
    return page


def start_thread(run: Callable[[], object]) -> None:
    """Start a daemon thread.

    Raises:
        RuntimeError: none can start here; do its work in the calling thread.
    """
    if not can_start_thread():
        raise RuntimeError("no thread can start here")
    _start_new_thread(run, ())


def can_start_thread() -> bool:
    """Return whether a thread that is started now would run.

    Not while the interpreter ends: Python 3.11 would start one that never runs. And
    not in the master of uWSGI, which forks without telling Python: a worker that
    is forked while another thread of the master is at work hangs.
    """
    return not sys.is_finalizing() and not _is_uwsgi_master()


def _is_uwsgi_master() -> bool:
    uwsgi = sys.modules.get("uwsgi")
    try:
        return uwsgi is not None and uwsgi.worker_id() == 0 and not uwsgi.mule_id()
    except Exception:  # another module of that name
        return False


def is_main_thread() -> bool:
    """Return whether signals are handled in the calling thread."""
    if sys.platform == "linux":
        return _get_native_id() == os.getpid()
    import threading

    return threading.current_thread() is threading.main_thread()
