"""The report as JSON lines: one per finding, the last one sums up."""

import json

from logroute.cli.report import Report
from logroute.cli.report.json import FORMAT_VERSION, diagnostics_of, summary_of

__all__ = ["render"]


def render(report: Report, *, counts: bool = False) -> str:
    """Return a JSON object per line; `type` tells findings and the summary apart."""
    lines = [
        {"type": "diagnostic", **each} for file in report.files for each in diagnostics_of(file)
    ]
    summary = summary_of(report, counts=counts)
    lines.append({"type": "summary", "format_version": FORMAT_VERSION, **summary})
    return "".join(json.dumps(line) + "\n" for line in lines)
