"""A handler with a spool: two workers in a chain, the disk between them.

The front empties the queue in memory into the spool; the rear has the handler's own
sink and delivers what is in the spool, of earlier processes too. To all others they
are one worker with one ledger. With `write: caller` the thread that logs appends to
the spool itself, and the front has only what comes from within.
"""

import contextlib
import errno
import logging
import time
from collections.abc import Callable

from logroute import native
from logroute.bell import ASLEEP, Latch
from logroute.delivery.breaker import Breaker
from logroute.delivery.ledger import Losses, add_losses
from logroute.delivery.queue import Queue
from logroute.delivery.specs import LOCAL_RETRY, RetrySpec, SpoolSpec
from logroute.delivery.spool.entry import reason_of
from logroute.delivery.spool.ledger import is_urgent, joined
from logroute.delivery.spool.queue import SpoolQueue
from logroute.delivery.spool.sink import SpoolSink, spooled
from logroute.delivery.spool.writer import Full
from logroute.engine.awaiting import Waiters
from logroute.engine.worker import LOCAL_S, Worker
from logroute.errors import DeliveryError
from logroute.light import TYPE_CHECKING, Any
from logroute.records import level_of
from logroute.sinks import Encoder, Sink

if TYPE_CHECKING:
    from logroute.engine.handover import Handover

__all__ = ["SpooledWorker", "make_queue"]

#: The retry of what lies on disk: it is never given up.
_FOR_EVER = float("inf")
_FILTER_PATIENCE_S = 1.0
#: When a thread looks that has just learnt of somebody who waits.
_SOON_S = 0.001
#: Records after which the rear is woken though it waits for a batch: that may be full.
_MOST_UNRUNG = 100


def make_queue(spec: Any, overflow: str) -> Queue:
    """Return the queue in memory: `overflow: spool` waits for the disk, as a local file does."""
    return Queue(spec, "block" if overflow == "spool" else overflow)


class _Rear(Worker):
    """Delivers what is in a spool."""

    def wake(self) -> None:
        """See to it that what waits is worked on, by the thread alone.

        Where none can start any more, as the interpreter ends, whoever fills the spool
        must not wait for a destination: `SpooledWorker.drain` delivers then.
        """
        if self.is_running:
            super().wake()
        elif self._stop_at is None and self.held is None:
            with contextlib.suppress(RuntimeError):
                self.start()

    def hurry(self) -> None:
        """Have the thread look again at what waits.

        The dispatcher must not look here: it would wait for the spool's lock, and a
        disk may stall. Where no thread can start, all before is on disk, and is drained.
        """
        assert isinstance(self.queue, SpoolQueue)
        if not self.is_running and self.queue.may_be_awaited:
            self.wake()
            if not self.is_running and self._stop_at is None and self.held is None:
                self.drain()
        self.bell.ring()


class SpooledWorker(Worker):
    """The front of a handler with a spool; it takes the rear along in all it does."""

    is_durable = True

    def __init__(
        self,
        name: str,
        queue: Queue,
        make_sink: Callable[[], Sink],
        encode: Encoder,
        *,
        spool: SpoolSpec,
        retry: RetrySpec | None = None,
        filters: tuple[Any, ...] = (),
        encodes_late: bool = False,
        is_sync: bool = False,
        **options: Any,
    ) -> None:
        """Own what `make_sink` makes, behind a spool as `spool` says.

        The other arguments are those of any worker. `retry` is never at its end;
        `is_sync` is that the caller writes, and waits for the disk at most.
        """
        if is_sync:
            spool = spool.replace(write="caller")
        if spool.write == "caller":
            filters = tuple((filter_name, self._alone(apply)) for filter_name, apply in filters)
        self._keeps = False
        self._memory = queue
        self.spool = SpoolQueue(
            spool, name, "drop_oldest" if queue.overflow == "drop_oldest" else "drop_newest"
        )
        self.rear = _Rear(
            name,
            self.spool,
            make_sink,
            encode,
            retry=(retry or RetrySpec()).replace(give_up_after=_FOR_EVER),
            **options,
        )
        self.spool.held_back = lambda: getattr(self.rear._sink, "held", 0)
        self._keep_records(self.rear.keeps_records)
        super().__init__(
            name,
            queue,
            lambda: SpoolSink(self.spool, self.rear.wake, self.rear.announce_drops),
            self._wrapped(encode),
            notices=options["notices"],
            own_threads=options["own_threads"],
            retry=LOCAL_RETRY,
            filters=filters,
            encodes_late=encodes_late,
            is_networked=True,
        )
        self.writes_now = spool.write == "caller"
        self._chores = self.rear._chores = self._look_after_disk
        self.rear.on_loss = lambda _: self._tell_loss()

    def _reset_thread(self) -> None:
        super()._reset_thread()
        self._waiters = Waiters(self._memory, self.spool, self._ring)
        self._filter_lock = native.RLock()
        self._has_told_kept = False
        #: Records since the rear was woken last, roughly.
        self._unrung = 0
        #: Where no thread can start: the destination did not take all.
        self._is_in_vain = False

    def _keep_records(self, keeps: bool) -> None:
        self._keeps = self.spool.keeps_records = keeps

    def _wrapped(self, encode: Encoder) -> Encoder:
        return spooled(encode, lambda: self._keeps)

    def reformat(self, encode: Encoder) -> None:
        """Encode by `encode` from now on."""
        self.encode = self._wrapped(encode)

    # -- what others ask

    @property
    def chain(self) -> tuple[Worker, ...]:
        """The workers that a record of this handler passes, first to last."""
        return (self, self.rear)

    def counts(self) -> dict[str, Any]:
        """Return the ledger of both queues at one moment; each record counts once."""
        return joined(self._memory, self.spool)

    def take_untold(self) -> Losses:
        """Return what was dropped since the last call, but for what told of losses."""
        return add_losses(self.queue.take_untold(), self.spool.take_untold())

    @property
    def has_untold(self) -> bool:
        """Whether something was dropped since `take_untold`."""
        return self.queue.has_untold or self.spool.has_untold

    @property
    def unsettled(self) -> int:
        """How many records wait or fly, in memory and on disk."""
        return self.queue.unsettled + self.spool.unsettled

    @property
    def breaker(self) -> Breaker | None:
        """What stops trying a destination that keeps failing."""
        return self.rear.breaker

    @property
    def grace_s(self) -> float:
        """How long it may take to end beyond its time.

        A batch that is on its way to a destination that is well shall be noted as
        delivered, else the next process would deliver it again.
        """
        is_arriving = self.spool.in_flight and self.rear.last_error is None
        return LOCAL_S if is_arriving else super().grace_s

    def inherits(self, former: Worker) -> bool:
        """Return whether what `former` leaves undelivered is delivered here."""
        if not isinstance(former, SpooledWorker):
            return False
        return former.spool.folder.path == self.spool.folder.path

    def look_again(self) -> None:
        """Find what a worker before this one has left, unless another one of them still works."""
        if self.rear.held is None:
            self.spool.look_again()
            self.begin()
            self.rear.bell.ring()

    def is_at_work(self, ident: int) -> bool:
        """Return whether the thread `ident` works on the sink at this moment."""
        return any(worker.busy_ident == ident for worker in self.chain)

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call `call` once all that has been put so far is delivered or lost."""
        self._waiters.add(call)
        if not (self.is_running or self.rear.is_running):  # and none can: here, then
            self._waiters.enter()

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more: who asked has given up."""
        self._waiters.forget(call)

    def _ring(self) -> None:
        """Have one of our threads enter who waits for the disk; waits for nothing."""
        if not self.rear.is_running:
            self.rear.wake()
        self.rear.bell.ring()
        self.bell.ring()

    def _look_after_disk(self) -> float:
        """Do what is due in the spool; say what went wrong there."""
        has_come = self._waiters.is_due and self._waiters.enter()
        wait_s = self.spool.chores()
        if has_come:
            self.rear.hurry()
            wait_s = min(wait_s, _SOON_S)
        if not (self.rear.is_running or self._is_in_vain) and self.spool.is_awaited:
            self._drain_rear()  # its thread could not start any more
        fault = self.spool.take_fault()
        reason = None if fault is None else fault.strerror or str(fault)
        if reason is not None and reason not in (self.last_error or ""):
            text = f"spool `{self.spool.folder.path}`: {reason}"
            self._notices.say(f"{self.name}:disk", f"handler `{self.name}`: {text}")
        return wait_s

    def _tell_loss(self) -> None:
        if self.on_loss is not None:
            self.on_loss(self)
        else:
            self.say_drops()

    # -- in the thread that logs

    def write_now(self, record: logging.LogRecord) -> bool | None:
        """Write `record` to the spool; it survives this process from now on.

        Returns False where a loss was counted that is yet to be told; None where it
        must go by our threads: after a reload or a fork, or if somebody has closed
        our descriptor.
        """
        levelno = level_of(record)
        try:
            for name, apply in self.filters:
                kept = apply(record)
                if kept is None:
                    self.spool.filter_out(name)
                    return True
                record = kept
            body = self.encode_safely(record)
        except BaseException as fault:
            self.spool.refuse(levelno, "format_error")
            self.note(fault)
            if not isinstance(fault, Exception):
                raise
            return False
        failed = self.spool.append_body(body, levelno)
        if failed is not None:
            return self._not_written(failed, levelno)
        if self.last_error is not None:
            self.last_error = None
        if not self.is_running:
            self.wake()  # it looks after the disk while the rear waits for a destination
        self._wake_rear(levelno)
        return True

    def _wake_rear(self, levelno: int) -> None:
        """Wake the rear, unless it looks soon by itself: a batch waits for its time."""
        rear, self._unrung = self.rear, self._unrung + 1
        is_due = self._unrung >= _MOST_UNRUNG or is_urgent(levelno)
        if is_due or not rear.is_running or rear.bell.state == ASLEEP:
            self._unrung = 0
            rear.wake()

    def _not_written(self, fault: OSError, levelno: int) -> bool | None:
        if not self.spool.is_open or fault.errno == errno.EBADF:
            return None
        self.spool.refuse(levelno, reason_of(fault))
        if not isinstance(fault, Full):
            text = f"cannot spool to `{self.spool.folder.path}`: {fault.strerror or fault}"
            self.note(DeliveryError(text))
        return False

    def _alone(self, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Let one thread at a time into a filter of ours, as its counters need it."""

        def alone(record: Any) -> Any:
            lock = self._filter_lock
            # One that the ending interpreter has frozen never lets go.
            is_held = lock.acquire(timeout=_FILTER_PATIENCE_S)
            try:
                return apply(record)
            finally:
                if is_held:
                    lock.release()

        return alone

    # -- the fallback

    def fall_back_to(self, other: Worker, handover: "Handover") -> None:
        """Have what is refused here passed on to `other` by `handover`.

        Raises:
            ValueError: records would come back here.
        """
        self._refuse_circle(other)
        self.fallback = other
        self.rear.fall_back_to(other, handover)
        self._keep_records(True)

    def bring_home(self, deadline: float) -> None:
        """Wait until what waits in memory is in the spool, at most until `deadline`."""
        is_safe = Latch()
        self.queue.when_settled(is_safe.open)
        is_safe.wait(deadline - time.monotonic())
        self.queue.forget(is_safe.open)

    def abandon(self) -> None:
        """Do nothing: what waits is safe where it is."""

    def write_off(self) -> None:
        """Do nothing: what is not acknowledged lies on disk."""

    def save_rest(self, reason: str) -> int:  # noqa: ARG002
        """Say what stays in the spool; return how many records are not even there."""
        self._tell_kept()
        return self.queue.unsettled

    # -- the threads

    def hold_for_fork(self, timeout_s: float, held: list[Callable[[], None]]) -> None:
        """Keep threads out of code that is not ours; `held` gets what lets them in again."""
        self.rear.hold_for_fork(timeout_s, held)

    def reset_after_fork(self) -> None:
        """Start anew in a forked child; the parent's part of the spool is the parent's."""
        self.rear.held = None
        self.rear.reset_after_fork()
        super().reset_after_fork()

    def take_over(self) -> None:
        """Forget the threads, which the ending interpreter has frozen for good."""
        super().take_over()
        self.rear.take_over()

    def begin(self) -> None:
        """Deliver what earlier processes have left."""
        if not self.rear.is_running and self.spool.may_be_waiting:
            self.rear.wake()

    def hold(self) -> None:
        """Let records only wait in the spool until `let_go`; the front needs nobody's leave."""
        self.spool.hold()
        self.rear.hold()

    def let_go(self) -> None:
        """Begin, as the worker before this one has ended, and find what it left."""
        if self.rear.held is not None:
            self.spool.look_again()
        self.rear.let_go()

    def end_pause(self, is_over: bool) -> None:
        """Send what waits though the sink rations its batches, since the program ends."""
        self.rear.end_pause(is_over)

    def hasten(self, is_hasty: bool) -> None:
        """Leave in the spool, from now on, what only waiting could deliver; or wait again."""
        self.spool.is_ending = is_hasty
        super().hasten(is_hasty)
        self.rear.hasten(is_hasty)

    def hurry(self) -> None:
        """Look again at what waits, since somebody began to wait for it."""
        super().hurry()
        self.rear.hurry()

    def stop(self, deadline: float) -> None:
        """Ask both threads to end, the rear when the front has."""
        super().hasten(True)
        self.rear.hasten(True)
        super().stop(deadline)
        if not self.is_running:
            self.rear.stop(deadline)

    def _run(self) -> None:
        super()._run()
        if self._stop_at is not None:
            self.rear.stop(self._stop_at)

    def join(self, timeout_s: float) -> bool:
        """Wait for both threads to end after `stop`; return whether they did."""
        deadline = time.monotonic() + timeout_s
        if not super().join(timeout_s):  # a disk that hangs
            self.rear.stop(deadline)
            return False
        return self.rear.join(deadline - time.monotonic())

    def drain(self) -> None:
        """Deliver all that waits, in the calling thread; try that once, it is safe here."""
        super().drain()
        self._waiters.enter()
        if not self._is_in_vain:
            self._drain_rear()

    def _drain_rear(self) -> None:
        self.rear.drain()
        self._is_in_vain = bool(self.spool.unsettled) and not self.rear.is_running

    def wake(self) -> None:
        """See to it that what waits gets to the disk; a stopped worker stays stopped."""
        if self.is_running:
            super().wake()
        elif self._stop_at is None and self.held is None:
            try:
                self.start()
            except RuntimeError:  # no thread can start any more; `drain` delivers
                super().drain()

    def release(self, timeout_s: float) -> None:
        """Have the sinks closed by the threads that own them."""
        deadline = time.monotonic() + timeout_s
        if self.is_running:
            super().release(timeout_s)
        else:
            super().close_sink(timeout_s)  # ours alone: the other one may hang in its thread
        self.hasten(True)
        self.rear.release(deadline - time.monotonic())
        self._tell_kept()

    def close_queue(self, reason: str, *, to_fallback: bool = False) -> int:
        """Leave the spool to the next process; return how many records never got there."""
        lost = super().close_queue(reason, to_fallback=to_fallback)
        if not self.rear.is_running:
            self.rear.close_sink(0.2)  # it may know of records that have not arrived
        self._tell_kept()
        self._waiters.enter()  # the threads that did so have ended
        self.spool.close(reason)
        self._waiters.enter()  # who came amid that
        return lost

    def close_sink(self, timeout_s: float) -> None:
        """Close both sinks, unless that is done or somebody goes on using them."""
        super().close_sink(timeout_s)
        self.rear.close_sink(timeout_s)

    def _tell_kept(self) -> None:
        """Say once that records wait for the next process."""
        kept = self.spool.kept
        if kept and not self._has_told_kept:
            self._has_told_kept = True
            noun = "record stays" if kept == 1 else "records stay"
            text = f"{kept} {noun} in the spool `{self.spool.folder.path}` for the next start"
            self._notices.say(f"{self.name}:spool:{id(self)}", f"handler `{self.name}`: {text}")
