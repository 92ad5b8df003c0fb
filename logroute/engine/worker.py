"""The worker: the one thread that owns one sink.

It takes a batch from its queue when one is due and has its courier take it to its
end. Nothing that a sink raises ends it.
"""

import logging
import time
from collections.abc import Callable

from logroute import native
from logroute.bell import LINGERING
from logroute.delivery.ledger import Losses
from logroute.delivery.queue import Item, Kept, Queue
from logroute.delivery.retry import Backoff
from logroute.delivery.specs import BatchSpec, BreakerSpec, DeadLetterSpec, RetrySpec
from logroute.engine.courier import Courier, is_slowness
from logroute.engine.notices import Notices, describe, inside
from logroute.engine.schedule import Schedule
from logroute.engine.thread import OwnThread
from logroute.errors import Retryable
from logroute.filters import Filter
from logroute.framing import Straight
from logroute.light import TYPE_CHECKING, Any
from logroute.records import LITTLE, STANDARD, plain_copy
from logroute.sinks import Encoder, Sink

if TYPE_CHECKING:
    from logroute.delivery.breaker import Breaker
    from logroute.delivery.deadletter import DeadLetters
    from logroute.delivery.spool.queue import SpoolQueue
    from logroute.engine.handover import Handover

__all__ = ["GRACE_S", "LOCAL_S", "Worker"]

#: What a queued record counts for where it cannot be measured.
RECORD_SIZE = 1000
#: How long a worker whose time is up may take to notice it.
GRACE_S = 0.2
#: How long what stays in this machine has, though the time is up: to its queue, and from
#: there to a spool. It takes milliseconds, unless the machine is busy.
LOCAL_S = 1.0
#: How often an idle worker looks after what its sink may have to send again.
TEND_S = 1.0


class Worker(OwnThread):
    """Delivers one handler's records.

    The public attributes are settled before the first record; `filters` and
    `encode` are used by the dispatcher, unless `encodes_late`.
    """

    #: What is delivered has left the process, so that a caller may wait for it.
    can_audit = True
    #: What is not delivered in time is safe all the same, for the next process.
    is_durable = False
    #: The thread that logs brings records as far as is promised; see `write_now`.
    writes_now = False

    def __init__(
        self,
        name: str,
        queue: "Queue | SpoolQueue",
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
        super().__init__(queue, own_threads, clock, is_sync=is_sync)
        self.name = name
        self.encode = encode
        self.filters = filters
        self.encodes_late = encodes_late
        self.is_networked = is_networked
        #: The attributes of a record that its payload is made of; None: perhaps all.
        self.reads: frozenset[str] | None = None
        #: Makes `straight`, when the first record comes.
        self.make_straight: Callable[[], Straight | None] | None = None
        self._straight: Straight | None = None
        #: Filters that run in the caller's thread: the face's `filters` list.
        self.gates: list[Any] = []
        #: The sink hands records to other handlers, when it is closed too.
        self.feeds_others = False
        #: A reload has replaced it, and it has ended.
        self.is_retired = False
        #: Its queue takes nothing more.
        self.has_closed = False
        #: The handler that gets what is given up here; see `fall_back_to`.
        self.fallback: Worker | None = None
        #: Called, in one of our threads, when records were lost; None: stderr tells.
        self.on_loss: Callable[[Worker], None] | None = None
        #: The trouble of the moment; None: the last delivery went well.
        self.last_error: str | None = None
        #: What went wrong so far: how often, and when and what last; replaced as one.
        self.errors: dict[str, Any] = {"count": 0, "when": None, "last": None}
        self._make_sink = make_sink
        self._sink = make_sink()
        self._notices = notices
        is_paced = getattr(self._sink, "is_paced", False)
        pause = self._sink_pause_s if is_paced else None
        joins = getattr(self._sink, "joins_batches", False)
        self._schedule = Schedule(
            queue, batch, clock, is_digest=is_digest, joins=joins, pause_s=pause
        )
        self._told_losses = 0
        #: What the queue wants done now and then: returns the seconds until the next time.
        self._chores: Callable[[], float] | None = getattr(queue, "chores", None)
        self._courier = Courier(
            name,
            queue,
            None if retry is None else Backoff(retry, clock),
            note=self._note_or_forget,
            pause=self._pause,
            escapes=self._is_for_the_caller,
            breaker=None if breaker is None else _breaker(breaker, clock),
            dead_letters=None if dead_letter is None else _dead_letters(dead_letter),
        )
        #: Whether a record must be packed beside its payload.
        self.keeps_records = dead_letter is not None
        self._reset_thread()

    def _reset_thread(self) -> None:
        super()._reset_thread()
        self._is_closed = False
        self._tend_at: float | None = None
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
        self.has_closed = False
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

    def fall_back_to(self, other: "Worker", handover: "Handover") -> None:
        """Have what is given up here passed on to `other` by `handover`.

        Raises:
            ValueError: records would come back here.
        """
        self._refuse_circle(other)
        self.fallback = other
        self._courier.fall_back_to(
            other.name, lambda records: handover.pass_on(records, other), handover.bring
        )
        self.keeps_records = True

    def _refuse_circle(self, other: "Worker") -> None:
        follower: Worker | None = other
        while follower is not None:
            if follower is self:
                raise ValueError(f"its fallback `{other.name}` falls back to it in the end")
            follower = follower.fallback

    # -- what others ask

    @property
    def chain(self) -> "tuple[Worker, ...]":
        """The workers that a record of this handler passes, first to last."""
        return (self,)

    def counts(self) -> dict[str, Any]:
        """Return the handler's ledger at one moment; the numbers add up."""
        return self.queue.counts()

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses."""
        return self.queue.take_untold()

    @property
    def has_untold(self) -> bool:
        """Whether something was dropped since `take_untold`."""
        return self.queue.has_untold

    @property
    def unsettled(self) -> int:
        """How many records wait or fly."""
        return self.queue.unsettled

    @property
    def has_left_records(self) -> bool:
        """Whether it has ended, and there are records that it has not settled."""
        return self.has_closed and bool(self.unsettled)

    def inherits(self, former: "Worker") -> bool:  # noqa: ARG002
        """Return whether what `former` leaves undelivered is delivered here."""
        return False

    def look_again(self) -> None:
        """Find what a worker before this one has left."""

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call `call` once all that has been put so far is settled, perhaps at once."""
        self.queue.when_settled(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more: who asked has given up."""
        self.queue.forget(call)

    def is_at_work(self, ident: int) -> bool:
        """Return whether the thread `ident` works on the sink at this moment."""
        return self.busy_ident == ident

    @property
    def reads_little(self) -> bool:
        """Whether of what stdlib gives a record only name, level, message and time are read."""
        if self.reads is None or self.filters or self.keeps_records:
            return False
        return self.reads & STANDARD <= LITTLE

    def reformat(self, encode: Encoder) -> None:
        """Encode by `encode` from now on."""
        self.encode = encode
        self.make_straight = self._straight = None

    @property
    def straight(self) -> Straight | None:
        """What makes payloads of what the express lane keeps, past the record, if there is any."""
        make, self.make_straight = self.make_straight, None
        if make is not None:
            try:
                self._straight = make()
            except Exception:  # amid an import, or as the interpreter ends
                self._straight = None
        return self._straight

    @property
    def grace_s(self) -> float:
        """How long it may take to end beyond its time."""
        return GRACE_S

    def begin(self) -> None:
        """Look for work that was there before the first record; threads may start now."""

    def write_now(self, record: logging.LogRecord) -> bool | None:
        """Bring `record` as far as is promised before the call that logs it returns.

        Returns False where a loss was counted that is yet to be told; None where it
        cannot be done here, and the dispatcher must bring it.
        """
        raise NotImplementedError

    @property
    def breaker(self) -> "Breaker | None":
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

    def bring_home(self, deadline: float) -> None:
        """Wait until what waits is safe from the end of this process, if it can be made so."""

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
        self.has_closed = True
        self.write_off()  # nothing, unless the thread is at it yet
        lost = self._save(reason, to_fallback=to_fallback) if self.keeps_records else 0
        return lost + self.queue.close(reason)

    def write_off(self) -> None:
        """Count as lost what has been sent and not acknowledged, since nobody waits any more."""
        if self._courier.write_off(self._sink):
            self.say_drops()

    def _save(self, reason: str, *, to_fallback: bool) -> int:
        with inside(self.own_threads):
            items = self.queue.seize()
            kept, passed = self._courier.save(items, reason, to_fallback=to_fallback)
            return self.queue.settle_seized(reason, dead_lettered=kept, handed_over=passed)

    def _do_chores(self) -> float | None:
        return None if self._chores is None else self._chores()

    def _look_after(self) -> float | None:
        """Do what is due beside batches; return the seconds to the next look, None: never."""
        wait_s = self._do_chores()
        if not getattr(self._sink, "held", 0):
            self._tend_at = None
            return wait_s
        now = self._clock()
        if self._tend_at is None:
            self._tend_at = now + TEND_S
        elif now >= self._tend_at:
            self._tend_at = now + TEND_S
            with self._step_lock:
                self._courier.tend(self._sink)
        return min(self._tend_at - now, TEND_S if wait_s is None else wait_s)

    def _rest_s(self) -> float | None:
        """Return how long there is nothing to do; 0: a batch is due."""
        look = self._look_after()
        wait = self._schedule.wait_s()
        if wait or (look is not None and look < TEND_S):
            self.bell.doze(LINGERING)  # what comes meanwhile is seen soon enough
        return look if wait is None else wait if look is None else min(wait, look)

    def _is_awaited(self) -> bool:
        return self.queue.is_awaited and not self._schedule.pause_s

    def _sink_pause_s(self) -> float:
        sink: Any = self._sink  # another one in a forked child
        return float(sink.pause_s())

    # -- one batch, in whatever thread

    def _step(self) -> bool:
        items = self.queue.take(self._schedule.most_taken, self._schedule.max_bytes)
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

    def deliver_at_once(
        self, payload: Any, levelno: int, reason: str, wait_s: float
    ) -> BaseException | None:
        """Deliver what is in no queue, in the calling thread; return what went wrong.

        It is tried once. `wait_s` bounds the time that the sink may be at something
        else; `reason` is what a loss is counted for.

        Raises:
            RuntimeError: this worker has ended; nothing is counted.
        """
        until = time.monotonic() + wait_s
        held, queue = self.held, self.queue
        assert isinstance(queue, Queue)  # a spool is behind a worker with a queue
        if held is not None and not held.wait(wait_s):
            queue.count_past(levelno, reason)
            return TimeoutError("who had its resource before is not done with it")
        if not self._step_lock.acquire(timeout=max(0.0, until - time.monotonic())):
            queue.count_past(levelno, reason)
            outlook = f": {self.last_error}" if self.last_error is not None else ""
            return TimeoutError(f"it is busy{outlook}")
        fault: BaseException | None
        is_taken = False
        before, self.busy_ident = self.busy_ident, native.get_ident()
        try:
            if queue.is_closed:
                raise RuntimeError("it has ended")
            try:
                is_taken, fault = self._try_once(payload)
            except BaseException as escaping:
                fault = escaping
            queue.count_past(levelno, None if is_taken else reason)  # before it may end
        finally:
            self.busy_ident = before
            self._step_lock.release()
        return fault

    def _try_once(self, payload: Any) -> tuple[bool, BaseException | None]:
        if self._schedule.pause_s:
            return False, Retryable("as many went out as may in an hour (`max_per_hour`)")
        if self.encodes_late:
            payload = self.encode_safely(payload)
        self._is_closed = False
        return self._courier.try_once(self._sink, payload)

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
        if self._is_hasty and not (self._is_worth_waiting and fault and is_slowness(fault)):
            return False
        return self._sleep_through(delay)

    @property
    def _is_worth_waiting(self) -> bool:
        """Whether only this destination can save what it does not take yet."""
        return self.fallback is None and not self._courier.is_durable

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
        counts = self.counts()["dropped"]
        shown = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        text = f"handler `{self.name}` has dropped {sum(counts.values())} records ({shown})"
        self._notices.say(f"{self.name}:drops", text)


# Only what a config asks for is imported, by the thread that builds it.


def _breaker(spec: BreakerSpec, clock: Callable[[], float]) -> "Breaker":
    from logroute.delivery.breaker import Breaker

    return Breaker(spec, clock)


def _dead_letters(spec: DeadLetterSpec) -> "DeadLetters":
    from logroute.delivery.deadletter import DeadLetters

    return DeadLetters(spec)
