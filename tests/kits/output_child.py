"""Checks files and renders every format in one process; prints a digest of each output.

Run as a script with the names of files, under a hash seed of the caller's choice.
"""

import contextlib
import hashlib
import io
import json
import sys
from collections.abc import Iterator

from logroute.cli import main
from logroute.cli.checks.select import Selection
from logroute.cli.files import Way, check_file
from logroute.cli.report import Report, github, jsonl, junit, sarif
from logroute.cli.report import json as whole
from logroute.cli.report.text import Style, render


def outputs(name: str) -> Iterator[tuple[str, str]]:
    """Yield what is printed about a file, by format."""
    report = Report([check_file(name, Way(Selection(is_verbose=True)))])
    assert not report.files[0].faults
    yield "text", render(report)
    yield "colored", render(report, Style(is_colored=True))
    yield "concise", render(report, Style(is_brief=True))
    yield "statistics", render(report, Style(counts=True))
    yield "json", whole.render(report, counts=True)
    yield "jsonl", jsonl.render(report)
    yield "github", github.render(report)
    yield "sarif", sarif.render(report)
    yield "junit", junit.render(report)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        main(["check", "--diff", "--unsafe-fixes", name])
    yield "diff", out.getvalue()


def digests(names: list[str]) -> dict[str, str]:
    """Return a digest per file and format."""
    found = {}
    for name in names:
        for format, text in outputs(name):
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            found[f"{name} as {format}"] = digest[:16]
    return found


if __name__ == "__main__":
    json.dump(digests(sys.argv[1:]), sys.stdout, indent=1)
