"""The courier: takes one batch to its end, whatever the sink makes of it.

Each payload ends delivered, in the dead letter file, with the fallback, or
counted as dropped. What may succeed later is tried again, as the backoff and the
breaker say. Runs in the worker's thread, or in whichever delivers in its place.
"""

import functools
import logging
from collections.abc import Callable, Sequence

from logroute.delivery.queue import Item, Kept, Queue
from logroute.delivery.retry import Backoff
from logroute.engine.notices import describe
from logroute.errors import DeliveryError, Rejected, Retryable, TooLarge
from logroute.light import TYPE_CHECKING, Any
from logroute.records import pack, unpack
from logroute.sinks import Sink

if TYPE_CHECKING:
    from logroute.delivery.breaker import Breaker
    from logroute.delivery.deadletter import DeadLetters
    from logroute.delivery.spool.queue import SpoolQueue

__all__ = ["Courier", "is_slowness"]

#: Reasons of a drop that lie in the record: sending it again would not help.
_REFUSALS = frozenset({"rejected", "sink_error", "format_error"})

_Positions = list[int]
#: Gives records to the fallback.
_PassOn = Callable[[list[logging.LogRecord]], None]
#: What became of a payload: the name of a method of `Queue`, and the reason of a drop.
_Fate = tuple[str, str]
_DELIVERED = ("delivered", "")
_DEAD_LETTERED = ("dead_lettered", "")
_HANDED_OVER = ("handed_over", "")


def is_slowness(fault: BaseException) -> bool:
    """Return whether a local destination only needs time, as a pipe that is not read."""
    return isinstance(fault, TimeoutError) or isinstance(fault.__cause__, TimeoutError)


def _to_nobody(records: list[logging.LogRecord]) -> None:
    raise AssertionError(f"there is no fallback for {len(records)} records")


class _Batch:
    """Payloads and what became of each; the queue is told in their order."""

    __slots__ = ("_begun", "_fates", "_pass_on", "_queue", "_records", "items", "payloads")

    def __init__(
        self, queue: "Queue | SpoolQueue", items: Sequence[Item], payloads: Sequence[Any]
    ) -> None:
        self._queue = queue
        self.items = items
        self.payloads = payloads
        self._fates: list[_Fate | None] = [None] * len(items)
        self._begun = 0
        self._records: dict[int, logging.LogRecord] = {}
        self._pass_on: _PassOn = _to_nobody

    def payloads_at(self, positions: Sequence[int]) -> list[Any]:
        """Return the payloads at `positions`, in order."""
        if len(positions) == len(self.payloads):
            return list(self.payloads)
        return [self.payloads[at] for at in positions]

    def settle(self, positions: Sequence[int], fate: _Fate) -> None:
        """Decide on `positions`, and tell the queue as far as nothing before is open."""
        fates, at = self._fates, self._begun
        if len(positions) == len(fates) and fate is _DELIVERED:  # all at once, as nearly always
            self._fates, self._begun = [fate] * len(fates), len(fates)
            return self._queue.delivered(len(fates))
        for position in positions:
            fates[position] = fate
        while at < len(fates) and (fate_here := fates[at]) is not None:
            begun = at
            while at < len(fates) and fates[at] == fate_here:
                at += 1
            self._begun = at
            method, reason = fate_here
            if reason:
                self._queue.dropped(reason, at - begun)
            elif fate_here is _HANDED_OVER:
                self._queue.handed_over(at - begun, functools.partial(self._hand_over, at))
            else:
                getattr(self._queue, method)(at - begun)
        return None

    def hand_over(self, records: dict[int, logging.LogRecord], pass_on: _PassOn) -> None:
        """Let `pass_on` have `records`, by position, as they are settled."""
        self._pass_on = pass_on
        self._records.update(records)
        self.settle(list(records), _HANDED_OVER)

    def _hand_over(self, end: int, count: int) -> None:
        self._pass_on([self._records[at] for at in range(end - count, end)])


class Courier:
    """Settles the batches of one handler."""

    def __init__(
        self,
        name: str,
        queue: "Queue | SpoolQueue",
        backoff: Backoff | None,
        *,
        note: Callable[[BaseException | None], None],
        pause: Callable[[float, BaseException | None], bool],
        escapes: Callable[[BaseException], bool],
        breaker: "Breaker | None" = None,
        dead_letters: "DeadLetters | None" = None,
    ) -> None:
        """Settle what is in flight in `queue`.

        Args:
            name: the handler's name.
            queue: told what became of each record.
            backoff: when to try again; None: once only.
            note: keeps and says a fault; None: the last one is over.
            pause: waits so many seconds because of a fault; False: give up.
            escapes: tells a fault that is the calling thread's affair.
            breaker: when not to try at all.
            dead_letters: where refused records go.
        """
        self.breaker = breaker
        self.dead_letters = dead_letters
        self.fallback: str | None = None
        #: What is given up for now stays in the queue, which outlives the process.
        self.is_durable = getattr(queue, "is_durable", False)
        self._pass_on: _PassOn = _to_nobody
        self._bring: Callable[[], None] = lambda: None
        self._name = name
        self._last_fault = "the destination was not tried"
        self._is_only_try = False
        self._sent = 1
        self._queue = queue
        self._backoff = backoff
        self._note = note
        self._pause = pause
        self._escapes = escapes

    def fall_back_to(self, name: str, pass_on: _PassOn, bring: Callable[[], None]) -> None:
        """Give what is given up to the handler `name`.

        `pass_on` puts records on their way there, under a lock; then `bring` sees to it
        that they arrive.
        """
        self.fallback = name
        self._pass_on = pass_on
        self._bring = bring

    def reset(self) -> None:
        """Forget the failures so far, as a new thread or a forked child must."""
        self._written_off = 0
        for part in (self._backoff, self.breaker):
            if part is not None:
                part.reset()

    def deliver(
        self, sink: Sink, items: Sequence[Item], payloads: Sequence[Any], broken: Sequence[int] = ()
    ) -> None:
        """Send `payloads` until each is settled; those at `broken` could not be made.

        Raises:
            BaseException: what the sink raised, where that is the calling thread's
                affair; its part of the batch is settled all the same.
        """
        batch = _Batch(self._queue, items, payloads)
        whole: _Positions = list(range(len(items)))
        if broken:
            self._give_up(batch, list(broken), "format_error", "it could not be formatted")
            whole = [at for at in whole if at not in broken]
        todo = [whole] if whole else []
        while todo and not self._queue.is_seized:
            if not self._is_let_through():
                return self._give_up_all(batch, todo, self._last_fault)
            part = todo.pop()
            fault = self._send(sink, batch.payloads_at(part))
            if fault is None:
                batch.settle(part, _DELIVERED)
                self._succeeded()
                self._note(None)
                continue
            rest, must_wait = self._settle_fault(sink, batch, part, fault)
            todo += [piece for piece in reversed(rest) if piece]
            if must_wait and todo and not self._may_try_again(fault):
                reason = fault.reason if isinstance(fault, Retryable) else "undelivered"
                return self._give_up_all(batch, todo, describe(fault), reason)
        return None

    def try_once(self, sink: Sink, payload: Any) -> tuple[bool, BaseException | None]:
        """Send one payload that is in no queue, and wait for the peer to have it.

        Returns whether the sink took it, and what went wrong, already noted. What it
        took may arrive though something went wrong: it waits there for the peer.
        """
        if self.breaker is not None and self.breaker.wait_s():
            return False, Retryable(f"it keeps failing, and is not tried now: {self._last_fault}")
        self._is_only_try = True
        try:
            fault = self._send(sink, [payload])
            if fault is None or _took_all(fault):
                self._succeeded()
                fault = self._try(sink.flush)
                if fault is None:
                    self._note(None)
                return True, fault
            if not isinstance(fault, DeliveryError | OSError):
                self.close(sink)
            return False, fault
        finally:
            self._is_only_try = False

    def _send(self, sink: Sink, payloads: list[Any]) -> BaseException | None:
        """Send; return what went wrong, already noted."""
        self._sent = len(payloads)
        try:
            sink.open()
            sink.send(payloads)
        except BaseException as fault:
            if isinstance(fault, Retryable | OSError) and self.breaker is not None:
                self.breaker.failed(getattr(fault, "retry_after_s", None))
            self._last_fault = describe(fault)
            self._note(fault)
            return fault
        return None

    def tend(self, sink: Sink) -> None:
        """Have `sink` send again what a broken connection may have lost."""
        if (self.breaker is None or not self.breaker.wait_s()) and self._send(sink, []) is None:
            self._succeeded()
            self._note(None)

    def _succeeded(self) -> None:
        if self._backoff is not None:
            self._backoff.reset()
        if self.breaker is not None:
            self.breaker.succeeded()

    def _settle_fault(
        self, sink: Sink, batch: _Batch, part: _Positions, fault: BaseException
    ) -> tuple[list[_Positions], bool]:
        """Settle what a fault decides of `part`.

        Returns the pieces that are to be sent again, and whether to wait before.
        """
        if isinstance(fault, Retryable | OSError):
            return [self._settle_head(batch, part, fault)], True
        if isinstance(fault, TooLarge):
            return self._halves(batch, part, fault), False
        if isinstance(fault, Rejected):
            return [self._reject(batch, part, fault)], bool(fault.again)
        self.close(sink)
        self._give_up(batch, part, "sink_error", describe(fault))
        if self._escapes(fault):
            raise fault
        return [], False

    def _settle_head(self, batch: _Batch, part: _Positions, fault: BaseException) -> _Positions:
        """Settle what was delivered before the fault; return the rest."""
        delivered = min(max(getattr(fault, "delivered", 0), 0), len(part))
        if delivered:
            batch.settle(part[:delivered], _DELIVERED)
            self._succeeded()
        return part[delivered:]

    def _halves(self, batch: _Batch, part: _Positions, fault: TooLarge) -> list[_Positions]:
        part = self._settle_head(batch, part, fault)
        self._succeeded()  # it answered
        if len(part) <= 1:
            self._give_up(batch, part, "rejected", describe(fault))
            return []
        middle = len(part) // 2
        return [part[:middle], part[middle:]]

    def _reject(self, batch: _Batch, part: _Positions, fault: Rejected) -> _Positions:
        """Settle what was refused and what was not; return what is to be sent again."""
        if fault.which is not None:
            again = fault.again - fault.which
            refused = [at for index, at in enumerate(part) if index in fault.which]
            rest = [at for index, at in enumerate(part) if index in again]
            open_yet = {*refused, *rest}
            batch.settle([at for at in part if at not in open_yet], _DELIVERED)
        else:
            part = self._settle_head(batch, part, fault)
            count = len(part) if fault.rejected is None else fault.rejected
            count = min(max(count, 0 if fault.delivered else 1), len(part))
            refused, rest = part[:count], part[count:]
        if len(rest) < len(part) or not part:
            self._succeeded()  # it answered, and something came of it
        self._give_up(batch, refused, fault.reason, describe(fault))
        return rest

    # -- trying again

    def _is_let_through(self) -> bool:
        """Wait until the breaker lets an attempt through; return False to give up."""
        if self.breaker is None or not (wait := self.breaker.wait_s()):
            return True
        left = self._backoff.left_s() if self._backoff is not None else wait
        if self._is_taken_over or not self._pause(min(wait, left), None):
            return False
        return self._backoff is None or self._backoff.left_s() > 0

    def _may_try_again(self, fault: BaseException) -> bool:
        """Wait as backoff and breaker say; return False to give up."""
        backoff, breaker = self._backoff, self.breaker
        if backoff is None:
            return False
        delay = backoff.delay(getattr(fault, "retry_after_s", None))
        if delay is not None and breaker is not None and breaker.is_open:
            # Its probes are the pace now; a fallback need not wait for them.
            delay = None if self._is_taken_over else min(breaker.wait_s(), backoff.left_s())
        return delay is not None and self._pause(delay, fault)

    # -- giving up

    @property
    def _is_taken_over(self) -> bool:
        """Whether a fallback gets what cannot be delivered now."""
        return self.fallback is not None and not self.is_durable

    def _give_up_all(
        self, batch: _Batch, parts: list[_Positions], error: str, reason: str = "undelivered"
    ) -> None:
        if self._backoff is not None:
            self._backoff.reset()
        self._give_up(batch, [at for part in reversed(parts) for at in part], reason, error)

    def _give_up(self, batch: _Batch, positions: _Positions, reason: str, error: str) -> None:
        """Let the dead letter file, the fallback or the count have what is not delivered."""
        if not positions:
            return None
        if self.is_durable and reason not in _REFUSALS:
            return batch.settle(positions, ("dropped", reason))  # it stays where it is
        if self.dead_letters is not None and (reason in _REFUSALS or self.fallback is None):
            kept = self.keep([_packed(batch.items[at]) for at in positions], reason, error)
            batch.settle([at for n, at in enumerate(positions) if kept[n]], _DEAD_LETTERED)
            positions = [at for n, at in enumerate(positions) if not kept[n]]
        elif self.fallback is not None and (
            records := self._records([batch.items[at] for at in positions])
        ):
            batch.hand_over(dict(zip(positions, records, strict=True)), self._pass_on)
            return self._bring()
        return batch.settle(positions, ("dropped", reason))

    def keep(self, records: list[bytes], reason: str, error: str) -> list[bool]:
        """Put packed records into the dead letter file; return which of them are there."""
        kept: list[bool] = []
        while self.dead_letters is not None and len(kept) < len(records):
            try:
                done = self.dead_letters.add(
                    records[len(kept) :], handler=self._name, reason=reason, error=error
                )
            except Exception as fault:
                self._note(DeliveryError(f"dead letter file: {describe(fault)}"))
                break
            kept += [True] * done
            if len(kept) < len(records):
                kept.append(False)  # too large for the file; those behind it may fit
        return kept + [False] * (len(records) - len(kept))

    def _records(self, items: Sequence[Item]) -> list[logging.LogRecord]:
        """Return the records of `items`; none where that cannot be done."""
        try:
            return [_record(item) for item in items]
        except Exception as fault:
            self._note(fault)
            return []

    def save(self, items: list[Item], reason: str, *, to_fallback: bool) -> tuple[int, int]:
        """Save seized items from loss where the sink is not waited for.

        Returns how many, oldest first, are in the dead letter file, and how many
        the fallback has.
        """
        if to_fallback and self.fallback is not None and (found := self._records(items)):
            self._pass_on(found)
            self._bring()
            return 0, len(items)
        records = [_packed(item) for item in items] if self.dead_letters is not None else []
        return sum(self.keep(records, reason, "not delivered in time")), 0

    def outlook(self, fault: BaseException) -> str:
        """Say what comes of a fault, where that is known."""
        if self._is_only_try:
            return ""
        if isinstance(fault, Rejected):
            return self._refusal(fault)
        if isinstance(fault, TooLarge):
            is_one = self._sent - fault.delivered <= 1
            return " (refused for good)" if is_one else " (sent in halves, as far as they go)"
        if isinstance(fault, Retryable | OSError):
            if self._is_taken_over and self.breaker is not None and self.breaker.is_open:
                return f" (handler `{self.fallback}` takes over)"
            if self.is_durable:
                return " (stays in the spool and will be tried again)"
            return " (will be tried again)" if self._backoff is not None else ""
        return ""

    def _refusal(self, fault: Rejected) -> str:
        """Say how much of what was sent last is refused, and what comes of the rest."""
        sent = self._sent
        if fault.which is not None:
            refused, again = len(fault.which), len(fault.again - fault.which)
        else:
            left = max(sent - fault.delivered, 0)
            refused = left if fault.rejected is None else fault.rejected
            refused = min(max(refused, 0 if fault.delivered else 1), left)  # as `_reject`
            again = left - refused
        if not refused:
            return " (will be tried again)" if again else " (delivered all the same)"
        some = "" if refused >= sent else f"{refused} of {sent} "
        return f" ({some}refused for good{f', {again} will be tried again' if again else ''})"

    def close(self, sink: Sink) -> None:
        """Flush and close `sink`, whatever it raises; count what it has not brought over."""
        self._try(sink.flush)
        self.write_off(sink)
        self._written_off = 0
        self._try(sink.close)

    def write_off(self, sink: Sink) -> bool:
        """Count as lost, once, what `sink` has sent and nobody has acknowledged; say if any."""
        held = getattr(sink, "held", 0)
        more = held - self._written_off
        if more > 0:
            self._written_off = held
            self._queue.lost_after_all("unacknowledged", more)
        return more > 0

    def _try(self, part: Callable[[], None]) -> BaseException | None:
        try:
            part()
        except BaseException as fault:
            self._note(fault)
            return fault
        return None


def _took_all(fault: BaseException) -> bool:
    """Return whether a batch of one was delivered, though a part of its journey failed."""
    if isinstance(fault, Rejected) and fault.which is not None:
        return not (fault.which or fault.again)
    return isinstance(fault, DeliveryError) and fault.delivered > 0


def _packed(item: Item) -> bytes:
    payload = item[0]
    return payload.record if isinstance(payload, Kept) else pack(payload)


def _record(item: Item) -> logging.LogRecord:
    payload = item[0]
    return unpack(payload.record) if isinstance(payload, Kept) else payload
