"""What differs between two configs, as a reload sees it. Pure; any thread."""

import os
from collections.abc import Iterator, Mapping

from logroute.config.model import Config, Foreign, HandlerSpec, NetworkHandlerSpec
from logroute.delivery.specs import QueueSpec
from logroute.light import Any, NamedTuple
from logroute.options import options_of

__all__ = ["Changes", "compare", "resources_of"]

#: What a sink talks to: two that have the same are not at work at the same time.
_RESOURCES = ("path", "filename", "stream", "address", "url", "host", "port")


class Changes(NamedTuple):
    """The differences.

    Attributes:
        added: names of handlers that are new.
        removed: names of handlers that are gone.
        changed: names of handlers that are described otherwise.
        kept: names of handlers that are described as before.
        sections: other top-level keys that say something else.
        going_on: the handlers whose live parts go on; another level changes none.
        filters: names of the filters whose live parts go on.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]
    sections: tuple[str, ...]
    going_on: frozenset[str]
    filters: frozenset[str]


def compare(old: Config, new: Config, *, may_share_foreign: bool = True) -> Changes:
    """Return what changes from `old` to `new`.

    Args:
        old: the config that runs.
        new: the one to come.
        may_share_foreign: whether parts that are not ours may go on: both configs
            may import the same names.
    """
    pair = _Pair(old, new, may_share_foreign)
    going_on = frozenset(name for name in new.handlers if pair.goes_on(name))
    kept = tuple(name for name in new.handlers if name in going_on and pair.has_same_level(name))
    return Changes(
        added=tuple(name for name in new.handlers if name not in old.handlers),
        removed=tuple(name for name in old.handlers if name not in new.handlers),
        changed=tuple(n for n in new.handlers if n in old.handlers and n not in kept),
        kept=kept,
        sections=tuple(
            option.key
            for option in options_of(Config).values()
            if option.key not in ("handlers", "tests")
            and getattr(old, option.name) != getattr(new, option.name)
        ),
        going_on=going_on,
        filters=frozenset(name for name in new.filters if pair.is_same("filters", name)),
    )


class _Pair:
    """Two configs, asked about one part after the other."""

    def __init__(self, old: Config, new: Config, may_share_foreign: bool) -> None:
        self.old = old
        self.new = new
        self.may_share_foreign = may_share_foreign

    def goes_on(self, name: str) -> bool:
        """Return whether a handler's worker can do for the new config what it did for the old."""
        old, new = self.old.handlers.get(name), self.new.handlers[name]
        if old is None or _essence(old) != _essence(new) or not self._may_share(new.sink):
            return False
        queues = [
            QueueSpec.joined(config.queue, spec.queue)
            for config, spec in ((self.old, old), (self.new, new))
        ]
        return (
            queues[0] == queues[1]
            and (new.formatter is None or self.is_same("formatters", new.formatter))
            and all(self.is_same("filters", filter) for filter in new.filters)
        )

    def has_same_level(self, name: str) -> bool:
        """Return whether a handler's level is written as before, and means the same."""
        level = self.new.handlers[name].level
        same_levels = isinstance(level, int) or self.old.levels == self.new.levels
        return same_levels and self.old.handlers[name].level == level

    def is_same(self, family: str, name: str) -> bool:
        """Return whether a formatter or filter is described as before."""
        old, new = getattr(self.old, family).get(name), getattr(self.new, family)[name]
        return old == new and self._may_share(new)

    def _may_share(self, spec: object) -> bool:
        if not isinstance(spec, Foreign):
            return True
        return self.may_share_foreign and not any("cfg://" in text for text in _texts(spec.entry))


def _essence(spec: HandlerSpec) -> object:
    """Return a handler's description without its level."""
    bare = spec.replace(level=0)
    if not isinstance(spec.sink, Foreign):
        return bare
    entry = {key: value for key, value in spec.sink.entry.items() if key != "level"}
    return bare.replace(sink=Foreign(entry=entry))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def resources_of(spec: HandlerSpec) -> frozenset[tuple[Any, ...]]:
    """Return the files and addresses that a handler uses, as far as one can tell."""
    values = spec.sink.entry if isinstance(spec.sink, Foreign) else _values(spec.sink)
    found: set[tuple[Any, ...]] = set()
    for key in ("path", "filename"):
        if isinstance(path := values.get(key), str):
            found.add(("file", _absolute(path)))
    place = [(key, repr(values[key])) for key in _RESOURCES[2:] if values.get(key) is not None]
    if place:
        found.add(("place", *place))
    if isinstance(spec, NetworkHandlerSpec):
        if spec.spool is not None:
            found.add(("spool", _absolute(spec.spool.path)))
        if spec.dead_letter is not None:
            found.add(("file", _absolute(spec.dead_letter.path)))
    return frozenset(found)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _values(spec: Any) -> Mapping[str, Any]:
    return {key: getattr(spec, key, None) for key in _RESOURCES}
