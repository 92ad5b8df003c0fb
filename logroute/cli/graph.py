"""`logroute graph`: a config as a tree, a diagram or a picture."""

import argparse
import importlib
import os
import sys

from logroute.cli.check import print_report
from logroute.cli.files import load_one, wants_color
from logroute.cli.output import encoding_of_stdout, write

__all__ = ["add_arguments", "run"]

#: Format -> the suffixes of files that mean it.
FORMATS = {
    "tree": (".txt",),
    "mermaid": (".mmd", ".mermaid"),
    "dot": (".dot", ".gv"),
    "svg": (".svg",),
    "html": (".html", ".htm"),
    "json": (".json",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="config file, or - for stdin")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        help="how to draw it (default: what the suffix of -o says, else tree)",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file")
    parser.add_argument("--profile", help="which of the file's profiles to lay over it")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Draw the config; return the exit code."""
    output = None if options.output == "-" else options.output
    format = options.format or _format_of(output)
    if format is None:
        known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
        return _refuse(f"which format is {output}? give --format, or one of {known}")
    loaded, report = load_one(options.file, options.profile)
    if loaded.config is None:
        print_report(report, "text", options.color)
        return 2
    if output is not None and _is_same(output, loaded.files):
        return _refuse(f"{output} is the config itself; it is not overwritten")
    from logroute.cli.graphs.build import build

    graph = build(loaded, report.name, options.profile)
    module = importlib.import_module(f"logroute.cli.graphs.{format}")
    if format != "tree":
        return write(module.render(graph), output, 0, "graph")
    is_file = output is not None
    text = module.render(
        graph,
        is_colored=not is_file and wants_color(options.color),
        is_plain=not is_file and not _can_show_lines(),
    )
    return write(text, output, 0, "graph")


def _format_of(output: str | None) -> str | None:
    """Return the format that a file's suffix means; None where it means none."""
    if output is None:
        return "tree"
    suffix = os.path.splitext(output)[1].lower()
    return next((name for name, suffixes in FORMATS.items() if suffix in suffixes), None)


def _is_same(output: str, files: "tuple[str, ...]") -> bool:
    """Return whether `output` is a file that was read."""
    return any(
        os.path.exists(output) and os.path.exists(name) and os.path.samefile(output, name)
        for name in files
    )


def _can_show_lines() -> bool:
    """Return whether standard output can show what trees are drawn with."""
    try:
        "├└│─╌■".encode(encoding_of_stdout())
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _refuse(message: str) -> int:
    print(f"logroute graph: {message}", file=sys.stderr)
    return 2
