"""Faults inside rotation and upkeep: each call of the system fails once, in each way.

After every run the records add up: each one that was reported delivered is in
exactly one file, each other one in none, and no file has a torn line.
"""

import errno
import fcntl
import gc
import gzip
import os

import pytest

from logroute.errors import DeliveryError, Retryable
from logroute.sinks.file import FileSink
from logroute.sinks.files.rotation import Rotation
from logroute.sinks.files.upkeep import Limits

CALLS = ["open", "close", "rename", "unlink", "link", "stat", "lstat", "fstat", "listdir"]
CALLS += ["write", "pread", "ftruncate", "fsync", "fchmod", "utime"]
#: Calls of which some systems report a failure after they have worked.
AFTER = ("rename", "unlink", "link", "ftruncate", "fsync", "utime")
FAULTS = [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EAGAIN, errno.EMFILE]


class Shim:
    """Counts the calls, and lets the chosen one fail: before or after its work, or half-way."""

    def __init__(self, monkeypatch):
        self.count, self.chosen, self.errno, self.way = 0, -1, 0, "before"
        self.hit = None
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))
        monkeypatch.setattr(fcntl, "flock", self._wrap("flock", fcntl.flock))

    def _wrap(self, name, real):
        def call(*args, **more):
            self.count += 1
            if self.count - 1 != self.chosen:
                return real(*args, **more)
            self.hit = name
            fault = OSError(self.errno, os.strerror(self.errno), *map(str, args[:1]))
            if name == "close":  # the descriptor is gone, whatever close says
                real(*args)
            elif name == "write" and self.way == "half" and len(args[1]) > 1:
                self.chosen = self.count  # what was taken is said; the rest fails
                return real(args[0], bytes(args[1])[: len(args[1]) // 2])
            elif name in AFTER and self.way == "after":
                real(*args, **more)
            raise fault

        return call


BATCHES = [[b"%03d%03d.\n" % (batch, n) for n in range(4)] for batch in range(3)]


def run(folder, shim, compress):
    """Send all batches as a worker does that tries nothing twice; return what is delivered."""
    path = str(folder / "app.log")
    rotation = Rotation(path, size_bytes=40, limits=Limits(100), compress=compress)
    rotation.upkeep.request = rotation.upkeep.run  # here, one after the other
    sink = FileSink(path, rotation=rotation, is_shared=True)
    delivered = []
    for batch in BATCHES:
        try:
            sink.send(batch)
            delivered += batch
        except DeliveryError as fault:
            delivered += batch[: fault.delivered]
        except OSError as fault:
            pytest.fail(f"{fault} at {shim.hit} came out bare")
        rotation._not_before_s = 0.0  # the pause after a failure is over
    shim.chosen = -1
    sink.close()
    return delivered


def read_all(folder):
    lines = []
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        if file.suffix == ".gz":
            if (folder / file.stem).exists():
                continue  # the archive of a file that is there
            data = gzip.decompress(data)
        if file.suffix != ".part":
            lines += data.splitlines(keepends=True)
    return sorted(lines)


@pytest.mark.parametrize(
    ("fault", "compress", "way"),
    [
        *((fault, "none", "before") for fault in FAULTS),
        (errno.EIO, "none", "after"),
        (errno.ENOSPC, "none", "half"),
        (errno.ENOSPC, "gzip", "before"),
        (errno.EIO, "gzip", "after"),
    ],
)
def test_any_failing_call_keeps_the_count(tmp_path, monkeypatch, fault, compress, way):
    """Faults 50, 54, 58: whichever call fails, records are in one file or reported."""
    gc.collect()  # what a test before has left
    descriptors = len(os.listdir("/proc/self/fd"))
    shim, hits = Shim(monkeypatch), set()
    for chosen in range(2000):
        folder = tmp_path / str(chosen)
        folder.mkdir()
        shim.count, shim.chosen, shim.errno, shim.way, shim.hit = 0, chosen, fault, way, None
        delivered = run(folder, shim, compress)
        context = f"call {chosen}: {shim.hit}"
        assert read_all(folder) == sorted(delivered), context
        assert len(delivered) >= sum(map(len, BATCHES)) - len(BATCHES[0]), context
        if shim.hit is None:
            break
        hits.add(shim.hit)
        assert len(os.listdir("/proc/self/fd")) == descriptors, context
    assert hits >= {"open", "rename", "write", "flock", "close", "listdir", "fstat", "stat"}


def test_persistent_failure_is_told_once(tmp_path, monkeypatch):
    """Fault 54: a folder that takes no new name for an hour is one complaint."""
    path = str(tmp_path / "app.log")
    now = [2_000_000_000.0]
    sink = FileSink(path, rotation=Rotation(path, size_bytes=4, clock=lambda: now[0]))
    sink.send([b"1\n"])

    def refuse(*args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    complaints = 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        for _ in range(360):
            now[0] += 10
            try:
                sink.send([b"22\n"])
            except Retryable as fault:
                complaints += 1
                assert fault.delivered == 1
    assert complaints == 1
    now[0] += 10
    sink.send([b"3\n"])
    sink.close()
    assert sorted(len(file.read_bytes()) for file in tmp_path.iterdir()) == [2, 2 + 360 * 3]
