"""The counters of processes as tables for people."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from logroute.app.explanation import printable
from logroute.engine.stats import LEDGER, imbalance, totals
from logroute.light import Any, NamedTuple

__all__ = ["Style", "is_well", "lines", "merged"]

_GOOD, _DOUBTFUL, _BAD, _DIM = "32", "33", "31", "2"
#: From best to worst: color and word.
_STATES = {
    "ok": (_GOOD, "ok"),
    "removed": (_DIM, "removed"),
    "losing": (_DOUBTFUL, "losing"),
    "failing": (_BAD, "failing"),
    "open": (_BAD, "breaker open"),
}
#: Columns that are shown where one of their counts is not 0.
_RARE = {
    "filtered": "filtered",
    "dead_lettered": "dead letters",
    "handed_to_fallback": "fallback",
    "recovered": "recovered",
}
_LONGEST_ERROR = 500


class Style(NamedTuple):
    """How tables are printed: painted or not."""

    is_colored: bool = False

    def paint(self, text: str, color: str) -> str:
        """Return `text` in a color, where that is wanted."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.is_colored else text


def is_well(stats: Mapping[str, Any]) -> bool:
    """Return whether nothing fails or is lost at this time, and the counts add up."""
    handlers = stats["handlers"].values()
    if any(handler["state"] != "ok" for handler in handlers):
        return False
    return not any(imbalance(ledger) for ledger in totals(stats).values())


def merged(all_stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the counters of several processes as if they were one."""
    first = all_stats[0]
    added: dict[str, Any] = {key: first[key] for key in ("format_version", "version", "program")}
    added["pid"] = ", ".join(str(stats["pid"]) for stats in all_stats)
    added["time"] = max(stats["time"] for stats in all_stats)
    added["uptime"] = max(stats["uptime"] for stats in all_stats)
    for key in ("accepted", "intake", "unmatched", "internal", "faults", "notices"):
        added[key] = sum(stats[key] for stats in all_stats)
    reloads = [stats["reload"] for stats in all_stats]
    added["reload"] = next((found for found in reloads if found["error"]), reloads[0])
    added["retired"] = {}
    handlers: dict[str, Any] = {}
    added["handlers"] = handlers
    for stats in all_stats:
        for name, handler in {**stats["handlers"], **_removed(stats)}.items():
            ledger = {**handler, **totals(stats)[name]}
            known = handlers.get(name)
            handlers[name] = ledger if known is None else _both(known, ledger)
    return added


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(other)
    for key in ("enqueued", *LEDGER, "recovered", "queued_bytes", "max_records", "spool_bytes"):
        mine, theirs = one.get(key), other.get(key)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            both[key] = {
                what: mine.get(what, 0) + theirs.get(what, 0) for what in {**mine, **theirs}
            }
        elif mine is not None:
            both[key] = mine + (theirs or 0)
    states = list(_STATES)
    both["state"] = max(one["state"], other["state"], key=states.index)
    both["oldest"] = max(one["oldest"] or 0, other["oldest"] or 0) or None
    latest = max(one["errors"], other["errors"], key=lambda errors: errors["when"] or 0)
    both["errors"] = {**latest, "count": one["errors"]["count"] + other["errors"]["count"]}
    both["last_error"] = one["last_error"] or other["last_error"]
    return both


def _removed(stats: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the handlers that a reload has taken away, as far as records remind of them."""
    blank: dict[str, Any] = {
        "state": "removed",
        "oldest": None,
        "max_records": 0,
        "last_error": None,
        "errors": {"count": 0, "when": None, "last": None},
    }
    names = [name for name in stats["retired"] if name not in stats["handlers"]]
    return {name: {**blank, **stats["retired"][name]} for name in names}


def lines(
    stats: Mapping[str, Any], style: Style, before: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield the table of one process; with what was `before`, rates per second too."""
    yield style.paint(
        printable(
            f"{stats['program']} (pid {stats['pid']}), up {_time(stats['uptime'])}, "
            f"logroute {stats['version']}"
        ),
        "1",
    )
    parts = [f"{_plural(stats['accepted'], 'record')} accepted"]
    parts += [f"{stats['unmatched']:,} unmatched"] if stats["unmatched"] else []
    parts += [f"{stats['intake']:,} not routed yet"] if stats["intake"] else []
    seconds = 0.0 if before is None else stats["uptime"] - before["uptime"]
    if before is not None and seconds > 0:
        parts.append(f"{_rate(stats['accepted'] - before['accepted'], seconds)} a second")
    yield ", ".join(parts)
    yield from _remarks(stats, style)
    yield ""
    yield from _table(stats, style, before if seconds > 0 else None, seconds)


def _remarks(stats: Mapping[str, Any], style: Style) -> Iterator[str]:
    if stats["faults"]:
        text = f"{_plural(stats['faults'], 'fault')} inside logroute; its stderr tells of them"
        yield style.paint(text, _BAD)
    if stats["reload"]["error"]:
        text = f"the config of before runs, the new one cannot be used: {stats['reload']['error']}"
        yield style.paint(printable(text[:_LONGEST_ERROR]), _BAD)


class _Row(NamedTuple):
    name: str
    state: str
    cells: list[str]
    below: list[str]


def _table(
    stats: Mapping[str, Any], style: Style, before: Mapping[str, Any] | None, seconds: float
) -> Iterator[str]:
    handlers: dict[str, Any] = {**stats["handlers"], **_removed(stats)}
    if not handlers:
        yield "no handlers"
        return
    ledgers = totals(stats)
    former = {} if before is None else totals(before)
    rare = [key for key in _RARE if any(_number(handlers[n], ledgers[n], key) for n in handlers)]
    heads = ["enqueued", "delivered", "dropped", *(_RARE[key] for key in rare), "waiting", "oldest"]
    heads += ["in/s", "out/s"] if before is not None else []
    rows = []
    for name, handler in handlers.items():
        ledger = ledgers[name]
        keys = ("enqueued", "delivered", "dropped", *rare)
        cells = [f"{_number(handler, ledger, key):,}" for key in keys]
        cells += [_waiting(handler, ledger), "-" if not handler["oldest"] else _age(handler)]
        if before is not None:
            cells += _rates(ledger, former.get(name), seconds)
        rows.append(_Row(printable(name), handler["state"], cells, _below(handler, ledger, stats)))
    yield from _laid_out(rows, heads, style)


def _laid_out(rows: Sequence[_Row], heads: Sequence[str], style: Style) -> Iterator[str]:
    widest = max(len("handler"), *(len(row.name) for row in rows))
    words = {row.state: _STATES.get(row.state, (_BAD, printable(row.state))) for row in rows}
    widest_state = max(len("state"), *(len(word) for _, word in words.values()))
    columns = zip(heads, *(row.cells for row in rows), strict=True)
    widths = [max(map(len, column)) for column in columns]
    head = f"{'handler':<{widest}}  {'state':<{widest_state}}  {_cells(heads, widths)}"
    yield style.paint(head, _DIM)
    dropped = heads.index("dropped")
    for row in rows:
        color, word = words[row.state]
        cells = [f"{cell:>{width}}" for cell, width in zip(row.cells, widths, strict=True)]
        if row.cells[dropped] != "0":
            cells[dropped] = style.paint(cells[dropped], _DOUBTFUL)
        state = style.paint(word, color) + " " * (widest_state - len(word))
        yield f"{row.name:<{widest}}  {state}  {'  '.join(cells)}".rstrip()
        for text in row.below:
            yield f"  {printable(text)}"


def _cells(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _number(handler: Mapping[str, Any], ledger: Mapping[str, Any], key: str) -> int:
    value: Any = ledger.get(key, handler.get(key, 0))
    return sum(value.values()) if isinstance(value, Mapping) else value or 0


def _waiting(handler: Mapping[str, Any], ledger: Mapping[str, Any]) -> str:
    waiting = ledger["queued"] + ledger["in_flight"]
    return f"{waiting:,} of {handler['max_records']:,}" if waiting else "0"


def _age(handler: Mapping[str, Any]) -> str:
    return _time(handler["oldest"])


def _rates(
    ledger: Mapping[str, Any], former: Mapping[str, Any] | None, seconds: float
) -> list[str]:
    if former is None:
        return ["-", "-"]
    keys = ("enqueued", "delivered")
    return [_rate(ledger[key] - former[key], seconds) for key in keys]


def _rate(count: int, seconds: float) -> str:
    rate = max(0.0, count / seconds)
    return f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"


def _below(
    handler: Mapping[str, Any], ledger: Mapping[str, Any], stats: Mapping[str, Any]
) -> list[str]:
    """Return what there is to say of a handler besides its numbers."""
    found = []
    for key in ("dropped", "filtered"):
        parts = [f"{count:,} {what}" for what, count in ledger[key].items() if count]
        if parts:
            found.append(f"{key}: {', '.join(parts)}")
    errors = handler["errors"]
    if errors["count"]:
        ago = _time(max(0.0, stats["time"] - (errors["when"] or 0)))
        over = "" if handler["last_error"] else " (over)"
        text = f"last error {ago} ago, {errors['count']:,} in all{over}: {errors['last']}"
        found.append(text[:_LONGEST_ERROR])
    if missing := imbalance(ledger):
        found.append(f"{missing:,} records are unaccounted for; please report it")
    return found


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    """Return a duration by its two largest units."""
    whole = int(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    for unit, size, smaller, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")


def clock() -> str:
    """Return the time of day."""
    return time.strftime("%H:%M:%S")
