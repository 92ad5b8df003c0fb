"""`logroute explain --from-log`: opens a log, replays it, prints the counts."""

import argparse
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator

from logroute.app.explain import Explainer
from logroute.app.explanation import printable
from logroute.cli.replays.loglines import LogReader, is_log_level
from logroute.cli.replays.replay import NOWHERE, Replay, Tally
from logroute.light import IO, Any

__all__ = ["replay", "to_json", "to_text"]

FORMAT_VERSION = "1.0"

Render = Callable[[Explainer, Replay, LogReader, str, str], str]


def replay(options: argparse.Namespace, explainer: Explainer, name: str, render: Render) -> str:
    """Return the report on the log that the options name.

    Raises:
        ValueError: the log cannot be read, or the pattern is none.
    """
    reader = LogReader(options.pattern, is_jsonl=options.stdin_jsonl)
    counted = Replay(explainer)
    log = "-" if options.stdin_jsonl else options.from_log
    try:
        with _opened(log) as file:
            counted.run(reader.read(file, is_log_level(explainer.levels)))
    except (OSError, EOFError, zlib.error) as fault:
        why = getattr(fault, "strerror", None) or fault
        raise ValueError(f"cannot read `{log}`: {why}") from None
    return render(explainer, counted, reader, name, "<stdin>" if log == "-" else log)


def _opened(log: str) -> IO[bytes]:
    if log == "-":
        return sys.stdin.buffer
    return gzip.open(log) if log.endswith(".gz") else open(log, "rb")  # type: ignore[return-value]


def to_text(explainer: Explainer, counted: Replay, reader: LogReader, _name: str, log: str) -> str:
    """Return the counts as a table for people."""
    lines = [f"{log}  {_plural(reader.lines, 'line')}, {_plural(counted.records, 'record')}"]
    if reader.belonging:
        lines.append(f"{_plural(reader.belonging, 'line')} of tracebacks, which belong to records")
    if reader.unread:
        first = ", ".join(map(str, reader.unread_at))
        more = ", ..." if reader.unread > len(reader.unread_at) else ""
        lines.append(f"{_plural(reader.unread, 'line')} could not be read (line {first}{more})")
    lines += _table(explainer, counted)
    for name, tally in counted.handlers.items():
        for filter, count in sorted(tally.filtered.items()):
            of = "of" if filter in explainer.filters_of(name) else "on the way to"
            lines.append(f"{count:,} dropped by the filter `{filter}` {of} `{name}`")
    for reason, words in NOWHERE.items():
        if counted.nowhere[reason]:
            lines.append(f"{counted.nowhere[reason]:,} {words}")
    lines += [f"not known: {doubt}" for doubt in sorted(counted.doubts)]
    return "\n".join(map(printable, lines)) + "\n"


def _table(explainer: Explainer, counted: Replay) -> list[str]:
    numbers = sorted({number for tally in counted.handlers.values() for number in tally.levels})
    rows = [["handler", "records", "size", *(explainer.levels.name(n) for n in numbers)]]
    for name, tally in counted.handlers.items():
        by_level = [f"{tally.levels[number]:,}" for number in numbers]
        rows.append([name, f"{tally.records:,}", _size(tally.bytes), *by_level])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def to_json(explainer: Explainer, counted: Replay, reader: LogReader, name: str, log: str) -> str:
    """Return the counts as JSON; the schema is `schemas/explain.schema.json`."""
    document = {
        "format_version": FORMAT_VERSION,
        "kind": "replay",
        "file": name,
        "log": log,
        "lines": reader.lines,
        "records": counted.records,
        "belonging_lines": reader.belonging,
        "unread_lines": {"count": reader.unread, "first": reader.unread_at},
        "handlers": dict(_tallies(explainer, counted)),
        "nowhere": {reason: counted.nowhere[reason] for reason in NOWHERE},
        "doubts": sorted(counted.doubts),
    }
    return json.dumps(document, indent=2) + "\n"


def _tallies(explainer: Explainer, counted: Replay) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, tally in counted.handlers.items():
        yield name, _tally(explainer, tally)


def _tally(explainer: Explainer, tally: Tally) -> dict[str, Any]:
    levels = {explainer.levels.name(n): count for n, count in sorted(tally.levels.items())}
    return {
        "records": tally.records,
        "bytes": tally.bytes,
        "levels": levels,
        "filtered": dict(sorted(tally.filtered.items())),
    }


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _size(count: int) -> str:
    """Return a number of bytes for people."""
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"
