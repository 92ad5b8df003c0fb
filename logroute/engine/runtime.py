"""The runtime: one running config. Starts, flushes, stops; survives fork and exit.

Hooks that must find runtimes (fork, exit) hold them weakly. Threads hold the
dispatcher and the workers, never the runtime, so that a runtime that is dropped
is collected and its threads end.
"""

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from logroute.engine.dispatch import Dispatcher
from logroute.engine.intake import Intake
from logroute.engine.notices import Notices
from logroute.engine.route import RouteTable
from logroute.engine.stats import collect
from logroute.engine.worker import Worker
from logroute.records import message_of
from logroute.sinks import Encoder, Format

__all__ = ["Runtime"]

_alive: "weakref.WeakSet[Runtime]" = weakref.WeakSet()


class Runtime:
    """A running config: its handlers, counters, and how to flush and stop it."""

    def __init__(
        self,
        table: RouteTable,
        workers: Mapping[str, Worker],
        *,
        notices: Notices,
        own_threads: set[int],
        context: Mapping[str, Any] | None = None,
        shutdown_timeout_s: float = 5.0,
        keeps_unmatched_quiet: bool = False,
    ) -> None:
        """Join the parts; threads start at the first record."""
        self.pid = os.getpid()
        self.own_threads = own_threads
        self.notices = notices
        self.shutdown_timeout_s = shutdown_timeout_s
        self.intake = Intake()
        self.workers = dict(workers)
        self.dispatcher = Dispatcher(
            table,
            self.workers,
            self.intake,
            notices,
            own_threads,
            context=context,
            keeps_unmatched_quiet=keeps_unmatched_quiet,
        )
        #: The configured handlers as `logging.Handler` objects, by name.
        self.handlers: dict[str, logging.Handler] = {}
        self.is_exiting = False
        self.is_shut_down = False
        self.internal = 0
        self.faults = 0
        self._encoders: dict[str, Callable[[Format], Encoder]] = {}
        self._exit_deadline = 0.0
        self._listeners: list[Callable[[], object]] = []
        self._undo: list[Callable[[], None]] = []
        _alive.add(self)
        _install_hooks()
        self._finalizer = weakref.finalize(self, _end_threads, self.dispatcher, self.workers)
        self._finalizer.atexit = False

    def add(self, worker: Worker, encoder: Callable[[Format], Encoder] | None = None) -> None:
        """Add a worker; `encoder` makes its encoder anew when its formatter changes."""
        self.workers[worker.name] = worker
        if encoder is not None:
            self._encoders[worker.name] = encoder

    # -- use

    def stats(self) -> dict[str, Any]:
        """Return the counters; per handler they add up at every moment.

        ``stats()["handlers"][name]`` has the integers ``enqueued delivered
        dead_lettered handed_to_fallback queued in_flight`` and the maps
        ``dropped`` and ``filtered`` by reason.
        """
        return collect(self)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every record accepted before the call is settled.

        Settled means delivered or counted as lost. Returns False if `timeout`
        seconds (default: the config's `shutdown_timeout`) were not enough.
        """
        timeout_s = self.shutdown_timeout_s if timeout is None else timeout
        if threading.get_ident() in self.own_threads:
            return False  # a sink that flushes would wait for itself
        if self.pid != os.getpid():
            self.revive()
        if not self.dispatcher.is_running:
            self.wake()
        done = _Countdown(len(self.workers) + 1)
        workers = tuple(self.workers.values())

        def dispatched() -> None:
            for worker in workers:
                worker.queue.when_settled(done.tick)
                worker.hurry()
            done.tick()

        if self.dispatcher.is_running:
            self.intake.put_barrier(dispatched)
        else:
            dispatched()
        return done.wait(timeout_s)

    def shutdown(self, timeout: float | None = None) -> dict[str, int]:
        """Stop taking records, drain for at most `timeout` seconds, end all threads.

        Returns how many records were not delivered, by handler; they are counted
        as dropped for the reason ``shutdown`` and said on stderr. Calling it
        again does nothing.
        """
        if self.is_shut_down:
            return {}
        self.is_shut_down = True
        deadline = time.monotonic() + (self.shutdown_timeout_s if timeout is None else timeout)
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self.drain(deadline)
        undelivered = self._close(deadline)
        for name, count in undelivered.items():
            self.notices.say(
                f"{name}:shutdown", f"handler `{name}` did not deliver {count} records in time"
            )
        return undelivered

    def drain(self, deadline: float) -> bool:
        """Flush until `deadline` (monotonic seconds); return whether all is settled."""
        return self.flush(max(0.0, deadline - time.monotonic()))

    def _close(self, deadline: float) -> dict[str, int]:
        self.dispatcher.stop(max(0.1, deadline - time.monotonic()))
        for worker in self.workers.values():
            worker.stop(deadline)
        undelivered = {}
        for worker in self.workers.values():
            ended = worker.join(deadline + 0.2 - time.monotonic())
            left = worker.queue.close("shutdown")
            if left:
                undelivered[worker.name] = left
            if ended:
                worker.close_if_never_run()
        self._finalizer.detach()
        _alive.discard(self)
        self.handlers.clear()
        return undelivered

    # -- changes while running

    def on_change(self, call: Callable[[], object]) -> None:
        """Call `call` whenever a decision taken before may be wrong now."""
        self._listeners.append(call)

    def on_shutdown(self, call: Callable[[], None]) -> None:
        """Call `call` when the runtime is shut down, last added first."""
        self._undo.append(call)

    def changed(self) -> None:
        """Forget all decisions."""
        for call in self._listeners:
            call()

    def set_level(self, handler: str, levelno: int) -> None:
        """Change a handler's level."""
        self.dispatcher.table.handler_levels[handler] = levelno
        self.changed()

    def set_format(self, handler: str, format: Format) -> None:
        """Change a handler's formatter."""
        if handler in self._encoders:
            self.workers[handler].encode = self._encoders[handler](format)

    # -- what faces need

    def wake(self) -> None:
        """Start the dispatcher, or do its work here where no thread can start."""
        if self.is_exiting:
            left = self._exit_deadline - time.monotonic()
            if self.dispatcher.is_running and left > 0:
                self.flush(left)
            return
        if self.is_shut_down:
            self._work_here()
            return
        try:
            self.dispatcher.start()
        except RuntimeError:  # the interpreter is shutting down
            self._work_here()

    def _work_here(self) -> None:
        self.dispatcher.drain()
        for worker in self.workers.values():
            if not worker.is_running:
                worker.drain()

    def take_internal(self, record: logging.LogRecord) -> None:
        """Take a record that one of our own threads produced: stderr, never a route."""
        self.internal += 1
        if record.levelno >= logging.WARNING:
            self.notices.say(f"internal:{record.name}", f"{record.name}: {message_of(record)}")

    def count_fault(self, fault: BaseException) -> None:
        """Count an exception of ours that must not reach the application."""
        self.faults += 1
        self.notices.say("fault", f"{type(fault).__name__}: {fault}")

    # -- process life

    def revive(self) -> None:
        """Start anew in a forked child: fresh threads, queues and connections."""
        if self.pid == os.getpid():
            return
        self.pid = os.getpid()
        self.own_threads.clear()
        self.intake.reset()
        self.dispatcher.reset()
        for worker in self.workers.values():
            worker.reset_after_fork()
        self.internal = self.faults = self.dispatcher.unmatched = 0
        self.is_exiting = False
        _drain_at_multiprocessing_exit(self)

    def drain_at_exit(self) -> None:
        """Drain as the process ends; records that come still later are synchronous."""
        if self.is_shut_down or self.pid != os.getpid():
            return
        self._exit_deadline = time.monotonic() + self.shutdown_timeout_s
        settled = self.drain(self._exit_deadline)
        self.is_exiting = True
        if not settled:
            for name, worker in self.workers.items():
                if left := worker.queue.unsettled:
                    self.notices.say(
                        f"{name}:exit", f"handler `{name}` did not deliver {left} records in time"
                    )


class _Countdown:
    """Releases one waiter when it has ticked often enough."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._done = threading.Event()

    def tick(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self._done.set()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(timeout_s)


def _end_threads(dispatcher: Dispatcher, workers: dict[str, Worker]) -> None:
    """End the threads of a runtime that nobody holds any more."""
    dispatcher.stop(0)
    for worker in workers.values():
        worker.stop(time.monotonic() + 1.0)


_hooks_installed = False


def _install_hooks() -> None:
    global _hooks_installed
    if not _hooks_installed:
        _hooks_installed = True
        os.register_at_fork(after_in_child=_revive_all)
        atexit.register(_drain_all)


def _revive_all() -> None:
    for runtime in list(_alive):
        runtime.revive()


def _drain_all() -> None:
    for runtime in list(_alive):
        runtime.drain_at_exit()


def _drain_at_multiprocessing_exit(runtime: Runtime) -> None:
    """Drain in a forked multiprocessing child, where Python 3.11 runs no atexit hooks.

    The child clears its finalizers right after the fork, so this one is entered
    by the child's own start-up.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(runtime, _enter_finalizer)


def _enter_finalizer(runtime: Runtime) -> None:
    util = sys.modules["multiprocessing.util"]
    util.Finalize(None, runtime.drain_at_exit, exitpriority=10)
