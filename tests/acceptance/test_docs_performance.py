"""docs/performance.md and its picture are those of benchmarks/results.json."""

import sys

from cli_kit import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks.compare import RESULTS
from benchmarks.measures import MEASURES
from benchmarks.plot import draw
from benchmarks.report import PAGE, PICTURE, page_with, tables
from benchmarks.results import load
from benchmarks.targets import TARGETS


def test_page_shows_the_results():
    """What the page and the picture show is what was measured."""
    data, page = load(RESULTS), PAGE.read_text()
    assert set(data["python"]) == {"3.11", "3.13"}
    assert page_with(page, tables(data)) == page
    assert draw(data, "3.11") == PICTURE.read_text()


def test_results_hold_every_measure():
    """Every measure has results on both versions, and every target can be judged."""
    for version, run in load(RESULTS)["python"].items():
        assert set(run["measures"]) == set(MEASURES)
        unknown = [target.against for target in TARGETS if not target.figures(run["measures"])]
        assert unknown == ([] if version == "3.11" else ["picologging-queue"])


def test_targets_name_what_is_measured():
    """Measure, variants and figure of each target exist."""
    for target in TARGETS:
        measure = MEASURES[target.measure]
        assert {target.variant, target.against or target.variant} <= set(measure.variants)
        assert target.figure in measure.figures
