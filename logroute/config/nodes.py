"""The tree of a config: plain values that know their place, and its limits.

`parse.py` builds it. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterable

from logroute.config.scalars import MAX_DIGITS, as_core, as_legacy
from logroute.diagnostics import Diagnostic, Span, error
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["MAX_DEPTH", "MAX_NODES", "Budget", "Node", "RefusedError", "shown"]

#: Deepest nesting of lists and mappings.
MAX_DEPTH = 64
#: Most values of one config, includes and each use of an alias counted.
MAX_NODES = 200_000
#: Most diagnostics of one file; a broken generator can repeat a fault for ever.
MAX_FAULTS = 1000

#: Names of keys and variables whose values are never shown.
SECRET_NAME = lazy_pattern(
    r"pas{1,2}(?:wo|ow|w)r?[dt]|secret|secert|token|tokne|api_?-?key|credential|private_?-?key|dsn",
    re.IGNORECASE,
)


_NO_KEYS: dict[str, Span] = {}  # of all scalars and lists; nobody writes to `keys`


class Node:
    """One value of a config and its place.

    Attributes:
        value: what it is; a value of a dict source may be any object.
        span: the place of the value.
        keys: of a mapping, the place of each key.
        text: of a scalar, what was written, without the quotes.
        plain: a YAML scalar written without quotes or tag.
        untyped: the text is that of a variable; the wanted type says what it is.
        secret: came from a secret source; veiled in every message.
        opaque: the value is not known here; any value may stand in its place.
    """

    __slots__ = ("keys", "opaque", "plain", "secret", "span", "text", "untyped", "value")

    def __init__(
        self,
        value: Any,
        span: Span,
        keys: dict[str, Span] | None = None,
        text: str = "",
        plain: bool = False,
        untyped: bool = False,
        secret: bool = False,
        opaque: bool = False,
    ) -> None:
        """Take a value at its place."""
        self.value = value
        self.span = span
        self.keys = _NO_KEYS if keys is None else keys
        self.text = text
        self.plain = plain
        self.untyped = untyped
        self.secret = secret
        self.opaque = opaque

    def __repr__(self) -> str:
        value = "********" if self.secret else repr(self.value)
        return f"Node({value}, {self.span})"

    def at(self, path: Iterable[str | int]) -> "Node | None":
        """Return the node that `path` leads to from here, None where there is none."""
        node = self
        for step in path:
            try:
                node = node.value[step]
            except (KeyError, IndexError, TypeError):
                return None
            if not isinstance(node, Node):  # a letter of a text, an item of a foreign object
                return None
        return node

    def data(self, legacy: bool = False) -> Any:
        """Return plain Python data.

        Args:
            legacy: read plain scalars as PyYAML's SafeLoader does (YAML 1.1),
                and the text of a variable as the number or truth value it spells.
        """
        value = self.value
        if isinstance(value, dict):
            return {key: node.data(legacy) for key, node in value.items()}
        if isinstance(value, list):
            items = [node.data(legacy) for node in value]
            return tuple(items) if isinstance(value, TupleItems) else items
        if legacy and self.plain:
            return as_legacy(self.text)
        if legacy and self.untyped and not self.secret and not self.opaque:
            meant = as_core(self.text)
            return self.text if meant is None else meant
        return value


class TupleItems(list[Node]):
    """The items of a Python tuple, such as ``("localhost", 514)``."""


class RefusedError(Exception):
    """The text cannot be read any further; carries the one diagnostic that says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        """Keep `diagnostic`."""
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


class Budget:
    """Counts the values of a config and its includes."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: int = 0) -> None:
        """Start with `nodes` values counted."""
        self.nodes = nodes

    def add(self, count: int, span: Span) -> None:
        """Count values; refuse the config at `span` when they are too many."""
        self.nodes += count
        if self.nodes > MAX_NODES:
            raise RefusedError(
                error(
                    "LR004",
                    f"more than {MAX_NODES} values, each use of an alias counted",
                    span,
                    "split the config, or use aliases of smaller parts",
                )
            )


def too_deep(span: Span) -> RefusedError:
    """Return the refusal of a list or mapping nested deeper than is read."""
    cure = "no part of a config needs so many: look for brackets that are not closed"
    return RefusedError(error("LR004", f"nested deeper than {MAX_DEPTH} levels", span, cure))


def too_long(span: Span) -> Diagnostic:
    """Return the diagnostic of a number that has too many digits."""
    return error(
        "LR004",
        f"a number of more than {MAX_DIGITS} digits",
        span,
        "put it in quotes if it is a text",
    )


def shown(text: str, limit: int = 60) -> str:
    """Return a key or name as messages show it: short, and safe for a terminal."""
    if len(text) <= limit and text.isprintable():  # as nearly always
        return text
    text = "".join(char if char.isprintable() else "\ufffd" for char in text[: limit + 1])
    return text if len(text) <= limit else f"{text[:limit]}…"
