"""`logroute probe`: one marked test record through each handler, for real.

The config is built as `configure()` builds it, classes of other packages included,
but stands on no logger. Each handler gets one record directly; filters, formatter,
queue, worker and sink are those of the live process, only the retries are left out.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence

from logroute.app.explanation import printable
from logroute.cli.check import print_report
from logroute.cli.files import load_one, wants_color
from logroute.config.load import Loaded, load
from logroute.config.model import Config, NetworkHandlerSpec
from logroute.engine.notices import Notices
from logroute.errors import ConfigError
from logroute.hints import nearest
from logroute.levels import Levels
from logroute.light import Any, NamedTuple

__all__ = ["Result", "add_arguments", "run"]

_WORDS = {
    "delivered": "32",
    "filtered": "33",
    "failed": "31",
}


class Result(NamedTuple):
    """What became of the test record of one handler.

    `outcome` is ``delivered``, ``filtered`` or ``failed``; `said` the filter's name,
    or the destination's own words.
    """

    handler: str
    place: str
    outcome: str
    said: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="config file")
    parser.add_argument(
        "--handler",
        action="append",
        default=[],
        metavar="NAME",
        help="only this handler; may be given often",
    )
    parser.add_argument("--level", default="ERROR", help="level of the record (default: ERROR)")
    parser.add_argument("--message", help="text of the record, behind the mark")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=15.0,
        metavar="S",
        help="longest wait in all (default: 15)",
    )
    parser.add_argument("--profile", help="which of the file's profiles to lay over it")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds from 0 to 3600")
    return seconds


def run(options: argparse.Namespace) -> int:
    """Send the records; 0 where all arrived, 1 where one did not, 2 without a config."""
    if options.file == "-":
        print("logroute probe: name a config file; standard input is not probed", file=sys.stderr)
        return 2
    loaded = load(options.file, profile=options.profile)
    if loaded.config is None or loaded.node is None:
        print_report(load_one(options.file, options.profile)[1], "text", options.color)
        return 2
    try:
        names = _chosen(loaded.config, options.handler)
        level = Levels(loaded.config.levels).number(options.level)
    except ValueError as fault:
        print(f"logroute probe: {'; '.join(filter(None, fault.args))}", file=sys.stderr)
        return 2
    mark = f"logroute probe {os.urandom(4).hex()}"
    text = f"{mark}: {options.message or 'this is a test, please ignore it'}"
    try:
        results = probe(loaded, names, level, text, options.timeout)
    except ConfigError as fault:
        print(f"logroute probe: {fault}", file=sys.stderr)
        return 2
    if options.format == "json":
        rows = [result._asdict() for result in results]
        print(json.dumps({"format_version": "1.0", "mark": mark, "handlers": rows}, indent=2))
    else:
        _print(results, mark, wants_color(options.color))
    return 0 if all(result.outcome == "delivered" for result in results) else 1


def _chosen(config: Config, wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in config.handlers:
            near = nearest(name, config.handlers)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(config.handlers)}"
            raise ValueError(f"the file has no handler `{name}`", hint)
    return [name for name in config.handlers if not wanted or name in wanted]


class _Quiet(Notices):
    """Says nothing: what went wrong is in the results."""

    def say(self, subject: str, text: str) -> None:  # noqa: ARG002
        self.count += 1


def probe(
    loaded: Loaded, names: Sequence[str], level: int, text: str, timeout_s: float
) -> list[Result]:
    """Send a record of `level` through each of the handlers `names`.

    Args:
        loaded: a config without errors.
        names: which handlers.
        level: raised to that of a handler, where it is lower.
        text: the message.
        timeout_s: longest wait for all of them together.

    Raises:
        ConfigError: a class of another package cannot be built.
    """
    from logroute.app.build import build

    assert loaded.config is not None and loaded.node is not None
    config = _without_retries(loaded.config)
    runtime = build(config, loaded.node, notices=_Quiet()).runtime
    started = time.monotonic()
    levels = Levels(config.levels)
    for name in names:
        number = max(level, levels.number(config.handlers[name].level))
        record = logging.LogRecord("logroute.probe", number, "", 0, text, None, None)
        record.levelname = levels.name(number)
        record.__dict__.update(config.context)
        runtime.handlers[name].handle(record)
    runtime.flush(timeout_s)
    errors = {name: worker.last_error for name, worker in runtime.workers.items()}
    runtime.shutdown(max(0.5, timeout_s - (time.monotonic() - started)))
    stats = runtime.stats()["handlers"]
    return [_result(name, config, stats[name], errors[name]) for name in names]


def _without_retries(config: Config) -> Config:
    """Return `config` with one attempt for each batch, sent at once."""
    handlers: dict[str, Any] = {}
    for name, spec in config.handlers.items():
        handlers[name] = spec
        if isinstance(spec, NetworkHandlerSpec):
            handlers[name] = spec.replace(
                retry=spec.retry.replace(give_up_after=0.0), batch=spec.batch.replace(max_wait=0.0)
            )
    return config.replace(handlers=handlers, shutdown_timeout=1.0)


def _result(name: str, config: Config, ledger: Mapping[str, Any], error: str | None) -> Result:
    place = _place(config.handlers[name].sink)
    if ledger["delivered"]:
        guarantee = getattr(config.handlers[name].sink, "guarantee", "")
        said = "nobody acknowledges it" if guarantee.startswith("at_most_once") else ""
        return Result(name, place, "delivered", said)
    if ledger["filtered"]:
        return Result(name, place, "filtered", f"by filter {', '.join(ledger['filtered'])}")
    lost = [why for why in ledger["dropped"] if why != "shutdown"]  # then the time was up
    said = error or (f"not delivered: {', '.join(lost)}" if lost else "no answer in time")
    return Result(name, place, "failed", said.removesuffix(" (will be tried again)"))


def _place(sink: Any) -> str:
    """Return where a sink sends, in the words of the file and without secrets."""
    for key in ("address", "path", "stream", "host"):
        value = getattr(sink, key, None)
        if isinstance(value, str):
            return value
    url = getattr(sink, "url", None)
    if isinstance(url, str):
        return url.partition("?")[0]
    entry = getattr(sink, "entry", {})
    return str(entry.get("class", entry.get("()", "")))


def _print(results: Sequence[Result], mark: str, is_colored: bool) -> None:
    width = max(len(result.handler) for result in results) if results else 0
    places = max(len(result.place) for result in results) if results else 0
    for result in results:
        word = f"{result.outcome:<9}"
        if is_colored:
            word = f"\x1b[{_WORDS[result.outcome]}m{word}\x1b[0m"
        rest = f"  {result.handler:<{width}}  {result.place:<{places}}  {result.said}"
        print(word + printable(rest).rstrip())
    count = sum(result.outcome == "delivered" for result in results)
    print(f'{count} of {len(results)} delivered; look there for "{mark}"')
