"""Compressing one rotated file, so that at every moment it or its archive is whole.

The archive is written under a name of its own, with the mode and mtime of the file,
synchronised with the disk, and only then given its name; the file goes last. Runs
in the thread that `caretaker` starts; nothing but Python's own modules is used, and
those are imported when the first file is compressed.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from logroute.light import Any
from logroute.sinks.descriptor import identity_of
from logroute.sinks.files.names import PART, SUFFIXES

__all__ = ["compress", "forget_descriptors", "remove_part"]

_CHUNK = 1 << 18
#: xz takes 9 MB at this level, 94 MB at its default.
_XZ_PRESET = 1

# What a forked child must close: it would keep the lock of a file alive.
_open_here: set[int] = set()


def forget_descriptors() -> None:
    """Close, in a forked child, what the parent's thread had open."""
    for descriptor in tuple(_open_here):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _open_here.clear()


@contextlib.contextmanager
def _opened(path: str, flags: int, mode: int = 0o600) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    _open_here.add(descriptor)
    try:
        yield descriptor
    finally:
        if descriptor in _open_here:
            _open_here.discard(descriptor)
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Return whether the file is ours alone, or cannot be locked at all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return fault.errno != errno.EWOULDBLOCK
    return True


def remove_part(part: str) -> None:
    """Remove a half-written archive, unless somebody is at it."""
    try:
        with _opened(part, os.O_RDONLY) as descriptor:
            if _lock(descriptor):
                os.unlink(part)
    except FileNotFoundError:
        return


def compress(source: str, kind: str) -> bool:
    """Replace `source` by an archive; return False where it must stay as it is for now.

    It must where somebody writes or compresses it, or where the archive's name is
    taken by something else.

    Raises:
        OSError: it failed; the file is there, and nothing else.
    """
    final = source + SUFFIXES[kind]
    with _opened(source, os.O_RDONLY) as descriptor:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _lock(descriptor):
            return False
        if not _is_at(source, status):
            return False
        if os.path.lexists(final):
            if not _has_content(final, kind, descriptor):
                return False
        elif not _write_archive(source, final, kind, descriptor, status):
            return False
        if os.fstat(descriptor).st_size == status.st_size:
            os.unlink(source)
        return True


def _is_at(path: str, status: os.stat_result) -> bool:
    try:
        return identity_of(os.lstat(path)) == identity_of(status)
    except OSError:
        return False


def _write_archive(
    source: str, final: str, kind: str, descriptor: int, status: os.stat_result
) -> bool:
    part = final + PART
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)  # whoever wrote it would hold the lock of the source
    with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as out:
        try:
            if not _lock(out):
                return False
            size = _copy(source, kind, descriptor, _Output(out), status)
            _take_over(out, status)
            os.fsync(out)
            now = os.fstat(descriptor)
            if now.st_size != size or not now.st_nlink:
                return False  # somebody still writes it, or it was removed meanwhile
            _publish(part, final)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)
    _sync_folder(final)
    return True


def _take_over(out: int, status: os.stat_result) -> None:
    """Give an archive the owner, mode and times of its file."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):
            os.fchown(out, status.st_uid, status.st_gid)
    os.fchmod(out, stat.S_IMODE(status.st_mode))
    os.utime(out, ns=(status.st_atime_ns, status.st_mtime_ns))


def _publish(part: str, final: str) -> None:
    """Give `part` its name, which nobody else may have taken meanwhile."""
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(final):
            raise
        os.rename(part, final)


def _sync_folder(path: str) -> None:
    """Make a new name survive a power loss, where the file system can."""
    with (
        contextlib.suppress(OSError),
        _opened(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY) as folder,
    ):
        os.fsync(folder)


class _Output:
    """Unbuffered output, mute in a forked child, which may inherit it half used."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pid = os.getpid()

    def write(self, data: Any) -> int:
        left = memoryview(data)
        while left and os.getpid() == self._pid:
            left = left[os.write(self._descriptor, left) :]
        return len(data)

    def flush(self) -> None:
        """Hold nothing back."""


def _chunks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while data := os.pread(descriptor, _CHUNK, at):
        yield data
        at += len(data)


def _copy(source: str, kind: str, descriptor: int, output: _Output, status: os.stat_result) -> int:
    """Write the archive; return how many bytes of the file are in it."""
    if kind == "zip":
        return _copy_to_zip(os.path.basename(source), descriptor, output, status)
    compressor: Any
    if kind == "gzip":
        import zlib

        # 31: a gzip header and trailer (RFC 1952) around the largest window.
        compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
    else:
        import lzma

        compressor = lzma.LZMACompressor(preset=_XZ_PRESET)
    size = 0
    for data in _chunks(descriptor):
        size += len(data)
        output.write(compressor.compress(data))
    output.write(compressor.flush())
    return size


def _copy_to_zip(name: str, descriptor: int, output: _Output, status: os.stat_result) -> int:
    import zipfile

    date = max(time.localtime(status.st_mtime)[:6], (1980, 1, 1, 0, 0, 0))
    info = zipfile.ZipInfo(os.fsencode(name).decode("utf-8", "replace"), date)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (status.st_mode & 0xFFFF) << 16
    size = 0
    with (
        zipfile.ZipFile(output, "w") as archive,  # type: ignore[call-overload]
        archive.open(info, "w", force_zip64=True) as member,
    ):
        for data in _chunks(descriptor):
            size += len(data)
            member.write(data)
    return size


def _has_content(archive: str, kind: str, descriptor: int) -> bool:
    """Return whether `archive` holds the file: its maker was killed before the last step."""
    try:
        with _reader(archive, kind) as stream:
            for data in _chunks(descriptor):
                if stream.read(len(data)) != data:
                    return False
            return not stream.read(1)
    except Exception:  # no archive, or a broken one
        return False


@contextlib.contextmanager
def _reader(archive: str, kind: str) -> Iterator[Any]:
    with _opened(archive, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as file:
        if kind == "gzip":
            import gzip

            yield gzip.GzipFile(fileobj=file)
        elif kind == "xz":
            import lzma

            with lzma.LZMAFile(file) as stream:
                yield stream
        else:
            import zipfile

            with zipfile.ZipFile(file) as whole, whole.open(whole.namelist()[0]) as member:
                yield member
