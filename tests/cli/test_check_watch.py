"""`logroute check --watch`: again whenever a file changes, until Ctrl-C."""

import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from check_kit import BROKEN, GOOD
from cli_kit import ROOT

READY = b"Ctrl-C ends\n"


@contextmanager
def watching(folder, *arguments, stdout=subprocess.PIPE):
    command = [sys.executable, "-m", "logroute", "check", "--watch", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "GITHUB_ACTIONS": ""}
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=stdout, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def report(process) -> list[str]:
    """Return the lines of the next report, read up to its summary."""
    lines = []
    while not lines or " error" not in lines[-1] or not lines[-1][0].isdigit():
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line.decode().rstrip())
    while not process.stderr.readline().endswith(READY):
        pass
    return lines


def interrupt(process) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(30)


def test_changed_file_is_checked_again(tmp_path):
    """Each change brings a new report; nothing is cleared where nobody looks; Ctrl-C is 130."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    with watching(tmp_path, "a.yaml") as process:
        assert report(process)[0].startswith("ok  a.yaml")
        path.write_text(BROKEN)
        assert report(process)[0].startswith("a.yaml:4:15: error[LR301]")
        (tmp_path / "new").write_text(GOOD)
        os.replace(tmp_path / "new", path)  # as editors save
        assert report(process)[0].startswith("ok  a.yaml")
        path.unlink()
        assert report(process)[0].startswith("a.yaml:1:1: error[LR001]")
        path.write_text(GOOD)
        assert report(process)[0].startswith("ok  a.yaml")
        assert interrupt(process) == 130
        assert process.stderr.read() == b""


def test_included_and_new_files_are_watched(tmp_path):
    """A change of an included file counts, and so does a file that comes to a directory."""
    (tmp_path / "base.yaml").write_text("handlers: {out: {type: console}}\n")
    text = "version: 1\ninclude: base.yaml\nroot: {level: INFO}\nroutes: [{to: [out]}]\n"
    (tmp_path / "logging.yaml").write_text(text)
    with watching(tmp_path, ".") as process:
        assert len(report(process)) == 2
        (tmp_path / "base.yaml").write_text("handlers: {uot: {type: console}}\n")
        assert "logging.yaml:4:16: error[LR201]" in report(process)[0]
        (tmp_path / "base.yaml").write_text("handlers: {out: {type: console}}\n")
        report(process)
        (tmp_path / "log_config.yaml").write_text(GOOD)
        assert report(process)[-1].startswith("2 files, 0 errors")
        assert interrupt(process) == 130


@pytest.mark.parametrize(("term", "clears"), [("xterm", True), ("dumb", False)])
def test_only_a_terminal_is_cleared(tmp_path, monkeypatch, term, clears):
    """On a terminal each report starts on an empty screen."""
    (tmp_path / "a.yaml").write_text(GOOD)
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": term, "GITHUB_ACTIONS": ""}
    command = [sys.executable, "-m", "logroute", "check", "--watch", "a.yaml"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=slave, stderr=subprocess.PIPE
    ) as process:
        os.close(slave)
        assert process.stderr.readline() == b"checking\n"
        assert process.stderr.readline().endswith(READY)
        shown = os.read(master, 65536)
        assert interrupt(process) == 130
    os.close(master)
    assert shown.startswith(b"\x1b[2J\x1b[3J\x1b[H") is clears
    assert b"ok  a.yaml" in shown
