"""Layouts as the rules see them: format strings, their fields and where those stand.

`{`, `%` and `$` are the three styles of stdlib. Runs in whatever thread loads a
config.
"""

from collections.abc import Iterator, Sequence
from string import Template
from weakref import WeakKeyDictionary

from logroute.config.decode import is_foreign
from logroute.config.model import Foreign
from logroute.config.nodes import Node
from logroute.config.views import fixes
from logroute.config.views.entries import class_of
from logroute.config.views.facts import Facts, is_unknown, letter
from logroute.diagnostics import Fix, Span
from logroute.light import NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["FORMS", "Layout", "layouts"]

_PERCENT = lazy_pattern(r"%%|%\((?P<name>[^()]*)\)")
_BRACES = lazy_pattern(r"\{\{|\}\}|\{(?P<name>\w+)")
#: How a style writes a field.
FORMS = {"%": "%({})s", "{": "{{{}}}", "$": "${}"}  # `${x}` is a variable in files of ours


class Layout(NamedTuple):
    """A format string and what is known of its formatter.

    Attributes:
        name: of the formatter.
        entry: the formatter as written.
        node: the format string; None where the default is used.
        style: `%`, `{` or `$`.
        fields: names and places of the fields it shows.
        is_own: a class of somebody's own reads it.
        users: the handlers that use the formatter.
    """

    name: str
    entry: Node
    node: Node | None
    style: str
    fields: list[tuple[str, int]]
    is_own: bool
    users: list[str]

    @property
    def names(self) -> set[str]:
        """The names of the fields."""
        return {name for name, _ in self.fields}

    def place(self, start: int, end: int) -> Span:
        """Return where some letters of the format string are."""
        assert self.node is not None
        first, last = letter(self.node, start), letter(self.node, end - 1)
        return first._replace(end_line=last.end_line, end_column=last.end_column)

    def changed(self, start: int, end: int, text: str, *, is_safe: bool) -> Fix | None:
        """Return the fix that puts other letters into the format string."""
        assert self.node is not None
        value = self.node.value
        return fixes.replace(self.node, value[:start] + text + value[end:], is_safe=is_safe)


def layouts(facts: Facts) -> Sequence[Layout]:
    """Return the layouts of text formatters, stdlib's and those of other classes."""
    found = _found.get(facts)
    if found is None:
        found = _found[facts] = list(_find(facts))
    return found


#: What was found, as long as the facts live: five rules ask.
_found: WeakKeyDictionary[Facts, list[Layout]] = WeakKeyDictionary()


def _find(facts: Facts) -> Iterator[Layout]:
    users: dict[str, list[str]] = {}
    for handler, of in facts.config.handlers.items():
        if isinstance(of.formatter, str):
            users.setdefault(of.formatter, []).append(handler)
    for name, spec in facts.config.formatters.items():
        entry = facts.node.at(("formatters", name))
        if entry is None or facts.is_broken(("formatters", name)) or is_unknown(entry):
            continue
        if not isinstance(spec, Foreign) and not hasattr(spec, "newlines"):
            continue  # one of ours without a layout
        is_own = is_foreign(entry.value) and class_of(entry) != "logging.Formatter"
        node = entry.at(("format",)) or (entry.at(("fmt",)) if "()" in entry.value else None)
        style = _style(entry)
        if style is None or (node is not None and (node.secret or not isinstance(node.value, str))):
            continue
        text = node.value if node is not None else ""
        if not text:
            node, text = None, _default(spec, style)
        yield Layout(name, entry, node, style, _fields(text, style), is_own, users.get(name, []))


def _style(entry: Node) -> str | None:
    node = entry.at(("style",))
    style = "%" if node is None else node.value
    return style if isinstance(style, str) and style in FORMS else None


def _default(spec: object, style: str) -> str:
    if isinstance(spec, Foreign):
        return FORMS[style].format("message")
    from logroute.formatters.text import DEFAULT_FORMATS

    return DEFAULT_FORMATS[style]


def _fields(text: str, style: str) -> list[tuple[str, int]]:
    """Return the names of the fields in a format string, and where they begin."""
    if style == "$":
        spots = (
            (group, found)
            for found in Template.pattern.finditer(text)
            for group in ("named", "braced")
        )
    else:
        pattern = _PERCENT if style == "%" else _BRACES
        spots = (("name", found) for found in pattern.finditer(text))
    return [(found[group], found.start(group)) for group, found in spots if found[group]]
