"""Filters of routes, in the live process: who gets what, and that all is counted."""

import logging
import threading

import pytest
from engine_kit import adds_up
from reload_kit import File

from logroute.app.bulletin import send

CONFIG = """\
version: 1
formatters: {bare: {format: "%(message)s"}}
filters:
  cards: {type: redact, patterns: "card=[0-9]+"}
  once: {type: dedupe}
  shop: {name: shop}
handlers:
  a: {type: file, path: DIR/a, formatter: bare}
  b: {type: file, path: DIR/b, formatter: bare}
root: {level: INFO}
routes:
"""
log = logging.getLogger("shop")


def start(tmp_path, *routes, **options):
    file = File(tmp_path, CONFIG + "".join(f"  - {route}\n" for route in routes))
    return file, file.configure(**options)


def counts(runtime, name):
    found = runtime.stats()["handlers"][name]
    assert adds_up(found)
    return found["delivered"], found["filtered"], found["dropped"]


def test_route_filter_is_for_its_handlers(tmp_path):
    """One handler gets the record redacted, the other as it was."""
    file, _ = start(tmp_path, "{to: a, filters: cards}", "{to: b}")
    log.info("card=%d", 4711)
    assert (file.lines("a"), file.lines("b")) == (["***"], ["card=4711"])


def test_dropped_record_is_counted(tmp_path):
    """What a route's filter drops is counted at the handler, by the filter's name."""
    file, runtime = start(tmp_path, "{to: [a, b], filters: once}", "{match: {level: ERROR}, to: b}")
    for level in (20, 20, 40, 40):
        log.log(level, "same")
    assert (len(file.lines("a")), len(file.lines("b"))) == (2, 3)
    assert counts(runtime, "a") == (2, {"once": 2}, {})
    assert counts(runtime, "b") == (3, {"once": 1}, {})


def test_broken_filter_costs_its_route_only(tmp_path):
    """A filter of ours that raises loses the record for its route, counted, told."""
    file, runtime = start(tmp_path, "{to: a, filters: cards}", "{to: b}")
    runtime.dispatcher.routing.filters["cards"] = lambda record: 1 // 0
    log.info("hello")
    assert (file.lines("a"), file.lines("b")) == ([], ["hello"])
    assert counts(runtime, "a") == (0, {}, {"format_error": 1})
    assert "ZeroDivisionError" in runtime.stats()["handlers"]["a"]["last_error"]


def test_stdlib_filter_decides_for_its_route(tmp_path):
    """A filter written stdlib's way drops for its route, and is counted by its name."""
    file, runtime = start(tmp_path, "{to: a, filters: shop}", "{to: b}")
    log.info("mine")
    logging.getLogger("web").info("other")
    assert (file.lines("a"), file.lines("b")) == (["mine"], ["mine", "other"])
    assert counts(runtime, "a") == (1, {"shop": 1}, {})


class Caller(logging.Filter):
    """Writes the name of its thread into the record, and drops what it is told to."""

    def filter(self, record):
        record.msg = f"{record.msg} {threading.current_thread().name}"
        if "raise" in record.msg:
            raise ValueError("no such request")
        return "drop" not in record.msg


@pytest.fixture
def foreign(tmp_path):
    """A config with a filter of the application at a route by content."""
    text = CONFIG.replace("filters:", f"filters:\n  caller: {{(): {__name__}.Caller}}")
    text += "  - {match: {message: take}, to: a, filters: [cards, caller]}\n  - {to: b}\n"
    file = File(tmp_path, text)
    return file, file.configure()


def test_foreign_filter_runs_in_the_caller(foreign):
    """It knows the thread that logs, and what it changes only its route's handlers see."""
    file, runtime = foreign
    thread = threading.Thread(target=lambda: log.info("take card=1"), name="request-7")
    thread.start()
    thread.join()
    log.info("leave")
    assert file.lines("a") == ["take *** request-7"]
    assert file.lines("b") == ["take card=1", "leave"]
    assert counts(runtime, "a") == (1, {}, {})


def test_foreign_filter_may_drop_or_fail(foreign):
    """One that raises lets the record pass, as a handler's does, and is counted."""
    file, runtime = foreign
    log.info("take, drop")
    log.info("take, raise")
    (line,) = file.lines("a")
    assert line.startswith("take, raise") and len(file.lines("b")) == 2
    assert counts(runtime, "a") == (1, {"caller": 1}, {})
    assert runtime.stats()["faults"] == 1


def test_synchronous_handlers_are_dealt_to(tmp_path):
    """Where the caller delivers, routes' filters run there."""
    text = CONFIG + "  - {to: a, filters: cards}\n  - {to: b}\nqueue: {mode: sync}\n"
    File(tmp_path, text).configure()
    log.info("card=1")
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("***\n", "card=1\n")


def test_reload_changes_route_filters(tmp_path):
    """Other filters of a route come with a reload; handlers go on, and filters remember."""
    file, runtime = start(tmp_path, "{to: a, filters: once}")
    worker = runtime.workers["a"]
    log.info("card=1")
    outcome = file.reload(
        CONFIG + "  - {to: a, filters: [cards, once]}\n  - {to: b, filters: once}\n"
    )
    assert (outcome.outcome, outcome.kept) == ("swapped", ("a", "b"))
    log.info("card=1")
    assert runtime.workers["a"] is worker
    assert (file.lines("a")[-1], file.lines("b")) == ("***", [])


def test_records_on_their_way_take_the_new_filters(tmp_path):
    """What was decided before a reload, and comes after it, passes the filters of now."""
    file, runtime = start(tmp_path, "{to: a}")
    old = runtime.dispatcher.decide("shop", 20, "root")
    file.reload(CONFIG + "  - {to: a, filters: [cards, shop]}\n")
    for name in ("shop", "web"):
        record = logging.LogRecord(name, 20, "", 0, "card=1", None, None)
        runtime.intake.put((record, old, None), 20)
    assert file.lines("a")[-1:] == ["***"]
    delivered, filtered, dropped = counts(runtime, "a")
    assert (delivered - len(file.lines("a")), filtered, dropped) == (0, {"shop": 2}, {})


def test_our_own_records_are_filtered_too(tmp_path):
    """The record with the counters takes routes with their filters."""
    file, runtime = start(
        tmp_path, "{match: {logger: logroute.stats}, to: a, filters: cards}", "{to: b}"
    )
    assert send(runtime, "logroute.stats", 20, "card=1")
    assert (file.all_lines("a"), file.all_lines("b")) == (["***"], ["card=1"])


def test_announced_losses_are_filtered_too(tmp_path):
    """What tells of losses passes the filters of the routes that it takes."""
    file, runtime = start(
        tmp_path, "{match: {logger: logroute}, to: a, filters: shop}", "{match: {logger: x}, to: b}"
    )
    runtime.workers["b"].queue.count_past(20, "test")
    runtime.dispatcher.handover.report(runtime.workers["b"])
    log.info("wakes the threads")
    assert file.all_lines("a") == []
    with runtime.dispatcher._step_lock:
        runtime.dispatcher.handover.report(runtime.workers["b"])
        runtime.dispatcher.handover.tell(is_end=True)
    assert counts(runtime, "a") == (0, {"shop": 1}, {})


def test_plain_routes_stay_plain(tmp_path):
    """Records that meet no filter are decided once and for all, as before."""
    _, runtime = start(tmp_path, "{match: {level: ERROR}, to: a, filters: cards}", "{to: b}")
    low, high = (runtime.dispatcher.decide("shop", level, "root") for level in (20, 40))
    assert (low.plan, low.is_dealt, high.is_dealt) == (None, False, True)
    assert not low.has_caller_part and not high.has_caller_part


def test_spool_writes_what_the_route_lets_through(tmp_path):
    """A handler that writes before the call returns gets the record as its route has it."""
    spool = "{type: http, url: 'http://127.0.0.1:9/in', spool: {path: DIR/spool, write: caller}}"
    text = CONFIG.replace("b: {type: file, path: DIR/b, formatter: bare}", f"b: {spool}")
    routes = "  - {to: b, filters: [cards, shop]}\n  - {to: a}\n"
    file = File(tmp_path, text + routes)
    runtime = file.configure()
    log.info("card=1")
    assert runtime.workers["b"].spool.waiting == 1
    logging.getLogger("web").info("card=2")
    written = b"".join(p.read_bytes() for p in (tmp_path / "spool").rglob("*") if p.is_file())
    assert b"***" in written and b"card=1" not in written
    assert counts(runtime, "b")[1] == {"shop": 1}
