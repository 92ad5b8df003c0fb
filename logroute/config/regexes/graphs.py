"""Graphs: ways and circles in them, searched with a bounded number of steps. Pure functions."""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping

from logroute.light import TypeVar

__all__ = ["Budget", "EnoughError", "circles", "path"]

#: Most steps of one search; one takes about a microsecond.
_MOST_STEPS = 50_000


class EnoughError(Exception):
    """The search has taken all the steps it may."""


class Budget:
    """Counts the steps of a search; `left` is what another may use of all that was given."""

    __slots__ = ("_now", "left")

    def __init__(self, steps: int = 150_000) -> None:
        """Allow so many steps in all."""
        self.left = steps
        self._now = 0

    def begin(self) -> None:
        """Begin with another search."""
        self._now = min(self.left, _MOST_STEPS)

    def spend(self, steps: int = 1) -> None:
        """Count steps; stop where they are too many."""
        taken = min(steps, self._now)  # what is refused is not done
        self._now -= taken
        self.left -= taken
        if taken < steps:
            raise EnoughError


_State = TypeVar("_State", bound=Hashable)


def path(
    graph: Mapping[_State, Iterable[_State]], start: _State, end: _State, budget: Budget
) -> list[_State]:
    """Return a shortest way from `start`, which is left out, to `end`."""
    if start == end:
        return []
    before: dict[_State, _State] = {}
    queue = deque([start])
    while queue and end not in before:
        state = queue.popleft()
        for to in graph[state]:
            budget.spend()
            if to not in before:
                before[to] = state
                queue.append(to)
    way = [end]
    while before[way[-1]] != start:
        way.append(before[way[-1]])
    return way[::-1]


def circles(
    graph: Mapping[_State, Iterable[_State]], budget: Budget
) -> Iterator[frozenset[_State]]:
    """Yield the groups of states that all lead to each other, and to themselves (Tarjan)."""
    number: dict[_State, int] = {}
    low: dict[_State, int] = {}
    stack: list[_State] = []
    on_stack: set[_State] = set()
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            state, following = work[-1]
            for to in following:
                budget.spend()
                if to not in number:
                    number[to] = low[to] = len(number)
                    stack.append(to)
                    on_stack.add(to)
                    work.append((to, iter(graph[to])))
                    break
                if to in on_stack:
                    low[state] = min(low[state], number[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[state])
                if low[state] == number[state]:
                    group = frozenset(stack[stack.index(state) :])
                    del stack[stack.index(state) :]
                    on_stack -= group
                    if len(group) > 1 or state in graph[state]:
                        yield group
