"""Formats: patterns, layouts and replacements that their readers refuse.

What they accept, though it can hardly be meant, is in `layouts.py`, `dates.py` and
`patterns.py`. Runs in whatever thread loads a config.
"""

import logging
import re
from collections.abc import Iterator

from logroute.config.decode import is_foreign
from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views.facts import MAX_PATTERNS, Facts, is_unknown, letter, redacted
from logroute.diagnostics import Diagnostic, Fix, Severity, error
from logroute.patterns import lazy_pattern
from logroute.records import STANDARD

__all__ = [
    "bad_formats",
    "bad_patterns",
    "bad_replacements",
    "conversion_cure",
    "lost_conversions",
    "reserved_fields",
]


@rule("LR403", Severity.ERROR)
def bad_patterns(facts: Facts) -> Iterator[Diagnostic]:
    r"""Find regular expressions that Python cannot compile (LR403).

    `message` and `regex` are patterns of Python's `re`, searched in the text::

        routes:
          - {match: {message: "user (deleted"}, to: console}

    Escape what is meant literally: `'user \(deleted'`. In double quotes, where YAML
    has escapes of its own, the backslash is doubled: `"user \\(deleted"`.
    """
    for node in facts.patterns:
        yield from _compile(node)
    if facts.excess_pattern is not None:
        message = f"the patterns are longer than {MAX_PATTERNS} characters in all"
        yield error("LR403", message, facts.excess_pattern.span)


def _compile(node: Node) -> Iterator[Diagnostic]:
    try:
        re.compile(node.value)
    except re.error as fault:
        span = node.span if fault.pos is None else letter(node, fault.pos)
        yield error("LR403", f"bad regular expression: {fault.msg}", span, _cure(fault))
    except (OverflowError, RecursionError) as fault:
        yield error("LR403", f"bad regular expression: {fault}", node.span)


@rule("LR408", Severity.ERROR)
def bad_replacements(facts: Facts) -> Iterator[Diagnostic]:
    r"""Find replacements that name a group which the pattern has not (LR408).

    In the `replacement` of a `redact` filter, `\1` is what the first group of a
    pattern matched::

        filters:
          cards: {type: redact, patterns: ['[0-9]{12}'], replacement: '\1***'}

    Put round brackets around what is to stay.
    """
    for name, spec in facts.config.filters.items():
        entry = facts.node.at(("filters", name))
        node = entry.at(("replacement",)) if entry is not None else None
        if entry is None or node is None or facts.excess_pattern is not None:
            continue
        if isinstance(spec, Foreign) or facts.is_broken(("filters", name)) or is_unknown(entry):
            continue
        if any(fault for pattern in redacted(entry) for fault in _compile(pattern)):
            continue  # which is told already
        try:
            spec.filter()
        except ValueError as fault:
            reason = "no such group" if node.secret else str(fault)[:200]
            message = f"filter `{shown(name)}`: bad `replacement`: {reason}"
            yield error("LR408", message, node.span, _GROUPS)


@rule("LR210", Severity.ERROR)
def reserved_fields(facts: Facts) -> Iterator[Diagnostic]:
    """Find filters that change what every record has (LR210).

    `add_fields`, `rename_fields` and `drop_fields` work on what `extra` and `context`
    gave a record; formatters count on the rest (`name`, `msg`, `lineno`, ...)::

        filters:
          service: {type: rename_fields, fields: {app: name}}

    Use a name that is free, such as `service`. What a record has by itself is left
    out by the formatter.
    """
    for name, spec in facts.config.filters.items():
        if isinstance(spec, Foreign) or not hasattr(spec, "fields"):
            continue
        for node in _field_names(facts, ("filters", name, "fields")):
            if node.value in STANDARD and not node.opaque:
                message = (
                    f"filter `{shown(name)}` cannot change `{node.value}`, which every record has"
                )
                yield error("LR210", message, node.span, "use a name that is free")


def _field_names(facts: Facts, path: Path) -> Iterator[Node]:
    """Yield the names of fields that a filter changes, each with its place."""
    node = facts.node.at(path)
    if node is None or facts.is_broken(path):
        return
    if isinstance(node.value, list):
        yield from node.value
    elif not isinstance(node.value, dict):
        yield node
    else:
        kind = facts.node.at((*path[:2], "type"))
        for key, value in node.value.items():
            yield Node(key, node.keys[key])
            if kind is not None and kind.value == "rename_fields":
                yield value


_GROUPS = (
    r"`\1` is what the first part in round brackets matched: put them around what is to stay; "
    r"a backslash itself is doubled"
)


def _cure(fault: re.error) -> str | None:
    if "nothing to repeat" in fault.msg:
        return "a glob is no regular expression: `*` repeats what stands before it"
    if "unterminated" in fault.msg or "unbalanced" in fault.msg:
        return "close the bracket, or put a backslash before one that is meant literally"
    return None


@rule("LR405", Severity.ERROR)
def bad_formats(facts: Facts) -> Iterator[Diagnostic]:
    """Find layouts that do not fit their style (LR405).

    `style` says how the fields of `format` are written: `%(name)s` for `%`,
    `{name}` for `{`, `${name}` for `$`. The standard library refuses a layout
    without any field of its style when it is loaded::

        formatters:
          line: {format: "{asctime} {message}"}

    Add `style: "{"`, or write the fields in the style given.
    """
    for name, spec in facts.config.formatters.items():
        entry = facts.node.at(("formatters", name))
        if entry is None or facts.is_broken(("formatters", name)) or is_unknown(entry):
            continue
        try:
            if not isinstance(spec, Foreign):
                if not spec.planned:
                    spec.formatter()
            elif not is_foreign(spec.entry):
                _make_std(spec)
        except (ValueError, KeyError, TypeError, IndexError) as fault:
            node = entry.at(("format",)) or entry
            reason = "invalid format" if node.secret else _lower(str(fault))[:200]
            message = f"formatter `{shown(name)}`: {reason}"
            lost = next(lost_conversions(entry), None)
            if lost is not None:
                yield error("LR405", message, node.span, conversion_cure(lost))
                continue
            style = _style_meant(entry)
            cure = style and f'the fields are in the style `{style}`: write `style: "{style}"`'
            yield error("LR405", message, node.span, cure, _restyled(facts, name, style))


def lost_conversions(entry: Node) -> Iterator[re.Match[str]]:
    """Yield the fields of a layout in the style `%` that lack their letter."""
    layout, style = entry.at(("format",)), entry.at(("style",))
    if layout is None or not isinstance(layout.value, str) or layout.secret:
        return
    if style is not None and style.value != "%":
        return
    for found in _FIELD.finditer(layout.value):
        if found["name"] is not None and found["letter"] is None:
            yield found


def conversion_cure(found: re.Match[str]) -> str:
    """Return what to write for a field without its letter."""
    return f"write `%({shown(found['name'])}){found['width']}s`"


# `%%`, or a field; `% d` puts a space before a number, but `%(name) day` does not mean that
_FIELD = lazy_pattern(
    r"%%|%\((?P<name>\w+)\)(?P<width>[#0+-]*[0-9]*(?:\.[0-9]+)?)"
    r"(?P<letter>[hlL]?[diouxXeEfFgGcrsa]| [#0+ -]*[0-9]*(?:\.[0-9]+)?[diouxXeEfFgG](?!\w))?"
)


def _make_std(spec: Foreign) -> None:
    entry = spec.entry
    style, validate = entry.get("style", "%"), bool(entry.get("validate", True))
    # as `DictConfigurator` makes it
    logging.Formatter(entry.get("format"), entry.get("datefmt"), style, validate)  # type: ignore[arg-type]


def _style_meant(entry: Node) -> str | None:
    layout, style = entry.at(("format",)), entry.at(("style",))
    text = layout.value if layout is not None else None
    if not isinstance(text, str):
        return None
    used = style.value if style is not None else "%"
    for wanted, pattern in (("%", r"%\(\w+\)"), ("{", r"\{\w+[^}]*\}"), ("$", r"\$\{?\w+")):
        if wanted != used and re.search(pattern, text):
            return wanted
    return None


def _restyled(facts: Facts, name: str, style: str | None) -> Fix | None:
    """Return the fix that gives a formatter the style of its fields, if that makes it right."""
    from logroute.config.views import fixes  # only for a finding

    entry = facts.node.at(("formatters", name))
    layout = entry.at(("format",)) if entry is not None else None
    if style is None or entry is None or layout is None:
        return None
    try:
        logging.Formatter(layout.value, style=style)  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    given = entry.at(("style",))
    if given is not None:
        return fixes.replace(given, style)
    return fixes.add(facts, ("formatters", name), f'style: "{style}"')


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
