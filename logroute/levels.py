"""Level names, numbers, and sets of levels such as ``DEBUG..INFO``.

A `Levels` table knows stdlib's names in any case, the aliases WARN and FATAL,
what `logging.addLevelName` added, and the custom levels of one config.
"""

import logging
import re
from collections.abc import Iterable, Mapping

from logroute.hints import LEVEL_SYNONYMS, suggest
from logroute.patterns import lazy_pattern

__all__ = ["HIGHEST", "LevelSet", "Levels"]

#: Stands for "no upper limit" in a level interval.
HIGHEST = 1 << 31

# among more names none is likelier than all others
_MOST_NAMES = 100

_DASHED = lazy_pattern(r"(\w+) *(?:-|to) *(\w+)")
_COMPARISON = lazy_pattern(r"(<=|>=|==|=|<|>)\s*(.+)")
_SIGNS = frozenset("<>=")


class LevelSet:
    """A set of level numbers: a union of closed intervals, sorted and disjoint."""

    __slots__ = ("intervals",)

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        """Join overlapping `intervals`; empty ones vanish."""
        joined: list[tuple[int, int]] = []
        for low, high in sorted(pair for pair in intervals if pair[0] <= pair[1]):
            if joined and low <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], high))
            else:
                joined.append((low, high))
        self.intervals = tuple(joined)

    def __contains__(self, levelno: object) -> bool:
        return isinstance(levelno, int) and any(a <= levelno <= b for a, b in self.intervals)

    def __or__(self, other: "LevelSet") -> "LevelSet":
        return LevelSet(self.intervals + other.intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LevelSet) and self.intervals == other.intervals

    def __hash__(self) -> int:
        return hash(self.intervals)

    def __repr__(self) -> str:
        return f"LevelSet({list(self.intervals)})"


class Levels:
    """Translates level names, for one config."""

    def __init__(self, custom: Mapping[str, int] | None = None) -> None:
        """Know stdlib's registered names and the `custom` ones of a config."""
        known = {**logging.getLevelNamesMapping(), **(custom or {})}
        self._by_name = {name.upper(): number for name, number in known.items()}
        self._by_number = {number: name for name, number in known.items()}
        self._by_number.update({30: "WARNING", 50: "CRITICAL"})

    def number(self, value: str | int) -> int:
        """Return the number of a level given by name (any case) or number.

        Raises:
            ValueError: not a level; the message suggests the likeliest name.
        """
        if isinstance(value, int):
            return value
        word = value.strip()
        if word.upper() in self._by_name:
            return self._by_name[word.upper()]
        if word.isascii() and word.isdigit() and len(word) < 10:
            return int(word)
        raise ValueError(f"`{word[:80]}` is not a level name", self.help(word))

    def help(self, word: str) -> str:
        """Return what to write instead of `word`."""
        known = [name for name in self._by_name if name not in ("WARN", "FATAL")]
        if re.fullmatch(r"(?i)off|none|no|false|disabled?", word):
            return "to silence a logger give it a level above CRITICAL, such as 60"
        if len(known) > _MOST_NAMES:
            return ""
        return suggest(word.upper(), known, LEVEL_SYNONYMS) or ""

    def name(self, number: int) -> str:
        """Return the name of a level number, or ``Level 15``."""
        return self._by_number.get(number, f"Level {number}")

    def parse_set(self, value: str | int | Iterable[str | int]) -> LevelSet:
        """Return the levels meant by `ERROR`, `=ERROR`, `<WARNING`, `DEBUG..INFO` or a list.

        A bare level means that level and above; a list means any of its items.

        Raises:
            ValueError: an unknown level name, or a range without levels.
        """
        if not isinstance(value, str | int):
            sets = [self.parse_set(item) for item in value]
            return LevelSet(pair for one in sets for pair in one.intervals)
        levels = LevelSet([self._interval(value)])
        if not levels.intervals:
            cure = "no level is below 0" if isinstance(value, str) else "no level is so high"
            raise ValueError(f"`{value}` holds no level", cure)
        return levels

    def _interval(self, value: str | int) -> tuple[int, int]:
        if isinstance(value, int):
            return (value, HIGHEST)
        text = value.strip()
        if ".." in text:
            low, high = (part.strip() for part in text.split("..", 1))
            bounds = (self.number(low) if low else 0, self.number(high) if high else HIGHEST)
            if bounds[0] > bounds[1]:
                raise ValueError(f"`{text}` holds no level", f"write `{high}..{low}`")
            return bounds
        if text[:1] in _SIGNS and (found := _COMPARISON.fullmatch(text)):
            return _compare(found[1], self.number(found[2]))
        if ("-" in text or "to" in text) and (found := _DASHED.fullmatch(text)):
            ends = [name for name in found.groups() if name.upper() in self._by_name]
            if len(ends) == 2 and text.upper() not in self._by_name:
                low, high = sorted(ends, key=self.number)
                raise ValueError(f"`{text[:80]}` is not a level name", f"write `{low}..{high}`")
        return (self.number(text), HIGHEST)

    def describe(self, levels: LevelSet) -> str:
        """Return `levels` in words: ``ERROR and above``, ``DEBUG..INFO``."""
        return ", ".join(self._describe(*pair) for pair in levels.intervals) or "no level"

    def _describe(self, low: int, high: int) -> str:
        if low == high:
            return self.name(low)
        if high >= HIGHEST:
            return f"{self.name(low)} and above" if low > 0 else "every level"
        return f"{self.name(low)}..{self.name(high)}" if low > 0 else f"up to {self.name(high)}"


def _compare(sign: str, number: int) -> tuple[int, int]:
    if sign == ">=":
        return (number, HIGHEST)
    if sign == ">":
        return (number + 1, HIGHEST)
    if sign == "<":
        return (0, number - 1)
    if sign == "<=":
        return (0, number)
    return (number, number)
