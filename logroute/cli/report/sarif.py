"""The report as SARIF 2.1.0 (OASIS), which code scanning reads."""

import hashlib
import json
from collections.abc import Sequence

from logroute.cli.report import FileReport, Report
from logroute.cli.report.edits import Edits, Piece
from logroute.cli.report.masking import Page, Pages
from logroute.cli.report.paths import page_of, to_uri
from logroute.config.rules.catalogue import catalogue
from logroute.config.rules.rule import Rule
from logroute.diagnostics import NAMES, Diagnostic, Severity, Span
from logroute.light import Any

__all__ = ["render"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_FINGERPRINT = "logroute/v1"


def render(report: Report) -> str:
    """Return the report as a SARIF log with one run."""
    import logroute

    codes = sorted({item.code for item in report.diagnostics})
    rules = catalogue()
    seen: dict[str, int] = {}
    results = [result for file in report.files for result in _results(file, codes, seen)]
    driver = {
        "name": "logroute",
        "semanticVersion": _semantic(logroute.__version__),
        "version": logroute.__version__,
        "rules": [_rule(code, rules.get(code)) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(report)],
        "artifacts": [{"location": {"uri": to_uri(file.name)}} for file in report.files],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _semantic(version: str) -> str:
    """Return a version of ours as semver.org writes it."""
    numbers, dot, rest = version.partition(".dev")
    return f"{numbers}-dev.{rest}" if dot else numbers


def _rule(code: str, rule: Rule | None) -> dict[str, Any]:
    described: dict[str, Any] = {"id": code, "name": NAMES[code]}
    if (address := page_of(code)) is not None:
        described["helpUri"] = address
    if rule is not None:
        page = rule.page
        first, _, rest = page.partition("\n\n")
        short = " ".join(first.split()).replace(f" ({code})", "")
        described["shortDescription"] = {"text": short}
        full = " ".join(rest.partition("\n\n")[0].split()).removesuffix("::").rstrip(" ,;:")
        described["fullDescription"] = {"text": f"{full}." if full else short}
        described["help"] = {"text": page}
        described["defaultConfiguration"] = {"level": _LEVELS[rule.severity]}
    else:
        described["shortDescription"] = {"text": NAMES[code].replace("-", " ")}
    return described


def _invocation(report: Report) -> dict[str, Any]:
    """Return how the run went; no time, so that equal input gives equal output."""
    faults = [*report.faults, *(fault for file in report.files for fault in file.faults)]
    invocation: dict[str, Any] = {
        "executionSuccessful": report.is_complete,
        "exitCode": report.exit_code,
    }
    if faults:
        invocation["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": fault}} for fault in faults
        ]
    return invocation


def _results(file: FileReport, codes: Sequence[str], seen: dict[str, int]) -> list[dict[str, Any]]:
    pages = Pages(file.texts, file.trees)
    edits = Edits(file.diagnostics, file.texts, pages)
    return [_result(item, pages, edits, codes, seen) for item in file.diagnostics]


def _result(
    item: Diagnostic, pages: Pages, edits: Edits, codes: Sequence[str], seen: dict[str, int]
) -> dict[str, Any]:
    message = pages.veil(item.message)
    text = f"{message}\n{pages.veil(item.help)}" if item.help else message
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": codes.index(item.code),
        "level": _LEVELS[item.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(item.span)}],
        "partialFingerprints": {
            _FINGERPRINT: _fingerprint(item, pages.page(item.span.file), message, seen)
        },
    }
    if item.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _place(span),
                "message": {"text": pages.veil(label)},
            }
            for number, (label, span) in enumerate(item.related, 1)
        ]
    pieces = edits.pieces(item)
    if pieces:
        result["fixes"] = [_fix(item, pieces, pages)]
    return result


def _place(span: Span) -> dict[str, Any]:
    return {"artifactLocation": {"uri": to_uri(span.file)}, "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fingerprint(item: Diagnostic, page: Page, message: str, seen: dict[str, int]) -> str:
    """Return what stays the same when a finding moves with its line.

    Equal findings on equal lines are told apart by counting them.
    """
    line = page.beginning(item.span.line - 1).strip()
    basis = "\0".join((item.code, to_uri(item.span.file), message, line))
    seen[basis] = count = seen.get(basis, 0) + 1
    data = f"{basis}\0{count}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(data).hexdigest()[:32]


def _fix(item: Diagnostic, pieces: Sequence[Piece], pages: Pages) -> dict[str, Any]:
    by_file: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_file.setdefault(piece.span.file, []).append(piece)
    return {
        "description": {"text": pages.veil(item.help or item.message)},
        "artifactChanges": [
            {
                "artifactLocation": {"uri": to_uri(name)},
                "replacements": [
                    {
                        "deletedRegion": _region(piece.span),
                        "insertedContent": {"text": piece.text},
                    }
                    for piece in own
                ],
            }
            for name, own in by_file.items()
        ],
    }
