"""Runs the command `logroute` as a person would."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def logroute(*arguments, stdin=b"", environment=None, cwd=None):
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    if "GITHUB_ACTIONS" not in (environment or {}):  # it decides about the format
        env.pop("GITHUB_ACTIONS", None)
    env.pop("NO_COLOR", None)
    done = subprocess.run(
        [sys.executable, "-m", "logroute", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env=env,
        cwd=cwd,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()
