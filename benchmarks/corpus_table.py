"""What `logroute check` says of real files written by others, as Markdown.

The first table has the findings of each file by code; the second, for each of the
mistakes that are known to be in such files, how many files have it by a naive look at
the plain data, and in how many of them the check finds it. Run it with
``python -m benchmarks.corpus_table [FOLDER]``; the folder, with ``yaml`` and ``json``
in it, is not ours to ship.
"""

import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from logroute.config.load import load
from logroute.diagnostics import Diagnostic, Severity

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("LOGROUTE_CORPUS", ROOT.parent / "shared/corpus"))

Data = dict[str, Any]
Spots = Iterator[str]


def files(folder: Path = CORPUS) -> list[Path]:
    """Return the YAML and JSON files of the corpus."""
    return sorted([*folder.glob("yaml/*.yaml"), *folder.glob("json/*.json")])


def findings(path: Path) -> tuple[Diagnostic, ...]:
    """Return all that a check finds, remarks included."""
    return load(path, environ={}, read_secrets=False, advise=True).diagnostics


def plain(path: Path) -> Data | None:
    """Return the file as PyYAML reads it, None where it cannot."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return None
    return data if isinstance(data, dict) else None


# -- a naive look at the data: what stands where --------------------------------------------

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50}
LEVELS |= {"NOTSET": 0, "FATAL": 50}
FIELDS = {*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"}
LOGGER_KEYS = {"level", "handlers", "filters", "propagate"}
FORMATTER_KEYS = {"format", "datefmt", "style", "validate", "defaults", "class", "()"}
TOP_KEYS = {"version", "formatters", "filters", "handlers", "loggers", "root", "incremental"}
TOP_KEYS |= {"disable_existing_loggers"}


def entries(data: Data, section: str) -> dict[str, Data]:
    found = data.get(section) or {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}


def loggers(data: Data) -> dict[str, Data]:
    """Return the loggers with the root logger as ``''``."""
    found = entries(data, "loggers")
    if "root" in found:
        found[""] = found.pop("root")
    if isinstance(data.get("root"), dict):
        found[""] = data["root"]
    return found


def names(entry: Data, key: str) -> list[str]:
    value = entry.get(key) or []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def is_stdlib(entry: Data, *classes: str) -> bool:
    return entry.get("class") in [f"logging.{name}" for name in classes]


TEMPORARY = ("/tmp/", "/var/tmp/")
FILE_CLASSES = (
    "FileHandler",
    "handlers.RotatingFileHandler",
    "handlers.TimedRotatingFileHandler",
    "handlers.WatchedFileHandler",
)


def file_handlers(data: Data) -> Iterator[tuple[str, Data]]:
    for name, entry in entries(data, "handlers").items():
        if is_stdlib(entry, *FILE_CLASSES):
            yield name, entry


def parents(name: str) -> Iterator[str]:
    while name:
        name = name.rpartition(".")[0]
        yield name


def used(data: Data, family: str) -> set[str]:
    users = [*entries(data, "handlers").values(), *loggers(data).values()]
    found = {name for user in users for name in names(user, family)}
    for user in users:
        target = user.get("target")
        found |= {str(target)} | {str(user.get(family.removesuffix("s")))}
    return found


def without_encoding(data: Data) -> Spots:
    for name, entry in file_handlers(data):
        if "encoding" not in entry:
            yield name


def in_directory(data: Data) -> Spots:
    for name, entry in file_handlers(data):
        path = str(entry.get("filename", ""))
        is_known = "$" not in path and "://" not in path and not path.startswith(TEMPORARY)
        if "/" in path.strip("/") and is_known:
            yield name


def existing_silenced(data: Data) -> Spots:
    if "disable_existing_loggers" not in data and {"loggers", "root"} & set(data):
        yield "top"


def unused(family: str) -> Callable[[Data], Spots]:
    def look(data: Data) -> Spots:
        yield from (name for name in entries(data, family) if name not in used(data, family))

    return look


def repeated(data: Data) -> Spots:
    """Yield handlers on a logger and, by way of propagation, on one above it, too.

    Where a text or a misspelt key is why it propagates, that mistake is told instead.
    """
    table = loggers(data)
    for name, entry in table.items():
        above = name
        while above and table.get(above, {}).get("propagate", True) is True:
            if any(key.startswith("prop") and key != "propagate" for key in table.get(above, {})):
                break
            above = next(parents(above))
            for handler in set(names(entry, "handlers")) & set(
                names(table.get(above, {}), "handlers")
            ):
                yield f"{name}:{handler}"


def without_formatter(data: Data) -> Spots:
    for name, entry in entries(data, "handlers").items():
        is_writer = is_stdlib(entry, "StreamHandler", *FILE_CLASSES)
        if is_writer and "formatter" not in entry and name in used(data, "handlers"):
            yield name


def root_propagates(data: Data) -> Spots:
    if "propagate" in loggers(data).get("", {}):
        yield "root"


def root_as_logger(data: Data) -> Spots:
    yield from (name for name in entries(data, "loggers") if name in ("", "root"))


def text_for_truth(data: Data) -> Spots:
    for name, entry in loggers(data).items():
        if isinstance(entry.get("propagate"), str):
            yield name
    if isinstance(data.get("disable_existing_loggers"), str):
        yield "disable_existing_loggers"


def logger_keys(data: Data) -> Spots:
    for name, entry in loggers(data).items():
        yield from (f"{name}.{key}" for key in entry if key not in LOGGER_KEYS)


def strange_fields(data: Data) -> Spots:
    adding = {name for name, entry in entries(data, "filters").items() if "()" in entry}
    helped = {
        handler.get("formatter")
        for handler in entries(data, "handlers").values()
        if adding & set(names(handler, "filters"))
    }
    for name, entry in entries(data, "formatters").items():
        layout = entry.get("format")
        is_plain = not {"()", "class"} & set(entry) and name not in helped
        if isinstance(layout, str) and is_plain:
            for field in set(re.findall(r"%\((\w+)\)", layout)) - FIELDS:
                yield f"{name}.{field}"


def level_names(data: Data) -> Spots:
    for entry in [*entries(data, "handlers").values(), *loggers(data).values()]:
        level = entry.get("level")
        if isinstance(level, str) and level.upper() not in LEVELS and not level.isdigit():
            yield level


def top_keys(data: Data) -> Spots:
    yield from (key for key in data if key not in TOP_KEYS and not str(key).startswith("x-"))


def no_version(data: Data) -> Spots:
    if "version" not in data:
        yield "top"


def never_rotates(data: Data) -> Spots:
    for name, entry in entries(data, "handlers").items():
        is_rotating = is_stdlib(entry, "handlers.RotatingFileHandler")
        if is_rotating and not (entry.get("maxBytes") and entry.get("backupCount")):
            yield name


def script_loggers(data: Data) -> Spots:
    yield from (name for name in loggers(data) if name in ("__main__", "main"))


def formatter_keys(data: Data) -> Spots:
    for name, entry in entries(data, "formatters").items():
        if "()" not in entry:
            yield from (f"{name}.{key}" for key in entry if key not in FORMATTER_KEYS)


def low_handlers(data: Data) -> Spots:
    """Yield handlers whose level is below that of every logger they hang on."""
    table = loggers(data)
    for name, entry in entries(data, "handlers").items():
        level = LEVELS.get(str(entry.get("level", "")).upper(), 0)
        reach = [
            effective(table, other)
            for other in table
            if name in names(table[other], "handlers")
            or any(name in names(table.get(up, {}), "handlers") for up in reached(table, other))
        ]
        if level and reach and level < min(reach):
            yield name


def reached(table: dict[str, Data], name: str) -> Iterator[str]:
    """Yield the loggers above `name` whose handlers get its records."""
    while name and table.get(name, {}).get("propagate", True):
        name = next(parents(name))
        yield name


def effective(table: dict[str, Data], name: str) -> int:
    for other in [name, *parents(name)]:
        level = LEVELS.get(str(table.get(other, {}).get("level", "")).upper())
        if level or (level == 0 and not other):
            return level
    return 30


def texts_for_numbers(data: Data) -> Spots:
    for name, entry in entries(data, "handlers").items():
        for key in ("maxBytes", "backupCount", "interval", "capacity"):
            if isinstance(entry.get(key), str):
                yield f"{name}.{key}"


def classes_of_filters(data: Data) -> Spots:
    for name, entry in entries(data, "filters").items():
        if "class" in entry and "()" not in entry:
            yield name


def texts_for_streams(data: Data) -> Spots:
    for name, entry in entries(data, "handlers").items():
        stream = entry.get("stream")
        if is_stdlib(entry, "StreamHandler") and isinstance(stream, str) and "://" not in stream:
            yield name


class Mistake(NamedTuple):
    """One known mistake: how to see it in the data, and what a check says of it."""

    title: str
    look: Callable[[Data], Spots]
    code: str
    words: str = ""  # a regular expression that the message has to match


MISTAKES = (
    Mistake("handler level below every logger it hangs on", low_handlers, "LR310"),
    Mistake("file handler without encoding", without_encoding, "LR510"),
    Mistake("log directory must be there already", in_directory, "LR511"),
    Mistake("`disable_existing_loggers` left out", existing_silenced, "LR912"),
    Mistake("formatter never used", unused("formatters"), "LR202", "^formatter"),
    Mistake("handler never attached", unused("handlers"), "LR202", "^handler"),
    Mistake("same handler on a logger and above it", repeated, "LR306"),
    Mistake("handler without formatter", without_formatter, "LR410"),
    Mistake("`propagate` on the root logger", root_propagates, "LR314"),
    Mistake("root logger under `loggers`", root_as_logger, "LR315"),
    Mistake("text where true or false is meant", text_for_truth, "LR902"),
    Mistake("unknown key in a logger", logger_keys, "LR901", "logger"),
    Mistake("field that no record has", strange_fields, "LR401"),
    Mistake("level name that is not registered", level_names, "LR301"),
    Mistake("unknown key at the top", top_keys, "LR901", "^unknown key `[^`]*`;"),
    Mistake("filter never used", unused("filters"), "LR202", "^filter"),
    Mistake("`version` missing", no_version, "LR102", "`version`"),
    Mistake("rotating handler that never rotates", never_rotates, "LR504"),
    Mistake("logger named after the script", script_loggers, "LR316"),
    Mistake("unknown key in a formatter", formatter_keys, "LR901", "formatter"),
    Mistake("number in quotes", texts_for_numbers, "LR909"),
    Mistake("filter with `class`", classes_of_filters, "LR910"),
    Mistake("`stream` without `ext://`", texts_for_streams, "LR908"),
)


class Row(NamedTuple):
    """How often a mistake is there, and where it was found and where not."""

    mistake: Mistake
    expected: list[Path]
    found: list[Path]

    @property
    def missed(self) -> list[Path]:
        return [path for path in self.expected if path not in self.found]


def survey(paths: list[Path]) -> list[Row]:
    """Return one row for each known mistake."""
    told = {path: findings(path) for path in paths}
    data = {path: found for path in paths if (found := plain(path)) is not None}
    rows = []
    for mistake in MISTAKES:
        expected = [path for path, document in data.items() if any(mistake.look(document))]
        found = [path for path in paths if any(_fits(mistake, item) for item in told[path])]
        rows.append(Row(mistake, expected, found))
    return rows


def _fits(mistake: Mistake, item: Diagnostic) -> bool:
    return item.code == mistake.code and re.search(mistake.words, item.message) is not None


def table_of_files(paths: list[Path]) -> list[str]:
    """Return the lines of the table with the findings of each file."""
    lines = ["| file | errors | warnings | remarks |", "| --- | --- | --- | --- |"]
    totals: dict[Severity, Counter[str]] = {severity: Counter() for severity in Severity}
    for path in paths:
        counts: dict[Severity, Counter[str]] = {severity: Counter() for severity in Severity}
        for item in findings(path):
            counts[item.severity][item.code] += 1
        cells = " | ".join(_cell(counts[severity]) for severity in Severity)
        lines.append(f"| {path.parent.name}/{path.name} | {cells} |")
        for severity in Severity:
            totals[severity] += counts[severity]
    cells = " | ".join(_cell(totals[severity]) for severity in Severity)
    return [*lines, f"| **{len(paths)} files** | {cells} |"]


def _cell(counts: Counter[str]) -> str:
    words = (f"{code}x{count}" if count > 1 else code for code, count in sorted(counts.items()))
    return ", ".join(words)


def table_of_mistakes(rows: list[Row]) -> list[str]:
    """Return the lines of the table with the known mistakes."""
    lines = ["| mistake | code | files that have it | found in | missed |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for row in rows:
        found = len(row.expected) - len(row.missed)
        missed = ", ".join(f"{path.parent.name}/{path.name}" for path in row.missed)
        title, code = row.mistake.title, row.mistake.code
        lines.append(f"| {title} | {code} | {len(row.expected)} | {found} | {missed} |")
    return lines


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else CORPUS
    paths = files(folder)
    if not paths:
        sys.exit(f"no files in {folder}")
    print("\n".join([*table_of_files(paths), "", *table_of_mistakes(survey(paths))]))


if __name__ == "__main__":
    main(sys.argv[1:])
