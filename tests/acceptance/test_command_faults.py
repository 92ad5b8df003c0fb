"""Around the commands: closed and full outputs, hostile names, secrets, files of strangers."""

import json
import logging
import os
import subprocess
import sys

import pytest
from cli_kit import ROOT, logroute

from logroute.app.explain import Explainer
from logroute.app.suites import has_tests
from logroute.cli.probe import _result
from logroute.config.load import load

CONFIG = """version: 1
handlers:
  console: {type: console}
root: {level: INFO}
routes: [{to: console}]
tests:
  - {name: it arrives, record: {logger: app}, expect: {to: console}}
  - {name: it does not, record: {logger: app}, expect: {to: []}}
"""
COMMANDS = [
    ("explain", "logging.yaml"),
    ("test", "logging.yaml"),
    ("graph", "logging.yaml"),
    ("diff", "logging.yaml", "logging.yaml"),
    ("schema",),
    ("rule", "LR302"),
    ("init", "-"),
]
HOSTILE = r"""version: 1
handlers:
  "\e[31mred\n\u202eback": {type: file, path: /var/log/app/x.log}
loggers: {"app\e[31m": {level: INFO}}
routes:
  - {name: "r\e[31m\nfake", to: ["\e[31mred\n\u202eback"]}
tests:
  - name: "t\e[31m"
    record: {logger: "app\e[31m"}
    expect: {to: [], output: {"\e[31mred\n\u202eback": {equals: "\e[31m"}}}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a small config."""
    (tmp_path / "logging.yaml").write_text(CONFIG)
    return tmp_path


def shell(folder, arguments, redirection):
    """Run a command with its streams bent by the shell; return exit code and standard error."""
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$@" {redirection}',
            "sh",
            sys.executable,
            "-m",
            "logroute",
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: words[0])
def test_full_disk_is_told(folder, arguments):
    """What cannot be written ends with 2 and the reason, not as a fault of ours."""
    code, told = shell(folder, arguments, ">/dev/full")
    assert code == 2
    expected = f"logroute {arguments[0]}: cannot write the output: no space left on device\n"
    assert told == expected


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: words[0])
def test_closed_output_changes_nothing(folder, arguments):
    """Without a standard output the exit code still tells."""
    code, told = shell(folder, arguments, ">&-")
    assert (code, told) == (1 if arguments[0] == "test" else 0, "")


@pytest.mark.parametrize("arguments", [("check", "-"), ("test", "-"), ("explain", "-")])
def test_closed_input_reads_as_empty(folder, arguments):
    """A closed standard input is an empty one."""
    code, told = shell(folder, arguments, "<&-")
    assert code in (1, 2) and "internal fault" not in told


def test_faults_name_their_own_command(folder):
    """A picture that cannot be written is told by `graph`."""
    code, _, told = logroute("graph", "logging.yaml", "-o", "no/such/x.svg", cwd=folder)
    assert code == 2 and told.startswith("logroute graph: cannot write no/such/x.svg:")


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "hostile.yaml", "--level", "ERROR", "--output"),
        ("explain", "hostile.yaml", "--verify", "nobody"),
        ("test", "-v", "--coverage", "hostile.yaml"),
    ],
)
def test_names_cannot_steer_the_terminal(tmp_path, arguments):
    """Escapes, line breaks and bidirectional marks in names are shown, not obeyed."""
    (tmp_path / "hostile.yaml").write_text(HOSTILE)
    _, out, told = logroute(*arguments, cwd=tmp_path)
    assert "red" in out + told
    assert not {"\x1b", "\u202e"} & set(out + told)
    assert not any(line.startswith("fake") for line in out.splitlines())


@pytest.mark.parametrize("format", ["text", "json", "junit"])
def test_url_arguments_stay_secret(tmp_path, format):
    """A URL that is refused is quoted without its user and without secret arguments."""
    (tmp_path / "x.yaml").write_text(
        "version: 1\nhandlers:\n"
        "  w: {type: http, url: 'http://user:hunter2@127.0.0.1:9/x?a=1&token=hunter2'}\n"
        "tests: [{record: {logger: a}, expect: {to: w}}]\n"
    )
    code, out, told = logroute("test", "--format", format, "x.yaml", cwd=tmp_path)
    assert code == 2 and "LR103" in out and "hunter2" not in out + told
    if format == "json":
        assert "?a=1&token=********" in json.loads(out)["diagnostics"][0]["message"]


STRANGERS = {
    "stages": "test_name: expect record\nstages: [{request: {url: x}}]\n",
    "cassettes": "tests:\n  - {record: a.yaml, expect: ok}\n",
    "openapi": "openapi: 3.0.0\ntests:\n  - {record: true, expect: 200}\n",
    "template": "{% for x in y %}\ntests: record expect\n{% endfor %}\n",
    "broken": "tests: [{record: x, expect: y\n  : : [\n",
    "others": "tests: [{record: {url: x}, expect: {status: 200}}]\n",
}


@pytest.mark.parametrize("text", STRANGERS.values(), ids=STRANGERS)
def test_files_of_others_are_let_be(folder, text):
    """What is called like a test file and is none stops neither command nor plugin."""
    (folder / "api.test.yaml").write_text(text)
    assert not has_tests(str(folder / "api.test.yaml"))
    code, out, _ = logroute("test", ".", cwd=folder)
    assert code == 1 and "2 tests, 1 failed\n" in out


def test_broken_file_of_ours_is_told(folder):
    """A file that looks like ours and cannot be read is not passed over."""
    path = folder / "logging.test.yaml"
    path.write_text("tests:\n  - record: {logger: a}\n    expect: {to [a]}\n   - x\n")
    assert has_tests(str(path))
    code, out, _ = logroute("test", ".", cwd=folder)
    assert code == 2 and "logging.test.yaml" in out


def test_filters_of_others_run_before_routes(tmp_path, monkeypatch):
    """What somebody's filter writes on a record counts for the routes, as it does live."""
    (tmp_path / "strange_parts.py").write_text(
        "def edit(record):\n    record.tenant = 'edited'\n    return True\n\n"
        "def make():\n    return edit\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = f"""version: 1
filters: {{edit: {{(): strange_parts.make}}}}
handlers:
  a: {{type: file, path: {tmp_path}/a, filters: [edit]}}
  b: {{type: file, path: {tmp_path}/b}}
context: {{tenant: acme}}
root: {{level: INFO}}
routes:
  - {{to: a}}
  - {{match: {{fields: {{tenant: edited}}}}, to: b}}
"""
    import logroute as package

    runtime = package.configure(text)
    logging.getLogger("app").info("hello")
    runtime.shutdown(10)
    live = {path.name for path in tmp_path.iterdir() if path.name in "ab" and path.read_text()}
    record = logging.LogRecord("app", logging.INFO, "", 0, "hello", None, None)
    told = Explainer(load(text), imports=True).explain(record)
    assert live == set(told.reaches) == {"a", "b"}


def test_time_that_is_up_is_called_so():
    """A record that was still under way at the end got no answer in time."""
    config = load(CONFIG).config
    ledger = {"delivered": 0, "filtered": {}, "dropped": {"shutdown": 1}}
    assert _result("console", config, ledger, None).said == "no answer in time"


@pytest.mark.parametrize("arguments", [("-",), ("logging.yaml", "--timeout", "nan")])
def test_what_cannot_be_probed_is_refused(folder, arguments):
    """Neither standard input nor an endless wait is taken."""
    code, out, told = logroute("probe", *arguments, stdin=CONFIG.encode(), cwd=folder)
    assert (code, out) == (2, "") and told.startswith("logroute probe: ")
