"""`logroute init` as a person runs it: a sound first config, never over a file."""

import os

import pytest
from cli_kit import ROOT, logroute

from logroute.cli.init import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_new_config_passes_a_strict_check(profile, tmp_path):
    """What init writes has no finding, and its own tests pass."""
    assert logroute("init", "--profile", profile, cwd=tmp_path)[0] == 0
    code, out, err = logroute("check", "--strict", "logging.yaml", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("ok  logging.yaml") and "0 warnings" in out
    code, out, err = logroute("test", "logging.yaml", cwd=tmp_path)
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize("profile", PROFILES)
def test_commented_handlers_are_sound(profile, tmp_path):
    """The handlers and routes that stand there as comments are good once they are not."""
    logroute("init", "--profile", profile, cwd=tmp_path)
    path = tmp_path / "logging.yaml"
    text = "\n".join(
        line.replace("  # ", "  ", 1) if line.startswith("  # ") else line
        for line in path.read_text().split("\n")
    )
    path.write_text(text)
    known = {"SMTP_PASSWORD": "x"}
    code, out, _ = logroute("check", "--strict", path.name, cwd=tmp_path, environment=known)
    assert code == 0, out


def test_hints_name_the_file(tmp_path):
    """The commands in the comments are those for the file that was written."""
    assert logroute("init", "conf.yaml", cwd=tmp_path)[0] == 0
    text = (tmp_path / "conf.yaml").read_text()
    assert "logroute check conf.yaml" in text and "logging.yaml" not in text


def test_existing_file_stays(tmp_path):
    """A file in the way is never overwritten, be it empty or a dangling link."""
    (tmp_path / "logging.yaml").write_text("")
    code, out, err = logroute("init", cwd=tmp_path)
    assert (code, out) == (2, "") and "exists already" in err
    assert (tmp_path / "logging.yaml").read_text() == ""
    os.symlink("elsewhere", tmp_path / "link.yaml")
    assert logroute("init", "link.yaml", cwd=tmp_path)[0] == 2
    assert not (tmp_path / "elsewhere").exists()


def test_dash_writes_to_standard_output(tmp_path):
    """`init -` leaves the directory as it is."""
    code, out, _ = logroute("init", "-", "--profile", "web", cwd=tmp_path)
    assert code == 0 and "\nversion: 1\n" in out
    assert list(tmp_path.iterdir()) == []


def test_schema_comes_with_it(tmp_path):
    """With its schema beside it an editor knows every key."""
    assert logroute("init", "--with-schema", cwd=tmp_path)[0] == 0
    schema = (tmp_path / "logroute.schema.json").read_text()
    assert schema == (ROOT / "schemas" / "logroute.schema.json").read_text()
    first = (tmp_path / "logging.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=logroute.schema.json"


def test_missing_directory_is_told(tmp_path):
    """Where the file cannot be made, one line says why."""
    code, _, err = logroute("init", "no/such/logging.yaml", cwd=tmp_path)
    assert code == 2 and err == (
        "logroute init: cannot write no/such/logging.yaml: No such file or directory\n"
    )
