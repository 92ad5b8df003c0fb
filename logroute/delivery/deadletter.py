"""The dead letter file: what a destination refused, or what was given up, as JSON lines.

One worker writes it, seldom, so it is opened for each batch: nothing is held over
a fork or a reload, and a file that was moved away is simply begun again. Several
processes may share it: each line goes out by one append.
"""

import datetime as dt
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Sequence

from logroute.delivery.specs import DeadLetterSpec

__all__ = ["DeadLetters"]


class DeadLetters:
    """Appends to one file, and keeps one older one beside it, with `.1` behind its name."""

    def __init__(self, spec: DeadLetterSpec, clock: Callable[[], float] = time.time) -> None:
        """Write to `spec.path` as it is meant now; `clock` gives seconds since 1970."""
        self.path = os.path.abspath(os.path.expanduser(spec.path))
        self._most = max(1, spec.max_bytes // 2)  # two files share the bound
        self._clock = clock

    def add(self, records: Sequence[bytes], *, handler: str, reason: str, error: str) -> int:
        """Append packed records; return how many, oldest first, are in the file.

        One that alone is larger than a file may be is left out, and so ends the run.

        Raises:
            OSError: not even the first could be written.
        """
        head = self._head(handler, reason, error)
        done = 0
        descriptor = self._open()
        try:
            size = os.fstat(descriptor).st_size
            for packed in records:
                line = b"%s%s}\n" % (head, packed)
                if len(line) > self._most:
                    break
                if size and size + len(line) > self._most:
                    descriptor, size = self._begin_next(descriptor, size)
                written = os.write(descriptor, line)
                if written < len(line):  # a full disk
                    _take_back(descriptor, written)
                    break
                size += written
                done += 1
        except OSError:
            if not done:
                raise
        finally:
            os.close(descriptor)
        return done

    def _head(self, handler: str, reason: str, error: str) -> bytes:
        moment = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"timestamp": stamp, "handler": handler, "reason": reason, "error": error}
        return json.dumps(told).encode()[:-1] + b', "record": '

    def _open(self) -> int:
        # O_NONBLOCK, so that a FIFO of that name cannot hold up the worker; O_NOFOLLOW,
        # so that a link put there by somebody else leads nowhere.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            descriptor = os.open(self.path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"`{self.path}` is not a file")
        return descriptor

    def _begin_next(self, descriptor: int, size: int) -> tuple[int, int]:
        """Make the full file the older one; return the descriptor and size of a new one.

        The lock is for other processes: of several that find the file full one
        moves it; the others find it moved, or go on in the full one for once.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return descriptor, size
        if _is_at(self.path, descriptor):
            os.replace(self.path, f"{self.path}.1")
        following = self._open()
        os.close(descriptor)
        return following, os.fstat(following).st_size


def _take_back(descriptor: int, count: int) -> None:
    """Remove the half line just written, unless another process wrote behind it."""
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    if os.fstat(descriptor).st_size == end:
        os.ftruncate(descriptor, end - count)


def _is_at(path: str, descriptor: int) -> bool:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
