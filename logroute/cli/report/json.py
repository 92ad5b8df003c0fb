"""The report as one JSON document; its schema is `schemas/report.schema.json`."""

import json

from logroute.cli.report import FileReport, Report
from logroute.cli.report.edits import Edits
from logroute.cli.report.masking import Pages
from logroute.cli.report.paths import page_of, relative
from logroute.cli.report.pointers import pointers
from logroute.diagnostics import Diagnostic, Severity, Span
from logroute.light import Any

__all__ = ["FORMAT_VERSION", "diagnostics_of", "render", "summary_of"]

FORMAT_VERSION = "1.0"


def render(report: Report, *, counts: bool = False) -> str:
    """Return the report as JSON text; lines and columns count from 1."""
    document = {
        "format_version": FORMAT_VERSION,
        **summary_of(report, counts=counts),
        "diagnostics": [each for file in report.files for each in diagnostics_of(file)],
    }
    return json.dumps(document, indent=2) + "\n"


def summary_of(report: Report, *, counts: bool = False) -> dict[str, Any]:
    """Return all that is not about one finding."""
    fixes = [item.fix for item in report.diagnostics if item.fix]
    document: dict[str, Any] = {
        "complete": report.is_complete,
        "ok": report.exit_code == 0,
        "summary": {
            "files": len(report.files),
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
            "hidden": sum(file.hidden for file in report.files),
            "ignored": sum(file.ignored for file in report.files),
            "fixable": sum(fix.is_safe for fix in fixes),
        },
        "faults": [*report.faults, *(fault for file in report.files for fault in file.faults)],
        "files": [_file(file) for file in report.files],
    }
    if counts:
        document["statistics"] = {code: count for count, code in report.statistics()}
    return document


def diagnostics_of(file: FileReport) -> list[dict[str, Any]]:
    """Return the findings of a file."""
    if not file.diagnostics:
        return []
    pages = Pages(file.texts, file.trees)
    edits = Edits(file.diagnostics, file.texts, pages)
    where = pointers(file.diagnostics, file.texts, file.trees)
    return [_diagnostic(item, pages, edits, where.get(item.span)) for item in file.diagnostics]


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "path": relative(file.name),
        "status": _status(file),
        "handlers": [handler._asdict() for handler in file.handlers],
    }


def _status(file: FileReport) -> str:
    if not file.is_complete:
        return "incomplete"
    severities = {item.severity for item in file.diagnostics}
    if Severity.ERROR in severities:
        return "errors"
    return "warnings" if Severity.WARNING in severities else "ok"


def _diagnostic(
    item: Diagnostic, pages: Pages, edits: Edits, pointer: str | None
) -> dict[str, Any]:
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity.value,
        "message": pages.veil(item.message),
        "file": relative(item.span.file),
        "range": _range(item.span),
        "pointer": pointer,
        "help": None if item.help is None else pages.veil(item.help),
        "related": [
            {"message": pages.veil(label), "file": relative(span.file), "range": _range(span)}
            for label, span in item.related
        ],
        "fix": _fix(item, edits),
        "url": page_of(item.code),
    }


def _fix(item: Diagnostic, edits: Edits) -> dict[str, Any] | None:
    pieces = edits.pieces(item)
    if item.fix is None or not pieces:
        return None
    return {
        "safe": item.fix.is_safe,
        "edits": [
            {
                "file": relative(piece.span.file),
                "range": _range(piece.span),
                "offsets": {"start": piece.start, "end": piece.end},
                "text": piece.text,
            }
            for piece in pieces
        ],
    }


def _range(span: Span) -> dict[str, Any]:
    return {
        "start": {"line": span.line, "column": span.column},
        "end": {"line": span.end_line, "column": span.end_column},
    }
