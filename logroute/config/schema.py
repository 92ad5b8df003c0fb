"""The JSON Schema applied to a tree: its errors, as diagnostics with exact places.

Only the error path comes here: jsonschema is imported when decoding has found
that something is wrong. Runs in whatever thread loads a config.
"""

import functools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from logroute.config.decode import FAMILIES, MAX_PROBLEMS, Decoded, is_marked, read
from logroute.config.describe import document, find_schema
from logroute.config.findings import (
    View,
    in_order,
    inside,
    is_inside,
    subject,
    tell,
    unknown_key,
)
from logroute.config.nodes import Node, shown
from logroute.config.outdents import is_outdented, outdented
from logroute.config.readers import Path, Problem
from logroute.config.scalars import as_core
from logroute.config.slips import lost_space, slip_for, space_fix, text_cure, text_fix
from logroute.config.views import fixes
from logroute.diagnostics import Diagnostic, Fix, error
from logroute.hints import OPTION_SYNONYMS, nearest

__all__ = ["diagnose", "plain", "validator"]

#: Other words for our kinds.
_KIND_SYNONYMS: Mapping[str, str] = {
    "smtp": "email",
    "mail": "email",
    "udp": "datagram",
    "tcp": "socket",
    "stream": "console",
    "stdout": "console",
    "stderr": "console",
    "rotating_file": "file",
    "rotating": "file",
    "https": "http",
    "webhook": "http",
    "plain": "text",
    "line": "text",
    "jsonl": "json",
    "ndjson": "json",
}

#: Words for choices that are called otherwise here.
_CHOICE_SYNONYMS: Mapping[str, str] = {"ssl": "tls", "drop": "drop_newest"}
#: The classes of the standard library that our kinds stand for.
_KIND_OF_CLASS: Mapping[str, str] = {
    "StreamHandler": "console",
    "FileHandler": "file",
    "WatchedFileHandler": "file",
    "RotatingFileHandler": "file",
    "TimedRotatingFileHandler": "file",
    "SMTPHandler": "email",
    "HTTPHandler": "http",
    "SocketHandler": "socket",
    "DatagramHandler": "datagram",
    "SysLogHandler": "syslog",
    "MemoryHandler": "memory",
    "NullHandler": "null",
}

#: What says more than the kind that it stands for.
_HALF_SYNONYMS = frozenset({"stdout", "stderr", "rotating", "rotating_file"})

_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}

_MOST_UNKNOWN = 20
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
                told += _TELLERS[fault.validator](view, path, fault)
    for path, fault in values.items():
        told += _TELLERS[fault.validator](view, path, fault)
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


# -- one teller per keyword ------------------------------------------------------------


def _unknown_keys(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    known, patterns = fault.schema["properties"], fault.schema.get("patternProperties", ())
    unknown = (
        key
        for key in fault.instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    )
    for key in islice(unknown, MAX_PROBLEMS):
        yield unknown_key(view, (*path, key), known)


def _missing_keys(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    for key in fault.validator_value:
        if key not in fault.instance:
            slip = slip_for(view, path, key)
            if slip is not None:
                yield unknown_key(view, (*path, slip), fault.schema.get("properties", (key,)))
                continue
            if path and _is_misspelt(fault, key):
                continue
            cure, fix = f"add `{key}`{_described(fault.schema, key)}", None
            if key == "version" and not path:
                cure, fix = "write `version: 1`", fixes.add(view, path, "version: 1")
            message = f"{subject(path)} needs the key `{key}`"
            yield error("LR102", message, view.place(path, of_key=True), cure, fix)


def _is_misspelt(fault: Any, missing: str) -> bool:
    """Return whether a key that is told of as unknown is the missing one, misspelt."""
    known = fault.schema.get("properties", ())
    if fault.schema.get("additionalProperties") is not False:
        return False
    unknown = [key for key in fault.instance if key not in known][:_MOST_UNKNOWN]
    return any(nearest(key, known, OPTION_SYNONYMS) == missing for key in unknown)


def _described(schema: Mapping[str, Any], key: str) -> str:
    """Return what an option is for, as the end of a sentence."""
    text = schema.get("properties", {}).get(key, {}).get("description", "")
    return f": {text[0].lower()}{text[1:].rstrip('.')}" if text else ""


def _wrong_type(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    wanted = fault.validator_value
    kinds = [wanted] if isinstance(wanted, str) else [kind for kind in wanted if kind != "null"]
    expects = fault.schema.get("x-expects")
    if expects is None:
        expects = "must be " + " or ".join(_TYPE_WORDS[kind] for kind in kinds)
    if _is_empty_name(view, path, expects):
        yield _empty_name(view, path, expects)
        return
    if is_outdented(view, path):
        return
    keys = fault.schema.get("properties", ())
    cure, fix = _cure(view, path, kinds, keys)
    yield _value_fault(view, path, "LR103", expects, cure, fix)


def _is_empty_name(view: View, path: Path, expects: str) -> bool:
    node = view.at(path)
    is_name = expects.startswith("must be the name of a ")
    return is_name and node is not None and node.value is None and isinstance(path[-1], str)


def _empty_name(view: View, path: Path, expects: str) -> Diagnostic:
    part = expects.rpartition(" ")[2]
    nothing = "silence" if path[-1] == "to" else "none"
    cure = f"write `{path[-1]}: []` for {nothing}, or name {part}s"
    return error("LR103", f"{subject(path)} is empty", view.place(path, of_key=True), cure)


def _cure(
    view: View, path: Path, kinds: list[str], keys: Collection[str]
) -> tuple[str | None, Fix | None]:
    """Return what would be right in words, and as a fix where it is certain."""
    node, key = view.at(path), path[-1] if path else None
    if node is None:
        return None, None
    if kinds == ["object"] and key == "timeout" and isinstance(node.value, str | int | float):
        text = shown(node.text)
        return f"write `timeout: {{connect: {text}, send: {text}}}`", None
    if "object" in kinds and isinstance(node.value, str):
        cure = lost_space(view, path, keys)
        first, _, rest = node.value.partition(" ")
        if cure is None and rest and first in keys:
            return f"put a colon after `{first}`: `{first}: {shown(rest.strip())}`", None
        return cure, space_fix(view, path) if cure else None
    if kinds == ["object"] and isinstance(node.value, list) and len(path) == 1:
        return "write each as `name:` with its keys indented below, without a `-`", None
    if len(path) == 2 and node.value is None:
        lost = outdented(view, path)
        if lost:
            names = ", ".join(f"`{shown(name)}`" for name in lost[:5])
            return f"indent {names} below, so that they are part of `{shown(str(key))}`", None
        if path[0] == "handlers":
            return (
                f"say what it is, as in `{shown(str(key))}: {{type: console}}`, or remove it",
                None,
            )
    if not isinstance(key, str):
        return None, None
    if node.value is None and ":" in key:
        cure = lost_space(view, path)
        return cure, space_fix(view, path) if cure else None
    text = "" if view.is_secret(path) else shown(node.text)
    if kinds == ["string"] and isinstance(node.value, int | float):
        fix = fixes.replace(node, node.text)
        return (f'put it in quotes: `{key}: "{text}"`' if text else "put it in quotes"), fix
    meant = as_core(text)
    is_number = bool(text) and not isinstance(meant, str | None)
    if kinds[0] in ("integer", "number") and isinstance(node.value, str) and is_number:
        return f"write it without quotes: `{key}: {text}`", fixes.replace(node, meant)
    if kinds == ["object"] and node.value in (True, None):
        return f"write `{key}: {{}}` to have it with its defaults", fixes.replace(node, {})
    if kinds == ["array"] and isinstance(node.value, str) and text:
        return f"write `{key}: [{text}]`", fixes.replace(node, [node.value])
    if kinds == ["array"] and isinstance(node.value, dict):
        return "write each item behind a `-`", None
    return None, None


def _wrong_text(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    expects = fault.schema.get("x-expects", "does not have the right form")
    yield _value_fault(view, path, "LR103", expects)


def _out_of_range(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    words = {
        "minimum": "must be at least",
        "maximum": "must be at most",
        "exclusiveMaximum": "must be less than",
    }
    expects = f"{words[fault.validator]} {fault.validator_value:g}"
    low, high = fault.schema.get("minimum"), fault.schema.get("maximum")
    if fault.validator == "exclusiveMaximum":
        cure = f"write less than {fault.validator_value:g}"
    elif low is not None and high is not None:
        cure = f"write a number from {low:g} to {high:g}"
    else:
        cure = f"write {low:g} or more" if low is not None else f"write {high:g} or less"
    yield _value_fault(view, path, "LR104", expects, cure)


def _too_few(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    count = fault.validator_value
    expects = f"needs at least {count} item{'s' if count > 1 else ''}"
    cure = f"name {'one' if count == 1 else 'more'}, or remove the key"
    yield error("LR104", f"{subject(path)} {expects}", view.place(path), cure)


def _bad_choice(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    names = [name for name in fault.validator_value if isinstance(name, str)]
    node = view.at(path)
    word = node.value if node is not None and isinstance(node.value, str) else ""
    if fault.schema.get("$comment") == "LR105":
        yield _unknown_kind(view, path, word)
        return
    expects = "must be one of " + ", ".join(f"`{name}`" for name in names)
    cure, fix = None, None
    if word and not view.is_secret(path):
        cure = view.suggest(word, names, _CHOICE_SYNONYMS)
        cure = cure if cure and cure.startswith("did") else None
        fix = _respelling(view, path, names, cure)
    yield _value_fault(view, path, "LR106", expects, cure, fix)


def _respelling(
    view: View,
    path: Path,
    names: Iterable[str],
    cure: str | None,
    synonyms: Mapping[str, str] | None = None,
) -> Fix | None:
    """Return the fix of a misspelt word, where there is no doubt what was meant."""
    node = view.at(path)
    if node is None or cure is None:
        return None
    meant = fixes.certain(str(node.value), names, synonyms)
    return fixes.replace(node, meant) if meant and f"`{meant}`" in cure else None


def _unknown_kind(view: View, path: Path, word: str) -> Diagnostic:
    family = str(path[0]).removesuffix("s")
    broken = FAMILIES[family].broken.get(word)
    if broken is not None:
        message = f"{family} type `{shown(word)}` of an installed package cannot be loaded"
        why = f"mend or remove the package: {shown(broken, 200)}"
        return error("LR105", message, view.place(path), why)
    names = FAMILIES[family].announced()
    cure = view.suggest(word, names, _KIND_SYNONYMS)
    fix = _respelling(view, path, names, cure, _KIND_SYNONYMS)
    if fix is not None and word.casefold() in _HALF_SYNONYMS:
        fix = fix._replace(is_safe=False)
    if family == "handler" and word in _KIND_OF_CLASS:
        module = "" if word in ("StreamHandler", "FileHandler", "NullHandler") else "handlers."
        kind = _KIND_OF_CLASS[word]
        cure, fix = f"write `type: {kind}`, or stdlib's `class: logging.{module}{word}`", None
    if "." in word:
        cure = f"a class is written `class: {shown(word)}`"
        fix = fixes.rename(view, path, "class")
    message = f"unknown {family} type {view.show(path)}{inside(path[:-1])}"
    return error("LR105", message, view.place(path), cure, fix)


def _bad_version(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    code = fault.schema["$comment"]
    node = view.at(path)
    is_one = node is not None and node.text.strip("vV ") in ("1", "1.0")
    fix = fixes.replace(node, 1, is_safe=is_one) if node is not None else None
    yield _value_fault(view, path, code, fault.schema["x-expects"], "write `version: 1`", fix)


def _contradiction(view: View, path: Path, _fault: Any) -> Iterator[Diagnostic]:
    entry = view.at(path)
    other = "()" if entry is not None and "()" in entry.value else "class"
    yield error(
        "LR108",
        f"{subject(path)} has both `type` and `{other}`",
        view.place((*path, "type"), of_key=True),
        f"`type` is a kind of logroute, `{other}` one of your own: keep one of the two",
    )


def _none_of(view: View, path: Path, fault: Any) -> Iterator[Diagnostic]:
    if fault.schema.get("$comment") != "LR102":
        yield _value_fault(view, path, "LR103", fault.schema["x-expects"])
        return
    slip = next((key for name in ("type", "class") if (key := slip_for(view, path, name))), None)
    if slip is not None:
        yield unknown_key(view, (*path, slip), ("type", "class"))
        return
    names = ", ".join(f"`{name}`" for name in FAMILIES["handler"].names())
    message = f"{subject(path)} {fault.schema['x-expects']}"
    yield error("LR102", message, view.place(path, of_key=True), f"types: {names}")


def _value_fault(
    view: View,
    path: Path,
    code: str,
    expects: str,
    cure: str | None = None,
    fix: Fix | None = None,
) -> Diagnostic:
    message = f"{subject(path)} {expects}, got {view.show(path)}"
    if cure is None:
        cure, fix = text_cure(view, path), text_fix(view, path)
    return error(code, message, view.place(path), cure, fix)


_TELLERS: Mapping[str, Callable[[View, Path, Any], Iterator[Diagnostic]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "pattern": _wrong_text,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
    "minItems": _too_few,
    "enum": _bad_choice,
    "const": _bad_version,
    "not": _contradiction,
    "anyOf": _none_of,
}
