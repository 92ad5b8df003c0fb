"""max_per_hour through a worker: what exceeds waits and is merged; a stop sends the last mail."""

import logging

import pytest
from engine_kit import wait_until

import logroute
from logroute.receivers import SmtpReceiver


@pytest.fixture
def mail():
    with SmtpReceiver() as receiver:
        yield receiver


def configure(mail, **options):
    handler = {
        "type": "email", "host": "127.0.0.1", "port": mail.port, "security": "none",
        "from": "a@b.c", "to": "d@e.f", "batch": {"max_wait": 0.01, "max_records": 5},
        **options,
    }  # fmt: skip
    return logroute.configure(
        {
            "version": 1,
            "handlers": {"mail": handler},
            "root": {"level": "INFO"},
            "routes": [{"match": {"logger": "shop"}, "to": "mail"}],
        }
    )


def test_more_than_the_hours_mails_wait_and_are_merged(mail):
    """S16: the second mail waits, has all that came meanwhile, and goes at the end at last."""
    runtime = configure(mail, max_per_hour=1)
    log = logging.getLogger("shop")
    log.error("first")
    assert mail.wait_for(1)
    for number in range(40):
        log.error("number %d", number)
    assert not logroute.flush(0.3)  # who asks for it does not get round the limit
    assert wait_until(lambda: runtime.stats()["handlers"]["mail"]["enqueued"] == 41)
    counts = runtime.stats()["handlers"]["mail"]
    assert (len(mail.received), counts["delivered"], counts["queued"]) == (1, 1, 40)
    logroute.shutdown(10)
    assert mail.wait_for(2)
    assert mail.received[1].message["Subject"].startswith("40 records, first:")
    assert runtime.stats()["handlers"]["mail"]["delivered"] == 41


def test_merged_mail_is_bounded(mail):
    """S16: a mail of 500 records counts the others, and so does the ledger."""
    runtime = configure(mail, max_per_hour=1)
    log = logging.getLogger("shop")
    log.error("first")
    assert mail.wait_for(1)
    for number in range(700):
        log.error("number %d", number)
    logroute.shutdown(10)
    assert "... and 200 more records" in mail.received[1].text
    counts = runtime.stats()["handlers"]["mail"]
    assert (counts["delivered"], counts["dropped"]) == (501, {"rejected": 200})


def test_mails_within_the_limit_go_at_once(mail):
    """Nothing waits where nothing exceeds."""
    configure(mail, max_per_hour=100)
    for number in range(3):
        logging.getLogger("shop").error("%d", number)
        assert logroute.flush(10)
    assert len(mail.received) == 3
