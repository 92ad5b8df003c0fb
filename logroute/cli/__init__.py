"""The command `logroute`: one file per subcommand.

Exit codes: 0 fine, 1 findings, 2 could not be completed.
"""

import argparse
import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from logroute.collector import relaxed_collector
from logroute.light import Any, NoReturn

__all__ = ["main"]

#: Subcommand -> the sentence for `logroute --help`. Its module has `add_arguments(parser)`,
#: `run(options) -> int` and perhaps `on_usage_error(message, arguments)`, told before the exit.
COMMANDS = {
    "check": "Check config files; nothing is opened but them, nothing is sent.",
    "explain": "Say where a record would go, and why.",
    "test": "Run the examples in a config: where records must go, and what is written.",
    "graph": "Draw a config: a tree, a diagram or a picture of where records go.",
    "diff": "Say what changes in routing, handlers and formats from one config to another.",
    "probe": "Send one test record through each handler, and say what became of it.",
    "stats": "Show the counters of running processes: what came, what arrived, what fails.",
    "spool": "List, print, deliver or drop what waits on disk for a destination.",
    "init": "Write a first config, for a script, a web service, Django, FastAPI or Celery.",
    "demo": "Send records of every level through real servers on this machine.",
    "rule": "Print the manual page of a rule, or the list of all rules.",
    "schema": "Print the JSON Schema of the config language, for editors.",
}

# what writing to a full or broken standard output fails with
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Return what lays out the help; argparse would import half a dozen modules for the width."""
    try:
        width = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size().columns
    except (ValueError, OSError):
        width = 80
    return argparse.HelpFormatter(prog, width=max(40, width) - 2)


class _Parser(argparse.ArgumentParser):
    """An argument parser that suggests the likeliest command, option or choice."""

    on_usage_error: Callable[[str], object] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and exit 2."""
        _, is_unknown, rest = message.partition("unrecognized arguments: ")
        if is_unknown:
            message = self._unknown(rest.split(" "))
        if self.on_usage_error is None:
            self._print_message(f"{self.prog}: {message}\n", sys.stderr)
        else:
            self.on_usage_error(message)
        self.exit(2, f"see `{self.prog} --help`\n")

    def _unknown(self, words: Sequence[str]) -> str:
        word = next((word for word in words if word.startswith("-")), words[0])
        option = word.partition("=")[0]
        what = "option" if option.startswith("-") else "argument"
        near = _likeliest(option, self._option_string_actions)
        return f"unknown {what} `{option}`" + (f"; did you mean `{near}`?" if near else "")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is no choice, and say which one was likely meant."""
        if action.choices is None or value in action.choices:
            return
        known = list(map(str, action.choices))
        near = _likeliest(str(value), known)
        if isinstance(action, argparse._SubParsersAction):
            message = f"unknown command `{value}`"
            self.error(message + (f"; did you mean `{near}`?" if near else ""))
        hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(known)}"
        raise argparse.ArgumentError(action, f"`{value}` is not a choice; {hint}")


def _likeliest(word: str, known: Iterable[str]) -> str | None:
    """Return what begins so, if there is but one, or what is spelt most alike."""
    from logroute.hints import nearest

    names = [name for name in known if name.startswith("--") or not name.startswith("-")]
    begun = [name for name in names if len(word) > 2 and name.startswith(word)]
    return begun[0] if len(begun) == 1 else nearest(word, names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if sys.stdout is None:  # closed: what runs is done and its exit code told all the same
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if sys.stdin is None:
            sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
        with contextlib.suppress(AttributeError, OSError):
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        name = arguments[0] if arguments else ""
        if name not in COMMANDS:
            return _without_command(arguments)
        with relaxed_collector():
            module = importlib.import_module(f"logroute.cli.{name}")
            code: int = module.run(_parse(name, module, arguments[1:]))
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: what was read was enough
        _drop_stdout()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as fault:
        if isinstance(fault, OSError) and fault.filename is None and fault.errno in _FULL:
            _drop_stdout()
            why = (fault.strerror or "no reason").lower()
            print(f"logroute {name}: cannot write the output: {why}", file=sys.stderr)
            return 2
        if os.environ.get("LOGROUTE_DEBUG"):
            raise
        what = type(fault).__name__  # not its words: they may hold a secret
        print(
            f"logroute {' '.join(arguments[:1])}: internal fault: {what}; please report it "
            "(LOGROUTE_DEBUG=1 shows where it was)",
            file=sys.stderr,
        )
        return 2
    return code


def _drop_stdout() -> None:
    """Send what is left in the buffer nowhere, so that the exit stays quiet."""
    from logroute.cli.output import drop_stdout

    drop_stdout()


def _parse(name: str, module: Any, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of one subcommand; the other ones' modules stay unimported."""
    parser = _Parser(prog=f"logroute {name}", description=COMMANDS[name])
    module.add_arguments(parser)
    tell = getattr(module, "on_usage_error", None)
    if tell is not None:
        parser.on_usage_error = lambda message: tell(message, arguments)
    takes_all = (argparse.PARSER, argparse.REMAINDER)
    has_rest = any(action.nargs in takes_all for action in parser._get_positional_actions())
    if has_rest or "--" in arguments:
        return parser.parse_args(arguments)
    options, rest = parser.parse_known_args(arguments)
    # options may stand between the paths; argparse takes its time for that
    return parser.parse_intermixed_args(arguments) if rest else options


def _without_command(arguments: Sequence[str]) -> int:
    """Answer `--version`, `--help`, no command at all, or one that does not exist."""
    parser = _Parser(prog="logroute", description="Check and explain logging configs.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, sentence in COMMANDS.items():
        commands.add_parser(name, help=sentence)
    options = parser.parse_args(arguments)
    if options.version:
        import logroute

        print(f"logroute {logroute.__version__}")
        return 0
    parser.print_help()
    return 2
