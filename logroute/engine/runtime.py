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
from logroute.engine.notices import Notices, describe
from logroute.engine.stats import collect
from logroute.engine.worker import Worker
from logroute.records import message_of
from logroute.routing import RouteTable
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
        #: Tells records that a face of this runtime has met from those of another one.
        self.token = (self.pid, id(self))
        #: Filters that run at this moment: thread and filter, by their idents.
        self.running_filters: set[tuple[int, int]] = set()
        self.internal = 0
        self.faults = 0
        self._encoders: dict[str, Callable[[Format], Encoder]] = {}
        self._exit_deadline = 0.0
        self._revivals: dict[int, tuple[int, object]] = {}
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

    def publish(self) -> None:
        """Let `logging.getHandlerByName` and incremental configs find the handlers."""
        for name, face in self.handlers.items():
            face.name = name

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
        return self._settle(tuple(self.workers.values()), timeout_s)

    def _settle(self, workers: tuple[Worker, ...], timeout_s: float) -> bool:
        if threading.get_ident() in self.own_threads:
            return False  # a sink that flushes would wait for itself
        if self.pid != os.getpid():
            self.revive()
        done = _Countdown(len(workers) + 1)

        def dispatched() -> None:
            for worker in workers:
                worker.queue.when_settled(done.tick)
                worker.hurry()
            done.tick()

        self.intake.put_barrier(dispatched)
        if not self.dispatcher.is_running:
            self._start()
        try:
            is_settled = done.wait(timeout_s)
        finally:
            for worker in workers:
                worker.queue.forget(done.tick)
        return is_settled

    def shutdown(self, timeout: float | None = None) -> dict[str, int]:
        """Stop taking records, drain for at most `timeout` seconds, end all threads.

        Returns how many records were not delivered, by handler; they are counted
        as dropped for the reason ``shutdown`` and said on stderr. Calling it
        again does nothing.
        """
        if self.is_shut_down:
            return {}
        self.is_shut_down = True
        timeout_s = self.shutdown_timeout_s if timeout is None else timeout
        deadline = time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX / 2)
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        try:
            self.drain(deadline)
        except BaseException:  # a Ctrl-C ends the wait, not the cleaning up
            self._end(time.monotonic())
            raise
        return self._end(deadline)

    def _end(self, deadline: float) -> dict[str, int]:
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
        feeders = [worker for worker in self.workers.values() if worker.feeds_others]
        for worker in reversed(feeders):  # what they hold back goes to handlers that stand yet
            worker.stop(deadline)
            if worker.join(deadline - time.monotonic()):
                worker.close_sink(max(0.2, deadline - time.monotonic()))
        if feeders:
            self.drain(deadline)
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
                worker.close_sink(max(0.2, deadline - time.monotonic()))
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
        """See to it that a record just put is worked on, at exit before this returns."""
        if self.is_exiting and sys.is_finalizing():
            self._take_over()
        elif self.is_exiting and self.dispatcher.is_running:
            self.flush(self._time_left())
        else:
            self._start()

    def _start(self) -> None:
        """Start the dispatcher, or do its work here where no thread can start."""
        if self.is_shut_down:
            self._work_here()
            return
        try:
            self.dispatcher.start()
        except RuntimeError:  # the interpreter is shutting down
            self._work_here()

    def _take_over(self) -> None:
        """Work here: the interpreter has frozen our threads, with what locks they held."""
        self.dispatcher.take_over()
        for worker in self.workers.values():
            worker.take_over()
        self._work_here()

    def _time_left(self) -> float:
        """Return the seconds until the end of the drain at exit, never quite none."""
        return max(0.1, self._exit_deadline - time.monotonic())

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
        self.notices.say("fault", describe(fault))

    # -- process life

    def revive(self) -> None:
        """Start anew in a forked child: fresh threads, queues and connections.

        Of several threads that come at once, one does it and the others wait for it.
        """
        pid, ident, claim = os.getpid(), threading.get_ident(), object()
        if self.pid == pid:
            return
        owner = self._revivals.setdefault(pid, (ident, claim))  # one of them wins
        if owner[1] is not claim:
            give_up_at = time.monotonic() + 5.0
            while self.pid != pid and owner[0] != ident and time.monotonic() < give_up_at:
                time.sleep(0.001)
            return
        if self.pid != pid:
            self._begin_anew()
        self.pid = pid
        self._revivals = {}

    def _begin_anew(self) -> None:
        self.token = (os.getpid(), id(self))
        self.own_threads.clear()
        self.running_filters.clear()
        self.notices.reset()
        self.intake.reset()
        self.dispatcher.reset()
        for worker in self.workers.values():
            worker.reset_after_fork()
        self.internal = self.faults = self.dispatcher.unmatched = self.dispatcher.faults = 0
        self.is_exiting = False
        _drain_at_multiprocessing_exit(self)

    def drain_at_exit(self, begun: float | None = None) -> None:
        """Drain as the process ends; records that come still later are synchronous.

        `begun` is when the end began (monotonic seconds), where that is not now.
        """
        if self.is_shut_down or self.is_exiting or self.pid != os.getpid():
            return
        begun = time.monotonic() if begun is None else begun
        self._exit_deadline = begun + min(self.shutdown_timeout_s, threading.TIMEOUT_MAX / 2)
        settled = self._is_unused() or self._drain_patiently()
        self.is_exiting = True
        for face in self.handlers.values():  # a later dictConfig has struck them off
            if all(reference() is not face for reference in logging._handlerList):  # type: ignore[attr-defined]
                logging._addHandlerRef(face)  # type: ignore[attr-defined]
        if not settled:
            if waiting := len(self.intake.entries):
                self.notices.say("intake:exit", f"{waiting} records were not routed in time")
            for name, worker in self.workers.items():
                if left := worker.queue.unsettled:
                    self.notices.say(
                        f"{name}:exit", f"handler `{name}` did not deliver {left} records in time"
                    )

    def _is_unused(self) -> bool:
        """Return whether no record ever came, so that no thread need start to drain."""
        intake = self.intake
        return not (intake.taken or intake.entries or self.dispatcher.is_running)

    def _drain_patiently(self) -> bool:
        """Drain; the first Ctrl-C lets that go on, the second ends it."""
        for _ in range(2):
            try:
                return self.drain(self._exit_deadline)
            except KeyboardInterrupt:
                continue
        self._exit_deadline = time.monotonic()
        return False

    def close_at_exit(self, worker: Worker) -> None:
        """Have a sink closed, as `logging.shutdown` closes the handlers one by one."""
        if self.is_exiting and not self.is_shut_down:
            try:
                if not self._is_unused():
                    self._settle((worker,), self._time_left())
                worker.release(self._time_left())
            except KeyboardInterrupt:  # nothing but the end of the process is left to do
                return


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
        return self._done.wait(min(timeout_s, threading.TIMEOUT_MAX))


def _end_threads(dispatcher: Dispatcher, workers: dict[str, Worker]) -> None:
    """End the threads of a runtime that nobody holds any more."""

    def stop() -> None:
        for worker in workers.values():
            worker.stop(time.monotonic() + 1.0)

    dispatcher.end_soon(stop)  # waits for nothing: garbage collection may call us anywhere


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
    begun = time.monotonic()
    for runtime in list(_alive):
        runtime.drain_at_exit(begun)


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
