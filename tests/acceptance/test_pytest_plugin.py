"""The pytest plugin: the tests of configs are collected, chosen and told as pytest's own."""

import os
import subprocess
import sys
import tomllib

import pytest
from cli_kit import ROOT

CONFIG = """version: 1
handlers:
  console: {type: console}
  log-file: {type: file, path: logs/app.log}
  ops-mail: {type: email, host: smtp.example.org, from: a@example.org, to: b@example.org}
root: {level: INFO}
routes:
  - {match: {level: ERROR}, to: ops-mail}
  - {to: [console, log-file]}
"""
TESTS = """tests:
  - name: a payment error pages the on-call
    record: {logger: app.payments, level: ERROR}
    expect: {to: [ops-mail, console, log-file]}
  - name: a payment does not
    record: {logger: app.payments, message: paid}
    expect: {to: [console]}
"""


@pytest.fixture
def folder(tmp_path):
    """A project with a config, a file of tests, and a stranger of the same suffix."""
    (tmp_path / "logging.yaml").write_text(CONFIG)
    (tmp_path / "logging.test.yaml").write_text(TESTS)
    (tmp_path / "prompts.test.yaml").write_text("tests: [{vars: {a: 1}, assert: []}]\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run_pytest(folder, *arguments, plugin=("-p", "logroute.testing.plugin"), **environment):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "COLUMNS": "100",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_test_files_are_collected_by_themselves(folder):
    """Each test has a node id and an outcome; strangers are left alone."""
    code, out = run_pytest(folder, "-v")
    assert code == 1
    assert "logging.test.yaml::a payment error pages the on-call PASSED" in out
    assert "logging.test.yaml::a payment does not FAILED" in out
    assert "1 failed, 1 passed" in out
    assert "prompts" not in out


def test_failure_reads_as_on_the_command_line(folder):
    """A failure shows place, both sets and the way of the record, and no traceback."""
    _, out = run_pytest(folder)
    text = out[out.index("logging.test.yaml:7:14") : out.index("= short test summary")]
    assert text.splitlines()[:-1] + text.splitlines()[-1].split("=")[:1] == [
        "logging.test.yaml:7:14: `to`: the record goes elsewhere",
        "  expected:   console",
        "  got:        console, log-file",
        "  unexpected: log-file",
        "record  app.payments INFO 'paid'",
        "logger level INFO (from `root`, logging.yaml:6:15)",
        "  - routes[0]  logging.yaml:8:5  does not hold: level: ERROR and above",
        "  + routes[1]  logging.yaml:9:5  every record  -> console, log-file",
        "reaches: console, log-file",
        "",
    ]


def test_keywords_and_node_ids_choose(folder):
    """-k and a node id pick single tests."""
    assert "1 passed, 1 deselected" in run_pytest(folder, "-k", "pages")[1]
    node = "logging.test.yaml::a payment error pages the on-call"
    code, out = run_pytest(folder, node)
    assert (code, "1 passed" in out) == (0, True)


def test_configs_are_collected_when_named(folder):
    """A config with tests of its own runs when it is named, by argument or setting."""
    (folder / "logging.test.yaml").unlink()
    (folder / "logging.yaml").write_text(CONFIG + TESTS)
    assert run_pytest(folder)[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "1 failed, 1 passed" in run_pytest(folder, "logging.yaml")[1]
    (folder / "pytest.ini").write_text("[pytest]\nlogroute_tests = log*.yaml\n")
    assert "1 failed, 1 passed" in run_pytest(folder)[1]


def test_faults_of_a_file_stop_its_collection(folder):
    """A file that cannot be used is an error with the diagnostics, not a missing test."""
    (folder / "logging.test.yaml").write_text(TESTS.replace("console]", "consol]"))
    code, out = run_pytest(folder)
    assert code == pytest.ExitCode.INTERRUPTED
    assert "ERROR collecting logging.test.yaml" in out
    assert "logging.test.yaml:4:33: error[LR201]: handler `consol` is not defined" not in out
    assert "logging.test.yaml:7:19: error[LR201]: handler `consol` is not defined" in out
    assert "did you mean `console`?" in out
    (folder / "logging.test.yaml").write_text(TESTS + "  - {\n")
    assert "error[LR005]" in run_pytest(folder)[1]


def announce(folder):
    """Install the plugin as pyproject says; return the environment that has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rows = [f"{name} = {to}" for name, to in project["entry-points"]["pytest11"].items()]
    info = folder / "site" / "announced-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: announced\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest11]\n" + "\n".join(rows) + "\n")
    (info / "RECORD").write_text("logroute/__init__.py,,\n")
    path = f"{ROOT}:{folder / 'site'}"
    return {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}


def test_entry_point_loads_the_plugin(folder):
    """Installed as pyproject says, the plugin is there without an option."""
    _, out = run_pytest(folder, "logging.test.yaml", plugin=(), **announce(folder))
    assert "1 failed, 1 passed" in out


def test_modules_stay_as_they_are_written(folder):
    """What threads of ours import late is not rewritten; the finders are left as they were."""
    (folder / "conftest.py").write_text(
        "import logroute.config.load\n\ndef pytest_unconfigure():\n    import atexit, sys\n"
        "    atexit.register(lambda: print('finders', sys.meta_path))\n"
    )
    (folder / "test_loaders.py").write_text(
        "import sys\nimport logroute.sinks.smtp\n\ndef test_loaders():\n"
        "    loaders = {name: type(module.__loader__).__name__\n"
        "               for name, module in sys.modules.items() if name.startswith('logroute.')}\n"
        "    late = ('logroute.sinks.smtp', 'logroute.config.load')\n"
        "    assert [loaders[name] for name in late] == ['SourceFileLoader'] * 2\n"
        "    assert loaders['logroute.testing.plugin'] == 'AssertionRewritingHook'\n"
        "    assert str(sys.meta_path[0]).startswith('<logroute.testing.plugin.')\n"
    )
    code, out = run_pytest(folder, "test_loaders.py", plugin=(), **announce(folder))
    assert code == 0, out
    assert "finders [" in out
    assert "logroute" not in out[out.index("finders [") :]


def test_plugin_costs_nothing_where_it_is_not_used(folder):
    """A run without files of ours imports the plugin alone: no yaml, no config wing."""
    (folder / "logging.test.yaml").unlink()
    (folder / "prompts.test.yaml").unlink()
    (folder / "test_modules.py").write_text(
        "import sys\n\ndef test_modules():\n"
        "    assert 'logroute.testing.plugin' in sys.modules\n"
        "    rooms = ('logroute.config', 'logroute.app.')\n"
        "    ours = {name for name in sys.modules if name.startswith(rooms)}\n"
        "    assert ours <= {'logroute.app.current'}\n"
        "    assert 'logroute.testing.items' not in sys.modules and 'yaml' not in sys.modules\n"
    )
    code, out = run_pytest(folder, "test_modules.py")
    assert code == 0, out
