"""Any value as JSON text, on one line, whatever it is.

The result is valid JSON (RFC 8259: no NaN) that can be encoded as UTF-8. `orjson`,
where it is installed, writes what it writes with the same characters; it never
decides what is written.
"""

import datetime as dt
import importlib
import json.encoder
import math
import re
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from json.encoder import encode_basestring, encode_basestring_ascii

from logroute.formatters.compiled import Memo
from logroute.light import Any

__all__ = ["JsonText", "encodable", "text_of"]

#: Whole numbers below it are plain in every reader.
_LARGE = 1 << 63

MAX_DEPTH = 6
MAX_ITEMS = 100_000
_CUT = '"..."'
# Tuples, since `list | tuple` makes a new object at each use.
_LISTS = (list, tuple, set, frozenset)
_BYTES = (bytes, bytearray, memoryview)
_TIMES = (dt.date, dt.time)

# As in the `text` formatter; JSON itself escapes C0.
_UNSAFE = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def encodable(text: str) -> str:
    r"""Return JSON text that UTF-8 takes and no reader of lines or terminal trips over.

    Lone surrogates, DEL, C1 controls, line separators and bidirectional controls
    are written as `\u2028`; they stand in strings only.
    """
    if text.isascii():
        return text if "\x7f" not in text else text.replace("\x7f", "\\u007f")
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def text_of(value: object) -> str:
    """Return ``str(value)``, or ``<unprintable Type>`` where that raises."""
    try:
        if isinstance(value, str):
            return str.__str__(value)  # of a subclass, the text itself
        if isinstance(value, _BYTES):
            return bytes(value).decode("utf-8", "backslashreplace")
        if isinstance(value, _TIMES):
            return value.isoformat()
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {type(value).__name__}>"


class JsonText:
    """Writes any value as JSON text; never raises.

    What JSON lacks is written as what reads best: times as ISO 8601, bytes as
    text, sets as lists, NaN as null, other objects as their `str`. Containers are
    cut at 6 levels and 100 000 items, marked by `...`; that also ends cycles.
    """

    __slots__ = ("_dump", "dumps", "keys", "quote")

    def __init__(self, ascii: bool = False) -> None:
        """Escape what is outside ASCII if `ascii`.

        Attributes:
            quote: writes a text.
            keys: the keys of objects, as `"key":`.
            dumps: `orjson.dumps`, for texts and what `_plain_rest` finds plain, or None.
        """
        self.quote: Callable[[str], str] = encode_basestring_ascii if ascii else encode_basestring
        self.keys = Memo(lambda name: f"{self.quote(name)}:")
        self.dumps = None if ascii else _orjson_dumps()
        self._dump = _dumper(self.quote, self.dumps)

    def __call__(self, value: Any) -> str:
        """Return `value` as JSON text."""
        kind = type(value)
        if kind is str:
            return self.quote(value)
        if kind is int and -_LARGE < value < _LARGE:
            return repr(value)
        if kind is float:
            return repr(value) if math.isfinite(value) else "null"
        if kind is bool:
            return "true" if value else "false"
        if kind in _PLAIN_CONTAINERS and self._dump is not None:
            try:
                if _plain_rest(value, MAX_DEPTH, MAX_ITEMS) >= 0:
                    return self._dump(value)
            except Exception:  # a lone surrogate, which orjson refuses
                return self._guarded(value, MAX_DEPTH, [MAX_ITEMS])
        return self._guarded(value, MAX_DEPTH, [MAX_ITEMS])

    def _guarded(self, value: object, depth: int, left: list[int]) -> str:
        try:
            return self._write(value, depth, left)
        except Exception:
            return self.quote(f"<unprintable {type(value).__name__}>")

    def _write(self, value: object, depth: int, left: list[int]) -> str:
        kind = type(value)
        if kind is str:
            return self.quote(value)  # type: ignore[arg-type]
        if value is None:
            return "null"
        if value is True or value is False:
            return "true" if value else "false"
        if isinstance(value, int):
            return self._whole(value)
        if isinstance(value, float):
            return float.__repr__(value) if math.isfinite(value) else "null"
        if isinstance(value, _LISTS):
            return self._items(value, depth - 1, left) if depth else _CUT
        if kind is dict or isinstance(value, Mapping):
            return self._mapping(value, depth - 1, left) if depth else _CUT  # type: ignore[arg-type]
        return self.quote(text_of(value))

    def _items(self, values: Collection[object], depth: int, left: list[int]) -> str:
        room, quote = left[0], self.quote
        left[0] = max(0, room - len(values))
        done = [
            quote(value) if type(value) is str else self._guarded(value, depth, left)
            for value in islice(values, room)
        ]
        if len(values) > room:
            done.append(_CUT)
        return f"[{','.join(done)}]"

    def _mapping(self, values: Mapping[Any, object], depth: int, left: list[int]) -> str:
        room, quote = left[0], self.quote
        left[0] = max(0, room - len(values))
        done: dict[str, str] = {}
        for key, value in islice(values.items(), room):
            name = quote(key if type(key) is str else text_of(key))
            while name in done:  # 1 and "1"
                name = f'{name[:-1]}_"'
            done[name] = self._guarded(value, depth, left)
        if len(values) > room:
            done[_CUT] = _CUT
        return f"{{{','.join([f'{name}:{text}' for name, text in done.items()])}}}"

    def _whole(self, value: int) -> str:
        try:
            return int.__repr__(value)
        except ValueError:  # beyond 4300 digits Python refuses
            return self.quote(f"<number of {value.bit_length()} bits>")


def _orjson_dumps() -> Callable[[Any], bytes] | None:
    """Return `orjson.dumps`, of the extra `fast`, if it is there."""
    try:
        found: Callable[[Any], bytes] = importlib.import_module("orjson").dumps
    except Exception:  # another interpreter's build, too
        return None
    return found


def _dumper(
    quote: Callable[[str], str], dumps: Callable[[Any], bytes] | None
) -> Callable[[Any], str] | None:
    """Return what writes plain containers at once, or None without C."""
    if dumps is not None:
        return lambda value: dumps(value).decode()
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return None
    encode = make(None, _refuse, quote, None, ":", ",", False, False, False)
    return lambda value: "".join(encode(value, 0))


def _refuse(value: object) -> str:
    raise TypeError(type(value).__name__)


_PLAIN_CONTAINERS = frozenset({dict, list, tuple})
_PLAIN_SCALARS = frozenset({str, bool, type(None)})


def _plain_rest(value: Any, depth: int, room: int) -> int:
    """Return how much of `room` is left behind `value`, -1 if it is not plain.

    What is plain, every writer of JSON writes with the same characters: dicts with
    texts for keys, lists, and scalars but numbers that are very large or small.
    """
    items = value
    room -= len(value)
    if not depth or room < 0:
        return -1
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                return -1
        items = value.values()
    for item in items:
        kind = type(item)
        if kind in _PLAIN_SCALARS:
            continue
        if kind is int:
            is_plain = -_LARGE < item < _LARGE
        elif kind is float:
            is_plain = 1e-4 <= abs(item) < 1e16 or item == 0
        elif kind in _PLAIN_CONTAINERS:
            room = _plain_rest(item, depth - 1, room)
            is_plain = room >= 0
        else:
            is_plain = False
        if not is_plain:
            return -1
    return room
