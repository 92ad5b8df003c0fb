"""The JSON Schema applied to a tree: its errors, as diagnostics with exact places.

Only the error path comes here: jsonschema is imported when decoding has found
that something is wrong. Runs in whatever thread loads a config.
"""

import functools
import json
import re
from collections.abc import Iterator

from logroute.config.decode import FAMILIES, MAX_PROBLEMS, Decoded, is_marked, read
from logroute.config.describe import document, find_schema
from logroute.config.findings import (
    View,
    in_order,
    is_inside,
    tell,
)
from logroute.config.nodes import Node
from logroute.config.readers import Path, Problem
from logroute.config.tellers import TELLERS
from logroute.diagnostics import Diagnostic
from logroute.light import Any

__all__ = ["diagnose", "plain", "validator"]


# Of several faults of one value the first in this order is told.
_PRIORITY = ("type", "const", "enum", "pattern", "minimum", "maximum", "exclusiveMaximum", "anyOf")
# `$` where it is the end of a pattern or of an alternative
_END = re.compile(r"(?<!\\)\$(?=$|[|)])")


def diagnose(node: Node, found: Decoded | None = None) -> list[Diagnostic]:
    """Return what the JSON Schema finds wrong with an expanded tree.

    What a variable stands for is judged by decoding, which knows how to read it.
    """
    view = View(node, found or read(node))
    told: list[Diagnostic] = []
    values: dict[Path, Any] = {}
    planned = {item.path for item in view.found.problems if item.code == "LR190" and item.of_key}
    for count, fault in enumerate(validator(_plugins()).iter_errors(_suspects(view))):
        path = tuple(fault.absolute_path)
        if count >= MAX_PROBLEMS or len(told) >= MAX_PROBLEMS:
            break
        if not _is_soft(node, path) and not is_inside(path, planned):
            if fault.validator in _PRIORITY:
                values[path] = min(values.get(path, fault), fault, key=_rank)
            else:
                told += TELLERS[fault.validator](view, path, fault)
    for path, fault in values.items():
        told += TELLERS[fault.validator](view, path, fault)
    told += [tell(view, problem) for problem in _soft_problems(view)]
    return in_order(told)


def _rank(fault: Any) -> int:
    return _PRIORITY.index(fault.validator)


def _plugins() -> frozenset[str]:
    """Return the plug-in kinds that the config asked for."""
    return frozenset(name for table in FAMILIES.values() for name in table.used_plugins())


@functools.cache
def validator(plugins: frozenset[str] = frozenset()) -> Any:
    """Return the validator of the committed schema, or of one that knows the plug-ins."""
    import jsonschema
    from jsonschema.validators import extend

    if plugins:
        schema = document(with_plugins=True)
    else:
        with open(find_schema(), encoding="utf-8") as file:
            schema = json.load(file)
    # in ECMA 262 `$` is the very end of a text, in Python also before a last newline
    make: Any = extend
    own = {"pattern": _check_pattern, "allOf": _check_all_of}
    return make(jsonschema.Draft7Validator, own)(schema)


def _check_all_of(validator: Any, parts: Any, instance: Any, _: Any) -> Iterator[Any]:
    """Ask each part; those about other kinds than that of the instance have nothing to say."""
    for index, part in enumerate(parts):
        if not _is_of_other_kind(part, instance):
            yield from validator.descend(instance, part, schema_path=index)


def _is_of_other_kind(part: Any, instance: Any) -> bool:
    """Return whether `part` says ``if type is x then``, and the instance has another type."""
    if not isinstance(instance, dict) or "if" not in part or "else" in part:
        return False
    condition = part["if"]
    kind = condition.get("properties", {}).get("type", {}).get("const")
    is_about_kind = isinstance(kind, str) and "type" in condition.get("required", ())
    return is_about_kind and instance.get("type") != kind


def _check_pattern(_: Any, pattern: str, instance: object, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not re.search(_END.sub(r"\\Z", pattern), instance):
        yield ValidationError("does not match")


class _Unknown:
    """Stands for what JSON does not have: a Python object, an infinite number."""


def plain(node: Node) -> Any:
    """Return a tree as JSON data."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return _Unknown()
    return value if isinstance(value, str | int | float | None) else _Unknown()


def _suspects(view: View) -> Any:
    """Return the tree as JSON data, without the entries that decoding likes.

    The schema judges each entry alone; but whether a file is ours at all hangs
    on there being one that is.
    """
    problems = [problem.path for problem in view.found.problems if problem.is_shape]
    bad = {path[:2] for path in problems}
    if not isinstance(view.node.value, dict):
        return plain(view.node)
    data: dict[str, Any] = {}
    for key, node in view.node.value.items():
        if (key,) in bad or key not in _ENTRIES or not isinstance(node.value, dict | list):
            data[key] = plain(node)
        elif isinstance(node.value, list):
            last = max((i for i in range(len(node.value)) if (key, i) in bad), default=-1)
            items = enumerate(node.value[: last + 1])
            data[key] = [plain(item) if (key, i) in bad else {} for i, item in items]
        else:
            entries = node.value.items()
            data[key] = {name: plain(item) for name, item in entries if (key, name) in bad}
            ours = next((name for name, item in entries if _is_ours(key, item)), None)
            if ours is not None:
                data[key][ours] = plain(node.value[ours])
    return data


_ENTRIES = ("handlers", "formatters", "filters", "loggers", "levels", "context", "routes")


def _is_ours(section: str, entry: Node) -> bool:
    if section == "loggers":
        return not isinstance(entry.value, dict)
    family = section.removesuffix("s")
    return family in FAMILIES and isinstance(entry.value, dict) and is_marked(family, entry.value)


def _is_soft(node: Node, path: Path) -> bool:
    """Return whether decoding alone can judge the value at `path`."""
    current: Node | None = node
    for step in path:
        if current is None or current.opaque:
            return True
        current = current.at((step,))
    if current is None or current.opaque or current.untyped:
        return True
    return not isinstance(current.value, str | int | float | dict | list | None)


def _soft_problems(view: View) -> list[Problem]:
    return [
        problem
        for problem in view.found.problems
        if problem.is_shape and not problem.of_key and _is_soft(view.node, problem.path)
    ]
