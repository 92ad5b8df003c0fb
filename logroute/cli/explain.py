"""`logroute explain`: where records would go, and why, by the live routing code."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator

from logroute.app.explain import Explainer
from logroute.app.explanation import Arrival, Explanation, Step, narrate, printable
from logroute.app.outputs import UnknownOutputError
from logroute.cli.check import print_report
from logroute.cli.files import load_one, wants_color
from logroute.config.model import RecordSpec
from logroute.diagnostics import Severity, Span
from logroute.errors import ConfigError
from logroute.hints import suggest
from logroute.light import Any, NamedTuple
from logroute.records import message_of

__all__ = ["add_arguments", "run"]

FORMAT_VERSION = "1.0"
_OF_ONE_RECORD = ("logger", "level", "message", "field", "exception", "thread", "time", "verify")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="config file, or - for stdin")
    one = parser.add_argument_group("one record")
    one.add_argument("--logger", help="name of the logger (default: root)")
    one.add_argument("--level", help="level of the record (default: INFO)")
    one.add_argument("--message", help="text of the record")
    one.add_argument(
        "--field",
        "--extra",
        action="append",
        metavar="KEY=VALUE",
        help="a field of the record (extra); may be given often",
    )
    one.add_argument(
        "--exception", metavar="CLASS", help="the record has this exception; or `CLASS: message`"
    )
    one.add_argument("--thread", metavar="NAME", help="name of the thread")
    one.add_argument("--time", metavar="TIME", help="when it is logged: 2026-05-01T12:00:00Z")
    one.add_argument("--output", action="store_true", help="show what each handler would write")
    one.add_argument(
        "--verify",
        metavar="A,B",
        help="the handlers that must get it, in any order; end with 1 if others do",
    )
    many = parser.add_argument_group("many records")
    many.add_argument(
        "--from-log", metavar="LOG", help="replay a log (- for stdin, .gz too): counts per handler"
    )
    many.add_argument(
        "--stdin-jsonl", action="store_true", help="replay JSON objects, one a line, from stdin"
    )
    many.add_argument(
        "--pattern",
        metavar="REGEX",
        help="how a line of LOG looks: groups `level`, `logger`, `message`, `time`; "
        "others are fields",
    )
    parser.add_argument("--profile", help="which of the file's profiles to lay over it")
    parser.add_argument(
        "--import",
        dest="imports",
        action="store_true",
        help="import the filters and formatters that the file names",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Print what each route does to the record, and the handlers it reaches."""
    loaded, report = load_one(options.file, options.profile)
    if loaded.config is None:
        errors = tuple(item for item in report.diagnostics if item.severity is Severity.ERROR)
        print_report(report._replace(diagnostics=errors), options.format, options.color)
        return 2
    try:
        explainer = Explainer(loaded, imports=options.imports)
        if options.from_log is not None or options.stdin_jsonl:
            return _replay(options, explainer, report.name)
        return _explain(options, explainer, report.name)
    except ConfigError as fault:
        print(f"logroute explain: {fault}", file=sys.stderr)
    except ValueError as fault:
        cure = fault.args[1] if len(fault.args) > 1 else ""
        words = printable(f"{fault.args[0]}{cure and f'; {cure}'}")
        print(f"logroute explain: {words}", file=sys.stderr)
    return 2


# -- one record


def _explain(options: argparse.Namespace, explainer: Explainer, name: str) -> int:
    wanted = _wanted(options.verify, explainer)
    told = explainer.explain(explainer.record(_spec(options)))
    verdict = None if wanted is None else Verdict(wanted, told.reaches)
    if options.format == "json":
        print(json.dumps(_document(told, verdict, name, options.output), indent=2))
    else:
        print("\n".join(narrate(told, is_colored=wants_color(options.color))))
        if options.output:
            for handler, text, why in _outputs(told):
                print(_written(handler, text) if why is None else printable(f"{handler}: {why}"))
        if verdict is not None:
            print("\n".join(map(printable, verdict.lines())))
    return 0 if verdict is None or verdict.is_good else 1


def _written(handler: str, text: str | None) -> str:
    """Return what a handler writes, fit for a terminal; JSON has it as it is."""
    return "\n".join(printable(line) for line in f"{handler} writes: {text}".split("\n"))


class Verdict(NamedTuple):
    """Where a record was to go, and where it goes."""

    wanted: tuple[str, ...]
    got: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether they are the same, in any order."""
        return set(self.wanted) == set(self.got)

    @property
    def missing(self) -> list[str]:
        """The handlers that should have got it."""
        return [name for name in self.wanted if name not in self.got]

    @property
    def unexpected(self) -> list[str]:
        """The handlers that should not have got it."""
        return [name for name in self.got if name not in self.wanted]

    def lines(self) -> Iterator[str]:
        """Yield the verdict in words."""
        if self.is_good:
            yield "verified"
            return
        yield f"expected: {', '.join(self.wanted) or 'nothing'}"
        if self.missing:
            yield f"missing: {', '.join(self.missing)}"
        if self.unexpected:
            yield f"unexpected: {', '.join(self.unexpected)}"


def _wanted(names: str | None, explainer: Explainer) -> tuple[str, ...] | None:
    """Return the handlers of `--verify`.

    Raises:
        ValueError: one of them is not defined.
    """
    if names is None:
        return None
    wanted = tuple(name for part in names.split(",") if (name := part.strip()))
    for name in wanted:
        if name not in explainer.config.handlers:
            cure = suggest(name, explainer.config.handlers) or ""
            raise ValueError(f"--verify: handler `{name}` is not defined", cure)
    return wanted


def _spec(options: argparse.Namespace) -> RecordSpec:
    """Return the record that the options describe.

    Raises:
        ValueError: a field that is not KEY=VALUE.
    """
    values: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("logger", "level", "message", "thread", "time")
        if getattr(options, name) is not None
    }
    fields = {}
    for field in options.field or ():
        key, equals, value = field.partition("=")
        if not equals or not key:
            raise ValueError(f"--field needs KEY=VALUE, got `{field}`")
        fields[key] = _scalar(value)
    if options.exception:
        name, colon, message = options.exception.partition(":")
        from logroute.config.model import ExceptionSpec

        values["exception"] = ExceptionSpec(type=name, message=message.strip()) if colon else name
    return RecordSpec(**values, fields=fields)


def _scalar(text: str) -> Any:
    """Return a field's value as a file would have it: 3 is a number, true a boolean."""
    from logroute.config.parse import parse
    from logroute.config.source import from_text

    node, diagnostics = parse(from_text(text))
    if node is None or diagnostics or isinstance(node.value, dict | list):
        return text
    return node.value


def _outputs(told: Explanation) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield handler, what it writes, or why that cannot be told."""
    for handler in told.reaches:
        try:
            yield handler, told.output(handler), None
        except UnknownOutputError as fault:
            yield handler, None, str(fault)


# -- as JSON; the schema is `schemas/explain.schema.json`


def _document(
    told: Explanation, verdict: Verdict | None, name: str, with_output: bool
) -> dict[str, Any]:
    record = told.record
    info = record.exc_info
    return {
        "format_version": FORMAT_VERSION,
        "kind": "record",
        "file": name,
        "record": {
            "logger": record.name,
            "level": record.levelname,
            "levelno": record.levelno,
            "message": message_of(record),
            "exception": info[0].__name__ if isinstance(info, tuple) and info[0] else None,
        },
        "logger_level": {
            "level": told.level_name(told.level),
            "from": told.level_origin,
            "place": to_place(told.level_place),
        },
        "made": told.is_made,
        "dropped_by": told.dropped_by,
        "doubts": list(told.doubts),
        "routes": [_step(step) for step in told.steps],
        "stops_at": told.stops_at,
        "unmatched": told.is_unmatched,
        "handlers": [_arrival(arrival, told) for arrival in told.arrivals],
        "reaches": list(told.reaches),
        "stderr": told.to_stderr,
        "outputs": {h: text for h, text, _ in _outputs(told)} if with_output else None,
        "verify": None
        if verdict is None
        else {
            "ok": verdict.is_good,
            "expected": list(verdict.wanted),
            "missing": verdict.missing,
            "unexpected": verdict.unexpected,
        },
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "label": step.label,
        "number": step.number,
        "place": to_place(step.place),
        "matched": step.matched,
        "conditions": list(step.conditions),
        "failed": step.failed,
        "stopped_by": step.stopped_by,
        "handlers": list(step.handlers),
        "withheld": list(step.withheld),
        "filter": step.dropped_by,
        "audit": step.audit,
        "repeated": list(step.repeated),
        "last": step.is_last,
    }


def _arrival(arrival: Arrival, told: Explanation) -> dict[str, Any]:
    return {
        "handler": arrival.handler,
        "place": to_place(arrival.place),
        "reached": arrival.handler in told.reaches,
        "level": arrival.level,
        "filter": arrival.filter,
        "route": arrival.route,
        "doubts": list(arrival.doubts),
    }


def to_place(span: Span | None) -> dict[str, Any] | None:
    """Return a place as the JSON reports of `explain` and `test` tell it."""
    if span is None:
        return None
    return {"file": span.file, "line": span.line, "column": span.column}


# -- many records


def _replay(options: argparse.Namespace, explainer: Explainer, name: str) -> int:
    given = [word for word in _OF_ONE_RECORD if getattr(options, word) is not None]
    if given or options.output:
        word = given[0] if given else "output"
        raise ValueError(f"--{word} is about one record, but a log is to be replayed")
    if options.from_log is not None and options.stdin_jsonl:
        raise ValueError("name one log: --from-log or --stdin-jsonl")
    if options.file == "-" and (options.stdin_jsonl or options.from_log == "-"):
        raise ValueError("standard input cannot be both the config and the log")
    from logroute.cli.replays import replaying

    render: Callable[..., str] = (
        replaying.to_json if options.format == "json" else replaying.to_text
    )
    sys.stdout.write(replaying.replay(options, explainer, name, render))
    return 0
