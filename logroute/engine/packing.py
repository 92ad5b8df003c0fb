"""The packer: makes payloads of records, and puts them into the parcels of one round.

Three ways, from the shortest: many entries of the express lane at once, past their
records; a record that all its takers get as it is; a record that filters may change.
Whoever holds the dispatcher's lock uses it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from logroute.delivery.queue import Kept
from logroute.delivery.waiting import Run
from logroute.engine.dealing import Hand
from logroute.engine.intake import Decision, Entry
from logroute.engine.parcels import Look, Parcel, Round
from logroute.engine.thaw import thaw
from logroute.engine.worker import RECORD_SIZE, Worker
from logroute.light import Any
from logroute.records import copy_of, level_of, pack

__all__ = ["Packer"]


class Packer:
    """Filters and encodes for workers.

    Attributes:
        made: how many payloads were made, or tried.
    """

    def __init__(self, keep_for_the_caller: Callable[[BaseException], None]) -> None:
        """Have `keep_for_the_caller` keep a Ctrl-C that comes amid a record."""
        self._keep_for_the_caller = keep_for_the_caller
        self.made = 0

    def pack_straight(
        self, entries: Sequence[Any], looks: Mapping[Decision, object], look: Look, place: list[int]
    ) -> int:
        """Put the first of `entries` into parcels without making records; return how many.

        Those whose decisions have `look` in `looks`, as the first one has. `place`, which
        is behind that, moves behind all that are done.
        """
        runs = []
        for straight, parcel in look.straight:
            payloads: list[bytes] = []
            try:
                straight(entries, looks, look, look.level, payloads.append)
            except BaseException as fault:  # a Ctrl-C in a thread that is not ours; none is lost
                self._keep_for_the_caller(fault)
            entries = entries[: len(payloads)]
            runs.append((Run(payloads, look.levelno), parcel))
        count = len(entries)
        if not count:
            return 0
        if len(runs) > 1:
            for run, _ in runs:
                del run.payloads[count:]
        look.count += count
        self.made += count * len(runs)
        place[0] += count - 1  # from here on they have to get into each parcel, once
        try:
            for run, parcel in runs:
                parcel.items.append(run)
        except BaseException as fault:
            for run, parcel in runs:
                if not parcel.items or parcel.items[-1] is not run:
                    parcel.items.append(run)
            self._keep_for_the_caller(fault)
        return count

    def pack_plainly(self, entry: Entry, look: Look, pid: int) -> None:
        """Put one record into the parcels of those who get it as it is."""
        record, levelno = entry[0], look.levelno
        look.count += 1
        self.made += len(look.lines)
        for worker, encode, parcel in look.lines:
            if record is None:
                record = thaw(entry, pid)
            if worker.has_closed:
                self._add(record, levelno, worker, parcel)
                continue
            try:
                payload = encode(record)
            except Exception:
                self._add(record, levelno, worker, parcel)
                continue
            except BaseException as broken:
                self._lose(broken, levelno, worker, parcel)
                continue
            size = len(payload) if type(payload) is bytes else RECORD_SIZE
            parcel.items.append((payload, levelno, size))

    def pack(self, entry: Entry, targets: tuple[Worker, ...], parcels: Round) -> None:
        """Put one record into the parcels of those `targets` that get it.

        Who refuses it is asked before who has room for it.
        """
        record, _, refused_by = entry
        if refused_by:
            for worker in targets:
                if name := refused_by.get(worker):  # not `WRITTEN`, which is done with
                    parcels.parcel(worker).filtered.append(name)
            targets = tuple(worker for worker in targets if worker not in refused_by)
        levelno = level_of(record)
        takers = parcels.takers(targets, levelno)
        self.made += len(takers)
        for worker in takers:
            self._add(record, levelno, worker, parcels.parcel(worker))

    def pack_hand(self, hand: Hand, parcels: Round) -> None:
        """Filter and encode what one worker is dealt."""
        if hand.fault is None:
            self.pack(hand.entry, (hand.worker,), parcels)
        else:
            lost = ("format_error", level_of(hand.entry[0]))
            parcels.parcel(hand.worker).dropped.append(lost)
            hand.worker.note(hand.fault)

    def _lose(self, fault: BaseException, levelno: int, worker: Worker, parcel: Parcel) -> None:
        parcel.dropped.append(("format_error", levelno))
        worker.note(fault)
        self._keep_for_the_caller(fault)

    def _add(
        self, record: logging.LogRecord | None, levelno: int, worker: Worker, parcel: Parcel
    ) -> None:
        """Filter and encode one record for `worker`."""
        assert record is not None
        if worker.has_closed:  # a shutdown whose time is up
            parcel.dropped.append(("shutdown", levelno))
            return
        try:
            for name, apply in worker.filters:
                record = apply(record)
                if record is None:
                    parcel.filtered.append(name)
                    return
            if worker.encodes_late:  # in another thread, which formats a record of its own
                payload: Any = copy_of(record)
            else:
                payload = worker.encode_safely(record)
        except BaseException as broken:
            self._lose(broken, levelno, worker, parcel)
            return
        size = len(payload) if isinstance(payload, bytes) else RECORD_SIZE
        if worker.keeps_records and not worker.encodes_late:
            packed = pack(record)
            payload, size = Kept(payload, packed), size + len(packed)
        parcel.items.append((payload, levelno, size))
