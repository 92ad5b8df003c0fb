"""Routes: those that no record can reach, that add nothing, or say more than they mean.

Which records a route gets is asked of the survey. Runs in whatever thread loads a
config.
"""

from collections.abc import Iterator
from itertools import islice

from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views import fixes
from logroute.config.views.certainty import is_fixed, is_overlaid
from logroute.config.views.facts import Facts
from logroute.config.views.lanes import Lane
from logroute.config.views.survey import Row, Survey, survey
from logroute.config.views.wording import first_line, title
from logroute.diagnostics import Diagnostic, Fix, Severity, Span, info, warning
from logroute.levels import HIGHEST
from logroute.light import NamedTuple
from logroute.records import STANDARD

__all__ = ["duplicate_routes", "idle_conditions", "idle_finals", "unreachable_routes"]

_SHOWN = 3
# the others are told without saying what is in their way
_MOST_EXPLAINED = 20
_MOST_CONDITIONS = 2000


@rule("LR302", Severity.WARNING)
def unreachable_routes(facts: Facts) -> Iterator[Diagnostic]:
    """Find routes that can never get a record (LR302).

    Routes are tried from top to bottom, and a record that matches one with
    `final: true` goes to no later one. Nor do records get to the routes that a logger
    with `propagate: false` keeps::

        routes:
          - {match: {logger: app}, to: file, final: true}
          - {match: {logger: app.db, level: ERROR}, to: mail}

    Move the narrower route up, or remove `final`. Patterns of logger names and
    conditions on what a record says never count as being in the way. Filters of a
    route do not let records through to later ones: the match alone says where the
    walk ends, so what they drop goes nowhere.
    """
    found = survey(facts)
    lanes = found.lanes if found is not None else []
    lost = [lane for lane in lanes if lane.is_known and not lane.taken]
    for count, lane in enumerate(lost):
        assert found is not None
        rows = _rows_of(found, lane) if count < _MOST_EXPLAINED else []
        yield _unreachable(facts, found, lane, rows)


def _rows_of(found: Survey, lane: Lane) -> list[tuple[Row, int]]:
    """Return the loggers whose records a route would take, were it alone, and the levels."""
    pairs = ((row, found.wanted_by(lane, row.name)) for row in found.rows.values())
    return [(row, wanted) for row, wanted in pairs if wanted]


def _unreachable(
    facts: Facts, found: Survey, lane: Lane, rows: list[tuple[Row, int]]
) -> Diagnostic:
    if not lane.wanted:
        cure = "its conditions exclude each other"
        return warning("LR302", f"{title(lane)} can never match a record", _place(lane), cure)
    coming = [(row, wanted) for row, wanted in rows if row.reaches_root]
    if rows and not coming:
        return _kept_away(facts, lane, [row for row, _ in rows])
    related: list[tuple[str, Span]] = []
    covers = [c for c in found.lanes[: lane.position] if c.is_sure and c.ends and c.taken]
    for cover in covers if coming else ():
        taken = [(found.wanted_by(cover, row.name) & cover.ends, row, all) for row, all in coming]
        if all(taken & wanted == wanted for taken, _, wanted in taken):
            related = [("this route takes every such record first", _place(cover))]
            break
        if any(taken & wanted for taken, _, wanted in taken):
            related.append(("this route takes some of its records", _place(cover)))
    ending = "`final`" if any(cover.spec.final for cover in covers) else "`final_below`"
    return Diagnostic(
        Severity.WARNING,
        "LR302",
        f"{title(lane)} can never be reached",
        _place(lane),
        f"move it up, or remove {ending} above",
        tuple(related[:_SHOWN]),
    )


def _kept_away(facts: Facts, lane: Lane, rows: list[Row]) -> Diagnostic:
    """Tell of a route for loggers whose records do not get to the routes."""
    places: dict[str, Span] = {}
    for row in rows:
        name = row.name
        while name:
            node = facts.node.at(("loggers", name, "propagate"))
            spec = facts.config.loggers.get(name)
            if node is not None and spec is not None and spec.propagate is False:
                places[name] = node.span
            name = name.rpartition(".")[0]
    keeper = shown(next(iter(places), ""))
    return Diagnostic(
        Severity.WARNING,
        "LR302",
        f"{title(lane)} can never be reached: logger `{keeper}` keeps its records",
        _place(lane),
        f"let `{keeper}` propagate, or name the handlers at that logger",
        tuple(("its records stop here", span) for span in list(places.values())[:_SHOWN]),
    )


def _place(lane: Lane) -> Span:
    """Return the place of the route's match, or of its beginning."""
    return first_line(lane.node.at(("match",)) or lane.node)


@rule("LR309", Severity.WARNING)
def duplicate_routes(facts: Facts) -> Iterator[Diagnostic]:
    """Find routes that add no handler to any record (LR309).

    A record goes once to each handler, however many routes name it. A route all of
    whose records get to its handlers by earlier routes, or by handlers of their
    loggers, does nothing::

        routes:
          - {match: {level: WARNING}, to: [ops-mail]}
          - {match: {level: ERROR}, to: [ops-mail]}

    Remove it, or send its records to another handler.
    """
    found = survey(facts)
    if found is None or is_overlaid(facts, "loggers", "root"):
        return
    attached = _attached(facts)
    for count, lane in enumerate(filter(_is_idle, found.lanes)):
        names = lane.spec.to
        if any(name not in facts.config.handlers for name in names):
            continue  # which has been told
        related = list(islice(_givers(found, lane), _SHOWN)) if count < _MOST_EXPLAINED else []
        related += [("these are handlers of a logger", attached[n]) for n in names if n in attached]
        yield Diagnostic(
            Severity.WARNING,
            "LR309",
            f"{title(lane)} adds nothing: all its records get to "
            f"{', '.join(f'`{shown(name)}`' for name in dict.fromkeys(names))} already",
            _place(lane),
            "remove it, or send its records to another handler",
            tuple(related[:_SHOWN]),
            # a slip elsewhere may be what makes it idle: people decide
            fixes.remove(facts, ("routes", lane.position), is_safe=False),
        )


def _is_idle(lane: Lane) -> bool:
    spec = lane.spec
    says_more = spec.final or spec.final_below is not None or spec.filters or spec.audit
    return bool(lane.taken and spec.to and not lane.is_useful and not says_more)


def _givers(found: Survey, lane: Lane) -> Iterator[tuple[str, Span]]:
    """Yield earlier routes that give what a route gives."""
    new = set(lane.spec.to)
    for other in islice(found.lanes, lane.position):
        has_same = not new.isdisjoint(other.spec.to)
        is_alike = other.is_sure or other.spec.match == lane.spec.match
        if has_same and is_alike and other.gives_all and other.taken and other.wanted & lane.taken:
            yield "this route gives them those records", _place(other)


def _attached(facts: Facts) -> dict[str, Span]:
    """Return the handlers that loggers have, each with one place where."""
    found: dict[str, Span] = {}
    loggers = [(("loggers", name), spec) for name, spec in facts.config.loggers.items()]
    root = facts.config.root
    heads: list[Path] = [("root",), ("loggers", "root"), ("loggers", "")]
    for path, spec in [*loggers, *((head, root) for head in heads if root is not None)]:
        node = facts.node.at((*path, "handlers")) if spec.handlers else None
        if node is not None:
            found.update((name, first_line(node)) for name in spec.handlers)
    return found


@rule("LR313", Severity.INFO)
def idle_finals(facts: Facts) -> Iterator[Diagnostic]:
    """Find `final` and `final_below` in the last route (LR313).

    They keep a record from later routes, and after the last there are none::

        routes:
          - {to: [console], final: true}

    Remove the word, so that nobody looks for what it stops.
    """
    nodes = facts.items("routes")
    position = len(nodes) - 1
    for key in ("final", "final_below"):
        node = nodes[-1].at((key,)) if nodes else None
        if node is None or not is_fixed(node) or node.value in (None, False, 0, "NOTSET"):
            continue
        if facts.is_broken(("routes", position, key)):
            continue
        span = nodes[-1].keys[key]
        message = f"`{key}` has no effect in the last route"
        fix = fixes.remove(facts, ("routes", position, key))
        yield info("LR313", message, span, f"remove `{key}`", fix)


@rule("LR318", Severity.WARNING)
def idle_conditions(facts: Facts) -> Iterator[Diagnostic]:
    """Find conditions that every record meets (LR318).

    Such a condition says nothing, and mostly something else was meant. Every record
    has the standard attributes, also where they are empty, so this route does not
    wait for an exception::

        routes:
          - {match: {fields: {exc_info: {exists: true}}}, to: [ops-mail]}

    Write what was meant (`exception: true`), or remove the condition. A condition
    that says "everything" in so many words is only remarked on.
    """
    nodes = facts.items("routes")
    found = (
        idle
        for position, node in enumerate(nodes)
        if not facts.is_broken(("routes", position))
        for idle in _idle(facts, ("routes", position, "match"), node.at(("match",)))
    )
    for idle in islice(found, _MOST_CONDITIONS):
        tell = warning if idle.is_slip else info
        fix = None if idle.is_slip else _without(facts, idle.path)
        yield tell("LR318", f"{idle.why}, so this says nothing", idle.span, idle.cure, fix)


class _Idle(NamedTuple):
    """A condition that always holds; `is_slip` says that it was hardly meant to."""

    path: Path
    span: Span
    why: str
    cure: str
    is_slip: bool


# what is found in every text
_EVERY_TEXT = frozenset(
    {"", ".*", "^", "$", "^.*", ".*$", "^.*$", "(.*)", "^(.*)$", ".*?", "(?s).*", "(?s)^.*$", "()"}
)
#: What every record has, whatever its values.
_ALWAYS_THERE = STANDARD - {"asctime", "taskName"}
_REMOVE = "remove it: without a condition a route takes everything"


def _idle(facts: Facts, path: Path, match: Node | None) -> Iterator[_Idle]:
    if match is None or not isinstance(match.value, dict):
        return
    for key, node in match.value.items():
        here: Path = (*path, key)
        if key == "not":
            yield from _idle(facts, here, node)
        elif key in ("any", "all") and isinstance(node.value, list):
            for position, item in enumerate(node.value):
                yield from _idle(facts, (*here, position), item)
                if key == "any" and item.value == {}:
                    why = "an empty condition holds for every record, and one that holds is enough"
                    yield _Idle(here, item.span, why, "remove it, or give it a key", True)
        elif key == "fields" and isinstance(node.value, dict):
            yield from _idle_fields(here, node)
        elif all(map(is_fixed, _items(node))):
            values = tuple(item.value for item in _items(node))
            yield from _idle_values(facts, here, node, values)


def _idle_values(
    facts: Facts, path: Path, node: Node, values: tuple[object, ...]
) -> Iterator[_Idle]:
    key, span = path[-1], first_line(node)
    if key == "level" and values and _is_every_level(facts, values):
        yield _Idle(path, span, "every record has such a level", _REMOVE, False)
    elif key == "logger" and any(_is_every_name(value) for value in values):
        yield _Idle(path, span, "every logger's name is like that", _REMOVE, False)
    elif key == "message" and values[0] in _EVERY_TEXT:
        why = "this is found in every message"
        yield _Idle(path, span, why, "remove it, or write what to look for", values[0] == "")
    elif key == "exception" and True in values and False in values:
        why = "a record has an exception or has none"
        yield _Idle(path, span, why, "keep one of the two", True)


def _idle_fields(path: Path, fields: Node) -> Iterator[_Idle]:
    for name, test in fields.value.items():
        if name not in _ALWAYS_THERE or not isinstance(test.value, dict) or len(test.value) != 1:
            continue
        exists = test.value.get("exists")
        if exists is None or exists.value is not True:
            continue
        cure = "remove it, or test its value"
        if name.startswith("exc_"):
            cure = "write `exception: true` beside `fields`, in its place"
        why = f"every record has `{name}`, if only an empty one"
        yield _Idle((*path, name), fields.keys[name], why, cure, True)


def _items(node: Node) -> list[Node]:
    return list(node.value) if isinstance(node.value, list) else [node]


def _is_every_level(facts: Facts, values: tuple[object, ...]) -> bool:
    first = str(values[0]).strip()
    if len(values) == 1 and first[:1].upper() not in ("N", "0", ".", ">", ""):
        return False  # as nearly always
    try:
        return facts.levels.parse_set(values).intervals == ((0, HIGHEST),)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        return False


def _is_every_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and set(value) == {"*"}


def _without(facts: Facts, path: Path) -> Fix | None:
    """Return the fix that removes a condition, and a match that would be left empty."""
    if "any" in path or "all" in path or "not" in path:
        return None
    while len(path) > 2:
        parent = facts.node.at(path[:-1])
        if parent is None or len(parent.value) > 1 or path[-1] == "match":
            break
        path = path[:-1]
    return fixes.remove(facts, path)


ADVICE = (unreachable_routes, duplicate_routes, idle_finals, idle_conditions)
