"""`logroute test`: the examples in a config and beside it, without opening a handler."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator

from logroute.app.examples import Verdict
from logroute.app.examples import run as run_example
from logroute.app.suites import (
    CONFIG_SUFFIXES,
    Suite,
    belonging_to,
    has_tests,
    is_test_file,
    load_suite,
)
from logroute.cli.files import read_one, wants_color
from logroute.cli.output import write
from logroute.cli.verdicts import Results, text
from logroute.cli.verdicts.coverage import measure
from logroute.cli.verdicts.keywords import parse_keywords
from logroute.config.source import Source

__all__ = ["add_arguments", "run"]

_CONFIGS = ("logging.yaml", "logging.yml", "logging.json", "logging.toml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="config, test file or folder, or - for stdin (default: the configs with tests "
        "in this folder, and the test files in it and below)",
    )
    parser.add_argument(
        "-k", metavar="EXPR", help="only tests whose name has the words: `payment and not mail`"
    )
    parser.add_argument(
        "--coverage", action="store_true", help="list the routes and handlers that no test reaches"
    )
    parser.add_argument(
        "--min-coverage", type=float, metavar="PERCENT", help="fail below it; implies --coverage"
    )
    parser.add_argument("--profile", help="which of the config's profiles to lay over it")
    parser.add_argument(
        "--import",
        dest="imports",
        action="store_true",
        help="import the filters and formatters that the config names",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list the tests that pass")
    parser.add_argument("--format", choices=["text", "json", "junit"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Run the tests, print what they showed, return the exit code."""
    try:
        selects = parse_keywords(options.k) if options.k else None
        files = list(_find(options.files))
    except ValueError as fault:
        print(f"logroute test: {fault}", file=sys.stderr)
        return 2
    results = _run(files, options, selects)
    code = write(_rendered(results, options), None, results.exit_code, "test")
    if not results.verdicts and not results.diagnostics:
        print(f"logroute test: {_nothing(results)}", file=sys.stderr)
    elif results.is_low:
        print(f"logroute test: less than {results.least:g}% is covered", file=sys.stderr)
    return code


def _rendered(results: Results, options: argparse.Namespace) -> str:
    if options.format == "json":
        from logroute.cli.verdicts import json as verdicts_json

        return verdicts_json.render(results)
    if options.format == "junit":
        from logroute.cli.verdicts import junit

        return junit.render(results)
    is_colored = wants_color(options.color)
    return text.render(results, is_colored=is_colored, is_verbose=options.verbose)


def _nothing(results: Results) -> str:
    """Say that there is nothing to run, and what to do."""
    if results.deselected:
        count = results.deselected
        return f"none of the {count} test{'' if count == 1 else 's'} is named like that"
    names = ", ".join(dict.fromkeys(suite.file for suite in results.suites))
    base = os.path.splitext(os.path.basename(results.suites[0].config))[0]
    return f"no tests in {names}; add `tests:` to it, or write `{base}.test.yaml` beside it"


def _run(
    files: Iterable[str | Source],
    options: argparse.Namespace,
    selects: Callable[[str], bool] | None,
) -> Results:
    suites = [load_suite(file, profile=options.profile, imports=options.imports) for file in files]
    verdicts: list[Verdict] = []
    deselected = 0
    # test files may be about the same config, which they cover together
    by_config: dict[tuple[str, str | None], tuple[Suite, list[Verdict]]] = {}
    for suite in suites:
        if suite.explainer is None:
            continue
        key = (os.path.realpath(suite.config), suite.profile)
        _, of_config = by_config.setdefault(key, (suite, []))
        for example in suite.examples:
            if selects is not None and not selects(example.id):
                deselected += 1
                continue
            verdict = run_example(example, suite.explainer)
            verdicts.append(verdict)
            of_config.append(verdict)
    coverage = []
    if options.coverage or options.min_coverage is not None:
        for suite, of_config in by_config.values():
            if suite.explainer is not None:
                coverage.append(measure(suite.config, suite.explainer, of_config))
    return Results(suites, verdicts, deselected, coverage, options.min_coverage or 0.0)


# -- which files


def _find(names: Iterable[str]) -> Iterator[str | Source]:
    """Yield the files to run, each once.

    Raises:
        ValueError: there is none.
    """
    seen: set[str] = set()
    for name in list(names) or ["."]:
        if name == "-":
            source, faults = read_one(name)
            if source is None:
                raise ValueError(str(faults[0]))
            yield source
            continue
        found = list(_in_folder(name) if os.path.isdir(name) else _with_tests(name))
        if not found:
            raise ValueError(
                f"no config with tests and no *.test.yaml in `{name}`; name the config to test"
            )
        for path in found:
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path


def _with_tests(path: str) -> Iterator[str]:
    """Yield a file, and for a config the test files beside it."""
    yield path
    if not is_test_file(path):
        yield from belonging_to(path)


def _in_folder(folder: str) -> Iterator[str]:
    """Yield the configs with tests in a folder, and the test files in it and below it."""
    for name in sorted(os.listdir(folder)):
        path = os.path.normpath(os.path.join(folder, name))
        if name in _CONFIGS or (name.endswith(CONFIG_SUFFIXES) and has_tests(path)):
            yield path
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "node_modules")))
        for name in sorted(names):
            path = os.path.normpath(os.path.join(here, name))
            if is_test_file(name) and has_tests(path):
                yield path
