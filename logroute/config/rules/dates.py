"""Dates: layouts for `time.strftime`, which prints what it does not know as it stands.

Known is what the C library of Linux knows; others know less. Runs in whatever
thread loads a config.
"""

import re
from collections.abc import Iterator
from itertools import islice

from logroute.config.decode import is_foreign
from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import rule
from logroute.config.views import fixes
from logroute.config.views.entries import class_of, handlers, text_of
from logroute.config.views.facts import Facts, letter
from logroute.diagnostics import Diagnostic, Severity, warning
from logroute.light import NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["bad_dates"]

_MOST_SHOWN = 10

_DIRECTIVE = lazy_pattern(r"%(?P<flags>[-_0^#]*[0-9]*)(?P<other>[EO]?)(?P<kind>.?)", re.DOTALL)
_KNOWN = frozenset("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%")
_KNOWN_OTHERS = {
    "": _KNOWN,
    "E": frozenset("cnprstuxyzCPRTXYZ%"),
    "O": _KNOWN - frozenset("acxADFXY"),
}
#: Directives that are likely meant where their letter is doubled, as in `%mm`.
_DOUBLED = frozenset("dmyYHMSIj")
#: Month and minutes exchanged.
_MINUTES_IN_DATE = lazy_pattern(r"%Y[-/.]?(%M)[-/.]?%d|%d[-/.](%M)[-/.]%[yY]|(%M)[-/.]%d[-/.]%[yY]")
_MONTH_IN_TIME = lazy_pattern(r"%[HI]:?(%m)(?=:?%S|$|[^\w%/-])")
_HALF_OF_DAY = lazy_pattern(r"%[-_0^#]*[0-9]*[pPHkTRcXsr+]|%E[cX]|%OH")
#: Dates as other languages write them.
_TOKENS = lazy_pattern(r"YYYY|yyyy|YY|yy|MM|DD|dd|HH|hh|mm|ss|SS|[-/:., T\[\]()]+|.", re.DOTALL)
_FRACTION = lazy_pattern(r"[.,](?:S+|f+|ms|n+)$")
_MEANINGS = {"YYYY": "%Y", "yyyy": "%Y", "YY": "%y", "yy": "%y", "DD": "%d", "dd": "%d"}
_TIMES = {"HH": "%H", "hh": "%I", "ss": "%S", "SS": "%S"}


class _Slip(NamedTuple):
    """What is wrong with some letters of a date layout; `right` may take their place."""

    start: int
    end: int
    message: str
    help: str
    right: str | None = None


@rule("LR402", Severity.WARNING)
def bad_dates(facts: Facts) -> Iterator[Diagnostic]:
    """Find date formats that `time.strftime` does not understand as meant (LR402).

    What is no directive is printed as it stands, on every line: `%f`, which only
    `datetime` knows, or the `YYYY-MM-DD` of other languages::

        formatters:
          line: {format: "%(asctime)s %(message)s", datefmt: "%H:%M:%S.%f"}

    Milliseconds are a field: `%(asctime)s.%(msecs)03d`, with a `datefmt` of
    `%H:%M:%S`. Also told of are `%M` (minutes) where a month is meant, `%m` where
    minutes are, `%I` without `%p`, and a letter too many, as in `%mm`.
    """
    for path, node in _dates(facts):
        text = node.value
        for slip in islice(_slips(text), _MOST_SHOWN):
            first, last = letter(node, slip.start), letter(node, max(slip.start, slip.end - 1))
            place = first._replace(end_line=last.end_line, end_column=last.end_column)
            fixed = slip.right and text[: slip.start] + slip.right + text[slip.end :]
            fix = fixes.replace(node, fixed, is_safe=False) if fixed else None
            message = f"`{path[-1]}` of {path[0][:-1]} `{shown(str(path[1]))}`: {slip.message}"
            yield warning("LR402", message, place, slip.help, fix)


def _dates(facts: Facts) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield what is given to `time.strftime` for certain."""
    for name, entry in facts.section("formatters").items():
        if not isinstance(entry.value, dict) or facts.is_broken(("formatters", name)):
            continue
        node = entry.at(("datefmt",))
        is_own = is_foreign(entry.value) and class_of(entry) != "logging.Formatter"
        if node is not None and not is_own and text_of(node) and not node.secret:
            yield ("formatters", name, "datefmt"), node
    for name, entry in handlers(facts):
        node = entry.at((".", "suffix"))
        is_timed = class_of(entry) == "logging.handlers.TimedRotatingFileHandler"
        if node is not None and is_timed and text_of(node) and not node.secret:
            yield ("handlers", name, "suffix"), node


def _slips(text: str) -> Iterator[_Slip]:
    if "%" not in text:
        yield _foreign_date(text)
        return
    for found in _DIRECTIVE.finditer(text):
        slip = _slip(text, found)
        if slip is not None:
            yield slip
    for found in _MINUTES_IN_DATE.finditer(text):
        start, end = found.span(found.lastindex or 0)
        yield _Slip(start, end, "`%M` is the minutes, not the month", "did you mean `%m`?", "%m")
    for found in _MONTH_IN_TIME.finditer(text):
        start, end = found.span(1)
        yield _Slip(start, end, "`%m` is the month, not the minutes", "did you mean `%M`?", "%M")
    hour = text.find("%I")
    if hour >= 0 and not _HALF_OF_DAY.search(text):
        message = "`%I` is the hour on a clock of 12 hours, and nothing tells morning from evening"
        yield _Slip(hour, hour + 2, message, "did you mean `%H`?", "%H")


def _slip(text: str, found: re.Match[str]) -> _Slip | None:
    start, end = found.span()
    kind, flags, other = found["kind"], found["flags"], found["other"]
    whole = shown(found[0])
    if not kind and not other:
        return _Slip(start, end, f"`{whole}` at the end is no directive", "write `%%`", "%%")
    if kind not in _KNOWN_OTHERS[other]:
        return _Slip(start, end, f"`{whole}` is printed as it stands", _cure(kind))
    if kind == "d" and flags.startswith("0") and len(flags) > 1:
        message = f"`{whole}` is the day of the month, in that many digits"
        return _Slip(start, end, message, _FRACTIONS)
    if kind in _DOUBLED and not flags and text[end : end + 1] == kind:
        end += len(text[end:]) - len(text[end:].lstrip(kind))
        message = f"in `{shown(text[start:end])}` only `%{kind}` is a directive"
        return _Slip(start, end, message, f"did you mean `%{kind}`?", f"%{kind}")
    return None


_FRACTIONS = "milliseconds are a field of the layout, `%(msecs)03d`, to stand behind `asctime`"


def _cure(kind: str) -> str:
    if kind in ("f", "L", "N", "Q"):
        return f"leave it out; {_FRACTIONS}"
    return "leave it out, or double the `%` to print it"


def _foreign_date(text: str) -> _Slip:
    message = f"`{shown(text)}` has no directive, and is the same text on every record"
    right = _translated(text)
    cure = (
        "use directives of `time.strftime`; without `datefmt` a date is `2003-07-08 16:49:45,896`"
    )
    return _Slip(0, len(text), message, f"did you mean `{right}`?" if right else cure, right)


def _translated(text: str) -> str | None:
    """Return a date layout of another language as one for `time.strftime`."""
    if text.casefold().replace("-", "").replace("_", "") in ("iso", "iso8601", "rfc3339"):
        return "%Y-%m-%dT%H:%M:%S%z"
    parts: list[str] = []
    for token in _TOKENS.findall(_FRACTION.sub("", text)):
        if token in ("MM", "mm"):
            is_time = any(part in ("%H", "%I") for part in parts)
            parts.append("%M" if is_time else "%m")
        elif token in _MEANINGS or token in _TIMES:
            parts.append(_MEANINGS.get(token) or _TIMES[token])
        elif any(char.isalnum() and char != "T" for char in token):
            return None
        else:
            parts.append(token)
    return "".join(parts) if "%" in "".join(parts) else None
