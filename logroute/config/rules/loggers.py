"""Loggers: names and settings that hardly do what they seem to.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator
from itertools import islice
from logging import CRITICAL

from logroute.config.flow import effective_level
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules import levels
from logroute.config.rules.rule import rule
from logroute.config.views import fixes
from logroute.config.views.certainty import is_fixed, is_overlaid, level_node
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity, Span, info, warning
from logroute.light import NamedTuple
from logroute.options import VEIL
from logroute.patterns import lazy_pattern

__all__ = [
    "odd_logger_patterns",
    "propagate_on_root",
    "roots_as_loggers",
    "script_loggers",
    "silent_loggers",
]

_MOST = 2000
_LONGEST = 500
_PLAIN = lazy_pattern(r"\w+(?:[.-]\w+)*\Z")
_ROOTS: tuple[Path, ...] = (("loggers", "root"), ("loggers", ""), ("root",))


class _Named(NamedTuple):
    """A logger's name where it is written: in `loggers`, or in a `match`."""

    name: str
    path: Path
    span: Span
    is_match: bool


def _names(facts: Facts) -> Iterator[_Named]:
    loggers = facts.node.at(("loggers",))
    for name in facts.section("loggers"):
        if loggers is not None:
            yield _Named(name, ("loggers", name), loggers.keys[name], False)
    for position, route in enumerate(facts.items("routes")):
        yield from _in_match(("routes", position, "match"), route.at(("match",)))


def _in_match(path: Path, match: Node | None) -> Iterator[_Named]:
    if match is None or not isinstance(match.value, dict):
        return
    for key, node in match.value.items():
        here: Path = (*path, key)
        if key == "not":
            yield from _in_match(here, node)
        elif key in ("any", "all") and isinstance(node.value, list):
            for position, item in enumerate(node.value):
                yield from _in_match((*here, position), item)
        elif key == "logger" and isinstance(node.value, list):
            for position, item in enumerate(node.value):
                yield from _one((*here, position), item)
        elif key == "logger":
            yield from _one(here, node)


def _one(path: Path, node: Node) -> Iterator[_Named]:
    if isinstance(node.value, str) and is_fixed(node):
        yield _Named(node.value, path, node.span, True)


@rule("LR307", Severity.WARNING)
def odd_logger_patterns(facts: Facts) -> Iterator[Diagnostic]:
    """Find names of loggers that match nothing, or not what they seem to (LR307).

    Under `loggers` a name is a name: it has no wildcards, and its children follow it
    anyway. No logger is called `app.*`, so this sets no level::

        loggers:
          app.*: DEBUG

    Write `app`. In a `match`, where globs work (`*` is one dotted part), paths, regular
    expressions and stray dots are found. Remarked on are `app*`, which takes
    `application` as well, `app.*`, which leaves out `app` itself, and `root`, which
    takes only what is logged on the root logger itself.
    """
    for named in islice(_names(facts), _MOST):
        if len(named.name) > _LONGEST:
            continue
        found = _oddity(named)
        if found is None:
            continue
        why, meant, is_slip = found
        name = VEIL if facts.view.is_secret(named.path) else shown(named.name)
        cure = f"write `{shown(meant)}`" if meant else "write the name of a logger"
        tell = warning if is_slip else info
        is_one = is_slip and meant not in ("", "root")
        fix = _renamed(facts, named, meant) if is_one else None
        yield tell("LR307", f"`{name}` {why}", named.span, cure, fix)


def _renamed(facts: Facts, named: _Named, meant: str) -> Fix | None:
    if not named.is_match:
        return fixes.rename(facts, named.path, meant, is_safe=False)
    node = facts.node.at(named.path)
    return fixes.replace(node, meant, is_safe=False) if node is not None else None


def _oddity(named: _Named) -> tuple[str, str, bool] | None:
    """Return why a name is odd, what was meant, and whether it was surely not that."""
    name, is_match = named.name, named.is_match
    if _PLAIN.match(name) and name.casefold() != "root" and not name.endswith(".py"):
        return None  # as nearly always
    meant = _meant(name)
    if name.strip() != name:
        return "begins or ends with a space, as no logger's name does", meant, True
    if name.casefold() == "root" and name != "root":
        return "is not the root logger: names of loggers are case-sensitive", "root", True
    if "," in name:
        parts = ", ".join(part.strip() for part in name.split(","))
        return "is one name, not several", f"[{parts}]" if is_match else "", True
    if name.startswith("^") or name.endswith("$") or "\\" in name or ".+" in name:
        return "is no regular expression but a name", meant, True
    if name.startswith(("/", "./", "../")) or name.endswith(("/", ".py")):
        return "is a path, and loggers are named like modules", meant, True
    if name.strip(".") != name or ".." in name:
        return "has a dot too many: no logger is called so", meant, True
    return _odd_glob(name) if is_match else _odd_name(name, meant)


def _odd_name(name: str, meant: str) -> tuple[str, str, bool] | None:
    if "*" in name or "?" in name:
        if not name.strip("*."):
            return "is the name of no logger; all of them are children of `root`", "root", True
        why = "is the name of no logger: `loggers` takes names, and children follow"
        return why, meant, True
    return None


def _odd_glob(name: str) -> tuple[str, str, bool] | None:
    if name in ("", "root"):
        why = "takes only records logged on the root logger itself" if name else "is empty"
        return (why, "", not name) if not name else (why, "", False)
    stem = name.rstrip("*")
    if stem == name or not stem or "*" in stem or "?" in stem:
        return None
    if stem.endswith("."):
        return f"leaves out `{shown(stem[:-1])}` itself", stem[:-1], False
    return (
        f"takes every name that begins so, not only `{shown(stem)}` and its children",
        stem,
        False,
    )


def _meant(name: str) -> str:
    """Return the logger that an odd name was likely meant for, nothing where who knows."""
    name = name.strip().removeprefix("^").removesuffix("$").removeprefix("./").removesuffix("/")
    name = name.removesuffix(".py").replace("\\.", ".").strip("/").replace("/", ".")
    while name.endswith(("*", "+", ".")):
        name = name[:-1]
    name = name.strip(".")
    while ".." in name:
        name = name.replace("..", ".")
    is_plain = name and all(char.isalnum() or char in "._-" for char in name)
    return name if is_plain else ""


@rule("LR314", Severity.INFO)
def propagate_on_root(facts: Facts) -> Iterator[Diagnostic]:
    """Find `propagate` on the root logger (LR314).

    The root logger has no parent that its records could go on to::

        root: {level: INFO, handlers: [console], propagate: false}

    Remove it.
    """
    for head in _ROOTS:
        node = facts.node.at((*head, "propagate"))
        parent = facts.node.at(head)
        if node is None or parent is None:
            continue
        path = (*head, "propagate") if len(parent.value) > 1 else head
        message = "`propagate` has no effect on the root logger, which has no parent"
        fix = fixes.remove(facts, path)
        yield info("LR314", message, parent.keys["propagate"], "remove it", fix)


@rule("LR315", Severity.INFO)
def roots_as_loggers(facts: Facts) -> Iterator[Diagnostic]:
    """Find the root logger under `loggers` (LR315).

    Python 3.9 and later takes `root` and `""` there for the root logger, older ones
    take `root` for another one; readers look for it at the top::

        loggers:
          root: {level: INFO, handlers: [console]}

    Write it as `root` at the top level. Where it is written twice with different
    settings, that is a warning: the handlers of the last one count, `root` at the top
    being the last of all.
    """
    heads = [head for head in _ROOTS if facts.node.at(head) is not None]
    loggers = facts.node.at(("loggers",))
    if loggers is None or any(map(facts.is_broken, heads)):
        return
    last = facts.node.at(heads[-1]) if heads else None
    for head in heads:
        node = facts.node.at(head)
        if len(head) < 2 or node is None or last is None:
            continue
        span = loggers.keys[str(head[1])]
        if node is last or node.data() == last.data():
            message = f"`{head[1] or chr(34) * 2}` under `loggers` is the root logger"
            yield info("LR315", message, span, "write it as `root:` at the top level")
            continue
        place = facts.view.place(heads[-1], of_key=True)
        yield warning(
            "LR315",
            "the root logger is set twice: the handlers of the other entry replace these",
            span,
            "keep one of them, `root:` at the top level",
        )._replace(related=(("the other entry", place),))


@rule("LR316", Severity.INFO)
def script_loggers(facts: Facts) -> Iterator[Diagnostic]:
    """Find loggers named after the script that is started (LR316).

    `logging.getLogger(__name__)` names the logger `__main__` in the file that Python
    was started with, and after the module everywhere else. An entry for one of the two
    names fits only one way to start::

        loggers:
          __main__: DEBUG

    Give the logger a name of its own, `getLogger("app")`, and write that.
    """
    for named in islice(_names(facts), _MOST):
        top = named.name.partition(".")[0]
        if top == "__main__":
            why = "is that of the file that Python was started with; imported, it has another name"
        elif top == "main":
            why = "is that of main.py where it is imported; started, it is called `__main__`"
        else:
            continue
        cure = 'name that logger in the code, as in `getLogger("app")`, and use that name here'
        yield info("LR316", f"logger `{top}` {why}", named.span, cure)


@rule("LR317", Severity.WARNING)
def silent_loggers(facts: Facts) -> Iterator[Diagnostic]:
    """Find loggers that neither have handlers nor pass their records on (LR317).

    Their records vanish; from WARNING on the bare message goes to standard error, as
    if nothing were configured::

        loggers:
          app.audit: {level: INFO, propagate: false}

    Name handlers, or let it propagate. To silence a logger give it a level above
    CRITICAL, such as 60.
    """
    if facts.config.incremental or is_overlaid(facts, "loggers") or not facts.is_complete:
        return
    for name, spec in facts.config.loggers.items():
        if spec.propagate is not False or spec.handlers or len(name) > _LONGEST:
            continue
        node, level = facts.node.at(("loggers", name)), level_node(facts, name)
        if node is None or facts.is_broken(("loggers", name)) or not is_fixed(node):
            continue
        if level is not None and not is_fixed(level):
            continue
        try:
            if effective_level(facts.config, facts.levels, name).number > CRITICAL:
                continue
        except ValueError:  # an unknown level, which has been told
            continue
        span = node.keys.get("propagate", node.span)
        yield warning(
            "LR317",
            f"the records of logger `{shown(name)}` reach no handler; those from WARNING on go "
            "to standard error without level and time",
            span,
            "name handlers here, or let it propagate; to silence it set its level above CRITICAL",
        )


ADVICE = (
    *levels.ADVICE,
    odd_logger_patterns,
    propagate_on_root,
    roots_as_loggers,
    script_loggers,
    silent_loggers,
)
