"""What a check asks of loading, beside the config itself."""

from pathlib import Path

import pytest

from logroute.config.load import load
from logroute.config.rules import RULES
from logroute.diagnostics import Severity

VARIED = 'version: 1\nhandlers: {out: {type: console, level: "%s"}}\nroutes: [{to: [out]}]\n'


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("${LEVEL}", []),
        ("${env:LEVEL}", []),
        ("${LEVEL:-INGO}", ["LR301"]),
        ("${var:LEVEL}", ["LR203"]),
        ("${LE VEL}", ["LR203"]),
    ],
)
def test_unset_variable_may_be_anything(written: str, codes: list[str]) -> None:
    """Without its environment a config is checked but for what only the environment says."""
    loaded = load(VARIED % written, environ={}, needs_environment=False)
    assert [item.code for item in loaded.diagnostics] == codes


def test_plain_dictconfig_needs_no_environment_either() -> None:
    """In a plain dictConfig file an unset variable gives no warning then."""
    text = "version: 1\nhandlers: {h: {class: logging.NullHandler, level: '${LEVEL}'}}\n"
    found = load(text, environ={}, needs_environment=False).diagnostics
    assert [item.code for item in found] == []


def test_files_that_were_read_are_listed(tmp_path: Path) -> None:
    """The config comes first, then what it includes."""
    (tmp_path / "b.yaml").write_text("handlers: {}\n")
    (tmp_path / "a.yaml").write_text("version: 1\ninclude: b.yaml\n")
    loaded = load(tmp_path / "a.yaml")
    assert loaded.files == (str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))


def test_errors_are_kept_before_warnings() -> None:
    """Of more findings than are kept, no error is among the lost ones."""
    handlers = "".join(f"  h{n}: {{type: console}}\n" for n in range(1100))
    text = f"version: 1\nhandlers:\n{handlers}root: {{level: INGO}}\nroutes: [{{to: []}}]\n"
    found = load(text, advise=True).diagnostics
    assert len(found) == 1000
    assert [item.code for item in found if item.severity is Severity.ERROR] == ["LR301"]


def test_failing_rule_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that raises is told to who asked, and raised to all others."""

    def find(facts: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(RULES[0], "find", find)
    told = []
    load(VARIED % "INGO", on_fault=lambda rule, fault: told.append((rule, type(fault))))
    assert told == [(RULES[0], ZeroDivisionError)]
    with pytest.raises(ZeroDivisionError):
        load(VARIED % "INGO")
