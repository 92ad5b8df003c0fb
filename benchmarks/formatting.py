"""What a line costs: our formatters beside stdlib's and one written by hand.

Each round makes fresh records and has every formatter format all of them, in
shuffled order; the figures are process CPU time, and each ratio is taken within a
round. What the text formatter writes must be stdlib's bytes, what the JSON formatter
writes the object of the one by hand. Run it with ``python -m benchmarks.formatting``;
`orjson`, where it is installed, has rows of its own.
"""

import argparse
import importlib.util
import json
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from unittest import mock

from logroute.formatters.ecs import EcsFormatter
from logroute.formatters.gelf import GelfFormatter
from logroute.formatters.json import JsonFormatter
from logroute.formatters.logfmt import LogfmtFormatter
from logroute.formatters.text import DEFAULT_FORMATS, StdlibFormatter, TextFormatter

Format = Callable[[logging.LogRecord], str]

LONG = "request %s of %s took %d ms: " + "nothing was out of the ordinary this time, " * 5


class HandWritten(logging.Formatter):
    """A JSON formatter as applications have them."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "tenant": record.__dict__["tenant"],
            "order": record.__dict__["order"],
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def short(number: int) -> logging.LogRecord:
    """Return an everyday record: two arguments, two extras."""
    return _record("user %s did %d things", ("bob", number), number)


def long(number: int) -> logging.LogRecord:
    """Return a record with 250 characters of message, and an extra of several parts."""
    order = {"id": number, "tags": ["new", "paid"], "total": 17.5}
    return _record(LONG, (number, "bob", number), order)


def _record(message: str, args: tuple[object, ...], order: object) -> logging.LogRecord:
    record = logging.LogRecord("app.db.pool", 20, "/srv/app/db.py", 7, message, args, None, "run")
    record.__dict__.update(tenant="acme", order=order)
    # What stdlib cuts and we round must be the same microsecond.
    record.created = round(record.created, 3)
    return record


def formatters() -> dict[str, Format]:
    """Return what is compared, by name; the references are stdlib and `json.dumps` by hand."""
    found: dict[str, Format] = {
        "stdlib text": logging.Formatter(DEFAULT_FORMATS["%"]).format,
        "text": TextFormatter().format,
        "written stdlib's way": StdlibFormatter(DEFAULT_FORMATS["%"]).format,
        "json.dumps by hand": HandWritten().format,
    }
    with mock.patch.dict(sys.modules, {"orjson": None}):
        found["json"] = JsonFormatter().format
        found["ecs"] = EcsFormatter().format
        found["gelf"] = GelfFormatter("host").format
    if importlib.util.find_spec("orjson"):
        found["json, orjson"] = JsonFormatter().format
    found["logfmt"] = LogfmtFormatter().format
    return found


def measure(
    make: Callable[[int], logging.LogRecord], rounds: int, size: int
) -> dict[str, list[float]]:
    """Return seconds per record of each formatter, by round."""
    found = formatters()
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        records = [make(number) for number in range(size)]
        lines = {}
        for name in random.sample(list(found), len(found)):
            format = found[name]
            begun = time.process_time()
            lines[name] = [format(record) for record in records]
            seconds[name].append((time.process_time() - begun) / size)
        compare(lines)
    return seconds


def compare(lines: dict[str, list[str]]) -> None:
    """Raise SystemExit unless each line is what the reference has."""
    for name in ("text", "written stdlib's way"):
        if lines[name] != lines["stdlib text"]:
            raise SystemExit(f"{name} and stdlib's formatter differ")
    for name in ("json", "json, orjson"):
        if lines.get(name, lines["json"]) != lines["json.dumps by hand"]:
            raise SystemExit(f"{name} and json.dumps differ")
    for name in ("ecs", "gelf"):
        if not all(isinstance(json.loads(line), dict) for line in lines[name]):
            raise SystemExit(f"{name} is no object")


def report(seconds: dict[str, list[float]]) -> None:
    """Print medians of the ratios, and the best round's microseconds."""
    print(f"{'':20}{'x stdlib text':>15}{'x json.dumps':>15}{'best, us':>10}")
    for name, own in seconds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(own, seconds[reference], strict=True))
            for reference in ("stdlib text", "json.dumps by hand")
        ]
        print(f"{name:20}{ratios[0]:15.2f}{ratios[1]:15.2f}{min(own) * 1e6:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--size", type=int, default=500, help="records per round")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds of {options.size} records")
    for make in (short, long):
        print(f"\n{make.__doc__.split('.')[0].removeprefix('Return ')}")
        report(measure(make, options.rounds, options.size))


if __name__ == "__main__":
    main()
