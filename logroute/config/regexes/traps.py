"""Traps: texts that take a regular expression exponential time to refuse.

Python's `re` tries one way to match after another. Where a text can be split
among the rounds of a repeat in two ways, one of twice the length can be split in
the square of that many, and where it does not match all of them are tried. A
pattern is taken as an automaton with a state per place that takes a letter: it has
a trap where a state leads back to itself by two ways that read the same text, and
that text does not lead to the end. Lookarounds, anchors, back references, atomic
groups and possessive repeats are walls: what repeats across one is not judged. All
work is bounded; what is too large is not judged. Pure functions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from logroute.config.regexes.graphs import Budget, EnoughError, circles, path
from logroute.config.regexes.letters import REPEATS, Letters, name_of
from logroute.light import Any, NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["Budget", "Trap", "find_trap"]

#: Longest pattern that is judged, and most places in it that take a letter.
_MOST_CHARACTERS = 4000
_MOST_PLACES = 300
#: A bounded repeat with that many rounds is as good as an endless one: it is one in which
#: each round has two ways, or one whose rounds have ways of their own.
_MANY_ROUNDS, _MANY_LOOPS = 20, 10
#: Rounds that may be left out; more add no ways that these do not show.
_MOST_OPTIONAL = 5


#: An end of the pattern that is reached within that many letters stops the search for others.
_SOON = 12
#: Most texts that are tried in one loop.
_MOST_TRIES = 10


class Trap(NamedTuple):
    """A text that a pattern can take for ever to refuse: `head`, then many times `pump`."""

    head: str
    pump: str


# a repeat of a group: nothing else can be ambiguous
_REPEATED_GROUP = lazy_pattern(r"\)\s*[*+{]")


def find_trap(pattern: str, budget: Budget) -> Trap | None:
    """Return a text that takes `pattern` exponential time, or None where none was found."""
    if len(pattern) > _MOST_CHARACTERS or not _REPEATED_GROUP.search(pattern):
        return None
    from re import _parser  # type: ignore[attr-defined]  # few patterns get here

    budget.begin()
    try:
        budget.spend(100 + len(pattern))
        tree = _parser.parse(pattern)
        if not _is_nested(tree):
            return None
        return _Automaton(tree, budget).trap()
    except (re.error, OverflowError, RecursionError, Warning, EnoughError):
        return None  # what cannot be compiled is LR403


def _is_nested(tree: Any, inside: bool = False) -> bool:
    """Return whether a loop holds a choice: another repeat, or a branch."""
    for op, value in tree:
        name = name_of(op)
        if name == "BRANCH":
            if inside or any(_is_nested(branch) for branch in value[1]):
                return True
        elif name in REPEATS:
            low, high, body = value
            if (inside and low != high) or _is_nested(body, inside or high >= _MANY_LOOPS):
                return True
        elif name == "SUBPATTERN" and _is_nested(value[3], inside):
            return True
    return False


# -- the automaton: a state per place, an edge where one place follows another

_Ways = Mapping[int, int]  # place -> in how many ways: 1, or 2 for more


class _Piece(NamedTuple):
    """A part of a pattern: in how many ways it is empty, begins and ends."""

    empty: int
    first: _Ways
    last: _Ways


_NOTHING = _Piece(1, {}, {})


def _more(*ways: _Ways) -> _Ways:
    total: dict[int, int] = {}
    for table in ways:
        for place, count in table.items():
            total[place] = min(2, total.get(place, 0) + count)
    return total


def _times(ways: _Ways, factor: int) -> _Ways:
    return {place: min(2, count * factor) for place, count in ways.items()} if factor else {}


class _Automaton:
    """A pattern as places that each take one letter, and the ways between them."""

    def __init__(self, tree: Any, budget: Budget) -> None:
        self._budget = budget
        self._letters = Letters(tree, budget)
        self._loops: dict[int, bool] = {}  # by the id of a body, which the tree keeps
        self.masks: list[int] = []
        self.edges: list[dict[int, int]] = []
        self._whole = self._sequence(tree, int(tree.state.flags))
        self._last_letters = 0
        for place in self._whole.last:
            self._last_letters |= self.masks[place]

    # building, as Glushkov does, but counting ways

    def _sequence(self, tree: Any, flags: int) -> _Piece:
        piece = _NOTHING
        self._budget.spend(8)
        for op, value in tree:
            piece = self._join(piece, self._piece(op, value, flags))
        return piece

    def _piece(self, op: object, value: Any, flags: int) -> _Piece:
        name = name_of(op)
        self._budget.spend(8)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._place(self._letters.mask(op, value, flags))
        if name == "SUBPATTERN":
            return self._sequence(value[3], (flags | value[1]) & ~value[2])
        if name == "BRANCH":
            parts = [self._sequence(branch, flags) for branch in value[1]]
            empty = min(2, sum(part.empty for part in parts))
            return _Piece(empty, _more(*(p.first for p in parts)), _more(*(p.last for p in parts)))
        if name in REPEATS:
            low, high, body = value
            return self._repeat(low, high, body, flags)
        return self._place(0)  # a wall

    def _place(self, mask: int) -> _Piece:
        if len(self.masks) >= _MOST_PLACES:
            raise EnoughError
        self.masks.append(mask)
        self.edges.append({})
        place = len(self.masks) - 1
        return _Piece(0, {place: 1}, {place: 1})

    def _join(self, left: _Piece, right: _Piece) -> _Piece:
        self._link(left.last, right.first)
        return _Piece(
            min(2, left.empty * right.empty),
            _more(left.first, _times(right.first, left.empty)),
            _more(right.last, _times(left.last, right.empty)),
        )

    def _link(self, ends: _Ways, starts: _Ways) -> None:
        self._budget.spend(len(ends) * len(starts))
        for end, ways in ends.items():
            edges = self.edges[end]
            for start, more in starts.items():
                edges[start] = min(2, edges.get(start, 0) + ways * more)

    def _repeat(self, low: int, high: int, body: Any, flags: int) -> _Piece:
        piece = _NOTHING
        for _ in range(low):
            piece = self._join(piece, self._sequence(body, flags))
        if high >= (_MANY_LOOPS if self._has_loop(body) else _MANY_ROUNDS):
            return self._join(piece, self._loop(self._sequence(body, flags)))
        rest = _NOTHING
        for _ in range(min(high - low, _MOST_OPTIONAL)):
            inner = self._join(self._sequence(body, flags), rest)
            rest = inner._replace(empty=min(2, inner.empty + 1))
        return self._join(piece, rest)

    def _has_loop(self, tree: Any) -> bool:
        known = self._loops.get(id(tree))
        if known is None:
            known = self._loops[id(tree)] = any(self._is_loop(op, value) for op, value in tree)
        return known

    def _is_loop(self, op: object, value: Any) -> bool:
        name = name_of(op)
        if name in REPEATS:
            return value[1] >= _MANY_ROUNDS or self._has_loop(value[2])
        if name == "BRANCH":
            return any(self._has_loop(branch) for branch in value[1])
        return name == "SUBPATTERN" and self._has_loop(value[3])

    def _loop(self, body: _Piece) -> _Piece:
        # a round that takes nothing ends the loop, which is one more way out of it
        self._link(body.last, body.first)
        ways_out = 1 + body.empty
        return _Piece(min(2, ways_out), body.first, _times(body.last, ways_out))

    # judging

    def trap(self) -> Trap | None:
        """Return a text for which there are ever more ways, and no quick end."""
        done = self._whole.last
        # whoever gets to the end of the pattern is done, and tries no other way
        graph = {
            place: [to for to in edges if to not in done and self.masks[to]]
            for place, edges in enumerate(self.edges)
            if place not in done and self.masks[place]
        }
        for group in circles(graph, self._budget):
            inside = {place: [to for to in graph[place] if to in group] for place in sorted(group)}
            doubled = islice(self._doubled(inside), _MOST_TRIES)
            for state, pump in chain(doubled, islice(self._parted(inside), _MOST_TRIES)):
                if not self._gets_done(state, pump):
                    return Trap(self._head(state), pump)
        return None

    def _doubled(self, graph: Mapping[int, list[int]]) -> Iterator[tuple[int, str]]:
        """Yield the state and text of a circle with two ways from one place to the next."""
        for place, following in graph.items():
            for to in following:
                if self.edges[place][to] > 1:
                    back = path(graph, to, place, self._budget)
                    yield place, self._text((to, *back))

    def _parted(self, graph: Mapping[int, list[int]]) -> Iterator[tuple[int, str]]:
        """Yield the state and text of two ways that part, read the same, and meet again."""
        pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for one, to_one in graph.items():
            for other, to_other in graph.items():
                if self.masks[one] & self.masks[other]:
                    self._budget.spend(len(to_one) * len(to_other))
                    pairs[one, other] = [
                        (a, b) for a in to_one for b in to_other if self.masks[a] & self.masks[b]
                    ]
        for group in circles(pairs, self._budget):
            apart = min((pair for pair in group if pair[0] != pair[1]), default=None)
            for same in sorted(pair for pair in group if pair[0] == pair[1] and apart):
                there = path(pairs, same, apart or same, self._budget)
                back = path(pairs, apart or same, same, self._budget)
                masks = [self.masks[a] & self.masks[b] for a, b in (*there, *back)]
                yield same[0], self._text_of(masks)

    def _text(self, places: Iterable[int]) -> str:
        return self._text_of(self.masks[place] for place in places)

    def _text_of(self, masks: Iterable[int]) -> str:
        # letters that end the pattern would end the search
        return "".join(self._letters.one_of(mask & ~self._last_letters or mask) for mask in masks)

    def _gets_done(self, state: int, pump: str) -> bool:
        """Return whether reading on from `state` soon gets to the end of the pattern."""
        states = {state}
        for char in pump * max(2, _SOON // len(pump) + 1):
            bit = 1 << self._letters.letters.index(char)
            self._budget.spend(len(states))
            states = {to for place in states for to in self.edges[place] if self.masks[to] & bit}
            if not states.isdisjoint(self._whole.last):
                return True
        return False

    def _head(self, state: int) -> str:
        """Return a shortest text that leads to a state; walls are passed over."""
        graph: dict[int, Iterable[int]] = {-1: self._whole.first, **dict(enumerate(self.edges))}
        way = path(graph, -1, state, self._budget)
        return self._text(place for place in way if self.masks[place])
