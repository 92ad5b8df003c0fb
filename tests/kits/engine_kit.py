"""Small sinks and a small runtime, for tests of the engine alone."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

from logroute.delivery.queue import Queue
from logroute.delivery.specs import BatchSpec, QueueSpec, RetrySpec
from logroute.engine.handler import HandlerFace, RouteHandler
from logroute.engine.losses import LossTeller
from logroute.engine.notices import Notices
from logroute.engine.runtime import Runtime
from logroute.engine.worker import Worker
from logroute.levels import Levels
from logroute.matchers import MatchSpec, compile_match
from logroute.routing import Attachment, Route, RouteTable


class Collector:
    """A sink that keeps what it gets; a gate can hold it, faults can be scripted."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.calls = 0
        self.faults: list[BaseException] = []
        self.closed = 0

    @property
    def logged(self) -> list[bytes]:
        """What the test logged: without what tells of losses."""
        return [payload for payload in self.received if b"` dropped " not in payload]

    def open(self) -> None:
        """Need nothing."""

    def send(self, batch: Sequence[Any]) -> None:
        """Keep the batch, once the gate is open and no fault is left."""
        self.calls += 1
        self.gate.wait(30)
        if self.faults:
            fault = self.faults.pop(0)
            self.received += batch[: getattr(fault, "delivered", 0)]
            raise fault
        self.received += batch
        self.batches.append(len(batch))

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Count."""
        self.closed += 1


def encode(record: logging.LogRecord) -> bytes:
    return record.getMessage().encode()


_WORKER_OPTIONS = (
    *("batch", "retry", "encode", "digest", "breaker", "networked"),
    *("dead_letters", "fallbacks"),  # by handler's name
)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Kit:
    """A runtime on a logger of its own, with named collectors.

    Losses are told by `clock`, which stands still unless a test has time pass.
    """

    def __init__(self, *names: str, routes: Sequence[tuple[Any, ...]] = (), **queue: Any) -> None:
        """Have these handlers; a route is a match, names, and perhaps more of `Route`."""
        self.notices = Notices()
        own_threads: set[int] = set()
        options = {key: queue.pop(key) for key in _WORKER_OPTIONS if key in queue}
        dead_letters = options.pop("dead_letters", {})
        fallbacks = options.pop("fallbacks", {})
        overflow = queue.pop("overflow", "block")
        sinks = self.sinks = {name: Collector() for name in names}
        compiled = [
            Route(
                f"routes[{i}]",
                compile_match(MatchSpec(**match), Levels()),
                tuple(to),
                **(more[0] if more else {}),
            )
            for i, (match, to, *more) in enumerate(routes or [({}, names)])
        ]
        table = RouteTable(compiled, {"root": Attachment()}, dict.fromkeys(names, 0))
        self.runtime = Runtime(table, {}, notices=self.notices, own_threads=own_threads)
        self.clock = Clock()
        self.runtime.dispatcher.handover.teller = LossTeller(self.clock)
        for name in names:
            worker = Worker(
                name,
                Queue(QueueSpec(**queue), overflow),
                lambda name=name: sinks[name],
                options.get("encode", encode),
                notices=self.notices,
                own_threads=own_threads,
                batch=options.get("batch"),
                retry=options.get("retry"),
                breaker=options.get("breaker"),
                dead_letter=dead_letters.get(name),
                is_digest=options.get("digest", False),
                is_sync=queue.get("mode") == "sync",
                is_networked=options.get("networked", False),
            )
            self.runtime.add(worker)
            self.runtime.handlers[name] = HandlerFace(self.runtime, worker, 0)
        for name, other in fallbacks.items():
            workers = self.runtime.workers
            workers[name].fall_back_to(workers[other], self.runtime.dispatcher.handover)
        self.logger = logging.Logger("kit", logging.DEBUG)
        self.face = RouteHandler(self.runtime, "root", has_lower=False)
        self.logger.addHandler(self.face)

    def counts(self, name: str) -> dict[str, Any]:
        return self.runtime.stats()["handlers"][name]

    def pass_time(self, seconds: float) -> None:
        """Have `seconds` pass for who tells of losses, and let it look."""
        self.clock.now += seconds
        done: list[bool] = []
        self.runtime.intake.bell.ring()
        self.runtime.intake.put_barrier(lambda: done.append(True))
        wait_until(lambda: done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sink in self.sinks.values():
            sink.gate.set()
        self.runtime.shutdown(5)


def adds_up(counts: dict[str, Any]) -> bool:
    """Return whether a handler's ledger obeys the law."""
    return counts["enqueued"] == (
        counts["delivered"]
        + sum(counts["dropped"].values())
        + sum(counts["filtered"].values())
        + counts["dead_lettered"]
        + counts["handed_to_fallback"]
        + counts["queued"]
        + counts["in_flight"]
    )


def wait_until(condition, timeout_s: float = 10.0) -> bool:
    """Wait for something that no event tells of."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


FAST = RetrySpec(initial=0.001, max=0.002, give_up_after=30.0)
ONE_BY_ONE = BatchSpec(max_records=1, max_wait=0.0)
