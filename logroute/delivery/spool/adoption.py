"""What dead processes have left: found, locked, read and removed.

Of several processes that look, the one that gets the lock of a series delivers it.
Whoever calls holds the lock of the queue.
"""

from collections.abc import Callable

from logroute.delivery.spool.acks import AckFile, ack_name
from logroute.delivery.spool.folder import Folder
from logroute.delivery.spool.locks import claim, lock_name
from logroute.delivery.spool.reader import Reader

__all__ = ["Adoption", "adopt"]

#: At most so many series at a time: each costs two or three descriptors.
MOST = 8
PERIOD_S = 30.0


def adopt(folder: Folder, series: str) -> Reader | None:
    """Become the owner of a series and return its reader; None: somebody else is.

    Raises:
        OSError: it cannot be locked or read.
    """
    lock = claim(folder, series)
    if lock is None:
        return None
    try:
        # Only now: whoever had the lock before may have removed some.
        numbers = [info.number for info in folder.segments() if info.series == series]
        return Reader(folder, series, numbers, AckFile(folder, series), lock)
    except BaseException:
        lock.close()
        raise


class Adoption:
    """The series that this process delivers for dead ones.

    Attributes:
        readers: those not finished, oldest first.
        finished: how many records were recovered in those that are.
        damaged: how many damaged pieces there were in those that are.
    """

    def __init__(self, folder: Folder, clock: Callable[[], float]) -> None:
        """Begin with none."""
        self.readers: list[Reader] = []
        self.finished = self.damaged = 0
        self.has_looked = False
        self._folder = folder
        self._clock = clock
        self._next_look = 0.0
        self._is_cut_short = False

    @property
    def recovered(self) -> int:
        """How many records were found."""
        return self.finished + sum(reader.recovered for reader in self.readers)

    @property
    def known(self) -> int:
        """How many records wait, as far as they are counted."""
        return sum(reader.known for reader in self.readers)

    def wait_s(self) -> float:
        """Return the seconds until the next look."""
        return max(0.0, self._next_look - self._clock())

    def look(self, own: str | None) -> None:
        """Adopt what dead processes have left, if it is time to look.

        Raises:
            OSError: the folder cannot be read.
        """
        if self.wait_s() > 0 and not (self._is_cut_short and len(self.readers) < MOST):
            return
        self._next_look = self._clock() + PERIOD_S
        self._is_cut_short = False
        self.has_looked = True
        if not self._folder.exists():
            return
        ours = {own, *(reader.series for reader in self.readers)}
        for series in self._by_age():
            if series in ours:
                continue
            if len(self.readers) >= MOST:
                self._is_cut_short = True
                return
            try:
                reader = adopt(self._folder, series)
            except OSError:  # too many open files, or not ours to read: others may be
                continue
            if reader is not None:
                self.readers.append(reader)
                self._finish(reader)

    def _by_age(self) -> list[str]:
        oldest: dict[str, float] = {}
        for info in self._folder.segments():
            oldest[info.series] = min(info.modified, oldest.get(info.series, info.modified))
        return sorted(self._folder.series(), key=lambda series: oldest.get(series, 0.0))

    def finish(self) -> None:
        """Remove the series of which all is settled."""
        for reader in list(self.readers):
            self._finish(reader)

    def _finish(self, reader: Reader) -> None:
        if reader.is_finished():
            reader.acknowledge(reader.at)
            if reader.ack_fault is not None:  # what is delivered must not come again
                return
            reader.close(remove=(ack_name(reader.series), lock_name(reader.series)))
            self.readers.remove(reader)
            self.finished += reader.recovered
            self.damaged += reader.damaged
