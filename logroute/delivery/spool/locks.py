"""Who owns a series: the name of this process, and the lock that its owner holds.

A lock is `flock` on the series' lock file, so that the system takes it back however
its holder ends, and a pid that is used again proves nothing. It belongs to the open
file, which a forked child shares: the child closes its copy and never unlocks.
"""

import contextlib
import fcntl
import os

from logroute.delivery.spool.disk import Descriptor
from logroute.delivery.spool.folder import Folder

__all__ = ["claim", "holder_of", "is_ours", "lock_name", "new_series_name", "pid_of"]


def lock_name(series: str) -> str:
    """Return the file name of a series' lock."""
    return f"{series}.lock"


def new_series_name() -> str:
    """Return a name for a series of this process: boot, pid, start of the process, chance."""
    return f"{_process()}-{os.urandom(4).hex()}"


def is_ours(series: str) -> bool:
    """Return whether this process has begun a series."""
    return series.startswith(f"{_process()}-")


def _process() -> str:
    return f"{_boot()}-{os.getpid()}-{_start()}"


def pid_of(series: str) -> int:
    """Return the pid of the process that began a series."""
    return int(series.split("-")[1])


def _boot() -> str:
    """Return the beginning of the id of this run of the system; zeros where there is none."""
    try:
        # As bytes: a codec may have to be imported, and who is forked amid that waits for ever.
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return f"{int(file.read(8), 16):08x}"
    except (OSError, ValueError):
        return "0" * 8


def _start() -> int:
    """Return when this process began, in ticks since the boot; 0 where that is not told."""
    try:
        with open("/proc/self/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def claim(folder: Folder, series: str, *, is_new: bool = False) -> Descriptor | None:
    """Become the owner of a series; return the lock, or None where somebody else is.

    Raises:
        OSError: the lock file can be neither opened nor created.
    """
    name = lock_name(series)
    try:
        number = _create(folder, name) if is_new else folder.open_file(name, os.O_RDWR)
    except FileNotFoundError:  # a series whose lock file somebody removed
        try:
            number = _create(folder, name)
        except FileExistsError:
            return None
    lock = Descriptor(number)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever owned it before may have finished it and removed the file meanwhile.
        if not folder.is_at(name, number):
            lock.close()
            return None
    except BlockingIOError:
        lock.close()
        return None
    except BaseException:
        lock.close()
        raise
    with contextlib.suppress(OSError):  # for `logroute spool ls` alone
        folder.disk.pwrite(number, b"%-20d\n" % os.getpid(), 0)
    return lock


def _create(folder: Folder, name: str) -> int:
    return folder.create_file(name, os.O_RDWR)


def holder_of(folder: Folder, series: str) -> int | None:
    """Return the pid of the process that owns a series now (0: unknown); None: nobody does.

    The question is asked by a shared lock, held for an instant.
    """
    try:
        lock = Descriptor(folder.open_file(lock_name(series), os.O_RDONLY))
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock.number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(lock.number, 20, 0).strip()
        return int(text) if text.isdigit() else 0
    finally:
        lock.close()
    return None
