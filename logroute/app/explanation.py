"""An explanation: what became of one record, route by route, and the same in words.

For the command, for tests and for pytest. Pure; runs in whatever thread asks.
"""

import logging
from collections.abc import Iterator

from logroute.diagnostics import Span
from logroute.light import TYPE_CHECKING, NamedTuple
from logroute.records import message_of

if TYPE_CHECKING:
    from logroute.app.explain import Explainer

__all__ = ["Arrival", "Explanation", "Step", "narrate", "printable"]

_LONGEST = 200


class Step(NamedTuple):
    """What one route did, or the handlers of one logger, which are a route at it.

    Attributes:
        label: the route's name, ``routes[2]``, ``loggers.app`` or ``root``.
        place: where it stands in the file.
        matched: whether the record took it.
        failed: the first condition that did not hold.
        stopped_by: the earlier route that was the last one, so that it was not tried.
        conditions: all its conditions, in words.
        handlers: those it added.
        withheld: those that would have got it, but for `dropped_by`.
        dropped_by: the filter of the route that dropped it.
        audit: whether those that get it get it in the caller's thread.
        repeated: those of its handlers that an earlier route has given the record to.
        is_last: whether it ended the walk.
        number: which of the routes it is, from 0; None: the handlers of a logger.
    """

    label: str
    place: Span | None
    matched: bool
    failed: str | None
    stopped_by: str | None
    conditions: tuple[str, ...]
    handlers: tuple[str, ...]
    withheld: tuple[str, ...]
    dropped_by: str | None
    audit: bool
    repeated: tuple[str, ...]
    is_last: bool
    number: int | None


class Arrival(NamedTuple):
    """What became of the record at one handler that routes chose.

    Attributes:
        handler: its name.
        place: where it is defined.
        record: as it is behind the handler's filters; None: it got no further.
        level: the handler's own level, where that kept it out.
        filter: the filter that dropped it.
        doubts: what only the live process can tell: foreign filters, chance.
        route: the label of the route whose filter that is; None: it is the handler's.
    """

    handler: str
    place: Span | None
    record: logging.LogRecord | None
    level: str | None = None
    filter: str | None = None
    doubts: tuple[str, ...] = ()
    route: str | None = None


class Explanation:
    """Where one record goes, and why; its `str` is what `logroute explain` prints.

    Attributes:
        record: the record, with the file's context on it.
        level: the level from which its logger makes records.
        level_origin: the logger that says so; None: stdlib's default.
        level_place: where the file says so.
        is_made: whether its logger makes such a record at all.
        dropped_by: the filter of its logger that drops it.
        steps: the routes, from top to bottom.
        stops_at: the logger with ``propagate: false`` that keeps it from the routes.
        stops_place: where the file says so.
        is_unmatched: no route wants it.
        arrivals: the handlers that routes chose, in order.
        reaches: names of the handlers that get it.
        to_stderr: nobody gets it, and its message is shown on stderr.
    """

    def __init__(self, explainer: "Explainer", record: logging.LogRecord) -> None:
        """Start with a record of which nothing is known."""
        self._explainer = explainer
        self.record = record
        self.level = 0
        self.level_origin: str | None = None
        self.level_place: Span | None = None
        self.is_made = True
        self.dropped_by: str | None = None
        self.doubts: tuple[str, ...] = ()
        self.steps: tuple[Step, ...] = ()
        self.stops_at: str | None = None
        self.stops_place: Span | None = None
        self.is_unmatched = False
        self.arrivals: tuple[Arrival, ...] = ()
        self.reaches: tuple[str, ...] = ()
        self.to_stderr = False

    @property
    def is_dropped(self) -> bool:
        """Whether nobody gets the record, not even stderr."""
        return not self.reaches and not self.to_stderr

    @property
    def unmatched(self) -> tuple[str, ...] | None:
        """Where the file sends records that no route wants; None: it does not say."""
        return self._explainer.config.unmatched

    def level_name(self, number: int) -> str:
        """Return the name of a level, custom ones included."""
        return self._explainer.levels.name(number)

    def output(self, handler: str) -> str:
        """Return what `handler` writes of the record, without the line end.

        Raises:
            LookupError: the record does not reach `handler`.
            UnknownOutputError: the text cannot be told without importing something.
        """
        for arrival in self.arrivals:
            if arrival.handler == handler and arrival.record is not None:
                return self._explainer.output(handler, arrival.record)
        raise LookupError(f"the record does not reach `{handler}`")

    def output_of(self, handler: str, record: logging.LogRecord) -> str:
        """Return what `handler` would write of another `record`; see `output`."""
        return self._explainer.output(handler, record)

    def __str__(self) -> str:
        """Return the explanation as `logroute explain` prints it."""
        return "\n".join(narrate(self))


def narrate(told: Explanation, *, is_colored: bool = False) -> list[str]:
    """Return the lines that say where a record goes, and why."""
    lines = [_record(told), _level(told)]
    if told.dropped_by is not None:
        lines.append(f"dropped by the logger's filter `{told.dropped_by}`")
    lines += [f"perhaps dropped: {doubt}" for doubt in told.doubts]
    width = max([len(step.label) for step in told.steps], default=0)
    matched = set()
    for step in told.steps:
        if step.matched:
            matched.add(len(lines))
        lines.append(_step(step, width))
    if told.stops_at is not None:
        place = _place(told.stops_place)
        lines.append(
            f"  x `{told.stops_at}` does not propagate{place}: root and routes are not asked"
        )
    lines += _arrivals(told)
    if told.is_unmatched:
        lines.append(_unmatched(told))
    lines.append(f"reaches: {', '.join(told.reaches) or 'nothing'}")
    lines = [printable(line) for line in lines]
    if is_colored:
        lines = [f"\x1b[32m{x}\x1b[0m" if i in matched else x for i, x in enumerate(lines)]
    return lines


def printable(text: str) -> str:
    """Return `text` without what a terminal obeys: names and patterns may hold anything."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _record(told: Explanation) -> str:
    record = told.record
    text = repr(message_of(record))
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    info = record.exc_info
    error = f", exception {info[0].__name__}" if isinstance(info, tuple) and info[0] else ""
    return f"record  {record.name} {record.levelname} {text}{error}"


def _level(told: Explanation) -> str:
    origin = "stdlib's default; the file sets none"
    if told.level_origin is not None:
        origin = f"from `{told.level_origin}`{_place(told.level_place)}"
    verdict = "" if told.is_made else "  -> no such record is ever made"
    return f"logger level {told.level_name(told.level)} ({origin}){verdict}"


def _step(step: Step, width: int) -> str:
    place = f"  {step.place}" if step.place is not None else ""
    head = f"{step.label:<{width}}{place}"
    if step.stopped_by:
        return f"  - {head}  not tried: {step.stopped_by} was final"
    if step.failed:
        return f"  - {head}  does not hold: {step.failed}"
    to = ", ".join(step.handlers)
    if not to:
        to = "nothing more" if step.repeated else "nothing (silenced)"
    if step.repeated:
        verb = "has" if len(step.repeated) == 1 else "have"
        to += f" ({', '.join(step.repeated)} {verb} it already)"
    if step.dropped_by is not None:
        to = f"nothing: its filter `{step.dropped_by}` drops it"
    end = ", audited" if step.audit and step.dropped_by is None else ""
    end += ", final" if step.is_last else ""
    return f"  + {head}  {'; '.join(step.conditions) or 'every record'}  -> {to}{end}"


def _arrivals(told: Explanation) -> Iterator[str]:
    for arrival in told.arrivals:
        name = arrival.handler
        if arrival.level is not None:
            yield f"not reached: {name}, whose own level is {arrival.level}"
        elif arrival.route is not None:
            of = f"filter `{arrival.filter}` of {arrival.route}"
            yield f"not reached: {name}, since {of} drops it"
        elif arrival.filter is not None:
            yield f"not reached: {name}, whose filter `{arrival.filter}` drops it"
        for doubt in arrival.doubts:
            yield f"perhaps not reached: {name}, since {doubt}"


def _unmatched(told: Explanation) -> str:
    if told.stops_at is not None:
        text = "no handler on the way"
    elif told.unmatched is not None:
        return f"no route wants it; unmatched: {', '.join(told.unmatched) or 'nothing'}"
    else:
        text = "no route wants it"
    if told.record.levelno >= 30:
        return f"{text}; WARNING and above then goes to stderr"
    return f"{text}; below WARNING it is only counted"


def _place(span: Span | None) -> str:
    return f", {span}" if span is not None else ""
