"""Summing up: changes of single cells -> lines for loggers with all below them.

Each single change (`+mail`) is summed up by itself; those for the same loggers and
levels then share a line. A logger with the change of its parent is not repeated, and
what is different inside a scope is named as left out of it.
Pure; runs in the thread of the command.
"""

from collections.abc import Iterable, Iterator, Mapping

from logroute.cli.diffs import Change, Line, Scope
from logroute.config.flow import CHILD, STRANGER
from logroute.config.nodes import shown

__all__ = ["label", "say_scope", "sum_up"]

_MOST_NAMED = 4

Band = tuple[int, int]
Cells = Mapping[tuple[str, int], Change | None]


class _Open:
    """A scope under way: what is left out of it is not known yet."""

    __slots__ = ("but", "is_touched", "kind", "name")

    def __init__(self, kind: str, name: str, is_touched: bool) -> None:
        self.kind = kind
        self.name = name
        self.is_touched = is_touched
        self.but: list[tuple[str, str]] = []

    def close(self) -> Scope:
        return Scope(self.kind, (self.name,) if self.name else (), tuple(self.but))


def sum_up(names: Iterable[str], bands: list[Band], cells: Cells) -> tuple[Line, ...]:
    """Return the changes of all cells as lines.

    Args:
        names: logger names, each with its child (`CHILD`), `root` and `STRANGER`.
        bands: closed intervals of levels, ascending and adjacent.
        cells: by name and the first level of a band; None: nothing changes.
    """
    tree = _tree(set(names))
    where: dict[Change, set[tuple[str, int]]] = {}
    for cell, change in cells.items():
        for single in change.single() if change is not None else ():
            where.setdefault(single, set()).add(cell)
    found: dict[tuple[Scope, tuple[Band, ...]], Change] = {}
    for single, touched in where.items():
        for key in _places(tree, bands, touched):
            found[key] = found[key] | single if key in found else single
    lines = [Line(scope, levels, change) for (scope, levels), change in found.items()]
    return tuple(sorted(_gather(lines), key=_order))


def _places(
    tree: list[tuple[str, str | None]], bands: list[Band], touched: set[tuple[str, int]]
) -> Iterator[tuple[Scope, tuple[Band, ...]]]:
    """Yield the scopes and levels that make up the cells that are touched."""
    lows = {low for _, low in touched}
    found: dict[Scope, list[Band]] = {}
    for band in bands:
        if band[0] in lows:
            for scope in _scopes(tree, band[0], touched):
                found.setdefault(scope, []).append(band)
    for scope, parts in found.items():
        yield scope, _joined(parts)


def _tree(known: set[str]) -> list[tuple[str, str | None]]:
    """Return each logger behind its nearest parent that is known, too."""
    children = {name for name in known if name.removesuffix(CHILD) in known - {name}}
    nodes = sorted(known - children - {STRANGER, "root"}, key=lambda name: name.split("."))
    inside = set(nodes)
    return [(name, _parent(name, inside)) for name in nodes]


def _parent(name: str, inside: set[str]) -> str | None:
    above = name.rpartition(".")[0]
    while above and above not in inside:
        above = above.rpartition(".")[0]
    return above or None


def _scopes(
    tree: list[tuple[str, str | None]], low: int, touched: set[tuple[str, int]]
) -> list[Scope]:
    """Return what is touched of one band of levels."""
    everything = _Open("all", "", (STRANGER, low) in touched)
    owners: dict[str | None, _Open] = {None: everything}
    found = [everything]
    if (("root", low) in touched) is not everything.is_touched:
        found.append(_Open("logger", "root", not everything.is_touched))
        everything.but.append(("logger", "root"))
    for name, parent in tree:
        owner = owners[parent]
        own, below = (name, low) in touched, (name + CHILD, low) in touched
        owners[name] = owner
        if own == below:
            inner = [_Open("tree", name, own)] if own is not owner.is_touched else []
        else:
            pairs = (("logger", own), ("below", below))
            inner = [_Open(k, name, v) for k, v in pairs if v is not owner.is_touched]
        for scope in inner:
            owner.but.append((scope.kind, scope.name))
            if scope.kind != "logger":
                owners[name] = scope
        found += inner
    return [scope.close() for scope in found if scope.is_touched]


def _joined(bands: list[Band]) -> tuple[Band, ...]:
    joined: list[Band] = []
    for low, high in bands:
        if joined and joined[-1][1] + 1 == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)


def _gather(lines: list[Line]) -> list[Line]:
    """Return lines with those in one that say the same of several loggers."""
    found: dict[tuple[object, ...], Line] = {}
    for line in lines:
        scope = line.scope
        is_alone = scope.kind == "all" or bool(scope.but)
        alone = scope.names if is_alone else ()
        key = (scope.kind, alone, scope.but, line.levels, line.change)
        before = found.get(key)
        if before is not None:
            names = tuple(sorted((*before.scope.names, *scope.names)))
            line = line._replace(scope=scope._replace(names=names))  # noqa: PLW2901
        found[key] = line
    return list(found.values())


_KINDS = ("all", "tree", "logger", "below")


def _order(line: Line) -> tuple[object, ...]:
    names = [name.split(".") for name in line.scope.names]
    return (line.scope.kind != "all", names, _KINDS.index(line.scope.kind), line.levels)


def say_scope(scope: Scope) -> str:
    """Return a scope in words: ``app.billing and below``."""
    names = _list([label(name) for name in scope.names])
    words = {
        "all": "every logger",
        "tree": f"{names} and below",
        "logger": f"{names} itself" if len(scope.names) == 1 else f"{names} themselves",
        "below": f"all below {names}",
    }[scope.kind]
    but = [_say_left_out(kind, label(name)) for kind, name in scope.but]
    return f"{words} (but not {_list(but)})" if but else words


def _say_left_out(kind: str, name: str) -> str:
    if kind == "logger" and name != "root":
        return f"{name} itself"
    return f"what is below {name}" if kind == "below" else name


def label(name: str) -> str:
    """Return a name as people write it; what stands for any name is a star."""
    return shown(name.replace("\0", "*"), 200)


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
