"""The calls of the system that the spool makes, and descriptors that know their file.

Tests put faults in between by deriving from `Disk`. Any thread may use it.
"""

import os

from logroute.light import NamedTuple

__all__ = ["DISK", "Descriptor", "Disk", "Identity", "identity_of"]


class Identity(NamedTuple):
    """What a descriptor really is, whatever its number."""

    device: int
    inode: int


def identity_of(number: int) -> Identity:
    """Return the identity of an open descriptor.

    Raises:
        OSError: it is not open.
    """
    status = os.fstat(number)
    return Identity(status.st_dev, status.st_ino)


class Disk:
    """The calls by which the spool changes or reads a disk."""

    __slots__ = ()

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    pread = staticmethod(os.pread)
    pwrite = staticmethod(os.pwrite)
    ftruncate = staticmethod(os.ftruncate)
    fdatasync = staticmethod(getattr(os, "fdatasync", os.fsync))
    fsync = staticmethod(os.fsync)
    unlink = staticmethod(os.unlink)


DISK = Disk()


class Descriptor:
    """An open descriptor that is closed with its owner, if it still is what it was.

    A daemonizer may close all numbers, and the system give them to other files: what
    is not ours any more is neither used nor closed. Closing never unlocks: where a
    lock is shared with a parent process, the parent keeps it.
    """

    __slots__ = ("_close", "identity", "number")

    def __init__(self, number: int) -> None:
        """Own the open descriptor `number`."""
        self.number = number
        self.identity = identity_of(number)
        self._close = os.close  # a name that the end of the interpreter cannot take away

    def is_ours(self) -> bool:
        """Return whether the number is open and still stands for the same file."""
        try:
            return self.number >= 0 and identity_of(self.number) == self.identity
        except OSError:
            return False

    def exchange(self, number: int) -> None:
        """Let the same number stand for the file of `number`, which is closed.

        Writers in other threads notice nothing: each write goes to the one or the
        other file as a whole.
        """
        if self.is_ours():
            os.dup2(number, self.number, inheritable=False)
            os.close(number)
        else:  # somebody else has our number now
            self.number = number
        self.identity = identity_of(self.number)

    def close(self) -> None:
        """Close the descriptor, if it is still ours."""
        if self.is_ours():
            self._close(self.number)
        self.number = -1

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # the interpreter ends; the system closes it
            return
