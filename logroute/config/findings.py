"""Findings: a problem at a path -> a diagnostic with place, words and cure.

Shared by the fast line (problems of decoding) and the full one (errors of the
JSON Schema), so that both speak alike. A secret never gets into a message, and
no value longer than a line. Runs in whatever thread loads a config.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice

from logroute.config.decode import STDLIB_KEYS, Decoded, top_options
from logroute.config.model import LoggerSpec, StdFilterSpec, StdFormatterSpec
from logroute.config.nodes import SECRET_NAME, Node, shown
from logroute.config.readers import Path, Problem
from logroute.diagnostics import Diagnostic, Fix, Span, error, warning
from logroute.hints import OPTION_SYNONYMS, nearest, suggest
from logroute.light import TYPE_CHECKING
from logroute.options import VEIL, options_of
from logroute.patterns import lazy_pattern

if TYPE_CHECKING:
    import re

    from logroute.config.slips import Slip

__all__ = ["View", "in_order", "is_inside", "subject", "tell", "unknown_key"]

_SINGULAR = {
    "formatters": "formatter",
    "filters": "filter",
    "handlers": "handler",
    "loggers": "logger",
    "profiles": "profile",
}
_USERINFO = lazy_pattern(r"//[^/@\s]*@")
_ARGUMENT = lazy_pattern(r"(?<=[?&;])(?P<name>[^=&;#\s]+)=[^&;#\s]+")
_TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
#: What is called otherwise here, and has another kind of value.
_OTHER_VALUES = frozenset({"backupcount", "credentials", "retries", "ssl", "when", "if"})
_MAX_SHOWN = 80
_MAX_SUGGESTIONS = 100
_MAX_NAMES = 500


class View:
    """A tree with what decoding found in it: all that a message needs."""

    __slots__ = ("_suggestions", "found", "node", "strays")

    def __init__(self, node: Node, found: Decoded) -> None:
        """Look at `node` in the light of what was found in it."""
        self.node = node
        self.found = found
        self._suggestions = 0
        self.strays: dict[Path, dict[str, Slip]] = {}  # by mapping, as `slips` found them

    def at(self, path: Path) -> Node | None:
        """Return the node at `path`."""
        return self.node.at(path)

    def place(self, path: Path, *, of_key: bool = False) -> Span:
        """Return the span of the value at `path`, or of its key."""
        if of_key and path:
            parent = self.node.at(path[:-1])
            if parent is not None and path[-1] in parent.keys:
                return parent.keys[str(path[-1])]
        node = self.node.at(path)
        while node is None and path:
            path = path[:-1]
            node = self.node.at(path)
        return (node or self.node).span

    def suggest(
        self, word: str, names: Iterable[str], synonyms: Mapping[str, str] | None = None
    ) -> str | None:
        """Return what was likely meant; of a hopeless file only the first times."""
        from logroute.config.slips import odd_character  # only for a finding

        odd = odd_character(word)
        if odd is not None:
            return odd
        self._suggestions += 1
        if self._suggestions > _MAX_SUGGESTIONS:
            return None
        return suggest(word, list(islice(names, _MAX_NAMES)), synonyms)

    def is_secret(self, path: Path) -> bool:
        """Return whether the value at `path`, or what it is in, is never shown."""
        for length in range(len(path) + 1):
            head = path[:length]
            if head in self.found.secrets:
                return True
            node = self.node.at(head)
            if node is not None and node.secret:
                return True
        return False

    def show(self, path: Path) -> str:
        """Return the value at `path` as a message says it."""
        node = self.node.at(path)
        if node is None or node.value is None:
            return "nothing"
        if isinstance(node.value, dict):
            return "a mapping"
        if isinstance(node.value, list):
            return "a list"
        if self.is_secret(path):
            return VEIL
        if node.value == "":
            return "an empty text"
        if not isinstance(node.value, str | int | float):
            return f"a {type(node.value).__name__}"
        text = node.text if node.text or node.value == "" else str(node.value)
        text = shown(_without_secrets(text), _MAX_SHOWN)
        is_quoted = isinstance(node.value, str) and not node.plain and not node.untyped
        return f'the text `"{text}"`' if is_quoted and _reads_otherwise(text) else f"`{text}`"


def _without_secrets(text: str) -> str:
    """Return `text` without the user part of a URL, and without its arguments with secret names."""
    if "//" not in text:
        return text

    def veiled(match: "re.Match[str]") -> str:
        name = match["name"]
        return f"{name}={VEIL}" if SECRET_NAME.search(name) else match[0]

    return _ARGUMENT.sub(veiled, _USERINFO.sub(f"//{VEIL}@", text))


def _reads_otherwise(text: str) -> bool:
    """Return whether a text without its quotes would not be text."""
    from logroute.config.scalars import as_core

    return not isinstance(as_core(text), str)


def is_inside(path: Path, heads: Collection[Path]) -> bool:
    """Return whether `path` is one of `heads` or below one."""
    return any(path[:length] in heads for length in range(len(path) + 1))


def subject(path: Path) -> str:
    """Return what a path means in words: `` `batch.max_wait` of handler `mail` ``."""
    if not path:
        return "the config"
    rest, owner = path, ""
    if len(path) > 1 and path[0] in _SINGULAR:
        rest, owner = path[2:], f"{_SINGULAR[str(path[0])]} `{shown(str(path[1]))}`"
    elif len(path) > 1 and path[0] in ("routes", "tests"):
        rest, owner = path[2:], f"{str(path[0])[:-1]} {int(path[1]) + 1}"
    elif path[0] == "root":
        rest, owner = path[1:], "the root logger"
    steps = [f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in rest]
    inner = f"`{''.join(steps).removeprefix('.')}`" if steps else ""
    return " of ".join(part for part in (inner, owner) if part)


def inside(path: Path) -> str:
    """Return `` in handler `mail` `` for that path, nothing for the top."""
    return f" in {subject(path)}" if path else ""


def unknown_key(
    view: View, path: Path, candidates: Iterable[str], code: str = "LR101"
) -> Diagnostic:
    """Say that a key means nothing where it is, and which one was likely meant."""
    key = str(path[-1])
    known = [name for name in candidates if name != "$schema"]
    from logroute.config.slips import slip_at  # only for a finding

    slip = slip_at(view, path, known)
    if slip is None:
        name, cure = shown(key), view.suggest(key, known, OPTION_SYNONYMS)
        fix = _respelling(view, path, known, cure)
    else:
        name, cure, fix = slip.name, slip.help, slip.fix
        path = (*path[:-1], slip.key)
    message = f"unknown key `{name}`{inside(path[:-1])}"
    span = view.place(path, of_key=True)
    if code == "LR901":
        fix = fix and fix._replace(is_safe=False)  # what had no effect will have one
        return warning(code, f"{message}; the standard library passes over it", span, cure, fix)
    return error(code, message, span, cure, fix)


def _respelling(view: View, path: Path, known: list[str], cure: str | None) -> Fix | None:
    """Return the fix of a misspelt key, where there is no doubt what was meant."""
    if cure is None or not cure.startswith("did you mean"):
        return None
    from logroute.config.views.fixes import certain, rename  # only for a finding

    if str(path[-1]).casefold() in _OTHER_VALUES:
        return None
    meant = certain(str(path[-1]), known[:_MAX_NAMES], OPTION_SYNONYMS)
    return rename(view, path, meant) if meant and f"`{meant}`" in cure else None


def tell(view: View, problem: Problem) -> Diagnostic:
    """Return the diagnostic of a problem that decoding found."""
    special = _SPECIAL.get(problem.code)
    if special is not None:
        return special(view, problem)
    span = view.place(problem.path, of_key=problem.of_key or problem.code == "LR102")
    if problem.code == "LR101":
        known = top_options() if len(problem.path) == 1 else ()
        return unknown_key(view, problem.path, known)
    message = f"{subject(problem.path)} {problem.message}"
    if problem.code not in ("LR102", "LR108"):
        message += f", got {view.show(problem.path)}"
    return error(problem.code, message, span)


def _planned(view: View, problem: Problem) -> Diagnostic:
    span = view.place(problem.path, of_key=problem.of_key)
    what = f"{subject(problem.path)} " if problem.of_key else ""
    cure = "leave it out until a version has it"
    return error(problem.code, what + problem.message, span, cure)


def _ignored_key(view: View, problem: Problem) -> Diagnostic:
    path = problem.path
    if len(path) == 1:
        known = top_options() if nearest(str(path[0]), top_options()) else STDLIB_KEYS
        return unknown_key(view, path, known, problem.code)
    if path[0] == "filters":  # without a `class`: of one with it LR910 tells
        return unknown_key(view, path, options_of(StdFilterSpec), problem.code)
    if path[0] != "formatters":
        return unknown_key(view, path, options_of(LoggerSpec), problem.code)
    found = unknown_key(view, path, options_of(StdFormatterSpec), problem.code)
    entry = view.at(path[:-1])
    is_class = entry is not None and "class" in entry.value
    cure = "to pass it to the class write `()` in place of `class`"
    return found._replace(help=cure) if is_class else found


def _truthy_text(view: View, problem: Problem) -> Diagnostic:
    key = problem.path[-1]
    text = view.show(problem.path).removeprefix("the text ")
    return warning(
        problem.code,
        f"{subject(problem.path)} is the text {text}, {problem.message}",
        view.place(problem.path),
        f"write `{key}: {_meant(view.at(problem.path), key)}`, without quotes",
        _truth_fix(view.at(problem.path)),
    )


def _meant(node: Node | None, key: object) -> str:
    """Return the truth value that a text spells; both where it spells none."""
    is_text = node is not None and isinstance(node.value, str)
    meant = _TRUTH.get(node.value.casefold()) if node is not None and is_text else None
    if meant is None:
        return f"true` or `{key}: false"
    return "true" if meant else "false"


def _truth_fix(node: Node | None) -> Fix | None:
    """Return the fix that writes the truth value which a text spells."""
    meant = _TRUTH.get(node.value.casefold()) if node and isinstance(node.value, str) else None
    if node is None or meant is None:
        return None
    from logroute.config.views.fixes import replace  # only for a finding

    return replace(node, meant, is_safe=meant is bool(node.value))


def _no_variable(view: View, problem: Problem) -> Diagnostic:
    message = f"{subject(problem.path)} {problem.message}"
    from logroute.config.slips import variable_cure  # only for a finding

    cure = variable_cure(view, problem.path)
    return warning(problem.code, message, view.place(problem.path), cure)


_SPECIAL: Mapping[str, Callable[[View, Problem], Diagnostic]] = {
    "LR190": _planned,
    "LR611": _no_variable,
    "LR901": _ignored_key,
    "LR902": _truthy_text,
}


def in_order(found: Iterable[Diagnostic], first: str = "") -> list[Diagnostic]:
    """Return findings without repeats, by file (the one called `first` before all), place, code."""
    unique = dict.fromkeys(found)
    return sorted(
        unique, key=lambda item: (item.span.file != first, item.span, item.code, item.message)
    )
