"""The memory kind: the last records, shown to the target when something happens."""

import logging
import subprocess
import sys
import textwrap

import pytest
from engine_kit import adds_up
from hypothesis import given, settings
from hypothesis import strategies as st

import logroute
from logroute.delivery.queue import Queue
from logroute.delivery.ring import Ring
from logroute.delivery.specs import QueueSpec
from logroute.sinks.memory import MemorySpec, keep


@pytest.fixture
def run(tmp_path):
    """Configure a ring in front of a file; yield a function that does it."""
    yield lambda **ring: logroute.configure(config(tmp_path, **ring))
    logroute.shutdown(5)


def config(folder, *, log=None, handlers=None, to=("ring",), **ring):
    return {
        "version": 1,
        "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
        "filters": {"some": {"type": "drop_fields", "fields": ["secret"]}},
        "handlers": {
            "ring": {"type": "memory", "target": "log", "capacity": 3, **ring},
            "log": {"type": "file", "path": str(folder / "x.log"), "formatter": "f"} | (log or {}),
            **(handlers or {}),
        },
        "root": {"level": "DEBUG"},
        "routes": [{"to": list(to)}],
    }


def lines(folder):
    path = folder / "x.log"
    return path.read_text().splitlines() if path.exists() else []


def debug(*numbers):
    for number in numbers:
        logging.getLogger("app").debug("%d", number)


def counts(runtime, name="ring"):
    found = runtime.stats()["handlers"][name]
    assert adds_up(found)
    return found


def test_error_shows_the_last_records(run, tmp_path):
    """The last ones of any level come first, in order, then the one that releases them."""
    runtime = run()
    debug(1, 2, 3, 4, 5)
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["DEBUG 3", "DEBUG 4", "DEBUG 5", "ERROR boom"]
    assert counts(runtime)["delivered"] == counts(runtime, "log")["delivered"] == 4


def test_ring_is_empty_after_a_release(run, tmp_path):
    """A second error shows only what came since the first."""
    run()
    for number in (1, 2):
        debug(number)
        logging.getLogger("app").critical("boom")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["DEBUG 1", "CRITICAL boom", "DEBUG 2", "CRITICAL boom"]


def test_ledger_adds_up_at_every_step(run):
    """Kept records are queued; one that a newer pushed out is filtered, which is no loss."""
    runtime = run()
    debug(1, 2, 3, 4, 5)
    assert logroute.flush(5)  # it waits for no release
    found = counts(runtime)
    assert (found["enqueued"], found["queued"], found["filtered"]) == (5, 3, {"overwritten": 2})
    assert found["dropped"] == {} and found["queued_bytes"] > 0
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert (counts(runtime)["queued"], counts(runtime)["delivered"]) == (0, 4)


def test_flush_level_may_be_another_one(run, tmp_path):
    """Names in any case, numbers and custom levels."""
    run(flush_level="warning")
    debug(1)
    logging.getLogger("app").info("2")
    logging.getLogger("app").warning("3")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["DEBUG 1", "INFO 2", "WARNING 3"]


def test_target_applies_its_own_rules(run, tmp_path):
    """Its level, filters and formatter; what it refuses is in its ledger."""
    runtime = run(log={"level": "INFO", "filters": ["some"], "formatter": None})
    debug(1)
    logging.getLogger("app").info("2", extra={"secret": "s"})
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert [line.split(": ")[-1] for line in lines(tmp_path)] == ["2", "boom"]
    assert counts(runtime, "log")["filtered"] == {"level": 1}


def test_ring_has_a_level_of_its_own(run, tmp_path):
    """Records below it are not even kept."""
    run(level="INFO")
    debug(1)
    logging.getLogger("app").info("2")
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["INFO 2", "ERROR boom"]


def test_traceback_reaches_the_target(run, tmp_path):
    """Of a kept exception the text remains, not its frames and what they hold."""
    run(capacity=10)
    try:
        raise ValueError("the reason")
    except ValueError:
        logging.getLogger("app").debug("kept", exc_info=True)
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert lines(tmp_path)[-2:] == ["ValueError: the reason", "ERROR boom"]


def test_kept_record_holds_nothing_alive():
    """No frames, and no objects of the application."""

    class Big:
        pass

    try:
        raise ValueError
    except ValueError:
        record = logging.LogRecord("a", 10, "p", 1, "x", (), sys.exc_info())
    record.request = Big()
    kept = keep(record)
    assert kept.exc_info[2] is None and isinstance(kept.request, str)
    assert record.exc_info[2] is not None and isinstance(record.request, Big)


def test_shutdown_leaves_the_rest_unreleased(run, tmp_path):
    """Nothing serious has happened: no noise at the end, and no loss is told."""
    runtime = run()
    debug(1, 2)
    assert logroute.flush(5)
    assert runtime.shutdown(5) == {}
    assert lines(tmp_path) == []
    assert counts(runtime)["filtered"] == {"unreleased": 2}


def test_flush_on_close_releases_at_shutdown(run, tmp_path):
    """With `flush_on_close` the last records are shown at the end."""
    runtime = run(flush_on_close=True)
    debug(1, 2)
    assert runtime.shutdown(5) == {}
    assert lines(tmp_path) == ["DEBUG 1", "DEBUG 2"]
    assert counts(runtime)["delivered"] == 2 == counts(runtime, "log")["delivered"]


def run_child(tmp_path, body, **ring):
    code = (
        f"import logging, os, sys, logroute\nrt = logroute.configure({config(tmp_path, **ring)})\n"
    )
    code += "log = logging.getLogger('app')\n" + textwrap.dedent(body)
    # from 3.12 on Python itself warns of any fork beside a thread
    command = [sys.executable, "-Wignore:This process:DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("order", [("ring", "log"), ("log", "ring")])
def test_exit_releases_where_wanted(tmp_path, order):
    """At the end of the process too, wherever the target stands in the file."""
    whole = config(tmp_path, flush_on_close=True)
    whole["handlers"] = {name: whole["handlers"][name] for name in order}
    code = f"import logging, logroute\nlogroute.configure({whole})\nlogging.info('last')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(tmp_path) == ["INFO last"]


def test_exit_is_silent_about_the_ring(tmp_path):
    """A script that ends well says nothing, and shows nothing."""
    run_child(tmp_path, "log.info('kept')")
    assert lines(tmp_path) == []


def test_forked_child_starts_empty(tmp_path):
    """Fault 19: what the parent keeps is shown once, by the parent."""
    body = """
        log.info("parent's")
        logroute.flush(5)
        if os.fork() == 0:
            log.error("child's")
            logroute.flush(5)
            assert rt.stats()["handlers"]["ring"]["enqueued"] == 1
            os._exit(0)
        assert os.wait()[1] == 0
        log.error("boom")
    """
    run_child(tmp_path, body)
    assert lines(tmp_path) == ["ERROR child's", "INFO parent's", "ERROR boom"]


def test_synchronous_ring_works_in_the_caller(run, tmp_path):
    """`mode: sync`: for scripts and debuggers."""
    run(queue={"mode": "sync"}, log={"queue": {"mode": "sync"}})
    debug(1)
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["DEBUG 1", "ERROR boom"]


def test_unchanged_ring_outlives_a_reload(run, tmp_path):
    """It keeps its records, and hands them to the handler that has the name by then."""
    runtime = run()
    debug(1)
    assert logroute.flush(5)
    (tmp_path / "new").mkdir()
    target = {"path": str(tmp_path / "new" / "x.log")}
    logroute.configure(config(tmp_path, log=target))
    assert counts(runtime)["queued"] == 1
    logging.getLogger("app").error("boom")
    assert logroute.flush(5)
    assert lines(tmp_path / "new") == ["DEBUG 1", "ERROR boom"]


def test_changed_ring_is_accounted_for(run, tmp_path):
    """What a replaced ring keeps counts as unreleased, among the retired."""
    runtime = run()
    debug(1, 2)
    assert logroute.flush(5)
    logroute.configure(config(tmp_path, capacity=50))
    assert logroute.flush(5) and runtime.retired.finish_by(5)
    found = runtime.stats()["retired"]["ring"]
    assert found["filtered"] == {"unreleased": 2} and adds_up(found)


def test_rings_in_a_circle_are_refused(run, tmp_path):
    """A ring that is its own target would go round for ever."""
    other = {"ring2": {"type": "memory", "target": "ring"}}
    with pytest.raises(logroute.ConfigError, match="hands records back"):
        run(handlers=other, target="ring2")


def test_rings_may_follow_each_other(run, tmp_path):
    """A small ring before a large one: each releases to the next."""
    other = {"ring2": {"type": "memory", "target": "log", "flush_level": "CRITICAL"}}
    run(handlers=other, target="ring2")
    debug(1)
    logging.getLogger("app").error("2")
    logging.getLogger("app").critical("3")
    assert logroute.flush(5)
    assert lines(tmp_path) == ["DEBUG 1", "ERROR 2", "CRITICAL 3"]


def test_burst_of_errors_loses_nothing(run, tmp_path):
    """A script that logs in a loop finds all its lines, as with a plain file."""
    runtime = run(capacity=1000)
    log = logging.getLogger("app")
    for number in range(30_000):
        log.error("%d", number)
    assert logroute.flush(30)
    assert lines(tmp_path) == [f"ERROR {number}" for number in range(30_000)]
    assert counts(runtime)["delivered"] == 30_000


def test_kept_bytes_are_bounded(run):
    """Long messages push older ones out before there are `capacity` of them."""
    runtime = run(capacity=1000, max_bytes=100_000)
    for _ in range(50):
        logging.getLogger("app").debug("x" * 10_000)
    assert logroute.flush(5)
    found = counts(runtime)
    assert found["queued"] == 9 and found["queued_bytes"] < 100_000


def test_target_is_needed():
    """A ring without a target would show nothing ever."""
    with pytest.raises(TypeError, match="target"):
        MemorySpec()


def make_item(levelno):
    return (logging.makeLogRecord({"levelno": levelno, "msg": "x"}), levelno, 1)


@given(
    levels=st.lists(st.sampled_from([10, 20, 40]), max_size=60),
    capacity=st.integers(1, 8),
    bound=st.integers(1, 8),
    policy=st.sampled_from(["block", "shed", "drop_newest", "drop_oldest"]),
    seed=st.randoms(),
)
@settings(max_examples=150, deadline=None)
def test_law_holds_for_any_history(levels, capacity, bound, policy, seed):
    """Put, take, release and close in any order: nothing appears or vanishes."""
    spec = QueueSpec(max_records=bound)
    ring = Ring(spec, policy, capacity=capacity, max_kept_bytes=5000, flush_level=40)
    for level in levels:
        ring.put([make_item(level)], [], [])
        if seed.random() < 0.3:
            taken = ring.take(seed.randint(1, 3), 1 << 20)
            assert adds_up(ring.counts())
            ring.delivered(len(taken))
        if seed.random() < 0.05:
            ring.release()
        assert adds_up(ring.counts())
        assert ring.counts()["queued"] - ring.waiting <= capacity
    ring.close("shutdown")
    found = ring.counts()
    assert adds_up(found) and found["queued"] == 0 and found["enqueued"] == len(levels)


def test_callers_wait_for_the_target_once():
    """A full target that blocks makes the callers of its ring wait, until it is given up."""
    target = Queue(QueueSpec(max_records=1), "block")
    ring = Ring(QueueSpec(), "block", capacity=3, max_kept_bytes=1 << 20, flush_level=40)
    ring.onward = target
    assert not ring.is_full(0)
    target.put([(b"", 10, 1)], [], [])
    assert ring.is_full(0)
    ring.gave_up = True
    assert target.gave_up and ring.gave_up
    target.take(1, 1)
    assert not ring.gave_up and not ring.is_full(0)
