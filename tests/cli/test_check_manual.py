"""What docs/check.md shows is what the command does."""

import json
import re

from check_kit import BROKEN, WARNED
from cli_kit import ROOT

MANUAL = (ROOT / "docs" / "check.md").read_text()
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", MANUAL, re.DOTALL))


def test_manual_shows_the_text_report(check):
    """The report in the manual is that of a file with these faults."""
    check.write("logging.yaml", WARNED.replace("INFO", "INGO"))
    command, _, output = BLOCKS["console"].partition("\n")
    assert command == "$ logroute check logging.yaml"
    assert check("logging.yaml").out == output


def test_manual_shows_the_json_report(check):
    """The document in the manual is that of a misspelt level."""
    check.write("logging.yaml", BROKEN)
    assert check("logging.yaml", "--format", "json").json == json.loads(BLOCKS["json"])


def test_comments_in_the_manual_work(check):
    """Each comment in the manual takes something back, or the check would say so."""
    check.write("logging.yaml", BLOCKS["yaml"])
    result = check("logging.yaml", "-v", "--strict")
    assert "LR202" not in result.codes and "LR509" not in result.codes


def test_manual_names_every_option(check):
    """No option of the command is missing in its manual."""
    options = set(re.findall(r"--[a-z-]+", check("--help").out)) - {"--help"}
    elsewhere = {"--fix", "--diff", "--unsafe-fixes", "--host", "--probe", "--probe-timeout"}
    long_of_short = {"--verbose": "-v", "--quiet": "-q", "--output": "-o"}
    named = {option for option in options if long_of_short.get(option, option) in MANUAL}
    assert options - elsewhere - named == set()
