"""The folder of one handler's spool: who may use it, what is in it, how its files are made.

The folder is opened anew for each use, never through a link, and every file is
reached from there: exchanging a part of the path leads nowhere. Files are 0600, the
folder 0700. Any thread.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from logroute.delivery.spool.disk import DISK, Disk
from logroute.light import NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["Folder", "SegmentInfo", "folder_name", "segment_name"]

_NAME = r"([0-9a-f]{8}-[0-9]{1,10}-[0-9]{1,20}-[0-9a-f]{8})"
_SEGMENT = lazy_pattern(rf"{_NAME}\.([0-9]{{8,12}})\.seg")
_SERIES = lazy_pattern(rf"{_NAME}\.(?:[0-9]{{8,12}}\.seg|lock|ack)")
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
#: Where bytes go that could not be read, and how much of them is kept.
DAMAGED = "damaged"
MOST_PIECE = 64 << 10
MOST_PIECES = 256
_CREATE = os.O_CREAT | os.O_EXCL
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def folder_name(handler: str) -> str:
    """Return the name of a handler's folder: the handler's, without what could be a path."""
    escaped = "".join(char if char in _KEPT else f"%{ord(char):x}" for char in handler)
    if escaped.startswith("."):
        escaped = f"%2e{escaped[1:]}"
    if len(escaped) > 100:
        import zlib

        escaped = f"{escaped[:90]}%{zlib.crc32(handler.encode('utf-8', 'backslashreplace')):08x}"
    return escaped or "%"


def segment_name(series: str, number: int) -> str:
    """Return the file name of a segment."""
    return f"{series}.{number:08d}.seg"


class SegmentInfo(NamedTuple):
    """A segment as the folder shows it."""

    series: str
    number: int
    size: int
    modified: float


class Folder:
    """One handler's folder."""

    def __init__(self, path: str, disk: Disk = DISK, *, is_for_root: bool = False) -> None:
        """Mean `path` as it is now, whatever `chdir` does later.

        Where `is_for_root`, the superuser may look at folders of other users.
        """
        self.path = os.path.abspath(os.path.expanduser(path))
        self.disk = disk
        self._is_for_root = is_for_root

    def exists(self) -> bool:
        """Return whether there is such a folder, safe or not."""
        return os.path.isdir(self.path)

    def create(self) -> None:
        """Create the folder and those above it, as far as they are missing.

        Raises:
            OSError: it cannot be created, or what is there is not safe.
        """
        above = os.path.dirname(self.path)
        try:
            os.makedirs(above, mode=0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NotADirectoryError(f"`{above}` is, or is below, a file") from None
        self.refuse_unsafe(above)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
        with self.opened():
            return

    @staticmethod
    def refuse_unsafe(above: str) -> None:
        """Refuse a folder in which anybody could exchange ours.

        Raises:
            OSError: it is such a one.
        """
        mode = os.stat(above).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(
                f"`{above}` is writable by everybody: anyone could exchange what is in it; "
                f"`chmod o-w` it"
            )

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Open the folder for the time of the block, if it is there and safe.

        Raises:
            OSError: it is not.
        """
        try:
            number = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
        except NotADirectoryError:
            raise NotADirectoryError(f"`{self.path}` is a link or a file, not a folder") from None
        try:
            status = os.fstat(number)
            is_seen_by_root = self._is_for_root and os.geteuid() == 0
            if status.st_uid != os.geteuid() and not is_seen_by_root:
                raise PermissionError(f"`{self.path}` belongs to user {status.st_uid}")
            if stat.S_IMODE(status.st_mode) & 0o022:
                raise PermissionError(f"others may write to `{self.path}`: `chmod 700` it")
            yield number
        finally:
            os.close(number)

    # -- what is in it

    def segments(self) -> list[SegmentInfo]:
        """Return all segments, by series and number."""
        found = []
        with self.opened() as folder:
            for name in os.listdir(folder):
                parts = _SEGMENT.fullmatch(name)
                if parts is None:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        info = (parts[1], int(parts[2]), status.st_size, status.st_mtime)
                        found.append(SegmentInfo(*info))
        return sorted(found)

    def series(self) -> list[str]:
        """Return the names of all series that left anything here."""
        with self.opened() as folder:
            names = os.listdir(folder)
        return sorted({found[1] for name in names if (found := _SERIES.fullmatch(name))})

    def size_of(self, names: Iterable[str]) -> int:
        """Return the bytes of files, as far as they are there."""
        size = 0
        with contextlib.suppress(OSError), self.opened() as folder:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    size += os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
        return size

    # -- files

    def create_file(self, name: str, flags: int) -> int:
        """Create a file that is not there; return its descriptor.

        Raises:
            OSError: it cannot be created, or is there.
        """
        with self.opened() as folder:
            return self.disk.open(name, flags | _CREATE | _SAFE, 0o600, dir_fd=folder)

    def open_file(self, name: str, flags: int) -> int:
        """Open a file that is there; return its descriptor.

        Raises:
            OSError: it cannot be opened, or is not a file of the folder's owner.
        """
        with self.opened() as folder:
            number = self.disk.open(name, flags | _SAFE, 0o600, dir_fd=folder)
            status = os.fstat(number)
            owners = {os.fstat(folder).st_uid, os.geteuid()}
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners:
            os.close(number)
            raise PermissionError(f"`{os.path.join(self.path, name)}` is not a file of ours")
        return number

    def is_at(self, name: str, number: int) -> bool:
        """Return whether the descriptor `number` is what stands at `name`."""
        mine = os.fstat(number)
        try:
            with self.opened() as folder:
                there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def remove(self, *names: str) -> None:
        """Remove files; what is missing already is fine.

        Raises:
            OSError: one cannot be removed.
        """
        with self.opened() as folder:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self.disk.unlink(name, dir_fd=folder)

    def sync(self) -> None:
        """Make what was created and removed survive a loss of power."""
        with self.opened() as folder:
            self.disk.fsync(folder)

    # -- what cannot be read

    @contextlib.contextmanager
    def _damaged_room(self, *, create: bool = False) -> Iterator[int]:
        with self.opened() as folder:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(DAMAGED, 0o700, dir_fd=folder)
            room = os.open(DAMAGED, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=folder)
        try:
            yield room
        finally:
            os.close(room)

    def set_aside(self, segment: str, at: int, data: bytes, reason: str) -> bool:
        """Keep damaged bytes in `damaged/`; return whether they are there.

        The oldest pieces go where there would be too many: this is bounded too.
        """
        name = f"{segment}.{at}.{reason}"
        try:
            with self._damaged_room(create=True) as room:
                names = os.listdir(room)
                if name in names:  # found again after a restart
                    return True
                for old in sorted(names, key=lambda old: _modified(room, old))[: 1 - MOST_PIECES]:
                    self.disk.unlink(old, dir_fd=room)
                flags = os.O_WRONLY | _CREATE | _SAFE
                number = self.disk.open(name, flags, 0o600, dir_fd=room)
                try:
                    self.disk.write(number, data[:MOST_PIECE])
                finally:
                    os.close(number)
        except OSError:  # a full disk above all; what is counted stays counted
            return False
        return True

    def damaged(self) -> list[tuple[str, int]]:
        """Return names and sizes of what was set aside."""
        try:
            with self._damaged_room() as room:
                return [(name, os.stat(name, dir_fd=room).st_size) for name in _names(room)]
        except OSError:
            return []

    def remove_damaged(self) -> int:
        """Remove all that was set aside; return how many pieces that were."""
        try:
            with self._damaged_room() as room:
                names = _names(room)
                for name in names:
                    self.disk.unlink(name, dir_fd=room)
        except FileNotFoundError:
            return 0
        with self.opened() as folder, contextlib.suppress(OSError):
            os.rmdir(DAMAGED, dir_fd=folder)
        return len(names)


def _names(room: int) -> list[str]:
    return sorted(os.listdir(room))


def _modified(room: int, name: str) -> float:
    try:
        return os.stat(name, dir_fd=room, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
