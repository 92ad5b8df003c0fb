"""Many records at once: how many each handler would get, and how many nobody.

Records of one logger and level whose content no route looks at are only counted;
the routes are asked once for all of them.
"""

import logging
import random
from collections import Counter
from collections.abc import Iterable

from logroute.app.explain import Explainer, Gates, Passages
from logroute.app.specimen import exception_class, parse_time, set_time
from logroute.cli.replays.loglines import Entry
from logroute.config.flow import effective_level
from logroute.config.model import Foreign
from logroute.light import Any, NamedTuple
from logroute.routing import Passage, Plan

__all__ = ["NOWHERE", "Replay", "Tally"]

#: What can become of a record that no handler gets.
NOWHERE = {
    "below_logger": "below the level of their logger",
    "logger_filter": "dropped by a filter of their logger",
    "silenced": "silenced by a route to nothing",
    "kept_out": "kept out by level or filter of every handler",
    "unmatched": "wanted by no route",
    "stderr": "wanted by no route, shown on stderr",
}
#: Most pairs of logger and level that are remembered at a time.
_MOST_WAYS = 100_000
_NO_GATES: Gates = {}


class Tally:
    """What one handler gets.

    Attributes:
        records: how many records.
        bytes: the size of their lines in the log, in bytes.
        levels: records by level number.
        filtered: records that each of its filters drops, or one of the routes to it.
    """

    __slots__ = ("bytes", "filtered", "levels", "records")

    def __init__(self) -> None:
        """Start with nothing."""
        self.records = 0
        self.bytes = 0
        self.levels: Counter[int] = Counter()
        self.filtered: Counter[str] = Counter()

    def add(self, levelno: int, records: int, size: int) -> None:
        """Count records of one level."""
        self.records += records
        self.bytes += size
        self.levels[levelno] += records


class _Way(NamedTuple):
    """What is settled for all records of one logger and level."""

    levelno: int
    is_made: bool
    plan: Plan
    needs_record: bool
    counts: list[int]  # records, bytes


class Replay:
    """Counts where the records of a log would go.

    Attributes:
        records: records seen.
        handlers: tallies by handler, in the order of the file.
        nowhere: records that no handler gets, by reason.
        doubts: filters that only the live process knows.
    """

    def __init__(self, explainer: Explainer) -> None:
        """Ask `explainer`, whose filters remember from now on what they have seen."""
        self._explainer = explainer
        self._ways: dict[tuple[str, str | int], _Way] = {}
        self._now = 0.0
        self._has_clock = False
        self.records = 0
        self.handlers = {name: Tally() for name in explainer.config.handlers}
        self.nowhere: Counter[str] = Counter()
        self.doubts: set[str] = set()
        self._prepare_filters()

    def _prepare_filters(self) -> None:
        """Let filters go by the time of the log, and draw the same lots each time."""
        explainer = self._explainer
        explainer.keeps_filters = True
        for name, spec in explainer.config.filters.items():
            if isinstance(spec, Foreign):
                continue
            live: Any = spec.filter()
            if hasattr(live, "_clock"):
                live._clock = lambda: self._now
                self._has_clock = True
            if hasattr(live, "_draw"):
                live._draw = random.Random(0).random  # noqa: S311 - no secret depends on it
            explainer.live[name] = live

    def run(self, entries: Iterable[Entry]) -> None:
        """Count all of `entries`."""
        ways = self._ways
        for entry in entries:
            self.records += 1
            way = ways.get((entry.logger, entry.level))
            if way is None:
                way = self._way(entry)
            if way.needs_record:
                self._route(way, self._record(way, entry), entry.size)
            else:
                way.counts[0] += 1
                way.counts[1] += entry.size
        self._settle_all()

    def _way(self, entry: Entry) -> _Way:
        explainer = self._explainer
        levelno = explainer.levels.number(entry.level)
        plan = explainer.table.plan(entry.logger, levelno)
        is_made = levelno >= effective_level(explainer.config, explainer.levels, entry.logger)[0]
        possible = {*plan.possible, *plan.leftover}
        filtered = plan.has_filters or any(explainer.filters_of(name) for name in possible)
        needs = plan.by_content or filtered or bool(explainer.logger_filters(entry.logger))
        way = _Way(levelno, is_made, plan, is_made and needs, [0, 0])
        if len(self._ways) >= _MOST_WAYS:
            self._settle_all()
            self._ways.clear()
        self._ways[entry.logger, entry.level] = way
        return way

    def _settle_all(self) -> None:
        for (logger, _), way in self._ways.items():
            if way.counts[0]:
                record = logging.LogRecord(logger, way.levelno, "", 0, "", None, None)
                self._settle(way, record, way.counts[0], way.counts[1])
                way.counts[:] = [0, 0]

    def _record(self, way: _Way, entry: Entry) -> logging.LogRecord:
        explainer = self._explainer
        record = logging.LogRecord(entry.logger, way.levelno, "", 0, entry.message, None, None)
        record.levelname = explainer.levels.name(way.levelno)
        record.__dict__.update(entry.fields())
        name = entry.exception_name()
        if name is not None:
            cls = exception_class(name)
            record.exc_info = (cls, None, None)  # type: ignore[assignment]
        if self._has_clock:
            self._now = _seconds(entry.time, self._now)
            set_time(record, self._now)
        return record

    def _route(self, way: _Way, record: logging.LogRecord, size: int) -> None:
        explainer = self._explainer
        passed, dropped_by, doubts = explainer.run_filters(
            explainer.logger_filters(record.name), record
        )
        self.doubts.update(doubts)
        if passed is None or dropped_by is not None:
            self.nowhere["logger_filter"] += 1
            return
        passed, gates = explainer.run_gates(way.plan, passed)
        explainer.add_context(passed)
        self._settle(way, passed, 1, size, gates)

    def _settle(
        self,
        way: _Way,
        record: logging.LogRecord,
        records: int,
        size: int,
        gates: Gates = _NO_GATES,
    ) -> None:
        """Count `records` records that all go the way of `record`."""
        explainer = self._explainer
        if not way.is_made:
            self.nowhere["below_logger"] += records
            return
        shares = self._share(way.plan, record)
        arrived = False
        leftover = dict.fromkeys(way.plan.leftover, Passage(record))
        for name, passage in (leftover if shares is None else shares).items():
            stopped_by, doubts = gates.get(name, (None, ()))
            passed, dropped_by = None, stopped_by or passage.dropped_by
            if stopped_by is None and passage.record is not None:
                own = explainer.own_filters_of(name)
                passed, dropped_by, more = explainer.run_filters(own, passage.record)
                doubts += more
            self.doubts.update(f"handler `{name}`: {doubt}" for doubt in doubts)
            if passed is None:
                self.handlers[name].filtered[dropped_by or ""] += records
            else:
                self.handlers[name].add(way.levelno, records, size)
                arrived = True
        if not arrived:
            self.nowhere[self._reason(record, is_unmatched=shares is None)] += records

    def _share(self, plan: Plan, record: logging.LogRecord) -> dict[str, Passage] | None:
        """Return what each handler gets of `record`; None where no route wants it."""
        if not plan.has_filters:
            picked = plan.pick(record)
            return None if picked is None else dict.fromkeys(picked, Passage(record))
        passages = Passages(self._explainer)
        shares = plan.deal(record, passages)
        self.doubts.update(doubt for found in passages.doubts.values() for doubt in found)
        return None if shares is None else {n: share.passage for n, share in shares.items()}

    def _reason(self, record: logging.LogRecord, *, is_unmatched: bool) -> str:
        """Return why no handler gets `record`."""
        table = self._explainer.table
        if not is_unmatched:
            chosen = any(outcome.handlers for outcome in table.explain(record))
            return "kept_out" if chosen else "silenced"
        if self._explainer.config.unmatched is not None and table.reaches_root(record.name):
            return "kept_out" if table.leftover else "unmatched"
        return "stderr" if record.levelno >= logging.WARNING else "unmatched"


def _seconds(written: object, before: float) -> float:
    """Return seconds since 1970, or `before` where a line does not tell."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    if isinstance(written, str):
        try:
            return parse_time(written)
        except ValueError:
            return before
    return before
