"""The runtime: one running config. Starts, flushes, stops; survives fork and exit.

Threads hold the dispatcher and the workers, never the runtime, and the hooks of
the process hold it weakly (`hooks.py`), so that a runtime that is dropped is
collected and its threads end.
"""

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping

from logroute import native
from logroute.bell import Latch
from logroute.engine import hooks
from logroute.engine.dispatch import Dispatcher
from logroute.engine.ending import close, drain
from logroute.engine.exits import Exit
from logroute.engine.express import Lanes
from logroute.engine.intake import Intake
from logroute.engine.notices import Notices, describe
from logroute.engine.parts import Parts
from logroute.engine.reloaded import Reloaded
from logroute.engine.retired import Retired
from logroute.engine.routing import Routing
from logroute.engine.settling import pass_on, settle, settle_all
from logroute.engine.stats import collect
from logroute.engine.worker import Worker
from logroute.light import Any
from logroute.records import message_of
from logroute.routing import RouteTable
from logroute.sinks import Encoder, Format

__all__ = ["Runtime"]


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
        #: Its first item is true in this process, and no more in one that it forks.
        self.mark = native.fork_mark()
        self.own_threads = own_threads
        self.notices = notices
        self.shutdown_timeout_s = shutdown_timeout_s
        self.intake = Intake()
        self.workers = dict(workers)
        routing = Routing(table, self.workers, context, is_quiet=keeps_unmatched_quiet)
        self.dispatcher = Dispatcher(routing, self.intake, notices, own_threads)
        #: Workers that reloads have replaced.
        self.retired = Retired(notices, lambda former: pass_on(self, former))
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
        #: Threads in which a handler writes at this moment, by their idents.
        self.writing: set[int] = set()
        self.internal = 0
        self.faults = 0
        self._encoders: dict[str, Callable[[Format], Encoder]] = {}
        #: The short way from plain loggers to the intake.
        self.lanes = Lanes(self)
        #: How this ends with its process.
        self.exit = Exit(self)
        #: Threads that begin this anew in a forked child, by its pid.
        self.revivals: dict[int, tuple[int, object]] = {}
        self._listeners: list[Callable[[], object]] = []
        self._undo: list[Callable[[], None]] = []
        self._starters: list[Callable[[], object]] = []
        self._reloader: Callable[[], Reloaded] | None = None
        hooks.watch(self)
        self._finalizer = weakref.finalize(self, _end_threads, self.dispatcher)
        self._finalizer.atexit = False

    def add(self, worker: Worker, encoder: Callable[[Format], Encoder] | None = None) -> None:
        """Add a worker; `encoder` makes its encoder anew when its formatter changes."""
        self.workers[worker.name] = worker
        self.dispatcher.handover.adopt(worker)
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
        seconds (default: the config's `shutdown_timeout`) were not enough, or if a
        handler that a reload has replaced left some in a spool for the next start.
        """
        return settle_all(self, self._deadline(timeout))

    def _deadline(self, timeout: float | None) -> float:
        timeout_s = self.shutdown_timeout_s if timeout is None else timeout
        return time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX / 2)

    def settle(self, workers: tuple[Worker, ...], timeout_s: float) -> bool:
        """Wait until what these workers have or will get of the intake is settled."""
        return settle(self, workers, timeout_s)

    def shutdown(self, timeout: float | None = None) -> dict[str, int]:
        """Stop taking records, drain for at most `timeout` seconds, end all threads.

        Returns how many records were not delivered, by handler; they are counted
        as dropped for the reason ``shutdown`` and said on stderr. Calling it
        again does nothing.
        """
        if self.is_shut_down:
            return {}
        self.is_shut_down = True
        self.lanes.end()
        deadline = self._deadline(timeout)
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
        undelivered = close(self, deadline)
        self._finalizer.detach()
        hooks.forget(self)
        self.handlers.clear()
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

    def await_intake(self, deadline: float) -> None:
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
            self.dispatcher.handover.adopt(worker)
        self.dispatcher.routing = parts.routing
        self.workers = parts.routing.workers
        self.handlers = handlers
        self._encoders = parts.encoders
        self.shutdown_timeout_s = parts.shutdown_timeout_s
        self.changed()
        if self.dispatcher.is_running:
            self._begin()

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
        self.lanes.pause()  # they keep only what the old parts read

        def exchange() -> None:
            try:
                if claims:
                    self.install(claims.pop())
            finally:
                done.open()

        try:
            self.after_intake(exchange)
            if not done.wait(timeout_s):
                try:
                    claims.pop()  # from now on the barrier does nothing
                except IndexError:
                    done.wait(timeout_s)  # it is being done at this moment
        finally:
            self.lanes.resume()
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
        self.lanes.close()  # last, for who opens one asks for a decision first

    def set_level(self, handler: str, levelno: int) -> None:
        """Change a handler's level."""
        self.dispatcher.routing.table.handler_levels[handler] = levelno
        self.changed()

    def set_format(self, handler: str, format: Format) -> None:
        """Change a handler's formatter."""
        if handler in self._encoders:
            worker, encoder = self.workers[handler], self._encoders[handler](format)
            worker.reads = None
            self.changed()
            # What comes before has kept only what the former one reads.
            self.after_intake(lambda: worker.reformat(encoder))

    # -- what faces need

    def attend(self, levelno: int) -> None:
        """See to it that what the express lane has just put is worked on."""
        intake = self.intake
        if not self.mark[0]:  # forked without Python's hooks: what came since is ours
            came = intake.came_since_lease()
            self.revive()
            intake.entries.extend(came)
        intake.ring(levelno)
        if not self.dispatcher.is_running or self.is_exiting:
            self.wake()

    def wake(self) -> None:
        """See to it that a record just put is worked on, at exit before this returns."""
        if self.is_exiting and sys.is_finalizing():
            self._take_over()
        elif self.is_exiting and self.dispatcher.is_running:
            self.exit.settle()
        else:
            self.start()

    def start(self) -> None:
        """Start the dispatcher, or do its work here where no thread can start."""
        if self.is_shut_down:
            self._work_here()
            return
        try:
            self.dispatcher.start()
        except RuntimeError:  # the interpreter is shutting down
            self._work_here()
            return
        self._begin()
        for call in self._starters:
            call()

    def _begin(self) -> None:
        """Let handlers look for work that was there before the first record."""
        for worker in self.workers.values():
            worker.begin()

    def _take_over(self) -> None:
        """Work here: the interpreter has frozen our threads, with what locks they held."""
        self.dispatcher.take_over()
        for worker in self.workers.values():
            worker.take_over()
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
        self.notices.say("fault", describe(fault))

    # -- process life

    def revive(self) -> None:
        """Start anew in a forked child: fresh threads, queues and connections.

        Of several threads that come at once, one does it and the others wait for it.
        """
        pid, ident, claim = os.getpid(), native.get_ident(), object()
        if self.pid == pid:
            return
        owner = self.revivals.setdefault(pid, (ident, claim))  # one of them wins
        if owner[1] is not claim:
            give_up_at = time.monotonic() + 5.0
            while self.pid != pid and owner[0] != ident and time.monotonic() < give_up_at:
                time.sleep(0.001)
            return
        if self.pid != pid:
            self._begin_anew()
        self.pid = pid
        self.mark[0] = 1
        self.revivals = {}

    def _begin_anew(self) -> None:
        self.token = (os.getpid(), id(self))
        self.began = (time.time(), time.monotonic())
        self.lanes.reset()
        self.own_threads.clear()
        self.running_filters.clear()
        self.writing.clear()
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
        self.exit.reset()
        hooks.drain_in_children(self)


def _end_threads(dispatcher: Dispatcher) -> None:
    """End the threads of a runtime that nobody holds any more."""

    def stop() -> None:
        for worker in dispatcher.routing.workers.values():
            worker.stop(time.monotonic() + 1.0)

    dispatcher.end_soon(stop)  # waits for nothing: garbage collection may call us anywhere
