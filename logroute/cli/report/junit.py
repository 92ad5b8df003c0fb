"""The report as JUnit XML: one test case per file, its findings a failure of it."""

import re
from xml.sax.saxutils import escape, quoteattr

from logroute.cli.report import FileReport, Report
from logroute.cli.report.masking import Pages
from logroute.cli.report.paths import relative
from logroute.diagnostics import Diagnostic, Severity

__all__ = ["render"]

# what no XML 1.0 document may hold, not even escaped
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """Return the report as XML text.

    What makes exit code 1 is a failure, what makes it 2 an error; the rest is
    output of a case that passed.
    """
    failed = sum(bool(_graves(file, report)) and file.is_complete for file in report.files)
    broken = sum(not file.is_complete for file in report.files) + len(report.faults)
    tests = len(report.files) + len(report.faults)
    counts = f'tests="{tests}" failures="{failed}" errors="{broken}"'
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<testsuites name="logroute" {counts}>']
    lines.append(f'  <testsuite name="logroute check" {counts} skipped="0" time="0">')
    for file in report.files:
        lines += _case(file, report)
    for fault in report.faults:
        lines.append('    <testcase name="logroute check" classname="logroute.check" time="0">')
        lines.append(f'      <error type="fault" message={_attribute(fault)}/>')
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _case(file: FileReport, report: Report) -> list[str]:
    pages = Pages(file.texts, file.trees)
    head = (
        f'    <testcase name={_attribute(relative(file.name))} classname="logroute.check" time="0"'
    )
    graves = _graves(file, report)
    others = [item for item in file.diagnostics if item not in graves]
    inner = []
    if graves or file.faults or not file.is_complete:
        message = pages.veil(graves[0].message) if graves else "".join(file.faults[:1])
        if len(graves) > 1:
            message += f" (and {len(graves) - 1} more)"
        kind = graves[0].code if graves else "fault"
        tag = "failure" if file.is_complete else "error"
        words = "\n".join([*(_words(item, pages) for item in graves), *file.faults])
        inner.append(
            f"      <{tag} type={_attribute(kind)} message={_attribute(message)}>"
            f"{_text(words)}</{tag}>"
        )
    if others:
        words = "\n".join(_words(item, pages) for item in others)
        inner.append(f"      <system-out>{_text(words)}</system-out>")
    return [f"{head}>", *inner, "    </testcase>"] if inner else [f"{head}/>"]


def _graves(file: FileReport, report: Report) -> list[Diagnostic]:
    """Return the findings that fail a file."""
    counted = (Severity.ERROR, Severity.WARNING) if report.is_strict else (Severity.ERROR,)
    return [item for item in file.diagnostics if item.severity in counted]


def _words(item: Diagnostic, pages: Pages) -> str:
    place = f"{relative(item.span.file)}:{item.span.line}:{item.span.column}"
    text = f"{place}: {item.severity.value}[{item.code}]: {pages.veil(item.message)}"
    return f"{text}\n  help: {pages.veil(item.help)}" if item.help else text


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))
