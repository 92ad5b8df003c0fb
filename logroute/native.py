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
from typing import Any


def original(module: str, name: str) -> Any:
    """Return what `module.name` was before gevent or eventlet came, if they did."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original(module, name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None:
        return getattr(eventlet.original(module), name)
    return getattr(importlib.import_module(module), name)


allocate_lock: Callable[[], _thread.LockType] = original("_thread", "allocate_lock")
RLock: type[_thread.RLock] = original("_thread", "RLock")
get_ident: Callable[[], int] = original("_thread", "get_ident")
sleep: Callable[[float], None] = original("time", "sleep")
_start_new_thread: Callable[..., int] = original("_thread", "start_new_thread")
_get_native_id: Callable[[], int] = original("_thread", "get_native_id")


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
