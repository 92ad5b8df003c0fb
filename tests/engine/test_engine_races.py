"""Races between callers, dispatcher, workers and stops, forced by hooks."""

import logging
import os
import threading

import pytest
from engine_kit import Kit, adds_up, wait_until

from logroute.delivery.specs import BatchSpec
from logroute.engine import hooks


def threads():
    return len(os.listdir("/proc/self/task"))


def test_flush_between_look_and_sleep_is_served():
    """A digest that is asked for as its worker finds nothing goes out all the same."""
    with Kit("a", batch=BatchSpec(max_wait=60.0), digest=True) as kit:
        worker, settled = kit.runtime.workers["a"], threading.Event()
        take = worker.queue.take

        def take_and_be_asked(*bounds):
            batch = take(*bounds)
            if not batch:
                worker.queue.take = take
                worker.queue.put([(b"x", 20, 1)], [], [])
                worker.queue.when_settled(settled.set)
                worker.hurry()
            return batch

        worker.queue.take = take_and_be_asked
        worker.start()
        worker.release(10)
        assert settled.wait(10)
        assert kit.sinks["a"].received == [b"x"]


def test_handler_in_the_midst_of_its_making_can_be_closed(monkeypatch):
    """A child forked while another thread makes handlers closes them at exit as any other."""
    closed = []

    def add_and_close(handler):
        handler.acquire()
        handler.flush()
        handler.close()
        handler.release()
        closed.append(handler)

    monkeypatch.setattr(logging, "_addHandlerRef", add_and_close)
    with Kit("a") as kit:
        assert [kit.runtime.handlers["a"], kit.face] == closed


def test_flush_before_the_sleep_is_served():
    """A flush that comes between the worker's last look and its sleep is not missed."""
    with Kit("a", batch=BatchSpec(max_wait=60.0), digest=True) as kit:
        worker, settled = kit.runtime.workers["a"], threading.Event()
        sleep = worker.bell.sleep

        class AskedBell(type(worker.bell)):
            def sleep(self, timeout_s):
                worker.bell = asked
                if not settled.is_set() and not worker.queue.calls:
                    worker.queue.put([(b"x", 20, 1)], [], [])
                    worker.queue.when_settled(settled.set)
                    worker.hurry()
                super().sleep(timeout_s)

        worker.bell = asked = AskedBell()
        worker.start()
        assert settled.wait(10)
        assert sleep is not None


def test_level_changed_during_a_decision_counts():
    """A decision taken while a level changes is not remembered."""
    with Kit("a") as kit:
        dispatcher = kit.runtime.dispatcher
        decide = dispatcher.decide

        def decide_late(*key):
            decision = decide(*key)
            dispatcher.decide = decide
            kit.runtime.handlers["a"].setLevel(logging.ERROR)
            return decision

        dispatcher.decide = decide_late
        kit.logger.info("decided before")
        kit.logger.info("decided after")
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"decided before"]


def test_busy_producers_do_not_keep_the_dispatcher():
    """The dispatcher ends after what was there when it was stopped."""
    with Kit("a") as kit:
        dispatcher = kit.runtime.dispatcher
        step = dispatcher.step

        def step_while_others_log():
            worked = step()
            kit.runtime.intake.entries.append(lambda: None)
            return worked

        dispatcher.step = step_while_others_log
        kit.logger.info("x")
        assert dispatcher.stop(10)
        assert not dispatcher.is_running


def test_record_put_as_the_dispatcher_ends_is_counted():
    """A record that meets a dispatcher in its last moment is in the ledger."""
    with Kit("a") as kit:
        kit.logger.info("1")
        assert kit.runtime.flush(10)
        entries = kit.runtime.intake.entries
        late = (logging.makeLogRecord({"msg": "2"}), kit.runtime.handlers["a"]._decision, None)
        kit.runtime.dispatcher.end_soon(lambda: entries.append(late))
        assert wait_until(lambda: not kit.runtime.dispatcher.is_running)
        assert wait_until(lambda: kit.counts("a")["enqueued"] == 2)
        assert kit.runtime.flush(10)
        assert kit.sinks["a"].received == [b"1", b"2"]


def test_late_records_start_no_thread():
    """Records after a shutdown are counted; the sink stays closed, once."""
    kit = Kit("a")
    before = threads()
    kit.logger.info("x")
    face = kit.runtime.handlers["a"]
    kit.runtime.shutdown(10)
    for _ in range(3):
        face.handle(logging.makeLogRecord({"levelno": 20, "msg": "late"}))
    assert wait_until(lambda: threads() == before)
    counts = kit.runtime.workers["a"].queue.counts()
    assert counts["dropped"] == {"shutdown": 3}
    assert adds_up(counts)
    assert kit.sinks["a"].closed == 1


def test_record_between_stop_and_close_is_counted():
    """A record that comes as the handlers are being closed is counted as dropped."""
    kit = Kit("a")
    kit.logger.info("x")
    worker = kit.runtime.workers["a"]
    join, face = worker.join, kit.runtime.handlers["a"]

    def join_while_others_log(timeout_s):
        ended = join(timeout_s)
        face.handle(logging.makeLogRecord({"levelno": 20, "msg": "late"}))
        return ended

    worker.join = join_while_others_log
    assert kit.runtime.shutdown(10) == {"a": 1}
    assert worker.queue.counts()["dropped"] == {"shutdown": 1}
    assert (kit.sinks["a"].closed, kit.sinks["a"].received) == (1, [b"x"])


def test_interrupted_shutdown_cleans_up():
    """Ctrl-C while shutdown waits ends the wait, and no thread or sink stays."""
    kit = Kit("a")
    before = threads()
    kit.logger.info("x")

    def interrupted(deadline):
        raise KeyboardInterrupt

    kit.runtime.drain = interrupted
    with pytest.raises(KeyboardInterrupt):
        kit.runtime.shutdown(10)
    assert wait_until(lambda: threads() == before)
    assert kit.sinks["a"].closed == 1
    assert adds_up(kit.runtime.workers["a"].queue.counts())


def test_vain_flushes_leave_nothing():
    """A flush that gave up is forgotten by the queue of a handler that hangs."""
    with Kit("a", overflow="shed") as kit:
        kit.sinks["a"].gate.clear()
        kit.logger.info("x")
        assert wait_until(lambda: kit.counts("a")["in_flight"] == 1)
        for _ in range(5):
            assert not kit.runtime.flush(0.01)
        assert kit.runtime.workers["a"].queue._waiters == []


def test_several_flushes_at_once_return():
    """Flushes of several threads all see their records settled."""
    with Kit("a") as kit:
        answers = []

        def log_and_flush():
            kit.logger.info("x")
            answers.append((kit.runtime.flush(10), kit.counts("a")["delivered"] >= 1))

        crowd = [threading.Thread(target=log_and_flush) for _ in range(8)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        assert answers == [(True, True)] * 8


def run_in_child(work):
    """Return what `work` returns in a forked child; the parent waits."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader) as stream:
        return stream.read()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_without_hooks_is_noticed():
    """Where no at-fork hook runs, threads that log at once lose nothing."""
    with Kit("a") as kit:
        runtime = kit.runtime
        kit.logger.info("parent")
        assert runtime.flush(10)
        hooks.alive.discard(runtime)  # as in a server that runs no hooks

        def work():
            kit.sinks["a"].received.clear()
            entered, begin = threading.Event(), runtime._begin_anew
            second = threading.Thread(target=kit.logger.info, args=("second",))

            def begin_late():
                revive, runtime.revive = runtime.revive, enter
                second.start()
                entered.wait(10)
                runtime.revive = revive
                begin()

            def enter():
                entered.set()
                type(runtime).revive(runtime)

            runtime._begin_anew = begin_late
            kit.logger.info("first")
            second.join(10)
            settled = runtime.flush(10)
            return settled, sorted(kit.sinks["a"].received)

        assert run_in_child(work) == "(True, [b'first', b'second'])"
        hooks.alive.add(runtime)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_begins_at_zero():
    """A forked child counts and tells anew, though its parent held a lock."""
    with Kit("a", overflow="drop_newest", max_records=1) as kit:
        worker = kit.runtime.workers["a"]
        kit.sinks["a"].faults = [ZeroDivisionError()]
        kit.logger.info("x")
        assert kit.runtime.flush(10)
        held = threading.Event()
        done = threading.Event()

        def hold():
            with worker.queue._lock, worker._step_lock:
                held.set()
                done.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)

        def work():
            counts, notices = kit.counts("a"), kit.runtime.stats()["notices"]
            kit.logger.info("y")
            return (
                [counts[key] for key in ("enqueued", "last_error", "dropped")],
                notices,
                (kit.runtime.flush(10)),
            )

        answer = run_in_child(work)
        done.set()
        holder.join()
        assert answer == "([0, None, {}], 0, True)"


def test_idle_worker_looks_after_what_its_sink_holds(monkeypatch):
    """What a broken connection may have lost goes out again without a further record."""
    from logroute.engine import worker

    monkeypatch.setattr(worker, "TEND_S", 0.01)
    with Kit("a") as kit:
        sink, tended = kit.sinks["a"], threading.Event()
        sink.held = 0
        send = sink.send

        def send_and_hold(batch):
            sink.held = len(batch)  # nothing more is held once somebody has asked again
            if not batch:
                tended.set()
            send(batch)

        sink.send = send_and_hold
        kit.logger.info("held back")
        assert tended.wait(10)
        assert kit.runtime.flush(10) and sink.received == [b"held back"]


def test_idle_worker_tells_what_it_cannot_send_again(monkeypatch):
    """A peer that is gone is known before the next record, and is tried time and again."""
    from logroute.engine import worker

    monkeypatch.setattr(worker, "TEND_S", 0.01)
    with Kit("a") as kit:
        sink = kit.sinks["a"]
        sink.held = 1
        kit.logger.info("gone")
        assert kit.runtime.flush(10)
        sink.faults = [OSError("down")] * 3
        kit.runtime.workers["a"].bell.ring()
        assert wait_until(lambda: not sink.faults)
        assert wait_until(lambda: kit.counts("a")["state"] == "ok")
        assert kit.counts("a")["errors"]["count"] == 3
        sink.held = 0


def test_shutdown_counts_what_was_not_routed(capfd):
    """What the dispatcher has not come to when the time is up is counted, not left behind."""
    gate = threading.Event()

    def encode_slowly(record):
        gate.wait(0.2)
        return record.getMessage().encode()

    with Kit("a", encode=encode_slowly) as kit:
        for n in range(100):
            kit.logger.info("record %d", n)
        kit.runtime.shutdown(0.1)
        stats = kit.runtime.stats()
        counts = stats["handlers"]["a"]
        assert stats["intake"] == 0 and counts["enqueued"] == 100 and adds_up(counts)
        assert counts["dropped"]["shutdown"] > 50
    assert "did not deliver" in capfd.readouterr().err
