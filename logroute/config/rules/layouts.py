"""Layouts: the fields that format strings show, and those they fail to show.

A formatter with a class of its own
may read its layout as it likes, and filters may give records more fields, so that
only what is surely misspelt is told there. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from logroute.config.decode import is_foreign
from logroute.config.model import Foreign, RouteSpec
from logroute.config.nodes import Node, shown
from logroute.config.rules.conversions import lost_letters
from logroute.config.rules.dates import bad_dates
from logroute.config.rules.formats import lost_conversions
from logroute.config.rules.rule import Rule, rule
from logroute.config.views import fixes
from logroute.config.views.entries import class_of, handlers
from logroute.config.views.facts import Facts
from logroute.config.views.lines import FORMS, Layout, layouts
from logroute.diagnostics import Diagnostic, Severity, info, warning
from logroute.hints import nearest
from logroute.matchers import MatchSpec
from logroute.patterns import lazy_pattern
from logroute.records import STANDARD

__all__ = ["ADVICE"]

#: Most findings of one kind in one layout, and most guesses at what was meant.
_MOST_SHOWN, _MOST_GUESSES = 20, 200

#: What people call the fields of a record elsewhere.
_SYNONYMS: Mapping[str, str] = {
    "level": "levelname",
    "level_name": "levelname",
    "severity": "levelname",
    "loglevel": "levelname",
    "logger": "name",
    "logger_name": "name",
    "loggername": "name",
    "time": "asctime",
    "timestamp": "asctime",
    "datetime": "asctime",
    "date": "asctime",
    "text": "message",
    "line": "lineno",
    "line_number": "lineno",
    "function": "funcName",
    "func": "funcName",
    "func_name": "funcName",
    "file": "filename",
    "path": "pathname",
    "pid": "process",
    "process_id": "process",
    "thread_id": "thread",
    "milliseconds": "msecs",
}
#: What OpenTelemetry's instrumentation of `logging` gives to every record.
_INSTRUMENTED = frozenset({"otelSpanID", "otelTraceID", "otelTraceSampled", "otelServiceName"})
#: Fields as other styles write them: by the style of the layout.
_STRANGERS = {
    "%": lazy_pattern(r"\$?\{(?P<name>\w+)(?:[!:][^{}]*)?\}|\$(?P<bare>[A-Za-z]\w*)"),
    "{": lazy_pattern(r"%\((?P<name>\w+)\)[#0+-]*[0-9.]*[a-zA-Z]?|\$(?P<bare>[A-Za-z]\w*)"),
    "$": lazy_pattern(r"%\((?P<name>\w+)\)[#0+-]*[0-9.]*[a-zA-Z]?|(?<!\$)\{(?P<bare>\w+)[^{}]*\}"),
}


# -- LR401


@rule("LR401", Severity.WARNING)
def unknown_fields(facts: Facts) -> Iterator[Diagnostic]:
    """Find fields in layouts that no record has (LR401).

    A record has the attributes of `logging.LogRecord`, the file's `context`, the
    formatter's `defaults`, and whatever filters or the program add. Where a field
    is missing, the standard library prints an error in place of the record::

        formatters:
          line: {format: "%(asctime)s %(levlname)s %(message)s"}

    Correct the name, or give the field a value in `defaults`. Where filters or
    classes of your own may add fields, only misspelt names are told of; a field that
    only certain loggers need, which may set it by `extra`, is a remark.
    """
    added = _added(facts)
    may_add = not facts.is_complete or _may_add(facts)
    general: set[str] | None = None
    guesses = 0
    for layout in layouts(facts):
        known = STANDARD | added | _INSTRUMENTED | _keys(layout.entry.at(("defaults",)))
        unknown = dict(reversed([field for field in layout.fields if field[0] not in known]))
        for name, start in islice(sorted(unknown.items(), key=lambda item: item[1]), _MOST_SHOWN):
            guesses += 1
            meant = (
                nearest(name, sorted(known - _INSTRUMENTED), _SYNONYMS)
                if guesses <= _MOST_GUESSES
                else None
            )
            is_slip = meant is not None and _is_slip(name, meant)
            if (layout.is_own or may_add or _is_foreign_user(facts, layout)) and not is_slip:
                continue
            if general is None:
                general = set(_general_handlers(facts))
            tell = warning if meant or not general.isdisjoint(layout.users) else info
            yield _unknown_field(tell("LR401", "", layout.entry.span), layout, name, start, meant)


def _unknown_field(
    found: Diagnostic, layout: Layout, name: str, start: int, meant: str | None
) -> Diagnostic:
    end = start + len(name)
    cure = "give it a value in the formatter's `defaults`, or have a filter add it"
    return found._replace(
        message=f"formatter `{shown(layout.name)}`: no record has a field `{shown(name)}`",
        span=layout.place(start, end) if layout.node is not None else layout.entry.span,
        help=f"did you mean `{meant}`?" if meant else cure,
        fix=layout.changed(start, end, meant, is_safe=_is_slip(name, meant)) if meant else None,
    )


def _keys(node: Node | None) -> set[str]:
    return set(node.value) if node is not None and isinstance(node.value, dict) else set()


def _added(facts: Facts) -> set[str]:
    """Return the fields that the file itself gives to records."""
    names = set(facts.config.context)
    for spec in facts.config.filters.values():
        fields = getattr(spec, "fields", None)
        if isinstance(fields, Mapping):  # `add_fields`; `rename_fields` has old: new
            names.update(str(key) for key in fields)
            names.update(str(value) for value in fields.values())
    return names


def _may_add(facts: Facts) -> bool:
    """Return whether a filter that is not ours, or not known, may give records fields."""
    filters = facts.config.filters.values()
    if any(isinstance(spec, Foreign) and is_foreign(spec.entry) for spec in filters):
        return True
    config = facts.config
    used = [name for handler in config.handlers.values() for name in handler.filters]
    for logger in (*config.loggers.values(), *([config.root] if config.root else ())):
        used += logger.filters
    for route in config.routes or ():
        used += route.filters
    return any(not isinstance(name, str) or name not in config.filters for name in used)


def _is_foreign_user(facts: Facts, layout: Layout) -> bool:
    """Return whether a handler that is neither ours nor stdlib's uses the layout."""
    for name in layout.users:
        entry = facts.node.at(("handlers", name))
        if entry is None or not isinstance(entry.value, dict) or not is_foreign(entry.value):
            continue
        if not class_of(entry).startswith("logging."):
            return True
    return False


def _general_handlers(facts: Facts) -> Iterator[str]:
    """Yield the handlers that get records of any logger."""
    if facts.config.root is not None:
        yield from facts.config.root.handlers
    for route in facts.config.routes or ():
        if _is_general(route):
            yield from route.to


def _is_general(route: RouteSpec) -> bool:
    return route.match.replace(level=(), exception=()) == MatchSpec(level=(), exception=())


def _is_slip(word: str, meant: str | None) -> bool:
    """Return whether one letter too many, too few, another or two swapped are the difference."""
    if meant is None or len(word) < 5 or word.casefold() == meant.casefold():
        return False
    start = 0
    while start < min(len(word), len(meant)) and word[start] == meant[start]:
        start += 1
    left, right = word[start:], meant[start:]
    return (
        left[1:] == right
        or left == right[1:]
        or left[1:] == right[1:]
        or (left[:2] == right[:2][::-1] and left[2:] == right[2:])
    )


# -- what a layout lacks


def _plain_layouts(facts: Facts) -> Iterator[Layout]:
    """Yield the layouts whose meaning is certain: stdlib's own reading, and valid."""
    return (layout for layout in layouts(facts) if not layout.is_own and layout.fields)


@rule("LR406", Severity.WARNING)
def no_message(facts: Facts) -> Iterator[Diagnostic]:
    """Find layouts that leave the message out (LR406).

    What the program has to say is in the field `message`; a line without it says
    when and where something happened, but not what::

        formatters:
          line: {format: "%(asctime)s %(levelname)s %(name)s"}

    Add `%(message)s`, or `{message}` in the style `{`. Layouts that show fields of
    your own, as access logs do, are not told of.
    """
    for layout in _plain_layouts(facts):
        if not layout.users or layout.node is None or not layout.names <= STANDARD:
            continue
        is_told = any(lost_conversions(layout.entry)) or any(_strangers(layout))
        if layout.names.isdisjoint(("message", "msg")) and not is_told:
            message = f"formatter `{shown(layout.name)}` does not show the message of a record"
            cure = f"add `{FORMS[layout.style].format('message')}`"
            yield warning("LR406", message, layout.node.span, cure)


@rule("LR411", Severity.WARNING)
def strange_fields(facts: Facts) -> Iterator[Diagnostic]:
    """Find fields written in another style than their layout (LR411).

    A layout has one style, and what is written in another is shown as it stands.
    Every line of this one ends with the word `{message}`::

        formatters:
          line: {format: "%(asctime)s %(levelname)s {message}"}

    Write `%(message)s`, or write all fields as `{name}` and add `style: "{"`.
    """
    for layout in _plain_layouts(facts):
        if layout.node is None:
            continue
        for found in islice(_strangers(layout), _MOST_SHOWN):
            yield _strange(layout, found)


def _strangers(layout: Layout) -> Iterator[re.Match[str]]:
    """Yield the fields that are written in another style."""
    known = STANDARD | _keys(layout.entry.at(("defaults",)))
    text = layout.node.value if layout.node is not None else ""
    if not any(mark in text for mark in "%{$" if mark != layout.style):
        return
    for found in _STRANGERS[layout.style].finditer(text):
        if (found["name"] or found["bare"]) in known:
            yield found


def _strange(layout: Layout, found: re.Match[str]) -> Diagnostic:
    right = FORMS[layout.style].format(found["name"] or found["bare"])
    start, end = found.span()
    message = (
        f"formatter `{shown(layout.name)}` shows `{shown(found[0])}` as it stands: "
        f"its style is `{layout.style}`"
    )
    fix = layout.changed(start, end, right, is_safe=False)
    return warning("LR411", message, layout.place(start, end), f"write `{right}`", fix)


@rule("LR412", Severity.WARNING)
def unused_dates(facts: Facts) -> Iterator[Diagnostic]:
    """Find date formats of layouts that show no date (LR412).

    `datefmt` says how the field `asctime` is written, and does nothing else::

        formatters:
          line: {format: "%(levelname)s %(message)s", datefmt: "%H:%M:%S"}

    Add `%(asctime)s` to the layout, or remove `datefmt`. Handlers of other packages
    may show a column for the time of their own, as `rich` does, so that the formatters
    which they use are not told of.
    """
    for layout in _plain_layouts(facts):
        date = layout.entry.at(("datefmt",))
        if date is None or not date.value or "asctime" in layout.names:
            continue
        if any(lost_conversions(layout.entry)):  # `%(asctime)`, which is told
            continue
        if _is_foreign_user(facts, layout):
            continue
        path = ("formatters", layout.name, "datefmt")
        message = f"`datefmt` of formatter `{shown(layout.name)}` has no effect without `asctime`"
        cure = f"add `{FORMS[layout.style].format('asctime')}` to `format`, or remove `datefmt`"
        place = facts.view.place(path, of_key=True)
        yield warning("LR412", message, place, cure, fixes.remove(facts, path))


# -- LR410

#: Stdlib's handlers that write the text of a record and nothing else.
_WRITERS = frozenset(
    {
        "logging.StreamHandler",
        "logging.FileHandler",
        "logging.handlers.RotatingFileHandler",
        "logging.handlers.TimedRotatingFileHandler",
        "logging.handlers.WatchedFileHandler",
        "logging.handlers.SMTPHandler",
    }
)


@rule("LR410", Severity.INFO)
def bare_messages(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers of the standard library without a formatter (LR410).

    They write the message alone: no time, no level, no logger::

        handlers:
          log: {class: logging.FileHandler, filename: /var/log/app.log, encoding: utf-8}

    Name a formatter. The kinds of logroute (`type: file`) have a fuller layout of
    their own.
    """
    if facts.config.incremental:
        return
    for name, entry in _writers(facts):
        formatter = entry.at(("formatter",))
        if formatter is None or not (formatter.value or formatter.opaque):
            message = f"handler `{shown(name)}` has no formatter, and writes the bare message"
            place = facts.view.place(("handlers", name), of_key=True)
            yield info("LR410", message, place, "name a formatter that shows time and level")


def _writers(facts: Facts) -> Iterable[tuple[str, Node]]:
    for name, entry in handlers(facts):
        if class_of(entry) in _WRITERS and not facts.is_broken(("handlers", name)):
            yield name, entry


ADVICE: tuple[Rule, ...] = (
    unknown_fields,
    bad_dates,
    no_message,
    lost_letters,
    bare_messages,
    strange_fields,
    unused_dates,
)
