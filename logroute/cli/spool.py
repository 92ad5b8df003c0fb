"""`logroute spool`: list, print, deliver or drop what waits on disk.

`ls` and `cat` change nothing and disturb no process. `replay` and `drop` touch only
series that nobody owns: a living process delivers its own, and goes on doing so.
"""

import argparse
import base64
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from logroute.delivery.spool.acks import ack_name
from logroute.delivery.spool.adoption import adopt
from logroute.delivery.spool.folder import Folder, folder_name
from logroute.delivery.spool.frames import Damage
from logroute.delivery.spool.listing import (
    Listed,
    SeriesInfo,
    folders_in,
    list_series,
    read_series,
)
from logroute.delivery.spool.locks import lock_name
from logroute.light import Any

__all__ = ["add_arguments", "run"]

_PATH = "spool folder of a handler, or the one above, as `spool.path` names it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("ls", help="what waits, by series", description=_LS)
    cat = actions.add_parser("cat", help="print the records that wait", description=_CAT)
    replay = actions.add_parser("replay", help="deliver what dead processes left", description=_RP)
    drop = actions.add_parser("drop", help="remove what dead processes left", description=_DROP)
    for action in (listing, cat, replay, drop):
        action.add_argument("path", metavar="PATH", help=_PATH)
    for action in (listing, cat):
        action.add_argument("--format", choices=["text", "json"], default="text")
    for action in (cat, drop):
        action.add_argument(
            "--series", action="append", metavar="NAME", help="only this series; may be given often"
        )
    cat.add_argument("--all", action="store_true", help="those too that are delivered already")
    cat.add_argument("--limit", type=_number, metavar="N", help="at most so many records")
    replay.add_argument("--config", required=True, metavar="FILE", help="config file")
    replay.add_argument("--handler", required=True, metavar="NAME", help="handler to deliver with")
    replay.add_argument("--profile", help="which of the file's profiles to lay over it")
    drop.add_argument("--damaged", action="store_true", help="what could not be read, instead")
    drop.add_argument("--yes", action="store_true", help="do not ask")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` is no number of records")
    return int(text)


_LS = "List the series of a spool: owner, segments, records that wait, bytes, age, damage."
_CAT = "Print the records that wait, oldest first; with --format json one object on each line."
_RP = """Deliver the records that dead processes left, through the sink of a handler, as they
were formatted when they were logged. What a living process has spooled is left to it."""
_DROP = "Remove the records that dead processes left; asks before."


def run(options: argparse.Namespace) -> int:
    """Do it; 0 fine, 1 something is damaged, refused or left, 2 it could not be done."""
    try:
        folders = folders_in(options.path)
        known = {series for folder in folders for series in folder.series()}
        for name in getattr(options, "series", None) or ():
            if name not in known:
                return _fail(options, f"there is no series `{_shown(name)}`")
        return int(_ACTIONS[options.action](options, folders))
    except OSError as fault:
        if fault.filename is None and not isinstance(fault, PermissionError | NotADirectoryError):
            raise  # standard output, most likely
        what = f"`{_shown(str(fault.filename))}`: " if fault.filename is not None else ""
        return _fail(options, f"{what}{_shown(fault.strerror or str(fault))}")


def _fail(options: argparse.Namespace, message: str) -> int:
    print(f"logroute spool {options.action}: {message}", file=sys.stderr)
    return 2


# -- ls


def _ls(options: argparse.Namespace, folders: Sequence[Folder]) -> int:
    now = time.time()
    found = [(folder, list_series(folder), folder.damaged()) for folder in folders]
    is_damaged = any(aside or any(s.damaged for s in series) for _, series, aside in found)
    if options.format == "json":
        spools = [_spool_object(folder, series, aside) for folder, series, aside in found]
        print(json.dumps({"format_version": "1.0", "spools": spools}, indent=2))
        return int(is_damaged)
    for folder, series, aside in found:
        records = sum(one.records for one in series)
        size = sum(one.size for one in series)
        pieces = len(aside) + sum(one.damaged for one in series)
        more = f", {_count(pieces, 'damaged piece')}" if pieces else ""
        path = _shown(os.path.relpath(folder.path))
        print(f"{path}: {_count(records, 'record')}, {_size(size)}{more}")
        _print_series(series, now)
    if not found:
        print("nothing is spooled here")
    return int(is_damaged)


def _print_series(series: Sequence[SeriesInfo], now: float) -> None:
    if not series:
        return
    rows: list[tuple[str, ...]] = [
        ("series", "owner", "segments", "records", "size", "oldest", "damaged", "missing")
    ]
    for one in series:
        age = "-" if one.oldest is None else _age(now - one.oldest)
        numbers = (one.segments, f"{one.records:,}", _size(one.size), age, one.damaged, one.missing)
        rows.append((one.series, _owner(one), *map(str, numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        left = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}"
        right = "  ".join(f"{c:>{w}}" for c, w in zip(row[2:], widths[2:], strict=True))
        print(f"  {left}  {right}")


def _owner(one: SeriesInfo) -> str:
    if one.owner is None:
        return f"none ({one.pid} is gone)"
    return f"pid {one.owner}" if one.owner else "a process"


def _spool_object(
    folder: Folder, series: Sequence[SeriesInfo], aside: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    return {
        "path": folder.path,
        "series": [
            {
                "name": one.series,
                "pid": one.pid,
                "owner": one.owner,
                "segments": one.segments,
                "bytes": one.size,
                "records": one.records,
                "oldest": one.oldest,
                "damaged": one.damaged,
                "missing": one.missing,
            }
            for one in series
        ],
        "damaged": [{"name": name, "bytes": size} for name, size in aside],
    }


# -- cat


def _cat(options: argparse.Namespace, folders: Sequence[Folder]) -> int:
    damaged: list[Damage] = []
    for item in islice(_wanted(options, folders, damaged), options.limit):
        print(_json_line(item) if options.format == "json" else _text_line(item))
    if damaged:
        told = _count(len(damaged), "damaged piece")
        print(f"logroute spool cat: {told} could not be read", file=sys.stderr)
    return int(bool(damaged))


def _wanted(
    options: argparse.Namespace, folders: Sequence[Folder], damaged: list[Damage]
) -> Iterator[Listed]:
    for folder in folders:
        for series in folder.series():
            if options.series is None or series in options.series:
                for item in read_series(folder, series, damaged):
                    if options.all or not item.is_delivered:
                        yield item


def _text_line(item: Listed) -> str:
    record = item.record
    text = record.payload.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return f"{_stamp(record.time)} {logging.getLevelName(record.levelno)} {_shown(text)}"


def _json_line(item: Listed) -> str:
    record = item.record
    found: dict[str, Any] = {
        "series": item.series,
        "segment": item.segment,
        "number": item.seq,
        "time": _stamp(record.time),
        "level": logging.getLevelName(record.levelno),
        "delivered": item.is_delivered,
    }
    try:
        found["payload"] = record.payload.decode()
    except UnicodeDecodeError:
        found["payload_base64"] = base64.b64encode(record.payload).decode()
    if record.record:
        try:
            found["record"] = json.loads(record.record)
        except ValueError:
            found["record"] = None
    return json.dumps(found)


# -- replay


def _replay(options: argparse.Namespace, folders: Sequence[Folder]) -> int:
    from logroute.cli.check import print_report
    from logroute.cli.files import load_one
    from logroute.config.load import load
    from logroute.sinks import SinkSpec

    loaded = load(options.config, profile=options.profile)
    if loaded.config is None:
        print_report(load_one(options.config, options.profile)[1], "text", "auto")
        return 2
    handler = loaded.config.handlers.get(options.handler)
    if handler is None:
        return _fail(options, f"{options.config} has no handler `{options.handler}`")
    if not isinstance(handler.sink, SinkSpec):
        return _fail(options, f"handler `{options.handler}` takes records, not what is spooled")
    own = [f for f in folders if os.path.basename(f.path) == folder_name(options.handler)]
    if len(folders) > 1 and len(own) != 1:
        names = ", ".join(_shown(os.path.basename(folder.path)) for folder in folders)
        return _fail(options, f"name one of the folders below: {names}")
    chosen = own or list(folders)
    if not chosen:
        print("nothing is spooled here")
        return 0
    return _deliver(options, chosen[0], handler)


def _deliver(options: argparse.Namespace, folder: Folder, handler: Any) -> int:
    from logroute.delivery.specs import SpoolSpec
    from logroute.delivery.spool.queue import SpoolQueue
    from logroute.engine.worker import Worker

    living = [one for one in list_series(folder) if one.owner is not None and one.records]
    spec = SpoolSpec(path=os.path.dirname(folder.path))
    queue: Any = SpoolQueue(spec, options.handler, path=folder.path)
    worker = Worker(
        options.handler,
        queue,
        handler.sink.sink,
        lambda record: record,  # what is spooled is encoded
        notices=_quiet(),
        own_threads=set(),
        batch=getattr(handler, "batch", None),
        is_sync=True,
    )
    try:
        queue.chores()
        worker.drain()
        worker.close_sink(5.0)
    finally:
        queue.close("shutdown")
    counts = queue.counts()
    refused = sum(counts["dropped"].values())
    left = sum(one.records for one in list_series(folder) if one.owner is None)
    return _tell(options, worker, counts["delivered"], refused, left, living)


def _quiet() -> Any:
    from logroute.engine.notices import Notices

    class _Quiet(Notices):
        """Says nothing: what went wrong is told at the end."""

        def say(self, subject: str, text: str) -> None:  # noqa: ARG002
            self.count += 1

    return _Quiet()


def _tell(
    options: argparse.Namespace,
    worker: Any,
    delivered: int,
    refused: int,
    left: int,
    living: Sequence[SeriesInfo],
) -> int:
    print(f"{_count(delivered, 'record')} delivered through `{_shown(options.handler)}`")
    last = str(worker.errors["last"] or "").removesuffix(" (will be tried again)")
    why = f": {_shown(last)}" if last else ""
    if refused:
        print(f"{_count(refused, 'record')} refused for good, and gone{why}")
    if left:
        print(f"{_count(left, 'record')} left in the spool{why}")
    _tell_living(living)
    return 2 if left else int(bool(refused or living))


def _tell_living(living: Sequence[SeriesInfo]) -> None:
    for one in living:
        records = _count(one.records, "record")
        print(f"{one.series}: {_owner(one)} is alive and delivers its {records} itself")


# -- drop


def _drop(options: argparse.Namespace, folders: Sequence[Folder]) -> int:
    if options.damaged:
        return _drop_damaged(options, folders)
    chosen: list[tuple[Folder, SeriesInfo]] = []
    living: list[tuple[Folder, SeriesInfo]] = []
    for folder in folders:
        for one in list_series(folder):
            if options.series is None or one.series in options.series:
                (living if one.owner is not None else chosen).append((folder, one))
    records = sum(one.records for _, one in chosen)
    if chosen:
        question = f"drop {_count(records, 'record')} of {len(chosen)} series?"
        if not _is_agreed(options, question):
            return 2
    dropped = sum(_remove(folder, one) for folder, one in chosen)
    print(f"{_count(dropped, 'record')} dropped")
    for _, one in living:
        print(f"{one.series}: {_owner(one)} is alive; its records stay")
    return 1 if living or dropped < records else 0


def _remove(folder: Folder, one: SeriesInfo) -> int:
    """Remove a series if nobody owns it; return how many records that were."""
    reader = adopt(folder, one.series)
    if reader is None:
        return 0
    reader.close(remove=(ack_name(one.series), lock_name(one.series)))
    if reader.ack_fault is not None:
        raise reader.ack_fault
    return one.records


def _drop_damaged(options: argparse.Namespace, folders: Sequence[Folder]) -> int:
    pieces = sum(len(folder.damaged()) for folder in folders)
    if pieces and not _is_agreed(options, f"drop {_count(pieces, 'damaged piece')}?"):
        return 2
    print(f"{_count(sum(folder.remove_damaged() for folder in folders), 'damaged piece')} dropped")
    return 0


def _is_agreed(options: argparse.Namespace, question: str) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print(f"logroute spool drop: {question} Say so with --yes", file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


_ACTIONS = {"ls": _ls, "cat": _cat, "replay": _replay, "drop": _drop}


# -- words


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "B" else f"{size:.0f} B"
        size /= 1024
    return f"{size:.1f} GiB"


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _stamp(seconds: float) -> str:
    import datetime as dt

    try:
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return "-"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(text: str) -> str:
    """Return `text` without what a terminal obeys: records may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
