"""What a scalar written without quotes means, in YAML 1.2 and in YAML 1.1.

A file means what YAML's 1.2 core schema says. The parts written stdlib's way
are read as PyYAML's SafeLoader (1.1) reads them, since that is how they have
been read so far. Pure functions.
"""

from collections.abc import Callable

from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["MAX_DIGITS", "as_core", "as_legacy", "is_number"]

#: Longer numbers are refused: Python limits the conversion of 4 300 digits and more.
MAX_DIGITS = 1000

_WORDS: dict[str, bool | float | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: float("-inf") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_START = frozenset("0123456789+-.")
_INT = lazy_pattern(r"[-+]?[0-9]+\Z")
_BASED = lazy_pattern(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = lazy_pattern(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


def as_core(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means in the YAML 1.2 core schema."""
    if text[:1] in _NUMBER_START and len(text) <= MAX_DIGITS:
        if text.isdecimal() and text.isascii():  # without a pattern, which a start pays for
            return int(text)
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
        if _BASED.match(text):
            return int(text, 0)
    return _WORDS.get(text, text)


def is_number(text: str) -> bool:
    """Whether `text` spells a number, of any length."""
    return any(pattern.match(text) for pattern in (_INT, _FLOAT, _BASED))


# what PyYAML has patterns for begins with one of these, or is a word
_LEGACY_START = frozenset("0123456789+-.<~=\0")
_LEGACY_WORDS: dict[str, bool | None] = {
    form: value
    for value, words in ((True, "yes on true"), (False, "no off false"), (None, "null"))
    for word in words.split()
    for form in (word, word.capitalize(), word.upper())
}

_read: Callable[[str], Any] | None = None


def as_legacy(text: str) -> Any:
    """Return what PyYAML's SafeLoader makes of a plain scalar.

    ``yes`` is True, ``0644`` is octal, ``12:30`` is sexagesimal and
    ``2024-01-01`` a date. What SafeLoader refuses stays text.
    """
    global _read
    if text and text[0] not in _LEGACY_START:
        return _LEGACY_WORDS.get(text, text)
    if text.isascii() and text.isdecimal() and text[0] != "0" and len(text) <= MAX_DIGITS:
        return int(text)
    if _read is None:  # the rest is rare: numbers and dates of many forms
        _read = _legacy_reader()
    return _read(text)


def _legacy_reader() -> Callable[[str], Any]:
    import yaml

    resolver: Any = yaml.resolver.Resolver()
    constructor = yaml.constructor.SafeConstructor()
    makers = constructor.yaml_constructors

    def read(text: str) -> Any:
        tag: str = resolver.resolve(yaml.ScalarNode, text, (True, False))
        make = makers.get(tag)
        if make is None or len(text) > MAX_DIGITS:  # `=` and `<<` have a tag, yet no maker
            return text
        try:
            return make(constructor, yaml.ScalarNode(tag, text))
        except (ValueError, OverflowError, yaml.YAMLError):  # no such day
            return text

    return read
