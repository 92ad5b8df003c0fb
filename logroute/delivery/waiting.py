"""What waits in a queue, in order, in as little memory as can be: a backlog has many.

A tuple for each record would cost as much again as a short line, and the garbage
collector would walk over all of them while the application waits. Whoever owns one
keeps it under a lock; the length alone may be asked by anybody.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice, repeat

from logroute.light import Any, NamedTuple

__all__ = ["Item", "Run", "Waiting"]

#: One record on its way to a sink: payload, level number, bytes.
Item = tuple[Any, int, int]


class Run(NamedTuple):
    """Several payloads of one level on their way, oldest first."""

    payloads: list[bytes]
    levelno: int


class Waiting:
    """Items, first in, first out.

    Attributes:
        bytes: how many bytes they take, as the items say.
    """

    __slots__ = ("_counts", "_levels", "_odd_sizes", "_payloads", "bytes")

    def __init__(self) -> None:
        """Hold nothing."""
        self._begin()

    @classmethod
    def of(cls, items: "Iterable[Item | Run]") -> "Waiting":
        """Return one that holds `items`."""
        made = cls()
        made.extend(items)
        return made

    def _begin(self) -> None:
        self._payloads: deque[Any] = deque()
        #: The levels of runs of payloads, and how many each has.
        self._levels: deque[int] = deque()
        self._counts: deque[int] = deque()
        #: Of those payloads whose size is not their length.
        self._odd_sizes: deque[int] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._payloads)

    def __iter__(self) -> Iterator[Item]:
        """Yield all, oldest first."""
        odd_sizes = iter(self._odd_sizes)
        levels = chain.from_iterable(map(repeat, self._levels, self._counts))
        for payload, levelno in zip(self._payloads, levels, strict=True):
            if type(payload) is bytes:
                yield payload, levelno, len(payload)
            else:
                yield payload.payload, levelno, next(odd_sizes)

    @property
    def highest(self) -> int:
        """The highest level number among them; 0: there is none."""
        return max(self._levels, default=0)

    def append(self, item: Item) -> None:
        """Add one."""
        payload, levelno, size = item
        if type(payload) is not bytes or size != len(payload):
            self._odd_sizes.append(size)
            payload = _Odd(payload)
        self._count(levelno, 1)
        self._payloads.append(payload)
        self.bytes += size

    def extend(self, items: Iterable[Item | Run]) -> None:
        """Add several."""
        for item in items:
            if isinstance(item, Run):
                payloads, levelno = item
                self._count(levelno, len(payloads))
                self._payloads.extend(payloads)
                self.bytes += sum(map(len, payloads))
            else:
                self.append(item)

    def move_from(self, other: "Waiting") -> None:
        """Add all that `other` holds, which is left empty."""
        for levelno, count in zip(other._levels, other._counts, strict=True):
            self._count(levelno, count)
        self._payloads.extend(other._payloads)
        self._odd_sizes.extend(other._odd_sizes)
        self.bytes += other.bytes
        other._begin()

    def _count(self, levelno: int, count: int) -> None:
        if self._levels and self._levels[-1] is levelno:  # equal ones may say more: `OwnLevel`
            self._counts[-1] += count
        else:
            self._levels.append(levelno)
            self._counts.append(count)

    def popleft(self) -> Item:
        """Remove and return the oldest one."""
        return self.take(1, 0)[0]

    def take(self, most: int, most_bytes: int) -> list[Item]:
        """Remove and return the oldest ones, at least one if there is any."""
        payloads, odd_sizes = self._payloads, self._odd_sizes
        count, popleft = min(most, len(payloads)), payloads.popleft
        if odd_sizes:
            odd, sizes = iter(odd_sizes), []
            for payload in islice(payloads, count):
                sizes.append(len(payload) if type(payload) is bytes else next(odd))
        else:
            sizes = [*map(len, islice(payloads, count))]
        total = sum(sizes)
        while total > most_bytes and count > 1:
            count -= 1
            total -= sizes[count]
        self.bytes -= total
        taken = [popleft() for _ in repeat(None, count)]
        if odd_sizes:
            for at, payload in enumerate(taken):
                if type(payload) is not bytes:
                    taken[at] = payload.payload
                    odd_sizes.popleft()
        return [*zip(taken, self._take_levels(count), sizes, strict=False)]

    def _take_levels(self, count: int) -> list[int]:
        """Remove and return the levels of the `count` oldest ones."""
        taken: list[int] = []
        levels, counts = self._levels, self._counts
        while count:
            share = min(count, counts[0])
            taken += [levels[0]] * share
            count -= share
            counts[0] -= share
            if not counts[0]:
                levels.popleft()
                counts.popleft()
        return taken

    def clear(self) -> list[Item]:
        """Remove and return all."""
        return self.take(len(self), self.bytes)


class _Odd:
    """A payload that does not tell its size."""

    __slots__ = ("payload",)

    def __init__(self, payload: Any) -> None:
        self.payload = payload
