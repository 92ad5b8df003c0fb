"""What the JSON Schema finds wrong, told: one teller per keyword of the schema.

Only the error path comes here. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice

from logroute.config.borrowed import as_duration, as_truth, choice_of_truth, value_cure
from logroute.config.decode import FAMILIES, MAX_PROBLEMS
from logroute.config.findings import (
    View,
    inside,
    subject,
    unknown_key,
)
from logroute.config.nodes import shown
from logroute.config.outdents import is_outdented, outdented
from logroute.config.readers import Path
from logroute.config.scalars import as_core
from logroute.config.slips import lost_space, slip_for, space_fix, text_cure, text_fix
from logroute.config.views import fixes
from logroute.diagnostics import Diagnostic, Fix, error
from logroute.hints import OPTION_SYNONYMS, nearest
from logroute.light import Any

__all__ = ["TELLERS"]

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

_MOST_UNKNOWN = 20
_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


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
    names = [name for name in fault.schema.get("enum", ()) if isinstance(name, str)]
    if names and kinds == ["string"]:
        expects = _one_of(names)
        cure, fix = choice_of_truth(view, path, names)
    else:
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
        text = as_duration(node.text) or shown(node.text)
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
    if kinds[0] == "boolean" and text and (truth := as_truth(node.value)) is not None:
        word = "true" if truth else "false"
        return f"write `{key}: {word}`", fixes.replace(node, truth)
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
    expects = _one_of(names)
    cure, fix = None, None
    if word and not view.is_secret(path):
        cure = view.suggest(word, names, _CHOICE_SYNONYMS)
        cure = cure if cure and cure.startswith("did") else None
        fix = _respelling(view, path, names, cure)
    if cure is None:
        cure, fix = choice_of_truth(view, path, names)
    yield _value_fault(view, path, "LR106", expects, cure, fix)


def _one_of(names: Iterable[str]) -> str:
    return "must be one of " + ", ".join(f"`{name}`" for name in names)


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
    if slip is None:  # no option of any handler is that near
        keys = islice(fault.instance, _MOST_UNKNOWN)
        slip = next((key for key in keys if nearest(key, ("type", "class"))), None)
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
        cure, fix = value_cure(view, path)
    if cure is None:
        cure, fix = text_cure(view, path), text_fix(view, path)
    return error(code, message, view.place(path), cure, fix)


TELLERS: Mapping[str, Callable[[View, Path, Any], Iterator[Diagnostic]]] = {
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
