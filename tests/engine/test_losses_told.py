"""Losses are told by a record: who, how many, of which level and why."""

import logging

import pytest
from engine_kit import ONE_BY_ONE, Clock, Kit, adds_up, wait_until

from logroute.engine.losses import LossTeller
from logroute.errors import Rejected


def told(sink):
    return [payload.decode() for payload in sink.received if payload not in sink.logged]


class Losing:
    """A kit whose handler `lossy` is full, with a clock of its own for what is told."""

    def __init__(self, *names, **options):
        options = {"overflow": "shed", "max_records": 10, **options}
        self.kit = Kit("lossy", *names, **options)
        self.handover = self.kit.runtime.dispatcher.handover
        self.kit.sinks["lossy"].gate.clear()
        self.kit.logger.info("in flight")
        assert wait_until(lambda: self.kit.counts("lossy")["in_flight"] == 1)

    def log(self, count, level=logging.INFO):
        before = self.kit.counts("lossy")["enqueued"]
        for _ in range(count):
            self.kit.logger.log(level, "x")
        wait_until(lambda: self.kit.counts("lossy")["enqueued"] == before + count)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kit.__exit__(*error)


def test_losses_are_told_once_in_ten_seconds_and_at_the_end():
    """First after two seconds, then each ten while it lasts, then what it was in all."""
    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        sink = it.kit.sinks["log"]
        it.log(30)
        first = it.kit.counts("lossy")["dropped"]["shed"]
        it.kit.pass_time(2)
        assert wait_until(lambda: len(told(sink)) == 1)
        assert told(sink)[0] == f"handler `lossy` dropped {first} records in 2 s: {first} INFO shed"
        it.log(5)
        it.kit.pass_time(5)
        it.log(10, logging.ERROR)
        assert len(told(sink)) == 1
        it.kit.pass_time(5)
        assert wait_until(lambda: len(told(sink)) == 2)
        full = it.kit.counts("lossy")["dropped"]["queue_full"]
        infos = it.kit.counts("lossy")["dropped_by_level"]
        assert told(sink)[1].startswith(f"handler `lossy` dropped {5 + full} records in 10 s: ")
        assert f"{infos['queue_full']['ERROR']} ERROR queue_full" in told(sink)[1]
        it.kit.pass_time(10)
        assert wait_until(lambda: len(told(sink)) == 3)
        total = sum(it.kit.counts("lossy")["dropped"].values())
        assert f"dropped {total} records in 12 s, none since: " in told(sink)[2]
        it.kit.pass_time(100)
        assert it.kit.runtime.flush(0.1) is False
        assert len(told(sink)) == 3


def test_loss_is_told_by_a_warning_with_fields():
    """The record is a WARNING of logger `logroute` that says handler and counts apart."""
    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        seen = []
        it.kit.runtime.workers["log"].encode = lambda record: seen.append(record) or b"` dropped "
        it.log(12, logging.ERROR)
        it.kit.pass_time(2)
        assert wait_until(lambda: seen)
        [record] = seen
        assert (record.name, record.levelno, record.levelname) == ("logroute", 30, "WARNING")
        assert record.handler == "lossy"
        assert record.dropped == {
            "queue_full": {"ERROR": it.kit.counts("lossy")["dropped"]["queue_full"]}
        }
        assert logging.Formatter("%(asctime)s %(levelno)d %(process)d").format(record)


def test_handler_that_drops_is_not_told_of_it(capfd):
    """Its own record would feed the loss; without another handler stderr tells."""
    with Losing() as it:
        it.log(30)
        before = it.kit.counts("lossy")["enqueued"]
        it.kit.pass_time(2)
        assert wait_until(lambda: it.kit.runtime.stats()["notices"])
        assert "handler `lossy` dropped " in capfd.readouterr().err
        assert it.kit.counts("lossy")["enqueued"] == before


def test_handler_is_told_when_its_dropping_has_ended():
    """A log file that dropped says so itself, once there is room again."""
    with Losing() as it:
        it.log(30)
        it.kit.pass_time(2)
        it.kit.sinks["lossy"].gate.set()
        assert it.kit.runtime.flush(10)
        it.kit.pass_time(10)
        assert wait_until(lambda: told(it.kit.sinks["lossy"]))
        assert ", none since: " in told(it.kit.sinks["lossy"])[0]
        assert adds_up(it.kit.counts("lossy"))


def test_told_loss_that_is_lost_is_no_news():
    """A handler that refuses everything is told of it once, and no record follows from that."""
    with Losing("other", batch=ONE_BY_ONE) as it:
        sink = it.kit.sinks["lossy"]
        sink.faults = [Rejected("no")] * 1000
        sink.gate.set()
        it.log(3, logging.ERROR)
        assert it.kit.runtime.flush(10)
        it.kit.pass_time(2)
        it.kit.runtime.workers["lossy"].last_error = None  # as if one had gone well meanwhile
        it.kit.pass_time(10)
        assert wait_until(lambda: it.kit.counts("lossy")["dropped"]["rejected"] == 5)
        for _ in range(5):
            it.kit.pass_time(30)
        assert it.kit.runtime.flush(10)
        assert len(told(it.kit.sinks["other"])) == 2
        assert it.kit.counts("lossy")["dropped"]["rejected"] == 5


def test_handler_that_fails_is_not_told():
    """A handler that did not deliver lately is not asked to tell of it."""
    with Losing("other", batch=ONE_BY_ONE) as it:
        it.kit.sinks["lossy"].faults = [Rejected("no")] * 1000
        it.kit.sinks["lossy"].gate.set()
        it.log(3, logging.ERROR)
        assert it.kit.runtime.flush(10)
        it.kit.pass_time(2)
        it.kit.pass_time(10)
        assert wait_until(lambda: len(told(it.kit.sinks["other"])) == 2)
        assert it.kit.runtime.flush(10)
        assert it.kit.counts("lossy")["dropped"]["rejected"] == 4


def test_rest_is_told_at_shutdown():
    """Losses not told yet are told before the handlers end."""
    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        it.log(30)
        it.kit.sinks["lossy"].gate.set()
        it.kit.runtime.shutdown(10)
        [text] = told(it.kit.sinks["log"])
        assert text.startswith("handler `lossy` dropped ")


def test_records_refused_by_the_intake_are_told():
    """What could not even enter the intake is told of each handler it was for."""
    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        intake = it.kit.runtime.intake
        intake.most = 0
        it.kit.logger.warning("x")
        intake.most = 1000
        it.kit.pass_time(0)
        it.kit.pass_time(2)
        assert wait_until(lambda: told(it.kit.sinks["log"]))
        assert told(it.kit.sinks["log"])[0].endswith(
            "dropped 1 record in 2 s: 1 WARNING intake_full"
        )


def test_silenced_logger_says_nothing(monkeypatch, capfd):
    """`loggers: {logroute: ERROR}` means that nobody wants to know."""
    logger = logging.Logger("logroute", logging.ERROR)
    monkeypatch.setitem(logging.root.manager.loggerDict, "logroute", logger)
    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        it.log(30)
        it.kit.pass_time(2)
        it.kit.pass_time(10)
        assert told(it.kit.sinks["log"]) == []
        assert it.kit.counts("lossy")["dropped"]
    assert "dropped" not in capfd.readouterr().err


def test_losses_are_never_told_by_the_caller():
    """The thread that logs neither routes nor formats what tells of losses."""
    import threading

    with Losing("log", routes=[({}, ["lossy"]), ({"logger": ("logroute",)}, ["log"])]) as it:
        threads = set()
        it.kit.runtime.workers["log"].encode = lambda record: (
            threads.add(threading.get_ident()) or b"` dropped "
        )
        it.log(30)
        it.kit.pass_time(2)
        assert wait_until(lambda: threads)
        assert threading.get_ident() not in threads


@pytest.mark.parametrize("period", [0.0, 1.0])
def test_period_can_be_chosen(period):
    """The clock and the period are injected."""
    clock = Clock()
    teller = LossTeller(clock, period)
    assert teller.wait_s() is None
    with Kit("a") as kit:
        worker = kit.runtime.workers["a"]
        assert teller.report(worker) and not teller.report(worker)
        assert teller.wait_s() == period
