"""Reach: levels that never come, and records that go nowhere.

What becomes of the records of a logger is asked of the survey. Runs in whatever
thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.flow import STRANGER
from logroute.config.nodes import shown
from logroute.config.rules.feedback import feedback_loops
from logroute.config.rules.names import nested
from logroute.config.rules.repeats import repeated_records
from logroute.config.rules.rule import rule
from logroute.config.views.certainty import FLOW_SECTIONS, is_fixed, is_overlaid, level_node
from logroute.config.views.facts import Facts
from logroute.config.views.lanes import Lane
from logroute.config.views.survey import Row, Survey, parents, survey
from logroute.config.views.wording import first_line, level_places, title, whose
from logroute.diagnostics import Diagnostic, Severity, info, warning

__all__ = ["handlers_below_loggers", "levels_never_passing", "unrouted_levels"]

_WARNING = 30


@rule("LR304", Severity.WARNING)
def levels_never_passing(facts: Facts) -> Iterator[Diagnostic]:
    """Find routes and handlers that wait for levels which never come (LR304).

    A record passes three gates: the level of its logger (that of the nearest parent
    that has one; the root logger's is WARNING unless something sets it), the level
    in the route's match, and the handler's own. Here no INFO record is made::

        root: {handlers: []}
        routes:
          - {match: {level: INFO}, to: [log-file]}

    Lower the level that stands in the way, or ask for what comes.
    """
    found = survey(facts)
    if found is None:
        return
    lanes = [lane for lane in found.lanes if lane.is_known and lane.taken]
    lanes = [lane for lane in lanes if is_fixed(lane.node.at(("match",)) or lane.node)]
    if not is_overlaid(facts, "handlers", "routes"):
        for lane in lanes:
            yield from _blocked_handlers(facts, found, lane)
    if found.knows_levels and not is_overlaid(facts, "routes"):
        yield from _unmade_levels(facts, found, lanes)


def _blocked_handlers(facts: Facts, found: Survey, lane: Lane) -> Iterator[Diagnostic]:
    for position, name in enumerate(lane.spec.to):
        if not found.handler_levels.get(name) or lane.taken & found.passing[name]:
            continue
        node, spec = facts.node.at(("handlers", name, "level")), facts.config.handlers[name]
        if node is None:
            continue
        level = _name(facts, spec.level)
        target = lane.node.at(("to", position)) or lane.node.at(("to",)) or lane.node
        yield Diagnostic(
            Severity.WARNING,
            "LR304",
            f"`{shown(name)}` gets no record of {title(lane)}: the route takes "
            f"{found.describe(lane.taken)}, the handler only {level} and above",
            first_line(target),
            f"lower the `level` of `{shown(name)}`, or remove it from the route",
            (("the handler's own level", node.span),),
        )


def _unmade_levels(facts: Facts, found: Survey, lanes: list[Lane]) -> Iterator[Diagnostic]:
    """Tell of levels that routes ask for and no logger makes; once for one reason."""
    groups: dict[object, list[Lane]] = {}
    for lane in lanes:
        missing = _unmade(found, lane)
        if missing and lane.spec.to:
            is_default = any(level.origin is None for level in lane.origins)
            which = 0 if is_default else missing  # one `root:` is the cure of all
            key = (which, lane.made != 0 or is_default, frozenset(lane.origins))
            groups.setdefault(key, []).append(lane)
    for same in groups.values():
        lowest = min(
            same, key=lambda lane: found.lowest(lane.plain_bits & lane.taken or lane.taken)
        )
        yield _told_unmade(facts, found, lowest, len(same) - 1)


def _unmade(found: Survey, lane: Lane) -> int:
    """Return the levels that a route asks for in vain; all it takes, or those it names."""
    if not lane.made:
        return lane.taken
    if not lane.is_plain or not lane.spec.match.level:
        return 0
    low, first = found.lowest(lane.plain_bits), found.lowest(lane.made)
    below = found.bits([(low, first - 1)]) & lane.plain_bits
    return below if low and below & lane.taken & found.named else 0


def _told_unmade(facts: Facts, found: Survey, lane: Lane, others: int) -> Diagnostic:
    is_default = any(level.origin is None for level in lane.origins)
    why = "no logger that it is for makes such records"
    if is_default:
        why += "; the root logger has no `level`, and WARNING is the default"
    more = f" (+{others} more route{'s' if others > 1 else ''})" if others else ""
    node = lane.node.at(("match", "level")) or lane.node.at(("match",)) or lane.node
    if lane.made:
        text = f"{title(lane)} asks for {found.describe(_unmade(found, lane))} in vain: {why}{more}"
    else:
        text = f"{title(lane)} never gets a record: {why}{more}"
    is_sure = is_default or not lane.made
    names = [level.origin for level in sorted(lane.origins, key=str)]
    return Diagnostic(
        Severity.WARNING if is_sure else Severity.INFO,
        "LR304",
        text,
        first_line(node),
        _lower(facts, found, lane, is_default),
        level_places(facts, names),
    )


def _lower(facts: Facts, found: Survey, lane: Lane, is_default: bool) -> str:
    level = facts.levels.name(found.lowest(lane.plain_bits & lane.taken or lane.taken))
    if level.startswith("Level ") or level == "NOTSET":
        level = "what the route asks for"
    if is_default and facts.config.root is None and " " not in level:
        return f"add `root: {{level: {level}}}`"
    names = {origin.origin or "root" for origin in lane.origins}
    name = names.pop() if len(names) == 1 else ""
    whose = f"of `{shown(name)}` " if name else "of a logger "
    return f"lower the level {'of the root logger ' if name == 'root' else whose}to {level}"


def _name(facts: Facts, level: str | int) -> str:
    return facts.levels.name(facts.levels.number(level))


@rule("LR305", Severity.WARNING)
def unrouted_levels(facts: Facts) -> Iterator[Diagnostic]:
    """Find WARNING, ERROR and above reaching no handler where lower levels do (LR305).

    A record that no route wants is counted, and from WARNING on its bare message goes
    to standard error; it is in no file and in no mail. Here that happens to every
    ERROR::

        routes:
          - {match: {level: "INFO..WARNING"}, to: [log-file]}

    Let a route take them, such as a last one without `match`. What should be dropped
    gets a route with `to: []`, or `unmatched: drop`. Where records of loggers that the
    file does not name reach no handler at all, that is a remark.
    """
    found = survey(facts)
    if found is None or not found.knows_loggers or is_overlaid(facts, *FLOW_SECTIONS):
        return
    if facts.config.unmatched is not None or facts.is_broken(("unmatched",)):
        return
    gaps: dict[int, list[Row]] = {}
    for row in found.rows.values():
        gap = _gap(found, row)
        if gap:
            gaps.setdefault(gap, []).append(row)
    for gap, rows in gaps.items():
        yield _unrouted(facts, found, gap, rows)
    yield from _unheard_loggers(facts, found)
    yield from _unheard_strangers(facts, found)


def _gap(found: Survey, row: Row) -> int:
    """Return the levels from WARNING on that are lost although lower ones are not."""
    reached = found.reached(row)
    if not reached or not row.reaches_root:
        return 0
    lost = found.from_level(_WARNING) & row.made & found.named & ~reached & ~row.silenced
    below = (lost & -lost) - 1  # the levels below the lowest lost one
    return lost if lost and reached & below & row.made else 0


def _unrouted(facts: Facts, found: Survey, gap: int, rows: list[Row]) -> Diagnostic:
    below = (gap & -gap) - 1
    near = [
        (found.wanted_by(one, rows[0].name) & one.taken & below, one)
        for one in _taking(found, rows[0])
    ]
    lane = max(near, key=lambda pair: pair[0].bit_length(), default=(0, None))[1]
    place = lane.node if lane is not None else facts.node
    node = place.at(("match", "level")) or place.at(("match",)) or place
    is_lost = all(gap & ~row.matched == 0 for row in rows)
    fate = "they vanish" if is_lost else "only their bare message goes to standard error"
    return warning(
        "LR305",
        f"no handler gets {found.describe(gap)}{whose(found, rows)}, though lower levels are "
        f"routed; {fate}",
        first_line(node),
        "let a route take them, or drop them on purpose with `to: []`",
    )


def _taking(found: Survey, row: Row) -> Iterator[Lane]:
    """Yield the routes that give records of a logger to handlers."""
    for lane in found.lanes_of(row.name):
        if lane.taken and lane.spec.to:
            yield lane


def _unheard_loggers(facts: Facts, found: Survey) -> Iterator[Diagnostic]:
    """Tell of loggers whose low level was set for records that go nowhere."""
    if facts.config.routes is None:
        return
    heard = {one for row in found.rows.values() if row.perhaps for one in parents(row.name)}
    for name, spec in facts.config.loggers.items():
        if name in heard:  # or a child of it
            continue
        row, node = found.rows.get(name), level_node(facts, name)
        if row is None or node is None or spec.level is None or not is_fixed(node):
            continue
        level = facts.levels.number(spec.level)
        if not 0 < level < _WARNING or row.silenced or not row.reaches_root:
            continue
        yield warning(
            "LR305",
            f"logger `{shown(name)}` makes records from {facts.levels.name(level)} on, "
            "but no route takes any",
            node.span,
            "let a route take them, or leave the level out",
        )


def _unheard_strangers(facts: Facts, found: Survey) -> Iterator[Diagnostic]:
    """Remark that loggers which the file does not name reach no handler."""
    row = found.rows[STRANGER]
    is_used = any(other.perhaps for other in found.rows.values())
    if row.perhaps or row.silenced or not is_used or not row.reaches_root:
        return
    key = "routes" if facts.config.routes is not None else "loggers"
    span = facts.node.keys.get(key, facts.node.span)
    yield info(
        "LR305",
        "records of other loggers reach no handler; from WARNING on their bare message goes "
        "to standard error",
        span,
        "give the root logger a handler, or end with a route without `match`",
    )


@rule("LR310", Severity.INFO)
def handlers_below_loggers(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers with a level below that of every logger they hang on (LR310).

    A logger makes no record below its level, so a lower one on the handler changes
    nothing. Whoever wrote DEBUG here waits for records that never come::

        handlers:
          console: {class: logging.StreamHandler, level: DEBUG}
        root: {level: INFO, handlers: [console]}

    Lower the logger's level, or leave out the handler's.
    """
    found = survey(facts)
    if found is None or not found.knows_levels or is_overlaid(facts, *FLOW_SECTIONS):
        return
    others = {node.value for entry in facts.section("handlers").values() for node in nested(entry)}
    for name, (lowest, row) in _lowest_levels(found).items():
        if name in others or lowest != row.level.number:
            continue  # it gets records from a handler, or a route is what limits it
        spec, node = facts.config.handlers.get(name), facts.node.at(("handlers", name, "level"))
        if spec is None or node is None or not is_fixed(node):
            continue
        level = facts.levels.number(spec.level)
        if not 0 < level < lowest:
            continue
        yield Diagnostic(
            Severity.INFO,
            "LR310",
            f"handler `{shown(name)}` has the level {facts.levels.name(level)}, but nothing below "
            f"{facts.levels.name(lowest)} gets to it",
            node.span,
            "leave its `level` out, or lower that of a logger",
            level_places(facts, [row.level.origin]),
        )


def _lowest_levels(found: Survey) -> dict[str, tuple[int, Row]]:
    """Return, by handler, the lowest level that gets to it, and a logger that makes it."""
    lowest: dict[str, tuple[int, Row]] = {}
    for row in found.rows.values():
        for name, bits in row.perhaps.items():
            if bits & row.made:
                level = found.lowest(bits & row.made)
                if name not in lowest or level < lowest[name][0]:
                    lowest[name] = (level, row)
    return lowest


ADVICE = (
    levels_never_passing,
    unrouted_levels,
    repeated_records,
    handlers_below_loggers,
    feedback_loops,
)
