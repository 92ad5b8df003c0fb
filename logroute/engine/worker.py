"""The worker: the one thread that owns one sink.

It takes a batch from its queue when one is due and has its courier take it to its
end. Nothing that a sink raises ends it.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from logroute import native
from logroute.bell import Bell, Latch
from logroute.delivery.breaker import Breaker
from logroute.delivery.deadletter import DeadLetters
from logroute.delivery.queue import Item, Kept, Queue
from logroute.delivery.retry import Backoff
from logroute.delivery.specs import BatchSpec, BreakerSpec, DeadLetterSpec, RetrySpec
from logroute.engine.courier import Courier, is_slowness
from logroute.engine.notices import Notices, describe, inside
from logroute.engine.schedule import Schedule
from logroute.filters import Filter
from logroute.records import plain_copy
from logroute.sinks import Encoder, Sink

__all__ = ["Worker"]

#: What a queued record counts for where it cannot be measured.
RECORD_SIZE = 1000


class Worker:
    """Delivers one handler's records.

    The public attributes are settled before the first record; `filters` and
    `encode` are used by the dispatcher, unless `encodes_late`.
    """

    def __init__(
        self,
        name: str,
        queue: Queue,
        make_sink: Callable[[], Sink],
        encode: Encoder,
        *,
        notices: Notices,
        own_threads: set[int],
        batch: BatchSpec | None = None,
        retry: RetrySpec | None = None,
        breaker: BreakerSpec | None = None,
        dead_letter: DeadLetterSpec | None = None,
        filters: tuple[tuple[str, Filter], ...] = (),
        encodes_late: bool = False,
        is_digest: bool = False,
        is_sync: bool = False,
        is_networked: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Own what `make_sink` makes.

        Args:
            name: the handler's name in the file.
            queue: where the dispatcher puts.
            make_sink: makes the sink, and a new one in a forked child.
            encode: record -> payload.
            notices: the internal lane.
            own_threads: the idents of our threads, shared by the runtime.
            batch: when a batch is due; None: whatever waits goes at once.
            retry: when to try again; None: once only.
            breaker: when to stop trying for a while; None: never.
            dead_letter: where refused records go; None: nowhere.
            filters: ours, by name, in order.
            encodes_late: encode in the worker, where the code is not ours.
            is_digest: wait `max_wait` from the first record on, whatever comes.
            is_sync: the caller delivers; no thread.
            is_networked: the destination is on a network.
            clock: monotonic seconds.
        """
        self.name = name
        self.queue = queue
        self.encode = encode
        self.filters = filters
        self.encodes_late = encodes_late
        self.is_sync = is_sync
        self.is_networked = is_networked
        #: Filters that run in the caller's thread: the face's `filters` list.
        self.gates: list[Any] = []
        #: The sink hands records to other handlers, when it is closed too.
        self.feeds_others = False
        #: A reload has replaced it, and it has ended.
        self.is_retired = False
        #: Opens when the worker that had the same resource before has ended; until
        #: then records only queue up here.
        self.held: Latch | None = None
        #: The handler that gets what is given up here; see `fall_back_to`.
        self.fallback: Worker | None = None
        #: Called, in one of our threads, when records were lost; None: stderr tells.
        self.on_loss: Callable[[Worker], None] | None = None
        #: The trouble of the moment; None: the last delivery went well.
        self.last_error: str | None = None
        #: What went wrong so far: how often, and when and what last; replaced as one.
        self.errors: dict[str, Any] = {"count": 0, "when": None, "last": None}
        self.restarts = 0
        self._make_sink = make_sink
        self._sink = make_sink()
        self._notices = notices
        self._own_threads = own_threads
        self._clock = clock
        is_paced = getattr(self._sink, "is_paced", False)
        pause = self._sink_pause_s if is_paced else None
        self._schedule = Schedule(queue, batch, clock, is_digest=is_digest, pause_s=pause)
        self._told_losses = 0
        self._courier = Courier(
            name,
            queue,
            None if retry is None else Backoff(retry, clock),
            note=self._note_or_forget,
            pause=self._pause,
            escapes=self._is_for_the_caller,
            breaker=None if breaker is None else Breaker(breaker, clock),
            dead_letters=None if dead_letter is None else DeadLetters(dead_letter),
        )
        #: Whether a record must be packed beside its payload.
        self.keeps_records = dead_letter is not None
        self._reset_thread()

    def _reset_thread(self) -> None:
        self.bell = Bell()
        self.is_running = False
        #: The thread is about to run; a signal may have stopped who starts it.
        self.is_starting = False
        #: The thread that works on the sink at this moment.
        self.busy_ident: int | None = None
        self._own_ident: int | None = None
        self._stop_at: float | None = None
        self._release: Latch | None = None
        self._ended = Latch()
        self._is_closed = False
        self._step_lock = native.RLock()
        self._is_hasty = False
        self._schedule.reset()
        self._courier.reset()

    def hold_for_fork(self, timeout_s: float, held: list[Callable[[], None]]) -> None:
        """Keep threads out of code that is not ours; `held` gets what lets them in again."""
        sink: Any = self._sink
        if hasattr(sink, "hold_for_fork"):
            held.append(sink.let_go_after_fork)
            sink.hold_for_fork(timeout_s)

    def reset_after_fork(self) -> None:
        """Start anew in a forked child: own nothing that the parent owns."""
        self.queue.reset()
        self._reset_thread()
        self._told_losses = self.restarts = 0
        self.errors = {"count": 0, "when": None, "last": None}
        self.last_error = None
        if getattr(self._sink, "survives_fork", False):
            getattr(self._sink, "disinherit", lambda: None)()
        else:
            try:
                self._sink.close()
            except Exception as fault:
                self.note(fault)
            self._sink = self._make_sink()

    def take_over(self) -> None:
        """Forget the thread, which the ending interpreter has frozen for good."""
        self.queue.take_over()
        self.is_running = False
        self._step_lock = native.RLock()

    # -- the fallback

    def fall_back_to(
        self, other: "Worker", pass_on: "Callable[[list[logging.LogRecord], Worker], None]"
    ) -> None:
        """Have what is given up here passed on to `other`; `pass_on` does that.

        Raises:
            ValueError: records would come back here.
        """
        follower: Worker | None = other
        while follower is not None:
            if follower is self:
                raise ValueError(f"its fallback `{other.name}` falls back to it in the end")
            follower = follower.fallback
        self.fallback = other
        self._courier.fall_back_to(other.name, lambda records: pass_on(records, other))
        self.keeps_records = True

    @property
    def breaker(self) -> Breaker | None:
        """What stops trying a destination that keeps failing."""
        return self._courier.breaker

    def end_pause(self, is_over: bool) -> None:
        """Send what waits though the sink rations its batches, since the program ends."""
        self._schedule.is_last = is_over
        self.bell.ring()

    def hasten(self, is_hasty: bool) -> None:
        """Give up at once, from now on, what only waiting could deliver; or wait again.

        Before the end, what a fallback may yet deliver should reach it in time, and a
        full disk is not waited for. A pipe that is not read for the moment still is.
        """
        self._is_hasty = is_hasty
        self.bell.ring()

    def abandon(self) -> None:
        """Hand what waits or flies to the fallback, since the sink does not move."""
        self._save("undelivered", to_fallback=True)

    def save_rest(self, reason: str) -> int:
        """Keep what is left in the dead letter file; return how many are undelivered yet.

        Those that the file does not take are lost; without a file nothing changes.
        """
        if not self._courier.dead_letters or not self.queue.unsettled:
            return self.queue.unsettled
        return self._save(reason, to_fallback=False)

    def close_queue(self, reason: str, *, to_fallback: bool = False) -> int:
        """Save what is left, take nothing more, and return how many records are lost."""
        lost = self._save(reason, to_fallback=to_fallback) if self.keeps_records else 0
        return lost + self.queue.close(reason)

    def _save(self, reason: str, *, to_fallback: bool) -> int:
        with inside(self._own_threads):
            items = self.queue.seize()
            kept, passed = self._courier.save(items, reason, to_fallback=to_fallback)
            return self.queue.settle_seized(reason, dead_lettered=kept, handed_over=passed)

    # -- the thread

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        if not self.is_running and not self.is_sync:
            self._ended = Latch()  # an earlier thread may have died
            self.is_starting = self.is_running = True
            try:
                native.start_thread(self._run)
            except RuntimeError:
                self.is_running = False
                raise
            finally:
                self.is_starting = False

    def wake(self) -> None:
        """See to it that what waits is worked on; a stopped worker stays stopped."""
        if self.is_running:
            if self.bell.state:
                self.bell.ring()
        elif self._stop_at is None and not self.is_sync and self.held is None:
            try:
                self.start()
            except RuntimeError:  # no thread can start any more
                self.drain()

    def hold(self) -> None:
        """Let records only queue up until `let_go`."""
        self.held = Latch()

    def let_go(self) -> None:
        """Begin, as the worker before this one has ended."""
        held, self.held = self.held, None
        if held is not None:
            held.open()
            if self.queue.waiting:  # what comes from now on wakes it
                self.wake()

    def stop(self, deadline: float) -> None:
        """Ask the thread to end when the queue is empty, at the latest at `deadline`."""
        self._stop_at = deadline
        self.bell.ring()

    def hurry(self) -> None:
        """Look again at what waits, since somebody began to wait for it."""
        if self.queue.is_awaited:
            self.wake()
        self.bell.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end after `stop`; return whether it did."""
        return not self.is_running or self._ended.wait(max(0.0, timeout_s))

    def release(self, timeout_s: float) -> None:
        """Have the sink closed by the thread that owns it; a later record opens it again."""
        if not self.is_running:
            self.close_sink(timeout_s)
            return
        self._release = released = Latch()
        self.bell.ring()
        released.wait(max(0.0, timeout_s))

    def _run(self) -> None:
        ident = self._own_ident = native.get_ident()
        try:
            self._own_threads.add(ident)
            while not self._is_over():
                try:
                    self._wait()
                    self.step()
                    self._release_sink()
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self.restarts += 1
                    self.note(fault)
            self.close_sink(5.0)
        finally:
            self._own_threads.discard(ident)
            self._own_ident = None
            self.is_running = False
            self._ended.open()

    def _release_sink(self) -> None:
        released = self._release
        if released is not None and not self.queue.waiting:
            self._release = None
            self.close_sink(0)
            released.open()

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        return not self.queue.waiting or self._clock() >= self._stop_at

    def _wait(self) -> None:
        """Sleep until a batch is due or somebody rings."""
        while not self._is_hurried():
            self.bell.doze()
            wait = self._schedule.wait_s()
            if wait == 0 or self._is_hurried():
                break
            self.bell.sleep(wait)
        self.bell.rouse()

    def _is_hurried(self) -> bool:
        """Return whether somebody waits: nothing to clear, so no call can be missed."""
        is_awaited = self.queue.is_awaited and not self._schedule.pause_s
        return is_awaited or self._stop_at is not None or self._release is not None

    def _sink_pause_s(self) -> float:
        sink: Any = self._sink  # another one in a forked child
        return float(sink.pause_s())

    # -- one batch, in whatever thread

    def step(self) -> bool:
        """Deliver one batch; return whether there was one."""
        with self._step_lock:  # where no thread could start, callers deliver
            before, self.busy_ident = self.busy_ident, native.get_ident()
            try:
                return self._step()
            finally:
                self.busy_ident = before

    def _step(self) -> bool:
        items = self.queue.take(self._schedule.max_records, self._schedule.max_bytes)
        if not items:
            return False
        self._is_closed = False
        self._schedule.begin_batch()
        try:
            broken: list[int] = []
            payloads = self._payloads(items, broken)
            self._courier.deliver(self._sink, items, payloads, broken)
        finally:
            self.queue.dropped("worker_error", self.queue.held)  # none, unless we failed
            self.announce_drops()
        return True

    def drain(self) -> None:
        """Deliver all that waits, in the calling thread."""
        with self._step_lock, inside(self._own_threads):
            while not (self._stop_at is not None or self.is_running) and self.step():
                pass

    def _payloads(self, items: list[Item], broken: list[int]) -> list[Any]:
        """Return what the sink takes; enter in `broken` where it cannot be made."""
        if not self.encodes_late:
            payloads = [payload for payload, _, _ in items]
            if self.keeps_records:
                payloads = [p.payload if type(p) is Kept else p for p in payloads]
            return payloads
        payloads = []
        for record, _, _ in items:
            try:
                payloads.append(self.encode_safely(record))
            except BaseException as fault:
                self.note(fault)
                if self._is_for_the_caller(fault):
                    raise
                broken.append(len(payloads))
                payloads.append(None)
        return payloads

    def _is_for_the_caller(self, fault: BaseException) -> bool:
        """Return whether `fault` is a Ctrl-C, or the like, of a thread that is not ours."""
        return not isinstance(fault, Exception) and native.get_ident() != self._own_ident

    def encode_safely(self, record: logging.LogRecord) -> Any:
        """Return the payload of `record`, of a plainer one where its own cannot be made.

        Raises:
            Exception: whatever the formatter raises even for a plain record.
        """
        try:
            try:
                return self.encode(record)
            except SystemError:  # Python 3.11, where two threads format tracebacks at once
                return self.encode(record)
        except Exception as fault:
            self.note(fault)
            return self.encode(plain_copy(record, fault))

    def _pause(self, delay: float, fault: BaseException | None = None) -> bool:
        """Wait `delay` seconds before the next attempt; return False to give up."""
        if native.get_ident() != self._own_ident:
            return False
        if self._is_hasty and (self.fallback or fault is None or not is_slowness(fault)):
            return False
        until = self._clock() + delay
        before = self._hurries()
        while (left := until - self._clock()) > 0:
            if self._stop_at is not None:
                left = min(left, self._stop_at - self._clock())
                if left <= 0:
                    return False
            if self._hurries() != before:
                break  # a flush or a stop came while we waited: try at once
            self.bell.sleep(left)  # awake to all but a flush or a stop, which always ring
        return True

    def _hurries(self) -> tuple[int, bool, bool]:
        return self.queue.calls, self._stop_at is not None, self._is_hasty

    def close_sink(self, timeout_s: float) -> None:
        """Close the sink, unless that is done or somebody goes on using it."""
        if self._step_lock.acquire(timeout=max(0.0, timeout_s)):
            try:
                if not self._is_closed:
                    self._is_closed = True
                    self._courier.close(self._sink)
            finally:
                self._step_lock.release()

    # -- telling

    def note(self, fault: BaseException) -> None:
        """Keep `fault` as the last error and say it on the internal lane."""
        outlook = "" if self.is_sync else self._courier.outlook(fault)
        text = self.last_error = f"{describe(fault)}{outlook}"
        count = self.errors["count"] + 1
        self.errors = {"count": count, "when": time.time(), "last": text}
        subject = f"{self.name}:{type(fault).__name__}"
        self._notices.say(subject, f"handler `{self.name}`: {self.last_error}")

    def _note_or_forget(self, fault: BaseException | None) -> None:
        if fault is None:
            self.last_error = None
        else:
            self.note(fault)

    def announce_drops(self) -> None:
        """See to it that it is told if records were lost since the last time."""
        losses = self.queue.losses
        if losses == self._told_losses:
            return
        self._told_losses = losses
        if self.on_loss is not None:
            self.on_loss(self)
        else:
            self.say_drops()

    def say_drops(self) -> None:
        """Say on the internal lane how many records were lost so far."""
        counts = self.queue.counts()["dropped"]
        shown = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        text = f"handler `{self.name}` has dropped {sum(counts.values())} records ({shown})"
        self._notices.say(f"{self.name}:drops", text)
