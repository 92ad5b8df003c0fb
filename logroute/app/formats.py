"""Which formatter a handler has; `build` and `explain` ask the same functions.

Runs in whatever thread builds or explains a config.
"""

import logging
from collections.abc import Mapping

from logroute.config.model import Foreign
from logroute.formatters import KINDS, FormatterSpec
from logroute.formatters.text import StdlibFormatter
from logroute.light import Any

__all__ = ["default_formatter", "known_formatter"]


def known_formatter(spec: FormatterSpec | Foreign) -> logging.Formatter | None:
    """Return the formatter of an entry, or None where it names code of somebody else.

    Raises:
        ValueError: the entry is none that works.
        TypeError: the same, of an entry written stdlib's way.
    """
    if not isinstance(spec, Foreign):
        return spec.formatter()
    return _stdlib_formatter(spec.entry) if _is_plain(spec.entry) else None


def default_formatter(kind: str) -> logging.Formatter:
    """Return the formatter of a handler that names none; `kind` is its sink's default."""
    spec = KINDS.get(kind)
    assert spec is not None
    return spec().formatter()


def _is_plain(entry: Mapping[str, Any]) -> bool:
    """Return whether a formatter entry names no code, so that no configurator is needed."""
    texts = [value for value in entry.values() if isinstance(value, str)]
    return not {"class", "()", "."} & set(entry) and not any("://" in text for text in texts)


def _stdlib_formatter(entry: Mapping[str, Any]) -> logging.Formatter:
    """Return the formatter that `DictConfigurator` would make of a plain entry."""
    is_stock = all(_is_stdlib(getattr(logging.Formatter, name)) for name in _PATCHED)
    kind = StdlibFormatter if is_stock else logging.Formatter
    return kind(
        entry.get("format"),
        entry.get("datefmt"),
        entry.get("style", "%"),
        entry.get("validate", True),
        defaults=entry.get("defaults"),
    )


#: Methods of stdlib's formatter in whose place programs put their own.
_PATCHED = ("format", "formatMessage", "formatTime", "formatException", "formatStack", "usesTime")


def _is_stdlib(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == logging.makeLogRecord.__code__.co_filename
