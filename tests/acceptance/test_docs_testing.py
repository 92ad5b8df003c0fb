"""Everything that docs/testing.md shows is run as it stands, and so are the samples' tests."""

import re
import shlex

import pytest
from cli_kit import ROOT, logroute

PAGE = (ROOT / "docs/testing.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def blocks(kind):
    return [text for found, text in BLOCKS if found == kind]


CONSOLE = blocks("console")
CONFIG, TESTS = blocks("yaml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the first files of the page."""
    (tmp_path / "logging.yaml").write_text(CONFIG)
    (tmp_path / "app.log").write_text(blocks("text")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", CONSOLE, ids=[text.split("\n")[0][11:] for text in CONSOLE])
def test_commands_print_what_is_shown(folder, block):
    """The output on the page is what the command prints, with the files shown above it."""
    if PAGE.index(block) > PAGE.index(TESTS):
        (folder / "logging.test.yaml").write_text(TESTS)
    command, _, output = block.removeprefix("$ logroute ").partition("\n")
    words = shlex.split(command)
    assert logroute(*words, cwd=folder)[1] == output


def test_python_of_the_page_works(folder):
    """The assertions in Python hold for the config of the page."""
    (code,) = blocks("python")
    exec(code, {})


def test_tables_list_every_key():
    """The tables name each key of `record`, `expect` and `output`."""
    from logroute.config.model import ExpectSpec, OutputSpec, RecordSpec
    from logroute.options import options_of

    for spec in (RecordSpec, ExpectSpec, OutputSpec):
        assert [key for key in options_of(spec) if f"`{key}`" not in PAGE] == []


def test_samples_pass_their_own_tests():
    """`logroute test sample-configs` holds, and covers all that the tested samples have."""
    code, out, err = logroute("test", "sample-configs", "--min-coverage", "100", cwd=ROOT)
    assert (code, err) == (0, ""), out
