"""`logroute check` as a person or a program meets it."""

import json
import os
import subprocess
import sys

import pytest
from cli_kit import logroute

GOOD = "version: 1\nhandlers: {out: {type: console}}\nroutes: [{to: out}]\n"
TYPO = """version: 1
handlers:
  ops-mail: {type: email, host: smtp.example.org, from: a@x.example, to: [b@x.example]}
  log-file: {type: fiel, path: app.log, password: hunter2}
root: {levl: INFO}
routes:
  - {match: {level: EROR}, to: [ops-mial]}
"""


def test_good_file_is_ok(tmp_path):
    """A good file gives one line with what it holds, and exit 0."""
    (tmp_path / "good.yaml").write_text(GOOD)
    code, out, err = logroute("check", "good.yaml", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out == "ok  good.yaml  (1 handler, 1 route)\n1 file, 0 errors, 0 warnings\n"


def test_every_mistake_has_its_line(tmp_path):
    """All faults are told in one run, each with place, code and cure, no secret shown."""
    (tmp_path / "bad.yaml").write_text(TYPO)
    code, out, _ = logroute("check", "bad.yaml", cwd=tmp_path)
    assert code == 1
    places = [line.split(": ")[:2] for line in out.splitlines() if line.startswith("bad.yaml:")]
    assert places == [
        ["bad.yaml:4:3", "warning[LR202]"],
        ["bad.yaml:4:20", "error[LR105]"],
        ["bad.yaml:4:41", "warning[LR701]"],
        ["bad.yaml:5:8", "warning[LR901]"],
        ["bad.yaml:7:21", "error[LR301]"],
        ["bad.yaml:7:33", "error[LR201]"],
    ]
    for cure in ("`file`", "`level`", "`ERROR`", "`ops-mail`"):
        assert f"did you mean {cure}?" in out
    assert "hunter2" not in out
    assert "password: ********" in out


def test_missing_file_does_not_hide_others(tmp_path):
    """A file that cannot be read makes exit 2, yet the others are checked."""
    (tmp_path / "good.yaml").write_text(GOOD)
    code, out, _ = logroute("check", "none.yaml", "good.yaml", cwd=tmp_path)
    assert code == 2
    assert "none.yaml:1:1: error[LR001]" in out
    assert "ok  good.yaml" in out


def test_standard_input_is_checked():
    """`-` reads standard input."""
    assert logroute("check", "-", stdin=GOOD.encode())[0] == 0
    code, out, _ = logroute("check", "-", stdin=b"version: 1\nhandlrs: {}\nroutes: []\n")
    assert code == 1
    assert out.startswith("<stdin>:2:1: error[LR101]")


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)),
    "latin1": b"version: 1\nx-note: caf\xe9\n",
    "deep": b"a: " + b"[" * 100_000,
    "dashes": b"- " * 100_000,
    "bomb": b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10)
    ),
    "python": b"version: 1\nhandlers: !!python/object/apply:os.system [touch pwned]\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_gets_one_diagnostic(name, tmp_path):
    """Whatever the bytes, there is one diagnostic, no traceback and exit 1 or 2."""
    (tmp_path / "bad.yaml").write_bytes(HOSTILE[name])
    code, out, err = logroute("check", "--format", "json", "bad.yaml", cwd=tmp_path)
    assert code in (1, 2)
    assert err == ""
    assert len(json.loads(out)["diagnostics"]) == 1
    assert os.listdir(tmp_path) == ["bad.yaml"]


def test_check_imports_nothing_named(tmp_path):
    """No code that a config names is imported by check."""
    (tmp_path / "evil.py").write_text("open('pwned', 'w')\n")
    (tmp_path / "c.yaml").write_text(
        "version: 1\nformatters: {f: {(): evil.make}}\nfilters: {g: {(): evil.make}}\n"
        "handlers: {h: {class: evil.Handler, stream: ext://evil.x, formatter: f, filters: [g]}}\n"
        "root: {handlers: [h]}\n"
    )
    code, out, _ = logroute("check", "c.yaml", cwd=tmp_path)
    assert (code, "ok  c.yaml" in out) == (0, True)
    assert not (tmp_path / "pwned").exists()


def test_good_check_leaves_jsonschema_alone(tmp_path):
    """A good file is checked without importing jsonschema."""
    (tmp_path / "good.yaml").write_text(GOOD)
    code = (
        "import sys; from logroute.cli import main; main(['check', sys.argv[1]]); "
        "sys.exit('jsonschema' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "good.yaml")], check=True)


def test_wide_characters_keep_the_caret_in_place(tmp_path):
    """The caret stands under the fault by display width."""
    (tmp_path / "bad.yaml").write_text(
        'version: 1\nhandlers: {"日本": {type: fiel}}\nroutes: [{to: 日本}]\n', encoding="utf-8"
    )
    _, out, _ = logroute("check", "bad.yaml", cwd=tmp_path, environment={"PYTHONUTF8": "1"})
    lines = out.splitlines()
    assert lines[1] == '2 | handlers: {"日本": {type: fiel}}'
    assert lines[2] == "  | " + " " * 26 + "^^^^"


def test_ascii_terminal_is_served(tmp_path):
    """An ASCII-only output shows what it cannot print as escapes."""
    (tmp_path / "bad.yaml").write_text("version: 1\nhändlers: {}\nroutes: []\n", encoding="utf-8")
    environment = {"PYTHONIOENCODING": "ascii"}
    code, out, err = logroute("check", "bad.yaml", cwd=tmp_path, environment=environment)
    assert (code, err) == (1, "")
    assert "h\\xe4ndlers" in out


def test_unknown_command_gets_a_hint():
    """A misspelt command exits 2 and names the likeliest one."""
    code, _, err = logroute("chek")
    assert code == 2
    assert "did you mean `check`?" in err


def test_version_and_help():
    """--version and --help work without a command."""
    assert logroute("--version")[1].startswith("logroute ")
    code, out, _ = logroute("--help")
    assert (code, "explain" in out) == (0, True)
