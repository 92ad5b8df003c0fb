"""The benchmarks count what arrives, and say what failed, hung or is not installed."""

import logging
import subprocess
import sys
import time

import pytest
from cli_kit import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks import compare, results
from benchmarks.lines import READERS, JsonLines, tally
from benchmarks.measures import MEASURES, Measure
from benchmarks.peers import VARIANTS, Variant
from benchmarks.report import page_with, tables
from benchmarks.results import ratio
from benchmarks.targets import lines_missed


def messages(*numbers):
    return [b"user ann did %d" % number for number in numbers]


def test_lines_are_counted_and_compared():
    """What did not come, came twice, came late or is another line is told apart."""
    lines = [*messages(0, 1, 1, 4, 3), b"user ann did 5 things", b"what is that", *messages(99)]
    found = tally(lines, {"ann": 10}, READERS["message"])
    assert found == (10, 5, 1, 3, 1)


@pytest.mark.parametrize(
    ("line", "is_equal"),
    [
        (b"2001-02-03 04:05:06,789 INFO app.mod.sub user ann did 7", False),  # of another day
        (b"INFO app.mod.sub user ann did 7", False),
        (b"TODAY INFO app.mod.sub user ann did 7", True),
    ],
)
def test_plain_line_needs_its_time(line, is_equal):
    """A line with a wrong time, or none, is different."""
    today = time.strftime("%Y-%m-%d %H:%M:%S").encode() + b",000"
    found = READERS["plain"](line.replace(b"TODAY", today))
    assert found == ("ann", 7, is_equal)


def test_json_line_needs_its_extras():
    """A JSON line without the extras of the call is different."""
    record = logging.makeLogRecord({"name": "app.mod.sub", "levelname": "INFO"})
    record.msg, record.args = "user %s did %d", ("ann", 7)
    assert READERS["json"](JsonLines().format(record).encode()) == ("ann", 7, False)
    record.request_id, record.status = "r-7", 200
    assert READERS["json"](JsonLines().format(record).encode()) == ("ann", 7, True)


@pytest.mark.parametrize("kind", ["tcp", "udp", "http", "smtp"])
def test_server_counts_what_handlers_send(kind):
    """Every record of logroute and of stdlib's handler arrives and is recognised."""
    for variant, size in (("logroute", 300), ("stdlib", 1000)):
        figures, fault = compare.run_once(MEASURES[kind], variant, size)
        assert not fault
        assert figures["expected"] >= 40
        assert [figures[word] for word in results.LOSSES] == [0, 0, 0, 0]


def test_baseline_is_always_measured():
    """A pattern of measures or of variants brings the baseline along."""
    assert compare.wanted(["tcp"]) == {"tcp": MEASURES["tcp"].variants}
    assert compare.wanted(["file-*n/structlog"]) == {
        "file-plain": ("stdlib-queue", "structlog"),
        "file-json": ("stdlib-queue", "structlog"),
    }


def test_missing_peer_is_told(monkeypatch):
    """A peer that is not installed has a status and no figures; the others are measured."""
    absent = Variant("absent", "not there", "absent:direct", ("no-such-package",))
    monkeypatch.setitem(VARIANTS, "absent", absent)
    measure = MEASURES["caller-off"]._replace(variants=("stdlib", "absent"))
    measured = compare.run_measure(measure, measure.variants, 1, 0.01)
    assert measured["variants"]["absent"]["status"] == "not installed: no-such-package"
    assert measured["variants"]["stdlib"]["summary"]["cpu_ns"]["ratio"] == 1


def test_fault_of_a_run_is_told():
    """A run that ends with an error has its last line for a status."""
    broken = Measure("no-such", "", "", (), (), 1)
    figures, fault = compare.run_once(broken, "logroute", 1)
    assert (figures, fault) == (None, "failed: KeyError: 'no-such'")


def test_hung_run_is_ended(monkeypatch):
    """A process that uses no processor counts as hung."""
    monkeypatch.setattr(compare, "_IDLE_S", 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not compare._ends(process)
        process.communicate()


def variant(name, status="ok", **figures):
    return {"words": name, "status": status, "size": 10, "figures": figures}


def sample():
    measured = results.new_measure("lines", "stdlib-queue", ("per_second",), 3, 1.0)
    measured["load"] *= 2
    measured["variants"] = {
        "stdlib-queue": variant("queue", per_second=[10, 20, 10]),
        "logroute": variant("ours", per_second=[70, 100, 90], lost=[0, 0, 2], expected=[10]),
        "picologging": variant("pico", "hung"),
    }
    results.summarise(measured)
    data = {"format": 1, "python": {}}
    conditions = {**results.conditions(), "packages": {"loguru": "not installed"}}
    results.merge(data, "3.11", conditions, "file-plain", measured)
    return data


def test_ratios_are_taken_within_a_round():
    """The ratio is the median of those of the rounds, not that of the medians."""
    measured = sample()["python"]["3.11"]["measures"]["file-plain"]
    assert ratio(measured, "per_second", "logroute", "stdlib-queue") == [7, 5, 9]
    summary = measured["variants"]["logroute"]["summary"]["per_second"]
    assert (summary["median"], summary["ratio"], summary["ratio_high"]) == (90, 7, 9)


def test_report_shows_targets_spread_and_losses():
    """Tables have what is reached, how far rounds are apart, what was lost, what hung."""
    text = tables(sample())
    assert "| at least 6x | 7x (5 to 9): reached, met in 2 of 3 rounds |" in text
    assert "| **missed**: 2 in file-plain/logroute |" in text
    assert "| **ours** | 90 | 7 (5 to 9) | 2 lost of 10 |" in text
    assert "| pico | hung |" in text
    assert "loguru (not installed)" in text
    assert lines_missed(sample()["python"]["3.11"]["measures"]) == {"file-plain/logroute": 2}
    begin, end = "<!-- begin of results -->", "<!-- end of results -->"
    assert page_with(f"a\n{begin}old{end}\nb", "new") == f"a\n{begin}\nnew\n{end}\nb"


def test_other_conditions_replace_results(tmp_path):
    """Figures of other versions of peers are not left beside new ones; the file is one step."""
    data, path = sample(), tmp_path / "results.json"
    run = data["python"]["3.11"]
    measured, conditions = run["measures"]["file-plain"], run["conditions"]
    results.merge(data, "3.11", conditions, "tcp", measured)
    assert list(data["python"]["3.11"]["measures"]) == ["file-plain", "tcp"]
    results.merge(data, "3.11", {**conditions, "kernel": "another"}, "udp", measured)
    results.save(path, data)
    assert list(results.load(path)["python"]["3.11"]["measures"]) == ["udp"]
    assert '"per_second": [10, 20, 10]' in path.read_text()
