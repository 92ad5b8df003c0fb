"""An explanation in words, line by line, for the command, for tests and for pytest."""

from collections.abc import Iterator

from logroute.app.explain import Explanation, Step
from logroute.diagnostics import Span
from logroute.records import message_of

__all__ = ["narrate", "printable"]

_LONGEST = 200


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
    end = ", final" if step.is_last else ""
    return f"  + {head}  {'; '.join(step.conditions) or 'every record'}  -> {to}{end}"


def _arrivals(told: Explanation) -> Iterator[str]:
    for arrival in told.arrivals:
        name = arrival.handler
        if arrival.level is not None:
            yield f"not reached: {name}, whose own level is {arrival.level}"
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
