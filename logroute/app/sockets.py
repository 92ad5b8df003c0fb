"""Takes a path for a unix socket that only this user may speak to.

Run by the thread that will serve it, which is a native one: sockets are those of the
system, whatever gevent or eventlet has put in their place. A path that a dead process
left is taken over, one that a living process serves is not; whoever takes one holds a
lock on the folder, so that two that come at once do not take it from each other.
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from _socket import AF_UNIX, SOCK_STREAM, socket
from collections.abc import Iterator

from logroute.light import NamedTuple
from logroute.native import sleep

__all__ = ["LONGEST_PATH", "Place", "claim", "is_served", "wanted_path"]

#: Most bytes of a unix socket's path: Linux has 108, the last one being NUL.
LONGEST_PATH = 107
#: How long to wait for others that take a path in the same folder.
_LOCK_S = 1.0
#: Most sockets of dead processes that are removed at a time.
_MOST_SWEPT = 100


class Place(NamedTuple):
    """A socket that listens.

    Attributes:
        listener: non-blocking.
        path: where it is.
        identity: device and inode, by which we know it again.
        remark: why it is not where it was wanted, or None.
    """

    listener: socket
    path: str
    identity: tuple[int, int]
    remark: str | None

    def is_there(self) -> bool:
        """Return whether the path still leads to this socket."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity

    def give_up(self) -> None:
        """Close the socket and remove it."""
        if self.is_there():
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.listener.close()


def wanted_path(pattern: str, pid: int) -> str:
    """Return the path that `pattern` means in the process `pid`."""
    return os.path.abspath(os.path.expanduser(pattern.replace("{pid}", str(pid))))


def claim(pattern: str, pid: int) -> Place:
    """Listen at `pattern`, or beside it where another process is already.

    Raises:
        OSError: that cannot be; `strerror` says why.
    """
    path = wanted_path(pattern, pid)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with _locked(os.path.dirname(path)) as may_replace:
        if may_replace and "{pid}" in pattern:
            _sweep(pattern, path)
        try:
            return _listen(path, None, may_replace=may_replace)
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
            why = fault.strerror
        root, suffix = os.path.splitext(path)
        beside = f"{root}-{pid}{suffix}"
        cure = "" if "{pid}" in pattern else "; write `{pid}` into the path where several run"
        remark = f"{path} {why}: the stats are at {beside}{cure}"
        return _listen(beside, remark, may_replace=may_replace)


def _listen(path: str, remark: str | None, *, may_replace: bool) -> Place:
    if len(os.fsencode(path)) > LONGEST_PATH:
        text = f"its path has more than the {LONGEST_PATH} bytes that a unix socket's may have"
        raise OSError(errno.ENAMETOOLONG, text, path)
    why = _occupant(path)
    if why is not None:
        raise OSError(errno.EADDRINUSE, why, path)
    if os.path.lexists(path):
        if not may_replace:
            raise OSError(errno.EADDRINUSE, "is left over, and its folder is locked", path)
        os.unlink(path)
    listener = socket(AF_UNIX, SOCK_STREAM)
    try:
        # Linux gives the file the mode of the socket: nobody else can ever open it.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(path)
        found = os.lstat(path)
        if stat.S_IMODE(found.st_mode) & 0o177:  # no Linux: before `listen` nobody gets in
            os.chmod(path, 0o600)
        listener.listen(16)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return Place(listener, path, (found.st_dev, found.st_ino), remark)


def _occupant(path: str) -> str | None:
    """Return why `path` cannot be had; None: it is free, or left by a dead process."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(mode):
        return "is no socket"
    return "is in use by another process" if is_served(path) else None


def is_served(path: str) -> bool:
    """Return whether somebody listens at the unix socket `path`; says nothing to them."""
    probe = socket(AF_UNIX, SOCK_STREAM)
    try:
        probe.setblocking(False)  # one whose backlog is full is alive, too
        probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True
    finally:
        probe.close()
    return True


def _sweep(pattern: str, own: str) -> None:
    """Remove the sockets that dead processes left where `pattern` puts them."""
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(pattern)))
    if "{pid}" in folder:
        return
    matches = re.compile(r"\d+(-\d+)?".join(map(re.escape, name.split("{pid}")))).fullmatch
    with contextlib.suppress(OSError):
        found = [entry.path for entry in os.scandir(folder) if matches(entry.name)]
        for path in found[:_MOST_SWEPT]:
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                is_ours = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()
                if path != own and is_ours and not is_served(path):
                    os.unlink(path)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[bool]:
    """Hold the lock on `folder`; yields whether we have it.

    Whoever binds holds it until it listens, so what is found not to listen is dead.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False  # a folder that may be written to but not read
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            sleep(0.01)
        except OSError:
            return False
        else:
            return True
