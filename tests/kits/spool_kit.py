"""Spools for tests: a disk with faults, and files read without the code under test."""

import errno
import os
import struct
import zlib
from pathlib import Path

from logroute.delivery.specs import SpoolSpec
from logroute.delivery.spool.disk import Disk
from logroute.delivery.spool.queue import SpoolQueue

HEAD = struct.Struct(">4sIIQ")
BODY = struct.Struct(">BBidI")


class FaultyDisk(Disk):
    """A disk that can be full, broken, and that remembers what was asked of it."""

    def __init__(self) -> None:
        self.budget: int | None = None  # bytes that can be written yet
        self.can_cut = True
        self.read_fault: int | None = None
        self.ack_fault: int | None = None
        self.unlink_fault: int | None = None
        self.synced: list[str] = []
        self.removed_too_soon: list[str] = []
        self.unchecked: set[str] = set()  # series whose acknowledgement a test destroyed

    def write(self, number, data):
        if self.budget is None:
            return os.write(number, data)
        if self.budget <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = os.write(number, data[: self.budget])
        self.budget -= count
        return count

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        if flags & os.O_CREAT and self.budget is not None and self.budget <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.open(path, flags, mode, dir_fd=dir_fd)

    def ftruncate(self, number, length):
        if not self.can_cut:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(number, length)

    def pread(self, number, count, at):
        if self.read_fault is not None:
            raise OSError(self.read_fault, os.strerror(self.read_fault))
        return os.pread(number, count, at)

    def pwrite(self, number, data, at):
        if self.ack_fault is not None and len(data) == 24:
            raise OSError(self.ack_fault, os.strerror(self.ack_fault))
        return os.pwrite(number, data, at)

    def fdatasync(self, number):
        self.synced.append("data")
        os.fdatasync(number)

    def fsync(self, number):
        self.synced.append("folder")
        os.fsync(number)

    def unlink(self, path, *, dir_fd=None):
        """Check, at the very moment, that what goes is acknowledged on disk."""
        if self.unlink_fault is not None:
            raise OSError(self.unlink_fault, os.strerror(self.unlink_fault))
        is_checked = path.endswith(".seg") and path.split(".")[0] not in self.unchecked
        if is_checked and not _is_acknowledged(path, dir_fd):
            self.removed_too_soon.append(path)
        os.unlink(path, dir_fd=dir_fd)


def _is_acknowledged(name, folder):
    series, number, _ = name.split(".")
    try:
        size = os.stat(name, dir_fd=folder).st_size
    except FileNotFoundError:
        return True
    file = os.open(f"{series}.ack", os.O_RDONLY, dir_fd=folder)
    try:
        _, segment, offset, _ = struct.unpack(">4sQQI", os.read(file, 24))
    finally:
        os.close(file)
    return size == 0 or (segment, offset) >= (int(number), size)


def spec(path, **options):
    return SpoolSpec(**{"path": str(path), "max_bytes": 1 << 20, **options})


def spool(path, overflow="drop_newest", *, clock=None, disk=None, adopts=True, **options):
    """Return a spool of the handler `h` in `path`."""
    more = {} if clock is None else {"clock": clock}
    if disk is not None:
        more["disk"] = disk
    return SpoolQueue(spec(path, **options), "h", overflow, adopts=adopts, **more)


def put(queue, *payloads, levelno=20):
    """Spool payloads; return how many are on disk."""
    before = queue.counts()["spooled"]
    queue.put([(payload, levelno, len(payload)) for payload in payloads], [], [])
    return queue.counts()["spooled"] - before


def numbered(count, start=0, size=0):
    return [b"%d:" % number + b"x" * size for number in range(start, start + count)]


def take(queue, most=1000):
    return [payload for payload, _, _ in queue.take(most, 1 << 20)]


def drain(queue):
    """Take and deliver all that is there."""
    found = []
    while batch := take(queue):
        queue.delivered(len(batch))
        found += batch
    return found


def kill(queue):
    """Do what the system does with the files of a process that was killed."""
    queue.store.reset()
    queue.store.is_closed = True


def segments(path):
    return sorted((Path(path) / "h").glob("*.seg"))


def frames_in(path):
    """Return (start, end, payload) of the frames in an undamaged segment."""
    data = path.read_bytes()
    found, at = [], 0
    while at < len(data):
        _, length, crc, seq = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        body = data[at + HEAD.size : end]
        seed = zlib.crc32(path.name.split(".")[0].encode())
        assert zlib.crc32(struct.pack(">IQ", length, seq) + body, seed) == crc
        size = BODY.unpack_from(body)[4]
        found.append((at, end, body[BODY.size : BODY.size + size]))
        at = end
    return found


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
