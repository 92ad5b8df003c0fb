"""Comments that take findings back: ``# logroute: ignore[LR302] reason``.

One stands on the line of the finding or on the line above it; `ignore-file`
counts for the whole file. Errors stay, since a config with an error is not
used, whatever a comment says; a comment that takes nothing back is itself a
finding (LR098).
"""

import bisect
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from logroute.cli.checks.select import Selection, UsageError, codes_of, is_reading
from logroute.config.source import Lines, Source, split_lines
from logroute.diagnostics import Diagnostic, Edit, Fix, Severity, Span, warning
from logroute.light import NamedTuple

__all__ = ["MARK", "find_comments", "suppress"]

#: What stands in every comment to us.
MARK = "logroute:"
_COMMENT = re.compile(
    r"#[ \t]*logroute:[ \t]*(?P<word>[A-Za-z]+(?:-[A-Za-z]+)*)"
    r"(?:[ \t]*\[(?P<codes>[^\]\r\n]*)(?P<end>\]?))?"
)
_WORDS = ("ignore", "ignore-file")
_TOML_TOKEN = re.compile(
    r'"""(?:[^\\"]|\\[\s\S]|"(?!""))*"{3,5}|'
    r"'''(?:[^']|'(?!''))*'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|(?P<comment>#[^\r\n]*)"
)
#: Most comments of a text that are read, and most that are told to be idle.
_MOST_COMMENTS = 10_000
_MOST_IDLE = 200
_LINE_END = re.compile(r"[\r\n]|\Z")
_NOQA = {"noqa": "ignore", "disable": "ignore", "skip": "ignore", "suppress": "ignore"}


class Comment(NamedTuple):
    """One comment to us.

    Attributes:
        span: from its ``#`` to the bracket that closes it.
        whole: what goes with it when it is taken away: the blanks before it, or its line.
        words: the codes and names in it, and where each stands.
        line: the line whose findings it takes back; None: those of the whole file.
        fault: why it means nothing, and the cure.
    """

    span: Span
    whole: Span
    words: tuple[tuple[str, Span], ...]
    line: int | None
    fault: tuple[str, str | None] | None


def find_comments(source: Source) -> list[Comment]:
    """Return the comments to us in a text that can be parsed."""
    if MARK not in source.text or source.syntax == "json":
        return []
    is_real = _Comments(source)
    lines, rows = Lines(source.text), split_lines(source.text)
    below = _lines_below(rows)
    found = (match for match in _COMMENT.finditer(source.text) if is_real(match.start()))
    comments = (_read(match, source, lines, rows, below) for match in found)
    return [comment for comment in islice(comments, _MOST_COMMENTS) if comment is not None]


def _lines_below(rows: list[str]) -> list[int]:
    """Return for each line the number of the next one that is not only a comment."""
    below = [0] * len(rows)
    after = len(rows)
    for index in range(len(rows) - 1, -1, -1):
        below[index] = after
        if not rows[index].lstrip().startswith("#"):
            after = index + 1
    return below


class _Comments:
    """Says whether a ``#`` begins a comment or stands in one, not in a value."""

    def __init__(self, source: Source) -> None:
        values = _toml_values if source.syntax == "toml" else _yaml_values
        self.values = sorted(values(source.text))
        self.starts = [start for start, _ in self.values]

    def __call__(self, offset: int) -> bool:
        at = bisect.bisect_right(self.starts, offset) - 1
        return at < 0 or self.values[at][1] <= offset


def _yaml_values(text: str) -> Iterator[tuple[int, int]]:
    import yaml

    from logroute.config.yamltext import C_PARSER, PYTHON_PARSER

    for token in yaml.scan(text, Loader=C_PARSER or PYTHON_PARSER):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            if token.style in ("|", ">"):  # behind its header may be a comment
                start = _end_of_line(text, start)
            yield start, end


def _toml_values(text: str) -> Iterator[tuple[int, int]]:
    tokens = _TOML_TOKEN.finditer(text)
    return (match.span() for match in tokens if match["comment"] is None)


def _end_of_line(text: str, offset: int) -> int:
    found = _LINE_END.search(text, offset)
    assert found is not None
    return found.start()


def _read(
    match: re.Match[str], source: Source, lines: Lines, rows: list[str], below: list[int]
) -> Comment | None:
    """Return what a comment says; None where it is prose."""
    fault = _fault(match)
    if fault is not None and not fault[0]:
        return None
    line, column = lines.place(match.start())
    span = Span(source.name, line, column, line, column + len(match[0]))
    head = rows[line - 1][: column - 1]
    whole = span._replace(column=1 + len(head.rstrip()), end_column=1 + len(rows[line - 1]))
    if not head.strip() and line < len(rows):
        whole = Span(source.name, line, 1, line + 1, 1)
    target: int | None = line
    if match["word"] == "ignore-file":
        target = None
    elif not head.strip() or head.lstrip().startswith("#"):
        target = below[line - 1]
    return Comment(span, whole, _words(match, span), target, fault)


def _words(match: re.Match[str], span: Span) -> tuple[tuple[str, Span], ...]:
    words = []
    first = span.column + match.start("codes") - match.start()
    for word in re.finditer(r"[^\s,]+", match["codes"] or ""):
        place = span._replace(column=first + word.start(), end_column=first + word.end())
        words.append((word[0], place))
    return tuple(words)


def _fault(match: re.Match[str]) -> tuple[str, str | None] | None:
    """Return why a comment means nothing, and the cure; an empty reason for prose."""
    word, codes = match["word"], match["codes"]
    if word not in ("ignore", "ignore-file"):
        from logroute.hints import nearest

        near = nearest(word, ("ignore", "ignore-file"), _NOQA)
        if codes is None or near is None:
            return "", None
        return f"the comment `logroute: {word}` means nothing", f"did you mean `{near}`?"
    if codes is None or not codes.strip():
        return f"the comment names no rule to {word}", f"write `{word}[LR302]`"
    if not match["end"]:
        return "the `[` of the comment is not closed", f"write `{word}[{codes.split()[0]}]`"
    return None


class _Use:
    """What became of one comment.

    Attributes:
        codes: by word in it, the codes it stands for; empty where it stands for none.
        used: the words that took a finding back.
        refused: by word, what it could not take back.
        unknown: by word, why it stands for nothing.
    """

    def __init__(self, comment: Comment) -> None:
        self.comment = comment
        self.used: set[str] = set()
        self.refused: dict[str, Diagnostic] = {}
        self.unknown: dict[str, str] = {}
        self.codes: dict[str, frozenset[str]] = {}
        for word, _ in comment.words if comment.fault is None else ():
            try:
                self.codes[word] = codes_of(word)
            except UsageError as fault:
                self.unknown[word] = str(fault)

    def takes_back(self, item: Diagnostic) -> bool:
        """Return whether the comment takes a finding back; remember which word did."""
        words = [word for word, codes in self.codes.items() if item.code in codes]
        if is_reading(item.code) or item.severity is Severity.ERROR:
            self.refused.update(dict.fromkeys(words, item))
            return False
        self.used.update(words)
        return bool(words)


def suppress(
    items: Iterable[Diagnostic],
    sources: Iterable[Source],
    selection: Selection,
    *,
    main: str,
    tells_unused: bool,
    unasked: frozenset[str] = frozenset(),
) -> tuple[list[Diagnostic], int]:
    """Take back what comments ignore.

    Args:
        items: what was found.
        sources: the texts that it was found in.
        selection: what is looked for; the rest cannot be found to be unused.
        main: the name of the source whose comments are judged.
        tells_unused: whether everything was looked at that a comment may be meant for.
        unasked: codes that were not looked for.

    Returns:
        What is left, with what is wrong with the comments, and how many were taken back.
    """
    uses: dict[tuple[str, int | None], list[_Use]] = {}
    for source in sources:
        for comment in find_comments(source):
            uses.setdefault((source.name, comment.line), []).append(_Use(comment))
    left, count = [], 0
    for item in items:
        file, line = item.span.file, item.span.line
        fitting = (*uses.get((file, line), ()), *uses.get((file, None), ()))
        # every comment that fits is used, so no `any` that stops at the first
        if sum(use.takes_back(item) for use in fitting):
            count += 1
        else:
            left.append(item)
    own = [use for (name, _), some in uses.items() if name == main for use in some]
    for use in own:
        left += _judged(use)
    if tells_unused:
        idle = (item for use in own for item in _unused(use, selection, unasked))
        left += islice(idle, _MOST_IDLE)
    return left, count


def _judged(use: _Use) -> Iterator[Diagnostic]:
    """Yield what is wrong with a comment."""
    comment = use.comment
    if comment.fault is not None:
        yield warning("LR098", comment.fault[0], comment.span, comment.fault[1])
    for word, place in comment.words:
        if word in use.unknown:
            message, _, cure = use.unknown[word].partition("; ")
            yield warning("LR098", message, place, cure)
        elif word in use.refused:
            item = use.refused[word]
            message = f"no comment takes an error back, so {item.code} ({item.name}) stays"
            if is_reading(item.code):
                message = f"no comment takes {item.code} ({item.name}) back: the file is not read"
            yield warning("LR098", message, place, "correct what it finds, and remove the comment")


def _unused(use: _Use, selection: Selection, unasked: frozenset[str]) -> Iterator[Diagnostic]:
    """Yield that words of a comment take nothing back."""
    comment = use.comment
    idle = [
        (word, place)
        for word, place in comment.words
        if word in use.codes
        and word not in use.used
        and word not in use.refused
        and all(selection.is_selected(code) and code not in unasked for code in use.codes[word])
    ]
    if not idle:
        return
    names = ", ".join(f"`{word}`" for word, _ in idle)
    where = "this file" if comment.line is None else f"line {comment.line}"
    kept = [word for word, _ in comment.words if word not in dict(idle)]
    if kept:
        kind = "ignore-file" if comment.line is None else "ignore"
        edit = Edit(comment.span, f"# logroute: {kind}[{', '.join(kept)}]")
    else:
        edit = Edit(comment.whole, "")
    cure = f"remove {names}" if kept else "remove the comment"
    message = f"nothing to ignore: {where} has no finding {names}"
    yield warning("LR098", message, idle[0][1], cure, Fix((edit,)))
