"""What compiled formatters are made of: generated functions, and texts made once.

A formatter compiles its common case, ordinary records whose values are what they
should be, into one function; for anything else that function raises or hands
over to the formatter's general way, which alone knows how to write it. So both
must write the same. Immutable or swapped whole, so any thread may use it.

What is compiled consists of our own words; whatever a file or a record says comes
in as a value, by name.
"""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FunctionType

from logroute.framing import Framing, Straight
from logroute.light import Any, Generic, TypeVar
from logroute.records import HAS_NANOSECONDS

__all__ = [
    "BASE",
    "CREATED",
    "MESSAGE",
    "MILLIS",
    "MOST_SHAPES",
    "MSECS",
    "NAMES",
    "TRACED",
    "Memo",
    "Shapes",
    "function",
    "indented",
    "straight",
]

Made = TypeVar("Made")

# A memo is emptied when it is full: what comes again and again is soon back.
_MOST_TEXTS = 1024
_LONGEST_TEXT = 256
MOST_SHAPES = 256


class Memo(dict[Any, str]):
    """Remembers the texts of values that come again and again, such as level names.

    Equal values must have equal texts: look up one type only.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Any], str]) -> None:
        """Know no text yet; `make` makes them."""
        super().__init__()
        self._make = make

    def of(self, value: Any) -> str:
        """Return the text of a value of any type; those of texts are remembered."""
        return self[value] if type(value) is str else self._make(value)

    def __missing__(self, value: Any) -> str:
        """Make the text of a value that is new."""
        text = self._make(value)
        if len(text) <= _LONGEST_TEXT:
            if len(self) >= _MOST_TEXTS:
                self.clear()
            self[value] = text
        return text


def _stock_get_message() -> object:
    """Return stdlib's `LogRecord.getMessage`, or None where another stands in its place."""
    found: Any = logging.LogRecord.getMessage
    is_stock = (
        type(found) is FunctionType
        and found.__code__.co_filename == logging.makeLogRecord.__code__.co_filename
        and found.__qualname__ == "LogRecord.getMessage"
    )
    return found if is_stock else None


#: Source that sets `message` of `record`, whose attributes are `values`, as
#: `record.getMessage()` does; without the call where that is stdlib's.
MESSAGE = """\
message = values["msg"]
if (
    type(record) is LogRecord
    and LogRecord.getMessage is stock_get_message
    and type(message) is str
    and "getMessage" not in values
):
    args = values["args"]
    if args:
        message = message % args
else:
    message = record.getMessage()
if type(message) is not str:
    return general(record)
"""

#: Source of the question whether lines follow the record's own.
TRACED = 'values["exc_info"] or values["exc_text"] or values["stack_info"]'

#: Source of a function that makes payloads of what the express lane keeps, without a
#: record: time (as `records.stamp` gives it), message and arguments. It ends before the
#: first entry that is out of the ordinary: that goes another way than `look`, or whose
#: record must be made. `before` sets what all have in common, `each` what those of one
#: logger have (`name`; the level is called `level`), and `body` sets `text`, from
#: `message`, `when` and `extra`.
STRAIGHT = """\
def write(entries, looks, look, level, add):
    if LogRecord.getMessage is not stock_get_message:
        return
    last = None
    try:
        {before}
        for entry in entries:
            record, decision, refused, when, message, args, _, _, _, extra, fields, _, _ = entry
            if decision is not last:
                if looks.get(decision) is not look:
                    return
                name = decision.key[0]
                {each}
                last = decision
            if (
                record is not None
                or refused is not None
                or type(message) is not str
                or fields  # bound ones, which give way to others
                or (extra and "getMessage" in extra)
            ):
                return
            if args:
                message = message % args
            {body}
            data = text.encode()
            {check}add(data)
    except Exception:
        return
"""

#: Source that sets `created`.
CREATED = "created = when / 1e9\n" if HAS_NANOSECONDS else "created = when\n"
#: Source that sets `msecs`; a record of the last millisecond may be rounded to the next second.
MSECS = (
    """\
msecs = (when % 1000000000) // 1000000 + 0.0
if msecs == 999.0:
    return
"""
    if HAS_NANOSECONDS
    else "msecs = int((when - int(when)) * 1000) + 0.0\n"
)
#: Source that sets `base` to the beginning of a `second`, and `millis` to what has passed since.
BASE = (
    "base = int(second) * 1000000000\n"
    if HAS_NANOSECONDS
    else """\
base = second
if base < 0.0:
    return
"""
)
MILLIS = (
    """\
millis = (when - base) // 1000000
if not 0 <= millis < 999:
    return
"""
    if HAS_NANOSECONDS
    else """\
offset = when - base
if not 0.0 <= offset < 1.0:
    return
millis = int(offset * 1000)
"""
)

#: What the names in both stand for.
NAMES: Mapping[str, Any] = {
    "LogRecord": logging.LogRecord,
    "stock_get_message": _stock_get_message(),
}


def function(source: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function `write` that `source` defines, for which `names` are there."""
    place: dict[str, Any] = {**NAMES, **names}
    exec(_code(source), place)  # noqa: S102 - our own words alone
    made: Callable[..., Any] = place["write"]
    return made


def straight(
    before: str, each: str, body: str, names: Mapping[str, Any], framing: Framing
) -> Straight:
    """Return the function that `STRAIGHT` is when `before`, `each` and `body` stand in it.

    The text that `body` sets ends as `framing` says.
    """
    check = ""
    if framing.most is not None:
        check = f"if len(data) > {framing.most + len(framing.end)} or data.count(newline) > 1:\n"
        check += "    return\n"
    source = STRAIGHT.format(
        before=indented(before),
        each=indented(each, 4),
        body=indented(body, 3),
        check=indented(f"{check}#", 3)[:-1],
    )
    made: Straight = function(source, {**names, "newline": b"\n"})
    return made


def indented(source: str, depth: int = 2) -> str:
    """Return lines of source as they stand `depth` blocks deep: in a function and a `try`."""
    return source.rstrip("\n").replace("\n", "\n" + depth * "    ")


@lru_cache(maxsize=64)
def _code(source: str) -> CodeType:
    return compile(source, "<logroute formatter>", "exec")


class Shapes(Generic[Made]):
    """Remembers what was made for records with the same attributes, by their names in order.

    Nearly all records of a program have stdlib's attributes and the same few extras.
    """

    __slots__ = ("_known", "_make", "last")

    def __init__(self, make: Callable[[logging.LogRecord], Made]) -> None:
        """Know no shape yet; `make` looks at the names of a record's attributes only."""
        self._make = make
        self._known: dict[tuple[str, ...], Made] = {}
        #: The names of the last shape, and what was made for it.
        self.last: tuple[list[str], Made] | tuple[None, None] = (None, None)

    def __call__(self, record: logging.LogRecord) -> Made:
        """Return what was made for records like `record`."""
        names = [*record.__dict__]
        known, made = self.last
        if names != known or made is None:
            key = tuple(names)
            made = self._known.get(key)
            if made is None:
                made = self._make(record)
                if len(self._known) >= MOST_SHAPES:
                    self._known.clear()
                self._known[key] = made
            self.last = (names, made)
        return made
