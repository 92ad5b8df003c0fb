"""The series of this process, as it is written: frames appended to segments.

With `write: worker` one thread at a time appends batches. With `write: caller` the
threads of the application append one frame each by a single `os.write`, without a
lock: from signal handlers, from `__del__`, several at once; a thread of ours begins
the next segment and lets the same descriptor stand for it.
"""

import errno
import itertools
import os
import time
from collections.abc import Callable, Sequence

from logroute import native
from logroute.delivery.spool.acks import AckFile, Position, ack_name
from logroute.delivery.spool.disk import Descriptor
from logroute.delivery.spool.folder import Folder, segment_name
from logroute.delivery.spool.frames import HEAD_SIZE, Key, frame_of, key_of
from logroute.delivery.spool.locks import claim, lock_name, new_series_name
from logroute.delivery.spool.reader import Reader
from logroute.light import Literal, NamedTuple
from logroute.tally import Tally

__all__ = ["SYNC_PERIOD_S", "Appended", "Full", "Writer", "begin_series"]

Sync = Literal["none", "batch", "always"]
#: With `sync: batch`, how old what is not yet forced to the disk may become.
SYNC_PERIOD_S = 0.5
# How long a write may take before we stop waiting for it: a Ctrl-C may have struck the
# thread where it could not even say that it has ended.
_PATIENCE_S = 60.0
_APPEND = os.O_RDWR | os.O_APPEND


class Appended(NamedTuple):
    """How many frames, from the first on, are `whole` on disk, and what stopped the rest.

    `fault` may stand beside a full count: then they are written but not yet safe
    from a loss of power.
    """

    whole: int
    fault: OSError | None


class Full(OSError):
    """The spool has reached its own bound; the disk may have room yet."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(errno.EDQUOT, "the spool is full")


class Writer:
    """Writes one series.

    Attributes:
        pid: whose it is; a forked child has a series of its own.
        series: its name.
        number: the segment being written.
        sizes: the bytes of each segment; of the one being written roughly.
        whole: how many frames were written whole, with `write: worker`.
        room: bytes that may still be written, roughly, with `write: caller`.
        sync_fault: why data could not be forced to the disk, until somebody asks.
    """

    def __init__(
        self,
        folder: Folder,
        series: str,
        file: int,
        *,
        segment_size: int,
        sync: Sync,
        clock: Callable[[], float],
        is_shared: bool,
    ) -> None:
        """Write to `file`, the series' first segment, which is new.

        Where it `is_shared`, other threads may write at any moment by `append_one`.
        """
        self.pid = os.getpid()
        self.series = series
        self.number = 1
        self.sizes = {1: 0}
        self.whole = 0
        self.room = 0
        self.sync_fault: OSError | None = None
        self._folder = folder
        self._disk = folder.disk
        self._file = Descriptor(file)
        self._fd = file
        self._key: Key = key_of(series)
        self._segment_size = segment_size
        self._sync = sync
        self._forces_each = sync == "always"
        self._clock = clock
        self._is_shared = is_shared
        self._seq = itertools.count(1)
        self._next = 1
        self._written = Tally()
        self._amid: set[int] = set()  # the numbers of frames that threads write just now
        #: Segments that were left amid writes: the frames written then, and since when.
        self._ending: dict[int, tuple[frozenset[int], float]] = {}
        self._is_dirty = self._is_shut = False
        self._synced_at = clock()

    # -- one frame, from any thread

    def append_one(self, body: bytes) -> OSError | None:
        """Append one frame by one write, without a lock; return why it is not on disk."""
        is_whole, seq = False, 0
        try:
            seq = next(self._seq)
            frame = frame_of(self._key, seq, body)
            size = len(frame)
            self._amid.add(seq)
            if self._is_shut or size > self.room:
                return Full()
            written = self._disk.write(self._fd, frame)
            is_whole = written == size
            self.room -= written
            self._is_dirty = True
            if self._forces_each and is_whole:
                self._disk.fdatasync(self._fd)
        except OSError as fault:
            if is_whole:
                self.sync_fault = fault
                return None
            return fault
        finally:
            if is_whole:
                self._written.add()
            self._amid.discard(seq)
        return None if is_whole else OSError(errno.ENOSPC, "only a part of it could be written")

    def count(self) -> int:
        """Return how many frames are whole on disk; needs the queue's lock."""
        return self.whole + self._written.value()

    # -- many frames, from one thread at a time

    def append(self, bodies: Sequence[bytes], room: int) -> Appended:
        """Append to the segment being written as many frames as it takes, in `room` bytes.

        A segment takes at least one frame; 0 without a fault means: begin the next.
        """
        frames: list[bytes] = []
        size = 0
        fault: OSError | None = None
        left = self._segment_size - self.size
        for seq, body in enumerate(bodies, self._next):
            grown = size + HEAD_SIZE + len(body)
            if grown > left and (frames or self.size):
                break
            if grown > room:
                fault = Full()
                break
            frames.append(frame_of(self._key, seq, body))
            size = grown
        if frames:
            count, broken = self._write(frames)
            self._next += count
            self.whole += count
            fault = broken or fault
            self._is_dirty = True
            return Appended(count, self._synced(is_due=self._sync == "always") or fault)
        return Appended(0, fault)

    @property
    def size(self) -> int:
        """The bytes of the segment being written, roughly."""
        return self.sizes[self.number]

    def _write(self, frames: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write `frames` behind each other; return how many are whole."""
        data = b"".join(frames)
        written = 0
        fault: OSError | None = None
        try:
            written = self._disk.write(self._fd, data)
            if written == len(data):  # as nearly always
                self.sizes[self.number] += written
                return len(frames), None
            while written < len(data):
                count = self._disk.write(self._fd, memoryview(data)[written:])
                if count == 0:
                    raise OSError(errno.EIO, "nothing could be written")
                written += count
        except OSError as broken:
            fault = broken
        ends = list(itertools.accumulate(map(len, frames)))
        count = sum(end <= written for end in ends)
        torn = written - (ends[count - 1] if count else 0)
        self.sizes[self.number] += written - self._cut_off(torn)
        return count, fault

    def _cut_off(self, torn: int) -> int:
        """Take a torn frame off the end; return how many bytes that were."""
        if not torn or self._is_shared:  # somebody may have written behind it
            return 0
        try:  # where that fails, a reader finds what is behind it nevertheless
            self._disk.ftruncate(self._fd, os.fstat(self._fd).st_size - torn)
        except OSError:
            return 0
        return torn

    # -- segments

    def is_open(self, number: int) -> bool:
        """Return whether a segment may still grow; needs the queue's lock."""
        if number == self.number:
            return True
        if number not in self._ending:
            return False
        frames, since = self._ending[number]
        if frames.isdisjoint(self._amid) or self._clock() - since > _PATIENCE_S:
            del self._ending[number]
        return number in self._ending

    def roll_over(self) -> int:
        """Begin the next segment; return its number. Needs the queue's lock.

        Raises:
            OSError: it cannot be created; the old one goes on.
        """
        number = self.number + 1
        file = self._folder.create_file(segment_name(self.series, number), _APPEND)
        if self._file.is_ours():
            self._synced(is_due=True)
            self.sizes[self.number] = os.fstat(self._fd).st_size
        if self._sync != "none":
            self._folder.sync()
        self._file.exchange(file)
        self._fd = self._file.number
        # Who begins to write from now on writes to the new file, by the same number.
        if amid := frozenset(self._amid):
            self._ending[self.number] = (amid, self._clock())
        self.number = number
        self.sizes[number] = 0
        return number

    def is_sound(self) -> bool:
        """Return whether the segment being written is still there, and still ours."""
        try:
            status = os.fstat(self._fd)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file.identity and status.st_nlink > 0

    def end(self) -> Position:
        """Return the place behind all that is written now; needs the queue's lock."""
        if self._file.is_ours():
            self.sizes[self.number] = os.fstat(self._fd).st_size
        return Position(self.number, self.size)

    # -- the disk itself

    def sync_wait_s(self) -> float | None:
        """Return the seconds until what is written must be forced to the disk; None: never."""
        if self._sync == "none" or not self._is_dirty:
            return None
        return max(0.0, self._synced_at + SYNC_PERIOD_S - self._clock())

    def sync(self) -> OSError | None:
        """Force what is written to the disk, if that is wanted; return what went wrong."""
        return self._synced(is_due=True)

    def _synced(self, *, is_due: bool) -> OSError | None:
        if self._sync == "none" or not self._is_dirty:
            return None
        now = self._clock()
        if not is_due and now - self._synced_at < SYNC_PERIOD_S:
            return None
        self._is_dirty = False
        self._synced_at = now
        try:
            self._disk.fdatasync(self._fd)
        except OSError as fault:
            return fault
        return None

    def close(self) -> bool:
        """Close the segment, unless a thread of the application still writes to it.

        Returns whether it is closed.
        """
        self._is_shut = True
        give_up_at = time.monotonic() + 1.0
        while self._amid:
            if time.monotonic() > give_up_at:
                return False
            native.sleep(0.001)  # a write to the page cache: nothing tells of its end
        self._file.close()
        return True

    def let_go(self) -> None:
        """Close what a forked child has inherited; the parent goes on with it."""
        self._file.close()


def begin_series(
    folder: Folder,
    *,
    segment_size: int,
    sync: Sync,
    clock: Callable[[], float],
    is_shared: bool = False,
) -> tuple[Writer, Reader]:
    """Begin a series of this process; return who writes and who reads it.

    Raises:
        OSError: it cannot be created; nothing of it is left then, if that was possible.
    """
    folder.create()
    while True:
        series = new_series_name()
        lock = claim(folder, series, is_new=True)
        if lock is not None:
            break
    names = [segment_name(series, 1), ack_name(series), lock_name(series)]
    try:
        ack = AckFile(folder, series)
        ack.create()
        file = folder.create_file(names[0], _APPEND)
        if sync != "none":
            folder.sync()
    except BaseException:
        try:
            folder.remove(*names)
        finally:
            lock.close()
        raise
    writer = Writer(
        folder,
        series,
        file,
        segment_size=segment_size,
        sync=sync,
        clock=clock,
        is_shared=is_shared,
    )
    return writer, Reader(folder, series, [1], ack, lock, writer.is_open)
