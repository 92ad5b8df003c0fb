"""The snippets of docs/syslog.md and docs/memory.md are configs that pass the check."""

import re
from pathlib import Path

import pytest

from logroute.config.load import load
from logroute.diagnostics import Severity
from logroute.options import options_of
from logroute.sinks import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("kind", ["syslog", "memory"])
def test_snippets_pass_the_check(kind):
    """No error and no warning."""
    snippets = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{kind}.md").read_text(), re.DOTALL)
    assert snippets
    for text in snippets:
        found = load(text, advise=True).diagnostics
        assert [str(item) for item in found if item.severity is not Severity.INFO] == []


@pytest.mark.parametrize("kind", ["syslog", "memory"])
def test_every_option_is_in_the_table(kind):
    """An option that is not told of does not exist for readers."""
    text = (DOCS / f"{kind}.md").read_text()
    assert set(options_of(KINDS.get(kind))) <= set(re.findall(r"`(\w+)`", text))
