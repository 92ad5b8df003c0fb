"""What people bring along: words of the standard library, units written out, yes and no.

`maxBytes: 10485760` under `type: file`, `5 seconds`, `color: yes`: each is clear to a
reader, and written another way here. Called once a finding is certain, for the cure in
its message. Runs in whatever thread loads a config.
"""

from collections.abc import Collection, Iterator, Sequence

from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.slips import Slip, options_at
from logroute.config.views import fixes
from logroute.diagnostics import Fix
from logroute.light import TYPE_CHECKING, Any
from logroute.patterns import lazy_pattern
from logroute.shapes import Either, Flag, Many, Parsed, Shape
from logroute.units import format_duration, parse_duration, parse_size

if TYPE_CHECKING:
    from logroute.config.findings import View

__all__ = ["as_duration", "as_size", "as_truth", "choice_of_truth", "key_slip", "value_cure"]

Cure = tuple[str | None, Fix | None]

#: What belongs into `rotate`: the option there, by what people write beside `path`.
_ROTATION = {
    "maxbytes": "size",
    "max_bytes": "size",
    "max_size": "size",
    "size": "size",
    "when": "every",
    "interval": "every",
    "every": "every",
    "backupcount": "keep",
    "backup_count": "keep",
    "keep": "keep",
    "gzip": "compress",
    "compress": "compress",
    "compression": "compress",
}
_PERIODS = {"s": "s", "m": "m", "h": "h", "d": "d"}
_WHOLE_PERIODS = {"h": "hour", "d": "day", "midnight": "midnight"}
_COMPRESSION = frozenset({"gzip", "gz", "gzipped", "compression"})
_OPEN_MODE = lazy_pattern(r"(?P<how>[aw])[bt]?\+?[bt]?")
_ONE_DURATION = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]+)[\s,]*"
_DURATION_PART = lazy_pattern(rf"(?i){_ONE_DURATION}")
_DURATIONS = lazy_pattern(rf"(?i)(?:{_ONE_DURATION})+")
_QUANTITY = lazy_pattern(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)")
_UNITS = {
    word: unit
    for unit, words in (
        ("ms", "ms msec msecs millis millisecond milliseconds"),
        ("s", "s sec secs second seconds"),
        ("m", "m min mins minute minutes"),
        ("h", "h hr hrs hour hours"),
        ("d", "d day days"),
        ("w", "w wk wks week weeks"),
    )
    for word in words.split()
}
_SIZES = {
    word: unit
    for unit, words in (
        ("B", "b byte bytes"),
        ("kB", "kb kilobyte kilobytes"),
        ("KiB", "kib kibibyte kibibytes"),
        ("MB", "mb megabyte megabytes"),
        ("MiB", "mib mebibyte mebibytes"),
        ("GB", "gb gigabyte gigabytes"),
        ("GiB", "gib gibibyte gibibytes"),
        ("TB", "tb terabyte terabytes"),
        ("TiB", "tib tebibyte tebibytes"),
    )
    for word in words.split()
}
#: Letters that are decimal to some and binary to others.
_SHORT_SIZES = {"k": "KiB", "ki": "KiB", "m": "MiB", "mi": "MiB", "g": "GiB", "gi": "GiB"}
_OFF = frozenset({"never", "none", "off"})
_MORE_TRUTH = {"y": True, "n": False, "1": True, "0": False}
_LONGEST = 60


# -- keys ------------------------------------------------------------------------------


def key_slip(view: "View", path: Path, key: str, known: Collection[str]) -> Slip | None:
    """See an option of another logger under the key `key` of the mapping at `path`."""
    entry = view.at(path)
    if entry is None or not isinstance(entry.value, dict):
        return None
    if "rotate" in known and key.casefold() in _ROTATION:
        return _of_rotation(view, path, entry)
    is_free = "compress" in known and "compress" not in entry.value
    if is_free and key.casefold() in _COMPRESSION:
        return _of_compression(view, (*path, key), entry.value[key])
    return None


def _of_compression(view: "View", path: Path, node: Node) -> Slip | None:
    meant = as_truth(node.value)
    if meant is None:
        return None
    word, key = ("gzip" if meant else "none"), str(path[-1])
    fix = fixes.join(fixes.rename(view, path, "compress"), fixes.replace(node, word))
    return Slip(key, shown(key), f"write `compress: {word}`", fix)


def _of_rotation(view: "View", path: Path, entry: Node) -> Slip | None:
    """Return one slip for all keys of a file that say when it rotates."""
    option = options_at(view.node, path).get("rotate")
    keys = [key for key in entry.value if key.casefold() in _ROTATION]
    if option is None or not keys:
        return None
    parts = dict(_rotation({key.casefold(): entry.value[key] for key in keys}))
    inner = ", ".join(f"{key}: {parts[key]}" for key in sorted(parts, key=_ORDER.index))
    written = f"rotate: {{{inner}}}" if inner else "rotate"
    name = shown(keys[0])
    if not option.planned:
        others = " and ".join(f"`{shown(key)}`" for key in keys)
        return Slip(keys[0], name, f"write `{written}` in place of {others}")
    class_ = "RotatingFileHandler"
    if "every" in parts and "size" not in parts:
        class_ = "TimedRotatingFileHandler"
    cure = f"use `class: logging.handlers.{class_}` until a version has `{written}`"
    return Slip(keys[0], name, cure)


_ORDER: Sequence[str] = ("size", "every", "keep", "compress")


def _rotation(given: dict[str, Node]) -> Iterator[tuple[str, str]]:
    """Yield the options of `rotate` that such keys come to, as they are written."""
    values: dict[str, Any] = {
        key: node.value
        for key, node in given.items()
        if isinstance(node.value, str | int | float) and not node.secret and not node.opaque
    }
    for key, value in values.items():
        text = _rotation_value(_ROTATION[key], value, values)
        if text:
            yield _ROTATION[key], text


def _rotation_value(option: str, value: Any, values: dict[str, Any]) -> str | None:
    if option == "size":
        return _size(value)
    if option == "compress":
        meant = as_truth(value)
        return "gzip" if meant else ("none" if meant is False else None)
    if option == "every":
        return _period(values.get("when", values.get("every", "h")), values.get("interval", 1))
    return str(value) if isinstance(value, int) and value > 0 else None


def _size(value: Any) -> str | None:
    """Return a number of bytes, or a size, in the unit that people would write."""
    if isinstance(value, str):
        found = as_size(value)
        value = int(value) if value.isdecimal() and len(value) < 16 else value
        if isinstance(value, str):
            return found[0] if found else (value if _is_size(value) else None)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    for unit in ("TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "kB"):
        if value % (one := parse_size(f"1{unit}")) == 0:
            return f"{value // one}{unit}"
    return str(value)


def _is_size(text: str) -> bool:
    try:
        parse_size(text)
    except ValueError:
        return False
    return True


def _period(when: Any, interval: Any) -> str | None:
    """Return what `when` and `interval` of TimedRotatingFileHandler come to."""
    if not isinstance(when, str) or not isinstance(interval, int) or interval < 1:
        return None
    word = when.casefold()
    if word in ("hour", "day", "week", "month"):
        return word
    if word[:1] == "w" and word[1:] in [*"0123456"]:
        return "week" if interval == 1 else f"{interval}w"
    if interval == 1 and word in _WHOLE_PERIODS:
        return _WHOLE_PERIODS[word]
    unit = "d" if word == "midnight" else _PERIODS.get(word)
    return f"{interval}{unit}" if unit else as_duration(when)


# -- values ----------------------------------------------------------------------------


def value_cure(view: "View", path: Path) -> Cure:
    """Return how the text at `path` is written here, where it is clear what it means."""
    node = view.at(path)
    if node is None or not path or view.is_secret(path) or not isinstance(node.value, str):
        return None, None
    shape = _shape_at(view.node, path)
    if isinstance(shape, Flag) and (truth := as_truth(node.value)) is not None:
        return f"write `{path[-1]}: {'true' if truth else 'false'}`", fixes.replace(node, truth)
    if not isinstance(shape, Parsed) or len(node.value) > _LONGEST:
        return None, None
    lead = f"{path[-1]}: " if isinstance(path[-1], str) else ""
    if shape.name == "file mode":
        return _mode_cure(view, path, node.value)
    if shape.name in ("duration", "period") and (duration := as_duration(node.value)):
        return f"write `{lead}{duration}`", fixes.replace(node, duration)
    if shape.name == "size" and (size := as_size(node.value)):
        return f"write `{lead}{size[0]}`", fixes.replace(node, size[0], is_safe=size[1])
    if shape.name == "size" and node.value.endswith("%"):
        return "a share is no size: say how much it is, as in `10MiB`", None
    return None, None


def _mode_cure(view: "View", path: Path, text: str) -> Cure:
    found = _OPEN_MODE.fullmatch(text)
    if found is None:
        return None, None
    is_append = found["how"] == "a"
    what = "a file is always appended to" if is_append else "a file is never emptied"
    cure = f"{what}, and `mode` is its permissions: remove it"
    return cure, fixes.remove(view, path, is_safe=is_append)


def _shape_at(root: Node, path: Path) -> Shape | None:
    """Return the shape of the scalar at `path`, or of an item in its list."""
    key = path[:-1] if isinstance(path[-1], int) else path
    option = options_at(root, key[:-1]).get(str(key[-1])) if key else None
    shape = option.shape if option is not None else None
    if isinstance(shape, Many):
        shape = shape.item
    return shape.short if isinstance(shape, Either) else shape


def as_duration(text: str) -> str | None:
    """Return a duration written out, such as `5 seconds`, as one of ours; None where unclear."""
    text = text.strip()
    if text.isdecimal() and text.isascii() and len(text) <= 12:
        return f"{text}s"
    if len(text) > _LONGEST or not _DURATIONS.fullmatch(text):
        return None
    parts: list[str] = []
    for number, word in _DURATION_PART.findall(text):
        unit = _UNITS.get(word.casefold())
        if unit is None or word == "M":  # months, to some
            return None
        parts.append(f"{number}{unit}")
    total = sum(map(parse_duration, parts))
    return parts[0] if len(parts) == 1 else format_duration(total)


def as_size(text: str) -> tuple[str, bool] | None:
    """Return a size written another way as one of ours, and whether it is the same for sure."""
    found = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return None
    number, word = found[1], found[2].casefold()
    if not word:
        return (f"{number}B", True) if "." not in number else None
    if word in _SHORT_SIZES:
        return f"{number}{_SHORT_SIZES[word]}", word.endswith("i")
    return (f"{number}{_SIZES[word]}", True) if word in _SIZES else None


def as_truth(value: object) -> bool | None:
    """Return the truth that a value spells: `yes`, `off`, `1`; None where it spells none."""
    if isinstance(value, bool):
        return value
    word = str(value) if isinstance(value, str | int) else ""
    return Flag.WORDS.get(word, _MORE_TRUTH.get(word.casefold()))


def choice_of_truth(view: "View", path: Path, names: Collection[str]) -> Cure:
    """Return which of a few words is meant by yes or no at `path`, where one is."""
    node = view.at(path)
    meant = as_truth(node.value) if node is not None else None
    if node is None or meant is None or view.is_secret(path):
        return None, None
    fitting = [name for name in names if (name not in _OFF) is meant]
    if meant and "always" in fitting:
        word = "always"
    elif len(fitting) == 1:
        word = fitting[0]
    else:
        return None, None
    # `color: yes` may have meant `auto`
    fix = fixes.replace(node, word, is_safe=len(fitting) == 1)
    return f"did you mean `{word}`?", fix
