"""One segment as it is read: frames, and what is no frame, from any place on.

Damage costs the frames that it hit and no others: behind it the reader looks for
the next place at which a whole frame begins. Memory is bounded by a block and the
largest frame. One thread at a time.
"""

import errno
import os
from collections.abc import Iterator
from zlib import crc32

from logroute.delivery.spool.disk import Descriptor
from logroute.delivery.spool.folder import Folder, segment_name
from logroute.delivery.spool.frames import COVERED, HEAD, HEAD_SIZE, Damage, Frame, Key

__all__ = ["Segment"]

BLOCK = 256 << 10
_PAGE = 4096


class Segment:
    """An open segment."""

    def __init__(self, folder: Folder, series: str, number: int, key: Key) -> None:
        """Open it.

        Raises:
            OSError: it is not there (`FileNotFoundError`), or cannot be opened.
        """
        name = segment_name(series, number)
        self.number = number
        self._file = Descriptor(folder.open_file(name, os.O_RDONLY))
        self._key = key
        self._pread = folder.disk.pread
        #: Its size when it was last walked.
        self.size = 0

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def size_now(self) -> int:
        """Return its size."""
        return os.fstat(self._file.number).st_size

    def walk(self, at: int, *, is_closed: bool) -> Iterator[Frame | Damage]:
        """Yield what stands from `at` on, in order.

        What is wrong at the very end of a segment that is still written to may be a
        frame on its way: the walk stops before it. In a closed one it is torn.
        """
        size = self.size = self.size_now()
        magic, seed = self._key
        base, data = at, b""
        while at < size:
            place = at - base
            if place + HEAD_SIZE > len(data) and base + len(data) < size:
                base, place, data = at, 0, self._read(at, BLOCK, size)
            end = 0
            if place + HEAD_SIZE <= len(data):  # inline, since it is all that a good spool needs
                found, length, crc, seq = HEAD.unpack_from(data, place)
                end = place + HEAD_SIZE + length
                if found != magic or base + end > size:
                    end = 0
                elif end > len(data):
                    base, place, data = at, 0, self._read(at, HEAD_SIZE + length, size)
                    end = HEAD_SIZE + length
            if end and end <= len(data):
                body = data[place + HEAD_SIZE : end]
                if crc32(body, crc32(COVERED.pack(length, seq), seed)) == crc:
                    yield Frame(at, base + end, seq, body)
                    at = base + end
                    continue
            next_at = self._next_whole(at + 1, size)
            if next_at is not None:
                yield Damage(at, next_at, "damaged")
            elif is_closed:
                yield Damage(at, size, "torn")
            else:
                return
            at = size if next_at is None else next_at

    def _next_whole(self, at: int, size: int) -> int | None:
        """Return the first place from `at` on where a whole frame begins."""
        magic = self._key.magic
        while at < size:
            data = self._read(at, BLOCK, size)
            found = data.find(magic)
            while found >= 0:
                if self._is_frame(data, found, at, size):
                    return at + found
                found = data.find(magic, found + 1)
            if len(data) < len(magic):
                return None
            at += len(data) - len(magic) + 1
        return None

    def _is_frame(self, data: bytes, place: int, base: int, size: int) -> bool:
        at = base + place
        if place + HEAD_SIZE > len(data):
            place, data = 0, self._read(at, HEAD_SIZE, size)
            if len(data) < HEAD_SIZE:
                return False
        magic, length, crc, seq = HEAD.unpack_from(data, place)
        if magic != self._key.magic or at + HEAD_SIZE + length > size:
            return False
        if place + HEAD_SIZE + length > len(data):
            place, data = 0, self._read(at, HEAD_SIZE + length, size)
        body = data[place + HEAD_SIZE : place + HEAD_SIZE + length]
        is_whole: bool = crc32(body, crc32(COVERED.pack(length, seq), self._key.seed)) == crc
        return is_whole

    def read(self, at: int, end: int) -> bytes:
        """Return the bytes from `at` to before `end`."""
        return self._read(at, end - at, end)

    def _read(self, at: int, count: int, size: int) -> bytes:
        """Return `count` bytes at `at`, fewer at the end; what is unreadable is zeros."""
        count = min(count, size - at)
        try:
            return self._pread(self._file.number, count, at)
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
        parts = []
        end = at + count
        while at < end:
            length = min(_PAGE - at % _PAGE, end - at)
            try:
                parts.append(self._pread(self._file.number, length, at).ljust(length, b"\0"))
            except OSError:
                parts.append(bytes(length))
            at += length
        return b"".join(parts)
