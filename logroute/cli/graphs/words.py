"""Levels and conditions in words, as pictures and `diff` say them.

Pure; runs in the thread of the command.
"""

from collections.abc import Callable, Iterable, Mapping

from logroute.cli.graphs import Step
from logroute.config.nodes import SECRET_NAME, shown
from logroute.levels import HIGHEST, Levels
from logroute.matchers import MatchSpec, compile_match
from logroute.options import VEIL

__all__ = ["Scale", "say_match"]

_STANDARD = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_LONGEST = 300


class Scale:
    """The named levels of a config, stdlib's five and its own, and stretches of them in words."""

    def __init__(self, *custom: Mapping[str, int]) -> None:
        """Know stdlib's names and the `custom` ones."""
        known = dict(_STANDARD)
        for names in custom:
            for name, number in names.items():
                known.setdefault(number, shown(name))
        self._names = dict(sorted(known.items()))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The named levels, ascending."""
        return tuple(Step(name, number) for number, name in self._names.items())

    def step(self, number: int) -> Step:
        """Return a level by its number, with a name for people."""
        unnamed = "NOTSET" if number == 0 else f"level {number}"
        return Step(self._names.get(number, unnamed), number)

    def has_name(self, intervals: Iterable[tuple[int, int]]) -> bool:
        """Return whether any level in closed intervals has a name."""
        return any(low <= number <= high for low, high in intervals for number in self._names)

    def say_all(self, intervals: Iterable[tuple[int, int]]) -> str:
        """Return several closed intervals in words."""
        return ", ".join(self.say(low, high) for low, high in intervals) or "no level"

    def say(self, low: int, high: int) -> str:
        """Return a closed interval in words.

        A stretch up to just under a named level ends, for people, with the named
        level before: 30..39 is WARNING.
        """
        inside = [number for number in self._names if low <= number <= high]
        if high >= HIGHEST:
            return self._and_above(low)
        if low <= 0:
            if inside:
                return f"{self._upper(inside, high)} and below"
            after = high + 1
            return f"below {self._names[after]}" if after in self._names else f"up to level {high}"
        if not inside:
            return f"level {low}" if low == high else f"levels {low}..{high}"
        lower, upper = self._lower(low), self._upper(inside, high)
        return lower if lower == upper else f"{lower}..{upper}"

    def _and_above(self, low: int) -> str:
        if low <= 0:
            return "every level"
        if low not in self._names and low - 1 in self._names:
            return f"above {self._names[low - 1]}"
        return f"{self._lower(low)} and above"

    def _lower(self, low: int) -> str:
        return self._names.get(low, f"level {low}")

    def _upper(self, inside: list[int], high: int) -> str:
        is_whole = high == inside[-1] or high + 1 in self._names
        return self._names[inside[-1]] if is_whole else f"level {high}"


#: Whether the value at a path below the match must not be shown.
Hides = Callable[[tuple[str | int, ...]], bool]


def say_match(match: MatchSpec, levels: Levels, scale: Scale, hides: Hides) -> tuple[str, ...]:
    """Return each condition of a match in words, secrets veiled."""
    found: list[str] = []
    if match.level:
        told = scale.say_all(levels.parse_set(match.level).intervals)
        found.append(f"level: {VEIL if hides(('level',)) else told}")
    if match.logger:
        found.append(f"logger: {VEIL if hides(('logger',)) else ', '.join(match.logger)}")
    for key in ("exception", "message"):
        value = getattr(match, key)
        if value not in (None, ()):
            alone = MatchSpec(**{key: value})
            found.append(_label(alone, levels, key, hides((key,))))
    for name, test in match.fields.items():
        is_hidden = hides(("fields", name)) or SECRET_NAME.search(name) is not None
        found.append(_label(MatchSpec(fields={name: test}), levels, f"fields.{name}", is_hidden))
    found += _say_inner(match, levels, scale, hides)
    return tuple(shown(text, _LONGEST) for text in found)


def _label(match: MatchSpec, levels: Levels, key: str, is_hidden: bool) -> str:
    return f"{key}: {VEIL}" if is_hidden else compile_match(match, levels).conditions[0].label


def _say_inner(match: MatchSpec, levels: Levels, scale: Scale, hides: Hides) -> list[str]:
    def inside(key: str, index: int, item: MatchSpec) -> str:
        path = (key,) if key == "not" else (key, index)
        said = say_match(item, levels, scale, lambda rest: hides((*path, *rest)))
        return "; ".join(said) or "every record"

    found = []
    if match.any:
        inner = [f"({inside('any', index, item)})" for index, item in enumerate(match.any)]
        found.append(f"any of {' or '.join(inner)}")
    for index, item in enumerate(match.all):
        found.append(inside("all", index, item))
    if match.negate is not None:
        found.append(f"not ({inside('not', 0, match.negate)})")
    return found
