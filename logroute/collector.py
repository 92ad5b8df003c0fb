"""Holds Python's garbage collector off while many lasting objects are made."""

import atexit
import contextlib
import gc
from collections.abc import Iterator

__all__ = ["paused_collector", "relaxed_collector"]

# new containers between two collections; Python's own 700 suits programs that stay
_RELAXED = (100_000, 20, 100)


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Start no collection meanwhile: thousands of new containers would, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def relaxed_collector() -> Iterator[None]:
    """Collect seldom meanwhile: what a command makes, it keeps until it ends.

    At the exit nothing is looked through once more: the process gives all back.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    before = gc.get_threshold()
    gc.set_threshold(*_RELAXED)
    try:
        yield
    finally:
        gc.set_threshold(*before)
