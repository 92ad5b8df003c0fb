"""Kinds that other packages add: found by entry point, checked and run like ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
from typing import Annotated
from logroute.options import Opt
from logroute.sinks import SinkSpec

class TlsSpec(SinkSpec):
    """A name that one of ours has, too."""

class MarkSink:
    def __init__(self, path): self.path = path
    def open(self): pass
    def send(self, batch):
        with open(self.path, "ab") as file:
            file.writelines(batch)
    def flush(self): pass
    def close(self): pass

class MarkSpec(SinkSpec):
    """Write each record behind a mark."""

    path: Annotated[str, Opt("File to write.")]
    mark: Annotated[str, Opt("Text before each record.")] = "> "

    def encoder(self, format):
        return lambda record: f"{self.mark}{format(record)}\\n".encode()

    def sink(self):
        return MarkSink(self.path)
'''
ENTRY_POINTS = """
[logroute.sinks]
mark = marks:MarkSpec
gone = marks:NoSuchSpec
odd = json:JSONDecoder
file = marks:MarkSpec
"""


@pytest.fixture
def package(tmp_path):
    """Install a package that announces four kinds, as pip would."""
    site = tmp_path / "site"
    info = site / "marks-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "marks.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: marks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


def run(site, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def check(site, tmp_path, handler):
    (tmp_path / "a.yaml").write_text(
        f"version: 1\nhandlers:\n  h: {handler}\nroot: {{level: INFO}}\nroutes: [{{to: h}}]\n"
    )
    return run(site, "-m", "logroute", "check", "a.yaml", cwd=tmp_path)


def test_records_reach_the_plugin(package, tmp_path):
    """A handler of a plug-in kind gets records behind a queue, like any other."""
    assert check(package, tmp_path, "{type: mark, path: out.txt, mark: '# '}")[0] == 0
    code = (
        "import logging, logroute; logroute.configure('a.yaml');"
        "logging.getLogger('x').info('hello'); logroute.shutdown()"
    )
    assert run(package, "-c", code, cwd=tmp_path)[0] == 0
    assert (tmp_path / "out.txt").read_text().startswith("# ")
    assert "hello" in (tmp_path / "out.txt").read_text()


def test_options_of_a_plugin_are_checked(package, tmp_path):
    """A misspelt option of a plug-in kind is told with what was meant."""
    code, out, _ = check(package, tmp_path, "{type: mark, pth: out.txt}")
    assert code == 1
    assert "unknown key `pth`" in out and "did you mean `path`?" in out


def test_misspelt_plugin_is_suggested(package, tmp_path):
    """Announced kinds are suggested like ours."""
    code, out, _ = check(package, tmp_path, "{type: marks, path: out.txt}")
    assert code == 1 and "did you mean `mark`?" in out


@pytest.mark.parametrize(("kind", "why"), [("gone", "NoSuchSpec"), ("odd", "is no SinkSpec")])
def test_broken_plugin_is_told(package, tmp_path, kind, why):
    """A kind whose package is broken is an error that says why, never a traceback."""
    code, out, err = check(package, tmp_path, f"{{type: {kind}}}")
    assert (code, err) == (1, "")
    assert "cannot be loaded" in out and why in out


def test_our_kinds_cannot_be_replaced(package, tmp_path):
    """A plug-in that calls itself `file` does not take the place of ours."""
    code, out, _ = check(package, tmp_path, "{type: file, path: /var/log/x.log, mark: x}")
    assert code == 1 and "unknown key `mark`" in out


def test_schema_with_plugins_describes_them(package, tmp_path):
    """`schema --with-plugins` knows their options; without it nothing changes."""
    code, out, err = run(package, "-m", "logroute", "schema", "--with-plugins", cwd=tmp_path)
    schema = json.loads(out)
    assert code == 0 and "left out handler type `gone`" in err
    assert "mark" in schema["definitions"]["handler-mark"]["properties"]
    _, plain, _ = run(package, "-m", "logroute", "schema", cwd=tmp_path)
    assert "handler-mark" not in json.loads(plain)["definitions"]


def test_plugin_is_not_imported_unless_named(package, tmp_path):
    """A config without plug-in kinds neither looks for them nor imports them."""
    (tmp_path / "a.yaml").write_text("version: 1\nhandlers: {c: {type: console}}\nroutes: []\n")
    code = (
        "import logroute, sys; logroute.configure('a.yaml'); logroute.shutdown();"
        "print('marks' in sys.modules, 'importlib.metadata' in sys.modules)"
    )
    assert run(package, "-c", code, cwd=tmp_path)[1] == "False False\n"
