"""Watches the files of a config, and reloads it when their content changes.

One thread per watched config looks at every file that was read: the config, what
it includes, and secrets. It looks at contents, by name: editors rename, Kubernetes
exchanges links, and neither times nor inodes tell. The thread holds the runtime
weakly and ends with it.
"""

import os
import stat
import sys
import weakref
from collections.abc import Mapping

from logroute.bell import Bell, Latch
from logroute.config.source import MAX_BYTES
from logroute.engine.notices import describe
from logroute.engine.runtime import Runtime
from logroute.native import get_ident, start_thread

__all__ = ["Watcher"]

#: How often to look where the config does not say.
EVERY_S = 2.0
#: A file that changes is read when two looks this far apart saw the same.
SETTLE_S = 0.3

#: Digests by path; None: there is no file, or none that can be read.
_State = dict[str, bytes | None]


class Watcher:
    """Reloads one runtime's config when its files change, or when asked."""

    def __init__(self, runtime: Runtime, every_s: float | None = None) -> None:
        """Look every `every_s` seconds; 0: only when asked."""
        self.every_s = EVERY_S if every_s is None else every_s
        self._seen: _State = {}
        self._last: _State = {}
        self._pending: _State | None = None
        self._is_over = False
        self._runtime = weakref.ref(runtime, self._end)
        self._reset()
        runtime.on_start(self.start)

    def _reset(self) -> None:
        """Know of no thread, as a forked child must."""
        self._pid = os.getpid()
        self._bell = Bell()
        self._ended = Latch()
        self._owners: dict[int, int] = {}
        self._is_asked = False
        self.is_running = False

    def follow(self, reads: Mapping[str, bytes | None], *, is_good: bool) -> None:
        """Watch the files that were read, and take what they held for known.

        Those of a config that cannot be used are watched beside those of the one
        that runs: any of them may be where the cure is made.
        """
        seen: _State = {} if is_good else dict(self._seen)
        for path, data in reads.items():
            seen[path] = self._last.get(path) if data is None else _digest(data)
        self._seen = seen

    def start(self) -> None:
        """Start the thread unless it runs; a forked child does so at its first record."""
        if self._pid != os.getpid():
            self._reset()
        if self.is_running or self._is_over or sys.is_finalizing():
            return
        try:
            start_thread(self._run)
        except RuntimeError:  # no thread can start any more
            return
        self.is_running = True

    def ask(self) -> None:
        """Have the config reloaded now; waits for nothing, so signal handlers may call it."""
        if self._pid != os.getpid():
            self._reset()
        self._is_asked = True
        self.start()
        self._bell.ring()

    def stop(self, *, waits: bool = True) -> None:
        """End the thread, and wait a moment for that."""
        runtime = self._runtime()
        if runtime is not None:
            runtime.off_start(self.start)
        self._end()
        owner = self._owners.get(0)
        if waits and self.is_running and self._pid == os.getpid() and owner != get_ident():
            self._ended.wait(1.0)

    def _end(self, _: object = None) -> None:
        self._is_over = True
        self._bell.ring()

    # -- the thread

    def _run(self) -> None:
        bell = self._bell
        if self._owners.setdefault(0, get_ident()) != get_ident():
            return  # two started it at once
        try:
            wait_s = self._wait_s()
            while not self._is_over:
                bell.doze()
                if self._is_over or self._is_asked:
                    bell.rouse()
                else:
                    bell.sleep(wait_s)
                self._work()
                wait_s = self._wait_s()
        finally:
            self.is_running = False
            self._ended.open()

    def _wait_s(self) -> float | None:
        if self._pending is None:
            return self.every_s or None
        # A file that is not there, or empty, is most likely about to be written.
        blank = (None, _EMPTY)
        is_blank = any(self._pending[path] in blank for path in self._changed(self._pending))
        return self.every_s if is_blank else min(self.every_s, SETTLE_S)

    def _changed(self, state: _State) -> list[str]:
        return [path for path, digest in state.items() if self._seen.get(path) != digest]

    def _work(self) -> None:
        runtime = self._runtime()
        if runtime is None or self._is_over:
            return
        try:
            if self._is_asked:
                self._is_asked = False
                self._pending = None
                self._last = self._look()
                runtime.reload()
            elif self.every_s:
                self._compare(runtime)
        except Exception as fault:
            if not runtime.is_shut_down:
                runtime.notices.say("watch", f"watching the config: {describe(fault)}")

    def _compare(self, runtime: Runtime) -> None:
        """Reload if the files differ from what is known, and do not change just now."""
        self._last = state = self._look()
        if state == self._seen:
            self._pending = None
        elif state != self._pending:
            self._pending = state
        else:
            self._pending = None
            runtime.reload()  # has us `follow` what it read

    def _look(self) -> _State:
        return {path: _digest_of(path) for path in self._seen}


def _digest(data: bytes) -> bytes:
    from hashlib import blake2b

    return blake2b(data, digest_size=16).digest()


_EMPTY = _digest(b"")


def _digest_of(path: str) -> bytes | None:
    """Return the digest of a regular file's content; never blocks, never acts."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return _digest(_read(descriptor))
        finally:
            os.close(descriptor)
    except OSError:
        return None


def _read(descriptor: int) -> bytes:
    """Return the content, as far as a config may be long."""
    chunks = []
    left = MAX_BYTES + 1
    while left > 0 and (chunk := os.read(descriptor, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
