"""`logroute check`: every fault of every file, with its place and its cure."""

import argparse
import sys

from logroute.cli.files import load_one, wants_color
from logroute.cli.report import FileReport, Report
from logroute.cli.report import json as json_report
from logroute.cli.report import text as text_report

__all__ = ["add_arguments", "print_report", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="config file, or - for stdin")
    parser.add_argument("--profile", help="which of the file's profiles to lay over it")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Check the files, print the report, return the exit code."""
    report = Report([load_one(name, options.profile)[1] for name in options.files])
    print_report(report, options.format, options.color)
    return report.exit_code


def print_report(report: Report | FileReport, format: str, color: str) -> None:
    """Print a report to standard output."""
    if isinstance(report, FileReport):
        report = Report([report])
    if format == "json":
        sys.stdout.write(json_report.render(report))
    else:
        sys.stdout.write(text_report.render(report, is_colored=wants_color(color)))
