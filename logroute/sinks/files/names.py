"""How rotated files are called, and which files are such.

`app.log` is put away as `app.log.2026-11-21`, the next of that day as
`app.log.2026-11-21_002`; an archive adds `.gz`, `.zip` or `.xz`. A name is given
once and never changes. Names grow, also where the clock goes back, so that their
order is the order of their lines. Nothing else in the folder is ever touched.
"""

import os
import re
import stat

from logroute.light import NamedTuple

__all__ = ["PART", "SUFFIXES", "Family", "Rotated"]

SUFFIXES = {"gzip": ".gz", "zip": ".zip", "xz": ".xz"}
#: What the name of an archive ends with while it is written.
PART = ".part"

_REST = (
    r"\.(?P<stamp>[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:_(?:[01][0-9]|2[0-3])(?:-[0-5][0-9])?)?)"
    r"(?:_(?P<number>[0-9]{3,9}))?(?P<suffix>\.(?:gz|zip|xz))?(?P<part>\.part)?"
)
_MOST_TRIES = 1000


class Rotated(NamedTuple):
    """One rotated file: plain, compressed, or both while one becomes the other.

    Attributes:
        stamp: the date in its name.
        number: which of those with the same stamp.
        plain: the path of the plain file, if it is there.
        archives: the paths of compressed copies.
        size_bytes: of all of them.
        mtime_s: when the last line was written.
    """

    stamp: str
    number: int
    plain: str | None
    archives: tuple[str, ...]
    size_bytes: int
    mtime_s: float

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, the archives first."""
        return self.archives if self.plain is None else (*self.archives, self.plain)


class _Entry(NamedTuple):
    name: str
    stamp: str
    number: int
    suffix: str
    is_part: bool


class Family:
    """A log and the rotated files beside it."""

    def __init__(self, path: str) -> None:
        """Look beside `path`, which must not be a link."""
        self.folder, self.base = os.path.split(path)
        self._pattern = re.compile(re.escape(self.base) + _REST)

    def _entries(self) -> list[_Entry]:
        found = []
        for name in os.listdir(self.folder or "."):
            match = self._pattern.fullmatch(name) if name.startswith(self.base) else None
            if match is not None:
                number = int(match["number"] or 1)
                entry = _Entry(
                    name, match["stamp"], number, match["suffix"] or "", bool(match["part"])
                )
                found.append(entry)
        return found

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def rotated(self) -> list[Rotated]:
        """Return the rotated files, oldest first; those without a byte are left out."""
        groups: dict[tuple[str, int], list[tuple[_Entry, os.stat_result]]] = {}
        for entry in self._entries():
            status = None if entry.is_part else _regular(self._path(entry.name))
            if status is not None and status.st_size:
                groups.setdefault((entry.stamp, entry.number), []).append((entry, status))
        found = []
        for (stamp, number), group in sorted(groups.items()):
            plain = [self._path(entry.name) for entry, _ in group if not entry.suffix]
            archives = tuple(self._path(entry.name) for entry, _ in group if entry.suffix)
            size = sum(status.st_size for _, status in group)
            mtime = max(status.st_mtime for _, status in group)
            found.append(Rotated(stamp, number, plain[0] if plain else None, archives, size, mtime))
        return found

    def parts(self) -> list[str]:
        """Return the paths of archives that somebody writes, or has left half written."""
        entries = [entry for entry in self._entries() if entry.is_part]
        return [self._path(entry.name) for entry in entries]

    def empties(self, before_s: float) -> list[str]:
        """Return reservations older than `before_s` that no file came to fill."""
        found = []
        for entry in self._entries():
            path = self._path(entry.name)
            status = None if entry.suffix or entry.is_part else _regular(path)
            if status is not None and not status.st_size and status.st_mtime < before_s:
                found.append(path)
        return found

    def reserve(self, stamp: str) -> tuple[str, int]:
        """Make an empty file under the next free name; return its path and descriptor.

        A later `os.rename` onto it replaces nothing but this reservation, so that no
        file is ever overwritten, whoever else makes files here.

        Raises:
            OSError: no file can be made.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        for _ in range(_MOST_TRIES):
            path = self._path(self._next(stamp))
            try:
                descriptor = os.open(path, flags, 0o600)
            except FileExistsError:  # somebody else took it meanwhile
                continue
            if not any(os.path.lexists(path + suffix) for suffix in SUFFIXES.values()):
                return path, descriptor
            os.close(descriptor)  # it was taken and compressed meanwhile
            os.unlink(path)
        raise FileExistsError(17, "no name is free", self._path(self.base))

    def _next(self, stamp: str) -> str:
        newest = max(((entry.stamp, entry.number) for entry in self._entries()), default=("", 0))
        stamp = max(stamp, newest[0])
        number = newest[1] + 1 if stamp == newest[0] else 1
        return f"{self.base}.{stamp}" + (f"_{number:03d}" if number > 1 else "")


def _regular(path: str) -> os.stat_result | None:
    """Return the status of a regular file, None for links, folders and what is gone."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
