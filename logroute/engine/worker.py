"""The worker: the one thread that owns one sink.

It takes a batch from its queue, sends it, tries again what may succeed later,
and counts what became of every record. Nothing that a sink raises ends it.
"""

import _thread
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from logroute.bell import Bell
from logroute.delivery.queue import Item, Queue
from logroute.delivery.retry import Backoff
from logroute.delivery.specs import BatchSpec, RetrySpec
from logroute.engine.notices import Notices, describe, inside
from logroute.errors import DeliveryError, Rejected, Retryable
from logroute.filters import Filter
from logroute.records import message_of
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
        self.last_error: str | None = None
        self.restarts = 0
        self._make_sink = make_sink
        self._sink = make_sink()
        self._notices = notices
        self._own_threads = own_threads
        self._batch = batch
        self._retry = retry
        self._is_digest = is_digest
        self._clock = clock
        self._announced_drops = 0
        self._reset_thread()

    def _reset_thread(self) -> None:
        self.bell = Bell()
        self.is_running = False
        #: The thread that works on the sink at this moment.
        self.busy_ident: int | None = None
        self._own_ident: int | None = None
        self._stop_at: float | None = None
        self._release: threading.Event | None = None
        self._last_send = -1e9
        self._first_waiting: float | None = None
        self._ended = threading.Event()
        self._is_closed = False
        self._step_lock = threading.RLock()
        self._backoff = Backoff(self._retry or RetrySpec(), self._clock)

    def reset_after_fork(self) -> None:
        """Start anew in a forked child: own nothing that the parent owns."""
        self.queue.reset()
        self._reset_thread()
        self._announced_drops = self.restarts = 0
        self.last_error = None
        if not getattr(self._sink, "survives_fork", False):
            try:
                self._sink.close()
            except Exception as fault:
                self.note(fault)
            self._sink = self._make_sink()

    def take_over(self) -> None:
        """Forget the thread, which the ending interpreter has frozen for good."""
        self.queue.take_over()
        self.is_running = False
        self._step_lock = threading.RLock()

    # -- the thread

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        if not self.is_running and not self.is_sync:
            if sys.is_finalizing():  # Python 3.11 would start one that never runs
                raise RuntimeError("the interpreter is shutting down")
            self.is_running = True
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                self.is_running = False
                raise

    def wake(self) -> None:
        """See to it that what waits is worked on; a stopped worker stays stopped."""
        if self.is_running:
            if self.bell.state:
                self.bell.ring()
        elif self._stop_at is None and not self.is_sync:
            try:
                self.start()
            except RuntimeError:  # no thread can start any more
                self.drain()

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
        self._release = released = threading.Event()
        self.bell.ring()
        released.wait(max(0.0, timeout_s))

    def _run(self) -> None:
        ident = self._own_ident = threading.get_ident()
        try:
            self._ended.clear()  # an earlier thread may have died
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
            self._ended.set()

    def _release_sink(self) -> None:
        released = self._release
        if released is not None and not self.queue.waiting:
            self._release = None
            self.close_sink(0)
            released.set()

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        return not self.queue.waiting or self._clock() >= self._stop_at

    def _wait(self) -> None:
        """Sleep until a batch is due or somebody rings."""
        while not self._is_hurried():
            self.bell.doze()
            wait = self._time_to_batch()
            if wait == 0 or self._is_hurried():
                break
            self.bell.sleep(wait)
        self.bell.rouse()

    def _is_hurried(self) -> bool:
        """Return whether somebody waits: nothing to clear, so no call can be missed."""
        return self.queue.is_awaited or self._stop_at is not None or self._release is not None

    def _time_to_batch(self) -> float | None:
        """Return the seconds until a batch is due; None: nothing waits."""
        if not self.queue.waiting:
            self._first_waiting = None
            return None
        if self._batch is None:
            return 0
        now = self._clock()
        if self._first_waiting is None:
            self._first_waiting = now
        if self.queue.has_reached(self._batch.max_records, self._batch.max_bytes):
            return 0
        max_wait = self._batch.max_wait or 0.0
        if self._is_digest:
            return max(0.0, self._first_waiting + max_wait - now)
        if self.queue.urgent:
            return 0
        return max(0.0, self._last_send + max_wait - now)

    # -- one batch, in whatever thread

    def step(self) -> bool:
        """Deliver one batch; return whether there was one."""
        with self._step_lock:  # where no thread could start, callers deliver
            before, self.busy_ident = self.busy_ident, threading.get_ident()
            try:
                return self._step()
            finally:
                self.busy_ident = before

    def _step(self) -> bool:
        batch = self._batch
        items = self.queue.take(
            batch.max_records if batch else 1000, batch.max_bytes if batch else 1 << 20
        )
        if not items:
            return False
        self._is_closed = False
        self._first_waiting = None
        self._last_send = self._clock()
        try:
            payloads = self._payloads(items)
            self._deliver(payloads)
            # Only now: what is settled first counts as what came first.
            self.queue.dropped("format_error", len(items) - len(payloads))
        finally:
            self.queue.dropped("worker_error", self.queue.in_flight)  # 0, unless we failed
            self.announce_drops()
        return True

    def drain(self) -> None:
        """Deliver all that waits, in the calling thread."""
        with self._step_lock, inside(self._own_threads):
            while not (self._stop_at is not None or self.is_running) and self.step():
                pass

    def _deliver(self, payloads: list[Any]) -> None:
        """Send `payloads` until each is settled."""
        while payloads:
            try:
                self._sink.open()
                self._sink.send(payloads)
            except Rejected as fault:
                self.note(fault)
                payloads = payloads[self._settle_head(fault, len(payloads)) :]
                refused = len(payloads) if fault.rejected is None else fault.rejected
                refused = min(max(refused, 0 if fault.delivered else 1), len(payloads))
                self.queue.dropped("rejected", refused)
                payloads = payloads[refused:]
                self._backoff.reset()
            except (Retryable, OSError) as fault:
                self.note(fault)
                if isinstance(fault, DeliveryError):
                    payloads = payloads[self._settle_head(fault, len(payloads)) :]
                if not self._wait_to_retry(fault):
                    self.queue.dropped("undelivered", len(payloads))
                    self._backoff.reset()
                    return
            except BaseException as fault:
                self.note(fault)
                self._close_parts()
                self.queue.dropped("sink_error", len(payloads))
                if self._is_for_the_caller(fault):
                    raise
                return
            else:
                self.queue.delivered(len(payloads))
                self._backoff.reset()
                self.last_error = None
                return

    def _payloads(self, items: list[Item]) -> list[Any]:
        if not self.encodes_late:
            return [payload for payload, _, _ in items]
        payloads = []
        for record, _, _ in items:
            try:
                payloads.append(self.encode_safely(record))
            except BaseException as fault:
                self.note(fault)
                if self._is_for_the_caller(fault):
                    raise
        return payloads

    def _is_for_the_caller(self, fault: BaseException) -> bool:
        """Return whether `fault` is a Ctrl-C, or the like, of a thread that is not ours."""
        return not isinstance(fault, Exception) and threading.get_ident() != self._own_ident

    def encode_safely(self, record: logging.LogRecord) -> Any:
        """Return the payload of `record`, of a plainer one where its own cannot be made.

        Raises:
            Exception: whatever the formatter raises even for a plain record.
        """
        try:
            return self.encode(record)
        except Exception as fault:
            self.note(fault)
            return self.encode(plain_record(record, fault))

    def _settle_head(self, fault: DeliveryError, count: int) -> int:
        delivered = min(max(fault.delivered, 0), count)
        self.queue.delivered(delivered)
        if delivered:
            self._backoff.reset()
        return delivered

    def _wait_to_retry(self, fault: BaseException) -> bool:
        """Wait as long as the backoff says; return False to give up."""
        if self._retry is None or threading.get_ident() != self._own_ident:
            return False
        delay = self._backoff.delay(getattr(fault, "retry_after_s", None))
        if delay is None:
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

    def _hurries(self) -> tuple[int, bool]:
        return self.queue.calls, self._stop_at is not None

    def _close_parts(self) -> None:
        for part in (self._sink.flush, self._sink.close):
            try:
                part()
            except BaseException as fault:
                self.note(fault)

    def close_sink(self, timeout_s: float) -> None:
        """Close the sink, unless that is done or somebody goes on using it."""
        if self._step_lock.acquire(timeout=max(0.0, timeout_s)):
            try:
                if not self._is_closed:
                    self._is_closed = True
                    self._close_parts()
            finally:
                self._step_lock.release()

    # -- telling

    def note(self, fault: BaseException) -> None:
        """Keep `fault` as the last error and say it on the internal lane."""
        self.last_error = f"{describe(fault)}{self._outlook(fault)}"
        subject = f"{self.name}:{type(fault).__name__}"
        self._notices.say(subject, f"handler `{self.name}`: {self.last_error}")

    def _outlook(self, fault: BaseException) -> str:
        """Say what comes of a fault, where that is known."""
        if isinstance(fault, Rejected):
            return " (refused for good)"
        if isinstance(fault, Retryable | OSError) and self._retry and not self.is_sync:
            return " (will be tried again)"
        return ""

    def announce_drops(self) -> None:
        """Say how many records were dropped, if there are more than were said."""
        drops = self.queue.drops()
        if drops > self._announced_drops:
            reasons = self.queue.counts()["dropped"].items()
            shown = ", ".join(f"{count} {reason}" for reason, count in reasons)
            text = f"handler `{self.name}` has dropped {drops} records ({shown})"
            self._notices.say(f"{self.name}:drops", text)
            self._announced_drops = drops


def plain_record(record: logging.LogRecord, fault: BaseException) -> logging.LogRecord:
    """Return a bare record that any formatter can take, saying what went wrong."""
    text = message_of(record)
    if not text.startswith("<unformattable"):
        text = f"<unformattable: {type(fault).__name__}> {text}"
    return logging.LogRecord(
        record.name, record.levelno, record.pathname, record.lineno, text, None, None
    )
