"""The `redact` filter: takes secrets out of a record before anything shows them.

No state, so any thread may run it. What it cannot look into it replaces: a
secret shown is worse than a value lost.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping

from logroute.filters import Filter, FilterSpec
from logroute.filters.fields import copy_of
from logroute.light import Annotated, Any
from logroute.options import Opt
from logroute.records import exception_text, extras, message_of

__all__ = ["COMMON_NAMES", "Redact", "RedactSpec"]

#: Names under which secrets commonly travel.
COMMON_NAMES: tuple[str, ...] = (
    *("password", "passwd", "secret", "token", "access_token", "refresh_token"),
    *("authorization", "cookie", "set_cookie", "api_key", "apikey", "private_key"),
)

MAX_DEPTH = 20

_LISTS = (list, tuple)
_SETS = (set, frozenset)
_BYTES = (bytes, bytearray, memoryview)


# what was looked into, by id; the object is kept, so that no other takes its id
Seen = dict[int, tuple[Any, Any]]


class RedactSpec(FilterSpec):
    """Replace secrets in fields, message, traceback and stack."""

    fields: Annotated[
        tuple[str, ...],
        Opt(
            "Fields whose values are replaced, at any depth, whatever their case; `-` and `_` are "
            "the same. Default: `password`, `secret`, `token`, `authorization` and the like.",
            single=True,
        ),
    ] = COMMON_NAMES
    patterns: Annotated[
        tuple[str, ...],
        Opt("Regular expressions; what they match in any text is replaced.", single=True),
    ] = ()
    replacement: Annotated[
        str, Opt(r"What stands instead; `\1` is what the first group of a pattern matched.")
    ] = "***"

    def filter(self) -> Filter:
        """Return the live filter.

        Raises:
            ValueError: a pattern is no regular expression, or lacks a group that
                `replacement` names.
        """
        return Redact(self.fields, self.patterns, self.replacement)


class Redact:
    """Returns records without secrets: a copy, or the record itself where it has none."""

    def __init__(self, fields: Iterable[str], patterns: Iterable[str], replacement: str) -> None:
        """Compile the patterns; see `RedactSpec.filter` for what is raised."""
        self._names = frozenset(_fold(name) for name in fields)
        self._replacement = replacement
        self._substitutes = [_substitute(pattern, replacement) for pattern in patterns]

    def __call__(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return `record` without secrets."""
        changes: dict[str, Any] = {}
        for name, value in extras(record):
            safe = self._field(name, value, MAX_DEPTH, {})
            if safe is not value:
                changes[name] = safe
        if self._substitutes:
            changes.update(self._texts(record))
        return copy_of(record, **changes) if changes else record

    def _texts(self, record: logging.LogRecord) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        message = message_of(record)
        safe = self._text(message)
        if safe != message:
            changes.update(msg=safe, args=None)
        trace = exception_text(record)
        if trace and (safe := self._text(trace)) != trace:
            # the exception itself would give the secret to whoever formats it again
            changes.update(exc_text=safe, exc_info=None)
        if record.stack_info and (safe := self._text(record.stack_info)) != record.stack_info:
            changes["stack_info"] = safe
        return changes

    def _text(self, text: str) -> str:
        for substitute in self._substitutes:
            text = substitute(text)
        return text

    def _field(self, name: object, value: Any, depth: int, done: Seen) -> Any:
        if isinstance(name, str) and _fold(name) in self._names:
            return self._replacement
        return self._value(value, depth, done)

    def _value(self, value: Any, depth: int, done: Seen) -> Any:
        """Return `value` itself where it has no secret, else what may be shown of it.

        `done` knows the containers that were seen, so that each is looked into
        once; one that holds itself is shown as `...` in its own inside.
        """
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, (*_LISTS, *_SETS, Mapping)):
            return self._scalar(value)
        if depth == 0:
            return "..."
        if id(value) not in done:
            done[id(value)] = (value, "...")
            try:
                safe = self._container(value, depth - 1, done)
            except Exception as fault:
                safe = f"<unreadable: {type(fault).__name__}>"
            done[id(value)] = (value, safe)
        return done[id(value)][1]

    def _container(self, value: Any, depth: int, done: Seen) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth, done)
        olds = list(value)
        news = [self._value(item, depth, done) for item in olds]
        if all(new is old for new, old in zip(news, olds, strict=True)):
            return value
        if isinstance(value, _SETS):
            return set(news)
        return news if isinstance(value, list) else tuple(news)

    def _mapping(self, value: Mapping[Any, Any], depth: int, done: Seen) -> Mapping[Any, Any]:
        changed = False
        safe: dict[Any, Any] = {}
        for key, item in value.items():
            name = self._text(key) if isinstance(key, str) else key
            safe[name] = self._field(key, item, depth, done)
            changed = changed or name != key or safe[name] is not item
        return safe if changed else value

    def _scalar(self, value: Any) -> Any:
        """Return `value`, or its text where a pattern changed that."""
        if not self._substitutes:
            return value
        try:
            if isinstance(value, _BYTES):
                text = bytes(value).decode("utf-8", "backslashreplace")
            else:
                text = str(value)
            safe = self._text(text)
        except Exception:
            return f"<unprintable {type(value).__name__}>"
        return value if safe == text else safe


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def _substitute(pattern: str, replacement: str) -> Callable[[str], str]:
    try:
        compiled = re.compile(pattern)
        compiled.sub(replacement, "")  # finds a group that is not there
    except (re.error, RecursionError, OverflowError) as fault:
        raise ValueError(f"`{pattern[:80]}` with `{replacement[:80]}`: {fault}") from None
    return lambda text: compiled.sub(replacement, text)
