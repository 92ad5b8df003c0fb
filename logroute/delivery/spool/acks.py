"""How far a series is delivered: 24 bytes in a file of their own, written in place.

    magic 4 | segment 8 | offset 8 | crc32 4

It is made with its series, so that writing it needs no room on a full disk. A file
that is missing, short or wrong stands for the beginning of the first segment that is
there: rather twice than never. One thread at a time.
"""

import os
import struct
import zlib

from logroute.delivery.spool.disk import Descriptor, Disk
from logroute.delivery.spool.folder import Folder
from logroute.light import NamedTuple

__all__ = ["START", "AckFile", "Position", "ack_name", "read_ack"]

_ACK = struct.Struct(">4sQQ")
_CRC = struct.Struct(">I")
_MAGIC = b"LRa1"
SIZE = _ACK.size + _CRC.size


class Position(NamedTuple):
    """A place in a series: all before it, the segments of lower numbers included."""

    segment: int
    offset: int


START = Position(0, 0)


def ack_name(series: str) -> str:
    """Return the file name of a series' acknowledgement."""
    return f"{series}.ack"


def read_ack(folder: Folder, series: str) -> Position:
    """Return how far a series is delivered; `START` where nothing trustworthy is said."""
    try:
        file = Descriptor(folder.open_file(ack_name(series), os.O_RDONLY))
        try:
            return _position(folder.disk.pread(file.number, SIZE, 0), series)
        finally:
            file.close()
    except OSError:
        return START


def _position(data: bytes, series: str) -> Position:
    if len(data) < SIZE:
        return START
    magic, segment, offset = _ACK.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _ACK.size)
    if magic != _MAGIC or crc != _crc(data[: _ACK.size], series):
        return START
    return Position(segment, offset)


def _crc(data: bytes, series: str) -> int:
    return zlib.crc32(data, zlib.crc32(series.encode()))


class AckFile:
    """Writes the acknowledgement of one series, whose lock the caller holds."""

    def __init__(self, folder: Folder, series: str) -> None:
        """Begin with what is known; nothing is opened yet."""
        self._folder = folder
        self._series = series
        self._disk: Disk = folder.disk
        self._file: Descriptor | None = None
        #: What the file says, as far as we know.
        self.written = read_ack(folder, series)

    def create(self) -> None:
        """Make sure that there is a file of full length.

        Raises:
            OSError: there can be none.
        """
        self._write(self.written)

    def write(self, position: Position) -> None:
        """Persist `position`.

        Raises:
            OSError: it may not have been persisted.
        """
        if position != self.written:
            self._write(position)

    def _write(self, position: Position) -> None:
        file = self._opened()
        data = _ACK.pack(_MAGIC, *position)
        data += _CRC.pack(_crc(data, self._series))
        if self._disk.pwrite(file.number, data, 0) != SIZE:
            raise OSError("the acknowledgement could not be written whole")
        self.written = position

    def _opened(self) -> Descriptor:
        if self._file is None or not self._file.is_ours():
            name = ack_name(self._series)
            try:
                number = self._folder.open_file(name, os.O_RDWR)
            except FileNotFoundError:
                number = self._folder.create_file(name, os.O_RDWR)
            self._file = Descriptor(number)
        return self._file

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
