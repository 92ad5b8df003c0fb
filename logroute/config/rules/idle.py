"""Filters that do nothing. Runs in whatever thread loads a config."""

from collections.abc import Iterator

from logroute.config.decode import is_foreign
from logroute.config.findings import subject
from logroute.config.model import Foreign
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views.entries import text_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, Span, warning
from logroute.light import Any

__all__ = ["idle_filters"]


@rule("LR808", Severity.WARNING)
def idle_filters(facts: Facts) -> Iterator[Diagnostic]:
    """Find filters that let everything pass as it is (LR808).

    They cost time at each record, and whoever reads the file takes it for
    filtered::

        filters:
          some: {type: sample, rate: 1.0}
          repeats: {type: dedupe, window: 0s}

    Write the part that shall pass, such as `rate: 0.1`, or the stretch of time, such
    as `window: 10s`; or remove the filter. A `sample` lets all records from
    `keep_level` on pass, WARNING if it says nothing else, so it does nothing at a
    handler of that level.
    """
    levels = _levels_of_users(facts)
    for name, entry in facts.section("filters").items():
        path: Path = ("filters", name)
        spec = facts.config.filters.get(name)
        if spec is None or _is_unknown(entry) or facts.is_broken(path):
            continue
        found = None
        if isinstance(spec, Foreign):
            found = _idle_name(entry)
        elif (kind := text_of(entry.at(("type",)))) == "sample":
            found = _idle_sample(facts, spec, levels.get(name))
        else:
            found = _idle(kind, spec)
        if found is None:
            continue
        key, fault, cure = found
        place = facts.view.place((*path, key)) if key in entry.value else _of_key(facts, path)
        yield warning("LR808", f"{subject(path)} {fault}", place, cure)


#: The key that is to blame, what is wrong, and what would be right.
_Idle = tuple[str, str, str]


def _of_key(facts: Facts, path: Path) -> Span:
    return facts.view.place(path, of_key=True)


def _is_unknown(entry: Node) -> bool:
    if entry.opaque or not isinstance(entry.value, dict):
        return True
    return any(node.opaque for node in entry.value.values())


def _idle(kind: str, spec: Any) -> _Idle | None:
    """Return why a filter of ours does nothing, if it does."""
    if kind == "throttle" and spec.per == 0:
        return "per", "forgets what passed at once, and drops nothing", "write `per: 1m`"
    if kind == "dedupe" and spec.window == 0:
        return "window", "forgets what passed at once, and drops nothing", "write `window: 10s`"
    if kind == "redact" and not spec.fields and not spec.patterns:
        cure = "leave `fields` out, for the common names of secrets, or give `patterns`"
        return "fields", "has neither `fields` nor `patterns`", cure
    if kind in ("add_fields", "drop_fields") and not spec.fields:
        return "fields", "names no fields", "name the fields, or remove the filter"
    if kind == "rename_fields" and all(old == new for old, new in spec.fields.items()):
        return "fields", "gives no field another name", "name the fields, or remove the filter"
    return None


def _idle_sample(facts: Facts, spec: Any, level: int | None) -> _Idle | None:
    if spec.rate >= 1:
        return "rate", "lets every record pass", "write the part that shall pass: `rate: 0.1`"
    try:
        keep = facts.levels.number(spec.keep_level)
    except ValueError:
        return None
    fault = f"lets every record from {facts.levels.name(keep)} on pass"
    lowest = min([10, *facts.config.levels.values()])
    if keep <= lowest:
        return "keep_level", fault, "write `keep_level: WARNING`"
    if level is not None and level >= keep:
        cure = "remove the filter, or write a higher `keep_level`"
        return "keep_level", f"{fault}, and gets no others", cure
    return None


def _idle_name(entry: Node) -> _Idle | None:
    """Look at a filter written stdlib's way: the name of a logger."""
    name = entry.value.get("name")
    if is_foreign(entry.value) or len(entry.value) > (name is not None):
        return None  # what else it says is looked at by other rules
    if name is None or name.value == "":
        return "name", "names no logger, and lets every record pass", "add `name: ` and the logger"
    return None


def _levels_of_users(facts: Facts) -> dict[str, int]:
    """Return, of filters that only handlers have, the lowest level of those handlers."""
    found: dict[str, int] = {}
    for spec in facts.config.handlers.values():
        try:
            number = facts.levels.number(spec.level)
        except ValueError:
            number = 0
        for name in spec.filters:
            if isinstance(name, str):
                found[name] = min(number, found.get(name, number))
    root = [facts.config.root] if facts.config.root is not None else []
    of_loggers = [spec.filters for spec in (*facts.config.loggers.values(), *root)]
    of_routes = [spec.filters for spec in facts.config.routes or ()]
    for names in (*of_loggers, *of_routes):
        for name in names:
            found.pop(str(name), None)
    return found
