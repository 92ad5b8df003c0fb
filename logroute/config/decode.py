"""Decoding: nodes -> the frozen model, in one walk over the options of the specs.

The walk is tolerant: a bad part is told in a `Problem` and keeps its default, so
that the rules can look at everything else. What it accepts is what the JSON
Schema accepts; both come from the same specs. Runs in whatever thread loads a
config.
"""

import functools
from collections.abc import Mapping

from logroute import filters, formatters, sinks
from logroute.config.model import (
    Config,
    Foreign,
    HandlerSpec,
    LoggerSpec,
    NetworkHandlerSpec,
    PreambleSpec,
    StdFilterSpec,
    StdFormatterSpec,
    StdHandlerSpec,
)
from logroute.config.nodes import Node
from logroute.config.readers import BAD, Path, Problem, Site, read_value, stand_in, typed
from logroute.hints import nearest
from logroute.kinds import KindTable
from logroute.light import Any
from logroute.options import EMPTY, Option, Spec, options_of
from logroute.shapes import Flag

__all__ = [
    "FAMILIES",
    "MARKS",
    "MAX_PROBLEMS",
    "STDLIB_KEYS",
    "Decoded",
    "decode",
    "is_foreign",
    "is_ignored",
    "is_marked",
    "is_ours",
    "read",
    "top_options",
]

#: The kinds of each family of parts.
FAMILIES: Mapping[str, KindTable[Any]] = {
    "handler": sinks.KINDS,
    "formatter": formatters.KINDS,
    "filter": filters.KINDS,
}
#: The keys by which an entry of a family says that it is written our way.
MARKS: Mapping[str, tuple[str, ...]] = {
    "handler": ("type",),
    "formatter": ("type", "newlines"),
    "filter": ("type",),
}
#: Most problems of shape that are noted, and of each other code; a broken generator
#: can repeat one for ever.
MAX_PROBLEMS = 1000
#: What dictConfig reads at the top level; everything else is ours.
STDLIB_KEYS = frozenset(
    {
        "disable_existing_loggers",
        "filters",
        "formatters",
        "handlers",
        "incremental",
        "loggers",
        "root",
        "version",
    }
)


class Decoded:
    """All that one walk found.

    `sites` are the levels and names, for the rules; `secrets` the paths of
    options whose values are never shown.
    """

    __slots__ = ("config", "problems", "secrets", "sites")

    def __init__(self, config: Config, walk: "Walk") -> None:
        """Keep what `walk` found on its way to `config`."""
        self.config = config
        self.problems: list[Problem] = walk.problems
        self.sites: list[Site] = walk.sites
        self.secrets: set[Path] = walk.secrets


def decode(node: Node) -> tuple[Config, list[Problem]]:
    """Return the config of an expanded tree, and all that is wrong with its shape."""
    found = read(node)
    return found.config, found.problems


def read(node: Node) -> Decoded:
    """Decode an expanded tree, and keep what the rules and messages need besides."""
    walk = Walk()
    return Decoded(walk.config(node), walk)


@functools.cache
def top_options() -> dict[str, Option]:
    """Return the options of a whole file, those used up before decoding included."""
    return {**options_of(Config), **options_of(PreambleSpec)}


def is_ignored(key: str) -> bool:
    """Return whether a top-level key is passed over on purpose."""
    return key.startswith("x-") or key == "$schema"


def is_foreign(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry names its class or factory itself."""
    return "class" in entry or "()" in entry


def is_marked(family: str, entry: Mapping[str, Node]) -> bool:
    """Return whether an entry of a family says that it is written our way."""
    return not is_foreign(entry) and any(mark in entry for mark in MARKS[family])


def is_ours(top: Mapping[str, Node]) -> bool:
    """Return whether a file says anything that dictConfig has no word for."""
    if any(key in top_options() and key not in STDLIB_KEYS for key in top):
        return True
    for family in FAMILIES:
        for entry in _entries(top, f"{family}s"):
            if isinstance(entry.value, dict) and is_marked(family, entry.value):
                return True
    if any(not isinstance(entry.value, dict) for entry in _entries(top, "loggers")):
        return True
    return "root" in top and not isinstance(top["root"].value, dict | None)


def _entries(top: Mapping[str, Node], section: str) -> list[Node]:
    node = top.get(section)
    return list(node.value.values()) if node and isinstance(node.value, dict) else []


class Walk:
    """One walk over a tree; `owner` is the spec whose options are being read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.counts: dict[str, int] = {}
        self.sites: list[Site] = []
        self.secrets: set[Path] = set()
        self.owner: type[Spec] = Config
        self.incremental = False

    def fault(self, path: Path, message: str, code: str = "LR103", *, of_key: bool = False) -> Any:
        problem = Problem(path, message, code, of_key)
        kind = "" if problem.is_shape else code  # many of one kind must not hide another
        self.counts[kind] = count = self.counts.get(kind, 0) + 1
        if count <= MAX_PROBLEMS:
            self.problems.append(problem)
        return BAD

    def config(self, node: Node) -> Config:
        """Read a whole file."""
        top = node.value
        if not isinstance(top, dict):
            if not node.opaque:
                self.fault((), "must be a mapping")
            return Config()
        if "version" not in top:
            self.fault((), "needs the key `version`", "LR102")
        if "incremental" in top:
            value = top["incremental"].value
            self.incremental = value is True or Flag.WORDS.get(str(value)) is True
        options, values = top_options(), dict[str, Any]()
        code = "LR101" if is_ours(top) else "LR901"
        for key, item in top.items():
            if key == "version":
                self.version(item)
            elif key in options:
                self.option(options[key], item, (key,), values)
            elif not is_ignored(key):
                self.fault((key,), "unknown key", code, of_key=True)
        for name in options_of(PreambleSpec):
            values.pop(name, None)
        _sort_out_loggers(values)
        return Config(**values)

    def version(self, node: Node) -> None:
        """See to it that `version` is the number 1."""
        value = typed(node)
        if node.opaque or (isinstance(value, int | float) and value == 1 and value is not True):
            return
        self.fault(("version",), "must be the number 1", "LR107")

    def fields(
        self,
        spec: type[Spec],
        entry: Mapping[str, Node],
        path: Path,
        skip: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Read the options of `spec` from `entry`; keys in `skip` may be there too."""
        options = options_of(spec)
        outer, self.owner = self.owner, spec
        values: dict[str, Any] = {}
        for key, node in entry.items():
            option = options.get(key)
            if option is not None:
                self.option(option, node, (*path, key), values)
                continue
            if key not in skip and _is_meant_as_secret(key, options):
                self.secrets.add((*path, key))
            if key not in skip:
                code = "LR901" if spec.lenient else "LR101"
                self.fault((*path, key), "unknown key", code, of_key=True)
        for key, option in options.items():
            if option.required and option.name not in values:
                if key not in entry:
                    self.fault(path, f"needs the key `{key}`", "LR102")
                values[option.name] = stand_in(option.shape)
        self.owner = outer
        return values

    def option(self, option: Option, node: Node, path: Path, values: dict[str, Any]) -> None:
        """Read one option into `values`, unless it is bad or left empty."""
        if option.secret:
            self.secrets.add(path)
        if node.opaque:
            if option.required:
                values[option.name] = stand_in(option.shape)
        elif node.value is None and option.nullable:
            if option.required:
                values[option.name] = None
            return
        if option.planned:
            self.fault(path, "is not yet available", "LR190", of_key=True)
        if not node.opaque:
            value = read_value(self, option.shape, node, path)
            if value is not BAD:
                values[option.name] = value

    def part(self, family: str, node: Node, path: Path) -> Any:
        """Read an entry of `handlers`, `formatters` or `filters`."""
        entry = node.value
        if not isinstance(entry, dict):
            if not node.opaque:
                self.fault(path, "must be a mapping")
            nothing = Foreign(entry=EMPTY)
            return HandlerSpec(sink=nothing) if family == "handler" else nothing
        if family == "handler":
            return self.handler(node, entry, path)
        return self.formatter_or_filter(family, node, entry, path)

    def handler(self, node: Node, entry: Mapping[str, Node], path: Path) -> HandlerSpec:
        """Read an entry of `handlers`: one of our kinds, or a class with its arguments."""
        everything = frozenset(entry)
        if not is_marked("handler", entry):
            if not is_foreign(entry) and not self.incremental:
                self.fault(path, "needs the key `type`", "LR102")
            common = self.fields(StdHandlerSpec, entry, path, everything)
            return HandlerSpec(sink=self.foreign("handler", node, path), **common)
        spec = self.kind("handler", entry["type"], path)
        if spec is None:  # which has been told; its other keys mean nothing yet
            before, counts = len(self.problems), self.counts.copy()
            common = self.fields(StdHandlerSpec, entry, path, everything)
            del self.problems[before:]
            self.counts = counts
            return HandlerSpec(sink=Foreign(entry=EMPTY), **common)
        outer = NetworkHandlerSpec if spec.networked else HandlerSpec
        values = self.fields(outer, entry, path, frozenset({"type", *options_of(spec)}))
        return outer(sink=spec(**self.fields(spec, entry, path, everything)), **values)

    def formatter_or_filter(
        self, family: str, node: Node, entry: Mapping[str, Node], path: Path
    ) -> Spec:
        """Read an entry of `formatters` or `filters`."""
        if not is_marked(family, entry):
            self.stdlib_keys(family, entry, path)
            return self.foreign(family, node, path)
        if "type" in entry:
            spec = self.kind(family, entry["type"], path)
        else:
            spec = FAMILIES[family].get("text")  # what another mark means
        if spec is None:
            return Foreign(entry=EMPTY)
        made: Spec = spec(**self.fields(spec, entry, path, frozenset({"type"})))
        return made

    def stdlib_keys(self, family: str, entry: Mapping[str, Node], path: Path) -> None:
        """Look at what stdlib reads of an entry, and warn of what it passes over."""
        if "()" in entry:
            return  # all keys are arguments
        if family == "filter":
            self.fields(StdFilterSpec, entry, path)
        elif "class" not in entry:
            self.fields(StdFormatterSpec, entry, path)
        else:
            known = {"class", *options_of(StdFormatterSpec)}
            for key in entry:
                if key not in known:
                    self.fault((*path, key), "unknown key", "LR901", of_key=True)

    def kind(self, family: str, node: Node, path: Path) -> Any:
        """Return the spec that `type` names, or None after saying why not."""
        if node.opaque:
            return None
        spec = FAMILIES[family].get(node.value) if isinstance(node.value, str) else None
        if spec is None:
            self.fault((*path, "type"), f"unknown {family} type", "LR105")
        elif spec.planned:
            message = f"{family} type `{node.value}` is not yet available"
            self.fault((*path, "type"), message, "LR190")
        return spec

    def foreign(self, family: str, node: Node, path: Path) -> Foreign:
        """Keep an entry as data for stdlib; a `type` of ours in it is a contradiction."""
        kind = node.value.get("type")
        if kind is not None and kind.value in FAMILIES[family].names():
            message = "`type` contradicts `class` or `()`"
            self.fault((*path, "type"), message, "LR108", of_key=True)
        return Foreign(entry=node.data(legacy=True))


def _is_meant_as_secret(key: str, options: Mapping[str, Option]) -> bool:
    """Return whether an unknown key is likely a misspelt secret option, or `password:x`."""
    secrets = [name for name, option in options.items() if option.secret]
    word = key.partition(":")[0]
    return word in secrets or bool(secrets and nearest(word, secrets))


def _as_logger(value: Any) -> LoggerSpec:
    return value if isinstance(value, LoggerSpec) else LoggerSpec(level=value)


def _sort_out_loggers(values: dict[str, Any]) -> None:
    """Write out short loggers; move `loggers.root` and `loggers['']` to `root`."""
    loggers = {name: _as_logger(value) for name, value in values.get("loggers", EMPTY).items()}
    parts = [loggers.pop(name) for name in list(loggers) if name in ("", "root")]
    if loggers or parts:
        values["loggers"] = loggers
    if "root" in values:
        parts.append(_as_logger(values["root"]))
    if parts:
        levels = [part.level for part in parts if part.level is not None]
        values["root"] = parts[-1].replace(
            level=levels[-1] if levels else None,
            # stdlib replaces a logger's handlers, and adds to its filters
            filters=tuple(dict.fromkeys(name for part in parts for name in part.filters)),
        )
