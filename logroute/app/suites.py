"""Files of tests: a config with `tests:`, or a `*.test.yaml` that names its config.

A test file is read with the same care as a config: every fault has its place.
Nothing is opened but these files and their includes.
"""

import os
import re
from collections.abc import Iterator, Mapping

from logroute.app.examples import Example
from logroute.app.explain import Explainer
from logroute.config import decode
from logroute.config.findings import View, tell
from logroute.config.load import Loaded, load
from logroute.config.model import Config, ExpectSpec, RecordSpec
from logroute.config.nodes import Node, shown
from logroute.config.parse import parse
from logroute.config.rules import check_rules
from logroute.config.source import Source, read_path
from logroute.diagnostics import Diagnostic, Severity, Span, error
from logroute.hints import suggest
from logroute.light import Any, NamedTuple
from logroute.options import options_of
from logroute.patterns import lazy_pattern

__all__ = [
    "CONFIG_SUFFIXES",
    "Suite",
    "belonging_to",
    "has_tests",
    "is_test_file",
    "load_suite",
]

#: The suffixes of configs and of test files.
CONFIG_SUFFIXES = (".yaml", ".yml", ".json", ".toml")
_ENDINGS = tuple(f".test{suffix}" for suffix in CONFIG_SUFFIXES)
# what tests of ours look like in a file that cannot be read
_LOOKS = tuple(
    lazy_pattern(pattern, re.MULTILINE)
    for pattern in (
        r"^[\"']?tests[\"']?\s*:",
        r"\brecord[\"']?\s*:\s*(?:\{|#|$)",
        r"\bexpect[\"']?\s*:\s*(?:\{|#|$)",
    )
)
_KEYS = ("config", "profile", "tests", "version")


class Suite(NamedTuple):
    """The tests of one file, ready to run.

    Attributes:
        file: the file, as it was named.
        config: the config they are about, as it was named.
        diagnostics: why they cannot be run; empty where they can.
        sources: what was read: the file, and the config where that is another one.
        examples: the tests.
        explainer: answers for the config; None where there are diagnostics.
        profile: the profile that is laid over the config.
    """

    file: str
    config: str
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[Source, ...]
    examples: tuple[Example, ...] = ()
    explainer: Explainer | None = None
    profile: str | None = None


def is_test_file(path: str) -> bool:
    """Return whether a file is one of tests by its name."""
    return path.endswith(_ENDINGS)


def has_tests(path: str) -> bool:
    """Return whether a file has tests of ours; other tools' files may be called alike."""
    source, _ = read_path(path)
    if source is None or "expect" not in source.text or "record" not in source.text:
        return False
    root = parse(source)[0]
    if root is None:  # what is wrong with it should be told, if it is ours
        return is_test_file(path) and all(p.search(source.text) for p in _LOOKS)
    tests = root.at(("tests",))
    items = tests.value if tests is not None and isinstance(tests.value, list) else []
    return any(_is_ours(item) for item in items)


def _is_ours(item: Node) -> bool:
    """Return whether an item of `tests` has a record or an expectation as we know them."""
    for key, known in (("record", RecordSpec), ("expect", ExpectSpec)):
        node = item.at((key,))
        names = node.value if node is not None and isinstance(node.value, dict) else ()
        if not options_of(known).keys().isdisjoint(names):
            return True
    return False


def load_suite(what: str | Source, *, profile: str | None = None, imports: bool = False) -> Suite:
    """Read a config or a test file, and the tests in it.

    Args:
        what: a path, or what was read already.
        profile: which of the config's profiles to lay over it, unless a test file
            names one.
        imports: whether filters and formatters that the config names are imported.
    """
    if isinstance(what, str):
        source, found = read_path(what)
        if source is None:
            return Suite(what, what, tuple(found), ())
    else:
        source = what
    if is_test_file(source.name):
        root, faults = parse(source)
        if root is None:
            return Suite(source.name, source.name, tuple(faults), (source,))
        if not isinstance(root.value, dict) or "handlers" not in root.value:
            return _TestFile(source, root, faults).suite(profile, imports)
    loaded = load(source, profile=profile, read_secrets=False)
    if loaded.config is None or loaded.node is None:
        return Suite(source.name, source.name, _errors(loaded.diagnostics), (source,))
    examples = _examples(source.name, loaded.config, loaded.node)
    explainer = Explainer(loaded, imports=imports)
    return Suite(source.name, source.name, (), (source,), examples, explainer, profile)


def belonging_to(path: str) -> Iterator[str]:
    """Yield the test files beside the config `path` that are about it, by name."""
    folder = os.path.dirname(path)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return
    for name in names:
        other = os.path.join(folder, name)
        if is_test_file(name) and _is_about(other, path):
            yield other


def _is_about(test_file: str, config: str) -> bool:
    """Return whether a test file names `config`, or has its name and names none."""
    source, _ = read_path(test_file)
    root = parse(source)[0] if source is not None else None
    node = root.at(("config",)) if root is not None else None
    if node is None or not isinstance(node.value, str):
        stem = os.path.splitext(os.path.basename(config))[0]
        return os.path.basename(test_file).startswith(f"{stem}.test.")
    named = os.path.join(os.path.dirname(test_file), node.value)
    return os.path.realpath(named) == os.path.realpath(config)


def _examples(file: str, config: Config, tree: Node) -> tuple[Example, ...]:
    found: list[Example] = []
    seen: dict[str, int] = {}
    for index, spec in enumerate(config.tests):
        node = tree.at(("tests", index))
        assert node is not None
        name = " ".join((spec.name or f"tests[{index}]").split())
        name = "".join(char if char.isprintable() else "\ufffd" for char in name)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        found.append(Example(name, spec, node, file))
    return tuple(found)


def _errors(found: tuple[Diagnostic, ...] | list[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(item for item in found if item.severity is Severity.ERROR)


class _TestFile:
    """A file with `config`, `profile` and `tests`."""

    def __init__(self, source: Source, root: Node, faults: list[Diagnostic]) -> None:
        self.source = source
        self.root = root
        self.faults = faults

    def suite(self, profile: str | None, imports: bool) -> Suite:
        """Return the tests of the file, checked against the config they are about."""
        name = self.source.name
        if not isinstance(self.root.value, dict):
            fault = error("LR103", "a test file must be a mapping with `tests`", self.root.span)
            return Suite(name, name, (fault,), (self.source,))
        self._check_keys(self.root.value)
        path = self._config_path()
        if path is None:
            return Suite(name, name, _errors(self.faults), (self.source,))
        config_source, found = read_path(path)
        if config_source is None:
            found = [fault._replace(span=self._span("config")) for fault in found]
            return Suite(name, path, (*_errors(self.faults), *found), (self.source,))
        profile = self._text("profile") or profile
        loaded = load(config_source, profile=profile, read_secrets=False)
        sources = (self.source, config_source)
        if loaded.config is None or loaded.node is None:
            faults = (*_errors(self.faults), *_errors(loaded.diagnostics))
            return Suite(name, path, faults, sources)
        config, tree = self._tests(loaded)
        if _errors(self.faults) or config is None:
            return Suite(name, path, _errors(self.faults), sources)
        examples = _examples(name, config, tree)
        explainer = Explainer(loaded, imports=imports)
        return Suite(name, path, (), sources, examples, explainer, profile)

    def _check_keys(self, top: Mapping[str, Any]) -> None:
        for key in top:
            if key not in _KEYS and not decode.is_ignored(key):
                cure = suggest(key, _KEYS)
                message = f"unknown key `{shown(key)}` in a test file"
                self.faults.append(error("LR101", message, self._span(key), cure))
        for key in ("config", "profile"):
            if key in top and not isinstance(top[key].value, str):
                self.faults.append(error("LR103", f"`{key}` must be text", top[key].span))
        if "tests" not in top:
            message = "a test file needs the key `tests`"
            self.faults.append(error("LR102", message, self.root.span))

    def _span(self, key: str) -> Span:
        return self.root.keys.get(key, self.root.span)

    def _text(self, key: str) -> str | None:
        node = self.root.at((key,))
        return node.value if node is not None and isinstance(node.value, str) else None

    def _config_path(self) -> str | None:
        """Return the config's path: as the file says, or by its own name."""
        name = self.source.name
        folder = os.path.dirname(name)
        given = self._text("config")
        if given is not None:
            return os.path.join(folder, given)
        stem = name[: name.rindex(".test.")]
        for suffix in CONFIG_SUFFIXES:
            if os.path.isfile(stem + suffix):
                return stem + suffix
        base = os.path.basename(stem)
        message = f"there is no `{base}.yaml` beside this file, and it names no config"
        cure = "add `config: logging.yaml`, the path of the config from here"
        self.faults.append(error("LR102", message, self._span("tests"), cure))
        return None

    def _tests(self, loaded: Loaded) -> tuple[Config | None, Node]:
        """Decode the tests as if they stood in the config; keep what is wrong with them."""
        assert loaded.node is not None
        config = loaded.node
        tests = self.root.value.get("tests", Node(None, self.root.span))
        tree = Node(
            {**config.value, "tests": tests},
            config.span,
            {**config.keys, "tests": self._span("tests")},
        )
        found = decode.read(tree)
        view = View(tree, found)
        shapes = [problem for problem in found.problems if problem.is_shape]
        if shapes:
            from logroute.config.schema import diagnose

            self.faults += self._own(diagnose(tree, found) or [tell(view, p) for p in shapes])
        self.faults += self._own(check_rules(found.config, tree, found))
        return found.config, tree

    def _own(self, found: list[Diagnostic]) -> list[Diagnostic]:
        """Return the findings in this file: those of the config were told there."""
        return [item for item in found if item.span.file == self.source.name]
