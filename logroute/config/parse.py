"""Text or dict -> tree of nodes.

YAML, JSON and TOML are read under limits that hold while reading, and every
fault of the text becomes a diagnostic. Runs in whatever thread loads a config.
"""

from collections.abc import Mapping

from logroute.collector import paused_collector
from logroute.config import plainyaml
from logroute.config.nodes import (
    MAX_DEPTH,
    Budget,
    Node,
    RefusedError,
    TupleItems,
    too_deep,
    too_long,
)
from logroute.config.scalars import MAX_DIGITS
from logroute.config.source import MAX_BYTES, Lines, Source
from logroute.diagnostics import Diagnostic, Severity, Span, error
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["parse"]

# what YAML does not take; a lone surrogate cannot even be written out
_NOT_YAML = lazy_pattern(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_PLAIN_ASCII = bytes([9, 10, 13, *range(32, 127)])
_NOT_TEXT = lazy_pattern(r"[\x00\ud800-\udfff]")
_REMARK = lazy_pattern(r" #[^\s#]")


def parse(source: Source, budget: Budget | None = None) -> tuple[Node | None, list[Diagnostic]]:
    """Build the tree of `source`; never raises, whatever the text.

    Args:
        source: the text or dict.
        budget: what has been read before, for an included file.

    Returns:
        The root, or None where nothing can be read, and what is wrong. With a
        root, there may still be errors: of keys, tags and aliases.
    """
    faults: list[Diagnostic] = []
    try:
        with paused_collector():
            root = _build(source, budget or Budget(), faults)
    except RefusedError as refusal:
        if refusal.diagnostic.code not in {fault.code for fault in faults}:
            faults.append(refusal.diagnostic)  # else it follows from the first
        return None, faults
    faults += _oddities(source, root)
    if root is None or (root.value is None and not root.opaque):
        empty = error(
            "LR003",
            "the config is empty",
            Span(source.name, 1, 1, 1, 1),
            "start with `version: 1` and a `handlers` mapping",
        )
        is_told = any(fault.severity is Severity.ERROR for fault in faults)
        return None, faults if is_told else [*faults, empty]
    return root, faults


def _oddities(source: Source, root: Node | None) -> list[Diagnostic]:
    """Return what the eye reads otherwise than the parser; few texts have any."""
    text = source.text
    found: list[Diagnostic] = []
    if not text.isascii() or "\r" in text:
        from logroute.config.oddities import odd_characters

        found += odd_characters(source)
    if source.syntax == "yaml" and root is not None and " #" in text and _REMARK.search(text):
        from logroute.config.oddities import comments_in_secrets

        found += comments_in_secrets(source, root)
    return found


def _build(source: Source, budget: Budget, faults: list[Diagnostic]) -> Node | None:
    if source.data is not None:
        return _from_mapping(source.data, Span(source.name, 1, 1, 1, 1), budget, 1)
    text = source.text
    if len(text) > MAX_BYTES:
        top = Span(source.name, 1, 1, 1, 1)
        cure = "a config is far smaller: see whether this is the right text"
        raise RefusedError(error("LR004", f"larger than {MAX_BYTES // 1024} KiB", top, cure))
    found = None
    if not _is_plain_ascii(text):
        found = (_NOT_YAML if source.syntax == "yaml" else _NOT_TEXT).search(text)
    if found:
        line, column = Lines(text).place(found.start())
        span = Span(source.name, line, column, line, column + 1)
        raise RefusedError(
            error(
                "LR002",
                f"the control character U+{ord(found[0]):04X} is not text",
                span,
                "remove it; the output of a program may have got into the file",
            )
        )
    if source.syntax == "json":
        from logroute.config.jsontext import build
    elif source.syntax == "toml":
        from logroute.config.tomltext import build
    else:
        plain = plainyaml.read(source, budget)
        if plain is not None:
            return plain
        from logroute.config.yamltext import build
    return build(source, budget, faults)


def _is_plain_ascii(text: str) -> bool:
    """Return whether `text` is printable ASCII, tabs and line ends, as most files are."""
    return text.isascii() and not text.encode().translate(None, _PLAIN_ASCII)


def _from_mapping(value: Any, span: Span, budget: Budget, depth: int) -> Node:
    """Build nodes from Python data; what is not plain data stays as it is."""
    budget.add(1, span)
    if isinstance(value, Mapping | list | tuple) and depth > MAX_DEPTH:
        raise too_deep(span)
    if isinstance(value, Mapping):
        entries = {
            _key(key): _from_mapping(item, span, budget, depth + 1) for key, item in value.items()
        }
        return Node(entries, span, dict.fromkeys(entries, span))
    if isinstance(value, list | tuple):
        items = (_from_mapping(item, span, budget, depth + 1) for item in value)
        return Node(TupleItems(items) if isinstance(value, tuple) else list(items), span)
    if isinstance(value, int) and value.bit_length() > MAX_DIGITS * 4:
        raise RefusedError(too_long(span))
    return Node(value, span, text=_word(value))


def _key(key: object) -> str:
    return "null" if key is None else _word(key) or str(key)


def _word(value: object) -> str:
    """Return how a Python scalar is written in a config."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    from datetime import date  # only a dict can hold one

    return str(value) if isinstance(value, date) else ""
