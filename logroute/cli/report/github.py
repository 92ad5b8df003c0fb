"""The report as workflow commands: GitHub shows them beside the lines of a change."""

import os

from logroute.cli.report import Report
from logroute.cli.report.excerpt import visible
from logroute.cli.report.masking import Pages
from logroute.cli.report.paths import relative
from logroute.cli.report.text import summarize
from logroute.diagnostics import Diagnostic, Severity

__all__ = ["render"]

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report) -> str:
    """Return a command per finding and a line that sums up."""
    folder = os.environ.get("GITHUB_WORKSPACE")
    lines = []
    for file in report.files:
        pages = Pages(file.texts, file.trees)
        lines += [_command(item, pages, folder) for item in file.diagnostics]
    for fault in (*report.faults, *(fault for file in report.files for fault in file.faults)):
        lines.append(f"::error title=logroute check::{_data(fault)}")
    return "\n".join([*lines, summarize(report)]) + "\n"


def _command(item: Diagnostic, pages: Pages, folder: str | None) -> str:
    span = item.span
    path = relative(span.file, folder)
    places = {"file": path, "line": span.line, "endLine": span.end_line}
    if span.line == span.end_line:  # columns count within one line only
        places |= {"col": span.column, "endColumn": max(span.column, span.end_column)}
    places["title"] = f"{item.code} {item.name}"
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in places.items())
    # the log shows the words alone, so the place is among them
    words = f"{path}:{span.line}:{span.column}: {item.code} {pages.veil(item.message)}"
    if item.help:
        words += f"\nhelp: {pages.veil(item.help)}"
    return f"::{_COMMANDS[item.severity]} {properties}::{_data(words)}"


def _data(text: str) -> str:
    text = "\n".join(map(visible, text.split("\n")))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
