"""`logroute explain`: where a record would go, and why, by the live routing code."""

import argparse
import logging
import sys
from typing import Any

from logroute.cli.check import print_report
from logroute.cli.files import load_one, wants_color
from logroute.config.flow import effective_level, route_table
from logroute.config.load import Loaded
from logroute.config.model import Config
from logroute.levels import Levels
from logroute.routing import Outcome, RouteTable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="config file, or - for stdin")
    parser.add_argument("--logger", default="root", help="name of the logger (default: root)")
    parser.add_argument("--level", default="INFO", help="level of the record (default: INFO)")
    parser.add_argument("--message", default="", help="text of the record")
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of the record (extra); may be given often",
    )
    parser.add_argument("--exception", metavar="CLASS", help="the record has this exception")
    parser.add_argument("--profile", help="which of the file's profiles to lay over it")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Print what each route does to the record, and the handlers it reaches."""
    loaded, report = load_one(options.file, options.profile)
    if loaded.config is None:
        print_report(report, "text", options.color)
        return 2
    levels = Levels(loaded.config.levels)
    try:
        record = make_record(options, levels)
        for name, value in loaded.config.context.items():
            record.__dict__.setdefault(name, value)
    except ValueError as fault:
        print(f"logroute explain: {fault.args[0]}", file=sys.stderr)
        return 2
    table = route_table(loaded.config, levels)
    is_colored = wants_color(options.color)
    for line in explain(loaded, table, levels, record):
        print(line if is_colored else line.replace("\x1b[32m", "").replace("\x1b[0m", ""))
    return 0


def make_record(options: argparse.Namespace, levels: Levels) -> logging.LogRecord:
    """Return the record that the options describe.

    Raises:
        ValueError: an unknown level, or a field that is not KEY=VALUE.
    """
    fields: dict[str, Any] = {}
    for field in options.field:
        key, equals, value = field.partition("=")
        if not equals:
            raise ValueError(f"--field needs KEY=VALUE, got `{field}`")
        fields[key] = _scalar(value)
    number = levels.number(options.level)
    record = logging.LogRecord(options.logger, number, "", 0, options.message, None, None)
    record.levelname = levels.name(number)
    record.__dict__.update(fields)
    if options.exception:
        cls = getattr(__import__("builtins"), options.exception, None)
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            cls = type(options.exception.rpartition(".")[2], (Exception,), {})
        record.exc_info = (cls, cls(), None)
    return record


def _scalar(text: str) -> Any:
    """Return a field's value as a file would have it: 3 is a number, true a boolean."""
    from logroute.config.parse import parse
    from logroute.config.source import from_text

    node, diagnostics = parse(from_text(text))
    if node is None or diagnostics or isinstance(node.value, dict | list):
        return text
    return node.value


def explain(
    loaded: Loaded, table: RouteTable, levels: Levels, record: logging.LogRecord
) -> list[str]:
    """Return the lines of the explanation."""
    assert loaded.config is not None
    lines = [f"record  {record.name} {record.levelname} {record.getMessage()!r}"]
    minimum, origin = _effective_level(loaded, levels, record.name)
    made = record.levelno >= minimum
    verdict = "" if made else "  -> no such record is ever made"
    lines.append(f"logger level {levels.name(minimum)} ({origin}){verdict}")
    outcomes = list(table.explain(record))
    width = max([len(outcome.route.label) for outcome in outcomes], default=0)
    for outcome in outcomes:
        lines.append(_route_line(loaded, outcome, width))
    plan = table.plan(record.name, record.levelno)
    picked = plan.pick(record)
    reached = plan.leftover if picked is None else picked
    wanted = dict.fromkeys(name for outcome in outcomes for name in outcome.handlers)
    for name in wanted:
        if name not in reached:
            level = levels.name(table.handler_levels[name])
            lines.append(f"not reached: {name}, whose own level is {level}")
    if picked is None:
        lines.append(_unmatched(loaded.config, record, table))
    lines.append(f"reaches: {', '.join(reached) or 'nothing'}" if made else "reaches: nothing")
    return lines


def _route_line(loaded: Loaded, outcome: Outcome, width: int) -> str:
    label = f"{outcome.route.label:<{width}}"
    place = _place(loaded, outcome.route.label)
    if outcome.stopped_by:
        return f"  - {label}  {place}  not tried: {outcome.stopped_by} was final"
    if outcome.failed:
        return f"  - {label}  {place}  does not hold: {outcome.failed}"
    conditions = "; ".join(c.label for c in outcome.route.matcher.conditions)
    to = ", ".join(outcome.handlers) or (
        "nothing more" if outcome.route.to else "nothing (silenced)"
    )
    end = ", final" if outcome.route.final else ""
    return f"\x1b[32m  + {label}  {place}  {conditions or 'every record'}  -> {to}{end}\x1b[0m"


def _place(loaded: Loaded, label: str) -> str:
    """Return the place of a route by its label."""
    assert loaded.config is not None and loaded.node is not None
    path: list[str | int] = []
    if label == "root":
        path = ["root", "handlers"]
    elif label.startswith("loggers."):
        path = ["loggers", label.removeprefix("loggers."), "handlers"]
    else:
        for index, route in enumerate(loaded.config.routes or ()):
            if label in (route.name, f"routes[{index}]"):
                path = ["routes", index]
                break
    node = loaded.node.at(path)
    return str((node or loaded.node).span)


def _effective_level(loaded: Loaded, levels: Levels, logger: str) -> tuple[int, str]:
    """Return the level from which `logger` makes records, and who says so."""
    assert loaded.config is not None
    number, origin = effective_level(loaded.config, levels, logger)
    if origin is None:
        return number, "stdlib's default; the file sets none"
    path: list[str | int] = ["root", "level"] if origin == "root" else ["loggers", origin]
    return number, f"from `{origin}`{_at(loaded, path)}"


def _at(loaded: Loaded, path: list[str | int]) -> str:
    node = loaded.node.at(path) if loaded.node is not None else None
    return f", {node.span}" if node is not None else ""


def _unmatched(config: Config, record: logging.LogRecord, table: RouteTable) -> str:
    if not table.reaches_root(record.name):
        return "no handler on the way, and it does not propagate to the routes"
    if config.unmatched is not None:
        return f"no route wants it; unmatched: {', '.join(config.unmatched) or 'nothing'}"
    if record.levelno >= logging.WARNING:
        return "no route wants it; WARNING and above then goes to stderr"
    return "no route wants it; below WARNING it is only counted"
