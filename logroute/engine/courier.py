"""The courier: takes one batch to its end, whatever the sink makes of it.

Each payload ends delivered, in the dead letter file, with the fallback, or
counted as dropped. What may succeed later is tried again, as the backoff and the
breaker say. Runs in the worker's thread, or in whichever delivers in its place.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from logroute.delivery.breaker import Breaker
from logroute.delivery.deadletter import DeadLetters
from logroute.delivery.queue import Item, Kept, Queue
from logroute.delivery.retry import Backoff
from logroute.engine.notices import describe
from logroute.errors import DeliveryError, Rejected, Retryable, TooLarge
from logroute.records import pack, unpack
from logroute.sinks import Sink

__all__ = ["Courier", "is_slowness"]

#: Reasons of a drop that lie in the record: sending it again would not help.
_REFUSALS = frozenset({"rejected", "sink_error", "format_error"})

_Positions = list[int]
#: What became of a payload: the name of a method of `Queue`, and the reason of a drop.
_Fate = tuple[str, str]
_DELIVERED = ("delivered", "")
_DEAD_LETTERED = ("dead_lettered", "")
_HANDED_OVER = ("handed_over", "")


def is_slowness(fault: BaseException) -> bool:
    """Return whether a local destination only needs time, as a pipe that is not read."""
    return isinstance(fault, TimeoutError) or isinstance(fault.__cause__, TimeoutError)


class _Batch:
    """Payloads and what became of each; the queue is told in their order."""

    __slots__ = ("_begun", "_fates", "_queue", "items", "payloads")

    def __init__(self, queue: Queue, items: Sequence[Item], payloads: Sequence[Any]) -> None:
        self._queue = queue
        self.items = items
        self.payloads = payloads
        self._fates: list[_Fate | None] = [None] * len(items)
        self._begun = 0

    def payloads_at(self, positions: Sequence[int]) -> list[Any]:
        """Return the payloads at `positions`, in order."""
        if len(positions) == len(self.payloads):
            return list(self.payloads)
        return [self.payloads[at] for at in positions]

    def settle(self, positions: Sequence[int], fate: _Fate) -> None:
        """Decide on `positions`, and tell the queue as far as nothing before is open."""
        fates, at = self._fates, self._begun
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
            else:
                getattr(self._queue, method)(at - begun)


class Courier:
    """Settles the batches of one handler."""

    def __init__(
        self,
        name: str,
        queue: Queue,
        backoff: Backoff | None,
        *,
        note: Callable[[BaseException | None], None],
        pause: Callable[[float, BaseException | None], bool],
        escapes: Callable[[BaseException], bool],
        breaker: Breaker | None = None,
        dead_letters: DeadLetters | None = None,
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
        self._pass_on: Callable[[list[logging.LogRecord]], None] | None = None
        self._name = name
        self._last_fault = "the destination was not tried"
        self._queue = queue
        self._backoff = backoff
        self._note = note
        self._pause = pause
        self._escapes = escapes

    def fall_back_to(self, name: str, pass_on: Callable[[list[logging.LogRecord]], None]) -> None:
        """Give what is given up to the handler `name`; `pass_on` takes the records there."""
        self.fallback = name
        self._pass_on = pass_on

    def reset(self) -> None:
        """Forget the failures so far, as a new thread or a forked child must."""
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
                return self._give_up_all(batch, todo, describe(fault))
        return None

    def _send(self, sink: Sink, payloads: list[Any]) -> BaseException | None:
        """Send; return what went wrong, already noted."""
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
        self._give_up(batch, refused, "rejected", describe(fault))
        return rest

    # -- trying again

    def _is_let_through(self) -> bool:
        """Wait until the breaker lets an attempt through; return False to give up."""
        if self.breaker is None or not (wait := self.breaker.wait_s()):
            return True
        left = self._backoff.left_s() if self._backoff is not None else wait
        if self.fallback is not None or not self._pause(min(wait, left), None):
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
            delay = None if self.fallback else min(breaker.wait_s(), backoff.left_s())
        return delay is not None and self._pause(delay, fault)

    # -- giving up

    def _give_up_all(self, batch: _Batch, parts: list[_Positions], error: str) -> None:
        if self._backoff is not None:
            self._backoff.reset()
        self._give_up(batch, [at for part in reversed(parts) for at in part], "undelivered", error)

    def _give_up(self, batch: _Batch, positions: _Positions, reason: str, error: str) -> None:
        """Let the dead letter file, the fallback or the count have what is not delivered."""
        if not positions:
            return
        if self.dead_letters is not None and (reason in _REFUSALS or self.fallback is None):
            records = [_packed(batch.items[at]) for at in positions]
            kept = self.keep(records, reason, error)
            batch.settle([at for n, at in enumerate(positions) if kept[n]], _DEAD_LETTERED)
            positions = [at for n, at in enumerate(positions) if not kept[n]]
        elif self.fallback is not None and self._hand_over([batch.items[at] for at in positions]):
            batch.settle(positions, _HANDED_OVER)
            return
        batch.settle(positions, ("dropped", reason))

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

    def _hand_over(self, items: Sequence[Item]) -> bool:
        assert self._pass_on is not None
        try:
            self._pass_on([_record(item) for item in items])
        except Exception as fault:
            self._note(fault)
            return False
        return True

    def save(self, items: list[Item], reason: str, *, to_fallback: bool) -> tuple[int, int]:
        """Save seized items from loss where the sink is not waited for.

        Returns how many, oldest first, are in the dead letter file, and how many
        the fallback has.
        """
        if items and to_fallback and self.fallback is not None and self._hand_over(items):
            return 0, len(items)
        records = [_packed(item) for item in items] if self.dead_letters is not None else []
        return sum(self.keep(records, reason, "not delivered in time")), 0

    def outlook(self, fault: BaseException) -> str:
        """Say what comes of a fault, where that is known."""
        if isinstance(fault, Rejected):
            return " (refused for good)"
        if isinstance(fault, TooLarge):
            return " (sent in halves, as far as they go)"
        if isinstance(fault, Retryable | OSError):
            if self.fallback is not None and self.breaker is not None and self.breaker.is_open:
                return f" (handler `{self.fallback}` takes over)"
            return " (will be tried again)" if self._backoff is not None else ""
        return ""

    def close(self, sink: Sink) -> None:
        """Flush and close `sink`, whatever it raises; count what it has not brought over."""
        self._try(sink.flush)
        self._queue.lost_after_all("unacknowledged", getattr(sink, "held", 0))
        self._try(sink.close)

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as fault:
            self._note(fault)


def _packed(item: Item) -> bytes:
    payload = item[0]
    return payload.record if isinstance(payload, Kept) else pack(payload)


def _record(item: Item) -> logging.LogRecord:
    payload = item[0]
    return unpack(payload.record) if isinstance(payload, Kept) else payload
