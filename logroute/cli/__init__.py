"""The command `logroute`: one file per subcommand.

Exit codes: 0 fine, 1 findings, 2 could not be completed.
"""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]

#: Subcommand -> module with `add_arguments(parser)` and `run(options) -> int`,
#: and the sentence for `logroute --help`.
COMMANDS = {
    "check": "Check config files; nothing is opened but them, nothing is sent.",
    "explain": "Say where a record would go, and why.",
    "demo": "Send records of every level through real servers on this machine.",
    "schema": "Print the JSON Schema of the config language, for editors.",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser that suggests the likeliest command."""

    def error(self, message: str) -> NoReturn:
        from logroute.hints import nearest

        if "invalid choice: " in message:
            word = message.split("'")[1]
            best = nearest(word, COMMANDS)
            message = f"unknown command `{word}`" + (f"; did you mean `{best}`?" if best else "")
        super().error(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parse(arguments)
    module = importlib.import_module(f"logroute.cli.{options.command}")
    try:
        with contextlib.suppress(AttributeError, OSError):
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        code: int = module.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: what was read was enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="logroute", description="Check and explain logging configs.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, sentence in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, description=sentence)
        if name in arguments[:1]:  # the others' modules stay unimported
            importlib.import_module(f"logroute.cli.{name}").add_arguments(command)
    options = parser.parse_args(arguments)
    if options.version:
        import logroute

        print(f"logroute {logroute.__version__}")
        sys.exit(0)
    if options.command is None:
        parser.print_help()
        sys.exit(2)
    return options
