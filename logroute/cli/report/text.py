"""The report for people: place, finding, source line with a caret, cure."""

import re
import unicodedata
from collections.abc import Mapping

from logroute.cli.report import Report
from logroute.config.source import split_lines
from logroute.diagnostics import Diagnostic, Severity, Span

__all__ = ["mask_secrets", "render"]

_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}
_WIDEST = 100
_LONGEST = 2000

_SENSITIVE = r"""(?:password|passwd|secret|token|api[_-]?key|credential|bearer|dsn)[\w-]*"""
_SECRET = re.compile(
    rf"""(?ix) (?P<key> {_SENSITIVE} ["']? \s* [:=] \s* )
    (?P<value> \$\{{[^}}]*\}} | "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' | [^\s,}}\]][^,}}\]\n]* )"""
)
_USERINFO = re.compile(r"(?P<key>\w+://)(?P<value>[^/\s@\"']+)(?=@)")
_VARIABLE = re.compile(r"""["']?\$\{[^}]*\}["']?""")


def render(report: Report, *, is_colored: bool = False) -> str:
    """Return the report as text that editors can jump by; ends with a summary line."""
    blocks = []
    for file in report.files:
        blocks += [_diagnostic(item, file.texts, is_colored) for item in file.diagnostics]
        if not file.diagnostics:
            blocks.append(_paint(f"ok  {file.name}  ({file.summary})", "32", is_colored) + "\n")
    return "".join(blocks) + _summary(report)


def _summary(report: Report) -> str:
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    parts = [_plural(len(report.files), "file"), _plural(errors, "error")]
    parts.append(_plural(warnings, "warning"))
    unread = sum(not file.is_complete for file in report.files)
    if unread:
        parts.append(f"{unread} could not be checked")
    return ", ".join(parts) + "\n"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _diagnostic(item: Diagnostic, texts: Mapping[str, str], is_colored: bool) -> str:
    color = _COLORS[item.severity]
    head = _paint(f"{item.severity.value}[{item.code}]", f"1;{color}", is_colored)
    lines = [f"{item.span}: {head}: {item.message}"]
    margin = len(str(max([item.span.line, *(span.line for _, span in item.related)])))
    lines += _excerpt(item.span, texts, "^", "", margin, color if is_colored else "")
    for label, span in item.related:
        if span.file != item.span.file:
            lines.append(f"  {span}: {label}")
        lines += _excerpt(span, texts, "-", label, margin, "36" if is_colored else "")
    if item.help:
        lines.append(f"{' ' * margin} = {_paint('help', '1', is_colored)}: {item.help}")
    return "\n".join(lines) + "\n"


def _excerpt(
    span: Span, texts: Mapping[str, str], mark: str, label: str, margin: int, color: str
) -> list[str]:
    """Return the source line of `span`, secrets masked, and a line that marks it."""
    source = split_lines(texts.get(span.file, ""))
    if not 1 <= span.line <= len(source) or not source[span.line - 1].strip():
        return []
    line = source[span.line - 1]
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    end = max(start + 1, min(end, len(line)))
    if len(line) > _LONGEST:  # a whole document on one line: the marked part alone
        line, start, end = _cut_out(line, start, end)
    before, marked, after = _mask_around(line, start, end)
    if _width(before) > _WIDEST - 30:  # keep the marked part in sight
        before = "..." + before[-(_WIDEST - 60) :]
    room = max(10, _WIDEST - _width(before) - _width(marked))
    after = after if len(after) <= room else after[:room] + "..."
    marked_width = min(max(1, _width(marked)), _WIDEST)
    caret = mark * marked_width + (f" {label}" if label else "")
    shown = _visible(before) + _visible(marked) + _visible(after)
    return [
        f"{span.line:>{margin}} | {shown.rstrip()}",
        f"{' ' * margin} | {' ' * _width(before)}{_paint(caret, color, bool(color))}",
    ]


def _cut_out(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Return a piece of a very long line around the marked part, and where that is in it."""
    low = max(0, start - _LONGEST // 4)
    piece = line[low : min(end, start + _WIDEST) + _LONGEST // 4]
    return piece, start - low, min(end - low, start - low + _WIDEST)


def _mask_around(line: str, start: int, end: int) -> tuple[str, str, str]:
    """Split `line` at the marked part, after masking the secrets in it."""
    pieces = {"before": "", "marked": "", "after": ""}
    position = 0
    for low, high in [*_secret_spans(line), (len(line), len(line))]:
        for index in range(position, low):
            part = "before" if index < start else "marked" if index < end else "after"
            pieces[part] += line[index]
        if high > low:
            part = "before" if high <= start else "after" if low >= end else "marked"
            pieces[part] += "********"
        position = max(position, high)
    return pieces["before"], pieces["marked"], pieces["after"]


def _secret_spans(line: str) -> list[tuple[int, int]]:
    found = []
    for pattern in (_SECRET, _USERINFO):
        for match in pattern.finditer(line):
            if not _VARIABLE.fullmatch(match["value"].strip()):
                found.append(match.span("value"))
    return sorted(found)


def mask_secrets(line: str) -> str:
    """Return `line` with what looks like a secret shown as ``********``."""
    return "".join(_mask_around(line, 0, 0))


def _visible(text: str) -> str:
    """Return `text` with tabs expanded and control characters shown as U+FFFD."""
    return "".join(
        "    " if char == "\t" else "\ufffd" if unicodedata.category(char) in ("Cc", "Cf") else char
        for char in text
    )


def _width(text: str) -> int:
    """Return how many terminal columns `text` takes."""
    return sum(
        4 if char == "\t" else 0 if unicodedata.combining(char) else _cell(char) for char in text
    )


def _cell(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _paint(text: str, color: str, is_colored: bool) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if is_colored and color else text
