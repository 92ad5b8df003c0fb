"""stats(): what it says, that it follows its schema, and that it adds up."""

import logging
import threading

import pytest
from engine_kit import wait_until
from stats_kit import config, is_stats

import logroute
from logroute.testing import assert_adds_up


class Moody(logging.Handler):
    """Fails while told to."""

    fails = True

    def emit(self, record):
        if type(self).fails:
            raise OSError("the printer is on fire")


class Slow(logging.Handler):
    """Holds the first record until told to go on."""

    taken = threading.Event()
    goes_on = threading.Event()

    def emit(self, record):
        self.taken.set()
        self.goes_on.wait(20)


def moody(fails):
    Moody.fails = fails
    return {"moody": {"class": f"{__name__}.Moody"}}


def test_stats_follow_their_schema(tmp_path):
    """Counters of a running config are what schemas/stats.schema.json describes."""
    logroute.configure(config(tmp_path, handlers=moody(fails=True)))
    logging.getLogger("app").warning("x")
    assert logroute.flush(10)
    stats = logroute.stats()
    is_stats(stats)
    assert stats["format_version"] == "1.0"
    assert stats["version"] == logroute.__version__
    assert stats["uptime"] >= 0 and stats["started"] <= stats["time"]


def test_stats_after_reload_follow_schema(tmp_path):
    """The ledgers of replaced handlers are described, too, and add up with the new ones."""
    logroute.configure(config(tmp_path))
    logging.getLogger("app").info("x")
    again = config(tmp_path)
    again["handlers"]["out"]["path"] = str(tmp_path / "other.log")
    logroute.configure(again)
    stats = logroute.stats()
    is_stats(stats)
    assert stats["retired"]["out"]["enqueued"] == 1
    assert_adds_up(stats)


def test_last_error_says_when_and_how_often(tmp_path):
    """Errors are counted and dated; when it works again, the last one is still told."""
    runtime = logroute.configure(config(tmp_path, handlers=moody(fails=True)))
    log = logging.getLogger("app")
    begun = logroute.stats()["time"]
    for _ in range(3):
        log.info("x")
        assert logroute.flush(10)
    failing = logroute.stats()["handlers"]["moody"]
    assert failing["state"] == "failing" and "on fire" in failing["last_error"]
    assert failing["errors"]["count"] == 3 and failing["errors"]["when"] >= begun
    Moody.fails = False
    log.info("y")
    assert logroute.flush(10)
    over = logroute.stats()["handlers"]["moody"]
    assert over["last_error"] is None and over["errors"] == failing["errors"]
    assert (over["state"], runtime.workers["out"].errors["count"]) == ("losing", 0)


def test_waiting_records_have_an_age(tmp_path):
    """While a sink holds a record, `oldest` is its age; afterwards there is none."""
    Slow.taken.clear()
    Slow.goes_on.clear()
    logroute.configure(config(tmp_path, handlers={"slow": {"class": f"{__name__}.Slow"}}))
    log = logging.getLogger("app")
    log.info("x")
    assert Slow.taken.wait(10)
    log.info("y")
    try:
        first = logroute.stats()["handlers"]["slow"]
        assert wait_until(
            lambda: logroute.stats()["handlers"]["slow"]["oldest"] > first["oldest"] >= 0
        )
    finally:
        Slow.goes_on.set()
    assert logroute.flush(10)
    assert logroute.stats()["handlers"]["slow"]["oldest"] is None


def test_bounds_are_told(tmp_path):
    """Each handler says how much may wait, in records and bytes, and what happens then."""
    document = config(tmp_path)
    document["handlers"]["out"]["queue"] = {"max_records": 7, "overflow": "drop_oldest"}
    logroute.configure(document)
    told = logroute.stats()["handlers"]["out"]
    assert (told["max_records"], told["overflow"]) == (7, "drop_oldest")
    assert told["max_bytes"] == 16 << 20


def test_counts_add_up_while_records_flow(tmp_path):
    """The law holds at every moment, not only when all is settled."""
    logroute.configure(config(tmp_path, handlers=moody(fails=True)))
    log = logging.getLogger("app")
    over = threading.Event()

    def work():
        while not over.is_set():
            log.info("x")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            assert_adds_up(logroute.stats())
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("family", ["handlers", "retired"])
def test_missing_record_is_noticed(tmp_path, family):
    """One record that is in no count fails the assertion, which names the handler."""
    logroute.configure(config(tmp_path))
    logging.getLogger("app").info("x")
    assert logroute.flush(10)
    stats = logroute.stats()
    assert_adds_up(stats)
    stats[family] = {"out": {**stats["handlers"]["out"], "delivered": 0}}
    with pytest.raises(AssertionError, match=r"`out`.*1 unaccounted for"):
        assert_adds_up(stats)
