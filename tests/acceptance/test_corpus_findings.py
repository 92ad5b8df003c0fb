"""A check of files that others wrote: each gets an answer, and known mistakes are found.

The files are not ours to ship: `LOGROUTE_CORPUS` names their folder, with a README
whose table says which of them stdlib loads. Without it there is nothing to look at.
What is expected is what `benchmarks/corpus_table.py` sees in the plain data.
"""

import re
import sys
from pathlib import Path

import pytest

from logroute.diagnostics import NAMES, Severity

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import corpus_table  # noqa: E402

PATHS = corpus_table.files()
#: Mistakes that the YAML and JSON files of a full corpus are known to have.
FEWEST = {"LR202": 13, "LR306": 3, "LR310": 10, "LR510": 15, "LR511": 20, "LR901": 4, "LR902": 4}


def name_of(path):
    return f"{path.parent.name}/{path.name}"


def is_loaded_by_stdlib(path):
    """Return whether the corpus' own table says so."""
    readme = (path.parents[1] / "README.md").read_text()
    return re.search(rf"^\| {name_of(path)} \|.*\| ok \|$", readme, re.MULTILINE) is not None


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_real_file_gets_an_answer(path):
    """Every file is read to its end, and what stdlib loads has no error."""
    found = corpus_table.findings(path)
    assert all(item.code in NAMES and item.span.file == str(path) for item in found)
    errors = [str(item) for item in found if item.severity is Severity.ERROR]
    assert not (errors and is_loaded_by_stdlib(path))


@pytest.fixture(scope="module")
def rows():
    return corpus_table.survey(PATHS)


@pytest.mark.parametrize("title", [item.title for item in corpus_table.MISTAKES if PATHS])
def test_known_mistake_is_found(title, rows):
    """Each file that has a mistake is told of it."""
    row = next(row for row in rows if row.mistake.title == title)
    assert [name_of(path) for path in row.missed] == []


@pytest.mark.parametrize("code", sorted(FEWEST) if len(PATHS) > 50 else [])
def test_mistakes_are_there_to_be_found(code, rows):
    """The naive look sees what the corpus is known to have, so that it can fail."""
    counts = [len(row.expected) for row in rows if row.mistake.code == code]
    assert max(counts) >= FEWEST[code]


def test_tables_name_every_file(rows):
    """One table has a line for each file, the other one for each mistake."""
    assert len(corpus_table.table_of_files(PATHS)) == len(PATHS) + 3
    assert len(corpus_table.table_of_mistakes(rows)) == len(corpus_table.MISTAKES) + 2
