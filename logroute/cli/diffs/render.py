"""The differences of two configs as text, and as JSON (`schemas/diff.schema.json`).

Pure; runs in the thread of the command.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from logroute.cli.diffs import Change, Difference, Line, OptionChange, PartChange, Way
from logroute.cli.diffs.scopes import label, say_scope
from logroute.cli.graphs.words import Scale
from logroute.config.nodes import shown
from logroute.levels import HIGHEST
from logroute.light import Any

__all__ = ["render_json", "render_text"]

FORMAT_VERSION = "1.0"
_SIGNS = {"added": ("+", "32"), "removed": ("-", "31"), "changed": ("~", "33")}
_TIMES = ("before", "after")
Paint = Callable[[str, str], str]


def render_text(found: Difference, scale: Scale, *, is_colored: bool = False) -> str:
    """Return the differences as lines for people."""

    def paint(text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if is_colored else text

    if found.is_same:
        return "nothing changed: routing is the same, and so are all parts\n"
    lines = ["routing is the same"]
    if found.routing:
        lines = ["routing", *(f"  {line}" for line in _routing(found.routing, scale, paint))]
    for section, changes in found.parts.items():
        if changes:
            lines += ["", section]
            lines += [f"  {_part(change, paint)}" for change in changes]
    return "\n".join(lines) + "\n"


def _routing(lines: Iterable[Line], scale: Scale, paint: Paint) -> Iterator[str]:
    """Yield the changes of levels that have a name; the others are hardly ever used."""
    left = 0
    for line in lines:
        if not scale.has_name(line.levels):
            left += 1
            continue
        head = f"{say_scope(line.scope)}, {scale.say_all(line.levels)}"
        yield f"{head}: {_change(line.change, paint)}"
    if left:
        yield "and at levels without a name, which --format json shows"


def _change(change: Change, paint: Paint) -> str:
    """Return ``+ops-mail -log-file`` and what else is to be said."""
    words = []
    if change.made is not None:
        words.append("newly made" if change.made[1] else "no longer made")
    words += [paint(f"+{_way(way)}", "32") for way in change.added]
    words += [paint(f"-{_way(way)}", "31") for way in change.removed]
    words += [
        paint(f"~{_name(after)} (before {_some(before)}; now {_some(after)})", "33")
        for before, after in change.altered
    ]
    return " ".join(words)


def _name(way: Way) -> str:
    return shown(way.handler)


def _way(way: Way) -> str:
    return f"{_name(way)} ({way.words})" if way.words else _name(way)


def _some(way: Way) -> str:
    return way.words or "all records"


def _part(change: PartChange, paint: Paint) -> str:
    sign, color = _SIGNS[change.change]
    head = paint(f"{sign} {change.name}", color)
    told = change.what or "; ".join(map(_option, change.options))
    return f"{head}: {told}" if told else head


def _option(change: OptionChange) -> str:
    name = change.option
    if not name:
        return f"{change.before} -> {change.after}"
    if change.is_secret:
        verb = "set" if change.before is None else "removed" if change.after is None else "changed"
        return f"{name} {verb}"
    if change.before is None:
        return f"{name} {change.after} (new)"
    if change.after is None:
        return f"{name} {change.before} removed"
    return f"{name} {change.before} -> {change.after}"


# -- for machines


def render_json(found: Difference, scale: Scale, old: str, new: str) -> str:
    """Return the differences as JSON text."""
    document = {
        "format_version": FORMAT_VERSION,
        "old": old,
        "new": new,
        "same": found.is_same,
        "routing": {
            "same": not found.routing,
            "changes": [_line(line, scale) for line in found.routing],
        },
        **{section: [_document(c) for c in changes] for section, changes in found.parts.items()},
    }
    return json.dumps(document, indent=2) + "\n"


def _line(line: Line, scale: Scale) -> dict[str, Any]:
    change = line.change
    return {
        "loggers": {
            "kind": line.scope.kind,
            "names": list(map(label, line.scope.names)),
            "but": [{"kind": kind, "name": label(name)} for kind, name in line.scope.but],
            "text": say_scope(line.scope),
        },
        "levels": {
            "ranges": [
                {"from": low, "to": None if high >= HIGHEST else high} for low, high in line.levels
            ],
            "text": scale.say_all(line.levels),
        },
        "made": None if change.made is None else dict(zip(_TIMES, change.made, strict=True)),
        "added": list(map(_reached, change.added)),
        "removed": list(map(_reached, change.removed)),
        "altered": list(_altered(change)),
    }


def _reached(way: Way) -> dict[str, Any]:
    return {"handler": _name(way), "when": way.words or None}


def _altered(change: Change) -> Iterator[dict[str, Any]]:
    for before, after in change.altered:
        yield {
            "handler": _name(after),
            "before": before.words or None,
            "after": after.words or None,
        }


def _document(change: PartChange) -> dict[str, Any]:
    return {
        "change": change.change,
        "name": change.name,
        "what": change.what,
        "options": [
            {
                "option": option.option,
                "before": option.before,
                "after": option.after,
                "secret": option.is_secret,
            }
            for option in change.options
        ],
    }
