"""When a batch is due, by an injected clock."""

from engine_kit import Clock

from logroute.delivery.queue import Queue
from logroute.delivery.specs import BatchSpec, QueueSpec
from logroute.engine.schedule import Schedule


class Bench:
    """A queue and its schedule."""

    def __init__(self, batch, **options):
        self.clock = Clock()
        self.queue = Queue(QueueSpec(), "shed")
        self.schedule = Schedule(self.queue, batch, self.clock, **options)

    def put(self, count=1, level=20, size=10):
        self.queue.put([(b"x", level, size)] * count, [], [])

    def send(self):
        taken = self.queue.take(self.schedule.max_records, self.schedule.max_bytes)
        self.schedule.begin_batch()
        return len(taken)


def test_first_record_of_a_quiet_period_goes_at_once():
    """After a while without records there is no wait; right after a batch there is."""
    bench = Bench(BatchSpec(max_wait=5))
    assert bench.schedule.wait_s() is None
    bench.put()
    assert bench.schedule.wait_s() == 0
    bench.send()
    bench.put()
    assert bench.schedule.wait_s() == 5
    bench.clock.now += 2
    assert bench.schedule.wait_s() == 3
    bench.clock.now += 3
    assert bench.schedule.wait_s() == 0


def test_error_goes_at_once():
    """An ERROR does not wait for its batch, nor do those before it."""
    bench = Bench(BatchSpec(max_wait=5))
    bench.put()
    bench.send()
    bench.put(3, level=30)
    assert bench.schedule.wait_s() == 5
    bench.put(level=40)
    assert bench.schedule.wait_s() == 0
    assert bench.send() == 4
    bench.put()
    assert bench.schedule.wait_s() == 5


def test_full_batch_goes_at_once():
    """A batch is due when it is full, by records or by bytes."""
    bench = Bench(BatchSpec(max_records=3, max_bytes=100, max_wait=5))
    bench.put()
    bench.send()
    bench.put(2)
    assert bench.schedule.wait_s() == 5
    bench.put()
    assert bench.schedule.wait_s() == 0
    bench.send()
    bench.put(1, size=100)
    assert bench.schedule.wait_s() == 0


def test_mail_waits_for_its_digest():
    """A digest waits `max_wait` from its first record on, errors and quiet periods included."""
    bench = Bench(BatchSpec(max_wait=60), is_digest=True)
    bench.put(level=50)
    assert bench.schedule.wait_s() == 60
    bench.clock.now += 45
    bench.put(level=40)
    assert bench.schedule.wait_s() == 15
    bench.clock.now += 15
    assert bench.schedule.wait_s() == 0
    assert bench.send() == 2
    bench.clock.now += 1000
    bench.put()
    assert bench.schedule.wait_s() == 60


def test_full_digest_goes_at_once():
    """A digest that is full is sent before its time."""
    bench = Bench(BatchSpec(max_records=2, max_wait=60), is_digest=True)
    bench.put(2)
    assert bench.schedule.wait_s() == 0


def test_handler_without_batches_never_waits():
    """A local handler takes whatever is there."""
    bench = Bench(None)
    bench.put()
    bench.send()
    bench.put()
    assert bench.schedule.wait_s() == 0
