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
        has_looked: whether there is nothing new to find, as far as we know.
        is_heir: a handler of this process may leave records here, or has.
    """

    def __init__(self, folder: Folder, clock: Callable[[], float]) -> None:
        """Begin with none."""
        self.readers: list[Reader] = []
        self.finished = self.damaged = 0
        self.has_looked = self.is_heir = False
        self._is_barred = False
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

    @property
    def owes(self) -> bool:
        """Whether there may be records here that this process has logged, not yet taken."""
        if not self.is_heir:
            return False
        if self._is_cut_short or not self.has_looked:
            return True
        return any(reader.known and reader.is_ours for reader in self.readers)

    @property
    def may_find(self) -> bool:
        """Whether a look may find something at once: it is the first, or more is known of."""
        is_more_known = self._is_cut_short and len(self.readers) < MOST
        return is_more_known or not self.has_looked

    def wait_s(self) -> float:
        """Return the seconds until the next look."""
        if self._is_barred:
            return PERIOD_S
        return 0.0 if self.may_find else max(0.0, self._next_look - self._clock())

    def hold(self) -> None:
        """Leave to the handler before this one what it is about to deliver."""
        self.is_heir = self._is_barred = True

    def look_again(self) -> None:
        """Look at once: somebody has just let go of a series."""
        self.is_heir = True
        self.has_looked = self._is_barred = False
        self._next_look = 0.0

    def look(self, own: str | None) -> None:
        """Adopt what dead processes have left, if it is time to look.

        Raises:
            OSError: the folder cannot be read.
        """
        if self._is_barred or self.wait_s() > 0:
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
