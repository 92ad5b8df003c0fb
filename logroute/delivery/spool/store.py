"""The disk behind one spool: the series of this process, those adopted, and their bound.

Two locks, always taken in this order: `write_lock` while a batch is written, `lock`
for everything that readers see. `append_one` takes neither.
"""

import errno
import os
from collections.abc import Callable, Sequence

from logroute import native
from logroute.delivery.specs import SpoolSpec
from logroute.delivery.spool.acks import ack_name
from logroute.delivery.spool.adoption import Adoption
from logroute.delivery.spool.disk import Disk
from logroute.delivery.spool.folder import Folder
from logroute.delivery.spool.frames import HEAD_SIZE
from logroute.delivery.spool.locks import lock_name
from logroute.delivery.spool.reader import Reader
from logroute.delivery.spool.writer import Appended, Full, Writer, begin_series

__all__ = ["Store"]

SEGMENT_SIZE = 8 << 20
# How often the bytes that others have in the folder are looked at, and how often the
# descriptor and the size of what is written by several threads.
_MEASURE_S = 5.0
_MEASURE_FULL_S = 1.0
_LOOK_S = 1.0
#: How long nothing is begun after that failed: each attempt costs a dozen calls.
_PAUSE_S = 1.0
#: How often a signal's handler may interrupt the beginning of a series and begin one too.
_DEEPEST = 3

#: Told of records that were removed for want of room, by level, and whether they were
#: of our own series.
OnLoss = Callable[[dict[int, int], bool], None]


class Store:
    """Owns the files that this process reads and writes in one folder."""

    def __init__(
        self,
        spec: SpoolSpec,
        path: str,
        overflow: str,
        clock: Callable[[], float],
        disk: Disk,
        on_loss: OnLoss,
        *,
        adopts: bool,
    ) -> None:
        """Open nothing yet."""
        self.folder = Folder(path, disk)
        self.is_shared = spec.write == "caller"
        self.max_bytes = spec.max_bytes
        self.segment_size = max(1, min(SEGMENT_SIZE, spec.max_bytes // 8))
        self._sync = spec.sync
        self._overflow = overflow
        self._clock = clock
        self._on_loss = on_loss
        self._adopts = adopts
        self.writer: Writer | None = None
        self.reader: Reader | None = None
        self.adoption = Adoption(self.folder, clock)
        self.reset()

    def reset(self) -> None:
        """Own nothing any more: close what a parent process has opened and goes on with."""
        for reader in self.readers():
            reader.close()
        if self.writer is not None:
            self.writer.let_go()
        self.writer = self.reader = None
        self.adoption = Adoption(self.folder, self._clock)
        self.take_over()
        #: The series of this process, of all that were begun at a time; None: closed before.
        self._won: dict[str, tuple[Writer, Reader] | None] = {}
        self._beginning: dict[int, int] = {}
        self._others_bytes = 0
        self._measured_at = self._failed_at = -1e9
        self._failure = (errno.EIO, "the spool cannot be begun")
        self._looked_at = self._clock()
        #: Takes nothing more; and then, that whoever comes next may have what is left.
        self.is_closed = self.has_let_go = False
        #: What went wrong last, and was not told yet.
        self.fault: OSError | None = None

    def take_over(self) -> None:
        """Use new locks: the thread that may hold the old ones never runs again."""
        self.lock = native.RLock()
        self.write_lock = native.RLock()

    def readers(self) -> list[Reader]:
        """Return all readers, those of older records first."""
        return [*self.adoption.readers, *([] if self.reader is None else [self.reader])]

    # -- writing

    def append_one(self, body: bytes) -> OSError | None:
        """Append one frame, without a lock unless the worker writes; return what failed."""
        if not self.is_shared:
            return self.append([body]).fault
        try:
            return (self.writer or self._begin()).append_one(body)
        except OSError as fault:
            return fault

    def append(self, bodies: Sequence[bytes]) -> Appended:
        """Append frames, in order; return how many are whole on disk, and what failed."""
        done = 0
        with self.write_lock:
            while done < len(bodies):
                try:
                    count, fault = self._append(bodies[done:])
                except OSError as broken:
                    count, fault = 0, broken
                done += count
                if fault is not None and done < len(bodies) and self._helps(fault, bodies[done]):
                    continue
                if fault is not None:
                    return Appended(done, fault)
        return Appended(done, None)

    def _append(self, bodies: Sequence[bytes]) -> Appended:
        if self.is_closed:
            raise Full
        writer = self.writer or self._begin()
        if not writer.is_sound():  # removed, or closed behind our back
            self._roll_over(is_sound=False)
        appended = writer.append(bodies, self.room())
        if appended.fault is not None and self.reader is not None:
            with self.lock:
                self.reader.look_again()
        elif appended.whole < len(bodies):
            self._roll_over()
        return appended

    def _begin(self) -> Writer:
        """Begin the series of this process; of several threads that do, one wins."""
        now = self._clock()
        if self.is_closed:
            raise Full
        if now - self._failed_at < _PAUSE_S:
            raise OSError(*self._failure)
        ident = native.get_ident()
        depth = self._beginning.get(ident, 0)
        if depth >= _DEEPEST:  # signals come faster than a series is begun
            raise OSError(errno.EAGAIN, "the spool is being begun")
        self._beginning[ident] = depth + 1
        try:
            made = begin_series(
                self.folder,
                segment_size=self.segment_size,
                sync=self._sync,
                clock=self._clock,
                is_shared=self.is_shared,
            )
        except OSError as fault:
            self._failed_at, text = now, fault.strerror or str(fault)
            self._failure = (fault.errno or errno.EIO, text)
            raise
        finally:
            self._beginning[ident] = depth
        self._measure()
        made[0].room = self.max_bytes - self._others_bytes
        won = self._won.setdefault("", made)
        if won is not made:
            self._discard(*made)
        if won is None:
            raise Full
        self._enter(*won)
        return won[0]

    def _enter(self, writer: Writer, reader: Reader) -> None:
        self.reader = reader  # first, since who finds a writer takes a reader for granted
        self.writer = writer

    def _discard(self, writer: Writer, reader: Reader) -> None:
        writer.let_go()
        reader.close(remove=(ack_name(reader.series), lock_name(reader.series)))

    def _roll_over(self, *, is_sound: bool = True) -> None:
        with self.lock:
            assert self.writer is not None and self.reader is not None
            if not is_sound:  # somebody may have removed the whole folder
                self.folder.create()
                self.reader.restore()
            self.reader.numbers.append(self.writer.roll_over())

    # -- the bound

    def used(self) -> int:
        """Return the bytes of all segments in the folder, those of others as last seen."""
        writer, reader = self.writer, self.reader
        if writer is None or reader is None:
            return self._others_bytes
        if len(writer.sizes) != len(reader.numbers):  # segments are gone
            with self.lock:
                kept = {*reader.numbers, writer.number}
                for number in [number for number in writer.sizes if number not in kept]:
                    del writer.sizes[number]
        own = sum(writer.sizes.values())
        return own + self._others_bytes

    def room(self) -> int:
        """Return the bytes that may still be written."""
        if self._clock() - self._measured_at > _MEASURE_S:
            self._measure()
        return self.max_bytes - self.used()

    def _measure(self) -> None:
        own = None if self.writer is None else self.writer.series
        self._measured_at = self._clock()
        found = self.folder.segments() if self.folder.exists() else []
        self._others_bytes = sum(info.size for info in found if info.series != own)

    def _helps(self, fault: OSError, body: bytes) -> bool:
        """Return whether there is room for `body` after all, or since something was dropped."""
        need = len(body) + HEAD_SIZE
        if not isinstance(fault, Full) or self.is_closed or need > self.max_bytes:
            return False
        if self._clock() - self._measured_at > _MEASURE_FULL_S:
            self._measure()
        return self.max_bytes - self.used() >= need or self.make_room(need)

    def make_room(self, need: int) -> bool:
        """Drop oldest segments, where that is the policy, until there is room; say if so."""
        with self.lock:
            while (room := self.max_bytes - self.used()) < need:
                if self._overflow != "drop_oldest" or not self._drop_oldest():
                    return False
                self._measure()
                if self.max_bytes - self.used() <= room:  # somebody else fills it
                    return False
        return True

    def _drop_oldest(self) -> bool:
        for reader in self.readers():
            lost = reader.drop_oldest()
            if lost is not None:
                self._on_loss(lost, not reader.is_adopted)
                self.adoption.finish()
                return True
        return False

    # -- what is due now and then

    def look_for_orphans(self) -> None:
        """Adopt what dead processes have left, if it is time to look; needs the lock."""
        if self._adopts and not self.is_closed:
            try:
                self.adoption.look(None if self.writer is None else self.writer.series)
            except OSError as fault:
                self.fault = fault

    def chores(self) -> float:
        """Do what is due; return the seconds until something is due again.

        Any thread of ours may call it, as often as it likes.
        """
        if self.is_closed:
            return 3600.0
        waits = [3600.0]
        if self.write_lock.acquire(blocking=False):
            try:
                if self.writer is not None:
                    waits += self._look_after(self.writer)
            finally:
                self.write_lock.release()
        else:  # who writes calls us, too; to wait would keep what is written from its way
            waits.append(_LOOK_S)
        with self.lock:
            self.look_for_orphans()
            for reader in self.readers():
                reader.try_again()
                if reader.fault or reader.ack_fault:
                    waits.append(_LOOK_S)
            self.adoption.finish()
            if self._adopts:
                waits.append(self.adoption.wait_s())
        return max(0.01, min(waits))

    def _look_after(self, writer: Writer) -> list[float]:
        if writer.sync_wait_s() == 0:
            self.fault = writer.sync() or self.fault
        wait_s = writer.sync_wait_s()
        waits = [] if wait_s is None else [wait_s]
        if self.is_shared:
            waits.append(_LOOK_S)
            if self._clock() - self._looked_at >= _LOOK_S or writer.room < self.segment_size:
                self._looked_at = self._clock()
                self._look_at_segment(writer)
        return waits

    def _look_at_segment(self, writer: Writer) -> None:
        """Do for the threads that write what they have no time for."""
        try:
            with self.lock:
                end = writer.end()
                is_sound = writer.is_sound()
                if not is_sound or end.offset >= self.segment_size:
                    self._roll_over(is_sound=is_sound)
            self._measure()
            self.make_room(self.segment_size)
            writer.room = self.room()
        except OSError as fault:
            self.fault = fault
        self.fault, writer.sync_fault = writer.sync_fault or self.fault, None

    def sync(self) -> None:
        """Force what is written to the disk, if that is wanted."""
        with self.write_lock:
            if self.writer is not None and not self.is_closed:
                self.fault = self.writer.sync() or self.fault

    # -- the end

    def shut(self) -> None:
        """Take nothing more; what threads write at this moment is still written."""
        self.is_closed = True
        won = self._won.setdefault("", None)  # a series that is being begun comes too late
        if won is not None:
            self._enter(*won)

    def close(self) -> None:
        """Let go of all; remove what is delivered, leave the rest to whoever comes next."""
        self.shut()
        has_lock = self.write_lock.acquire(timeout=1.0)  # a disk that hangs must not hang us
        try:
            if self.lock.acquire(timeout=1.0):
                try:
                    self._close()
                finally:
                    self.lock.release()
        finally:
            self.has_let_go = True
            if has_lock:
                self.write_lock.release()

    def _close(self) -> None:
        is_quiet = True
        if self.writer is not None:
            self.writer.sync()
            is_quiet = self.writer.close()
        for reader in self.readers():
            if reader is self.reader and not is_quiet:
                continue  # ours as long as one of our threads writes to it
            names = (ack_name(reader.series), lock_name(reader.series))
            reader.close(remove=names if reader.is_delivered() else ())


def spool_path(spec: SpoolSpec, name: str) -> str:
    """Return the path of the folder `name` in the spool that `spec` describes."""
    return os.path.join(os.path.expanduser(spec.path), name)
