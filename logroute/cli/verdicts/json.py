"""The results of `logroute test` as JSON; the schema is `schemas/test-report.schema.json`."""

import json
from collections.abc import Sequence

from logroute.app.examples import Failure, Verdict
from logroute.cli.verdicts import Results
from logroute.cli.verdicts.coverage import Coverage
from logroute.diagnostics import Diagnostic, Span
from logroute.light import Any
from logroute.records import message_of

__all__ = ["render"]

FORMAT_VERSION = "1.0"


def render(results: Results) -> str:
    """Return the results as JSON text; lines and columns count from 1."""
    passed = len(results.verdicts) - results.failed
    document = {
        "format_version": FORMAT_VERSION,
        "complete": results.is_complete,
        "ok": results.exit_code == 0,
        "summary": {
            "files": len(results.suites),
            "tests": len(results.verdicts),
            "passed": passed,
            "failed": results.failed,
            "deselected": results.deselected,
        },
        "tests": [_test(verdict) for verdict in results.verdicts],
        "coverage": [_coverage(item) for item in results.coverage],
        "diagnostics": [_diagnostic(item) for item in results.diagnostics],
    }
    return json.dumps(document, indent=2) + "\n"


def _test(verdict: Verdict) -> dict[str, Any]:
    told, example = verdict.told, verdict.example
    record = None
    if told is not None:
        record = {
            "logger": told.record.name,
            "level": told.record.levelname,
            "message": message_of(told.record),
        }
    return {
        "id": example.id,
        "name": example.name,
        "file": example.file,
        "place": _place(example.node.span),
        "outcome": "passed" if verdict.is_good else "failed",
        "record": record,
        "reaches": list(told.reaches) if told is not None else None,
        "failures": [_failure(failure) for failure in verdict.failures],
        "explanation": None if told is None or verdict.is_good else str(told).splitlines(),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "key": failure.key,
        "place": _place(failure.place),
        "message": failure.message,
        "expected": _value(failure.expected),
        "got": _value(failure.got),
        "missing": failure.missing,
        "unexpected": failure.unexpected,
        "help": failure.help,
    }


def _value(value: tuple[str, ...] | str | None) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _coverage(item: Coverage) -> dict[str, Any]:
    return {
        "config": item.config,
        "percent": round(item.percent, 1),
        "routes": {"total": item.routes, "missed": _missed(item.missed_routes)},
        "handlers": {"total": item.handlers, "missed": _missed(item.missed_handlers)},
    }


def _missed(names: Sequence[tuple[str, Span | None]]) -> list[dict[str, Any]]:
    return [{"name": name, "place": _place(place) if place else None} for name, place in names]


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity.value,
        "message": item.message,
        "place": _place(item.span),
        "help": item.help,
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column}
