"""Every rule has a bad file with its exact output, a good one, and a manual page."""

import contextlib
import re

import pytest
from rule_fixtures import FIXTURES, file_of, output_of

from logroute.config.load import load
from logroute.config.rules.catalogue import catalogue
from logroute.diagnostics import NAMES

CODES = sorted(path.name for path in FIXTURES.iterdir())
#: Codes that no file alone can show: where their tests are.
ELSEWHERE: dict[str, str] = {
    "LR098": "cli/test_check_suppress.py",
    "LR190": "config/test_rules.py",
    "LR205": "config/test_expand.py",
    "LR903": "app/test_configure.py",
    "LR904": "app/test_configure.py",
    **dict.fromkeys(
        ("LR502", "LR503", "LR514", "LR612", "LR613", "LR705", "LR706"),
        "config/test_host_rules.py",
    ),
}
_SUGGESTED = re.compile(r"(?:write|did you mean|add|use) `([^`]+)`")


def found_in(code: str, stem: str):
    path = file_of(code, stem)
    with contextlib.chdir(path.parent):
        return load(path.name, read_secrets=False, advise=True).diagnostics


@pytest.mark.parametrize("code", CODES)
def test_bad_file_gives_its_output(code):
    """The bad file of a code gives exactly the output written beside it, with that code."""
    bad = file_of(code, "bad")
    assert output_of(bad) == bad.with_suffix(".txt").read_text()
    mine = [item for item in found_in(code, "bad") if item.code == code]
    assert mine and all(item.help for item in mine)


@pytest.mark.parametrize("code", CODES)
def test_good_file_is_silent(code):
    """The good file of a code gives no finding of any severity."""
    assert [str(item) for item in found_in(code, "good")] == []


@pytest.mark.parametrize("code", CODES)
def test_good_file_follows_the_help(code):
    """What the help tells to write stands in the good file."""
    good = file_of(code, "good").read_text()
    for item in found_in(code, "bad"):
        for text in _SUGGESTED.findall(item.help or "") if item.code == code else ():
            assert text in good, item


@pytest.mark.parametrize("code", CODES)
def test_severity_is_as_announced(code):
    """The findings of a code have the severity that its page announces."""
    severities = {item.severity for item in found_in(code, "bad") if item.code == code}
    assert catalogue()[code].severity in severities


def test_every_code_is_shown():
    """No code lacks its fixtures, but those tested elsewhere."""
    assert set(CODES) | set(ELSEWHERE) == set(NAMES) == set(catalogue())


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_rule_has_its_page(code):
    """A page names its code, shows an example and says more than one sentence."""
    page = catalogue()[code].page
    assert f"({code})" in page.splitlines()[0] + page.splitlines()[1], page
    assert "::\n" in page and len(page.split("\n\n")) >= 3
