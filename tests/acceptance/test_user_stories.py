"""What docs/frameworks.md promises to programs that know nothing of us, in fresh processes."""

import os
import re
import signal
import subprocess
import sys

import pytest
from cli_kit import ROOT

DOCS = (ROOT / "docs/frameworks.md").read_text()
(YAML,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
(CURE,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
CONFIG = """version: 1
formatters: {line: {format: "%(name)s: %(message)s"}}
handlers: {log: {type: file, path: app.log, formatter: line}}
root: {level: INFO}
routes: [{to: log}]
"""
HEAD = "import logging, os, signal, sys\nimport logroute\n"
READY = "logroute.configure('logging.yaml')\nlog = logging.getLogger('app')\n"


@pytest.fixture
def run(tmp_path):
    """Run a program beside `logging.yaml`; return its exit code, stderr and log."""

    def start(code, config=CONFIG):
        (tmp_path / "logging.yaml").write_text(config)
        (tmp_path / "program.py").write_text(HEAD + code)
        done = subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        log = tmp_path / "app.log"
        return done.returncode, done.stderr, log.read_text() if log.exists() else ""

    return start


def test_basic_config_gives_way(run):
    """Before us it is replaced, after us it changes nothing; no line comes twice."""
    code, error, log = run(
        "logging.basicConfig(level=10, format='BASIC %(message)s')\nlogging.info('before')\n"
        f"{READY}log.info('after')\nlogging.basicConfig(level=10)\nlog.info('later')\n"
    )
    assert (code, error, log) == (0, "BASIC before\n", "app: after\napp: later\n")


def test_forked_pool_loses_nothing(run):
    """Every task's record is there once, when the pool is closed and joined."""
    code, error, log = run(
        "import multiprocessing\n"
        "def work(number):\n    logging.getLogger('work').info('%d', number)\n"
        f"if __name__ == '__main__':\n    {READY.replace(chr(10), chr(10) + '    ')}\n"
        "    with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "        pool.map(work, range(300))\n        pool.close()\n        pool.join()\n"
    )
    assert (code, error) == (0, "")
    assert sorted(log.splitlines()) == sorted(f"work: {number}" for number in range(300))


def test_sigterm_drains_with_the_one_line(run):
    """The line in the docs turns the signal into an exit that delivers what waits."""
    code, error, log = run(
        f"{READY}{CURE}for number in range(300):\n    log.info(number)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n"
    )
    assert (code, error, log.count("\n")) == (0, "", 300)


def test_sigterm_keeps_its_meaning(run):
    """Without it the program ends by the signal, as it would without us."""
    code, _, _ = run(f"{READY}os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n")
    assert code == -signal.SIGTERM


def test_named_loggers_reach_the_routes(run):
    """A logger that does not propagate, as gunicorn's, does so once the file names it."""
    code, _, log = run(
        "quiet = logging.getLogger('gunicorn.error')\nquiet.propagate = False\n"
        f"quiet.addHandler(logging.StreamHandler())\n{READY}quiet.error('500')\n",
        CONFIG + YAML,
    )
    assert (code, log) == (0, "gunicorn.error: 500\n")


def test_refused_file_changes_nothing(run):
    """A file with a typo is told in one line each, and logging goes on as before."""
    code, error, _ = run(
        "logging.basicConfig(format='BASIC %(message)s')\n"
        "try:\n    logroute.configure('logging.yaml')\nexcept logroute.ConfigError as fault:\n"
        "    print(fault, file=sys.stderr)\nlogging.error('still here')\n",
        CONFIG.replace("to: log", "to: lgo"),
    )
    told, after = error.splitlines()
    assert code == 0 and after == "BASIC still here"
    assert told.startswith("logging.yaml:5:15: error[LR201]: handler `lgo` is not defined")
