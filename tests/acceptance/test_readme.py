"""Everything that README shows is run as it stands."""

import logging
import re

import pytest
from cli_kit import ROOT, logroute

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
(YAML,) = [text for kind, text in BLOCKS if kind == "yaml"]
(PYTHON,) = [text for kind, text in BLOCKS if kind == "python"]
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the README's file, and the same with the typos it shows."""
    (tmp_path / "logging.yaml").write_text(YAML)
    typos = YAML.replace("{type: console}", "{type: consol}")
    typos = typos.replace("level: ERROR}, to: ops-mail", "level: EROR}, to: ops-mial")
    (tmp_path / "typo.yaml").write_text(typos)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", CONSOLE, ids=["check", "explain"])
def test_commands_print_what_is_shown(folder, block):
    """The output in the README is what the command prints."""
    command, _, output = block.removeprefix("$ logroute ").partition("\n")
    assert logroute(*command.split(), cwd=folder)[1] == output


def test_python_lines_work(folder, capfd):
    """The two lines of Python configure the ten lines of YAML."""
    exec(PYTHON, {})
    logging.getLogger("app").info("hello")
    logging.getLogger("app.health").info("silent")
    import logroute as package

    assert package.flush(10)
    assert (folder / "logs/app.log").read_text().endswith("app: hello\n")
    assert "hello" in capfd.readouterr().err


def test_file_is_ten_lines_long():
    """The sample is short enough to read at a glance, and is checked without a finding."""
    assert len(YAML.splitlines()) <= 10
    assert logroute("check", "-", stdin=YAML.encode())[0] == 0
