"""A count that any thread, and any signal's handler, may raise without a lock."""

import itertools

__all__ = ["Tally"]


class Tally:
    """Counts without a lock; reading it needs one."""

    __slots__ = ("_count", "_reads", "_told")

    def __init__(self) -> None:
        """Begin at zero."""
        self._count = itertools.count()
        self._reads = 0
        self._told = 0

    def add(self) -> None:
        """Count one; from any thread or signal handler."""
        next(self._count)

    def value(self) -> int:
        """Return how many were counted; one thread at a time."""
        found = next(self._count) - self._reads  # reading counts too, so it is taken off
        self._reads += 1
        return found

    def news(self) -> int:
        """Return how many were counted since the last time; one thread at a time."""
        found = self.value()
        news, self._told = found - self._told, found
        return news
