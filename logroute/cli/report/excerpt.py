"""The source line of a finding, with a mark under what is meant.

Marks stand by display width; secrets are veiled, control characters shown as
U+FFFD, and long lines cut around the mark.
"""

from logroute.diagnostics import Span
from logroute.light import TYPE_CHECKING
from logroute.options import VEIL

if TYPE_CHECKING:
    from logroute.cli.report.masking import Page

__all__ = ["excerpt", "visible"]

_WIDEST = 100
_LONGEST = 2000


def excerpt(page: "Page", span: Span, mark: str, encoding: str) -> tuple[str, str] | None:
    """Return the line of `span` and the line that marks it; None where nothing is there."""
    if not 1 <= span.line <= len(page.lines) or not page.lines[span.line - 1].strip():
        return None
    line = page.lines[span.line - 1]
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    end = max(start + 1, min(end, len(line)))
    low, high = 0, len(line)
    if len(line) > _LONGEST:  # a whole document on one line: the marked part alone
        low = max(0, start - _LONGEST // 4)
        end = min(end, start + _WIDEST)
        high = min(len(line), end + _LONGEST // 4)
    parts = page.parts(span.line - 1, low, high)
    start = next((first for first, last in parts if first < start < last), start)
    before = visible(_veiled(line, low, start, parts), encoding)
    marked = visible(_veiled(line, start, end, parts), encoding)
    after = visible(_veiled(line, end, high, parts), encoding)
    if _width(before) > _WIDEST - 30:  # keep the marked part in sight
        before = "..." + _last(before, _WIDEST - 60)
    width = min(max(1, _width(marked)), _WIDEST)
    if _width(marked) > _WIDEST:
        marked, after = _first(marked, _WIDEST) + "...", ""
    room = max(10, _WIDEST - _width(before) - width)
    if _width(after) > room:
        after = _first(after, room) + "..."
    return f"{before}{marked}{after}".rstrip(), " " * _width(before) + mark * width


def visible(text: str, encoding: str = "utf-8") -> str:
    """Return `text` as a terminal can show it: no tabs or control characters, no foreign letter."""
    if text.isascii() and text.isprintable():
        return text
    text = "".join(map(_shown, text))
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _shown(char: str) -> str:
    import unicodedata  # ASCII does without

    if char == "\t":
        return "    "
    return "\ufffd" if unicodedata.category(char) in _UNSEEN else char


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def _veiled(line: str, low: int, high: int, parts: list[tuple[int, int]]) -> str:
    """Return a piece of `line`; a secret is shown where it begins."""
    pieces, at = [], low
    for first, last in parts:
        if last <= low or first >= high:
            continue
        pieces.append(line[at : max(at, first)])
        if first >= low:
            pieces.append(VEIL)
        at = max(at, min(last, high))
    return "".join([*pieces, line[at:high]])


def _width(text: str) -> int:
    """Return how many terminal columns `text` takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _cell(char: str) -> int:
    import unicodedata

    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _first(text: str, room: int) -> str:
    """Return as much of the beginning of `text` as fits."""
    used = 0
    for index, char in enumerate(text):
        used += _cell(char)
        if used > room:
            return text[:index]
    return text


def _last(text: str, room: int) -> str:
    """Return as much of the end of `text` as fits."""
    return _first(text[::-1], room)[::-1]
