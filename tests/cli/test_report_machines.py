"""The reports for machines: JSON, JSON lines, GitHub commands, SARIF and JUnit."""

import json
import os
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from check_kit import BROKEN, GOOD, WARNED
from cli_kit import ROOT
from report_schemas import JUNIT, SARIF

from logroute.cli.report import FileReport, Report, sarif
from logroute.config.rules.catalogue import catalogue
from logroute.diagnostics import Span, warning

REPORT = jsonschema.Draft7Validator(json.loads((ROOT / "schemas/report.schema.json").read_text()))
MANY = sorted((ROOT / "tests/config/bad").glob("*.yaml")) + sorted(
    path for path in (ROOT / "tests/config/rules").glob("*/bad.*") if path.suffix != ".txt"
)
TWICE = GOOD.replace("root:", "root: {level: INFO}\nroot:")


@pytest.mark.parametrize("option", [[], ["-v"], ["--statistics"], ["--strict", "-v"]])
def test_json_follows_its_schema(check, option):
    """The JSON report of all bad files is one document that its schema accepts."""
    result = check(*MANY, "none.yaml", "--format", "json", *option)
    REPORT.validate(result.json)
    assert (result.code, result.json["complete"], result.json["ok"]) == (2, False, False)
    severities = [item["severity"] for item in result.json["diagnostics"]]
    assert severities.count("error") == result.json["summary"]["errors"] > 50


def test_json_says_where_and_how_to_fix(check):
    """A finding has its place, its pointer and the pieces of its fix, with offsets."""
    text = "# é\n" + GOOD.replace("type: console", "type: consol")
    check.write("a.yaml", text)
    (item,) = check("a.yaml", "--format", "json").json["diagnostics"]
    assert item["range"] == {"start": {"line": 4, "column": 15}, "end": {"line": 4, "column": 21}}
    assert item["pointer"] == "/handlers/out/type"
    (edit,) = item["fix"]["edits"]
    low, high = edit["offsets"]["start"], edit["offsets"]["end"]
    assert (item["fix"]["safe"], text[low:high], edit["text"]) == (True, "consol", "console")
    assert edit["range"] == item["range"]


def test_json_of_a_good_file_is_empty(check):
    """A good file is listed as such."""
    check.write("a.yaml")
    report = check("a.yaml", "--format", "json").json
    (handler,) = report["files"][0].pop("handlers")
    assert (report["ok"], report["files"]) == (True, [{"path": "a.yaml", "status": "ok"}])
    assert handler == {"name": "out", "type": "console", "guarantee": "at_most_once"}
    assert report["diagnostics"] == report["faults"] == []


def test_paths_are_relative_to_here(check):
    """Machines get paths from the working directory, whatever way they were given."""
    check.write("in/a.yaml", WARNED)
    for path in ("in/a.yaml", "./in/../in/a.yaml", check.folder / "in" / "a.yaml"):
        report = check(path, "--format", "json").json
        assert report["diagnostics"][0]["file"] == report["files"][0]["path"] == "in/a.yaml"


def test_json_lines_end_with_the_summary(check):
    """One object per finding, then one that sums up."""
    check.write("a.yaml", WARNED.replace("INFO", "INGO"))
    lines = [json.loads(line) for line in check("a.yaml", "--format", "jsonl").out.splitlines()]
    assert [line["type"] for line in lines] == ["diagnostic", "diagnostic", "summary"]
    whole = check("a.yaml", "--format", "json").json
    assert [{k: v for k, v in line.items() if k != "type"} for line in lines[:2]] == whole[
        "diagnostics"
    ]
    assert (lines[2]["format_version"], lines[2]["summary"]) == ("1.0", whole["summary"])


# -- GitHub


def test_github_is_automatic_in_its_workflows(check, monkeypatch):
    """In a GitHub workflow findings become commands, with paths from the workspace."""
    folder = check.write("in/a.yaml", WARNED).parent
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(check.folder))
    monkeypatch.chdir(folder)
    lines = check("a.yaml").out.splitlines()
    assert lines[0] == (
        "::warning file=in/a.yaml,line=4,endLine=4,col=3,endColumn=7,title=LR202 "
        "unused-definition::in/a.yaml:4:3: LR202 handler `idle` is not used"
        "%0Ahelp: name it in a route, a logger or `unmatched`, or remove it"
    )
    assert lines[1].startswith("1 file, 0 errors, 1 warning")
    assert check("a.yaml", "--format", "text").out.startswith("a.yaml:4:3: ")


def test_github_commands_cannot_be_smuggled(check):
    """Line ends and separators in names and messages are escaped."""
    check.write("a,b:c%.yaml", GOOD.replace("INFO", '"a\\n::error::x%0A"'))
    check.write("x\n::set-env name=A::b.yaml", BROKEN)
    result = check("a,b:c%.yaml", "x\n::set-env name=A::b.yaml", "--format", "github")
    commands = result.out.splitlines()[:-1]
    assert len(commands) == 2
    assert commands[0].startswith("::error file=a%2Cb%3Ac%25.yaml,line=4,")
    assert all(re.match(r"::error [^:]*::\S", command) for command in commands)


# -- SARIF


@pytest.mark.parametrize("option", [[], ["-v", "--strict"]])
def test_sarif_follows_the_standard(check, option):
    """The SARIF log of all bad files is as the standard has it."""
    result = check(*MANY, "none.yaml", "--format", "sarif", *option)
    jsonschema.Draft7Validator(SARIF).validate(result.json)
    (run,) = result.json["runs"]
    assert run["invocations"] == [{"executionSuccessful": False, "exitCode": 2}]
    rules = run["tool"]["driver"]["rules"]
    for item in run["results"]:
        rule = rules[item["ruleIndex"]]
        assert rule["id"] == item["ruleId"]
        assert f"({rule['id']})" not in rule["shortDescription"]["text"]
        assert rule["help"]["text"] == catalogue()[rule["id"]].page


def test_sarif_has_related_places_and_fixes(check):
    """Related places and fixes are told as regions of the same kind."""
    check.write("a b.yaml", TWICE.replace("type: console", "type: consol"))
    results = check("a b.yaml", "--format", "sarif").json["runs"][0]["results"]
    twice = next(item for item in results if item["ruleId"] == "LR006")
    assert twice["relatedLocations"][0]["message"] == {"text": "first written here"}
    fixed = next(item for item in results if item["ruleId"] == "LR105")
    (change,) = fixed["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "a%20b.yaml"}
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 3, "startColumn": 15, "endLine": 3, "endColumn": 21},
            "insertedContent": {"text": "console"},
        }
    ]


def fingerprints(*findings):
    """Return the fingerprints of findings, each a line of text and its number."""
    lines = dict(findings)
    text = "\n".join(lines.get(number, "") for number in range(1, max(lines) + 1))
    items = [warning("LR202", "unused", Span("a.yaml", n, 1, n, 2)) for n in lines]
    report = Report([FileReport("a.yaml", tuple(items), {"a.yaml": text}, "", True)])
    results = json.loads(sarif.render(report))["runs"][0]["results"]
    return [item["partialFingerprints"]["logroute/v1"] for item in results]


def test_fingerprints_survive_moved_lines():
    """A finding keeps its fingerprint when lines move; equal findings are told apart."""
    before = fingerprints((1, "a: 1"), (2, "b: 1"), (3, "  a: 1"))
    assert len(set(before)) == 3
    assert fingerprints((5, " a: 1"), (17, "b: 1"), (18, "a: 1")) == before
    assert fingerprints((1, "a: 2"), (2, "b: 1"))[0] not in before


def test_fingerprints_tell_no_secret():
    """A secret on the line has no part in its fingerprint: it could be guessed from it."""
    assert fingerprints((1, "password: hunter2")) == fingerprints((1, "password: hunter3"))


# -- JUnit


@pytest.mark.parametrize("option", [[], ["-v", "--strict"]])
def test_junit_follows_its_schema(check, option):
    """The JUnit report of all bad files is as its readers want it."""
    result = check(*MANY, "none.yaml", "--format", "junit", *option)
    root = ET.fromstring(result.out)
    JUNIT.validate(root)
    (suite,) = root
    cases = suite.findall("testcase")
    assert len(cases) == len(MANY) + 1 == int(suite.get("tests", ""))
    assert len(suite.findall("testcase/failure")) == int(suite.get("failures", ""))
    assert len(suite.findall("testcase/error")) == int(suite.get("errors", ""))


def test_junit_has_a_case_per_file(check):
    """A good file passes, a warning is output, an error a failure, an unread file an error."""
    for name, text in (("a", GOOD), ("b", WARNED), ("c", BROKEN)):
        check.write(f"{name}.yaml", text)
    files = ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]

    def outcomes(*options):
        suite = ET.fromstring(check(*files, "--format", "junit", *options).out)[0]
        return [[child.tag for child in case] for case in suite]

    assert outcomes() == [[], ["system-out"], ["failure"], ["error"]]
    assert outcomes("--strict") == [[], ["failure"], ["failure"], ["error"]]


def test_junit_holds_only_xml_characters(check):
    """What XML cannot hold does not break the report."""
    name = "a\x1b<&\"'>.yaml"
    check.write(name, BROKEN.replace("INGO", '"\\x1b]]>&<"'))
    root = ET.fromstring(check(name, "--format", "junit").out)
    assert root.find("testsuite/testcase").get("name") == "a\ufffd<&\"'>.yaml"


def test_machine_formats_stay_out_of_a_text_report(tmp_path):
    """A text report of a good file imports no other format's modules."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    code = (
        "import sys; from logroute.cli import main; main(['check', sys.argv[1]]); "
        "print(*(set(sys.modules) & {'hashlib', 'xml.sax', 'tempfile', 'shutil', 'glob', "
        "'logroute.cli.report.masking', 'logroute.cli.checks.suppress', 'jsonschema'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == ""
