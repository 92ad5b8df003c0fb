"""Letters: which ones the places of a regular expression take, as masks over samples.

The samples hold a letter of each kind that a pattern tells apart, so that two
places have a letter in common if their masks have. Pure functions.
"""

import re
from collections.abc import Iterable, Iterator

from logroute.config.regexes.graphs import Budget
from logroute.light import Any

__all__ = ["REPEATS", "Letters", "name_of"]

#: Operations of `re` that repeat and may give back what they took.
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})


def name_of(op: object) -> str:
    """Return the name of an operation of `re`."""
    return str(op)


# one of each kind that categories tell apart
_BASE = frozenset("aA0_!- \n\té٣€\u2003")


def _mentioned(tree: Any) -> Iterator[int]:
    """Yield the codes at which the sets of a pattern begin or end."""
    for op, value in tree:
        name = name_of(op)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield value
        elif name == "RANGE":
            yield from value
        elif name == "IN":
            yield from _mentioned(value)
        elif name in REPEATS:
            yield from _mentioned(value[2])
        elif name == "SUBPATTERN":
            yield from _mentioned(value[3])
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _mentioned(branch)


class Letters:
    """The letters that tell the sets of a pattern apart, and the masks of those sets."""

    def __init__(self, tree: Any, budget: Budget) -> None:
        codes = set(_mentioned(tree))
        near = {chr(c + d) for c in codes for d in (-1, 0, 1) if 0 < c + d < 0x110000}
        near |= {other for char in near for other in (char.lower(), char.upper())}
        letters = {char for char in near if len(char) == 1} | _BASE
        self.letters = sorted(letters, key=_plainness)
        self._budget = budget
        self._masks: dict[tuple[str, int], int] = {}

    def mask(self, op: object, value: Any, flags: int) -> int:
        """Return the letters that one place takes."""
        key = (f"{op} {value}", flags)
        if key not in self._masks:
            items = value if name_of(op) == "IN" else [(op, value)]
            self._budget.spend(len(self.letters) * len(items))
            self._masks[key] = sum(
                1 << index for index, char in enumerate(self.letters) if _takes(items, char, flags)
            )
        return self._masks[key]

    def one_of(self, mask: int) -> str:
        """Return a letter of a set, a plain one if there is one."""
        return self.letters[(mask & -mask).bit_length() - 1]


def _plainness(char: str) -> tuple[bool, bool, str]:
    return (not ("a" <= char <= "z"), not char.isalnum(), char)


def _takes(items: Iterable[Any], char: str, flags: int) -> bool:
    chars = {char, char.lower(), char.upper()} if flags & re.IGNORECASE else {char}
    items = list(items)
    negate = bool(items) and name_of(items[0][0]) == "NEGATE"
    found = any(_is_one(item, each, flags) for item in items[negate:] for each in chars)
    return found != negate


def _is_one(item: Any, char: str, flags: int) -> bool:
    name, value = name_of(item[0]), item[1]
    if name == "ANY":
        return bool(flags & re.DOTALL) or char != "\n"
    if name == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if name == "CATEGORY":
        return _is_of(name_of(value), char, bool(flags & re.ASCII))
    return bool((ord(char[0]) == value) != (name == "NOT_LITERAL"))


def _is_of(category: str, char: str, is_ascii: bool) -> bool:
    kind = category.removeprefix("CATEGORY_")
    plain = kind.removeprefix("NOT_")
    if is_ascii and not char.isascii():
        found = False
    elif plain == "DIGIT":
        found = char.isdecimal()
    elif plain == "SPACE":
        found = char.isspace()
    else:
        found = char.isalnum() or char == "_"
    return found != kind.startswith("NOT_")
