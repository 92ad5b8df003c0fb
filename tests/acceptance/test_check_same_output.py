"""What a check prints does not depend on how Python orders its sets."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests/kits/output_child.py"


def files():
    """Return the samples, all bad configs and the bad fixture of each rule."""
    found = [*ROOT.glob("sample-configs/*"), *ROOT.glob("tests/config/bad/*")]
    found += ROOT.glob("tests/config/rules/*/bad.*")
    names = (str(path.relative_to(ROOT)) for path in found)
    return sorted(name for name in names if name.endswith((".yaml", ".json", ".toml")))


def test_every_format_is_the_same_under_three_hash_seeds():
    """All formats of all findings are equal byte by byte under PYTHONHASHSEED 0, 1 and 2."""
    names = files()
    assert len(names) > 100
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), *names],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        )
        for seed in "012"
    ]
    results = [json.loads(child.communicate(timeout=100)[0]) for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(results[0]) == 10 * len(names)
    for other in results[1:]:
        assert {key for key, value in other.items() if results[0][key] != value} == set()
