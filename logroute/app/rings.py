"""Brings `memory` handlers to life: a ring for a queue, and a worker without a thread.

Handing on waits for nothing, so whoever puts the record that releases the others does
it: the dispatcher, and at the end who ends the process.
"""

import logging
import weakref
from collections import deque
from collections.abc import Callable

from logroute.delivery.queue import Queue
from logroute.delivery.ring import Ring
from logroute.delivery.specs import QueueSpec
from logroute.engine.notices import inside
from logroute.engine.runtime import Runtime
from logroute.engine.worker import Worker
from logroute.light import Any
from logroute.sinks.memory import MemorySpec

__all__ = ["RingWorker", "make_ring"]


def make_ring(spec: MemorySpec, flush_level: int) -> Callable[[QueueSpec, str], Queue]:
    """Return what makes the queue of a `memory` handler.

    Its bounds are those of what is released; a whole ring always fits.
    """

    def make(queue: QueueSpec, overflow: str) -> Ring:
        roomy = queue.replace(
            max_records=max(queue.max_records, 2 * spec.capacity),
            max_bytes=max(queue.max_bytes, 2 * spec.max_bytes),
        )
        return Ring(
            roomy,
            overflow,
            capacity=spec.capacity,
            max_kept_bytes=spec.max_bytes,
            flush_level=flush_level,
        )

    return make


class RingWorker(Worker):
    """Hands on what its ring lets out, in the thread that caused it."""

    queue: Ring
    can_audit = False

    def __init__(self, *args: Any, spec: MemorySpec, **options: Any) -> None:
        """Be a worker as any; `link` tells whom to hand on to."""
        self._outgoing: deque[list[logging.LogRecord]] = deque()
        sink = spec.sink()
        sink.hand_on = self._outgoing.append
        name, queue, _, *rest = args
        options["encodes_late"] = False  # only the target formats
        super().__init__(name, queue, lambda: sink, *rest, **options)
        self.feeds_others = True
        self._target = spec.target
        self._lets_out_at_the_end = spec.flush_on_close
        self._runtime: Callable[[], Runtime | None] = lambda: None
        self._pass_on: Callable[[list[logging.LogRecord]], None] = lambda _: None

    def link(self, target: Worker, runtime: Runtime) -> None:
        """Hand on to `target`, or whoever has its name after a reload.

        Raises:
            ValueError: records would come back here.
        """
        dispatcher = runtime.dispatcher  # not the runtime: it may be dropped
        try:
            self.fall_back_to(target, dispatcher.handover)
        except ValueError:
            text = f"its target `{target.name}` hands records back to it in the end"
            raise ValueError(text) from None
        self.keeps_records = False  # the payloads are records
        self.queue.onward = target.queue
        self._runtime = weakref.ref(runtime)

        def pass_on(records: list[logging.LogRecord]) -> None:
            now = dispatcher.routing.workers.get(self._target, target)
            self.queue.onward = now.queue
            dispatcher.handover.pass_on(records, now)
            dispatcher.handover.bring()

        self._pass_on = pass_on

    def reset_after_fork(self) -> None:
        """Start anew in a forked child: what is on its way on, the parent hands on."""
        super().reset_after_fork()
        self._outgoing.clear()

    def wake(self) -> None:
        """Hand on what is released."""
        if self.queue.waiting:
            self.drain()

    def drain(self) -> None:
        """Hand on what is released, after a stop too."""
        with self._step_lock, inside(self.own_threads):
            while self.step():
                pass
        while self._outgoing:  # without the lock: this may enter the dispatcher
            self._pass_on(self._outgoing.popleft())

    def stop(self, deadline: float) -> None:
        """Let out what is to be seen at the end, and end."""
        self._let_out()
        super().stop(deadline)

    def release(self, timeout_s: float) -> None:
        """Let out what is to be seen at the end, as the process ends."""
        runtime = self._runtime()
        if self._let_out() and runtime is not None:
            target = runtime.workers.get(self._target)
            if target is not None:  # its own turn to be waited for may be over
                runtime.settle((target,), timeout_s)
        super().release(timeout_s)

    def _let_out(self) -> bool:
        if self._lets_out_at_the_end:
            self.queue.release()
        lets_out = self.queue.waiting > 0
        self.drain()
        return lets_out
