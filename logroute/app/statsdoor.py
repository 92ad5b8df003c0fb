"""The door through which a running process shows its counters: `stats:` of a config.

One thread per runtime serves the unix socket and sends the periodic records. It owns
the socket and all connections; it holds the runtime weakly and ends with it. Nothing
that a client does reaches the application: there is a fixed number of clients, each
has five seconds, and to answer takes no more than `stats()` does.
"""

import atexit
import contextlib
import json
import logging
import os
import select
import sys
import time
import weakref
from _socket import socket
from collections.abc import Iterator, Mapping

from logroute.app.bulletin import Reporter, send
from logroute.app.callers import Caller, is_allowed
from logroute.app.metrics import families, render
from logroute.app.sockets import Place, claim
from logroute.bell import Latch
from logroute.config.model import StatsSpec
from logroute.config.nodes import SECRET_NAME, Node
from logroute.engine.notices import describe
from logroute.engine.runtime import Runtime
from logroute.light import Any
from logroute.native import RLock, can_start_thread, get_ident, poll, sleep, start_thread
from logroute.options import VEIL

__all__ = ["StatsDoor", "secrets_of"]

#: Clients that are served at a time; others wait for their turn.
_MOST_CALLERS = 8
#: How often to see whether the socket is there yet, and to try again where it cannot be.
_LOOK_S = 30.0
#: Shorter words are no secrets, and all too common.
_SHORTEST_SECRET = 4

_doors: "weakref.WeakSet[StatsDoor]" = weakref.WeakSet()


def secrets_of(node: Node) -> tuple[str, ...]:
    """Return the texts of a document that nobody must see, longest first."""
    found = set(_secrets(node, is_secret=False))
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=_by_length))


def _by_length(text: str) -> tuple[int, str]:
    return -len(text), text


def _secrets(node: Node, *, is_secret: bool) -> Iterator[str]:
    is_secret = is_secret or node.secret
    value = node.value
    if isinstance(value, dict):
        for key, item in value.items():
            is_named = SECRET_NAME.search(str(key)) is not None
            yield from _secrets(item, is_secret=is_secret or is_named)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, is_secret=is_secret)
    elif is_secret and value is not None and not isinstance(value, bool):
        yield str(value)


class StatsDoor:
    """Shows one runtime's counters, as its config says."""

    def __init__(self, runtime: Runtime) -> None:
        """Show nothing yet."""
        self._options: StatsSpec | None = None
        self._secrets: tuple[str, ...] = ()
        self._is_over = False
        self._pid = os.getpid()
        self._runtime = weakref.ref(runtime, self._end)
        self._begin()
        runtime.on_start(self.start)
        runtime.on_shutdown(self.stop)
        _doors.add(self)
        _install_hooks()

    def _begin(self) -> None:
        self._place: Place | None = None
        self._callers: dict[int, Caller] = {}
        self._wakers: tuple[int, int] | None = None
        #: Held while the wakers are used or closed; a garbage collection may come between.
        self._lock = RLock()
        self._owners: dict[int, int] = {}
        self._ended = Latch()
        self._told: str | None = None
        self._next_look = 0.0
        self._every: float | None = None
        self._next_report = 0.0
        self.is_running = False

    def disinherit(self) -> None:
        """Give up, in a forked child, what is the parent's; the thread starts by need."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        if self._place is not None:
            self._place.listener.close()  # the path is the parent's
        for caller in list(self._callers.values()):
            caller.peer.close()
        for descriptor in self._wakers or ():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._begin()

    @property
    def path(self) -> str | None:
        """Where the socket is; None: there is none at the moment."""
        return None if self._place is None else self._place.path

    def obey(self, options: StatsSpec | None, secrets: tuple[str, ...] = ()) -> None:
        """Show what `options` say from now on, and never one of `secrets`."""
        self._options, self._secrets = options, secrets
        self._next_look = 0.0
        self.start()
        self._wake()

    def start(self) -> None:
        """Start the thread unless it runs; a forked child does so at its first record."""
        self.disinherit()
        options = self._options
        if self.is_running or self._is_over or not can_start_thread():
            return
        if options is None or (options.socket is None and options.every is None):
            return
        try:
            self._wakers = self._wakers or os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            start_thread(self._run)
        except (RuntimeError, OSError):  # no thread can start any more
            return
        self.is_running = True

    def stop(self) -> None:
        """End the thread, and wait a moment for that; the socket is gone then."""
        runtime = self._runtime()
        if runtime is not None:
            runtime.off_start(self.start)
        self._end()
        if self.is_running and self._pid == os.getpid() and self._owners.get(0) != get_ident():
            self._ended.wait(1.0)

    def _end(self, _: object = None) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._pid != os.getpid():
            return
        with self._lock, contextlib.suppress(OSError):  # full: it is awake
            if self._wakers is not None:
                os.write(self._wakers[1], b"\0")

    # -- the thread

    def _run(self) -> None:
        if self._owners.setdefault(0, get_ident()) != get_ident():
            return  # two started it at once
        wakers = self._wakers
        assert wakers is not None
        if "multiprocessing.util" in sys.modules:  # Python 3.11 runs no atexit hooks there
            util = sys.modules["multiprocessing.util"]
            util.Finalize(None, _stop_all, exitpriority=20)
        try:
            while not self._is_over:
                try:
                    self._turn(wakers[0])
                except Exception as fault:
                    self._complain(f"the stats cannot be shown: {describe(fault)}")
                    sleep(0.2)
        finally:
            self._close()

    def _close(self) -> None:
        self._leave()
        with self._lock:
            wakers, self._wakers = self._wakers, None
            for descriptor in wakers or ():
                os.close(descriptor)
        self.is_running = False
        self._ended.open()

    def _turn(self, waker: int) -> None:
        """Do what is due, then wait for what comes next, and do that."""
        self._take_place()
        self._report()
        polling = poll()
        polling.register(waker, select.POLLIN)
        listener = None if self._place is None else self._place.listener
        if listener is not None and len(self._callers) < _MOST_CALLERS:
            polling.register(listener, select.POLLIN)
        for descriptor, caller in self._callers.items():
            polling.register(descriptor, select.POLLOUT if caller.is_writing else select.POLLIN)
        for descriptor, _ in polling.poll(self._wait_ms()):
            if descriptor == waker:
                with contextlib.suppress(BlockingIOError):
                    os.read(waker, 1000)
            elif descriptor in self._callers:
                self._serve(descriptor, self._callers[descriptor])
            else:
                self._let_in()
        for descriptor, caller in list(self._callers.items()):
            if time.monotonic() >= caller.deadline:
                self._dismiss(descriptor)

    def _wait_ms(self) -> int | None:
        times = [caller.deadline for caller in self._callers.values()]
        if self._options is not None and self._options.socket is not None:
            times.append(self._next_look)
        if self._every is not None:
            times.append(self._next_report)
        if not times:
            return None
        wait_s = min(times) - time.monotonic()
        return int(min(max(0.0, wait_s), 3600.0) * 1000) + 1

    # -- the socket

    def _take_place(self) -> None:
        """See to it that the socket is where it is wanted."""
        pattern = None if self._options is None else self._options.socket
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        if self._place is not None and (pattern != self._pattern or not self._place.is_there()):
            self._leave()
        if pattern is None or self._place is not None:
            return
        self._pattern = pattern
        try:
            self._place = claim(pattern, os.getpid())
        except OSError as fault:
            reason = (fault.strerror or str(fault)).lower() if fault.errno else str(fault)
            self._complain(f"the stats socket {fault.filename or pattern} cannot be had: {reason}")
            return
        if self._place.remark is not None:
            self._complain(f"the stats socket {self._place.remark}")
        else:
            self._told = None

    _pattern: str | None = None

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.give_up()
        for descriptor in list(self._callers):
            self._dismiss(descriptor)

    def _complain(self, text: str) -> None:
        """Say once what is amiss, in a record, or on stderr where nobody takes that."""
        if text == self._told:
            return
        self._told = text
        runtime = self._runtime()
        if runtime is not None and not send(runtime, "logroute", logging.WARNING, text):
            runtime.notices.say("stats", text)

    # -- clients

    def _let_in(self) -> None:
        assert self._place is not None
        with contextlib.suppress(OSError):  # it has hung up again; or there are no descriptors
            listener: Any = self._place.listener
            peer = socket(fileno=listener._accept()[0])
            if not is_allowed(peer):
                peer.close()
                return
            peer.setblocking(False)
            self._callers[peer.fileno()] = Caller(peer, self._answer)

    def _serve(self, descriptor: int, caller: Caller) -> None:
        try:
            goes_on = caller.go_on()
        except Exception:
            self._dismiss(descriptor)
            raise
        if not goes_on:
            self._dismiss(descriptor)

    def _dismiss(self, descriptor: int) -> None:
        self._callers.pop(descriptor).end()

    def _answer(self, request: str) -> bytes:
        runtime = self._runtime()
        if runtime is None or self._is_over:
            return b"error: it is shutting down\n"
        if request not in ("stats", "metrics"):
            return b"error: unknown request; `stats` and `metrics` are known\n"
        stats = _veiled(runtime.stats(), self._secrets)
        text = json.dumps(stats) + "\n" if request == "stats" else render(families([stats]))
        return text.encode("utf-8", "backslashreplace")

    # -- the records

    def _report(self) -> None:
        """Send the record with the counters where it is time."""
        every, now = None if self._options is None else self._options.every, time.monotonic()
        runtime = self._runtime()
        if runtime is None:
            return
        if every != self._every:
            self._every = every
            self._reporter = Reporter(runtime.stats())
            self._next_report = now + (every or 0.0)
        elif every is not None and now >= self._next_report:
            self._next_report = max(self._next_report + every, now + every / 2)
            self._reporter.report(runtime)


#: What others have said; all else in the stats are our own words, and the config's names.
_QUOTES = frozenset({"last_error", "last", "error"})


def _veiled(stats: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return counters without any of `secrets`: what a server says may repeat them."""
    found = dict(stats)
    for key, value in stats.items():
        if isinstance(value, Mapping):
            found[key] = _veiled(value, secrets)
        elif key in _QUOTES and isinstance(value, str):
            for secret in secrets:
                found[key] = found[key].replace(secret, VEIL)
    return found


_hooks_installed = False


def _install_hooks() -> None:
    global _hooks_installed
    if not _hooks_installed:
        _hooks_installed = True
        os.register_at_fork(after_in_child=_disinherit_all)
        atexit.register(_stop_all)


def _disinherit_all() -> None:
    for door in list(_doors):
        door.disinherit()


def _stop_all() -> None:
    """Remove the sockets as the process ends."""
    for door in list(_doors):
        door.stop()
