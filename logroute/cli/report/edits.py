"""Fixes as machines apply them: pieces of text with their places and offsets."""

from collections.abc import Iterable, Mapping, Sequence

from logroute.cli.report.masking import Pages, mask_secrets
from logroute.config.source import Lines, Source, Syntax
from logroute.diagnostics import Diagnostic, Fix, Span
from logroute.light import NamedTuple

__all__ = ["Edits", "Piece"]


#: Longer texts are left to --fix: their places take too much memory.
_MOST_LETTERS = 500_000


class Piece(NamedTuple):
    """`text` takes the place of `span`; offsets are in characters, from 0."""

    span: Span
    start: int
    end: int
    text: str


class Edits:
    """Turns the fixes of one file's findings into pieces."""

    __slots__ = ("_pages", "_pieces")

    def __init__(self, items: Iterable[Diagnostic], texts: Mapping[str, str], pages: Pages) -> None:
        """Take the findings and the texts that they point into."""
        self._pages = pages
        self._pieces: dict[Fix, list[Piece]] = {}
        by_file: dict[str, list[Fix]] = {}
        for item in items:
            if item.fix is not None and item.fix.edits:
                by_file.setdefault(item.fix.edits[0].span.file, []).append(item.fix)
        for name, fixes in by_file.items():
            if 0 < len(texts.get(name, "")) <= _MOST_LETTERS:
                self._plan(Source(name, texts[name], _syntax(name)), fixes)

    def pieces(self, item: Diagnostic) -> list[Piece]:
        """Return what the fix of a finding does; nothing where it cannot be said or shown."""
        return [] if item.fix is None else self._pieces.get(item.fix, [])

    def _plan(self, source: Source, fixes: Sequence[Fix]) -> None:
        from logroute.config.edits import splices_of  # only for findings with fixes

        place = Lines(source.text).place
        for fix, splices in zip(fixes, splices_of(source, fixes), strict=True):
            if not any(self._is_secret(text) for _, _, text in splices):
                self._pieces[fix] = [
                    Piece(Span(source.name, *place(start), *place(end)), start, end, text)
                    for start, end, text in splices
                ]

    def _is_secret(self, text: str) -> bool:
        return self._pages.veil(text) != text or mask_secrets(text) != text


def _syntax(name: str) -> Syntax:
    if name.lower().endswith(".json"):
        return "json"
    return "toml" if name.lower().endswith(".toml") else "yaml"
