"""Nodes from the YAML that nearly every config is written in, read without PyYAML.

Importing PyYAML costs an application more of its start than all else that loading
does. This reads block mappings and lists, lists and mappings in brackets, and
scalars of one line, plain or in quotes: what is sure to mean the same to any
reader. Whatever else a text may hold, be it a fault, an anchor, a tag, an escape
or a text of several lines, makes `read` give up; then `yamltext` reads the text
from its beginning. Where both read a text, they yield the same tree, place by
place: tests compare them. Runs in whatever thread loads a config; holds no state.
"""

from logroute.config.nodes import MAX_NODES, Budget, Node
from logroute.config.scalars import MAX_DIGITS, as_core
from logroute.config.source import Source
from logroute.diagnostics import Span
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["read"]

#: Longer texts are not worth a reader written in Python.
_MOST_CHARS = 128 * 1024
#: Deeper nesting, and longer keys, are left to the reader that knows the limits.
_MOST_DEPTH = 24
_MOST_KEY = 200

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: What a scalar without quotes may begin with; no such character means anything else.
_FIRST = frozenset(_LETTERS + "0123456789_./$()~+<=^")
#: What a key of a block without quotes is made of.
_KEY = _FIRST | {"-"}
#: What a scalar without quotes is made of in brackets.
_IN_BRACKETS = _KEY | frozenset(" >*%@;!|\\")
_ODD = lazy_pattern("[\x85\u2028\u2029\ufeff]")
_CLOSERS = {"[": "]", "{": "}"}
_new = tuple.__new__  # half the price of a named tuple's own constructor


def read(source: Source, budget: Budget) -> Node | None:
    """Return the tree of a YAML text, or None where it is not plain enough.

    Args:
        source: the text, free of control characters.
        budget: counts the values; untouched where there is no tree.
    """
    text = source.text
    if len(text) > _MOST_CHARS or "\t" in text or "\r" in text:
        return None
    if not text.isascii() and _ODD.search(text):
        return None
    try:
        reader = _Reader(source.name, text)
        root = reader.document()
    except _NotPlainError:
        return None
    if budget.nodes + reader.count > MAX_NODES:
        return None
    budget.nodes += reader.count
    return root


class _NotPlainError(Exception):
    """The text holds what is not read here."""


class _Reader:
    """Walks over the lines that hold something; `at` is where it stands in `line`."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.count = 0
        self.depth = 0
        self.lines: list[tuple[int, int, str]] = []  # number from 1, indent, text
        for number, line in enumerate(text.split("\n"), 1):
            words = line.lstrip(" ")
            if words and words[0] != "#":
                self.lines.append((number, len(line) - len(words), line.rstrip(" ")))
        self.lines.reverse()
        self.number = 0
        self.indent = self.at = -1
        self.line = ""
        self.advance()

    def advance(self) -> None:
        """Go to the next line that holds something; behind the last one `indent` is -1."""
        if not self.lines:
            self.number, self.indent, self.at, self.line = 0, -1, -1, ""
            return
        self.number, self.indent, self.line = self.lines.pop()
        self.at = self.indent
        if self.indent == 0 and self.line.startswith(("---", "...", "%")):
            raise _NotPlainError

    def is_over(self) -> bool:
        """Go over blanks; return whether only a comment is left of the line."""
        line, at = self.line, self.at
        while line[at : at + 1] == " ":
            at += 1
        is_over = at >= len(line) or (line[at] == "#" and line[at - 1] == " ")
        self.at = at
        return is_over

    def place(self, start: int) -> Span:
        """Return the place from `start` to here, in one line."""
        return _new(Span, (self.name, self.number, start + 1, self.number, self.at + 1))

    # -- blocks

    def document(self) -> Node:
        """Read the whole text, which has to be a mapping."""
        if self.indent != 0 or self.at_dash():
            raise _NotPlainError
        root = self.mapping(0)
        if self.number:
            raise _NotPlainError
        return root

    def at_dash(self) -> bool:
        """Return whether an item of a list begins here."""
        return self.line.startswith("- ", self.at)

    def enter(self) -> None:
        """Count a list or mapping, and see that it is not too deep."""
        self.count += 1
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise _NotPlainError

    def mapping(self, indent: int) -> Node:
        """Read a mapping whose keys begin in the column `indent`, the first of them here."""
        self.enter()
        number = self.number
        entries: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        while True:
            start = self.at
            key = self.key()
            if key in keys:
                raise _NotPlainError
            keys[key] = self.place(start)
            self.at += 1  # the colon
            entries[key] = node = self.value(indent, may_list=True)
            if self.indent < indent:
                break
            if self.indent > indent or self.at_dash():
                raise _NotPlainError
        self.depth -= 1
        span = _new(Span, (self.name, number, indent + 1, *node.span[3:]))
        return Node(entries, span, keys)

    def items(self, indent: int) -> Node:
        """Read a list whose dashes are in the column `indent`, the first of them here."""
        self.enter()
        number = self.number
        items: list[Node] = []
        while self.at_dash():
            self.at += 1
            if self.is_over() or self.at_dash():
                raise _NotPlainError
            node = self.mapping(self.at) if self.at_key() else self.value(indent)
            items.append(node)
            if self.indent != indent:
                break
        if self.indent > indent:
            raise _NotPlainError
        self.depth -= 1
        return Node(items, _new(Span, (self.name, number, indent + 1, *node.span[3:])))

    def at_key(self) -> bool:
        """Return whether a mapping begins here, in the line of a dash."""
        line, at = self.line, self.at
        if line[at] in "\"'":
            return line.startswith(":", line.find(line[at], at + 1) + 1)
        return line[at] not in "[{" and (": " in line[at:] or line.endswith(":"))

    def key(self) -> str:
        """Read a key and stop at its colon, which a blank or the end of the line follows."""
        line, start = self.line, self.at
        if line[start] in "\"'":
            key = self.quoted()
        else:
            end = line.find(":", start)
            key = line[start:end]
            if end < 0 or not key or key[0] == "-" or not _KEY.issuperset(key):
                raise _NotPlainError
            self.at = end
        if key == "<<" or len(key) > _MOST_KEY or line[self.at : self.at + 2] not in (":", ": "):
            raise _NotPlainError
        return key

    def value(self, indent: int, may_list: bool = False) -> Node:
        """Read what stands behind a colon or dash, to the next line."""
        if self.is_over():
            self.advance()
            if self.at_dash() and may_list and self.indent >= indent:
                return self.items(self.indent)
            if self.indent <= indent or self.at_dash():
                raise _NotPlainError  # an empty value
            return self.mapping(self.indent)
        first = self.line[self.at]
        if first in "[{":
            node = self.brackets()
        elif first in "\"'":
            node = self.text()
        else:
            node = self.plain()
        if not self.is_over():
            raise _NotPlainError
        self.advance()
        if self.indent > indent:  # it would go on with the value
            raise _NotPlainError
        return node

    # -- scalars

    def quoted(self) -> str:
        """Read a text in quotes, of one line and without escapes."""
        line, start = self.line, self.at
        quote = line[start]
        end = line.find(quote, start + 1)
        text = line[start + 1 : end]
        if end < 0 or (quote == '"' and "\\" in text) or line.startswith("'", end + 1):
            raise _NotPlainError
        self.at = end + 1
        return text

    def text(self) -> Node:
        """Read a scalar in quotes."""
        start = self.at
        text = self.quoted()
        self.count += 1
        return Node(text, self.place(start), None, text)

    def plain(self) -> Node:
        """Read a scalar of a block without quotes, to the end of the line or a comment."""
        line, start = self.line, self.at
        end = line.find(" #", start)
        text = (line[start:] if end < 0 else line[start:end]).rstrip(" ")
        first = line[start + 1 : start + 2] if text[0] == "-" else text[0]
        if first not in _FIRST or ": " in text or text[-1] == ":":
            raise _NotPlainError
        return self.scalar(text)

    def scalar(self, text: str) -> Node:
        """Take a scalar without quotes that begins here."""
        if len(text) > MAX_DIGITS:
            raise _NotPlainError
        start = self.at
        self.at += len(text)
        self.count += 1
        return Node(as_core(text), self.place(start), None, text, True)

    # -- brackets

    def brackets(self) -> Node:
        """Read a list or mapping in brackets, which may take several lines."""
        self.enter()
        number, start = self.number, self.at
        closer = _CLOSERS[self.line[start]]
        value: Any = [] if closer == "]" else {}
        keys: dict[str, Span] = {}
        self.at += 1
        self.go_on()
        while self.line[self.at] != closer:
            if closer == "]":
                value.append(self.item())
            else:
                key = self.bracket_key(keys)
                value[key] = self.item()
            self.go_on()
            if self.line[self.at] == ",":
                self.at += 1
                self.go_on()
            elif self.line[self.at] != closer:
                raise _NotPlainError
        self.at += 1
        self.depth -= 1
        span = _new(Span, (self.name, number, start + 1, self.number, self.at + 1))
        return Node(value, span, keys if closer == "}" else None)

    def go_on(self) -> None:
        """Go over blanks, comments and ends of lines, to what is next in brackets."""
        while self.is_over():
            self.advance()
            if self.indent <= 0:  # some readers end the brackets there
                raise _NotPlainError

    def bracket_key(self, keys: dict[str, Span]) -> str:
        """Read a key in brackets, with its colon, and note its place."""
        start = self.at
        key = self.quoted() if self.line[start] in "\"'" else self.words()
        if key in keys or key == "<<" or len(key) > _MOST_KEY:
            raise _NotPlainError
        self.at = start + len(key) + (2 if self.line[start] in "\"'" else 0)
        keys[key] = self.place(start)
        if not self.line.startswith(": ", self.at):
            raise _NotPlainError
        self.at += 1
        if self.is_over():
            raise _NotPlainError
        return key

    def item(self) -> Node:
        """Read a value in brackets."""
        first = self.line[self.at]
        if first in "[{":
            return self.brackets()
        if first in "\"'":
            return self.text()
        return self.scalar(self.words())

    def words(self) -> str:
        """Return the scalar without quotes that begins here, in brackets."""
        line, start = self.line, self.at
        end, length = start, len(self.line)
        while end < length and line[end] in _IN_BRACKETS:
            end += 1
        text = line[start:end].rstrip(" ")
        first = text[1:2] if text[:1] == "-" else text[:1]
        if first not in _FIRST:
            raise _NotPlainError
        return text
