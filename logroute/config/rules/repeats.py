"""Repeats: records that go to one destination twice.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from logging import CRITICAL

from logroute.config.flow import STRANGER
from logroute.config.model import HandlerSpec
from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import rule
from logroute.config.views import fixes
from logroute.config.views.certainty import FLOW_SECTIONS, is_fixed, is_overlaid
from logroute.config.views.entries import handlers, kind_of
from logroute.config.views.facts import Facts
from logroute.config.views.survey import Row, Survey, survey
from logroute.config.views.wording import first_line, whose
from logroute.diagnostics import Diagnostic, Severity
from logroute.hints import nearest
from logroute.light import Any, NamedTuple

__all__ = ["repeated_records"]


@rule("LR306", Severity.WARNING)
def repeated_records(facts: Facts) -> Iterator[Diagnostic]:
    """Find records that go to one destination twice (LR306).

    In a plain dictConfig file a record goes to the handlers of its logger, then to
    those of each parent, until one has `propagate: false`. A handler that is on
    both is called twice by the standard library (logroute calls it once)::

        loggers:
          app: {level: DEBUG, handlers: [console]}
        root: {handlers: [console]}

    Add `propagate: false` to the lower logger, or remove the handler there.

    Two handlers for one stream, mailbox or address repeat each record that gets to
    both, everywhere. Give them levels or routes that exclude each other.
    """
    if facts.is_stdlib:
        yield from _called_twice(facts)
    found = survey(facts)
    if found is not None and found.knows_loggers and not is_overlaid(facts, *FLOW_SECTIONS):
        yield from _written_twice(facts, found)


_MOST_PARENTS, _MOST_KEYS = 50, 20
_LOGGER_KEYS = frozenset({"filters", "handlers", "level"})


def _called_twice(facts: Facts) -> Iterator[Diagnostic]:
    loggers = dict(facts.config.loggers)
    for name, spec in loggers.items():
        at = ("loggers", name, "handlers")
        if not spec.handlers or name.count(".") > _MOST_PARENTS or facts.is_broken(at[:2]):
            continue
        if _is_off(facts, spec.level) or _is_meant_to_stop(facts, name):
            continue
        for parent in _propagated_to(facts, name):
            above = _handlers_of(facts, parent)
            same = [n for n in spec.handlers if n in above and n in facts.config.handlers]
            node, upper = (
                facts.node.at(at),
                facts.node.at((*_parent_path(facts, parent), "handlers")),
            )
            if not same or node is None or upper is None:
                continue
            yield _twice(facts, name, parent, list(dict.fromkeys(same)), node, upper)
            break


def _twice(
    facts: Facts, name: str, parent: str, same: list[str], node: Node, upper: Node
) -> Diagnostic:
    *first, last = [f"`{shown(one)}`" for one in same]
    names = f"{', '.join(first)} and {last}" if first else last
    whose = "the root logger" if parent == "root" else f"`{shown(parent)}`"
    path = ("loggers", name)
    written = facts.node.at((*path, "propagate"))
    fix = None
    if set(same) == set(_handlers_of(facts, name)) == set(_handlers_of(facts, parent)):
        fix = fixes.add(facts, path, "propagate: false", is_safe=False)
    return Diagnostic(
        Severity.WARNING,
        "LR306",
        f"{names} would write each record of `{shown(name)}` twice: from this logger, and from "
        f"{whose}",
        first_line(node),
        f"{'add' if written is None else 'write'} `propagate: false`, or remove the handler here",
        ((f"the same on {whose}", first_line(upper)),),
        fix,
    )


def _is_meant_to_stop(facts: Facts, name: str) -> bool:
    """Return whether `propagate` is misspelt, or a text; one finding tells that already."""
    entry = facts.node.at(("loggers", name))
    keys = entry.value if entry is not None and isinstance(entry.value, dict) else {}
    if "propagate" in keys:
        return isinstance(keys["propagate"].value, str)
    unknown = (key for key in islice(keys, _MOST_KEYS) if key not in _LOGGER_KEYS)
    return any(nearest(key, ("propagate",)) is not None for key in unknown)


def _is_off(facts: Facts, level: str | int | None) -> bool:
    try:
        return facts.levels.number(level or 0) > CRITICAL
    except ValueError:
        return True  # which has been told


def _propagated_to(facts: Facts, name: str) -> Iterator[str]:
    """Yield the parents that get the records of a logger, the nearest first."""
    while name:
        spec = facts.config.loggers.get(name)
        if spec is not None and spec.propagate is False:
            return
        name = name.rpartition(".")[0]
        yield name or "root"


def _handlers_of(facts: Facts, name: str) -> tuple[str, ...]:
    spec = facts.config.root if name == "root" else facts.config.loggers.get(name)
    return spec.handlers if spec is not None else ()


def _parent_path(facts: Facts, name: str) -> tuple[str, ...]:
    if name != "root":
        return ("loggers", name)
    heads = (("root",), ("loggers", "root"), ("loggers", ""))
    return next((head for head in heads if facts.node.at((*head, "handlers"))), ("root",))


def _written_twice(facts: Facts, found: Survey) -> Iterator[Diagnostic]:
    places = _destinations(facts)
    told: set[tuple[str, str]] = set()
    for row in found.rows.values():
        by_place: dict[object, list[str]] = {}
        for name in row.given:
            if name in places:
                by_place.setdefault(places[name].key, []).append(name)
        for names in by_place.values():
            first = names[0]
            for second in names[1:20]:
                both = found.delivered(row, first) & found.delivered(row, second)
                pair = (min(first, second), max(first, second))
                if both and pair not in told:
                    told.add(pair)
                    yield _two_of_one(facts, found, row, pair, both, places[first].words)


def _two_of_one(
    facts: Facts, found: Survey, row: Row, pair: tuple[str, str], both: int, where: str
) -> Diagnostic:
    keys = facts.node.value["handlers"].keys
    first, second = sorted(pair, key=lambda name: keys[name])
    of = whose(found, [row]) if row.name != STRANGER else ""
    return Diagnostic(
        Severity.WARNING,
        "LR306",
        f"`{shown(first)}` and `{shown(second)}` both write {found.describe(both)}{of} to "
        f"{where}: it is there twice",
        keys[second],
        "let each record get to one of them only: by routes, levels or `propagate: false`",
        (("the other one", keys[first]),),
    )


class _Place(NamedTuple):
    """Where a handler writes: comparable, and in words without anything secret."""

    key: tuple[object, ...]
    words: str


#: The options that say where a handler writes: by kind, or by stdlib's class.
_WHERE = {
    "console": ("stream",),
    "email": ("host", "to", "cc", "bcc"),
    "http": ("url", "method", "headers", "auth"),
    "socket": ("address",),
    "datagram": ("address",),
    "syslog": ("address", "facility", "app_name"),
    "logging.StreamHandler": ("stream",),
    "SMTPHandler": ("mailhost", "toaddrs"),
    "HTTPHandler": ("host", "url", "method"),
    "SocketHandler": ("host", "port"),
    "DatagramHandler": ("host", "port"),
    "SysLogHandler": ("address", "facility"),
}
_STREAMS = {None: "stderr", "ext://sys.stderr": "stderr", "ext://sys.stdout": "stdout"}
_NAMES = {"stderr": "standard error", "stdout": "standard output"}


def _destinations(facts: Facts) -> Mapping[str, _Place]:
    """Return where handlers write, those that share a place with another one only."""
    found: dict[str, _Place] = {}
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        if spec is None or spec.filters or facts.is_broken(("handlers", name)):
            continue
        place = _place(entry, spec)
        if place is not None:
            found[name] = place
    counts: dict[tuple[object, ...], int] = {}
    for place in found.values():
        counts[place.key] = counts.get(place.key, 0) + 1
    return {name: place for name, place in found.items() if counts[place.key] > 1}


def _place(entry: Node, spec: HandlerSpec) -> _Place | None:
    kind = kind_of(entry)
    class_ = entry.at(("class",))
    if class_ is not None and class_.value == "logging.StreamHandler":
        kind = "logging.StreamHandler"
    keys = _WHERE.get(kind, ())
    nodes = [entry.at((key,)) for key in keys]
    if not keys or not all(node is None or is_fixed(node) for node in nodes):
        return None
    if kind == "logging.StreamHandler":
        stream = _STREAMS.get(nodes[0].value if nodes[0] is not None else None, "")
        return _Place(("stream", stream), _NAMES[stream]) if stream else None
    if kind == "console":
        stream = str(getattr(spec.sink, "stream", ""))
        return _Place(("stream", stream), _NAMES.get(stream, stream))
    values = tuple(_comparable(node.data()) if node is not None else None for node in nodes)
    words = "the same people" if kind in ("email", "SMTPHandler") else "the same address"
    return _Place((kind, *values), words)


def _comparable(value: Any) -> object:
    if isinstance(value, Mapping):
        return tuple(sorted((key, _comparable(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return tuple(sorted(map(repr, value)))
    return repr(value)
