"""When a file is put away, and how; what becomes of it then is `upkeep`'s.

The file moves to its new name by one `rename`, onto a name reserved for it; the sink
then opens its path anew. A rotation that fails changes nothing: the file is written
on, and put away later. Runs in the worker that owns the sink.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence

from logroute.sinks.descriptor import identity_of
from logroute.sinks.files.names import Family
from logroute.sinks.files.schedule import period_of, stamp_of
from logroute.sinks.files.upkeep import Limits, Upkeep

__all__ = ["Rotation"]

#: How long a rotation that failed is not tried again.
_PAUSE_S = 10.0
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")


class Rotation:
    """Puts away the file at one path."""

    def __init__(
        self,
        path: str,
        *,
        size_bytes: int | None = None,
        every: str | float | None = None,
        limits: Limits | None = None,
        compress: str = "none",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put `path` away before it has `size_bytes`, and at the end of each period.

        Args:
            path: absolute; where it is a link, its target is rotated.
            size_bytes: None or 0: whatever the size.
            every: see `schedule`; None or 0: whatever the time.
            limits: which rotated files are kept; None: all.
            compress: `none`, `gzip`, `zip` or `xz`.
            clock: seconds since the epoch.
        """
        self._path = path
        self._size_bytes = size_bytes or None
        self._every = every or None
        self._clock = clock
        # A stream of the process has a file's name where the shell redirected it.
        self._is_off = path.startswith(_STREAMS)
        self.upkeep = Upkeep(path, limits, compress, clock)
        self.begin()

    def begin(self) -> None:
        """Forget the file that was: another one is open."""
        self._last_s: float | None = None
        self._overdue: str | None = None
        self._not_before_s = 0.0

    def is_due(self, status: os.stat_result, coming_bytes: int) -> bool:
        """Return whether the file must go before `coming_bytes` more are written."""
        if self._is_off or not status.st_size:
            return False
        now_s = self._clock()
        if self._overdue is None:
            last_s = min(status.st_mtime, now_s)
            if self._last_s is not None:
                last_s = max(last_s, self._last_s)
            if self._has_ended(last_s, now_s) or self._is_full(status.st_size, coming_bytes):
                self._overdue = stamp_of(self._every, last_s)
        return self._overdue is not None and now_s >= self._not_before_s

    def _has_ended(self, last_s: float, now_s: float) -> bool:
        if self._every is None:
            return False
        return period_of(self._every, now_s) > period_of(self._every, last_s)

    def _is_full(self, size: int, coming: int) -> bool:
        return self._size_bytes is not None and size + coming > self._size_bytes

    def end_of_fit(self, size: int, batch: Sequence[bytes], at: int) -> int:
        """Return the end of what of `batch` fits in from `at` on, one record at least."""
        if self._size_bytes is None or self._is_off or self._overdue is not None:
            return len(batch)
        room = self._size_bytes - size
        end = at
        while end < len(batch) and (room := room - len(batch[end])) >= 0:
            end += 1
        return max(end, at + 1)

    def wrote(self) -> None:
        """Remember when the file was written last."""
        self._last_s = self._clock()

    def put_away(self) -> None:
        """Move the file to its new name.

        Raises:
            OSError: it is where it was; `is_due` says when to try again.
        """
        path = os.path.realpath(self._path)
        try:
            target, reservation = Family(path).reserve(self._overdue or "")
            try:
                _rename(path, target, reservation)
            finally:
                # The last thing: the descriptor is there for the new file to take.
                os.close(reservation)
        except OSError:
            self._not_before_s = self._clock() + _PAUSE_S
            raise
        self.upkeep.is_due = True


def _rename(path: str, target: str, reservation: int) -> None:
    try:
        os.rename(path, target)
    except OSError:
        # Some network file systems report a failure of what they have done.
        with contextlib.suppress(OSError):
            if identity_of(os.lstat(target)) == identity_of(os.fstat(reservation)):
                os.unlink(target)
        raise
