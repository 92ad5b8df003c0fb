"""A file that is appended to under one name, wherever the name leads.

The descriptor and the path are compared before each batch. Runs in the worker
that owns the sink.
"""

import contextlib
import errno
import os
import stat

from logroute.errors import Rejected, Retryable
from logroute.light import Any
from logroute.sinks.descriptor import Identity, identity_of

__all__ = ["Place"]

# O_NONBLOCK: a FIFO without a reader must not hold up the worker.
_FLAGS = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class Place:
    """The open file of one sink.

    Attributes:
        path: absolute.
        descriptor: of the open file.
        is_regular: it is a file, not a device or a pipe.
        is_readable: its content can be looked at.
        adrift: why the path could not be opened again, while the file that was
            moved away from it is written on.
    """

    def __init__(self, path: str, mode: int, create_dirs: bool, is_read: bool) -> None:
        """Follow `path`; `is_read` asks for a descriptor that can read, too."""
        self.path = path
        self.descriptor: int | None = None
        self.is_regular = self.is_readable = False
        self.adrift: Retryable | None = None
        self._mode = mode
        self._create_dirs = create_dirs
        self._is_read = self._may_read = is_read
        self._identity: Identity = (-1, -1)

    def follow(self) -> bool:
        """Open the path unless that is done; return whether it is another file now.

        Raises:
            Retryable: it cannot be opened now, and there is no file to write to.
            Rejected: what is there is no file, or none of ours.
        """
        if self.descriptor is not None and not self.is_ours():
            self.descriptor = None  # its number belongs to somebody else now
        if self.descriptor is not None and self.is_at_path():
            self.adrift = None
            return False
        try:
            descriptor = self._open()
        except Retryable as fault:
            if self._has_name():
                self.adrift = fault  # moved, and the way back is barred: better there than lost
                return False
            self.close()
            raise
        except Rejected:
            self.close()
            raise
        self.close()
        return self._adopt(descriptor)

    def is_ours(self) -> bool:
        """Return whether the descriptor is still of the file that was opened."""
        assert self.descriptor is not None
        try:
            return identity_of(os.fstat(self.descriptor)) == self._identity
        except OSError as fault:
            return fault.errno != errno.EBADF  # closed behind our back

    def is_at_path(self) -> bool:
        """Return whether the path names the open file."""
        try:
            return identity_of(os.stat(self.path)) == self._identity
        except OSError:
            return False

    def close(self) -> None:
        """Close the descriptor, if it is still ours."""
        if self.descriptor is not None and self.is_ours():
            with contextlib.suppress(OSError):  # it is free, whatever that says
                os.close(self.descriptor)
        self.descriptor = None

    def _has_name(self) -> bool:
        try:
            return self.descriptor is not None and os.fstat(self.descriptor).st_nlink > 0
        except OSError:
            return False

    def _adopt(self, descriptor: int) -> bool:
        try:
            status = os.fstat(descriptor)
            if stat.S_ISFIFO(status.st_mode) and _is_named(self.path):
                raise Rejected(f"`{self.path}` is a FIFO, not a file")
        except BaseException:
            os.close(descriptor)
            raise
        former = self._identity
        self.descriptor, self._identity = descriptor, identity_of(status)
        self.is_regular = stat.S_ISREG(status.st_mode)
        self.is_readable = self._may_read
        self.adrift = None
        return self._identity != former

    def _open(self) -> int:
        try:
            return self._open_path()
        except OSError as fault:
            if fault.errno in (errno.EISDIR, errno.ENXIO):
                what = "a directory" if fault.errno == errno.EISDIR else "a FIFO or a socket"
                raise Rejected(f"`{self.path}` is {what}, not a file") from fault
            text = f"cannot open `{self.path}`: {fault.strerror}"
            if fault.errno in (errno.EACCES, errno.EPERM):
                text += f" (for user {os.geteuid()}, group {os.getegid()})"
            raise Retryable(text) from fault

    def _open_path(self) -> int:
        try:
            return self._open_name()
        except FileNotFoundError:
            if not self._create_dirs:
                raise
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        return self._open_name()

    def _open_name(self) -> int:
        try:
            return self._open_flags(_FLAGS | os.O_NOFOLLOW)
        except OSError as fault:
            if fault.errno not in (errno.ELOOP, errno.EMLINK) or not os.path.islink(self.path):
                raise
        self._refuse_planted_link()
        return self._open_flags(_FLAGS)

    def _open_flags(self, flags: int) -> int:
        self._may_read = self._is_read
        if self._is_read:
            try:
                return os.open(self.path, flags | os.O_RDWR, self._mode)
            except PermissionError:  # a log that we may write but not read
                self._may_read = False
        return os.open(self.path, flags | os.O_WRONLY, self._mode)

    def _refuse_planted_link(self) -> None:
        """Follow a link only if it is ours, root's or the folder owner's.

        The rule of Linux's `fs.protected_symlinks`, on hosts and in folders where
        that does not hold: others must not choose where we write.
        """
        owner = os.lstat(self.path).st_uid
        folder_owner = os.stat(os.path.dirname(self.path)).st_uid
        if owner not in (0, os.geteuid(), folder_owner):
            raise Rejected(f"`{self.path}` is a link of user {owner}, which is not followed")


def _is_named(path: str) -> bool:
    """Tell a FIFO in the file system from a pipe reached through /dev/stdout."""
    target: Any = os.path.realpath(path)
    return not target.startswith("/proc/")
