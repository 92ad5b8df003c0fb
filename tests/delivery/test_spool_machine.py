"""The spool against a model: what was acknowledged, what was not, and nothing else."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from engine_kit import adds_up
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from spool_kit import Clock, FaultyDisk, drain, frames_in, kill, put, segments, spool, take

from logroute.delivery.spool.frames import body_of, frame_of, key_of

SIZES = st.sampled_from([0, 1, 40, 300, 2000])
WHICH = st.sampled_from([0, 1])


class SpoolMachine(RuleBasedStateMachine):
    """Two processes on one folder, on a disk that fails and rots."""

    @initialize(write=st.sampled_from(["worker", "caller"]), held=st.sampled_from([0, 0, 1, 3]))
    def begin(self, write, held) -> None:
        self.write, self.held = write, held
        numbers = itertools.count(1)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(
            "logroute.delivery.spool.writer.new_series_name",
            lambda: f"00000000-{os.getpid()}-1-{next(numbers):08x}",
        )
        self.root = tempfile.mkdtemp(prefix="spool-machine-")
        self.clock = Clock()
        self.disk = FaultyDisk()
        self.next = 0
        self.waiting: set[bytes] = set()  # on disk, and not acknowledged
        self.settled: set[bytes] = set()
        self.hit: set[bytes] = set()  # their bytes were changed
        self.may_return: set[bytes] = set()  # settled, but the acknowledgement was destroyed
        self.queues = [self.opened(), self.opened()]
        self.flights: list[list[bytes]] = [[], []]
        self.sent: list[list[bytes]] = [[], []]  # delivered, in order, by each process

    def opened(self):
        options = {"max_bytes": 32 << 10, "write": self.write}
        queue = spool(self.root, clock=self.clock, disk=self.disk, **options)
        queue.held_back = lambda: self.held
        return queue

    @rule(which=WHICH, count=st.integers(1, 6), size=SIZES, is_trap=st.booleans())
    def append(self, which, count, size, is_trap):
        """Spool records; some hold the bytes of frames of another series."""
        trap = frame_of(key_of("00000000-1-1-00000000"), 7, body_of(b"invented", 20, 0.0))
        payloads = []
        for _ in range(count):
            self.next += 1
            payloads.append(b"%d:" % self.next + (trap if is_trap else b"") + b"x" * size)
        queue = self.queues[which]
        if self.write == "caller":
            done = [payload for payload in payloads if not queue.append(payload, 20)]
            for _ in payloads[len(done) :]:
                queue.refuse(20, "spool_full")
        else:
            done = payloads[: put(queue, *payloads)]
        self.waiting |= set(done)
        used = sum(path.stat().st_size for path in segments(self.root))
        if self.disk.budget is None and used < 8 << 10:
            assert done == payloads

    @rule(which=WHICH, most=st.integers(1, 9))
    def take(self, which, most):
        """Take some: nothing that was settled, nothing that was never spooled."""
        found = take(self.queues[which], most)
        assert set(found) <= self.waiting | self.may_return
        assert not set(found) & {p for flight in self.flights for p in flight} - self.may_return
        self.flights[which] += found

    @rule(which=WHICH, count=st.integers(1, 9))
    def deliver(self, which, count):
        done = self.flights[which][:count]
        del self.flights[which][:count]
        self.queues[which].delivered(len(done))
        self.waiting -= set(done)
        self.settled |= set(done)
        self.sent[which] += done
        self.may_return |= set(self.sent[which][-self.held :] if self.held else ())

    @rule(which=WHICH)
    def break_connection(self, which):
        """What the sink held last has not arrived after all."""
        self.queues[which].lost_after_all("unacknowledged", self.held)
        self.clock.now += 2
        if self.held:
            lost = self.sent[which][-self.held :]
            self.sent[which] = []  # what came before has arrived
            self.waiting |= set(lost)
            self.settled -= set(lost)
            if lost:  # what was in flight waits again too, whatever the worker says of it
                self.queues[which].dropped("worker_error", len(self.flights[which]))
                self.flights[which] = []

    @rule(which=WHICH)
    def come_back(self, which):
        """A batch could not be delivered: it waits again."""
        self.queues[which].dropped("undelivered", len(self.flights[which]))
        self.flights[which] = []
        self.clock.now += 2

    @rule(which=WHICH, is_clean=st.booleans())
    def end(self, which, is_clean):
        """A process ends, in order or by kill -9, and another one starts."""
        queue = self.queues[which]
        queue.close("shutdown") if is_clean else kill(queue)
        self.flights[which], self.sent[which] = [], []
        self.queues[which] = self.opened()

    @rule(seconds=st.sampled_from([0.6, 6.0, 31.0]))
    def wait(self, seconds):
        self.clock.now += seconds
        for queue in self.queues:
            queue.chores()

    @rule(budget=st.integers(0, 3000), can_cut=st.booleans())
    def fill_disk(self, budget, can_cut):
        self.disk.budget, self.disk.can_cut = budget, can_cut

    @precondition(lambda self: self.disk.budget is not None)
    @rule()
    def free_disk(self):
        self.disk.budget, self.disk.can_cut = None, True
        self.clock.now += 6
        for queue in self.queues:
            queue.chores()

    @rule(which=st.integers(0, 50), place=st.floats(0, 0.999), flip=st.integers(1, 255))
    def rot(self, which, place, flip):
        """One byte of a segment changes."""
        files = [path for path in segments(self.root) if path.stat().st_size]
        if not files:
            return
        path = files[which % len(files)]
        at = int(place * path.stat().st_size)
        try:
            whole = frames_in(path)
        except Exception:  # rotten already
            return
        self.hit |= {payload for start, end, payload in whole if start <= at < end}
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0] ^ flip
            file.seek(at)
            file.write(bytes([byte]))

    @rule(which=st.integers(0, 50), size=st.integers(0, 23))
    def forget(self, which, size):
        """An acknowledgement becomes unreadable: duplicates may come, losses may not."""
        files = sorted((Path(self.root) / "h").glob("*.ack"))
        if files:
            path = files[which % len(files)]
            os.truncate(path, size)
            self.disk.unchecked.add(path.stem)
            self.may_return |= self.settled

    @invariant()
    def counts_add_up(self) -> None:
        for queue in getattr(self, "queues", []):
            assert adds_up(queue.counts()), queue.counts()

    @invariant()
    def nothing_goes_before_its_time(self) -> None:
        if hasattr(self, "disk"):
            assert self.disk.removed_too_soon == []

    def teardown(self) -> None:
        if not hasattr(self, "queues"):
            return
        try:
            self.disk.budget, self.disk.can_cut = None, True
            for queue in self.queues:
                queue.close("shutdown")
            self.clock.now += 100
            self.held = 0
            last = self.opened()
            found = drain(last)
            assert adds_up(last.counts())
            last.close("shutdown")
            assert set(found) <= self.waiting | self.may_return  # nothing invented
            assert self.waiting - set(found) <= self.hit  # nothing lost but what rotted
            again = [payload for payload in found if payload not in self.may_return]
            assert len(again) == len(set(again))
            assert segments(self.root) == []
            assert [path.name for path in (Path(self.root) / "h").glob("*.lock")] == []
        finally:
            self.patch.undo()
            shutil.rmtree(self.root)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
