"""Fixes for rules to attach: what to change in the text, in terms of the tree.

Each function returns a `Fix`, or None where nobody can say what to change: the
value came from a variable or a dict, its text is escaped or goes over several
lines. What is behind an alias is found out when a fix is applied
(`cli/fixes/fixing.py`), which also turns places into offsets, keeps the quotes that
are there and proves that the text still says the same. Pure functions, called
once a finding is certain.
"""

import os
from collections.abc import Iterable, Mapping

from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.scalars import as_core, as_legacy
from logroute.diagnostics import Edit, Fix, Span
from logroute.hints import distance, nearest
from logroute.light import Any, Protocol

__all__ = ["Value", "add", "certain", "join", "remove", "rename", "replace", "to_text"]

#: What a new value may be; a text is quoted where it would be read as anything else.
Value = str | int | float | bool | list[Any] | tuple[Any, ...] | dict[str, Any] | None

# what begins something else than a text, or ends one inside `[` or `{`
_NO_START = frozenset("-?:,[]{}#&*!|>'\"%@`=<~ ")
_NOWHERE = frozenset(",[]{}")
# in a shorter word one letter says too little
_SHORTEST = 3


class HasTree(Protocol):
    """The facts of a rule, or a view: whatever has the tree."""

    @property
    def node(self) -> Node:
        """The root."""


def replace(node: Node, value: Value, *, is_safe: bool = True) -> Fix | None:
    """Return the fix that writes `value` in the place of a scalar.

    A text is put in quotes where it needs them: ``replace(node, "off")`` writes
    ``"off"``, ``replace(node, 25)`` takes the quotes of ``"25"`` away.
    """
    text = to_text(value, node.span)
    if text is None or not _is_literal(node):
        return None
    return Fix((Edit(node.span, text),), is_safe)


def rename(tree: HasTree, path: Path, new_key: str, *, is_safe: bool = True) -> Fix | None:
    """Return the fix that gives the entry at `path` another key.

    None where the mapping has that key already.
    """
    parent = tree.node.at(path[:-1])
    if parent is None or not isinstance(parent.value, dict) or new_key in parent.value:
        return None
    key = parent.keys.get(str(path[-1]))
    text = to_text(new_key, parent.span)
    if key is None or text is None or not _fits(key, str(path[-1]), (0, 1)):
        return None
    return Fix((Edit(key, text),), is_safe)


def remove(tree: HasTree, path: Path, *, is_safe: bool = True) -> Fix | None:
    """Return the fix that takes away the entry of a mapping, or the item of a list, at `path`."""
    parent, node = tree.node.at(path[:-1]), tree.node.at(path)
    if parent is None or node is None or not path:
        return None
    span = node.span
    if isinstance(parent.value, dict):
        key = parent.keys.get(str(path[-1]))
        if key is None:
            return None
        span = key
        if key.file == node.span.file and key[1:3] <= node.span[1:3]:  # else it is an alias
            span = key._replace(end_line=node.span.end_line, end_column=node.span.end_column)
        if span == parent.span:  # all that its mapping has
            return None
    if not _is_in_text(span):
        return None
    return Fix((Edit(span, "", "remove"),), is_safe)


def add(tree: HasTree, path: Path, entry: str, *, is_safe: bool = True) -> Fix | None:
    """Return the fix that adds `entry`, such as ``encoding: utf-8``, to the mapping at `path`.

    None where the mapping has that key already. The entry is written as in YAML;
    a JSON file gets it as JSON.
    """
    node = tree.node.at(path)
    if node is None or not isinstance(node.value, dict) or not _is_in_text(node.span):
        return None
    key, colon, value = entry.partition(": ")
    if not colon or key in node.value:
        return None
    if _syntax(node.span) == "json":
        entry = f"{_to_json(key)}: {_to_json(_data_of(value))}"
    return Fix((Edit(node.span, entry, "add"),), is_safe)


def join(*fixes: Fix | None) -> Fix | None:
    """Return several fixes as one, done together or not at all; None where one is missing."""
    known = [fix for fix in fixes if fix is not None]
    if not known or len(known) < len(fixes):
        return None
    edits = tuple(dict.fromkeys(edit for fix in known for edit in fix.edits))
    return Fix(edits, all(fix.is_safe for fix in known))


def certain(
    word: str, names: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> str | None:
    """Return the one name that `word` was surely meant to be; None where it is a guess.

    A known synonym, the same letters in another case or with other separators, or one
    slip (a letter too many, too few, wrong or swapped) with no second name as near.
    """
    known = [name for name in names if name != word]
    best = nearest(word, known, synonyms)
    if best is None or best == (synonyms or {}).get(word.casefold()):
        return best
    near = [name for name in known if distance(_folded(word), _folded(name), 1) <= 1]
    same = [name for name in near if _folded(name) == _folded(word)]
    if same:
        return best if len(same) == 1 else None
    return best if near == [best] and len(word) >= _SHORTEST else None


def to_text(value: Value, place: Span) -> str | None:
    """Return how `value` is written in the file of `place`; None where it cannot be said."""
    syntax = _syntax(place)
    if syntax == "json":
        return _to_json(value)
    return _yaml(value) if syntax == "yaml" else None


def _folded(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _to_json(value: Any) -> str:
    import json  # only for a finding

    return json.dumps(value, ensure_ascii=False)


def _syntax(place: Span) -> str:
    suffix = os.path.splitext(place.file)[1].lower()
    return {".json": "json", ".toml": "toml"}.get(suffix, "yaml")


def _data_of(text: str) -> Any:
    """Return what a value written in YAML is."""
    from logroute.config.parse import parse
    from logroute.config.source import from_text

    root, _ = parse(from_text(f"value: {text}"))
    node = root.at(("value",)) if root is not None else None
    return node.data() if node is not None else text


def _yaml(value: Value) -> str | None:
    if isinstance(value, str):
        return _yaml_text(value)
    if isinstance(value, dict):
        return _enclosed("{}", (_pair(key, item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return _enclosed("[]", map(_yaml, value))
    if isinstance(value, bool) or value is None:
        return _to_json(value)
    return str(value) if value - value == 0 else None


def _pair(key: str, value: Value) -> str | None:
    name, text = _yaml(key), _yaml(value)
    return None if name is None or text is None else f"{name}: {text}"


def _enclosed(brackets: str, parts: Iterable[str | None]) -> str | None:
    texts = list(parts)
    if None in texts:
        return None
    return f"{brackets[0]}{', '.join(map(str, texts))}{brackets[1]}"


def _yaml_text(text: str) -> str | None:
    """Return a text as YAML, without quotes where all readers take it for a text."""
    if not text.isprintable():
        return None
    if _is_plain(text):
        return text
    if ('"' in text or "\\" in text) and "'" not in text:
        return f"'{text}'"
    return _to_json(text)


def _is_plain(text: str) -> bool:
    if not text or text[0] in _NO_START or text[-1] in ": " or ": " in text or " #" in text:
        return False
    if not _NOWHERE.isdisjoint(text):
        return False
    return isinstance(as_core(text), str) and isinstance(as_legacy(text), str)


def _is_literal(node: Node) -> bool:
    """Return whether the text of a scalar stands as it is at its place."""
    if isinstance(node.value, dict | list) or node.opaque or node.untyped or node.secret:
        return False
    if not node.text and not isinstance(node.value, str):
        return False  # nothing is written there
    if node.plain:
        return _fits(node.span, node.text, (0,))
    if isinstance(node.value, str):
        return _fits(node.span, node.text, (1,))
    return _syntax(node.span) == "json" and _fits(node.span, node.text, (0,))


def _fits(span: Span, text: str, quotes: tuple[int, ...]) -> bool:
    """Return whether `span` has room for just `text` with that many quotes at each end."""
    width = span.end_column - span.column
    return span.line == span.end_line and width in [len(text) + 2 * count for count in quotes]


def _is_in_text(span: Span) -> bool:
    """Return whether something is written at `span`, in a file that can be edited."""
    return _syntax(span) != "toml" and span[1:3] < span[3:5]
