"""Two configs compared: where records go, and how parts are set.

`routing.py` asks both route tables about the same cells; `scopes.py` sums up what
differs by logger prefix and level band; `options.py` compares the parts. Pure; runs
in the thread of the command.
"""

from collections.abc import Iterator

from logroute.light import NamedTuple

__all__ = ["STDERR", "Change", "Difference", "Line", "OptionChange", "PartChange", "Scope", "Way"]

#: Stands for stderr, where a WARNING goes that no route wants.
STDERR = "stderr, as no route wants it"


class Way(NamedTuple):
    """How records of one logger and level get to a handler.

    Attributes:
        handler: its name, or `STDERR`.
        key: equal for two ways that take the same records; empty: all of them.
        words: which records, such as ``some records, by content: message: x``; empty:
            all of them.
    """

    handler: str
    key: tuple[object, ...]
    words: str


class Change(NamedTuple):
    """What differs for records of one logger and level.

    Attributes:
        made: whether the logger made such records before, and makes them now; None
            where that is the same.
        altered: ways to the same handler that take other records than before.
    """

    made: tuple[bool, bool] | None = None
    added: tuple[Way, ...] = ()
    removed: tuple[Way, ...] = ()
    altered: tuple[tuple[Way, Way], ...] = ()

    def single(self) -> "Iterator[Change]":
        """Yield the same piece by piece."""
        if self.made is not None:
            yield Change(made=self.made)
        for way in self.added:
            yield Change(added=(way,))
        for way in self.removed:
            yield Change(removed=(way,))
        for pair in self.altered:
            yield Change(altered=(pair,))

    def __or__(self, other: "Change") -> "Change":
        """Return both together."""
        return Change(
            self.made or other.made,
            self.added + other.added,
            self.removed + other.removed,
            self.altered + other.altered,
        )


class Scope(NamedTuple):
    """Some loggers.

    Attributes:
        kind: ``all``; ``tree`` (a logger and all below it); ``logger`` (it alone);
            ``below`` (all below it, but not it).
        names: the loggers; empty for ``all``.
        but: kinds and names of what is left out of it.
    """

    kind: str
    names: tuple[str, ...]
    but: tuple[tuple[str, str], ...]


class Line(NamedTuple):
    """One change of routing: for whom, at which levels (closed intervals), what."""

    scope: Scope
    levels: tuple[tuple[int, int], ...]
    change: Change


class OptionChange(NamedTuple):
    """One option that was changed; None where it is not set. Secrets are veiled."""

    option: str
    before: str | None
    after: str | None
    is_secret: bool


class PartChange(NamedTuple):
    """A part that was added, removed or changed, and what it is in words."""

    change: str
    name: str
    what: str
    options: tuple[OptionChange, ...]


class Difference(NamedTuple):
    """All that differs between two configs; `parts` is by section."""

    routing: tuple[Line, ...]
    parts: dict[str, tuple[PartChange, ...]]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.routing and not any(self.parts.values())
