"""Threads, descriptors and memory are back to the start after many cycles."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_cycles_leave_nothing_behind():
    """200 configure/shutdown and 200 reload cycles: exact threads and files, bounded memory."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.leaks", "--cycles", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
