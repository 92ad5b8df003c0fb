"""The expression of `-k`: words with and, or, not and brackets, as in pytest."""

import re
from collections.abc import Callable

__all__ = ["parse_keywords"]

Selects = Callable[[str], bool]

_TOKENS = re.compile(r"\s*([()]|[^\s()]+)")
_MOST_TOKENS = 200


def parse_keywords(text: str) -> Selects:
    """Return the question whether a name is meant; case does not matter.

    Words that stand together are looked for together: ``payment error and not mail``.

    Raises:
        ValueError: the expression is broken.
    """
    tokens = [found[1] for found in _TOKENS.finditer(text)]
    if len(tokens) > _MOST_TOKENS:
        raise ValueError("-k: the expression is too long")
    selects, rest = _any_of(tokens)
    if rest:
        raise ValueError(f"-k: `{rest[0]}` is not expected there")
    return selects


def _any_of(tokens: list[str]) -> tuple[Selects, list[str]]:
    first, rest = _all_of(tokens)
    parts = [first]
    while rest and rest[0].lower() == "or":
        part, rest = _all_of(rest[1:])
        parts.append(part)
    return lambda name: any(part(name) for part in parts), rest


def _all_of(tokens: list[str]) -> tuple[Selects, list[str]]:
    first, rest = _one(tokens)
    parts = [first]
    while rest and rest[0].lower() == "and":
        part, rest = _one(rest[1:])
        parts.append(part)
    return lambda name: all(part(name) for part in parts), rest


def _one(tokens: list[str]) -> tuple[Selects, list[str]]:
    if not tokens or tokens[0].lower() in ("and", "or", ")"):
        what = f"before `{tokens[0]}`" if tokens else "at the end"
        raise ValueError(f"-k: a word is missing {what}")
    if tokens[0].lower() == "not":
        inner, rest = _one(tokens[1:])
        return lambda name: not inner(name), rest
    if tokens[0] == "(":
        inner, rest = _any_of(tokens[1:])
        if not rest or rest[0] != ")":
            raise ValueError("-k: a bracket is not closed")
        return inner, rest[1:]
    words: list[str] = []
    while tokens and tokens[0].lower() not in ("and", "or", "not", "(", ")"):
        words.append(tokens[0])
        tokens = tokens[1:]
    phrase = " ".join(words).lower()
    return lambda name: phrase in name.lower(), tokens
