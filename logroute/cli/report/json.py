"""The report as one JSON document; its schema is `schemas/report.schema.json`."""

import json
from typing import Any

from logroute.cli.report import FileReport, Report
from logroute.diagnostics import Diagnostic, Severity, Span

__all__ = ["render"]

FORMAT_VERSION = "1.0"


def render(report: Report) -> str:
    """Return the report as JSON text; lines and columns count from 1."""
    document = {
        "format_version": FORMAT_VERSION,
        "complete": report.is_complete,
        "ok": report.exit_code == 0,
        "summary": {
            "files": len(report.files),
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
        },
        "files": [{"path": file.name, "status": _status(file)} for file in report.files],
        "diagnostics": [_diagnostic(item) for file in report.files for item in file.diagnostics],
    }
    return json.dumps(document, indent=2) + "\n"


def _status(file: FileReport) -> str:
    if not file.is_complete:
        return "incomplete"
    severities = {item.severity for item in file.diagnostics}
    if Severity.ERROR in severities:
        return "errors"
    return "warnings" if Severity.WARNING in severities else "ok"


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity.value,
        "message": item.message,
        "file": item.span.file,
        "range": _range(item.span),
        "help": item.help,
        "related": [
            {"message": label, "file": span.file, "range": _range(span)}
            for label, span in item.related
        ],
    }


def _range(span: Span) -> dict[str, Any]:
    return {
        "start": {"line": span.line, "column": span.column},
        "end": {"line": span.end_line, "column": span.end_column},
    }
