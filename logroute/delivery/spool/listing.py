"""What people see of a spool: its series, and the records in them. Reads, and changes nothing.

A living process may write and remove segments meanwhile; what is gone is passed over.
"""

import os
from collections.abc import Iterator

from logroute.delivery.spool.acks import read_ack
from logroute.delivery.spool.folder import DAMAGED, Folder
from logroute.delivery.spool.frames import Damage, Spooled, key_of, open_body
from logroute.delivery.spool.locks import holder_of, pid_of
from logroute.delivery.spool.segments import Segment
from logroute.light import NamedTuple

__all__ = ["Listed", "SeriesInfo", "folders_in", "list_series", "read_series"]


class Listed(NamedTuple):
    """A record in a spool, and where it stands."""

    series: str
    segment: int
    seq: int
    is_delivered: bool
    record: Spooled


class SeriesInfo(NamedTuple):
    """What waits in one series.

    Attributes:
        series: its name.
        pid: the process that wrote it.
        owner: the process that has it locked now (0: unknown); None: nobody.
        segments: how many files.
        size: bytes of them.
        records: how many are not delivered.
        oldest: when the oldest of those was spooled, seconds since 1970.
        damaged: how many pieces in the files are no records.
        missing: how many numbers are missing between records.
    """

    series: str
    pid: int
    owner: int | None
    segments: int
    size: int
    records: int
    oldest: float | None
    damaged: int
    missing: int


def folders_in(path: str) -> list[Folder]:
    """Return the folder `path` of one handler, or those in it; none: there is no spool.

    Raises:
        OSError: it is not a folder, or may not be read.
    """
    own = Folder(path, is_for_root=True)
    names = sorted(os.listdir(own.path))
    if _is_spool(names):
        return [own]
    found = []
    for name in names:
        below = os.path.join(own.path, name)
        if os.path.isdir(below) and not os.path.islink(below) and _is_spool(os.listdir(below)):
            found.append(Folder(below, is_for_root=True))
    return found


def _is_spool(names: list[str]) -> bool:
    return DAMAGED in names or any(name.endswith((".seg", ".ack", ".lock")) for name in names)


def list_series(folder: Folder) -> list[SeriesInfo]:
    """Return what waits in each series of a folder.

    Raises:
        OSError: the folder is not safe, or may not be read.
    """
    return [_describe(folder, series) for series in folder.series()]


def _describe(folder: Folder, series: str) -> SeriesInfo:
    damaged: list[Damage] = []
    records = count = missing = 0
    first = last = 0
    oldest = None
    for item in read_series(folder, series, damaged):
        count += 1
        first, last = first or item.seq, max(last, item.seq)
        if not item.is_delivered:
            records += 1
            oldest = item.record.time if oldest is None else min(oldest, item.record.time)
    if count:
        missing = max(0, last - first + 1 - count)
    files = [info for info in folder.segments() if info.series == series]
    return SeriesInfo(
        series,
        pid_of(series),
        holder_of(folder, series),
        len(files),
        sum(info.size for info in files),
        records,
        oldest,
        len(damaged),
        missing,
    )


def read_series(folder: Folder, series: str, damaged: list[Damage]) -> Iterator[Listed]:
    """Yield all records that are on disk, oldest first; `damaged` gets what is none.

    Raises:
        OSError: a segment may not be read.
    """
    delivered = read_ack(folder, series)
    is_growing = holder_of(folder, series) is not None
    key = key_of(series)
    numbers = [info.number for info in folder.segments() if info.series == series]
    for number in numbers:
        try:
            segment = Segment(folder, series, number, key)
        except FileNotFoundError:
            continue
        try:
            is_closed = not is_growing or number != numbers[-1]
            for found in segment.walk(0, is_closed=is_closed):
                record = None
                if not isinstance(found, Damage):
                    try:
                        record = open_body(found.body)
                    except ValueError:
                        found = Damage(found.at, found.end, "unknown")  # noqa: PLW2901
                if isinstance(found, Damage):
                    damaged.append(found)
                elif record is not None:
                    is_delivered = (number, found.end) <= delivered
                    yield Listed(series, number, found.seq, is_delivered, record)
        finally:
            segment.close()
