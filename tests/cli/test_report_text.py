"""The report for people: excerpts, carets, colors, secrets, summary."""

import os
import pty
import select
import subprocess
import sys

import pytest
from check_kit import BROKEN, GOOD, WARNED
from cli_kit import ROOT, logroute

from logroute.cli.report import FileReport, Report
from logroute.cli.report.text import Style, render
from logroute.diagnostics import Span, error, info, warning


def shown(line, column, end, encoding="utf-8"):
    """Return the excerpt of one line with a finding on it."""
    item = error("LR101", "x", Span("a.yaml", 1, column, 1, end))
    report = Report([FileReport("a.yaml", (item,), {"a.yaml": line}, "", True)])
    lines = render(report, Style(encoding=encoding)).splitlines()
    return lines[1].removeprefix("1 | "), lines[2].removeprefix("  | ")


@pytest.mark.parametrize(
    ("before", "columns"),
    [
        ("", 0),
        ("ab ", 3),
        ("日本 ", 5),
        ("e\u0301 ", 2),
        ("\U0001f389 ", 3),
        ("\u26a0\ufe0f ", 2),
        ("\t", 4),
        ("ｱ ", 2),
        ("\uff21 ", 3),
        ("\u1112\u1161 ", 3),
        ("\u200b ", 2),
    ],
)
def test_caret_stands_by_display_width(before, columns):
    """Wide, combining and invisible characters take the columns that a terminal gives them."""
    _, marks = shown(f"{before}key: x", len(before) + 1, len(before) + 4)
    assert marks == " " * columns + "^^^"


def test_ascii_output_keeps_the_caret_in_place():
    """What an ASCII terminal shows as escapes is as wide as the escapes."""
    line, marks = shown("日: fiel", 4, 8, encoding="ascii")
    assert line == "\\u65e5: fiel"
    assert marks == " " * 8 + "^^^^"


def test_control_characters_are_not_sent():
    """Neither a terminal command nor a change of direction reaches the terminal."""
    line, _ = shown("a\x1b[31m\u202eb", 1, 2)
    assert line == "a\ufffd[31m\ufffdb"
    item = error("LR101", "bad \x1b[2J", Span("a\n\x1b.yaml", 1, 1, 1, 1))
    report = Report([FileReport("a\n\x1b.yaml", (item,), {}, "", True)])
    assert render(report).startswith("a\ufffd\ufffd.yaml:1:1: error[LR101]: bad \ufffd[2J\n")


def test_long_lines_are_cut_around_the_mark():
    """The marked part stays in sight, whatever stands before and behind it."""
    for size in (150, 5_000, 1_000_000):
        line, marks = shown("x" * size + " fiel " + "y" * size, size + 2, size + 6)
        assert len(line) < 130
        start = marks.index("^")
        assert line[start : start + 4] == "fiel"
    line, marks = shown("x" * 500, 1, 501)
    assert (len(line) < 130, marks) == (True, "^" * 100)


def test_related_places_have_their_label():
    """A related place shows its line and label, and its file where that is another."""
    item = warning("LR202", "twice", Span("a.yaml", 2, 1, 2, 2), "remove one")
    item = item._replace(
        related=(
            ("first here", Span("a.yaml", 1, 1, 1, 2)),
            ("or here", Span("b.yaml", 10, 1, 10, 2)),
        )
    )
    texts = {"a.yaml": "k: 1\nk: 2\n", "b.yaml": "\n" * 9 + "k: 3\n"}
    out = render(Report([FileReport("a.yaml", (item,), texts, "", True)]))
    assert out == (
        "a.yaml:2:1: warning[LR202]: twice\n"
        " 2 | k: 2\n   | ^\n 1 | k: 1\n   | - first here\n"
        "  b.yaml:10:1: or here\n10 | k: 3\n   | - or here\n"
        "   = help: remove one\n1 file, 0 errors, 1 warning\n"
    )


def test_summary_counts_everything():
    """Files, errors, warnings, remarks, fixes, hidden, ignored and unread are summed up."""
    place = Span("a.yaml", 1, 1, 1, 1)
    items = (error("LR101", "x", place), warning("LR202", "x", place), info("LR509", "x", place))
    files = [
        FileReport("a.yaml", items, {}, "", True, hidden=2, ignored=1),
        FileReport("b.yaml", (items[0],), {}, "", False, hidden=1),
    ]
    last = render(Report(files)).splitlines()[-1]
    assert last == (
        "2 files, 2 errors, 1 warning, 1 remark, 3 remarks hidden (-v), 1 ignored by comment, "
        "1 could not be checked"
    )


def test_fixes_are_announced(check):
    """A finding that --fix corrects says so, and so does the summary."""
    check.write("a.yaml", GOOD.replace("type: console", "type: consol"))
    lines = check("a.yaml").out.splitlines()
    assert lines[-2] == "  = help: did you mean `console`?  [fixable with --fix]"
    assert lines[-1] == "1 file, 1 error, 0 warnings (1 fixable with --fix)"


COLORS = [
    ([], {}, False, False),
    ([], {}, True, True),
    ([], {"TERM": "dumb"}, True, False),
    ([], {"NO_COLOR": "1"}, True, False),
    ([], {"NO_COLOR": ""}, True, True),
    ([], {"FORCE_COLOR": "1"}, False, True),
    ([], {"CLICOLOR_FORCE": "1", "TERM": "dumb"}, False, True),
    ([], {"FORCE_COLOR": "0"}, False, False),
    ([], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    (["--color", "always"], {"NO_COLOR": "1"}, False, True),
    (["--color", "never"], {"FORCE_COLOR": "1"}, True, False),
]


@pytest.mark.parametrize(("options", "variables", "on_terminal", "is_colored"), COLORS)
def test_color_is_where_it_is_wanted(
    check, monkeypatch, options, variables, on_terminal, is_colored
):
    """The option beats NO_COLOR beats FORCE_COLOR beats the terminal; severity stays a word."""
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: on_terminal)
    check.write("a.yaml", WARNED)
    out = check("a.yaml", *options).out
    assert ("\x1b[" in out) is is_colored
    assert "warning[LR202]" in out


def test_report_file_is_never_colored(check):
    """-o is no terminal, whatever standard output is."""
    check.write("a.yaml", WARNED)
    check("a.yaml", "-o", "report.txt")
    assert "\x1b[" not in (check.folder / "report.txt").read_text()


def on_terminal(command, cwd, variables):
    """Return what a command shows on a terminal of its own."""
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave
    ) as run:
        os.close(slave)
        out = b""
        while select.select([master], [], [], 30)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            out += piece
        code = run.wait(30)
    os.close(master)
    return code, out.decode().replace("\r\n", "\n")


def test_real_terminal_gets_colors(tmp_path):
    """On a terminal the severity, the marks and the help stand out."""
    (tmp_path / "a.yaml").write_text(WARNED)
    command = [sys.executable, "-m", "logroute", "check", "a.yaml"]
    code, out = on_terminal(command, tmp_path, {"GITHUB_ACTIONS": "", "FORCE_COLOR": ""})
    assert code == 0
    assert out.splitlines()[:3] == [
        "a.yaml:4:3: \x1b[1;33mwarning[LR202]\x1b[0m: handler `idle` is not used",
        "4 |   idle: {type: console}",
        "  |   \x1b[33m^^^^\x1b[0m",
    ]


def test_reader_that_stops_keeps_the_code(tmp_path):
    """`| head -1` is quiet, and the exit code is that of the findings."""
    for n in range(100):
        (tmp_path / f"{n}.yaml").write_text(WARNED.replace("INFO", "INGO"))
    command = f"{sys.executable} -m logroute check *.yaml --format jsonl"
    script = f"{command} | head -1; echo ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, timeout=60, check=True
    )
    assert (done.stderr, done.stdout.splitlines()[-1]) == (b"", b"1")


def test_full_disk_exits_2(tmp_path):
    """A report that cannot be written is told, without a traceback."""
    (tmp_path / "a.yaml").write_text(WARNED)
    script = f"{sys.executable} -m logroute check a.yaml > /dev/full"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == b"logroute check: cannot write the report: no space left on device\n"


def test_missing_standard_output_is_survived(tmp_path):
    """With standard output closed only the exit code tells."""
    (tmp_path / "a.yaml").write_text(WARNED)
    script = f"{sys.executable} -m logroute check --strict a.yaml >&-"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"")


BAD = ROOT / "tests" / "config" / "bad"


@pytest.mark.parametrize("format", ["text", "json", "sarif"])
def test_output_is_the_same_under_all_hash_seeds(format):
    """Equal files give equal bytes whatever the hash seed."""
    files = sorted(path.name for path in BAD.glob("*.yaml"))
    outputs = {
        logroute(
            "check", "-v", "--format", format, *files, cwd=BAD, environment={"PYTHONHASHSEED": seed}
        )
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()[1]) > 10_000


PROFILES = GOOD + "profiles: {dev: {root: {level: DEBUG}}, prod: {root: {level: ERROR}}}\n"
NAMED = "2 profiles were not checked: `dev`, `prod` (--all-profiles checks them, too)"


def test_unchecked_profiles_are_named_last(check):
    """One line after the summary says which profiles nobody looked at; the code stays."""
    check.write("a.yaml", PROFILES)
    result = check("a.yaml")
    assert result.code == 0
    summary, last = result.out.splitlines()[-2:]
    assert summary.startswith("1 file, 0 errors")
    assert last == NAMED


def test_unchecked_profiles_of_files_are_one_line(check):
    """Of several files it says how many; profiles that an include brings count too."""
    check.write("a.yaml", PROFILES)
    check.write("b.yaml", "include: a.yaml\n" + GOOD)
    assert check("b.yaml").out.splitlines()[-1] == NAMED
    last = check("a.yaml", "b.yaml").out.splitlines()[-1]
    assert last == "4 profiles of 2 files were not checked (--all-profiles checks them, too)"


@pytest.mark.parametrize(
    "options",
    [
        ("--all-profiles",),
        ("--profile", "dev"),
        ("--quiet",),
        *[("--format", format) for format in ("concise", "json", "jsonl", "github", "sarif")],
    ],
)
def test_checked_profiles_are_not_named(check, options):
    """Who chose profiles, or wants findings only or data, gets no such line."""
    check.write("a.yaml", PROFILES)
    result = check("a.yaml", *options)
    assert result.code == 0
    assert "not checked" not in result.out + result.err


def test_profile_of_the_environment_is_checked(check, monkeypatch):
    """What LOGROUTE_PROFILE chose was looked at."""
    monkeypatch.setenv("LOGROUTE_PROFILE", "dev")
    check.write("a.yaml", PROFILES)
    last = check("a.yaml").out.splitlines()[-1]
    assert last == "1 profile was not checked: `prod` (--all-profiles checks it, too)"


TWO = GOOD.replace("root:", "  log-file: {type: file, path: /var/log/a.log}\nroot:", 1).replace(
    "[out]", "[out, log-file]"
)


def test_guarantees_are_shown_with_verbose_only(check):
    """-v says below the ok line what each handler promises."""
    check.write("a.yaml", TWO)
    assert "at_most_once" not in check("a.yaml").out
    first, *lines, _ = check("-v", "--ignore", "LR5", "a.yaml").out.splitlines()
    assert first.startswith("ok  a.yaml")
    assert lines == ["    out       at_most_once", "    log-file  at_least_once, acked_by: file"]
    assert "at_most_once" not in check("-v", "-q", "a.yaml").out


def test_guarantees_stand_below_findings(check):
    """Where something was found a heading says whose handlers they are; a refused file has none."""
    check.write("a.yaml", WARNED)
    lines = check("-v", "a.yaml").out.splitlines()
    at = lines.index("guarantees of a.yaml")
    assert lines[at + 1 : at + 3] == ["    out   at_most_once", "    idle  at_most_once"]
    check.write("b.yaml", BROKEN)
    assert "guarantees" not in check("-v", "b.yaml").out
