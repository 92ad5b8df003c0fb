"""What edits mean for the tree, and whether a new text says just that.

Runs in whatever thread fixes a file.
"""

from collections.abc import Mapping

from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.light import Any, NamedTuple

__all__ = ["Plan", "Splice", "is_as_meant"]


class Splice(NamedTuple):
    """`text` takes the place of what is between two offsets."""

    start: int
    end: int
    text: str

    def conflicts(self, other: "Splice") -> bool:
        """Return whether two splices want the same place."""
        if self.start == self.end == other.start == other.end:
            return True  # nobody knows which comes first
        return self.start < other.end and other.start < self.end


class Plan:
    """What one fix does to the text and to the tree."""

    def __init__(self) -> None:
        self.splices: list[Splice] = []
        self.replaced: dict[Path, Any] = {}
        self.renamed: dict[Path, str] = {}
        self.removed: set[Path] = set()
        self.added: dict[Path, list[tuple[str, Any]]] = {}
        self.places: set[int] = set()

    def merge(self, other: "Plan") -> None:
        """Take in what `other` does."""
        self.splices += other.splices
        self.replaced |= other.replaced
        self.renamed |= other.renamed
        self.removed |= other.removed
        self.places |= other.places
        for path, entries in other.added.items():
            self.added.setdefault(path, []).extend(entries)


def is_as_meant(old: Node, new: Node, path: Path, plan: Plan) -> bool:
    """Return whether `new` is `old` but for what `plan` says."""
    if path in plan.replaced:
        return _same(plan.replaced[path], new.data())
    if isinstance(old.value, dict):
        return isinstance(new.value, dict) and _is_mapping_as_meant(old, new, path, plan)
    if isinstance(old.value, list):
        if not isinstance(new.value, list):
            return False
        pairs = [
            (item, (*path, i)) for i, item in enumerate(old.value) if (*path, i) not in plan.removed
        ]
        return len(pairs) == len(new.value) and all(
            is_as_meant(item, other, inner, plan)
            for (item, inner), other in zip(pairs, new.value, strict=True)
        )
    if isinstance(new.value, dict | list) or old.opaque != new.opaque:
        return False
    return old.text == new.text and _same(old.value, new.value)


def _is_mapping_as_meant(old: Node, new: Node, path: Path, plan: Plan) -> bool:
    kept = [key for key in old.value if (*path, key) not in plan.removed]
    names = [plan.renamed.get((*path, key), key) for key in kept]
    added = dict(plan.added.get(path, ()))
    if len({*names, *added}) != len(names) + len(plan.added.get(path, ())):
        return False  # two entries of the same key
    if [key for key in new.value if key not in added] != names or not added.keys() <= {*new.value}:
        return False
    if not all(_same(value, new.value[key].data()) for key, value in added.items()):
        return False
    return all(
        is_as_meant(old.value[key], new.value[name], (*path, key), plan)
        for key, name in zip(kept, names, strict=True)
    )


def _same(left: Any, right: Any) -> bool:
    """Return whether two values are the same, and of the same type."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and repr(left) == repr(right)  # nan is not equal to nan
