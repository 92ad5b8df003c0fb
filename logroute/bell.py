"""Wakes sleeping threads without holding a lock.

A `threading.Event` takes a lock to be set, so a signal handler that logs while
the main thread sets one would wait for itself. Releasing a raw lock cannot
wait: a second release raises, and that is ignored.
"""

import itertools

from logroute.native import allocate_lock

__all__ = ["ASLEEP", "AWAKE", "LINGERING", "Bell", "Countdown", "Latch"]

AWAKE = 0
#: Sleeps for a moment to let work pile up; only urgent work should ring.
LINGERING = 1
#: Sleeps until something happens; any work should ring.
ASLEEP = 2

#: What a lock can be told to wait for on any machine.
_LONGEST_S = 4_000_000.0


class Bell:
    """One thread sleeps on it, any thread (or signal handler) rings it."""

    __slots__ = ("_lock", "state")

    def __init__(self) -> None:
        """Start with nobody asleep."""
        self._lock = allocate_lock()
        self._lock.acquire()
        self.state = AWAKE

    def doze(self, state: int = ASLEEP) -> None:
        """Say that the thread is about to sleep, so that work from now on rings.

        The sleeper then looks for work a last time, and calls `sleep` or `rouse`.
        """
        self.state = state

    def rouse(self) -> None:
        """Say that the thread is awake after all."""
        self.state = AWAKE

    def sleep(self, timeout_s: float | None) -> None:
        """Sleep until rung or until `timeout_s` has passed; may return early."""
        if timeout_s is None:
            self._lock.acquire()
        elif timeout_s > 0:
            self._lock.acquire(True, min(timeout_s, 3600.0))
        self.state = AWAKE

    def ring(self) -> None:
        """Wake the sleeper; never waits.

        The state changes before the release, never after: after it the sleeper may
        have dozed off again. Nothing lies between the two where a signal's handler
        could raise, else a Ctrl-C would leave a sleeper that looks awake.
        """
        release = self._lock.release
        try:
            self.state = AWAKE
            release()
        except RuntimeError:  # rung already
            return


class Latch:
    """Opens once; any number of threads wait for it.

    A `threading.Event` has a lock that a waiter holds for a moment. A signal's
    handler that interrupts it there, and waits for who would set it, waits in vain.
    """

    __slots__ = ("_lock", "is_open")

    def __init__(self) -> None:
        """Start closed."""
        self._lock = allocate_lock()
        self._lock.acquire()
        self.is_open = False

    def open(self) -> None:
        """Let all waiters go, and those to come; never waits."""
        release = self._lock.release
        self.is_open = True
        try:
            release()
        except RuntimeError:  # open already
            return

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is open, at most `timeout_s`; return whether it is."""
        if not self.is_open and self._lock.acquire(True, min(max(0.0, timeout_s), _LONGEST_S)):
            self.open()  # the next waiter's turn
        return self.is_open


class Countdown:
    """Releases one waiter when it has ticked often enough.

    It holds no lock: the waiter may be a signal's handler, and what it interrupted
    may wait for the same threads.
    """

    __slots__ = ("_done", "_left")

    def __init__(self, count: int) -> None:
        """Wait for `count` ticks."""
        self._left = itertools.count(count - 1, -1)
        self._done = Latch()

    def tick(self) -> None:
        """Count one; the last one opens."""
        if next(self._left) == 0:
            self._done.open()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the last tick, at most `timeout_s`; return whether it came."""
        return self._done.wait(timeout_s)
