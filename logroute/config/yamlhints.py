"""What a YAML syntax error most likely means, and its cure.

The parsers say where they gave up and little more, each in its own words. What
a person did wrong shows in the text around that place, so the hints are drawn
from there. They never quote a value: it may be a password. Pure functions,
called once a fault is certain.
"""

import re
from collections.abc import Callable

from logroute.config.source import Lines
from logroute.diagnostics import Diagnostic, Span, error, warning
from logroute.light import NamedTuple

__all__ = ["curly", "explain"]

_QUOTE_IT = "put the value in quotes"
_DASH = "write `- ` before it"
_ALIGN = "keys of one mapping start in the same column"
_NO_SPACE = re.compile(r"[ \t]*(?:- +)?[\w.\"'-]+(:)[^\s:]")
_INI = re.compile(r"(?:[ \t]*(?:[#;][^\n]*)?\n){0,50}[ \t]*\[\w+\][ \t\r]*\n")
_PYTHON = re.compile(
    r"(?:[ \t]*(?:#[^\n]*|(?:import|from) [^\n]*)?\n){0,50}"
    r"([A-Za-z_]\w*) *= *(?:\{|dict\()"
)
_SECOND_COLON = re.compile(r"[^\s#]:[ \t]+\S")


class _Place(NamedTuple):
    """Where a parser gave up, and what it had been reading."""

    text: str
    at: int
    problem: str  # the parser's words, for telling the kinds of fault apart
    context: int | None  # where the thing it was reading starts

    @property
    def char(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def opener(self) -> str:
        return "" if self.context is None else self.text[self.context : self.context + 1]

    @property
    def line_start(self) -> int:
        return self.text.rfind("\n", 0, self.at) + 1

    @property
    def before(self) -> str:
        """The line up to the place."""
        return self.text[self.line_start : self.at]

    @property
    def start(self) -> int:
        return self.at if self.context is None else self.context

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.text)


class _Hint(NamedTuple):
    """The finding for a person: message, cure, place, and where it began."""

    message: str
    help: str
    at: int
    opened: int | None = None


def explain(text: str, at: int, problem: str, context: int | None, name: str) -> Diagnostic:
    """Return the diagnostic of a YAML syntax error.

    Args:
        text: the whole text.
        at: offset of the place where the parser gave up.
        problem: what the parser says.
        context: offset of what it was reading, if it says so.
        name: the source, as diagnostics call it.
    """
    place = _Place(text, at, problem, context)
    hint = next((hint for find in _FINDERS if (hint := find(place))), None) or _Hint(
        f"not valid YAML: {problem.rpartition(': ')[2]}", "put the value in quotes", at
    )
    lines = Lines(text)
    line, column = lines.place(hint.at)
    width = 1 if hint.at < len(text) else 0
    fault = error(
        "LR005", hint.message, Span(name, line, column, line, column + width), hint.help or None
    )
    if hint.opened is None:
        return fault
    line, column = lines.place(hint.opened)
    return fault._replace(related=(("opened here", Span(name, line, column, line, column + 1)),))


def curly(quote: str, span: Span) -> Diagnostic:
    """Return the diagnostic of a value that begins with a typographic quote."""
    return warning(
        "LR010",
        f"typographic quotes are part of the text: `{quote}`",
        span,
        'write plain quotes: `"`; where they are meant, put plain quotes around the whole text',
    )


def _escape(place: _Place) -> _Hint | None:
    if "surrogate" in place.problem or "Unicode character escape" in place.problem:
        return _Hint(
            "an escaped surrogate is not a character",
            "write the character itself, or one `\\U` escape with eight digits",
            place.text.rfind("\\", 0, place.at + 1),
        )
    if place.opener == '"' and ("escape" in place.problem or "hexdecimal" in place.problem):
        return _Hint(
            "a backslash in double quotes starts an escape, and this one is not known",
            "use single quotes: 'C:\\logs', or write the backslash twice",
            place.text.rfind("\\", 0, place.at + 1),
        )
    return None


def _quote(place: _Place) -> _Hint | None:
    if place.opener in ("'", '"') and "quoted scalar" in place.problem:
        return _Hint("this quote is never closed", "add the closing quote", place.start)
    return None


def _tab(place: _Place) -> _Hint | None:
    indent = re.match(r"[ \t]*", place.before)
    tab = place.before.find("\t") if indent and "\t" in indent[0] else -1
    if place.char == "\t" or tab >= 0:
        at = place.line_start + tab if tab >= 0 else place.at
        return _Hint("a tab stands in the indentation", "indent with spaces only", at)
    return None


def _first_character(place: _Place) -> _Hint | None:
    if "block scalar" in place.problem and place.opener in ("|", ">"):
        return _Hint(
            f"`{place.opener}` at the start of a value begins a block of text",
            'put a comparison in quotes: level: ">=30"',
            place.start,
        )
    if place.opener == "*" and "alias" in place.problem:
        return _Hint(
            "`*` at the start of a value refers to an anchor",
            'put a pattern in quotes: logger: "*.db"',
            place.start,
        )
    if place.opener == "&" and "anchor" in place.problem:
        return _Hint("`&` at the start of a value names an anchor", _QUOTE_IT, place.start)
    if place.opener == "%" and "directive" in place.problem:
        return _Hint("`%` at the start of a line begins a directive", _QUOTE_IT, place.start)
    if "tag" in place.problem:
        return _Hint(
            "`!` at the start of a value begins a tag, and this one is not known",
            "put a text that starts with `!` in quotes",
            place.start,
        )
    if place.char and place.char in "%@`" and "start any token" in place.problem:
        example = ': format: "%(message)s"' if place.char == "%" else ""
        char = "a backtick" if place.char == "`" else f"`{place.char}`"
        return _Hint(f"a value cannot start with {char}", _QUOTE_IT + example, place.at)
    return None


def _brackets(place: _Place) -> _Hint | None:
    closing = {"[": "]", "{": "}"}.get(place.opener)
    if closing and "',' or" in place.problem:
        if place.text.startswith("{{", place.start):
            return _template(place.start)
        if place.text.startswith("${", place.at - 1):
            return _Hint(
                "a variable between `[` and `]` or `{` and `}` has to be in quotes",
                'write "${NAME}"',
                place.at - 1,
            )
        return _Hint(
            f"a `,` or the closing `{closing}` is missing",
            "put a value with `,`, `[`, `]`, `{`, `}` or `: ` in quotes",
            place.at,
            place.start,
        )
    if "node content" not in place.problem:
        return None
    if place.at_end:
        return _Hint("the text ends inside `[` or `{`", "add the closing bracket", place.at)
    return _Hint(f"a value cannot start with `{place.char}`", _QUOTE_IT, place.at)


def _template(at: int) -> _Hint:
    return _Hint(
        "`{{` begins a mapping in a mapping",
        "fill the template in before, or put the value in quotes",
        at,
    )


def _leftover(place: _Place) -> _Hint | None:
    """Something stands behind a complete value."""
    problem = place.problem
    if not any(word in problem for word in ("expected key", "<block end>", "'-' indicator")):
        return None
    if place.char in ("{", "[") and _follows_items(place, place.at):
        return _Hint("a list item begins with `- `", _DASH, place.at)
    previous = place.before.rstrip()
    if place.char in ("]", "}") and previous.endswith(("]", "}", "'", '"')):
        return _Hint(f"this `{place.char}` closes nothing", f"remove one `{place.char}`", place.at)
    if previous.endswith("}}") and "{{" in previous:
        return _template(place.line_start + previous.find("{{"))
    if place.char in ("]", "}"):
        return _Hint(f"this `{place.char}` closes nothing", _QUOTE_IT, place.at)
    if previous.endswith(("]", "}")):
        last = previous[-1]
        return _Hint(
            f"text stands behind the closing `{last}`",
            f"remove the `{last}` if it is one too many"
            if place.char == ","
            else "put the whole value in quotes",
            place.at,
        )
    if previous.endswith(("'", '"')):
        return _Hint(
            "text stands behind a closing quote",
            "put the whole value in quotes, or look for a missing quote in the lines above",
            place.at,
        )
    if place.char == "-":
        return _Hint(
            "a list item stands among the keys of a mapping",
            "indent it below the key that it belongs to",
            place.at,
        )
    if any(word in problem for word in ("block collection", "found '?'", "'-' indicator")):
        return _Hint(
            "a key stands among list items",
            "indent it below its item, begin a new item with `- `, or move it out",
            place.at,
        )
    return _Hint("the indentation does not fit the lines above", _ALIGN, place.at)


def _follows_items(place: _Place, at: int) -> bool:
    """Return whether the line of `at` stands below a list item, but begins none."""
    start = place.text.rfind("\n", 0, at) + 1
    if place.text[start:at].strip():
        return False
    lines = place.text[:start].splitlines()
    above = next((line for line in reversed(lines) if line.strip(" ") and "#" not in line[:1]), "")
    return above.lstrip(" ").startswith("- ")


def _item_among_keys(place: _Place) -> _Hint | None:
    if "sequence entries" in place.problem:
        return _Hint(
            "a list cannot start in the line of its key",
            "put each `- item` in a line of its own, or write `[a, b]`",
            place.at,
        )
    return None


def _colon(place: _Place) -> _Hint | None:
    """A colon too many, or one without its space."""
    if "mapping values" in place.problem:
        if len(place.before) > 1024:
            return _Hint("a key is longer than 1024 characters", "shorten it", place.at)
        if _SECOND_COLON.search(place.before):
            return _Hint("a value without quotes cannot contain `: `", _QUOTE_IT, place.at)
        above = place.text[: place.line_start].rstrip()
        start = above.rfind("\n") + 1
        found = _NO_SPACE.match(above, start)
        if found:
            return _missing_space(found)
        return _Hint("the indentation does not fit the lines above", _ALIGN, place.at)
    if "expected ':'" in place.problem and place.context is not None:
        start = place.text.rfind("\n", 0, place.context) + 1
        for at in (start, place.context):  # the second in the middle of `{a: 1, b:[2]}`
            found = _NO_SPACE.match(place.text, at)
            if found:
                return _missing_space(found)
        if _follows_items(place, place.context):
            return _Hint("a list item begins with `- `", _DASH, place.context)
        return _Hint("this line has no `: `", "write `key: value`", place.context)
    return None


def _missing_space(found: re.Match[str]) -> _Hint:
    return _Hint("a space is missing behind the colon", "write `key: value`", found.start(1))


def _document(place: _Place) -> _Hint | None:
    if "<document start>" in place.problem:
        return _Hint("the document ends before this line", _ALIGN, place.at)
    if "incompatible YAML document" in place.problem:
        return _Hint("this version of YAML is not read", "remove the `%YAML` line", place.at)
    return None


def _other_language(place: _Place) -> _Hint | None:
    """See the INI of `fileConfig`, and Python."""
    if _INI.match(place.text):
        cure = "write it as a dictConfig in YAML; INI files of `fileConfig` are not read"
        return _Hint("this is an INI file", cure, place.text.find("["))
    found = _PYTHON.match(place.text)
    if found is not None:
        cure = "write the value alone, as YAML or JSON; or hand the dict to `configure` in Python"
        return _Hint("this is Python", cure, found.start(1))
    return None


_FINDERS: tuple[Callable[[_Place], _Hint | None], ...] = (
    _other_language,
    _escape,
    _quote,
    _tab,
    _first_character,
    _brackets,
    _leftover,
    _item_among_keys,
    _colon,
    _document,
)
