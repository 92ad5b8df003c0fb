"""`logroute check`: every fault of every file, with its place and its cure.

Exit codes: 0 fine; 1 errors, or warnings with --strict; 2 something could not be
checked, which nothing makes up for. The other files are checked all the same.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from logroute.cli.checks.find import Found, drop_included, find_files
from logroute.cli.checks.select import Selection, UsageError
from logroute.cli.files import STDIN, Way, check_file, wants_color
from logroute.cli.fixes import fixing
from logroute.cli.output import encoding_of_stdout, say, write
from logroute.cli.report import FileReport, Report
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.config.rules.rule import Rule

__all__ = ["FORMATS", "add_arguments", "on_usage_error", "print_report", "run", "way_of"]

FORMATS = ("auto", "text", "concise", "json", "jsonl", "github", "sarif", "junit")
_MACHINES = ("json", "jsonl", "sarif", "junit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="file, directory, glob, or - for standard input; "
        "default: LOGROUTE_CONFIG, or logging.yaml and the like here",
    )
    parser.add_argument(
        "--stdin-filename", metavar="NAME", help="what standard input is called, and read as"
    )
    parser.add_argument("--watch", action="store_true", help="check again when a file changes")
    _add_reading(parser.add_argument_group("what is checked"))
    _add_choice(parser.add_argument_group("which findings count"))
    _add_output(parser.add_argument_group("output"))
    fixing.add_arguments(parser)


def _add_reading(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--profile", action="append", default=[], metavar="NAME", help="lay a profile over the file"
    )
    group.add_argument(
        "--all-profiles", action="store_true", help="check without a profile and with each one"
    )
    group.add_argument(
        "--env", action="append", default=[], metavar="KEY=VALUE", help="set a variable"
    )
    group.add_argument(
        "--env-file", action="append", default=[], metavar="FILE", help="set what FILE lists"
    )
    group.add_argument(
        "--no-env",
        action="store_true",
        help="leave the environment out; the value of a variable may be anything",
    )
    group.add_argument(
        "--host",
        action="store_true",
        help="look at this host, too: directories, permissions, free space, certificates",
    )
    group.add_argument(
        "--probe",
        action="store_true",
        help="connect to each destination, too; no record, login or request is sent",
    )
    group.add_argument(
        "--probe-timeout",
        type=_seconds,
        default=5.0,
        metavar="S",
        help="longest wait for a destination (default 5)",
    )


def _add_choice(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--strict", action="store_true", help="warnings make exit code 1, too")
    for option, words in (
        ("--select", "show these findings only: codes, beginnings (LR3) or names"),
        ("--ignore", "leave these findings out"),
    ):
        group.add_argument(option, action="append", default=[], metavar="CODES", help=words)
    group.add_argument(
        "--severity",
        action="append",
        default=[],
        metavar="CODE=LEVEL",
        help="count a finding as error, warning, info or off",
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", help="show remarks and guarantees, too"
    )
    group.add_argument("--exit-zero", action="store_true", help="exit 0 in place of 1")


def _add_output(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        help="auto: github in a GitHub workflow, else text (default)",
    )
    group.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    group.add_argument("-q", "--quiet", action="store_true", help="print findings only")
    group.add_argument("--statistics", action="store_true", help="count findings by code")
    group.add_argument(
        "--max-problems",
        type=_count,
        default=50,
        metavar="N",
        help="most findings of a file that are printed as text (default 50; 0: all)",
    )
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from 0")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Check the files, print the report, return the exit code."""
    try:
        way = way_of(options)
        if options.watch and "-" in options.paths:
            raise UsageError("--watch cannot look at standard input again")
        fixing.check_arguments(options)
    except UsageError as fault:
        return _report_fault(str(fault), _format(options.format), options.output)
    if options.watch:
        from logroute.cli.checks.watch import watch

        return watch(lambda: _inspect(options, way)[1], lambda: _find(options).names)
    if options.fix or options.diff:
        code, goes_on = fixing.run(options, way._replace(also=()), _find(options))
        return max(code, _inspect(options, way)[0]) if goes_on else code
    return _inspect(options, way)[0]


def way_of(options: argparse.Namespace) -> Way:
    """Return how the options want files to be checked.

    Raises:
        UsageError: an option's value means nothing.
    """
    selection = Selection(
        options.select, options.ignore, options.severity, is_verbose=options.verbose
    )
    if options.env or options.env_file or options.no_env:
        from logroute.cli.checks.environment import environment

        environ = environment(options.env, options.env_file, is_bare=options.no_env)
    else:
        environ = os.environ
    return Way(
        selection=selection,
        profiles=tuple(dict.fromkeys(options.profile)) or (None,),
        has_all_profiles=options.all_profiles,
        environ=environ,
        needs_environment=not options.no_env,
        stdin_name=options.stdin_filename or STDIN,
        also=_further_rules(options),
    )


def _further_rules(options: argparse.Namespace) -> "tuple[Rule, ...]":
    """Return the rules that look at more than the text, where they are asked for."""
    rules: tuple[Rule, ...] = ()
    if options.host:
        from logroute.config.rules.host import HOST

        rules += HOST
    if options.probe:
        from logroute.config.rules.probes import probes

        rules += probes(options.probe_timeout)
    return rules


def _find(options: argparse.Namespace) -> Found:
    return find_files(options.paths)


def _inspect(options: argparse.Namespace, way: Way) -> tuple[int, list[str]]:
    """Check all files once, and print the report; return the exit code and what was read."""
    found = _find(options)
    files = [check_file(name, way) for name in found.names]
    dropped: set[str] = set()
    if found.from_directories:
        dropped = _included(found, files)
        files = [file for file in files if file.name not in dropped]
    faults = list(found.faults)
    if not found.names and not faults:
        faults.append("no logging config found, so nothing was checked")
    _tell(options, found, len(dropped))
    for fault in faults:
        say(fault)
    for file in files:
        for fault in file.faults:
            say(f"{fault}; please report it (LOGROUTE_DEBUG=1 shows where it was)")
    report = Report(files, options.strict, tuple(faults))
    code = report.exit_code
    if code == 1 and options.exit_zero:
        code = 0
    text = _render(report, options, _format(options.format))
    read = (*found.names, *(name for file in files for name in file.files))
    return write(text, options.output, code), [name for name in read if name != "-"]


def _included(found: Found, files: list[FileReport]) -> set[str]:
    """Return the files of directories that are checked through those that include them."""
    read = {file.name: file.files[1:] for file in files}
    dropped = drop_included([file.name for file in files], read)
    return {name for name in dropped if os.path.realpath(name) in found.from_directories}


def _tell(options: argparse.Namespace, found: Found, included: int) -> None:
    """Say on standard error what was chosen, where nobody named it."""
    if options.quiet:
        return
    if found.default:
        say(f"checking {found.default}")
    if found.skipped:
        what = "file that is" if found.skipped == 1 else "files that are"
        say(f"skipped {found.skipped} {what} no logging config")
    if included:
        verb, whom = ("file is", "it") if included == 1 else ("files are", "them")
        say(f"{included} {verb} checked through what includes {whom}")


def _report_fault(message: str, format: str, output: str | None = None) -> int:
    """Say why nothing can be checked, to machines in their own format; return 2."""
    say(message)
    if format in _MACHINES:
        write(_renderer(format)(Report([], faults=(message,))), output, 2)
    return 2


def on_usage_error(message: str, arguments: Sequence[str]) -> None:
    """Say that the command line is wrong, to machines in their own format."""
    format, is_next = "text", False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if is_next or (option == "--format" and equals):
            format = argument if is_next else value
        is_next = argument == "--format"
    _report_fault(message, format)


def print_report(report: Report | FileReport, format: str, color: str) -> None:
    """Print a report to standard output."""
    if isinstance(report, FileReport):
        report = Report([report])
    if format == "text":
        from logroute.cli.report.text import Style, render

        style = Style(is_colored=wants_color(color), encoding=encoding_of_stdout())
        sys.stdout.write(render(report, style))
    else:
        sys.stdout.write(_renderer(format)(report))


def _format(name: str) -> str:
    """Return the format that is meant."""
    if name != "auto":
        return name
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _render(report: Report, options: argparse.Namespace, format: str) -> str:
    """Return the report in a format; the modules of the others stay unimported."""
    if format not in ("text", "concise"):
        return _renderer(format, options.statistics)(report)
    from logroute.cli.report.text import Style, render

    to_stdout = options.output in (None, "-")
    style = Style(
        is_colored=wants_color(options.color, is_terminal=None if to_stdout else False),
        encoding=encoding_of_stdout() if to_stdout else "utf-8",
        most=options.max_problems,
        is_quiet=options.quiet,
        is_brief=format == "concise",
        counts=options.statistics,
        is_verbose=options.verbose,
    )
    return render(report, style)


def _renderer(format: str, counts: bool = False) -> Callable[[Report], str]:
    if format == "json":
        from logroute.cli.report.json import render

        return lambda report: render(report, counts=counts)
    if format == "jsonl":
        from logroute.cli.report.jsonl import render as render_lines

        return lambda report: render_lines(report, counts=counts)
    if format == "github":
        from logroute.cli.report.github import render as render_commands

        return render_commands
    if format == "sarif":
        from logroute.cli.report.sarif import render as render_sarif

        return render_sarif
    from logroute.cli.report.junit import render as render_cases

    return render_cases
