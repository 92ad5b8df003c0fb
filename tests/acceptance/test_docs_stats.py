"""docs/stats.md: its config loads, its metrics exist, its words are those of the code."""

import re
from pathlib import Path

import logroute
from logroute.app.bulletin import Reporter
from logroute.app.metrics import STATES
from logroute.contrib.prometheus import exposition
from logroute.testing import assert_adds_up

TEXT = (Path(__file__).resolve().parents[2] / "docs/stats.md").read_text()


def config():
    return re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1]


def test_config_of_the_page_is_good():
    """The config can be used as it is, and nothing about it is doubtful."""
    assert logroute.check(config()) == ()
    stats = logroute.load(config()).stats
    assert (stats.every, stats.socket) == (60.0, "/run/user/1000/shop-{pid}.sock")


def test_metrics_of_the_page_exist():
    """Each metric that the page names is one that is shown."""
    text = config().replace("stats:\n  every: 60s\n  socket: /run/user/1000/shop-{pid}.sock\n", "")
    runtime = logroute.configure(text)
    runtime.workers["ops-mail"].note(OSError("x"))
    shown = exposition()
    named = set(re.findall(r"\blogroute_[a-z_]+", TEXT))
    assert len(named) > 10
    assert [name for name in named if f"# TYPE {name} " not in shown] == []


def test_states_and_line_of_the_page_exist():
    """The states are those of the code; the example of the line is made as it is made."""
    assert all(f"| `{state}` |" in TEXT for state in STATES)
    runtime = logroute.configure(config().split("stats:\n")[0])
    assert_adds_up(runtime.stats())
    reporter = Reporter(runtime.stats())
    assert reporter.report(runtime)
    assert runtime.flush(10)
