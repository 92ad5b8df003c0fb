"""Slips of the pen: what a key or text that means nothing was most likely meant to be.

YAML takes much for a key or a text that a person wrote as something else:
`{type:file}` has the one key `type:file`, and `{to: a, b}` an empty key `b`.
Called once a finding is certain, for the cure in its message. Runs in whatever
thread loads a config.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping

from logroute.config.decode import FAMILIES, is_marked, top_options
from logroute.config.model import (
    HandlerSpec,
    NetworkHandlerSpec,
    StdFilterSpec,
    StdFormatterSpec,
    StdHandlerSpec,
)
from logroute.config.nodes import SECRET_NAME, Node, shown
from logroute.config.readers import OTHER_VARIABLE, Path
from logroute.diagnostics import Edit, Fix
from logroute.light import TYPE_CHECKING, Any, NamedTuple
from logroute.options import VEIL, Option, Spec, options_of
from logroute.patterns import lazy_pattern
from logroute.shapes import Either, Many, Nested, Part, Shape, Table

if TYPE_CHECKING:
    from logroute.config.findings import View

__all__ = [
    "Slip",
    "lost_space",
    "odd_character",
    "options_at",
    "slip_at",
    "slip_for",
    "space_fix",
    "text_cure",
    "text_fix",
    "variable_cure",
]

#: What takes the place of `host` and `port`, and how they are written there.
_ADDRESSES = {"address": "{host}:{port}", "url": "https://{host}/"}
_SURELY_A_NAME = lazy_pattern(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_HOST_AND_PORT = lazy_pattern(
    r"(?P<scheme>[a-z]+://)?(?P<host>[A-Za-z0-9][\w.-]*)(?::(?P<port>[0-9]{1,5}))?/?"
)
_BARE_URL = lazy_pattern(r"[A-Za-z0-9][\w-]*(?:\.[\w-]+)+(?::[0-9]{1,5})?(?:/[\w./-]*)?")
#: Most items that a cure writes out.
_MOST_ITEMS = 8


class Slip(NamedTuple):
    """What went wrong: the key it shows at, what to call that, the cure, and how it is made."""

    key: str
    name: str
    help: str
    fix: Fix | None = None


def slip_at(view: "View", path: Path, known: Collection[str]) -> Slip | None:
    """Return the slip behind the unknown key at `path`, where the keys `known` fit."""
    key, parent = str(path[-1]), path[:-1]
    left, colon, _ = key.partition(":")
    if colon and (left in known or SECRET_NAME.search(left)):
        return Slip(key, _veiled(view, path, key), _spaced(view, path, key), space_fix(view, path))
    from logroute.config.borrowed import key_slip  # which needs what stands here

    return (
        _of_address(view, parent, key, known)
        or key_slip(view, parent, key, known)
        or _of_list(view, parent, key)
    )


def slip_for(view: "View", path: Path, missing: str) -> str | None:
    """Return the key of the mapping at `path` that was meant to give the `missing` one."""
    entry = view.at(path)
    keys: Any = entry.value if entry is not None and isinstance(entry.value, dict) else {}
    for key in keys:
        if key.startswith(f"{missing}:"):
            return str(key)
    return "host" if missing in _ADDRESSES and "host" in keys else None


def lost_space(view: "View", path: Path, known: Collection[str] | None = None) -> str | None:
    """Return the cure of `key:value` where a mapping, or a key with a value, is meant.

    Args:
        view: the tree.
        path: a text, or a key of the user's own without a value.
        known: the keys that fit; None: any.
    """
    node = view.at(path)
    if node is None:
        return None
    text = str(path[-1]) if node.value is None and path else node.value
    left, colon, right = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not right or right.startswith("//") or "\n" in text:
        return None
    return _spaced(view, path, text) if known is None or left in known else None


def space_fix(view: "View", path: Path) -> Fix | None:
    """Return the fix of `lost_space`: `key: value` in the place of a key, or of a text."""
    node, parent = view.at(path), view.at(path[:-1])
    if node is None or parent is None or not path:
        return None
    of_key = node.value is None
    text = str(path[-1]) if of_key else node.value
    span = parent.keys.get(text) if of_key else node.span
    left, _, right = text.partition(":") if isinstance(text, str) else ("", "", "")
    value = _clean(right)
    if span is None or not value or span.end_column - span.column != len(text):
        return None  # it is in quotes, or has escapes
    return Fix((Edit(span, f"{left}: {value}"),))


def _spaced(view: "View", path: Path, text: str) -> str:
    left, _, right = text.partition(":")
    odd = _odd(right[:1])
    value = _clean(right) if _veiled(view, path, text) != VEIL else VEIL
    cure = f"put a space after the colon: `{shown(left)}: {shown(value)}`"
    return f"{cure}; what stands there is {odd}" if odd else cure


def _veiled(view: "View", path: Path, text: str) -> str:
    """Return `key:value` as a message shows it: not at all where it may be a secret."""
    is_secret = view.is_secret(path) or SECRET_NAME.search(text.partition(":")[0])
    return VEIL if is_secret else shown(text)


def text_cure(view: "View", path: Path) -> str | None:
    """Return the cure of a text that is wrong at `path`, where a slip explains it."""
    node = view.at(path)
    if node is None or not isinstance(node.value, str) or not path:
        return None
    if OTHER_VARIABLE.fullmatch(node.value) and not node.untyped:
        return variable_cure(view, path)
    if view.is_secret(path):
        return None
    return (
        _as_list(view, path, node.value)
        or odd_character(node.value)
        or (_bare_host(node.value) if path[-1] == "host" else None)
        or (_whole_address(node.value, str(path[-1])) if path[-1] in _ADDRESSES else None)
    )


def _whole_address(text: str, key: str) -> str | None:
    """Return how a URL without its scheme, or an address with one, is written."""
    if key == "url":
        is_bare = _BARE_URL.fullmatch(text) is not None
        return f'write `url: "https://{shown(text)}"`' if is_bare else None
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not (found["scheme"] and found["port"]):
        return "add the port" if found is not None and not found["scheme"] else None
    return f'write `address: "{shown(found["host"])}:{found["port"]}"`'


def _bare_host(text: str) -> str | None:
    """Return how `smtp://mail.example.org:587` is written where a host alone is meant."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not (found["port"] or found["scheme"]):
        return None
    port = f" and `port: {found['port']}`" if found["port"] else ""
    return f"write `host: {shown(found['host'])}`{port}"


def text_fix(view: "View", path: Path) -> Fix | None:
    """Return the fix of a text with commas where a list is meant, as `text_cure` says."""
    from logroute.config.views.fixes import replace  # only for a finding

    node = view.at(path)
    if node is None or not isinstance(node.value, str) or not path or view.is_secret(path):
        return None
    if _as_list(view, path, node.value) is None or isinstance(path[-1], int):
        return None
    return replace(node, [word for text in node.value.split(",") if (word := _clean(text))])


def variable_cure(view: "View", path: Path) -> str:
    """Return how the variable that is written another way at `path` is written here."""
    node = view.at(path)
    name = node.text.strip("${}% ") if node is not None else ""
    if view.is_secret(path) and not _SURELY_A_NAME.fullmatch(name):
        name = "NAME"  # it may be the secret itself
    return f"a variable is written `${{{shown(name)}}}`"


# -- host and port ---------------------------------------------------------------------


def _of_address(view: "View", path: Path, key: str, known: Collection[str]) -> Slip | None:
    """See `host` and `port` where one option holds both."""
    option = next((name for name in _ADDRESSES if name in known), None)
    entry = view.at(path)
    if option is None or entry is None or key not in ("host", "port"):
        return None
    parts = {name: entry.at((name,)) for name in ("host", "port") if name not in known}
    host, port = parts.get("host"), parts.get("port")
    if option in entry.value or host is None:
        return None
    name = _scalar(host) or "host"
    name = f"[{name}]" if ":" in name else name
    number = (_scalar(port) if port is not None else "") or "PORT"
    if option == "url" and port is not None:
        name = f"{name}:{number}"
    text = _ADDRESSES[option].format(host=name, port=number)
    written = "`host` and `port`" if port is not None else "`host`"
    cure = f'write `{option}: "{text}"` in place of {written}'
    return Slip("host", "host", cure, _address_fix(view, path, text) if port is not None else None)


def _address_fix(view: "View", path: Path, text: str) -> Fix | None:
    from logroute.config.views import fixes  # only for a finding

    host = view.at((*path, "host"))
    if host is None or "PORT" in text or "://" in text:
        return None
    return fixes.join(
        fixes.rename(view, (*path, "host"), "address"),
        fixes.replace(host, text),
        fixes.remove(view, (*path, "port")),
    )


def _scalar(node: Node) -> str:
    is_shown = isinstance(node.value, str | int) and not node.secret and not node.opaque
    return shown(node.text) if is_shown else ""


# -- lists -----------------------------------------------------------------------------


def _of_list(view: "View", path: Path, key: str) -> Slip | None:
    """See items that a comma between `{` and `}` made keys: `{to: a, b}`."""
    if path not in view.strays:  # one look at all keys, however many there are
        view.strays[path] = dict(_find_strays(view, path))
    return view.strays[path].get(key)


def _find_strays(view: "View", path: Path) -> Iterator[tuple[str, Slip]]:
    entry = view.at(path)
    entries: Mapping[str, Node] = entry.value if entry is not None else {}
    options = options_at(view.node, path)
    owner: str | None = None
    for is_stray, keys in itertools.groupby(
        entries, lambda key: key not in options and _is_empty(entries[key])
    ):
        run = list(keys)
        if not is_stray:
            owner = run[-1]
        elif owner is not None:
            slip = _stray_slip(view, (*path, owner), options.get(owner), run)
            yield from ((key, slip) for key in run if slip is not None)


def _stray_slip(view: "View", path: Path, option: Option | None, strays: list[str]) -> Slip | None:
    """Return the slip of empty keys that follow the option at `path`."""
    if view.is_secret(path):
        return Slip(strays[0], VEIL, "put a text with a comma in quotes")
    given = view.at(path)
    if given is None or option is None or not isinstance(option.shape, Many):
        return None
    items = given.value if isinstance(given.value, list) else [given]
    if not all(map(_scalar, items)):
        return None
    words = [*(item.text for item in items), *strays]
    fix = _list_fix(view, path, given, strays)
    return Slip(strays[0], shown(strays[0]), _listed(option.key, words), fix)


def _list_fix(view: "View", path: Path, given: Node, strays: list[str]) -> Fix | None:
    """Return the fix that puts brackets around a text and the empty keys behind it."""
    from logroute.config.views import fixes  # only for a finding

    brackets = fixes.replace(given, [given.text, *strays])
    return fixes.join(brackets, *(fixes.remove(view, (*path[:-1], key)) for key in strays))


def _is_empty(node: Node) -> bool:
    return node.value is None and not node.text and not node.opaque


def _as_list(view: "View", path: Path, text: str) -> str | None:
    """Return the cure of a text with commas where a list, or an item of one, is meant."""
    if "," not in text:
        return None
    key_path = path[:-1] if isinstance(path[-1], int) else path
    option = options_at(view.node, key_path[:-1]).get(str(key_path[-1]))
    if option is None or not isinstance(option.shape, Many):
        return None
    return _listed(str(key_path[-1]), text.split(","))


def _listed(key: str, words: list[str]) -> str:
    clean = [shown(word) for text in words if (word := _clean(text))]
    more = ", ..." if len(clean) > _MOST_ITEMS else ""
    return f"several are a list: `{key}: [{', '.join(clean[:_MOST_ITEMS])}{more}]`"


# -- characters that do not show -------------------------------------------------------


def odd_character(text: str) -> str | None:
    """Return the cure of a text with a space that is none, or with what does not show."""
    for char in text[:1000]:
        odd = _odd(char)
        if odd is not None:
            return f"it holds {odd}; {'type a plain space' if char.isspace() else 'remove it'}"
    return None


def _odd(char: str) -> str | None:
    """Return what a character is called, if it does not show what it is."""
    if not char or char.isascii():
        return None
    import unicodedata  # only on the error path

    if unicodedata.category(char) not in ("Zs", "Zl", "Zp", "Cf"):
        return None
    name = unicodedata.name(char, "character that does not show").lower()
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} (U+{ord(char):04X})"


def _clean(text: str) -> str:
    """Return `text` without odd characters at its ends."""
    while text and (text[0].isspace() or _odd(text[0])):
        text = text[1:]
    while text and (text[-1].isspace() or _odd(text[-1])):
        text = text[:-1]
    return text


# -- what fits a place -----------------------------------------------------------------


def options_at(root: Node, path: Path) -> Mapping[str, Option]:
    """Return the options of the mapping at `path`; none where they are not known."""
    options, shape = top_options(), None
    node: Node | None = root
    for step in path:
        node = node.at((step,)) if node is not None else None
        shape = _inner(shape, options, step)
        options = _options(shape, node)
    return options


def _inner(shape: Shape | None, options: Mapping[str, Option], step: str | int) -> Shape | None:
    if isinstance(shape, Either):
        shape = shape.nested
    if isinstance(shape, Many):
        return shape.item
    if isinstance(shape, Table):
        return shape.value
    option = options.get(str(step))
    return option.shape if option is not None else None


def _options(shape: Shape | None, node: Node | None) -> dict[str, Option]:
    if isinstance(shape, Either):
        shape = shape.nested
    if isinstance(shape, Nested):
        return options_of(shape.spec)
    if isinstance(shape, Part) and node is not None and isinstance(node.value, dict):
        specs = _specs(shape.family, node.value)
        return {key: option for spec in specs for key, option in options_of(spec).items()}
    return {}


def _specs(family: str, entry: Mapping[str, Node]) -> list[type[Spec]]:
    """Return the specs that describe an entry of a family, the common one first."""
    std: dict[str, type[Spec]] = {
        "handler": StdHandlerSpec,
        "formatter": StdFormatterSpec,
        "filter": StdFilterSpec,
    }
    if not is_marked(family, entry):
        return [std[family]]
    kind = entry["type"].value if "type" in entry else "text"
    spec: Any = FAMILIES[family].get(kind) if isinstance(kind, str) else None
    if spec is None:
        return [std[family]]
    if family != "handler":
        return [spec]
    return [NetworkHandlerSpec if spec.networked else HandlerSpec, spec]
