"""Regular expressions that are compiled at their first use, not at import.

A program that starts pays for each pattern of each module; most of ours serve
an error path or a rare spelling.
"""

import re

from logroute.light import Any, cast

__all__ = ["lazy_pattern"]


class _Lazy:
    __slots__ = ("_compiled", "_flags", "_text")

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags
        self._compiled: re.Pattern[str] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._compiled is None:
            self._compiled = re.compile(self._text, self._flags)
        return getattr(self._compiled, name)


def lazy_pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return what works as ``re.compile(text, flags)``, compiled when first used."""
    return cast("re.Pattern[str]", _Lazy(text, flags))
