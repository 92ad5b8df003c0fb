"""Edits: fixes applied to a text, by position; all that is not meant stays as it is.

A fix speaks of places in the tree (`diagnostics.Edit`). Here they become pieces
of the text that are cut out or put in: whole lines in block style, with the
comma in flow style. Afterwards the new text is read again and compared with what
the edits were to do; a text that says anything else is not handed out. Pure
functions over one source; run in whatever thread fixes a file.
"""

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence

from logroute.config.meaning import Plan, Splice, is_as_meant
from logroute.config.parse import parse
from logroute.config.readers import Path
from logroute.config.source import Source, from_text
from logroute.config.textplaces import Entry, TextPlaces
from logroute.diagnostics import Edit, Fix
from logroute.light import Any, NamedTuple

__all__ = ["Changed", "apply", "splices_of"]

_REST = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?=\r?\n|\r|\Z)")
_OWN_LINE = re.compile(r" *\Z")
_ITEM = re.compile(r" *- +\Z")
_ITEMS = re.compile(r" *(?:- +)+\Z")
_LINE_END = re.compile(r"\r\n|\n|\r|\Z")
_TO_NEXT_KEY = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?:\r\n|\n|\r) *\Z")
_COMMA = re.compile(r"\s*,\s*\Z")
_COMMA_AND_NOTE = re.compile(r"\s*,[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?:\r\n|\n|\r)\s*\Z")
_UNDER_NOTE = re.compile(r"\s*,(?:[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?:\r\n|\n|\r))+[ \t]*\Z")
_BARE_END = re.compile(r"[ \t]*,?[ \t]*(?:\r\n|\n|\r)")
_PLAIN_END = re.compile(r"\s*(?:,(?![ \t]*#)|[\]}])")  # no comment that is about the entry
_TO_CLOSE = re.compile(r"\s*(,?)(?:[ \t]+#[^\r\n]*)?\s*\Z")


class Changed(NamedTuple):
    """A text after some fixes.

    Attributes:
        source: the new text.
        done: which of the fixes are in it, by their index.
        splices: what was done to the old text, in order.
        places: offsets in the old text of the keys and values that were edited.
    """

    source: Source
    done: tuple[int, ...]
    splices: tuple[Splice, ...]
    places: frozenset[int]

    def moved(self, offset: int) -> int | None:
        """Return where a character of the old text is now; None where it is gone."""
        shift = 0
        for start, end, text in self.splices:
            if offset < start or (offset == start and text):
                break
            if offset < end:
                return None
            shift += len(text) - (end - start)
        return offset + shift


class _RefusedError(Exception):
    """The edit cannot be made without harm."""


def apply(source: Source, fixes: Sequence[Fix], places: TextPlaces | None = None) -> Changed | None:
    """Return `source` after as many of `fixes` as go together, earlier ones first.

    Edits of other files than `source` make a fix impossible. None where nothing
    can be done, or where the new text would not say what the fixes mean.

    Args:
        source: the text.
        fixes: what to do to it.
        places: the index of `source`, where it is known already.
    """
    places = places or TextPlaces.of(source)
    if places is None:
        return None
    whole, done = Plan(), list[int]()
    taken = _Taken()
    for index, fix in enumerate(fixes):
        plan = _plan(places, fix.edits)
        if plan is not None and taken.add(plan.splices):
            whole.merge(plan)
            done.append(index)
    splices = sorted(whole.splices)
    text = _spliced(source.text, splices)
    if not done or text == source.text:
        return None
    new = source._replace(text=text)
    root, _ = parse(new)
    if root is None or not is_as_meant(places.root, root, (), whole):
        return None
    return Changed(new, tuple(done), tuple(splices), frozenset(whole.places))


def splices_of(source: Source, fixes: Iterable[Fix]) -> list[tuple[Splice, ...]]:
    """Return what each fix would do to the text by itself; nothing where it cannot be made."""
    places = TextPlaces.of(source)
    plans = [None if places is None else _plan(places, fix.edits) for fix in fixes]
    return [() if plan is None else tuple(sorted(plan.splices)) for plan in plans]


class _Taken:
    """The splices so far; sorted by line, so that many fixes stay cheap."""

    def __init__(self) -> None:
        self._splices: list[Splice] = []

    def add(self, splices: Iterable[Splice]) -> bool:
        """Take `splices` where none of them is in the way of an earlier one."""
        new = list(splices)
        for splice in new:
            at = bisect.bisect_left(self._splices, splice)
            near = self._splices[max(0, at - 2) : at + 2]
            if any(splice.conflicts(other) for other in near):
                return False
        for splice in new:
            bisect.insort(self._splices, splice)
        return True


def _spliced(text: str, splices: Iterable[Splice]) -> str:
    parts, at = [], 0
    for start, end, new in splices:
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def _plan(places: TextPlaces, edits: Iterable[Edit]) -> Plan | None:
    plan = Plan()
    try:
        for edit in edits:
            if edit.span.file != places.name:
                return None
            _PLANNERS[edit.kind](places, edit, plan)
    except _RefusedError:
        return None
    splices = sorted(plan.splices)
    if any(a.conflicts(b) for a, b in itertools.pairwise(splices)):
        return None
    return plan


# -- replace ---------------------------------------------------------------------------


def _replace(places: TextPlaces, edit: Edit, plan: Plan) -> None:
    start, end = places.offsets(edit.span)
    entry = places.scalar_at(start, end)
    if entry is None:  # in a comment, perhaps: the text may say nothing else after it
        plan.splices.append(Splice(start, end, edit.text))
        return
    raw = places.text[start:end]
    if "${" in raw and "${" not in edit.text:
        raise _RefusedError  # it was meant for what the variable stands for
    is_key = entry.key_end is not None and start < entry.key_end
    plan.places |= {entry.start, entry.value_start} if is_key else {entry.value_start}
    low, high = (entry.start, entry.key_end) if is_key else (entry.value_start, entry.value_end)
    text = edit.text
    if is_key and entry.node.value is None and (pair := _pair(places, text)) is not None:
        if (start, entry.end) != (low, high):
            raise _RefusedError
        meant, plan.replaced[entry.path] = pair  # `{type:file}` has a key and no value
    elif (start, end) == (low, high):
        text = _quoted_like(raw, text)
        meant = _read(places, text)
    else:  # a part of a text that stands there as it is
        inner = entry.path[-1] if is_key else entry.node.text
        shift = (high or 0) - (low or 0) - len(str(inner))
        if shift not in (0, 2) or not isinstance(inner, str):
            raise _RefusedError
        at = start - (low or 0) - shift // 2
        meant = inner[:at] + text + inner[at + end - start :]
    if is_key:
        plan.renamed[entry.path] = str(meant)
    elif entry.path in plan.replaced:
        raise _RefusedError
    else:
        plan.replaced[entry.path] = meant
    plan.splices.append(Splice(start, end, text))


def _pair(places: TextPlaces, text: str) -> tuple[str, Any] | None:
    """Return key and value of a text such as ``type: file``; None of any other."""
    made = places.read_mapping(text) if ": " in text else None
    return next(iter(made.items())) if made is not None and len(made) == 1 else None


def _quoted_like(raw: str, text: str) -> str:
    """Return a new text in the quotes of the old one, where it is a text."""
    quote = raw[:1]
    if quote not in ("'", '"') or text[:1] == quote or not text:
        return text
    if text[0] in "'\"":
        inner = text[1:-1]
    else:
        root, _ = parse(from_text(f"value: {text}"))
        node = root.at(("value",)) if root is not None else None
        if node is None or not isinstance(node.value, str):
            return text
        inner = text
    return text if {"'", '"', "\\"} & set(inner) else f"{quote}{inner}{quote}"


def _read(places: TextPlaces, text: str) -> Any:
    """Return what a value is when it is written as `text`."""
    root, _ = parse(Source("", f"[{text}]", places.syntax))
    if root is None or not isinstance(root.value, list) or len(root.value) != 1:
        raise _RefusedError
    return root.value[0].data()


# -- remove ----------------------------------------------------------------------------


def _remove(places: TextPlaces, edit: Edit, plan: Plan) -> None:
    entry = places.entry_at(*places.offsets(edit.span))
    if entry is None:
        raise _RefusedError
    before, after = places.neighbours(entry)
    if places.is_flow(entry.path[:-1]):
        splice = _cut_from_flow(places, entry, before, after)
    elif before is None and after is None:
        raise _RefusedError  # nothing would be left, which is no empty mapping
    else:
        splice = _cut_lines(places, entry, after)
    plan.removed.add(entry.path)
    plan.splices.append(splice)


def _cut_lines(places: TextPlaces, entry: Entry, after: Entry | None) -> Splice:
    text, start = places.text, entry.start
    prefix = text[places.line_start(start) : start]
    end = entry.end
    if end > start and places.line_start(end) == end:  # a block of text ends with its line
        line_end = end
    else:
        rest = _REST.match(text, end)
        if rest is None:
            raise _RefusedError
        line_end = _end_of_line(text, rest.end())
    if (_OWN_LINE if entry.key_end is not None else _ITEM).match(prefix):
        return Splice(places.line_start(start), line_end, "")
    if entry.key_end is None or after is None or not _ITEMS.match(prefix):
        raise _RefusedError
    if not _TO_NEXT_KEY.match(text[end : after.start]):
        raise _RefusedError
    return Splice(start, after.start, "")  # the next key takes the place behind the dash


def _end_of_line(text: str, offset: int) -> int:
    found = _LINE_END.search(text, offset)
    return found.end() if found else len(text)


def _cut_from_flow(
    places: TextPlaces, entry: Entry, before: Entry | None, after: Entry | None
) -> Splice:
    text, start, end = places.text, entry.start, entry.end
    is_first_in_line = not text[places.line_start(start) : start].strip()
    if (
        before is not None
        and _COMMA.match(text[before.end : start])
        and _PLAIN_END.match(text, end)
    ):
        return Splice(before.end, end, "")
    if after is not None:
        between = text[end : after.start]
        if _COMMA.match(between) and (is_first_in_line or "\n" not in between):
            return Splice(start, after.start, "")
        if _COMMA_AND_NOTE.match(between) and is_first_in_line:
            return Splice(start, after.start, "")
        if _COMMA.match(between):  # the next one stays in its line
            space = len(text[:start].rstrip(" \t"))
            return Splice(space, end + between.index(",") + 1, "")
        raise _RefusedError
    if before is not None:
        rest = _BARE_END.match(text, end)
        if _UNDER_NOTE.match(text[before.end : start]) and rest:
            return Splice(places.line_start(start), rest.end(), "")
        raise _RefusedError
    low, high = places.inside(entry.path[:-1])
    if text[low:start].strip() or text[end:high].strip(" \t\r\n,"):
        raise _RefusedError
    return Splice(low, high, "")


# -- add -------------------------------------------------------------------------------


def _add(places: TextPlaces, edit: Edit, plan: Plan) -> None:
    path = places.mapping_at(edit.span)
    if path is None:
        raise _RefusedError
    if places.syntax == "json":
        made = places.read_mapping("{" + edit.text + "}")
    else:
        made = places.read_mapping(edit.text)
    if made is None or len(made) != 1:
        raise _RefusedError
    entries = places.children(path)
    if not places.is_flow(path):
        splices = [_add_line(places, entries, edit.text)]
    elif entries:
        splices = _add_in_flow(places, path, entries[-1], edit.text)
    else:
        low, high = places.inside(path)
        if places.text[low:high].strip():
            raise _RefusedError
        splices = [Splice(low, low, edit.text)]
    plan.added.setdefault(path, []).extend(made.items())
    plan.splices += splices


def _add_line(places: TextPlaces, entries: Sequence[Entry], new: str) -> Splice:
    """Return the splice that writes a line below the last entry that ends in its line."""
    text = places.text
    if new.startswith("version: ") and len(entries[0].path) == 1:
        at = places.line_start(entries[0].start)  # where everybody looks for it
        return Splice(at, at, f"{new}{places.newline}")
    indent = None
    for entry in entries:
        prefix = text[places.line_start(entry.start) : entry.start]
        if _OWN_LINE.match(prefix) or _ITEMS.match(prefix):
            indent = len(prefix)
    for entry in reversed(entries):
        rest = _REST.match(text, entry.end)
        if rest is None or indent is None or places.line_start(entry.end) == entry.end:
            continue
        newline = places.newline
        return Splice(rest.end(), rest.end(), f"{newline}{' ' * indent}{new}")
    raise _RefusedError


def _add_in_flow(places: TextPlaces, path: Path, last: Entry, new: str) -> list[Splice]:
    text, end = places.text, last.end
    _, close = places.inside(path)
    line = text[places.line_start(last.start) : last.start]
    rest = _TO_CLOSE.match(text[end:close])
    if rest is None:
        raise _RefusedError
    comma = end + len(rest[0]) - len(rest[0].lstrip()) if rest[1] else None
    if line.strip() or places.line_start(close) <= end:  # in one line with others
        if "#" in rest[0]:
            raise _RefusedError
        return [Splice(comma + 1, comma + 1, f" {new}") if comma else Splice(end, end, f", {new}")]
    at = (comma + 1) if comma else end
    note = re.compile(r"(?:[ \t]+#[^\r\n]*)?").match(text, at)
    at = note.end() if note else at
    row = Splice(at, at, f"{places.newline}{line}{new}{',' if comma else ''}")
    if comma or at == end:
        return [row if comma else Splice(end, end, f",{row.text}")]
    return [Splice(end, end, ","), row]


_PLANNERS = {"replace": _replace, "remove": _remove, "add": _add}
