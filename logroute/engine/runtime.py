"""The runtime: one running config. Starts, flushes, stops; survives fork and exit.

Hooks that must find runtimes (fork, exit) hold them weakly. Threads hold the
dispatcher and the workers, never the runtime, so that a runtime that is dropped
is collected and its threads end.
"""

import atexit
import itertools
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from logroute import native
from logroute.bell import Latch
from logroute.engine import forks
from logroute.engine.dispatch import Dispatcher, Routing
from logroute.engine.ending import drain, hasten, longest_chain, stages
from logroute.engine.intake import Intake
from logroute.engine.notices import Notices, describe
from logroute.engine.parts import Parts
from logroute.engine.reloaded import Reloaded
from logroute.engine.retired import Retired
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
        routing = Routing(table, self.workers, context, is_quiet=keeps_unmatched_quiet)
        self.dispatcher = Dispatcher(routing, self.intake, notices, own_threads)
        #: Workers that reloads have replaced.
        self.retired = Retired(notices)
        #: While a reload changes over: all that it takes away and brings.
        self.changing: tuple[Worker, ...] = ()
        #: When this began in this process: seconds since the epoch, and monotonic ones.
        self.began = (time.time(), time.monotonic())
        #: What reloads have come to, for the stats.
        self.reloads: dict[str, Any] = {"count": 0, "last": None, "when": None, "error": None}
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
        #: Workers that had all the time there was at exit; nobody waits for them again.
        self._given_up: frozenset[Worker] = frozenset()
        self._revivals: dict[int, tuple[int, object]] = {}
        self._listeners: list[Callable[[], object]] = []
        self._undo: list[Callable[[], None]] = []
        self._starters: list[Callable[[], object]] = []
        self._reloader: Callable[[], Reloaded] | None = None
        _alive.add(self)
        _install_hooks()
        if forks.is_multiprocessing_child():
            forks.drain_in_children(self, _drain_all)
        self._finalizer = weakref.finalize(self, _end_threads, self.dispatcher)
        self._finalizer.atexit = False

    def add(self, worker: Worker, encoder: Callable[[Format], Encoder] | None = None) -> None:
        """Add a worker; `encoder` makes its encoder anew when its formatter changes."""
        self.workers[worker.name] = worker
        self.dispatcher.within.adopt(worker)
        if encoder is not None:
            self._encoders[worker.name] = encoder

    def publish(self, gone: Iterable[str] = ()) -> None:
        """Let `logging.getHandlerByName` and incremental configs find the handlers.

        Those called `gone` are not found any more.
        """
        for name in gone:
            logging._handlers.pop(name, None)  # type: ignore[attr-defined]
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
        deadline = time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX / 2)
        workers = (*self.workers.values(), *self.retired.draining)
        for _ in range(1 + longest_chain(workers)):  # what is passed on is settled later
            before = self.dispatcher.within.passed_on
            if not self.settle(workers, max(0.0, deadline - time.monotonic())):
                return False
            if self.dispatcher.within.passed_on == before:
                break
        return True

    def settle(self, workers: tuple[Worker, ...], timeout_s: float) -> bool:
        """Wait until what these workers have or will get of the intake is settled."""
        if native.get_ident() in self.own_threads:
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
        """Flush until `deadline` (monotonic seconds); return whether all is settled.

        What handlers cannot deliver in time reaches their fallbacks.
        """
        return drain(self, deadline)

    def _close(self, deadline: float) -> dict[str, int]:
        self.retired.finish(deadline)
        for worker in self.workers.values():
            worker.let_go()
        feeders = [worker for worker in self.workers.values() if worker.feeds_others]
        for worker in reversed(feeders):  # what they hold back goes to handlers that stand yet
            self._await_intake(deadline)  # perhaps to one of their own
            worker.stop(deadline)
            if worker.join(deadline - time.monotonic()):
                worker.close_sink(max(0.2, deadline - time.monotonic()))
        if feeders:
            self.drain(deadline)
        self.dispatcher.stop(max(0.1, deadline - time.monotonic()))
        hasten(self.workers.values())
        undelivered = {}
        for stage in stages(self.workers.values()):
            for worker in stage:
                worker.stop(deadline)
            for worker in stage:
                ended = worker.join(deadline + 0.2 - time.monotonic())
                left = worker.close_queue("shutdown")
                if left:
                    undelivered[worker.name] = left
                if ended:
                    worker.close_sink(max(0.2, deadline - time.monotonic()))
        self._finalizer.detach()
        _alive.discard(self)
        self.handlers.clear()
        return undelivered

    def _await_intake(self, deadline: float) -> None:
        """Wait until all that is in the intake is handed on."""
        handed_on = Latch()
        self.after_intake(handed_on.open)
        handed_on.wait(deadline - time.monotonic())

    def after_intake(self, call: Callable[[], None]) -> None:
        """Call `call` when all that is in the intake now is handed on."""
        self.intake.put_barrier(call)
        if not self.dispatcher.is_running:
            self.dispatcher.drain()

    # -- changes while running

    def reload(self) -> Reloaded:
        """Read the config again and put it in force if it is good.

        What is described as before goes on with its connections, files and queues;
        what is replaced drains in the background. Never raises for what is wrong
        with the config: the outcome says so, and the old one runs on untouched.

        Raises:
            RuntimeError: the runtime is shut down, or was not made from a config.
        """
        if self._reloader is None or self.is_shut_down:
            raise RuntimeError("there is no config to read again: this runtime is shut down")
        return self._reloader()

    def reload_with(self, reloader: Callable[[], Reloaded]) -> None:
        """Let `reload` call `reloader`."""
        self._reloader = reloader

    def note_reload(self, reloaded: Reloaded) -> None:
        """Keep an outcome for the stats."""
        self.reloads = {
            "count": self.reloads["count"] + 1,
            "last": reloaded.outcome.value,
            "when": time.time(),
            "error": reloaded.text if reloaded.errors else None,
        }

    def install(self, parts: Parts) -> None:
        """Put `parts` in force; while records flow, only the dispatcher may call it."""
        handlers: dict[str, logging.Handler] = {}
        for name, face in parts.faces.items():
            former: Any = self.handlers.get(name)
            if former is not None and former is not face:
                former.become(face)
            handlers[name] = former or face
            handlers[name].level = parts.levels[name]
        for worker in parts.routing.workers.values():
            self.dispatcher.within.adopt(worker)
        self.dispatcher.routing = parts.routing
        self.workers = parts.routing.workers
        self.handlers = handlers
        self._encoders = parts.encoders
        self.shutdown_timeout_s = parts.shutdown_timeout_s
        self.changed()

    def swap(self, parts: Parts, timeout_s: float) -> bool:
        """Put `parts` in force between two records; return False if that took too long.

        Records that are in the intake now go where the old parts say, later ones
        where the new ones say. After False nothing has changed, nor will.

        Raises:
            RuntimeError: a thread of ours calls, which would wait for itself.
        """
        if native.get_ident() in self.own_threads:
            raise RuntimeError("a handler, filter or formatter cannot reload the config it is in")
        if self.pid != os.getpid():
            self.revive()
        claims, done = [parts], Latch()

        def exchange() -> None:
            try:
                if claims:
                    self.install(claims.pop())
            finally:
                done.open()

        self.after_intake(exchange)
        if not done.wait(timeout_s):
            try:
                claims.pop()  # from now on the barrier does nothing
            except IndexError:
                done.wait(timeout_s)  # it is being done at this moment
        return self.workers is parts.routing.workers

    def off_change(self, call: Callable[[], object]) -> None:
        """Call `call` no more."""
        self._listeners = [other for other in self._listeners if other != call]

    def on_start(self, call: Callable[[], object]) -> None:
        """Call `call` when the threads start: at the first record, of a forked child too."""
        self._starters.append(call)

    def off_start(self, call: Callable[[], object]) -> None:
        """Call `call` no more."""
        self._starters = [other for other in self._starters if other != call]

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
        self.dispatcher.routing.table.handler_levels[handler] = levelno
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
            others = tuple(w for w in self.workers.values() if w not in self._given_up)
            self.settle(others, self._time_left())
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
            return
        for call in self._starters:
            call()

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
        pid, ident, claim = os.getpid(), native.get_ident(), object()
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
        self.began = (time.time(), time.monotonic())
        self.own_threads.clear()
        self.running_filters.clear()
        self.notices.reset()
        self.intake.reset()
        self.dispatcher.reset()
        self.retired.forget()
        self.workers = self.dispatcher.routing.workers
        changing, self.changing = self.changing, ()
        for worker in dict.fromkeys((*self.workers.values(), *changing)):
            worker.held = None
            worker.reset_after_fork()
        self.internal = self.faults = self.dispatcher.unmatched = self.dispatcher.faults = 0
        self.is_exiting = False
        self._given_up = frozenset()
        forks.drain_in_children(self, _drain_all)

    def drain_at_exit(self, begun: float | None = None) -> None:
        """Drain as the process ends; records that come still later are synchronous.

        `begun` is when the end began (monotonic seconds), where that is not now.
        """
        if self.is_shut_down or self.is_exiting or self.pid != os.getpid():
            return
        begun = time.monotonic() if begun is None else begun
        self._exit_deadline = begun + min(self.shutdown_timeout_s, threading.TIMEOUT_MAX / 2)
        settled = self._is_unused() or self._drain_patiently()
        self.retired.wait(self._exit_deadline)
        self.is_exiting = True
        for face in self.handlers.values():  # a later dictConfig has struck them off
            if all(reference() is not face for reference in logging._handlerList):  # type: ignore[attr-defined]
                logging._addHandlerRef(face)  # type: ignore[attr-defined]
        if not settled:
            stuck = bool(self.intake.entries)
            self._given_up = frozenset(
                worker for worker in self.workers.values() if stuck or worker.queue.unsettled
            )
            self._tell_undelivered()

    def _tell_undelivered(self) -> None:
        if waiting := len(self.intake.entries):
            self.notices.say("intake:exit", f"{waiting} records were not routed in time")
        for name, worker in self.workers.items():
            if left := worker.save_rest("shutdown"):
                self.notices.say(
                    f"{name}:exit", f"handler `{name}` did not deliver {left} records in time"
                )

    def drain_for_signal(self, deadline: float, *, is_last: bool) -> None:
        """Drain before a signal acts, until `deadline`; it may be what ends the process.

        Runs in a signal's handler, in the midst of anything; see `is_entangled`.
        """
        if self._is_unused():
            return
        settled = self.drain(deadline)
        feeders = [worker for worker in self.workers.values() if worker.feeds_others]
        if is_last and feeders:  # what they hold back
            for worker in feeders:
                worker.release(max(0.1, deadline - time.monotonic()))
            settled = self.drain(deadline) and settled
        if is_last and not settled:
            self._tell_undelivered()

    def is_entangled(self) -> bool:
        """Return whether the calling thread holds what our threads may need to go on.

        A signal's handler asks, for what it interrupted goes on only after it.
        """
        workers = (*self.workers.values(), *self.retired.draining)
        starting = self.dispatcher.is_starting or any(worker.is_starting for worker in workers)
        locks: list[Any] = [logging._lock, self.dispatcher._step_lock]  # type: ignore[attr-defined]
        for worker in workers:
            locks += [worker._step_lock, worker.queue._lock]
        return starting or bool(self._revivals) or any(lock._is_owned() for lock in locks)

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
                if worker in self._given_up:
                    worker.release(0)
                    return
                if not self._is_unused():
                    self.settle((worker,), self._time_left())
                worker.release(self._time_left())
            except KeyboardInterrupt:  # nothing but the end of the process is left to do
                return


class _Countdown:
    """Releases one waiter when it has ticked often enough.

    It holds no lock: the waiter may be a signal's handler, and what it interrupted
    may wait for the same threads.
    """

    def __init__(self, count: int) -> None:
        self._left = itertools.count(count - 1, -1)
        self._done = Latch()

    def tick(self) -> None:
        if next(self._left) == 0:
            self._done.open()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(timeout_s)


def _end_threads(dispatcher: Dispatcher) -> None:
    """End the threads of a runtime that nobody holds any more."""

    def stop() -> None:
        for worker in dispatcher.routing.workers.values():
            worker.stop(time.monotonic() + 1.0)

    dispatcher.end_soon(stop)  # waits for nothing: garbage collection may call us anywhere


_hooks_installed = False


def _install_hooks() -> None:
    global _hooks_installed
    if not _hooks_installed:
        _hooks_installed = True
        os.register_at_fork(
            before=_hold_all, after_in_parent=forks.let_go, after_in_child=_revive_all
        )
        atexit.register(_drain_all)


def _hold_all() -> None:
    forks.hold(
        worker
        for runtime in list(_alive)
        for worker in dict.fromkeys(
            (*runtime.workers.values(), *runtime.changing, *runtime.retired.draining)
        )
    )


def _revive_all() -> None:
    forks.forget_held()
    for runtime in list(_alive):
        runtime.revive()


def _drain_all() -> None:
    begun = time.monotonic()
    for runtime in list(_alive):
        runtime.drain_at_exit(begun)
