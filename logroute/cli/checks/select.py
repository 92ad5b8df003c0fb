"""Which findings are shown and how they count: --select, --ignore, --severity, -v.

Codes are given in full, as the beginning of a code (`LR3` for an area) or by
their name. What says that a file could not be read (LR00x) cannot be taken out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from logroute.diagnostics import NAMES, Diagnostic, Severity
from logroute.hints import nearest
from logroute.patterns import lazy_pattern

__all__ = ["Selection", "UsageError", "codes_of", "is_reading"]

_PREFIX = lazy_pattern(r"LR\d{0,3}")


class UsageError(Exception):
    """The command line cannot be understood; the message says why."""


def is_reading(code: str) -> bool:
    """Return whether `code` says that a text could not be read as it is."""
    return code.startswith("LR00")


def codes_of(word: str) -> frozenset[str]:
    """Return the codes that a code, the beginning of one, or a name stands for.

    Raises:
        UsageError: it stands for none.
    """
    upper = word.upper()
    if _PREFIX.fullmatch(upper):
        found = frozenset(code for code in NAMES if code.startswith(upper))
        if found:
            return found
    by_name = {name: code for code, name in NAMES.items()}
    if word.lower() in by_name:
        return frozenset((by_name[word.lower()],))
    near = nearest(upper, NAMES) if _PREFIX.match(upper) else nearest(word.lower(), by_name)
    meant = f"; did you mean `{near}`?" if near else "; `logroute rule --all` lists them"
    raise UsageError(f"no rule is called `{word}`{meant}")


class Selection:
    """What to do with each code.

    Attributes:
        is_verbose: remarks are shown.
    """

    __slots__ = ("_explicit", "_ignored", "_selected", "_severities", "is_verbose")

    def __init__(
        self,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        severity: Sequence[str] = (),
        *,
        is_verbose: bool = False,
    ) -> None:
        """Understand the options, each a list of comma-separated words.

        Raises:
            UsageError: a word means nothing.
        """
        self._selected = _weights(select)
        self._ignored = _weights(ignore)
        self._severities = _severities(severity)
        self._explicit = bool(select)
        self.is_verbose = is_verbose

    def is_selected(self, code: str) -> bool:
        """Return whether findings of `code` are wanted; the more exact option wins."""
        if is_reading(code):
            return True
        if self._severities.get(code, Severity.INFO) is None:
            return False
        wanted = self._selected.get(code, 0)
        if self._explicit and not wanted:
            return False
        return not self._ignored.get(code, 0) or self._ignored[code] < wanted

    def apply(self, items: Iterable[Diagnostic]) -> tuple[list[Diagnostic], int]:
        """Return what is shown, with its severity, and how many remarks are hidden."""
        shown, hidden = [], 0
        for item in items:
            if not self.is_selected(item.code):
                continue
            severity = self._severities.get(item.code)
            if severity is not None and severity is not item.severity:
                item = item._replace(severity=severity)  # noqa: PLW2901
            if item.severity is Severity.INFO and not self._shows_remark(item.code):
                hidden += 1
            else:
                shown.append(item)
        return shown, hidden

    def _shows_remark(self, code: str) -> bool:
        return self.is_verbose or code in self._selected or code in self._severities


def _weights(options: Sequence[str]) -> Mapping[str, int]:
    """Return the codes that are named, and how exactly: the letters of the code that were given."""
    weights: dict[str, int] = {}
    for word in _words(options):
        codes = codes_of(word)
        weight = len(word) if _PREFIX.fullmatch(word.upper()) else 5
        for code in codes:
            weights[code] = max(weight, weights.get(code, 0))
    return weights


def _severities(options: Sequence[str]) -> Mapping[str, Severity | None]:
    """Return the severity wanted for each code that is named; None: off."""
    names: dict[str, Severity | None] = {item.value: item for item in Severity}
    names["off"] = None
    wanted: dict[str, Severity | None] = {}
    for word in _words(options):
        code, equals, level = word.partition("=")
        if not equals:
            raise UsageError(f"--severity takes CODE=LEVEL, such as LR302=error, not `{word}`")
        if level.lower() not in names:
            near = nearest(level.lower(), names, {"warn": "warning", "none": "off"})
            meant = f"did you mean `{near}`?" if near else f"known here: {', '.join(names)}"
            raise UsageError(f"--severity knows no level `{level}`; {meant}")
        codes = codes_of(code)
        if any(is_reading(item) for item in codes) and len(codes) == 1:
            raise UsageError(f"--severity cannot change {code}: it says that a file is not read")
        for item in codes:
            if not is_reading(item):
                wanted[item] = names[level.lower()]
    return wanted


def _words(options: Sequence[str]) -> list[str]:
    return [word for option in options for word in re.split(r"[,\s]+", option) if word]
