"""One series as it is read: what was spooled, oldest first, and how far it is settled.

The series of this process grows while it is read; one adopted from a dead process
does not. The order is law: deliver, persist the acknowledgement, unlink the segment.
Whoever calls holds the lock of the queue. Nothing here raises once it is made: what
fails is kept in `fault` and `ack_fault`, and tried again.
"""

import errno
from collections.abc import Callable, Sequence

from logroute.delivery.spool.acks import AckFile, Position
from logroute.delivery.spool.disk import Descriptor
from logroute.delivery.spool.folder import MOST_PIECE, Folder, segment_name
from logroute.delivery.spool.frames import (
    Damage,
    Frame,
    Spooled,
    is_record,
    key_of,
    level_in,
    open_body,
)
from logroute.delivery.spool.locks import claim, is_ours, lock_name
from logroute.delivery.spool.segments import Segment
from logroute.light import NamedTuple

__all__ = ["Reader", "Taken"]

#: Behind all places.
_FAR = Position(1 << 62, 0)


class Taken(NamedTuple):
    """A record in flight: where it stands, from `at` to before `end`, and what it is."""

    reader: "Reader"
    segment: int
    at: int
    end: int
    record: Spooled

    @property
    def before(self) -> Position:
        """The place before it."""
        return Position(self.segment, self.at)

    @property
    def behind(self) -> Position:
        """The place behind it."""
        return Position(self.segment, self.end)


class Reader:
    """Reads one series whose lock we hold, and removes what is settled.

    Attributes:
        series: its name.
        is_ours: whether this process wrote it.
        numbers: the segments that are there, ascending.
        at: behind what was read last.
        flight: how many records were taken and not settled.
        damaged: how many pieces were no frames.
        known: how many records are counted and not yet taken; only of adopted series.
        recovered: how many records were counted; only of adopted series.
        fault: why reading failed last, until it succeeds.
        ack_fault: why acknowledging or cleaning up failed last, until it succeeds.
    """

    def __init__(
        self,
        folder: Folder,
        series: str,
        numbers: Sequence[int],
        ack: AckFile,
        lock: Descriptor,
        is_open: Callable[[int], bool] | None = None,
    ) -> None:
        """Begin where the series' acknowledgement says.

        Args:
            folder: where it is.
            series: its name.
            numbers: its segments.
            ack: its acknowledgement.
            lock: shows that it is ours; kept until the end.
            is_open: whether a segment may still grow; None: none does, it was adopted.
        """
        self.series = series
        self.numbers = sorted(numbers)
        self.at = ack.written
        self.flight = 0
        self.damaged = 0
        self.known = 0
        self.recovered = 0
        self.fault: OSError | None = None
        self.ack_fault: OSError | None = None
        self._is_open = is_open
        self.is_ours = is_open is not None or is_ours(series)
        self._folder = folder
        self._key = key_of(series)
        self._ack = ack
        self._lock = lock
        self._segment: Segment | None = None
        self._stuck_at = -1  # size of the segment when what was left of it was no frame
        self._counted_to = -1  # the last segment whose records are in `known`
        if is_open is None:
            self.look_ahead()

    @property
    def is_adopted(self) -> bool:
        """Whether another process wrote it, or another handler of this one."""
        return self._is_open is None

    # -- reading

    def has_more(self) -> bool:
        """Return whether `take` may find something."""
        if self.is_adopted:
            return self.known > 0
        segment = self._opened()
        if segment is None:
            return False
        if self._is_closed(segment.number):
            return segment.number < self.numbers[-1] or segment.size_now() > self.at.offset
        return segment.size_now() not in (self.at.offset, self._stuck_at)

    def is_at_end(self) -> bool:
        """Return whether nothing is left to read, in no segment that is there."""
        segment = self._opened()
        if segment is None:
            return self.fault is None
        return segment.number == max(self.numbers) and not self.has_more()

    def read_to(self) -> Position:
        """Return the place before which nothing is left to take."""
        return _FAR if self.is_at_end() else self.at

    def oldest(self) -> float | None:
        """Return when the oldest record that waits was spooled, in seconds since 1970."""
        try:
            segment = self._opened()
            if segment is None:
                return None
            for found in segment.walk(self.at.offset, is_closed=self._is_closed(segment.number)):
                if isinstance(found, Frame):
                    return open_body(found.body).time
        except (OSError, ValueError):
            return None
        return None

    def unread(self) -> int:
        """Return how many bytes wait."""
        ahead = [number for number in self.numbers if number >= self.at.segment]
        names = [segment_name(self.series, number) for number in ahead]
        behind = self.at.offset if self.at.segment in ahead else 0
        return max(0, self._folder.size_of(names) - behind)

    def take(self, most: int, max_bytes: int) -> list[Taken]:
        """Return the next records, at most so many, at least one if there is any."""
        taken: list[Taken] = []
        if self.is_adopted:
            most = min(most, self.known)
        try:
            is_all = self._take(taken, most, max_bytes)
        except OSError as fault:
            self.fault = fault
            is_all = False
        self.flight += len(taken)
        if self.is_adopted:
            if is_all:  # somebody has changed what was counted
                self.recovered -= self.known - len(taken)
                self.known = len(taken)
            self.known -= len(taken)
            if not self.known:
                self.look_ahead()
        if not self.flight and self.at != self._ack.written:  # only damage was passed
            self.acknowledge(self.at)
        return taken

    def look_again(self) -> None:
        """Look again at the end of the segment: what seemed to be no frame was cut off."""
        self._stuck_at = -1

    def _take(self, taken: list[Taken], most: int, max_bytes: int) -> bool:
        """Add the next records; return whether there is nothing behind them."""
        size = 0
        while len(taken) < most:
            segment = self._opened()
            if segment is None:
                return self.fault is None
            is_closed = self._is_closed(segment.number)  # before its size is looked at
            number, offset = segment.number, self.at.offset
            try:
                for found in segment.walk(offset, is_closed=is_closed):
                    record = self._open(segment, found)
                    if record is not None:
                        size += len(record.payload)
                        if len(taken) == most or (taken and size > max_bytes):
                            return False
                        taken.append(Taken(self, number, found.at, found.end, record))
                    offset = found.end
            finally:
                self.at = Position(number, offset)
            if not is_closed:
                self._stuck_at = segment.size
                return False
            if not self._go_on():
                return True
        return False

    def _open(self, segment: Segment, found: Frame | Damage) -> Spooled | None:
        """Return the record in a frame; set aside what is none."""
        if isinstance(found, Frame):
            try:
                return open_body(found.body)
            except ValueError:
                found = Damage(found.at, found.end, "unknown")
        self._set_aside(segment, found)
        return None

    def _set_aside(self, segment: Segment, found: Damage) -> None:
        self.damaged += 1
        data = segment.read(found.at, min(found.end, found.at + MOST_PIECE))
        name = segment_name(self.series, segment.number)
        self._folder.set_aside(name, found.at, data, found.reason)

    def _opened(self) -> Segment | None:
        """Return the segment to read next; pass over one that is missing."""
        while True:
            if self.at.segment not in self.numbers:
                following = [number for number in self.numbers if number > self.at.segment]
                if not following:
                    return None
                self.at = Position(following[0], 0)
            if self._segment is not None and self._segment.number == self.at.segment:
                return self._segment
            self._leave()
            try:
                self._segment = Segment(self._folder, self.series, self.at.segment, self._key)
                self.fault = None
            except FileNotFoundError:
                self.numbers.remove(self.at.segment)
            except OSError as fault:
                self.fault = fault
                return None

    def _is_closed(self, number: int) -> bool:
        return self._is_open is None or not self._is_open(number)

    def _go_on(self) -> bool:
        """Go to the next segment, if there is one."""
        following = [number for number in self.numbers if number > self.at.segment]
        if not following:
            return False
        self.at = Position(following[0], 0)
        self._leave()
        return True

    def _leave(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        self._stuck_at = -1

    def look_ahead(self) -> None:
        """Count the records of the next segment that has any, so that we know what waits."""
        try:
            while not self.known and (segment := self._opened()) is not None:
                self.known = _count(segment, self.at.offset)
                self.recovered += self.known
                self._counted_to = segment.number
                if not self.known:
                    for found in segment.walk(self.at.offset, is_closed=True):
                        self._open(segment, found)
                        self.at = Position(segment.number, found.end)
                    if not self._go_on():
                        return
        except OSError as fault:
            self.fault = fault

    def restore(self) -> None:
        """Make the files anew that say that this is ours and how far it is, if they are gone.

        Raises:
            OSError: they cannot be made.
        """
        if not self._lock.is_ours() or not self._folder.is_at(
            lock_name(self.series), self._lock.number
        ):
            lock = claim(self._folder, self.series)
            if lock is None:
                raise BlockingIOError(errno.EAGAIN, "somebody else has taken this series")
            self._lock.close()
            self._lock = lock
        self._ack.close()
        self._ack.create()

    # -- settling

    def put_back(self, taken: Sequence[Taken]) -> None:
        """Take back what was taken last, oldest first: it will be taken again."""
        if self.at.segment != taken[0].before.segment:
            self._leave()
        self.at = taken[0].before
        self._stuck_at = -1
        self.flight -= len(taken)
        if self.is_adopted:
            self.known += len(taken)

    def settle(self, behind: Position, count: int) -> None:
        """Settle the `count` oldest in flight, up to `behind`; acknowledge and clean up."""
        self.flight -= count
        self.acknowledge(behind if self.flight else self.at)

    def acknowledge(self, to: Position) -> None:
        """Persist that all before `to` is settled; then remove what is not needed any more.

        What fails is tried again with the next acknowledgement.
        """
        try:
            self._ack.write(to)
            self._remove_below(self._ack.written.segment)
            self.ack_fault = None
        except OSError as fault:
            self.ack_fault = fault

    def try_again(self) -> None:
        """Try again what failed."""
        if self.ack_fault is not None and not self.flight:
            self.acknowledge(self.at)
        if self.fault is not None and self.is_adopted and not self.known:
            self.look_ahead()

    def _remove_below(self, number: int) -> None:
        for old in [old for old in self.numbers if old < number]:
            self._remove(old)

    def _remove(self, number: int) -> None:
        self._folder.remove(segment_name(self.series, number))
        self.numbers.remove(number)

    # -- giving up

    def drop_oldest(self) -> dict[int, int] | None:
        """Remove the oldest segment of which nothing flies and that does not grow.

        Returns how many records were lost, by level; None: there is no such segment.
        """
        for number in self.numbers:
            if self.flight and number <= self.at.segment:
                continue
            if not self._is_closed(number):
                return None
            try:
                return self._drop(number)
            except OSError as fault:
                self.ack_fault = fault
                return None
        return None

    def _drop(self, number: int) -> dict[int, int]:
        is_read = number == self.at.segment
        lost: dict[int, int] = {}
        try:
            segment = Segment(self._folder, self.series, number, self._key)
        except FileNotFoundError:
            segment = None
        if segment is not None:
            if number >= self.at.segment:
                for level in _levels(segment, self.at.offset if is_read else 0):
                    lost[level] = lost.get(level, 0) + 1
            segment.close()
        if number <= self.at.segment:  # nothing before it is left
            self.at = Position(number + 1, 0) if is_read else self.at
            self._leave()
            self._ack.write(self.at)
        self._remove(number)
        if self.is_adopted:
            self._forget(number, sum(lost.values()))
        return lost

    def _forget(self, number: int, count: int) -> None:
        """Take `count` dropped records of an adopted series out of what waits."""
        if number <= self._counted_to:
            self.known = max(0, self.known - count)
        else:
            self.recovered += count
        if not self.known:
            self.look_ahead()

    def is_finished(self) -> bool:
        """Return whether an adopted series has nothing left to deliver."""
        return self.is_adopted and not (self.known or self.flight or self.fault)

    def is_delivered(self) -> bool:
        """Return whether all that stands in the series is settled; it must not grow any more."""
        if self.flight or self.ack_fault is not None:
            return False
        if self.is_adopted:
            return self.is_finished()
        if not self.is_at_end():
            return False
        return self._segment is None or self._segment.size_now() == self.at.offset

    def close(self, *, remove: Sequence[str] = ()) -> None:
        """Let go of the series; remove its segments and the files `remove` before, if any."""
        self._leave()
        self._ack.close()
        if remove:
            segments = [segment_name(self.series, number) for number in self.numbers]
            try:
                self._folder.remove(*segments, *remove)
            except OSError as fault:
                self.ack_fault = fault
        self._lock.close()


def _levels(segment: Segment, at: int) -> list[int]:
    """Return the levels of the records in a closed segment from `at` on."""
    return [
        level_in(found.body)
        for found in segment.walk(at, is_closed=True)
        if isinstance(found, Frame) and is_record(found.body)
    ]


def _count(segment: Segment, at: int) -> int:
    """Return how many records there are in a closed segment from `at` on."""
    return sum(
        isinstance(found, Frame) and is_record(found.body)
        for found in segment.walk(at, is_closed=True)
    )
