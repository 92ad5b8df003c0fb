"""The ledger alone: what becomes of records, by reason and level."""

from logroute.delivery.ledger import Ledger, OwnLevel


def test_losses_are_told_once():
    """What was lost since the last telling is told, but not the loss of what tells."""
    ledger = Ledger()
    ledger.lose("shed", 20, 700)
    ledger.lose("shed", 20)
    ledger.lose("shed", OwnLevel(30))
    assert ledger.has_untold
    assert ledger.untold() == {"shed": {20: 701}}
    assert ledger.untold() == {}
    assert ledger.losses == 702


def test_last_loss_is_dated():
    """The last loss is so old as the clock says."""
    now = [100.0]
    ledger = Ledger(lambda: now[0])
    assert ledger.last_loss_s() is None
    ledger.lose("rejected", 40)
    now[0] += 7
    assert ledger.last_loss_s() == 7


def test_refusals_count_as_they_are_read():
    """Refused records are enqueued and lost once, however often the counts are read."""
    ledger = Ledger()
    for reason, levelno in (("intake_full", 20), ("spool_full", 20), ("intake_full", 20)):
        ledger.refuse(reason, levelno)
    for _ in range(2):
        counts = ledger.counts(queued=0, in_flight=0)
        assert counts["enqueued"] == 3
        assert counts["dropped"] == {"intake_full": 2, "spool_full": 1}
    ledger.refuse("intake_full", 20)
    assert ledger.counts(queued=0, in_flight=0)["enqueued"] == 4


def test_counts_have_what_waits_and_flies():
    """Who holds the records says how many; filters are counted by name."""
    ledger = Ledger()
    ledger.enqueued += 5
    ledger.delivered += 1
    ledger.filter("level", 2)
    counts = ledger.counts(queued=1, in_flight=1)
    assert counts["filtered"] == {"level": 2}
    assert counts["enqueued"] == counts["delivered"] + 2 + counts["queued"] + counts["in_flight"]
