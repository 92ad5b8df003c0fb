"""Signals: reload on one, drain before others act.

Python runs signal handlers in the main thread, between two steps of whatever it
is doing. So a handler here takes no lock and, where the main thread holds one
that our threads may need, lets it go on first and comes back a moment later.
What a signal meant before is what it means after: a handler of the application is
called, a default is carried out, and all is given back at the end.
"""

import os
import signal
import threading
import time
import weakref
from collections.abc import Iterable
from types import FrameType

from logroute.engine.runtime import Runtime
from logroute.light import TYPE_CHECKING, Any
from logroute.native import get_ident, start_thread

if TYPE_CHECKING:
    from logroute.app.watch import Watcher

__all__ = ["Signals"]

#: How soon a handler comes back that could not wait.
AGAIN_S = 0.005
#: How long it takes for certain that the main thread sleeps through a signal.
NUDGE_S = 0.1


class Signals:
    """The signals that one runtime heeds."""

    def __init__(self, runtime: Runtime) -> None:
        """Heed none yet."""
        self._runtime = weakref.ref(runtime)
        self._notices = runtime.notices
        self._handlers: dict[int, _Handler] = {}
        self._told: set[str] = set()

    def heed(
        self, flush_on: Iterable[str], reload_on: str | None, watcher: "Watcher | None"
    ) -> None:
        """Drain on some signals and reload on another, and on no others from now on.

        Only the main thread can install handlers; in another one the change is said
        not to be possible, once for each signal.
        """
        flushing = {int(getattr(signal, name)) for name in flush_on}
        reloading = set() if reload_on is None else {int(getattr(signal, reload_on))}
        for number, handler in list(self._handlers.items()):
            if number not in flushing | reloading:
                handler.drains, handler.watcher = False, None
                if handler.uninstall():
                    del self._handlers[number]
        for number in sorted(flushing | reloading):
            handler = self._handlers.get(number) or _Handler(number, self._runtime)
            handler.drains = number in flushing
            handler.watcher = watcher if number in reloading else None
            if number not in self._handlers:
                fault = handler.install()
                if fault is None:
                    self._handlers[number] = handler
                else:
                    self._warn(signal.Signals(number).name, fault)

    def give_back(self) -> None:
        """Heed none any more; each signal means again what it meant before us."""
        for handler in self._handlers.values():
            handler.drains, handler.watcher = False, None
            handler.uninstall()
        self._handlers = {}

    def _warn(self, name: str, fault: str) -> None:
        if name not in self._told:
            self._told.add(name)
            import logging

            logging.getLogger("logroute").warning("%s is not heeded: %s", name, fault)


class _Handler:
    """What Python calls when one signal arrives."""

    def __init__(self, number: int, runtime: "weakref.ref[Runtime]") -> None:
        """Do nothing yet but what the signal meant before."""
        self.drains = False
        self.watcher: Watcher | None = None
        self._number = number
        self._runtime = runtime
        self._former: Any = signal.SIG_DFL
        self._is_draining = False
        self._calls = 0
        self._put_off_until: float | None = None

    def install(self) -> str | None:
        """Take the signal over; return why that cannot be, if so."""
        if not _is_main():
            return "handlers of signals can only be installed from the main thread"
        former = signal.getsignal(self._number)
        if former is None:
            return "it has a handler that was not installed from Python"
        self._former = former
        try:
            signal.signal(self._number, self)
        except (OSError, ValueError) as fault:  # a subinterpreter, or the like
            return str(fault)
        return None

    def uninstall(self) -> bool:
        """Give the signal back; return whether that could be done.

        Somebody else's handler stays, and may go on calling this one.
        """
        current: Any = signal.getsignal(self._number)
        if current is not self:
            return True
        if not _is_main():
            return False
        signal.signal(self._number, self._former)
        return True

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Drain, reload, then do what the signal meant before."""
        self._calls += 1
        watcher, runtime = self.watcher, self._runtime()
        if self._is_draining:
            if number == signal.SIGINT:  # who asks twice does not want to wait
                raise KeyboardInterrupt
            return  # sent to a whole group, or by an impatient supervisor
        if self.drains and runtime is not None and not runtime.is_shut_down:
            if self._puts_off(runtime):
                return
            self._drain(runtime)
        if watcher is not None:
            watcher.ask()
        self._pass_on(number, frame, is_taken=watcher is not None)

    def _puts_off(self, runtime: Runtime) -> bool:
        """Let the main thread go on with what our threads would wait for, for a while."""
        now = time.monotonic()
        if self._put_off_until is None:
            self._put_off_until = now + runtime.shutdown_timeout_s
        if now < self._put_off_until and runtime.exit.is_entangled():
            try:
                start_thread(self._again)
            except RuntimeError:  # no thread can start any more
                pass
            else:
                return True
        self._put_off_until = None
        return False

    def _again(self) -> None:
        """Call the handler again, by the same signal.

        To the main thread itself: one sent to the process may end in any thread. It may
        come as the main thread goes to sleep, too late to keep it from that; then it takes
        another one, which counts as the same as long as the handler has not run.
        """
        calls, main, wait_s = self._calls, threading.main_thread().ident, AGAIN_S
        while main is not None and self._calls == calls:
            time.sleep(wait_s)
            if self._calls == calls:
                signal.pthread_kill(main, self._number)
            wait_s = NUDGE_S

    def _drain(self, runtime: Runtime) -> None:
        """Drain within the time of a shutdown; Ctrl-C ends it, at a second try."""
        patience = 0 if self._number == signal.SIGINT else 1
        deadline = time.monotonic() + min(runtime.shutdown_timeout_s, threading.TIMEOUT_MAX / 2)
        self._is_draining = True
        try:
            while True:
                try:
                    runtime.exit.drain_for_signal(deadline, is_last=self._former == signal.SIG_DFL)
                except KeyboardInterrupt:
                    patience -= 1
                    if patience < 0:
                        return
                else:
                    return
        finally:
            self._is_draining = False

    def _pass_on(self, number: int, frame: FrameType | None, *, is_taken: bool) -> None:
        former = self._former
        if callable(former):
            former(number, frame)
        elif former == signal.SIG_DFL and not is_taken:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.signal(number, self)  # still here: process 1 of a container, or the like


def _is_main() -> bool:
    return threading.main_thread().ident == get_ident()
