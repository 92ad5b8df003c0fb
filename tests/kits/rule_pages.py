"""The pages of `docs/rules/`: what `logroute rule` prints, with the fixtures as examples.

``python tests/kits/rule_pages.py`` writes them anew, and the table of the rules with
fixes; a test says when that is due.
"""

import contextlib
import sys
from pathlib import Path

from rule_fixtures import FIXTURES, ROOT, file_of

PAGES = ROOT / "docs" / "rules"
FIXABLE = ROOT / "logroute" / "config" / "rules" / "fixable.py"

_MODULE = '''"""The rules whose findings may come with a fix; see `config/views/fixes.py`.

Written by ``python tests/kits/rule_pages.py``, from the findings in the bad fixtures.
"""

__all__ = ["SAFE", "UNSAFE"]

#: `check --fix` corrects them, where that is certain.
SAFE = frozenset(
    {{
{safe}
    }}
)

#: `check --fix --unsafe-fixes` does.
UNSAFE = frozenset(
    {{
{unsafe}
    }}
)
'''


def pages() -> dict[str, str]:
    """Return the text of each page, by file name."""
    from logroute.cli.rule import index, markdown
    from logroute.config.rules.catalogue import catalogue

    rules = catalogue()
    found = {f"{code}.md": markdown(rule, example(code)) for code, rule in rules.items()}
    return {"README.md": index(rules.values()), **found}


def fixable() -> str:
    """Return the text of the module that lists the rules with fixes."""
    from logroute.config.load import load

    safe, some = set(), set()
    bad = (ROOT / "tests" / "config" / "bad").glob("*.yaml")
    for path in [*bad, *(file_of(folder.name, "bad") for folder in FIXTURES.iterdir())]:
        with contextlib.chdir(path.parent):
            found = load(path.name, read_secrets=False, advise=True, environ={}).diagnostics
        some |= {item.code for item in found if item.fix is not None}
        safe |= {item.code for item in found if item.fix is not None and item.fix.is_safe}
    return _MODULE.format(safe=_rows(safe), unsafe=_rows(some - safe))


def _rows(codes: set[str]) -> str:
    return "\n".join(f'        "{code}",' for code in sorted(codes))


def example(code: str) -> str:
    """Return the fixtures of a code as the end of its page."""
    folder = FIXTURES / code
    if not folder.is_dir():
        return ""
    bad, good = file_of(code, "bad"), file_of(code, "good")
    others = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.stem not in ("bad", "good")
    ]
    parts = ["", "## Example", "", f"`{bad.name}`", "", *_fenced(bad)]
    for path in others:
        parts += [f"with `{path.name}`", "", *_fenced(path)]
    parts += ["`logroute check --verbose` says", "", *_fenced(folder / "bad.txt", "text")]
    parts += ["and after its help was followed", "", *_fenced(good)]
    return "\n".join(parts[:-1]) + "\n"


def _fenced(path: Path, language: str = "") -> list[str]:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return ["(not text)", ""]
    fence = "````" if "```" in text else "```"
    return [f"{fence}{language or path.suffix[1:]}", text.rstrip("\n"), fence, ""]


def main() -> None:
    """Write the table and the pages, and take away those of codes that are no more."""
    FIXABLE.write_text(fixable(), encoding="utf-8", newline="\n")
    PAGES.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in PAGES.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (PAGES / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
