"""The fixtures of rules: a bad file with its exact output, and a good one, per code.

``tests/config/rules/LR302/``: ``bad.yaml``, what `logroute check --verbose` prints of it
in ``bad.txt``, and ``good.yaml``, the same file after its help was followed.
``python tests/kits/rule_fixtures.py LR302 ...`` writes ``bad.txt`` anew; read it then.
"""

import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "config" / "rules"


def file_of(code: str, stem: str) -> Path:
    """Return the fixture ``bad`` or ``good`` of a code, whatever its suffix."""
    return next(
        path for path in sorted((FIXTURES / code).glob(f"{stem}.*")) if path.suffix != ".txt"
    )


def output_of(path: Path) -> str:
    """Return what a check of `path` prints, remarks included, to a plain terminal."""
    from logroute.cli.files import load_one
    from logroute.cli.report import Report, text

    with contextlib.chdir(path.parent):
        _, report = load_one(path.name, None)
        return text.render(Report([report]))


def main(codes: list[str]) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.pop("LOGROUTE_PROFILE", None)
    for code in codes or sorted(path.name for path in FIXTURES.iterdir()):
        bad = file_of(code, "bad")
        bad.with_suffix(".txt").write_text(output_of(bad))
        sys.stdout.write(f"== {code}\n{output_of(bad)}-- good\n{output_of(file_of(code, 'good'))}")


if __name__ == "__main__":
    main(sys.argv[1:])
