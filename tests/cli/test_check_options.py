"""Exit codes, and the options that say which findings count."""

import pytest
from check_kit import BROKEN, GOOD, REMARKED, WARNED


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (GOOD, [], 0),
        (WARNED, [], 0),
        (WARNED, ["--strict"], 1),
        (WARNED, ["--strict", "--exit-zero"], 0),
        (REMARKED, ["--strict"], 0),
        (BROKEN, [], 1),
        (BROKEN, ["--exit-zero"], 0),
        (BROKEN, ["--severity", "LR301=warning"], 0),
        (WARNED, ["--severity", "unused-definition=error"], 1),
        (WARNED, ["--strict", "--severity", "LR202=info"], 0),
        (WARNED, ["--strict", "--severity", "LR2=off"], 0),
        (WARNED, ["--strict", "--ignore", "LR202"], 0),
        (WARNED, ["--strict", "--select", "LR3"], 0),
    ],
)
def test_exit_code_follows_what_is_found(check, text, options, code):
    """0 is fine, 1 has errors (or warnings, if strict); --exit-zero makes 1 a 0."""
    check.write("a.yaml", text)
    assert check("a.yaml", *options).code == code


@pytest.mark.parametrize("format", ["text", "concise", "json", "jsonl", "github", "sarif", "junit"])
def test_format_never_changes_the_code(check, format):
    """Every format ends with the code of the findings, and with 2 for a missing file."""
    check.write("bad.yaml", BROKEN)
    assert check("bad.yaml", "--format", format).code == 1
    assert check("bad.yaml", "none.yaml", "--format", format).code == 2


@pytest.mark.parametrize(
    "options",
    [["--exit-zero"], ["--select", "LR3"], ["--ignore", "LR001,LR0"], ["--severity", "LR0=off"]],
)
def test_unread_file_cannot_be_hidden(check, options):
    """Nothing suppresses exit 2, nor the finding that says why."""
    check.write("bad.yaml", BROKEN)
    result = check("none.yaml", "bad.yaml", *options)
    assert result.code == 2
    assert "none.yaml:1:1: error[LR001]" in result.out
    assert "bad.yaml:4:15: error[LR301]" in result.out


def test_severity_of_reading_is_fixed(check):
    """A code that says a file is not read keeps its severity."""
    check.write("a.yaml")
    result = check("a.yaml", "--severity", "LR001=info")
    assert (result.code, result.out) == (2, "")
    assert "cannot change LR001" in result.err


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["LR202", "LR301"]),
        (["--select", "LR2"], ["LR202"]),
        (["--select", "unused-definition"], ["LR202"]),
        (["--select", "lr202,LR3"], ["LR202", "LR301"]),
        (["--select", "LR2", "--select", "LR301"], ["LR202", "LR301"]),
        (["--select", "LR2", "--ignore", "LR202"], []),
        (["--select", "LR202", "--ignore", "LR2"], ["LR202"]),
        (["--select", "LR2", "--ignore", "LR2"], []),
        (["--ignore", "LR3"], ["LR202"]),
        (["--ignore", "unknown-level unused-definition"], []),
    ],
)
def test_selection_takes_codes_areas_and_names(check, options, codes):
    """Of --select and --ignore the one that names a code more exactly wins."""
    check.write("a.yaml", WARNED.replace("INFO", "INGO"))
    assert check("a.yaml", *options).codes == codes


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--select", "unreachable-rout"], "did you mean `unreachable-route`?"),
        (["--ignore", "LR999"], "no rule is called `LR999`; did you mean `LR"),
        (["--severity", "LR302"], "--severity takes CODE=LEVEL"),
        (["--severity", "LR302=warn"], "did you mean `warning`?"),
        (["--formt", "json"], "unknown option `--formt`; did you mean `--format`?"),
        (["--prof", "x"], "unknown option `--prof`; did you mean `--profile`?"),
        (["--format", "jsn"], "`jsn` is not a choice; did you mean `json`?"),
        (["--max-problems", "-1"], "`-1` is not a whole number from 0"),
        (["--max-problems", "few"], "`few` is not a whole number from 0"),
        (["--env", "PASSWORD"], "--env takes KEY=VALUE"),
        (["--env-file", "none.env"], "--env-file: cannot read `none.env`: no such file"),
        (["-", "--watch"], "--watch cannot look at standard input again"),
    ],
)
def test_wrong_arguments_are_told_with_a_cure(check, arguments, told):
    """A command line that means nothing exits 2, checks nothing and says what was likely meant."""
    check.write("a.yaml", BROKEN)
    result = check("a.yaml", *arguments)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert "Traceback" not in result.err


def test_options_may_stand_between_paths(check):
    """Paths are gathered from everywhere on the command line."""
    check.write("a.yaml")
    check.write("b.yaml", WARNED)
    result = check("a.yaml", "--strict", "b.yaml", "-q")
    assert (result.code, result.codes) == (1, ["LR202"])
    check.write("-c.yaml", BROKEN)
    assert check("-q", "--", "-c.yaml").codes == ["LR301"]


def test_remarks_are_hidden_until_asked_for(check):
    """Remarks are counted, shown by -v, by --select and where --severity names them."""
    check.write("a.yaml", REMARKED)
    result = check("a.yaml")
    assert result.out.endswith("1 file, 0 errors, 0 warnings, 1 remark hidden (-v)\n")
    for option in (["-v"], ["--select", "relative-path"], ["--severity", "LR509=info"]):
        assert check("a.yaml", *option).codes == ["LR509"]
    result = check("a.yaml", "-v")
    assert "info[LR509]" in result.out
    assert result.out.endswith("1 file, 0 errors, 0 warnings, 1 remark\n")


def test_quiet_prints_findings_only(check):
    """-q leaves out what is fine, the summary and what was chosen."""
    check.write("logging.yaml")
    check.write("b.yaml", WARNED)
    assert check("-q") == (0, "", "")
    lines = check("-q", "--format", "concise", "logging.yaml", "b.yaml").out.splitlines()
    assert lines == ["b.yaml:4:3: warning[LR202]: handler `idle` is not used"]


def test_statistics_count_codes(check):
    """--statistics shows how often each code was found, the most frequent first."""
    check.write("a.yaml", WARNED.replace("INFO", "INGO").replace("[out]", "[out, uot, tuo]"))
    lines = check("a.yaml", "--statistics", "--color", "never").out.splitlines()
    assert [line.split()[:3] for line in lines[:-1]] == [
        ["2", "LR201", "undefined-name"],
        ["1", "LR202", "unused-definition"],
        ["1", "LR301", "unknown-level"],
    ]
    report = check("a.yaml", "--statistics", "--format", "json").json
    assert report["statistics"] == {"LR201": 2, "LR202": 1, "LR301": 1}


def test_most_problems_are_the_gravest(check):
    """--max-problems keeps errors before warnings, says how many are left, and spares machines."""
    idle = "".join(f"  idle{n}: {{type: console}}\n" for n in range(60))
    check.write("a.yaml", BROKEN.replace("root:", f"{idle}root:"))
    result = check("a.yaml", "--format", "concise")
    assert len(result.codes) == 50
    assert result.codes[-1] == "LR301"
    assert "... and 11 more in a.yaml (--max-problems 0 shows all)\n" in result.out
    assert len(check("a.yaml", "--max-problems", "0").codes) == 61
    assert len(check("a.yaml", "--format", "json").json["diagnostics"]) == 61


def test_report_goes_to_a_file_in_one_step(check):
    """-o writes the report with all lines, without color, and keeps the mode of the file."""
    check.write("a.yaml", WARNED)
    path = check.write("report.txt", "old")
    path.chmod(0o640)
    result = check("a.yaml", "-o", "report.txt", "--strict")
    assert (result.code, result.out, result.err) == (1, "", "")
    assert path.read_text().startswith("a.yaml:4:3: warning[LR202]")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(item.name for item in check.folder.iterdir()) == ["a.yaml", "report.txt"]


def test_report_that_cannot_be_written_exits_2(check):
    """Where the report has no place to go, nothing was completed."""
    check.write("a.yaml")
    result = check("a.yaml", "-o", "none/report.txt")
    assert result.code == 2
    assert "cannot write none/report.txt: no such file or directory" in result.err


def test_usage_error_is_a_json_document(check):
    """Machines get one document even where the command line is wrong."""
    for arguments in (["--selec", "x", "--format", "json"], ["--format=json", "--select", "x"], []):
        result = check(*arguments, *([] if arguments else ["--format", "json"]))
        assert (result.code, result.json["complete"], result.json["ok"]) == (2, False, False)
        assert len(result.json["faults"]) == 1
