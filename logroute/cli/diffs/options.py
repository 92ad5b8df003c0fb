"""Which handlers, formatters, filters, loggers and settings differ, option by option.

Decoded values are compared, so that another spelling of the same (`10MiB` for
`10485760`) is no change; shown is what the files say. Secrets are only said to have
changed. Pure; runs in the thread of the command.
"""

import math
from collections.abc import Iterator, Mapping

from logroute.cli.diffs import OptionChange, PartChange
from logroute.cli.graphs.parts import UNKNOWN, Parts
from logroute.config.load import Loaded
from logroute.config.model import Foreign, HandlerSpec, LoggerSpec
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.source import split_lines
from logroute.options import VEIL, Spec, options_of

__all__ = ["SECTIONS", "PartsOf", "compare_parts"]

#: The sections of the answer, in order.
SECTIONS = ("loggers", "handlers", "formatters", "filters", "settings")
_SETTINGS = (
    "levels",
    "context",
    "queue",
    "shutdown_timeout",
    "disable_existing_loggers",
    "incremental",
    "flush_on",
    "reload",
    "stats",
)
_MOST_ITEMS = 5


class PartsOf(Parts):
    """The parts of one config, with the text that they were read from."""

    def __init__(self, loaded: Loaded) -> None:
        """Look at a config that could be loaded."""
        super().__init__(loaded)
        source = loaded.source
        self._file = source.name if source is not None else ""
        self._lines = split_lines(source.text) if source is not None else []

    def written(self, path: Path) -> str | None:
        """Return the text at `path` as it stands in the file, variables and all."""
        node = self.view.at(path)
        if node is None or node.span.file != self._file or node.span.line != node.span.end_line:
            return None
        line = self._lines[node.span.line - 1 : node.span.line]
        return line[0][node.span.column - 1 : node.span.end_column - 1] if line else None

    def node(self, path: Path) -> Node | None:
        """Return the node of an option; of a short form (`app: INFO`) the one that is there."""
        above = self.view.at(path[:-1])
        is_short = above is not None and not isinstance(above.value, dict | list)
        return above if is_short else self.view.at(path)

    def tell(self, path: Path, value: object, *, is_default: bool) -> str:
        """Return a value for people: as written, or the default in brackets."""
        node = self.node(path)
        if node is not None and node.opaque:
            return VEIL if self.is_hidden(path) else UNKNOWN
        if self.is_hidden(path):
            return VEIL
        told = node.text if node is not None and node.text else _plain(value)
        return f"{told} (default)" if is_default and node is None else self.show(path, told)


def _plain(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        more = f" and {len(value) - _MOST_ITEMS} more" if len(value) > _MOST_ITEMS else ""
        return (", ".join(map(_plain, value[:_MOST_ITEMS])) or "none") + more
    if isinstance(value, Spec):
        given = ", ".join(f"{key}: {_plain(item)}" for key, item in value.__dict__.items())
        return f"{{{given}}}"
    return shown(f"{value:g}" if isinstance(value, float) else str(value))


def compare_parts(old: PartsOf, new: PartsOf) -> dict[str, tuple[PartChange, ...]]:
    """Return what differs between the parts of two configs, by section."""
    found: dict[str, tuple[PartChange, ...]] = {}
    for section in SECTIONS[1:-1]:
        before, after = getattr(old.config, section), getattr(new.config, section)
        found[section] = tuple(_section(section, before, after, old, new))
    settings = tuple(_settings(old, new))
    loggers = tuple(_section("loggers", _loggers(old), _loggers(new), old, new))
    parts = {"loggers": loggers, **found, "settings": settings}
    return {section: parts[section] for section in SECTIONS}


def _loggers(parts: Parts) -> dict[str, Spec]:
    root = {"root": parts.config.root} if parts.config.root is not None else {}
    return {**root, **parts.config.loggers}


def _section(
    section: str,
    before: Mapping[str, Spec],
    after: Mapping[str, Spec],
    old: PartsOf,
    new: PartsOf,
) -> Iterator[PartChange]:
    """Yield the parts of one section that were added, removed or changed, new ones first."""
    for name, spec in after.items():
        if name not in before:
            yield PartChange("added", shown(name), _what(section, name, spec, new), ())
    for name, spec in before.items():
        if name not in after:
            yield PartChange("removed", shown(name), _what(section, name, spec, old), ())
    for name, spec in before.items():
        if name in after:
            options = tuple(_Pair(old, new).part(section, name, spec, after[name]))
            if options:
                yield PartChange("changed", shown(name), "", options)


def _what(section: str, name: str, spec: Spec, parts: PartsOf) -> str:
    """Return a part in words."""
    if isinstance(spec, HandlerSpec):
        target = parts.target(name, spec)
        level = (
            f", {parts.tell(('handlers', name, 'level'), spec.level, is_default=False)} and above"
        )
        return f"{parts.kind(name)}, {target.text}{level if spec.level else ''}"
    if isinstance(spec, LoggerSpec):
        path = _logger_path(name)
        level = parts.tell((*path, "level"), spec.level, is_default=False)
        words = [f"level {level}" if spec.level is not None else ""]
        words.append("propagate: false" if spec.propagate is False else "")
        return ", ".join(filter(None, words))
    return parts.kind_of(section, name)


def _logger_path(name: str) -> Path:
    return ("root",) if name == "root" else ("loggers", name)


def _settings(old: PartsOf, new: PartsOf) -> Iterator[PartChange]:
    pair = _Pair(old, new)
    for key in _SETTINGS:
        before, after = getattr(old.config, key), getattr(new.config, key)
        options = tuple(pair.value((key,), (), before, after))
        if options:
            yield PartChange("changed", key, "", options)


class _Pair:
    """Two configs whose options are compared."""

    def __init__(self, old: PartsOf, new: PartsOf) -> None:
        self.old = old
        self.new = new

    def part(self, section: str, name: str, before: Spec, after: Spec) -> Iterator[OptionChange]:
        """Yield the options of a part that differ."""
        path: Path = _logger_path(name) if section == "loggers" else (section, name)
        kinds = self.old.kind_of(section, name), self.new.kind_of(section, name)
        if kinds[0] != kinds[1] or isinstance(before, Foreign) is not isinstance(after, Foreign):
            yield OptionChange("type", kinds[0] or "none", kinds[1] or "none", is_secret=False)
            return
        if isinstance(before, Foreign) and isinstance(after, Foreign):
            yield from self.value(path, (), before.entry, after.entry)
            return
        skipped = ("handlers",) if section == "loggers" else ()
        yield from self.options(path, (), before, after, skipped)
        if isinstance(before, HandlerSpec) and isinstance(after, HandlerSpec):
            if isinstance(before.sink, Foreign) and isinstance(after.sink, Foreign):
                entries = [
                    {key: item for key, item in spec.sink.entry.items() if key not in _COMMON}
                    for spec in (before, after)
                    if isinstance(spec.sink, Foreign)
                ]
                yield from self.value(path, (), *entries)
            elif type(before.sink) is type(after.sink):
                yield from self.options(path, (), before.sink, after.sink)
            else:
                yield OptionChange("type", kinds[0], f"another {kinds[1]}", is_secret=False)

    def options(
        self,
        path: Path,
        option: Path,
        before: Spec,
        after: Spec,
        skipped: tuple[str, ...] = (),
    ) -> Iterator[OptionChange]:
        """Yield the options of two specs that differ."""
        names = {**options_of(type(before)), **options_of(type(after))}
        for key, known in names.items():
            if key not in skipped:
                values = [getattr(spec, known.name, known.default) for spec in (before, after)]
                yield from self.value((*path, key), (*option, key), *values)

    def value(
        self, path: Path, option: Path, before: object, after: object
    ) -> Iterator[OptionChange]:
        """Yield what differs between two values, as deep down as can be told."""
        if isinstance(before, Spec) and type(before) is type(after):
            assert isinstance(after, Spec)
            yield from self.options(path, option, before, after)
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in dict.fromkeys([*before, *after]):
                inner = before.get(key, _ABSENT), after.get(key, _ABSENT)
                yield from self.value((*path, key), (*option, str(key)), *inner)
        elif _is_nan(before) and _is_nan(after):  # they are not even equal to themselves
            return
        elif before != after or self._differs_unseen(path):
            yield self._change(path, option, before, after)

    def _differs_unseen(self, path: Path) -> bool:
        """Return whether values that are not known here are written otherwise."""
        nodes: list[Node | None] = [self.old.view.at(path), self.new.view.at(path)]
        if not any(node is not None and node.opaque for node in nodes):
            return False
        return self.old.written(path) != self.new.written(path)

    def _change(self, path: Path, option: Path, before: object, after: object) -> OptionChange:
        hidden = self.old.is_hidden(path) or self.new.is_hidden(path)
        told: list[str | None] = []
        for parts, value in ((self.old, before), (self.new, after)):
            is_set = parts.node(path) is not None
            if value is _ABSENT or (not is_set and value in (None, (), {})):
                told.append(None)
            elif hidden:
                told.append(VEIL)
            else:
                told.append(parts.tell(path, value, is_default=not is_set))
        name = ".".join(shown(str(step)) for step in option)
        return OptionChange(name, told[0], told[1], hidden)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


class _Absent:
    """Stands for a key that is not there."""


_ABSENT = _Absent()
#: What every handler has, read apart from the arguments of its class.
_COMMON = frozenset({"level", "filters", "formatter"})
