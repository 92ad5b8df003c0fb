"""Who waits for a handler with a spool: for the queue in memory first, then for the disk.

The dispatcher brings them, and what settles the queue in memory holds its lock. Neither
may wait for the lock of a spool, since a disk may stall meanwhile: the threads of the
handler take from here who is to wait for the disk.
"""

from collections import deque
from collections.abc import Callable

from logroute.delivery.queue import Queue
from logroute.delivery.spool.queue import SpoolQueue

__all__ = ["Waiters"]

_Call = Callable[[], None]


class Waiters:
    """Those who wait until all is settled that one handler has so far."""

    def __init__(self, memory: Queue, spool: SpoolQueue, ring: _Call) -> None:
        """Wait for both; `ring` has a thread call `enter` soon, and waits for nothing."""
        self._memory = memory
        self._spool = spool
        self._ring = ring
        self._for_memory: dict[_Call, _Call] = {}
        self._for_disk: deque[_Call] = deque()  # not entered in the spool yet
        self._gone: deque[_Call] = deque()  # still entered in the spool

    def add(self, call: _Call) -> None:
        """Call `call` once all that has been put so far is delivered or lost."""

        def turn_to_disk() -> None:
            self._for_memory.pop(call, None)
            if self._spool.is_begun:
                self._for_disk.append(call)
                self._ring()
            else:
                call()

        self._for_memory[call] = turn_to_disk
        self._memory.when_settled(turn_to_disk)

    def forget(self, call: _Call) -> None:
        """Call `call` no more, as far as that can be had without waiting."""
        turn_to_disk = self._for_memory.pop(call, None)
        if turn_to_disk is not None:
            self._memory.forget(turn_to_disk)
        try:
            self._for_disk.remove(call)
        except ValueError:
            if not self._spool.forget_soon(call):
                self._gone.append(call)
                self._ring()

    @property
    def is_due(self) -> bool:
        """Whether there is anything to `enter`."""
        return bool(self._for_disk or self._gone)

    def enter(self) -> bool:
        """Let the spool know who waits for it; return whether anybody came.

        In a thread that may wait for a disk, and holds no lock of the queue in memory.
        """
        has_come = False
        try:
            while self._for_disk:
                self._spool.when_settled(self._for_disk.popleft())
                has_come = True
            while self._gone:
                self._spool.forget(self._gone.popleft())
        except IndexError:  # another thread took the last
            return has_come
        return has_come
