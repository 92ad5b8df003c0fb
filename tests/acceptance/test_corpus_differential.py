"""Files that others wrote for dictConfig give the same bytes here as in stdlib.

The files are not ours to ship: `LOGROUTE_CORPUS` names their folder, with a README
whose table says which of them stdlib loads. Without it there is nothing to compare.
Each file is loaded twice, in two fresh processes; `corpus_child.py` says what is done
there and which differences are meant.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests/kits/corpus_child.py"
CORPUS = Path(os.environ.get("LOGROUTE_CORPUS", ROOT.parent / "shared/corpus"))


def loadable():
    """Return the YAML and JSON files that stdlib loads, by the corpus' own table."""
    readme = CORPUS / "README.md"
    if not readme.is_file():
        return []
    names = re.findall(r"^\| ((?:yaml|json)/\S+) .*\| ok \|$", readme.read_text(), re.MULTILINE)
    return [CORPUS / name for name in names if (CORPUS / name).is_file()]


def run(mode, path, folder):
    """Load `path` in a fresh process; return what it wrote, by name, and its notes."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(CHILD), mode, str(path), str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr.decode()
    written = {
        str(item.relative_to(folder)): item.read_text()
        for item in folder.rglob("*")
        if item.is_file()
    }
    notes = json.loads(written.pop("NOTES"))
    error = done.stderr.decode().splitlines(keepends=True)
    said = [line for line in error if line.startswith("logroute: ")]
    written["<stderr>"] = "".join(line for line in error if line not in said)
    written["<stdout>"] = done.stdout.decode()
    return written, notes, said


def comparable(name, text, notes):
    """Return `text` as it is, or its lines in order where several handlers share a stream."""
    return sorted(text.splitlines()) if notes["writers"].get(name, 0) > 1 else text


@pytest.mark.parametrize("path", loadable(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_same_bytes_as_stdlib(path, tmp_path):
    """Every file and stream gets what stdlib gives it, record by record."""
    theirs, notes, _ = run("stdlib", path, tmp_path / "stdlib")
    ours, _, said = run("logroute", path, tmp_path / "logroute")
    assert sorted(ours) == sorted(theirs)
    for name, text in theirs.items():
        assert comparable(name, ours[name], notes) == comparable(name, text, notes), name
    assert bool(said) == bool(notes["errors"]), said  # we complain where stdlib does
