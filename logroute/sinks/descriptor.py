"""Writing batches to raw descriptors, and finishing what a short write tore.

Runs in the worker that owns the sink. Buffered streams are not used: their lock
deadlocks forked children, and a full disk loses what they hold.
"""

import bisect
import errno
import itertools
import os
import select
import stat
import time
from collections.abc import Sequence

from logroute import native

__all__ = ["Identity", "Writer", "identity_of"]

#: Device and inode: what a descriptor really is, whatever its number.
Identity = tuple[int, int]

# A pipe that is ready takes this much at once, so writing it never blocks
# (PIPE_BUF), and pieces no longer than this are not mixed with other writers'.
_PIECE = 4096


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity in `status`."""
    return (status.st_dev, status.st_ino)


class Writer:
    """Writes payloads in order to the one descriptor it was made for.

    A payload of which only the head could be written is remembered: the next
    batch begins with its rest, whether or not it brings that payload again.
    """

    __slots__ = ("_done", "_end", "_torn", "patience_s")

    def __init__(self, patience_s: float = 1.0) -> None:
        """Wait at most `patience_s` for a pipe or terminal that takes nothing."""
        self.patience_s = patience_s
        self._torn = b""
        self._done = 0
        self._end = -1  # the size of the file behind what is torn

    @property
    def is_torn(self) -> bool:
        """Whether the last payload is out only in part."""
        return bool(self._torn)

    @property
    def torn_bytes(self) -> int:
        """How much of a torn payload is out."""
        return self._done

    def forget(self) -> None:
        """Begin the next batch anew: what was torn is not there any more."""
        self._torn, self._done = b"", 0

    def write(self, descriptor: int, batch: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write `batch`; return how many payloads are out, and what stopped it."""
        again = bool(self._torn) and bool(batch) and batch[0] == self._torn
        todo = list(batch) if again or not self._torn else [self._torn, *batch]
        offset = self._done
        ends = list(itertools.accumulate(map(len, todo)))
        written, fault = self._write_all(descriptor, memoryview(b"".join(todo)), ends, offset)
        whole = bisect.bisect_right(ends, written)
        self._done = written - (ends[whole - 1] if whole else 0)
        self._torn = todo[whole] if self._done else b""
        if self._torn:
            self._end = _size_of(descriptor)
        return max(0, whole - (len(todo) - len(batch))), fault

    def cut_off(self, descriptor: int) -> None:
        """Take what is torn off the end of a file, unless somebody has written behind it.

        Raises:
            OSError: it cannot be cut.
        """
        if self._torn and self._end >= self._done and _size_of(descriptor) == self._end:
            os.ftruncate(descriptor, self._end - self._done)
            self.forget()

    def _write_all(
        self, descriptor: int, data: memoryview, ends: list[int], at: int
    ) -> tuple[int, OSError | None]:
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            give_up_at = time.monotonic() + self.patience_s
            while at < len(data):
                if regular:
                    piece = data[at:]
                else:
                    _wait_writable(descriptor, give_up_at)
                    piece = data[at : _piece_end(ends, at)]
                try:
                    count = os.write(descriptor, piece)
                except BlockingIOError:  # another writer took the room
                    continue
                if count == 0:
                    raise OSError(errno.EIO, "nothing could be written")
                at += count
                give_up_at = time.monotonic() + self.patience_s
        except OSError as fault:
            return at, fault
        return at, None


def _size_of(descriptor: int) -> int:
    """Return the size of a file; -1: it is none, or closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _piece_end(ends: list[int], at: int) -> int:
    """Return where to cut: behind the last whole payload that a piece holds."""
    index = bisect.bisect_right(ends, at + _PIECE)
    end = ends[index - 1] if index else 0
    return end if end > at else at + _PIECE


def _wait_writable(descriptor: int, until: float) -> None:
    left_ms = max(0, int((until - time.monotonic()) * 1000))
    poll = native.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(left_ms):
        raise TimeoutError(errno.ETIMEDOUT, "nobody reads it")
