"""The results of `logroute test` for people."""

from collections.abc import Iterator

from logroute.app.examples import describe
from logroute.app.explanation import printable
from logroute.cli.report import FileReport, Report
from logroute.cli.report import text as report_text
from logroute.cli.verdicts import Results
from logroute.cli.verdicts.coverage import Coverage
from logroute.config.source import read_path

__all__ = ["render"]


def render(results: Results, *, is_colored: bool = False, is_verbose: bool = False) -> str:
    """Return what failed and why, and a line that sums it up."""
    lines: list[str] = []
    for verdict in results.verdicts:
        if not verdict.is_good:
            lines.append(_paint(f"FAILED {verdict.example.id}", "1;31", is_colored))
            lines += [f"  {line}" for line in describe(verdict, is_colored=is_colored)]
        elif is_verbose:
            told = verdict.told
            to = ", ".join(told.reaches) if told is not None else ""
            line = _paint(f"ok     {verdict.example.id}", "32", is_colored)
            lines.append(f"{line}  -> {printable(to) or 'nothing'}")
    for coverage in results.coverage:
        lines += _coverage(coverage)
    lines.append(_summary(results))
    return _faults(results, is_colored) + "\n".join(lines) + "\n"


def _summary(results: Results) -> str:
    count = len(results.verdicts)
    parts = [f"{count} test{'' if count == 1 else 's'}", f"{results.failed} failed"]
    if results.deselected:
        parts.append(f"{results.deselected} left out by -k")
    unusable = sum(bool(suite.diagnostics) for suite in results.suites)
    if unusable:
        parts.append(f"{unusable} file{'' if unusable == 1 else 's'} could not be used")
    return ", ".join(parts)


def _coverage(coverage: Coverage) -> Iterator[str]:
    routes = coverage.routes - len(coverage.missed_routes)
    handlers = coverage.handlers - len(coverage.missed_handlers)
    yield (
        f"{coverage.config}: {coverage.percent:.0f}% covered "
        f"({routes} of {coverage.routes} routes, {handlers} of {coverage.handlers} handlers)"
    )
    for label, place in coverage.missed_routes:
        yield f"  {place}: no test takes the route `{printable(label)}`"
    for name, place in coverage.missed_handlers:
        yield f"  {place}: no test reaches the handler `{printable(name)}`"


def _faults(results: Results, is_colored: bool) -> str:
    """Return what is wrong with the files, as `logroute check` tells it."""
    found = tuple(results.diagnostics)
    if not found:
        return ""
    texts = {source.name: source.text for suite in results.suites for source in suite.sources}
    for name in {
        span.file for item in found for span in (item.span, *(s for _, s in item.related))
    }:
        if name not in texts:  # an included file
            source, _ = read_path(name)
            texts[name] = source.text if source is not None else ""
    report = Report([FileReport(found[0].span.file, found, texts, "", is_complete=True)])
    style = report_text.Style(is_colored=is_colored, is_quiet=True)
    return report_text.render(report, style)


def _paint(text: str, color: str, is_colored: bool) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if is_colored else text
