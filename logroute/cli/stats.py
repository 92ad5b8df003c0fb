"""`logroute stats`: the counters of running processes, asked through their sockets.

Nothing is opened or sent in those processes: one thread of theirs answers.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

from logroute.app.explanation import printable
from logroute.app.metrics import families, render
from logroute.cli.files import wants_color
from logroute.cli.meters.ask import TIMEOUT_S, Answer, ask_all
from logroute.cli.meters.find import find
from logroute.cli.meters.table import Style, clock, is_well, lines, merged
from logroute.light import Any

__all__ = ["add_arguments", "run"]

FORMAT_VERSION = "1.0"
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "socket",
        nargs="?",
        metavar="SOCKET",
        help="a stats socket, a pattern such as 'app-*.sock', a folder of sockets, the number of "
        "a process, or a config file (default: LOGROUTE_CONFIG)",
    )
    parser.add_argument(
        "--sum", action="store_true", help="add up the processes in place of listing them"
    )
    parser.add_argument("--watch", action="store_true", help="ask again and again, and show rates")
    parser.add_argument(
        "--every",
        type=_seconds,
        default=2.0,
        metavar="S",
        help="how often --watch asks (default: 2)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_S,
        metavar="S",
        help="longest wait for a process (default: 5)",
    )
    parser.add_argument("--format", choices=["text", "json", "prometheus"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds from 0.01 to 3600")
    return seconds


def run(options: argparse.Namespace) -> int:
    """Show the counters; 0 where all is well, 1 where a handler fails or loses records.

    2 where no process could be asked, or one does not answer.
    """
    before: dict[int, Mapping[str, Any]] = {}
    while True:
        answers = _ask(options)
        if answers is None:
            return 2
        alive = [answer for answer in answers if answer.stats is not None]
        _show(options, answers, before)
        _tell(answers, has_answers=bool(alive))
        if not options.watch or not alive:
            return _code(answers)
        sys.stdout.flush()
        before = {answer.stats["pid"]: answer.stats for answer in alive if answer.stats}
        time.sleep(options.every)


def _ask(options: argparse.Namespace) -> list[Answer] | None:
    try:
        return ask_all(find(options.socket, os.environ), options.timeout)
    except ValueError as fault:
        why, cure = fault.args
        print(f"logroute stats: {printable(f'{why}; {cure}')}", file=sys.stderr)
        return None


def _tell(answers: Sequence[Answer], *, has_answers: bool) -> None:
    """Say who did not answer; what dead processes left is no news beside one that lives."""
    for answer in answers:
        if answer.stats is None and not (answer.is_left_over and has_answers):
            print(f"logroute stats: {printable(f'{answer.socket}: {answer.why}')}", file=sys.stderr)


def _code(answers: Sequence[Answer]) -> int:
    alive = [answer.stats for answer in answers if answer.stats is not None]
    silent = [answer for answer in answers if answer.stats is None and not answer.is_left_over]
    if silent or not alive:
        return 2
    return 0 if all(map(is_well, alive)) else 1


def _show(
    options: argparse.Namespace, answers: Sequence[Answer], before: Mapping[int, Mapping[str, Any]]
) -> None:
    alive = [answer.stats for answer in answers if answer.stats is not None]
    if options.format == "json":
        print(json.dumps(_document(answers), indent=None if options.watch else 2))
    elif not alive:
        return
    elif options.format == "prometheus":
        sys.stdout.write(render(families(alive)))
    else:
        _print_tables(options, alive, before)


def _document(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the answers as JSON; the schema is `schemas/stats-report.schema.json`."""
    return {
        "format_version": FORMAT_VERSION,
        "processes": [
            {"socket": answer.socket, "stats": answer.stats}
            for answer in answers
            if answer.stats is not None
        ],
        "unreachable": [
            {"socket": answer.socket, "why": answer.why}
            for answer in answers
            if answer.stats is None
        ],
    }


def _print_tables(
    options: argparse.Namespace,
    alive: Sequence[Mapping[str, Any]],
    before: Mapping[int, Mapping[str, Any]],
) -> None:
    style = Style(wants_color(options.color))
    tables = []
    if options.sum and len(alive) > 1:
        former = [before[stats["pid"]] for stats in alive if stats["pid"] in before]
        rates_from = merged(former) if len(former) == len(alive) else None
        tables.append("\n".join(lines(merged(alive), style, rates_from)))
    else:
        for stats in alive:
            tables.append("\n".join(lines(stats, style, before.get(stats["pid"]))))
    text = "\n\n".join(tables) + "\n"
    if options.watch:
        clears = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        ends = f"{clock()}, every {options.every:g} s; Ctrl-C ends\n\n" if clears else ""
        text = f"{_CLEAR if clears else ''}{ends}{text}" + ("" if clears else "\n")
    sys.stdout.write(text)
