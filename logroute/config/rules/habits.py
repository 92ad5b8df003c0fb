"""Habits: what is accepted but hardly meant, and what comes later."""

from collections.abc import Iterator

from logroute.config.findings import tell
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path, Problem
from logroute.config.rules.names import misplaced, references
from logroute.config.rules.rule import rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, Span, info
from logroute.patterns import lazy_pattern

__all__ = [
    "disables_existing",
    "find_nested",
    "nested_config",
    "nested_configs",
    "not_yet_available",
    "truthy_text",
    "unknown_stdlib_keys",
]

#: Sections of a config; a file that has one at its top is no file of an application.
_SECTIONS = frozenset({"filters", "formatters", "handlers", "loggers", "root", "routes"})
_NAMES_OF_PARTS = lazy_pattern(r"(?i)(?:dict_?)?log(?:s|ger|ging|route)?(?:[_-]?conf(?:ig)?)?")
_DEEPEST = 3
_MOST_MAPPINGS = 200


@rule("LR190", Severity.ERROR)
def not_yet_available(facts: Facts) -> Iterator[Diagnostic]:
    """Find options and kinds whose machinery is not there yet (LR190).

    A version of logroute may know a key before it can do what the key says. Passing
    over it in silence would break a promise, so it is an error::

        handlers:
          web: {type: http, url: "https://logs.example.org/in", key_of_later: true}

    Leave the key out, or wait for the version that has it.
    """
    for problem in _problems(facts, "LR190"):
        yield tell(facts.view, problem)


@rule("LR901", Severity.WARNING)
def unknown_stdlib_keys(facts: Facts) -> Iterator[Diagnostic]:
    """Find keys that the standard library passes over in silence (LR901).

    A logger, the root logger, a formatter or filter written stdlib's way and the
    top of a plain dictConfig file may hold any key; what stdlib does not know has
    no effect, so a misspelt `propagate` stays true::

        loggers:
          app: {level: INFO, propogate: false}

    Correct the key, or remove it. In the parts of logroute an unknown key is an
    error (LR101).
    """
    is_nested = find_nested(facts.node) is not None
    lost = _lost_sections(facts)
    for problem in _problems(facts, "LR901"):
        if is_nested and len(problem.path) == 1:
            continue  # the keys of an application
        if _is_class_of_filter(facts, problem.path):
            continue  # LR910 says what that means
        if len(problem.path) == 1 and problem.path[0] in lost:
            continue  # LR201 says what is lost by it
        yield tell(facts.view, problem)


def _lost_sections(facts: Facts) -> set[str]:
    """Return the misspelt sections whose parts are missed elsewhere."""
    if not facts.misspellings or not facts.is_stdlib or not facts.is_complete:
        return set()
    return {
        key
        for part, name, _ in references(facts)
        if name not in facts.section(f"{part}s")
        and (key := misplaced(facts, part, name)) is not None
    }


def _is_class_of_filter(facts: Facts, path: Path) -> bool:
    entry = facts.view.at(path[:-1])
    return path[0] == "filters" and entry is not None and "class" in entry.value


@rule("LR902", Severity.WARNING)
def truthy_text(facts: Facts) -> Iterator[Diagnostic]:
    """Find texts that stand where true or false is meant (LR902).

    To Python, and so to the standard library, every text that is not empty is
    true. This logger propagates, and its records are written twice::

        loggers:
          app: {handlers: [console], propagate: "no"}

    Write `true` or `false` without quotes.
    """
    for problem in _problems(facts, "LR902"):
        yield tell(facts.view, problem)


@rule("LR911", Severity.ERROR)
def nested_configs(facts: Facts) -> Iterator[Diagnostic]:
    """Find files of an application in which the config is only a part (LR911).

    A file of logroute, as one for dictConfig, is the config and nothing else. Of
    a bigger file nothing would be loaded::

        database: {host: db.example.org}
        logging:
          version: 1
          handlers:
            console: {type: console}
          root: {level: INFO, handlers: [console]}

    Put what stands below the key into a file of its own. A program that reads the
    bigger file anyway can hand the part over: `configure(data["logging"])`.
    """
    found = nested_config(facts.node, Severity.WARNING) if facts.is_complete else None
    if found is not None:
        yield found


def nested_config(root: Node, severity: Severity = Severity.ERROR) -> Diagnostic | None:
    """Return the finding that the config is only a part of this file, or None."""
    found = find_nested(root)
    if found is None:
        return None
    path, span = found
    where = ".".join(path)
    message = f"the config is only a part of this file, below `{shown(where)}`"
    part = "".join(f'["{shown(key)}"]' for key in path)
    cure = f"put the part into a file of its own, or hand it over: configure(data{part})"
    return Diagnostic(severity, "LR911", message, span, cure)


def find_nested(root: Node) -> tuple[tuple[str, ...], Span] | None:
    """Return the path and the key's place of a config inside the file of an application."""
    if not isinstance(root.value, dict) or not _SECTIONS.isdisjoint(root.value):
        return None
    waiting: list[tuple[tuple[str, ...], Node]] = [((), root)]
    seen = 0
    for path, node in waiting:  # nearer ones first
        for key, item in node.value.items():
            if not isinstance(item.value, dict) or item.opaque or key.startswith("x-"):
                continue
            if _is_config(key, item.value):
                return (*path, key), node.keys[key]
            seen += 1
            if seen < _MOST_MAPPINGS and len(path) + 1 < _DEEPEST:
                waiting.append(((*path, key), item))
    return None


def _is_config(key: str, entry: dict[str, Node]) -> bool:
    sections = [name for name in _SECTIONS if name in entry and _has_entries(entry[name])]
    if "version" in entry:
        return bool(sections)
    return len(sections) > 1 and _NAMES_OF_PARTS.fullmatch(key) is not None


def _has_entries(node: Node) -> bool:
    return isinstance(node.value, dict | list) and bool(node.value)


@rule("LR912", Severity.INFO)
def disables_existing(facts: Facts) -> Iterator[Diagnostic]:
    """Find dictConfig files that silence the loggers that are there already (LR912).

    Where `disable_existing_loggers` is left out, `logging.config.dictConfig` takes
    it for true: loggers that modules made before, as they were imported, and that
    the file does not name write nothing any more. `logroute.configure` takes it for
    false. A file that both may read should say it::

        version: 1
        handlers:
          console: {class: logging.StreamHandler}
        root: {level: INFO, handlers: [console]}

    Add `disable_existing_loggers: false`.
    """
    top = facts.node.value
    if not facts.is_stdlib or "disable_existing_loggers" in top or facts.config.incremental:
        return
    if not facts.is_complete or {"loggers", "root"}.isdisjoint(top):
        return
    if "disable_existing_loggers" in facts.misspelt:
        return
    if any(problem.code == "LR108" for problem in facts.view.found.problems):
        return  # it may be meant as a file of ours
    from logroute.config.views.fixes import add  # only for a finding

    message = "the standard library would silence all loggers that exist and are not named here"
    entry = "disable_existing_loggers: false"
    where = facts.view.place(("version",), of_key=True)
    yield info("LR912", message, where, f"add `{entry}`", add(facts, (), entry, is_safe=False))


def _problems(facts: Facts, code: str) -> list[Problem]:
    return [problem for problem in facts.view.found.problems if problem.code == code]


ADVICE = (
    unknown_stdlib_keys,
    truthy_text,
    nested_configs,
    disables_existing,
)
