"""`stats: {every: ...}`: a record with the counters now and then, through the routes."""

import logging

import pytest
from engine_kit import wait_until
from stats_kit import config, records

import logroute

SOON = {"every": "50ms"}


def own(folder):
    return [r for r in records(folder) if r["logger"] == "logroute.stats"]


def test_record_has_the_counters(tmp_path):
    """It is an INFO record with one line for people, and the counters as fields."""
    logroute.configure(config(tmp_path, stats=SOON, context={"service": "shop"}))
    logging.getLogger("app").info("x")
    assert wait_until(lambda: len(own(tmp_path)) > 1)
    record = own(tmp_path)[-1]
    assert (record["level"], record["service"]) == ("INFO", "shop")
    assert record["accepted"] >= 2 and record["delivered"] == record["enqueued"]
    assert record["handlers"]["out"]["state"] == "ok"
    assert " delivered" in record["message"] and "\n" not in record["message"]


def test_record_needs_no_level_of_root(tmp_path):
    """Asking for the record is enough: the root logger's level does not hide it."""
    logroute.configure(config(tmp_path, stats=SOON) | {"root": "ERROR"})
    assert wait_until(lambda: own(tmp_path))


@pytest.mark.parametrize("logger", ["logroute", "logroute.stats"])
def test_own_level_silences_it(tmp_path, logger):
    """The level of its logger, or of the one above, counts."""
    keys = {"stats": SOON, "loggers": {logger: "WARNING"}}
    runtime = logroute.configure(config(tmp_path, **keys))
    door = door_of(runtime)
    assert wait_until(lambda: door._next_report > 0 and rounds(door) > 2)
    assert logroute.flush(10) and own(tmp_path) == []
    logging.getLogger(logger).setLevel(logging.NOTSET)


def door_of(runtime):
    from logroute.app import statsdoor

    return next(door for door in statsdoor._doors if door._runtime() is runtime)


def rounds(door, seen={}):  # noqa: B006
    """Return how many records came due, as seen from outside."""
    times = seen.setdefault(door, set())
    times.add(door._next_report)
    return len(times)


def test_unwanted_record_is_no_loss(tmp_path):
    """Where no route wants it, it counts neither as unmatched nor as lost."""
    document = config(tmp_path, stats=SOON)
    document["routes"] = [{"match": {"logger": "app"}, "to": ["out"]}]
    runtime = logroute.configure(document)
    door = door_of(runtime)
    assert wait_until(lambda: rounds(door) > 2)
    stats = logroute.stats()
    assert (stats["accepted"], stats["unmatched"]) == (0, 0)
    assert stats["handlers"]["out"]["enqueued"] == 0


def test_record_follows_the_routes(tmp_path):
    """Routes may send it elsewhere, as any record."""
    other = {"other": {"type": "file", "path": str(tmp_path / "other.log"), "formatter": "json"}}
    document = config(tmp_path, handlers=other, stats=SOON)
    document["routes"] = [
        {"match": {"logger": "logroute.stats", "message": "delivered"}, "to": "other"},
        {"match": {"logger": "app"}, "to": "out"},
    ]
    logroute.configure(document)
    assert wait_until(lambda: records(tmp_path, "other.log"))
    assert records(tmp_path) == []


def test_full_queue_gets_no_record(tmp_path):
    """A handler that has no room is spared, so that no loss is made by telling of losses."""
    document = config(tmp_path, stats=SOON)
    document["handlers"]["out"]["queue"] = {"max_records": 1, "overflow": "drop_newest"}
    runtime = logroute.configure(document)
    door = door_of(runtime)
    runtime.workers["out"].hold()
    logging.getLogger("app").info("x")
    assert wait_until(lambda: rounds(door) > 3)
    assert sum(logroute.stats()["handlers"]["out"]["dropped"].values()) == 0
    runtime.workers["out"].let_go()


def test_record_stops_with_the_runtime(tmp_path):
    """After shutdown, or a reload without `every`, there are no more."""
    logroute.configure(config(tmp_path, stats=SOON))
    assert wait_until(lambda: own(tmp_path))
    logroute.shutdown(5)
    runtime = logroute.configure(config(tmp_path))
    count = len(own(tmp_path))
    logging.getLogger("app").info("x")
    assert runtime.flush(10) and len(own(tmp_path)) == count


def test_trouble_is_named(tmp_path):
    """The line says which handlers fail, and what was dropped since the last one."""
    bad = {"bad": {"class": f"{__name__}.Bad"}}
    logroute.configure(config(tmp_path, handlers=bad, stats=SOON))
    logging.getLogger("app").info("x")
    assert wait_until(lambda: any("`bad` is failing" in r["message"] for r in own(tmp_path)))
    assert wait_until(lambda: any(" dropped" in r["message"] for r in own(tmp_path)))


class Bad(logging.Handler):
    """Fails."""

    def emit(self, record):
        raise OSError("no")
