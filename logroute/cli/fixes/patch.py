"""A unified diff of a config that never shows a secret.

What stands around a change may be a password. So the lines of context end where
a secret begins, which a patch does not mind; only in a changed line the secret
itself is veiled, and then the diff is for reading alone.
"""

import difflib
import re
from collections.abc import Iterator, Sequence

from logroute.cli.report.masking import Page
from logroute.config.decode import read
from logroute.config.load import Loaded
from logroute.config.nodes import SECRET_NAME, Node
from logroute.config.parse import parse
from logroute.config.source import Source, split_lines
from logroute.light import NamedTuple
from logroute.options import VEIL

__all__ = ["Patch", "make_patch"]

_CONTEXT = 3
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_VARIABLE = re.compile(r"(?:\$\{[^}]*\})+\Z")


class Patch(NamedTuple):
    """A diff; `is_veiled` where a secret had to be taken out of it."""

    lines: tuple[str, ...]
    is_veiled: bool


class _Change(NamedTuple):
    """Lines of the old text and those of the new one in their place."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def make_patch(old: Source, new: Source, loaded: Loaded, renewed: Loaded) -> Patch:
    """Return the diff from `old` to `new`; `loaded` and `renewed` is what they were read as."""
    veil = _Veil([(old, loaded), (new, renewed)])
    before, after = _LINES.findall(old.text), _LINES.findall(new.text)
    matcher = difflib.SequenceMatcher(None, before, after)
    changes = [_Change(*code[1:]) for code in matcher.get_opcodes() if code[0] != "equal"]
    lines = [f"--- {old.name}", f"+++ {old.name}"]
    is_clean = [veil.old(number) == line.rstrip("\r\n") for number, line in enumerate(before)]
    for hunk in _hunks(changes, is_clean):
        lines += _hunk(hunk, before, after, veil)
    return Patch(tuple(lines), any(line[:1] in "-+" and VEIL in line for line in lines))


class _Veil:
    """Knows the secrets of both texts; a misspelt `password` is one in the new text only."""

    def __init__(self, texts: Sequence[tuple[Source, Loaded]]) -> None:
        self._pages = [Page(source.name, source.text) for source, _ in texts]
        parts: set[str] = set()
        for source, loaded in texts:
            rows = split_lines(source.text)
            for node in _secrets(source, loaded):
                parts |= {node.text, *node.text.splitlines()}
                span = node.span
                if span.file == source.name and span.line < span.end_line:
                    parts.add(rows[span.line - 1][span.column - 1 :])
                    # a block of text ends where the next line begins
                    parts |= {*rows[span.line : span.end_line - (span.end_column == 1)]}
        words = sorted({part.strip() for part in parts if part.strip()}, key=len, reverse=True)
        pattern = "|".join(map(re.escape, words))
        self._pattern = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if words else None

    def old(self, number: int) -> str:
        """Return a line of the old text with its secrets veiled."""
        return self._hide(self._pages[0], number)

    def new(self, number: int) -> str:
        """Return a line of the new text with its secrets veiled."""
        return self._hide(self._pages[1], number)

    def _hide(self, page: Page, number: int) -> str:
        text = page.masked(number)
        return text if self._pattern is None else self._pattern.sub(VEIL, text)


def _secrets(source: Source, loaded: Loaded) -> Iterator[Node]:
    """Yield the scalars that must not show, but for those that are variables alone."""
    root, _ = parse(source)
    if root is not None:
        yield from _scalars(root, is_secret=False)
    if loaded.node is not None:
        for path in read(loaded.node).secrets:
            node = loaded.node.at(path)
            if node is not None:
                yield from _scalars(node, is_secret=True)


def _scalars(node: Node, *, is_secret: bool) -> Iterator[Node]:
    """Yield the scalars in `node` that are secret, or under keys that are called so."""
    if isinstance(node.value, dict):
        for key, item in node.value.items():
            yield from _scalars(item, is_secret=is_secret or bool(SECRET_NAME.search(key)))
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _scalars(item, is_secret=is_secret)
    elif is_secret and node.text and not _VARIABLE.match(node.text):
        yield node


def _hunks(changes: Sequence[_Change], is_clean: Sequence[bool]) -> Iterator[list[_Change]]:
    """Group changes whose lines of context would meet."""
    group: list[_Change] = []
    for change in changes:
        if group:
            low, high = group[-1].old_end, change.old_start
            if high - low > 2 * _CONTEXT or not all(is_clean[low:high]):
                yield _with_context(group, is_clean)
                group = []
        group.append(change)
    if group:
        yield _with_context(group, is_clean)


def _with_context(group: list[_Change], is_clean: Sequence[bool]) -> list[_Change]:
    """Put the context around a group: the first and last item, without changes of their own."""
    first, last = group[0].old_start, group[-1].old_end
    low = high = 0
    while low < _CONTEXT and first - low > 0 and is_clean[first - low - 1]:
        low += 1
    while high < _CONTEXT and last + high < len(is_clean) and is_clean[last + high]:
        high += 1
    # with less context on one side, a patch is looked for at that end of the file
    if low < high and first - low > 0:
        high = low
    if high < low and last + high < len(is_clean):
        low = high
    before = _Change(first - low, first - low, group[0].new_start - low, group[0].new_start - low)
    after = _Change(last + high, last + high, group[-1].new_end + high, group[-1].new_end + high)
    return [before, *group, after]


def _hunk(
    changes: Sequence[_Change], before: Sequence[str], after: Sequence[str], veil: _Veil
) -> Iterator[str]:
    head, tail = changes[0], changes[-1]
    old = _range(head.old_start, tail.old_end)
    yield f"@@ -{old} +{_range(head.new_start, tail.new_end)} @@"
    at = head.old_start
    for change in changes:
        for line in before[at : change.old_start]:
            yield from _line(" ", line, line.rstrip("\r\n"))
        for number in range(change.old_start, change.old_end):
            yield from _line("-", before[number], veil.old(number))
        for number in range(change.new_start, change.new_end):
            yield from _line("+", after[number], veil.new(number))
        at = change.old_end


def _range(start: int, end: int) -> str:
    count = end - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _line(mark: str, line: str, shown: str) -> Iterator[str]:
    text = line.rstrip("\r\n")
    yield mark + shown + line[len(text) :].removesuffix("\n")
    if text == line:
        yield "\\ No newline at end of file"
