"""The common case of the `text` formatter, compiled from its layout.

A layout of plain fields becomes one function that fills it by a single string,
each field's text cleaned on its own. What comes again and again (the second, names,
levels, line numbers) is formatted and cleaned once.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby, zip_longest
from logging import LogRecord

from logroute.formatters.compiled import (
    BASE,
    CREATED,
    MESSAGE,
    MILLIS,
    MSECS,
    TRACED,
    Memo,
    function,
    indented,
    straight,
)
from logroute.formatters.layout import Field, Layout
from logroute.framing import Framing, Straight
from logroute.light import Any

__all__ = ["line_writer", "straight_writer"]

#: Attributes with few different values, by the type that they have.
_REPEATED: Mapping[str, str] = {
    **dict.fromkeys(("name", "levelname", "pathname", "filename", "module", "funcName"), "str"),
    **dict.fromkeys(("threadName", "processName", "taskName"), "str"),
    **dict.fromkeys(("levelno", "lineno", "thread", "process"), "int"),
}

_SOURCE = """\
def write(record):
    try:
        values = record.__dict__
        {message}
        {stamp}
        text = f'{line}'
        if {traced}:
            return add_traces(record, text)
        return text
    except Exception:
        return general(record)
"""

_STAMP = """\
second, stamp = owner.stamp
if not 0.0 <= values["created"] - second < 1.0:
    stamp = new_stamp(record)
"""


#: Where the attributes are found of what the express lane keeps: those that all entries of a
#: logger and level share, and those of each.
_COMMON: Mapping[str, str] = {"name": "name", "levelname": "level", "levelno": "decision.key[1]"}
_KEPT: Mapping[str, str] = {**_COMMON, "created": "created", "msecs": "msecs"}


def straight_writer(
    layout: Layout, names: Mapping[str, Any], framing: Framing, *, has_millis: bool
) -> Straight | None:
    """Return the function that `compiled.straight` makes, or None where the record is needed.

    The other arguments are those of `line_writer`.
    """
    fields = [part for part in layout.parts if isinstance(part, Field)]
    line = _Line(layout.braces, {}, names, has_millis, _KEPT)
    has_stamp = any(line.is_stamp(field) for field in fields)
    known = {*_KEPT, "message", *(["asctime"] if has_stamp else [])}
    if not known.issuperset(layout.names) or not all(
        line.is_stamp(field) for field in fields if field.name == "asctime"
    ):
        return None
    if "message" not in layout.names:  # which may raise, and then is not shown
        return None
    before = each = ""
    pieces: list[str] = []
    for is_common, run in groupby(line.pieces([*layout.parts, framing.end]), lambda pair: pair[1]):
        found = [piece for piece, _ in run]
        if is_common:
            each += f"common{len(pieces)} = f'{_joined(found)}'\n"
            found = [f"common{len(pieces)}"]
        pieces += found
    body = _shown(names)
    if has_stamp:
        before += f"second, stamp = owner.stamp\n{BASE}"
        body += MILLIS
    body += CREATED if "created" in layout.names else ""
    body += MSECS if "msecs" in layout.names else ""
    return straight(before, each, f"{body}text = f'{_joined(pieces)}'\n", line.names, framing)


def line_writer(
    layout: Layout, defaults: Mapping[str, Any], names: Mapping[str, Any], *, has_millis: bool
) -> Callable[[LogRecord], str] | None:
    """Return a function from record to line, or None for layouts that look inside values.

    Args:
        layout: the layout.
        defaults: values of the fields that a record lacks.
        names: what the function uses: `owner`, whose `stamp` is the last second and
            its text, cleaned; `new_stamp`, `asctime`, `add_traces` and `general`,
            functions of a record; `clean` and `clean_message`, functions of a text,
            or None where nothing is cleaned.
        has_millis: whether `asctime` is the second, a comma and milliseconds.
    """
    if not layout.names:
        return None
    fields = [part for part in layout.parts if isinstance(part, Field)]
    line = _Line(layout.braces, defaults, names, has_millis)
    text = _joined([piece for piece, _ in line.pieces(layout.parts)])
    stamp = _STAMP if any(line.is_stamp(field) for field in fields) else ""
    message = ""
    if "message" in layout.names:
        message = f"{MESSAGE}{_shown(names)}"
    source = _SOURCE.format(
        message=indented(message), stamp=indented(stamp), line=text, traced=TRACED
    )
    return function(source, line.names)


def _shown(names: Mapping[str, Any]) -> str:
    """Return source that sets `shown`, the message as lines have it."""
    if names["clean"] is None:
        return "shown = message\n"
    return "shown = message if message.isprintable() else clean_message(message)\n"


def _joined(pieces: Iterable[str]) -> str:
    """Return the inside of an f-string that is made of expressions."""
    return "".join(f"{{{piece}}}" for piece in pieces)


def _is_plain(field: Field) -> bool:
    return field.positional in ("%s", "{}")


class _Line:
    """Writes the string that fills a layout, and collects what it names."""

    def __init__(
        self,
        braces: bool,
        defaults: Mapping[str, Any],
        names: Mapping[str, Any],
        has_millis: bool,
        places: Mapping[str, str] | None = None,
    ) -> None:
        """Write values of records, or those that are found at `places`, by attribute."""
        self.names: dict[str, Any] = dict(names)
        self._places = places
        self._braces = braces
        self._defaults = defaults
        self._clean: Callable[[str], str] | None = names["clean"]
        self._has_millis = has_millis

    def pieces(self, parts: list[str | Field]) -> list[tuple[str, bool]]:
        """Return expressions for texts and fields, and whether all records of a logger share it."""
        pieces = []
        left = iter(zip_longest(parts, parts[1:]))
        for part, after in left:
            if isinstance(part, str):
                if part:
                    pieces.append((self._name(part), True))
            elif isinstance(after, str) and self._is_remembered(part):
                pieces.append((self._piece(part, after), part.name in _COMMON))
                next(left)
            else:
                pieces.append((self._piece(part, ""), part.name in _COMMON))
        return pieces

    def is_stamp(self, field: Field) -> bool:
        """Tell whether the field is put together from second and milliseconds."""
        return field.name == "asctime" and _is_plain(field) and self._has_millis

    def _is_remembered(self, field: Field) -> bool:
        """Tell whether texts of the field are kept, so that what follows can be kept too."""
        return field.name in _REPEATED or self.is_stamp(field)

    def _piece(self, field: Field, after: str) -> str:
        if self.is_stamp(field):
            millis = self._name(Memo(lambda msecs: f"{',%03d' % (msecs,)}{after}"))  # noqa: UP031
            passed = "millis" if self._places else self._value("msecs")
            return f"stamp}}{{{millis}[{passed}]"
        if field.name == "message" and _is_plain(field):
            return "shown"
        fill = self._filler(field)
        if field.name == "message":
            return self._filled(fill, "message", "clean_message")
        if field.name == "asctime":
            return self._filled(fill, "asctime(record)", "clean")
        value = self._value(field.name)
        if field.name in self._defaults:
            default = self._name(self._defaults[field.name])
            value = f"values.get({self._name(field.name)}, {default})"
        if field.name in _REPEATED:
            return self._remembered(field, fill, value, after)
        filled = self._filled(fill, "value", "clean")
        if not _is_plain(field):
            return self._filled(fill, value, "clean")
        is_ready = f"type(value := {value}) is str"
        if self._clean is not None:
            is_ready += " and value.isprintable()"
        return f"value if {is_ready} else {filled}"

    def _remembered(self, field: Field, fill: Callable[[Any], str], value: str, after: str) -> str:
        clean = self._clean or str
        memo = self._name(Memo(lambda value: clean(fill(value)) + after))
        other = self._filled(fill, "value", "clean")
        if after:
            other += f" + {self._name(after)}"
        return f"{memo}[value] if type(value := {value}) is {_REPEATED[field.name]} else {other}"

    def _value(self, name: str) -> str:
        return f"values[{self._name(name)}]" if self._places is None else self._places[name]

    def _filled(self, fill: Callable[[Any], str], value: str, clean: str) -> str:
        filled = f"{self._name(fill)}({value})"
        return filled if self._clean is None else f"{clean}({filled})"

    def _filler(self, field: Field) -> Callable[[Any], str]:
        """Return the function that writes a value as `field` wants it."""
        # str.__str__: a `__str__` may return a text of another class, with other methods
        if self._braces:
            return lambda value: str.__str__(field.positional.format(value))
        return lambda value: str.__str__(field.positional % (value,))

    def _name(self, value: Any) -> str:
        """Return a name for `value`."""
        name = f"x{len(self.names)}"
        self.names[name] = value
        return name
