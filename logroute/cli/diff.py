"""`logroute diff`: what changes in routing and in the parts from one config to another.

Exit codes: 0 compared; 1 something changed, with --exit-code; 2 not compared.
"""

import argparse
import sys

from logroute.cli.check import print_report
from logroute.cli.diffs import Difference
from logroute.cli.files import load_one, wants_color
from logroute.cli.output import write
from logroute.cli.report import FileReport
from logroute.config.load import Loaded

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("old", metavar="OLD", help="config file, or - for stdin")
    parser.add_argument("new", metavar="NEW", help="config file, or - for stdin")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--profile", help="which of the files' profiles to lay over them")
    parser.add_argument(
        "--exit-code", action="store_true", help="end with 1 where anything changed"
    )
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Print what changed; return the exit code."""
    if options.old == options.new == "-":
        return _refuse("standard input can be only one of the two")
    pairs = [load_one(name, options.profile) for name in (options.old, options.new)]
    bad = [report for loaded, report in pairs if loaded.config is None]
    for report in bad:
        print_report(_errors(report), "text", options.color)
    if bad:
        return 2
    old, new = (loaded for loaded, _ in pairs)
    names = [report.name for _, report in pairs]
    return _compare(old, new, names, options)


def _compare(old: Loaded, new: Loaded, names: list[str], options: argparse.Namespace) -> int:
    from logroute.cli.diffs.options import PartsOf, compare_parts
    from logroute.cli.diffs.render import render_json, render_text
    from logroute.cli.diffs.routing import TooLargeError, compare_routing
    from logroute.cli.graphs.words import Scale

    sides = PartsOf(old), PartsOf(new)
    try:
        found = Difference(compare_routing(*sides), compare_parts(*sides))
    except TooLargeError:
        return _refuse("too many loggers, levels and routes to compare")
    scale = Scale(sides[1].config.levels, sides[0].config.levels)
    if options.format == "json":
        text = render_json(found, scale, *names)
    else:
        text = render_text(found, scale, is_colored=wants_color(options.color))
    return write(text, None, 1 if options.exit_code and not found.is_same else 0, "diff")


def _errors(report: FileReport) -> FileReport:
    """Return a report with the errors alone: they are why nothing can be compared."""
    from logroute.diagnostics import Severity

    kept = tuple(item for item in report.diagnostics if item.severity is Severity.ERROR)
    return report._replace(diagnostics=kept)


def _refuse(message: str) -> int:
    print(f"logroute diff: {message}", file=sys.stderr)
    return 2
