"""Turns at one file: a lock on the file itself, between handlers and processes.

The lock is `flock` on the log, not on a file beside it: it has the permissions of
the log, leaves nothing behind, and ends with whoever holds it, even by kill -9.
It covers one batch, and one rotation. Runs in the worker that owns the sink.
"""

import errno
import fcntl
import time
from collections.abc import Callable

from logroute.light import Literal

__all__ = ["Hold", "Turn"]

#: `held`: ours alone. `none`: this file cannot be locked (some network file systems).
#: `busy`: somebody holds it for too long, stopped perhaps.
Hold = Literal["held", "none", "busy"]

_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.0001, 0.005


class Turn:
    """Takes a file's lock, with patience but not for ever."""

    def __init__(
        self,
        patience_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wait at most `patience_s`, and not again until the lock was free once."""
        self._patience_s = patience_s
        self._is_patient = True
        self._clock = clock
        self._sleep = sleep

    def take(self, descriptor: int) -> Hold:
        """Lock the file behind `descriptor`; say how that went."""
        until, pause = 0.0, _FIRST_PAUSE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as fault:
                if fault.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    return "none"
            else:
                self._is_patient = True
                return "held"
            if not self._is_patient:
                return "busy"
            now = self._clock()
            until = until or now + self._patience_s
            if now >= until:
                self._is_patient = False
                return "busy"
            self._sleep(pause)  # nothing tells a process that another one has unlocked
            pause = min(2 * pause, _MOST_PAUSE_S)

    def leave(self, descriptor: int) -> None:
        """Unlock the file."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError:  # closing it does the same
            return
