"""Speed beside stdlib's QueueHandler, as ratios of CPU time in interleaved runs.

A bound is one and a half times what is measured: a change that doubles a cost breaks
it, a noisy machine does not, since noise only adds to a cost and the least one of each
side counts. docs/performance.md has the figures.
"""

import sys

import pytest
from cli_kit import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks.compare import run_once
from benchmarks.measures import MEASURES

ROUNDS, MOST_ROUNDS = 3, 10
BASELINE = "stdlib-queue"


def least_ratio(measure, figure, size, bound):
    """Return least cost of logroute / least cost of stdlib; stop early where it is in bounds."""
    costs = {"logroute": [], BASELINE: []}
    for number in range(MOST_ROUNDS):
        for variant in costs if number % 2 else reversed(costs):
            figures, fault = run_once(MEASURES[measure], variant, size)
            assert not fault
            assert [figures[word] for word in ("lost", "repeated", "different", "reordered")] == (
                [0, 0, 0, 0]
            )
            costs[variant].append(figures[figure])
        ratio = min(costs["logroute"]) / min(costs[BASELINE])
        if number + 1 >= ROUNDS and ratio <= bound:
            break
    return ratio


@pytest.mark.parametrize(
    ("measure", "figure", "size", "bound"),
    [
        ("caller-extra", "cpu_min_us", 500, 0.14),
        ("file-plain", "cpu_us", 5_000, 0.6),
        ("file-json", "cpu_us", 5_000, 0.6),
    ],
)
def test_cost_stays_near_what_was_measured(measure, figure, size, bound):
    """CPU of the caller, and of the process for a line, do not double beside stdlib's."""
    assert least_ratio(measure, figure, size, bound) <= bound
