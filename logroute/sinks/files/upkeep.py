"""What becomes of rotated files: compressed, and removed when they are too many.

Runs in the worker that owns the sink, in the caretaker's thread where files are
compressed. Safe beside other processes that do the same.
"""

import contextlib
import os
import time
from collections.abc import Callable

from logroute.light import NamedTuple
from logroute.sinks.files.names import Family, Rotated

__all__ = ["Limits", "Upkeep"]

#: After so long a reservation is not somebody's who is about to fill it.
_STALE_S = 60.0


class Limits(NamedTuple):
    """Which rotated files are kept; None: no such limit."""

    most: int | None = None
    age_s: float | None = None
    total_bytes: int | None = None


class Upkeep:
    """Looks after the rotated files of one log.

    Attributes:
        is_due: it was not done yet since the start, or since a rotation.
        fault: what went wrong the last time, None if nothing did.
    """

    def __init__(
        self,
        path: str,
        limits: Limits | None,
        compress: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Look after what was put away from `path`."""
        self.is_due = True
        self.fault: str | None = None
        self._path = path
        self._limits = limits or Limits()
        self._compress = compress
        self._clock = clock
        self._is_asked = False
        self._refused: set[str] = set()

    def request(self) -> None:
        """Do it now, or have it done where that takes long."""
        self.is_due = False
        self._is_asked = True
        if self._compress == "none":
            self.run()
            return
        from logroute.sinks.files.caretaker import caretaker

        caretaker().request(self, self.run)

    def finish(self, timeout_s: float) -> None:
        """Wait a moment for what was begun; the next start does the rest."""
        if self._is_asked and self._compress != "none":
            from logroute.sinks.files.caretaker import caretaker

            caretaker().finish(timeout_s)

    def run(self) -> None:
        """Remove what is left of others, compress, keep the limits; note faults."""
        try:
            self.fault = self._run(Family(os.path.realpath(self._path)))
        except Exception as fault:
            self.fault = _text(fault, "look after the rotated files of", self._path)

    def _run(self, family: Family) -> str | None:
        fault = self._remove_leftovers(family)
        while (pending := self._limit(family)) is not None:
            try:
                from logroute.sinks.files.archive import compress

                if not compress(pending, self._compress):
                    self._refused.add(pending)
            except FileNotFoundError:  # somebody else was faster
                self._refused.add(pending)
            except Exception as failure:
                fault = _text(failure, "compress", pending)
                break
        if self._limits.total_bytes is not None:
            self._limit(family, is_last=True)
        self._refused.clear()
        return fault

    def _remove_leftovers(self, family: Family) -> str | None:
        from logroute.sinks.files.archive import remove_part

        try:
            for part in family.parts():
                remove_part(part)
            for path in family.empties(self._clock() - _STALE_S):
                _remove(path)
        except OSError as fault:
            return _text(fault, "remove", str(fault.filename))
        return None

    def _limit(self, family: Family, is_last: bool = False) -> str | None:
        """Remove what is too much, oldest first; return what is to be compressed next.

        Files that wait for compression count for the total only at the end: they
        are about to become small.
        """
        kept = self._within_count_and_age(family.rotated())
        wait = [] if self._compress == "none" else [file for file in kept if self._waits(file)]
        if self._limits.total_bytes is not None:
            left = self._limits.total_bytes
            for file in reversed(kept):
                if file in wait and not is_last:
                    continue
                left -= file.size_bytes
                if left < 0:
                    _remove_all(file)
        return wait[0].plain if wait else None

    def _waits(self, file: Rotated) -> bool:
        return file.plain is not None and file.plain not in self._refused

    def _within_count_and_age(self, files: list[Rotated]) -> list[Rotated]:
        kept = files[:]
        if self._limits.most is not None:
            kept = kept[max(0, len(kept) - self._limits.most) :]
        if self._limits.age_s is not None:
            oldest = self._clock() - self._limits.age_s
            kept = [file for file in kept if file.mtime_s >= oldest]
        names = {(file.stamp, file.number) for file in kept}
        for file in files:
            if (file.stamp, file.number) not in names:
                _remove_all(file)
        return kept


def _remove_all(file: Rotated) -> None:
    for path in file.paths:
        _remove(path)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _text(fault: Exception, what: str, path: str) -> str:
    reason = fault.strerror if isinstance(fault, OSError) else f"{type(fault).__name__}: {fault}"
    return f"cannot {what} `{path}`: {reason}"
