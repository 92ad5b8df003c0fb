"""The worker: the one thread that owns one sink.

It takes a batch from its queue, sends it, tries again what may succeed later,
and counts what became of every record. Nothing that a sink raises ends it.
"""

import _thread
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from logroute.bell import Bell
from logroute.delivery.queue import Item, Queue
from logroute.delivery.retry import Backoff
from logroute.delivery.specs import BatchSpec, RetrySpec
from logroute.engine.notices import Notices
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
        self._stop_at: float | None = None
        self._hurry = False
        self._last_send = -1e9
        self._first_waiting: float | None = None
        self._ended = threading.Event()
        self._sync_lock = threading.RLock()
        self._backoff = Backoff(self._retry or RetrySpec(), self._clock)

    def reset_after_fork(self) -> None:
        """Start anew in a forked child: own nothing that the parent owns."""
        self.queue.reset()
        self._reset_thread()
        if not getattr(self._sink, "survives_fork", False):
            try:
                self._sink.close()
            except Exception as fault:
                self.note(fault)
            self._sink = self._make_sink()

    # -- the thread

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        if not self.is_running and not self.is_sync:
            self.is_running = True
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                self.is_running = False
                raise

    def stop(self, deadline: float) -> None:
        """Ask the thread to end when the queue is empty, at the latest at `deadline`."""
        self._stop_at = deadline
        self._hurry = True
        self.bell.ring()

    def hurry(self) -> None:
        """Send what waits now, whole batch or not."""
        self._hurry = True
        self.bell.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end after `stop`; return whether it did."""
        return not self.is_running or self._ended.wait(max(0.0, timeout_s))

    def _run(self) -> None:
        ident = threading.get_ident()
        self._own_threads.add(ident)
        try:
            while not self._is_over():
                try:
                    self._wait()
                    self.step()
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self.restarts += 1
                    self.note(fault)
            self._close_sink()
        finally:
            self._own_threads.discard(ident)
            self.is_running = False
            self._ended.set()

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        return not self.queue.waiting or self._clock() >= self._stop_at

    def _wait(self) -> None:
        """Sleep until a batch is due or somebody rings."""
        while not self._hurry:
            self.bell.doze()
            wait = self._time_to_batch()
            if self._hurry or wait == 0:
                break
            self.bell.sleep(wait)
            if self._stop_at is not None:
                break
        self.bell.rouse()

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
        batch = self._batch
        items = self.queue.take(
            batch.max_records if batch else 1000, batch.max_bytes if batch else 1 << 20
        )
        if not items:
            self._hurry = False
            return False
        self._first_waiting = None
        self._last_send = self._clock()
        try:
            self._deliver(items)
        finally:
            self.queue.dropped("worker_error", self.queue.in_flight)  # 0, unless we failed
            self._announce_drops()
        if not self.queue.waiting:
            self._hurry = False
        return True

    def drain(self) -> None:
        """Deliver all that waits, in the calling thread."""
        with self._sync_lock:
            ident = threading.get_ident()
            nested = ident in self._own_threads
            self._own_threads.add(ident)
            try:
                while self.step():
                    pass
            finally:
                if not nested:
                    self._own_threads.discard(ident)

    def _deliver(self, items: list[Item]) -> None:
        """Send `items` until each is settled."""
        payloads = self._payloads(items)
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
                self._close_sink()
                self.queue.dropped("sink_error", len(payloads))
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
            except Exception as fault:
                self.note(fault)
                self.queue.dropped("format_error", 1)
        return payloads

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
        if self._retry is None or self.is_sync or not self.is_running:
            return False
        delay = self._backoff.delay(getattr(fault, "retry_after_s", None))
        if delay is None:
            return False
        until = self._clock() + delay
        hurried = self._hurry
        while (left := until - self._clock()) > 0:
            if self._stop_at is not None:
                left = min(left, self._stop_at - self._clock())
                if left <= 0:
                    return False
            self.bell.doze()
            if self._hurry and not hurried:
                break  # a flush or a stop came while we waited: try at once
            # A shorter sleep notices a flush that comes between the look and the sleep.
            self.bell.sleep(min(left, 0.5))
        self.bell.rouse()
        return True

    def _close_sink(self) -> None:
        for part in (self._sink.flush, self._sink.close):
            try:
                part()
            except BaseException as fault:
                self.note(fault)

    def close_if_never_run(self) -> None:
        """Release the sink of a worker whose thread never started."""
        if not self._ended.is_set():
            self._close_sink()

    # -- telling

    def note(self, fault: BaseException) -> None:
        """Keep `fault` as the last error and say it on the internal lane."""
        text = " ".join(str(fault).split())[:300]
        kind = type(fault).__name__
        self.last_error = f"{kind}: {text}" if text else kind
        self._notices.say(f"{self.name}:{kind}", f"handler `{self.name}`: {self.last_error}")

    def _announce_drops(self) -> None:
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
