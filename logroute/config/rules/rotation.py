"""Rotation: files that never roll, grow for ever, or roll at no time; and how they are opened.

What stdlib's handlers do with their arguments is told as their source says. Runs in
whatever thread loads a config.
"""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import shown
from logroute.config.rules.rule import Rule, rule
from logroute.config.views import fixes
from logroute.config.views.facts import Facts
from logroute.config.views.writers import Writer, writers
from logroute.diagnostics import Diagnostic, Severity, error, info, warning
from logroute.hints import nearest
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["OF_FILES"]


def _of_class(facts: Facts, *kinds: str) -> Iterator[Writer]:
    return (writer for writer in writers(facts) if writer.kind in kinds)


def _number(writer: Writer, key: str) -> int | float | None:
    """Return a number that a class gets, 0 where it gets none; None where it is not known."""
    value = writer.value(key, 0)
    return value if isinstance(value, int | float) and writer.knows(key) else None


@rule("LR504", Severity.WARNING)
def never_rolling(facts: Facts) -> Iterator[Diagnostic]:
    """Find rotating handlers that never begin a new file (LR504).

    RotatingFileHandler needs two numbers. Without `maxBytes` it never rotates.
    With `maxBytes` but without `backupCount` it has nowhere to put the old file:
    it closes it and opens it again, and from then on does so for each record, while
    the file grows on::

        handlers:
          log: {class: logging.handlers.RotatingFileHandler, filename: /var/log/app.log,
                maxBytes: 10000000, encoding: utf-8}

    Give both `maxBytes` and `backupCount`. In `type: file`, `rotate` needs `size` or
    `every`; `keep` and `compress` alone begin no file.
    """
    yield from _never_rolling_of_ours(facts)
    for writer in _of_class(facts, "RotatingFileHandler"):
        if _is_misspelt(writer):
            continue
        limit, count = _number(writer, "maxBytes"), _number(writer, "backupCount")
        name = shown(writer.name)
        if limit is None or count is None:
            continue
        if limit <= 0:
            key = "maxBytes" if "maxBytes" in writer.entry.value else None
            message = f"handler `{name}` never rotates: `maxBytes` is {_missing(key, limit)}"
            cure = "say at which size to rotate, as in `maxBytes: 10485760`"
            cure += "" if count > 0 else ", and how many old files to keep (`backupCount`)"
            yield warning("LR504", message, writer.place(facts, key), cure)
        elif count <= 0:
            key = "backupCount" if "backupCount" in writer.entry.value else None
            message = (
                f"handler `{name}` never rotates: `backupCount` is {_missing(key, count)}, so that "
                "the full file is only closed and opened again, for each record"
            )
            place = writer.place(facts, key or "maxBytes")
            yield warning("LR504", message, place, "say how many old files to keep: `backupCount`")


def _rotating(facts: Facts) -> Iterator[tuple[Writer, Any]]:
    """Return the handlers of ours that have `rotate`, and what it says."""
    for writer in writers(facts):
        rotate = writer.is_ours and getattr(facts.config.handlers[writer.name].sink, "rotate", None)
        if rotate and not facts.is_broken(("handlers", writer.name, "rotate")):
            yield writer, rotate


def _is_known(writer: Writer, *keys: str) -> bool:
    nodes = (writer.entry.at(("rotate", key)) for key in keys)
    return not any(node is not None and node.opaque for node in nodes)


def _never_rolling_of_ours(facts: Facts) -> Iterator[Diagnostic]:
    for writer, rotate in _rotating(facts):
        if not rotate.size and not rotate.every and _is_known(writer, "size", "every"):
            message = (
                f"handler `{shown(writer.name)}` never rotates: `rotate` has no `size` or `every`"
            )
            cure = "say when to begin a new file, as in `size: 10MiB` or `every: day`"
            yield warning("LR504", message, writer.place(facts, "rotate"), cure)


def _missing(key: str | None, value: float) -> str:
    return "missing" if key is None else f"{value:g}"


def _is_misspelt(writer: Writer) -> bool:
    """Return whether a key is nearly one of those that rotation needs; that is told already."""
    wanted = ("maxBytes", "backupCount")
    unknown = (key for key in writer.entry.value if key not in wanted)
    return any(nearest(key, wanted) is not None for key in islice(unknown, _MOST_KEYS))


@rule("LR506", Severity.INFO)
def unbounded_files(facts: Facts) -> Iterator[Diagnostic]:
    """Find files that grow, or become more, for ever (LR506).

    FileHandler never begins a new file, and goes on with the old one after logrotate
    has put it away. TimedRotatingFileHandler without `backupCount` deletes nothing, nor
    does `rotate` without `keep`::

        handlers:
          log: {class: logging.FileHandler, filename: /var/log/app.log, encoding: utf-8}

    Have the file rotated by logrotate, which handlers of `type: file` and
    WatchedFileHandler notice; or use RotatingFileHandler with `maxBytes` and
    `backupCount`.
    """
    for writer in _of_class(facts, "FileHandler"):
        is_new = str(writer.value("mode", "a")).startswith(("w", "x"))
        if not is_new and not writer.path.startswith("/dev/") and writer.knows("mode"):
            message = f"the file of handler `{shown(writer.name)}` grows for ever"
            cure = (
                "have logrotate rotate it, which `type: file` and WatchedFileHandler notice, "
                "or let RotatingFileHandler do it"
            )
            yield info("LR506", message, writer.place(facts), cure)
    for writer in _of_class(facts, "TimedRotatingFileHandler"):
        count = _number(writer, "backupCount")
        if count is not None and count <= 0:
            key = "backupCount" if "backupCount" in writer.entry.value else None
            message = (
                f"handler `{shown(writer.name)}` keeps all old files: `backupCount` is "
                f"{_missing(key, count)}"
            )
            cure = "say how many to keep: `backupCount`"
            yield info("LR506", message, writer.place(facts, "backupCount"), cure)
    for writer, rotate in _rotating(facts):
        if (rotate.size or rotate.every) and _is_endless(rotate.keep) and _is_known(writer, "keep"):
            message = f"handler `{shown(writer.name)}` keeps all old files: `rotate` has no `keep`"
            cure = "say how many to keep, as in `keep: 14`"
            yield info("LR506", message, writer.place(facts, "rotate"), cure)


def _is_endless(keep: Any) -> bool:
    if keep is None or isinstance(keep, int):
        return keep is None
    return keep.count is None and keep.age is None and keep.total is None


_MOST_KEYS = 50
_WHEN = lazy_pattern(r"(?i:[SMHD]|MIDNIGHT|W[0-6])")
_ROLLS_AT_ONCE = frozenset("SMHD")
_WORDS = {
    "second": "S",
    "minute": "M",
    "hour": "H",
    "day": "D",
    "daily": "midnight",
    "nightly": "midnight",
    "hourly": "H",
    "week": "W0",
    "weekly": "W0",
    "monday": "W0",
    "tuesday": "W1",
    "wednesday": "W2",
    "thursday": "W3",
    "friday": "W4",
    "saturday": "W5",
    "sunday": "W6",
    "w": "W0",
    "w7": "W6",
    "min": "M",
    "sec": "S",
}
_TIMES = "`S`, `M`, `H`, `D`, `midnight`, or `W0` (Monday) to `W6`"


@rule("LR507", Severity.ERROR)
def bad_schedules(facts: Facts) -> Iterator[Diagnostic]:
    """Find schedules that TimedRotatingFileHandler refuses (LR507).

    `when` is `S`, `M`, `H`, `D`, `midnight`, or `W0` (Monday) to `W6`, in any case;
    `interval` a number of those; `atTime`, for `midnight` and weekdays, a
    `datetime.time`, which a file can only refer to (`ext://app.settings.ROTATE_AT`)::

        handlers:
          log: {class: logging.handlers.TimedRotatingFileHandler, filename: /var/log/app.log,
                when: daily, backupCount: 7, encoding: utf-8}

    An `interval` of 0, or below, is accepted, but then the first rotation never ends.
    """
    for writer in _of_class(facts, "TimedRotatingFileHandler"):
        if writer.knows("when", "interval", "atTime"):
            yield from _bad_when(writer) or _bad_interval(facts, writer)
            yield from _bad_time(facts, writer)


def _when(writer: Writer) -> str:
    when = writer.value("when", "h")
    return when.upper() if isinstance(when, str) else ""


def _bad_when(writer: Writer) -> list[Diagnostic]:
    when = writer.value("when", "h")
    if isinstance(when, str) and _WHEN.fullmatch(when):
        return []
    node = writer.entry.value["when"]
    word = when.strip().casefold() if isinstance(when, str) else ""
    meant = _WORDS.get(word) or _WORDS.get(word.removesuffix("s"))
    if meant is None and _WHEN.fullmatch(word):
        meant = word
    found = f"`{shown(when)}`" if isinstance(when, str) and not node.secret else "no text"
    message = f"`when` of handler `{shown(writer.name)}` must be {_TIMES}, got {found}"
    fix = fixes.replace(node, meant, is_safe=False) if meant else None
    cure = f"did you mean `{meant}`?" if meant else "write `midnight` for once a day"
    return [error("LR507", message, node.span, cure, fix)]


def _bad_interval(facts: Facts, writer: Writer) -> list[Diagnostic]:
    interval = writer.value("interval", 1)
    name, place = shown(writer.name), writer.place(facts, "interval")
    if not isinstance(interval, int | float):
        node = writer.entry.value["interval"]
        digits = interval.strip() if isinstance(interval, str) else ""
        cure = "write a whole number"
        fix = None
        if digits.isascii() and digits.isdigit() and len(digits) < 9 and not node.secret:
            cure, fix = f"write `{int(digits)}` without quotes", fixes.replace(node, int(digits))
        message = f"`interval` of handler `{name}` must be a number"
        return [error("LR507", message, place, cure, fix)]
    if interval <= 0 and _when(writer) in _ROLLS_AT_ONCE:
        message = f"`interval` of handler `{name}` is not above 0: its first rotation never ends"
        return [warning("LR507", message, place, "write a whole number above 0")]
    return []


def _bad_time(facts: Facts, writer: Writer) -> list[Diagnostic]:
    time = writer.value("atTime")
    if time is None or hasattr(time, "hour"):
        return []
    name, place = shown(writer.name), writer.place(facts, "atTime")
    cure = "refer to a `datetime.time` of the program, as in `ext://app.settings.ROTATE_AT`"
    if _when(writer) == "MIDNIGHT" or _when(writer).startswith("W"):
        if isinstance(time, str | int | float):
            return []  # which is told already (LR908)
        message = f"`atTime` of handler `{name}` must be a `datetime.time`"
        return [error("LR507", message, place, cure)]
    message = f"`atTime` of handler `{name}` has no effect: `when` is not `midnight` or a weekday"
    return [warning("LR507", message, place, "remove it, or rotate at `midnight`")]


@rule("LR508", Severity.WARNING)
def unsafe_modes(facts: Facts) -> Iterator[Diagnostic]:
    """Find modes in which a log should not be opened (LR508).

    In `type: file`, `mode` is who may read and write a new file. What everybody may
    write, everybody may forge::

        handlers:
          log: {type: file, path: /var/log/app.log, mode: "0666"}

    Use `"0640"`, or `"0660"` for a group that writes, too. In the classes of the
    standard library, `mode` is how `open` opens the file: one that cannot be written
    as text loses every record, `x` fails at the second start, and `w` (a remark)
    empties the file at each start, with what the last run had to say of its end.
    """
    for writer in writers(facts):
        node = writer.entry.at(("mode",))
        if node is None or not writer.knows("mode"):
            continue
        if writer.is_ours:
            mode = getattr(facts.config.handlers[writer.name].sink, "mode", 0)
            if mode & 0o002:
                message = f"everybody may write the file of handler `{shown(writer.name)}`"
                cure = 'write `mode: "0640"`, or `"0660"` for a group that writes, too'
                yield warning("LR508", message, node.span, cure)
        elif writer.is_stdlib and isinstance(writer.value("mode"), str):
            yield from _open_mode(writer, str(writer.value("mode")))


def _open_mode(writer: Writer, mode: str) -> Iterator[Diagnostic]:
    node, name = writer.entry.value["mode"], shown(writer.name)
    what = f"handler `{name}` opens its file with `mode: {shown(mode)}`"
    if "b" in mode:
        message = f"{what}: bytes, while records are text, so that all are lost"
        yield warning("LR508", message, node.span, "write `mode: a`", fixes.replace(node, "a"))
    elif "r" in mode and "+" not in mode:
        message = f"{what}, which cannot be written, so that all records are lost"
        yield warning("LR508", message, node.span, "write `mode: a`", fixes.replace(node, "a"))
    elif "x" in mode:
        message = f"{what}, which fails where the file is there already"
        yield warning("LR508", message, node.span, "write `mode: a`")
    elif "w" in mode and not _is_appending(writer):
        yield info(
            "LR508", f"{what}: each start empties it", node.span, "write `mode: a` to keep it"
        )


def _is_appending(writer: Writer) -> bool:
    """Return whether a class appends whatever `mode` says."""
    if writer.kind == "RotatingFileHandler":
        return (_number(writer, "maxBytes") or 0) > 0
    return False


@rule("LR510", Severity.INFO)
def locale_encodings(facts: Facts) -> Iterator[Diagnostic]:
    """Find files whose encoding is that of the locale (LR510).

    Before Python 3.15 a file handler of the standard library writes what the locale
    says: UTF-8 here, ASCII or cp1252 in a cron job, a container or on Windows. A
    record with any other letter is then lost::

        handlers:
          log: {class: logging.handlers.WatchedFileHandler, filename: /var/log/app.log}

    Add `encoding: utf-8`.
    """
    for writer in writers(facts):
        encoding = writer.entry.at(("encoding",))
        if writer.is_ours or (encoding is not None and (encoding.value or encoding.opaque)):
            continue
        if "b" not in str(writer.value("mode", "a")):
            message = f"the encoding of handler `{shown(writer.name)}` is that of the locale"
            fix = fixes.add(facts, ("handlers", writer.name), "encoding: utf-8", is_safe=False)
            place = writer.place(facts)
            yield info("LR510", message, place, "add `encoding: utf-8`", fix)


#: Told with the rules about files.
OF_FILES: tuple[Rule, ...] = (
    never_rolling,
    unbounded_files,
    bad_schedules,
    unsafe_modes,
    locale_encodings,
)
