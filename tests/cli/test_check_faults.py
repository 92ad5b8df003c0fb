"""Faults of the check itself: told in one line, exit 2, and the rest goes on."""

import pytest
from check_kit import WARNED

from logroute.cli import check as check_module
from logroute.cli import files
from logroute.config.rules.advice import ADVICE


@pytest.fixture
def broken_rule(monkeypatch):
    """Let the rule LR202 fail with a secret in its words."""

    def find(facts):
        raise KeyError("hunter2")
        yield

    rule = next(rule for rule in ADVICE if rule.code == "LR202")
    monkeypatch.setattr(rule, "find", find)


@pytest.mark.usefixtures("broken_rule")
def test_failing_rule_does_not_stop_the_others(check):
    """A rule that raises is told with its place; other rules and files are reported."""
    check.write("a.yaml", WARNED.replace("INFO", "INGO"))
    check.write("b.yaml", WARNED)
    result = check("a.yaml", "b.yaml", "--exit-zero")
    assert (result.code, result.codes) == (2, ["LR301"])
    told = result.err.splitlines()
    assert len(told) == 2
    assert told[0].startswith(
        "logroute check: internal fault in rule LR202 (unused-definition) on a.yaml: KeyError"
    )
    assert told[0].endswith("please report it (LOGROUTE_DEBUG=1 shows where it was)")
    assert "hunter2" not in result.err and "Traceback" not in result.err


@pytest.mark.usefixtures("broken_rule")
@pytest.mark.parametrize("format", ["json", "jsonl", "github", "sarif", "junit"])
def test_machines_learn_of_an_internal_fault(check, format):
    """Each machine format says that the check is incomplete, and why."""
    check.write("b.yaml", WARNED)
    result = check("b.yaml", "--format", format)
    assert result.code == 2
    assert "internal fault in rule LR202" in result.out
    if format == "json":
        assert (result.json["complete"], result.json["files"][0]["status"]) == (False, "incomplete")


@pytest.mark.usefixtures("broken_rule")
def test_traceback_is_shown_on_request(check, monkeypatch):
    """LOGROUTE_DEBUG shows where a fault was."""
    monkeypatch.setenv("LOGROUTE_DEBUG", "1")
    check.write("a.yaml", WARNED)
    assert "Traceback (most recent call last)" in check("a.yaml").err


def test_fault_outside_of_rules_spares_other_files(check, monkeypatch):
    """Where loading itself fails, the other files are still reported."""
    load = files.load

    def fail(source, **options):
        if source.name == "a.yaml":
            raise RecursionError
        return load(source, **options)

    monkeypatch.setattr(files, "load", fail)
    check.write("a.yaml")
    check.write("b.yaml", WARNED)
    result = check("a.yaml", "b.yaml")
    assert (result.code, result.codes) == (2, ["LR202"])
    assert "internal fault in the check of a.yaml: RecursionError" in result.err


def test_fault_of_the_command_has_no_traceback(check, monkeypatch):
    """Whatever fails in a command, a person is asked to report it."""

    def fail(options):
        raise RuntimeError("hunter2")

    monkeypatch.setattr(check_module, "run", fail)
    result = check("a.yaml")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("logroute check: internal fault: RuntimeError; please report it")


def test_interrupt_exits_130(check, monkeypatch):
    """Ctrl-C ends with 130 and no word."""

    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(check_module, "run", interrupt)
    assert check("a.yaml") == (130, "", "")
