"""The thread that looks after rotated files: one per process, while there is work.

It starts with the first job and ends with the last, so an idle process has none. It
is a daemon: an exit does not wait for it beyond what `finish` is given; what it
leaves is done after the next start.
"""

import contextlib
import os
from collections.abc import Callable

from logroute import native
from logroute.bell import Latch
from logroute.sinks.files.archive import forget_descriptors

__all__ = ["Caretaker", "caretaker"]

#: Does the work and keeps its own faults.
Job = Callable[[], object]


class Caretaker:
    """Runs jobs one after the other; the same job waits once."""

    def __init__(self) -> None:
        """Start with no job and no thread."""
        self.pid = os.getpid()
        self._lock = native.allocate_lock()
        self._jobs: dict[object, Job] = {}
        self._is_running = False
        self._idle = Latch()
        self._idle.open()

    def request(self, key: object, job: Job) -> None:
        """Have `job` done soon, once however often `key` asks before it begins."""
        with self._lock:
            self._jobs[key] = job
            if self._is_running:
                return
            self._is_running = True
            self._idle = Latch()
        try:
            native.start_thread(self._run)
        except RuntimeError:  # the interpreter ends: the next start sees to it
            self._stop()

    def finish(self, timeout_s: float) -> bool:
        """Wait for all jobs, at most `timeout_s`; return whether they are done."""
        return self._idle.wait(timeout_s)

    def _stop(self) -> None:
        with self._lock:
            self._jobs.clear()
            self._is_running = False
            self._idle.open()

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                with contextlib.suppress(Exception):  # a job tells its own; the others go on
                    job()
        except BaseException:
            self._stop()
            raise

    def _next(self) -> Job | None:
        with self._lock:
            for key in self._jobs:
                return self._jobs.pop(key)
            self._is_running = False
            self._idle.open()
            return None


_caretaker: Caretaker | None = None
_has_hook = False


def caretaker() -> Caretaker:
    """Return the one of this process; a forked child has its own."""
    global _caretaker, _has_hook
    if _caretaker is None or _caretaker.pid != os.getpid():
        _caretaker = Caretaker()
        if not _has_hook:
            _has_hook = True
            os.register_at_fork(after_in_child=forget_descriptors)
    return _caretaker
