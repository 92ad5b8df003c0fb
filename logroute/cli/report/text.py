"""The report for people: place, finding, source line with a caret, cure."""

from logroute.cli.report import FileReport, Report
from logroute.config.nodes import shown
from logroute.diagnostics import NAMES, Diagnostic, Severity, Span
from logroute.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from logroute.cli.report.masking import Pages

__all__ = ["Style", "mask_secrets", "render", "summarize"]

#: Most profiles that are named.
_MOST_PROFILES = 8
#: Longest name of a handler for which the others are moved aside.
_WIDEST = 24
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


class Style(NamedTuple):
    """How a report is printed.

    Attributes:
        is_colored: paint it.
        encoding: of the stream; what it cannot show is escaped.
        most: most findings of a file that are shown, the gravest; 0: all.
        is_quiet: findings only.
        is_brief: one line per finding.
        counts: how often each code was found, in place of the findings.
        is_verbose: say what each handler promises, too.
    """

    is_colored: bool = False
    encoding: str = "utf-8"
    most: int = 0
    is_quiet: bool = False
    is_brief: bool = False
    counts: bool = False
    is_verbose: bool = False

    def paint(self, text: str, color: str) -> str:
        """Return `text` in a color, where that is wanted."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.is_colored else text

    def clean(self, text: str) -> str:
        """Return `text` as the stream can show it."""
        if text.isascii() and text.isprintable():  # nearly always
            return text
        from logroute.cli.report.excerpt import visible

        return visible(text, self.encoding)


def render(report: Report, style: Style | None = None) -> str:
    """Return the report as text that editors can jump by; ends with a summary line."""
    style = style or Style()
    blocks = []
    if style.counts:
        blocks.append(_statistics(report, style))
    else:
        for file in report.files:
            blocks += _file(file, style)
            blocks += _promises(file, style)
    if not style.is_quiet and (report.files or not report.faults):
        blocks.append(summarize(report) + "\n")
        if not style.is_brief:
            blocks += _unchecked(report, style)
    return "".join(blocks)


def mask_secrets(line: str) -> str:
    """Return `line` with what looks like a secret shown as ``********``."""
    from logroute.cli.report import masking

    return masking.mask_secrets(line)


def summarize(report: Report) -> str:
    """Return what was found in one line."""
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    parts = [_plural(len(report.files), "file"), _plural(errors, "error")]
    parts.append(_plural(warnings, "warning"))
    if remarks := report.count(Severity.INFO):
        parts.append(_plural(remarks, "remark"))
    fixes = [item.fix for item in report.diagnostics if item.fix]
    safe = sum(fix.is_safe for fix in fixes)
    if safe:
        parts[-1] += f" ({safe} fixable with --fix)"
    elif fixes:
        parts[-1] += f" ({len(fixes)} fixable with --fix --unsafe-fixes)"
    if hidden := sum(file.hidden for file in report.files):
        parts.append(f"{_plural(hidden, 'remark')} hidden (-v)")
    if ignored := sum(file.ignored for file in report.files):
        parts.append(f"{ignored} ignored by comment")
    if unread := sum(not file.is_complete for file in report.files):
        parts.append(f"{unread} could not be checked")
    return ", ".join(parts)


def _unchecked(report: Report, style: Style) -> list[str]:
    """Return a line on the profiles that nobody asked for, where there are any."""
    files = [file for file in report.files if file.unchecked]
    names = [name for file in files for name in file.unchecked]
    if not names:
        return []
    was, them = ("was", "it") if len(names) == 1 else ("were", "them")
    if len(files) > 1:
        what = f"{_plural(len(names), 'profile')} of {len(files)} files {was} not checked"
    else:
        listed = ", ".join(f"`{shown(name)}`" for name in names[:_MOST_PROFILES])
        dots = ", ..." if len(names) > _MOST_PROFILES else ""
        what = f"{_plural(len(names), 'profile')} {was} not checked: {listed}{dots}"
    return [style.clean(f"{what} (--all-profiles checks {them}, too)") + "\n"]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _file(file: FileReport, style: Style) -> list[str]:
    """Return the blocks of one file."""
    if not file.diagnostics:
        if style.is_quiet or not file.is_complete or style.is_brief:
            return []
        held = f"  ({file.summary})" if file.summary else ""
        return [style.paint(style.clean(f"ok  {file.name}{held}"), "32") + "\n"]
    from logroute.cli.report.masking import Pages  # a good file has nothing to mask

    pages = Pages(file.texts, file.trees)
    chosen = _gravest(file.diagnostics, style.most)
    form = _line if style.is_brief else _block
    blocks = [form(item, pages, style) for item in chosen]
    left = len(file.diagnostics) - len(chosen)
    if left:
        name = style.clean(file.name)
        blocks.append(f"... and {left} more in {name} (--max-problems 0 shows all)\n")
    return blocks


def _promises(file: FileReport, style: Style) -> list[str]:
    """Return a line on each handler: what a record has survived that it has delivered."""
    if not style.is_verbose or style.is_quiet or style.is_brief or not file.handlers:
        return []
    names = [style.clean(handler.name) for handler in file.handlers]
    width = min(max(map(len, names)), _WIDEST)
    lines = [f"guarantees of {style.clean(file.name)}\n"] if file.diagnostics else []
    for name, handler in zip(names, file.handlers, strict=True):
        lines.append(f"    {name:<{width}}  {style.clean(handler.guarantee)}\n")
    return lines


def _gravest(items: tuple[Diagnostic, ...], most: int) -> list[Diagnostic]:
    """Return at most `most` findings by place, errors before all others."""
    if not most or len(items) <= most:
        return list(items)
    order = list(Severity)
    by_weight = sorted(range(len(items)), key=lambda index: order.index(items[index].severity))
    return [items[index] for index in sorted(by_weight[:most])]


def _line(item: Diagnostic, pages: "Pages", style: Style) -> str:
    head = f"{item.severity.value}[{item.code}]"
    message = style.clean(pages.veil(item.message))
    place = style.clean(str(item.span))
    return f"{place}: {style.paint(head, f'1;{_COLORS[item.severity]}')}: {message}\n"


def _block(item: Diagnostic, pages: "Pages", style: Style) -> str:
    text = _line(item, pages, style)
    margin = len(str(max([item.span.line, *(span.line for _, span in item.related)])))
    text += _excerpt(item.span, pages, "", margin, style, _COLORS[item.severity])
    for words, span in item.related:
        label = style.clean(pages.veil(words))
        if span.file != item.span.file:
            text += f"  {style.clean(str(span))}: {label}\n"
        text += _excerpt(span, pages, label, margin, style, "36")
    hint = ""
    if item.fix:
        hint = "fixable with --fix" + ("" if item.fix.is_safe else " --unsafe-fixes")
    edge = f"{' ' * margin} = "
    if item.help:
        cure = style.clean(pages.veil(item.help))
        text += f"{edge}{style.paint('help', '1')}: {cure}{f'  [{hint}]' if hint else ''}\n"
    elif hint:
        text += f"{edge}{style.paint('help', '1')}: {hint}\n"
    return text


def _excerpt(span: Span, pages: "Pages", label: str, margin: int, style: Style, color: str) -> str:
    """Return the source line of `span`, and a line that marks it; nothing where it is empty."""
    from logroute.cli.report.excerpt import excerpt

    page = pages.page(span.file)
    found = excerpt(page, span, "-" if label else "^", style.encoding)
    if found is None:
        return ""
    line, marks = found
    indent = len(marks) - len(marks.lstrip())
    marks = " " * indent + style.paint(marks.lstrip() + (f" {label}" if label else ""), color)
    return f"{span.line:>{margin}} | {line}\n{' ' * margin} | {marks}\n"


def _statistics(report: Report, style: Style) -> str:
    """Return how often each code was found, one per line."""
    counts = report.statistics()
    worst = {item.code: item.severity for item in report.diagnostics}
    fixable = {item.code for item in report.diagnostics if item.fix}
    width = len(str(counts[0][0])) if counts else 1
    lines = []
    for count, code in counts:
        head = style.paint(code, f"1;{_COLORS[worst[code]]}")
        mark = "  [fixable]" if code in fixable else ""
        lines.append(f"{count:>{width}}  {head}  {NAMES[code]}{mark}\n")
    return "".join(lines)
