"""The `text` formatter: a record as one line of the user's own layout.

Owns the layout, the time of day and the rule that nothing in a record can look
like another record. Runs in whichever thread formats; one formatter may serve
several threads.

With `newlines: keep` the output is that of `logging.Formatter` for the same
arguments, byte for byte. Unlike it, nothing is written onto the record.
"""

import logging
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping

from logroute.formatters import FormatterSpec, completed
from logroute.formatters.layout import Layout
from logroute.framing import Framing, Straight
from logroute.light import Annotated, Any, Literal
from logroute.options import EMPTY, Opt
from logroute.records import message_of

__all__ = ["DEFAULT_FORMATS", "StdlibFormatter", "TextFormatter", "TextSpec", "escape"]

#: The layout where the file gives none, in each style.
DEFAULT_FORMATS: Mapping[str, str] = {
    "%": "%(asctime)s %(levelname)-8s %(name)s: %(message)s",
    "{": "{asctime} {levelname:<8} {name}: {message}",
    "$": "${asctime} ${levelname} ${name}: ${message}",
}

Newlines = Literal["escape", "indent", "keep"]

INDENT = "    "

# C0 but tab, DEL, C1, line and paragraph separators, bidirectional marks and
# controls: what ends a line, moves a terminal's cursor or reorders what is read.
_CONTROLS = [*range(9), *range(10, 32), *range(0x7F, 0xA0), 0x2028, 0x2029]
_CONTROLS += [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: ascii(chr(code))[1:-1] for code in _CONTROLS}
_ESCAPES_BUT_NEWLINE = {code: text for code, text in _ESCAPES.items() if code != 10}

# The lines between two tracebacks of a chain, as `traceback` prints them.
_CHAIN_LINES = frozenset(
    {
        "\nThe above exception was the direct cause of the following exception:\n\n",
        "\nDuring handling of the above exception, another exception occurred:\n\n",
    }
)
_HEAD_LINE = "Traceback (most recent call last):\n"
_UNINDENTED = re.compile(r"\n(?=\S)")


class TextSpec(FormatterSpec):
    """Format a record as one line of text, with the traceback below it."""

    format: Annotated[
        str | None,
        Opt(
            "Layout of a line, in `style`. "
            "Default: `%(asctime)s %(levelname)-8s %(name)s: %(message)s`."
        ),
    ] = None
    style: Annotated[
        Literal["%", "{", "$"], Opt("How `format` is written: `%(name)s`, `{name}` or `${name}`.")
    ] = "%"
    datefmt: Annotated[
        str | None, Opt("Layout of `asctime` for `time.strftime`; none: `2003-07-08 16:49:45,896`.")
    ] = None
    defaults: Annotated[
        Mapping[str, object], Opt("Values of the fields that a record does not have.")
    ] = EMPTY
    newlines: Annotated[
        Newlines,
        Opt(
            "`escape`: a message is one line, control characters escaped; `indent`: further "
            "lines are indented; `keep`: as the standard library, unsafe with foreign text."
        ),
    ] = "escape"
    validate: Annotated[bool, Opt("Check `format` when the file is loaded.")] = True

    def formatter(self) -> logging.Formatter:
        """Return the live formatter.

        Raises:
            ValueError: `format` does not fit `style`.
        """
        return TextFormatter(
            self.format,
            self.datefmt,
            self.style,
            self.validate,
            defaults=self.defaults,
            newlines=self.newlines,
        )


def escape(text: str) -> str:
    r"""Return `text` on one line, its control characters written as `\n`, `\x1b`."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def _indent(text: str) -> str:
    lines = text.replace("\r\n", "\n").translate(_ESCAPES_BUT_NEWLINE)
    return lines.replace("\n", "\n" + INDENT)


def _same(text: str) -> str:
    return text


#: By `newlines`: what cleans a field, and what cleans the message.
_CLEANERS: Mapping[Newlines, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "escape": (escape, escape),
    "indent": (escape, _indent),
    "keep": (_same, _same),
}


def _guard(chunks: Iterable[str]) -> Iterator[str]:
    """Indent the lines of a traceback that an exception's own text put at the margin.

    `chunks` are those of `traceback.format_exception`: the text of an exception,
    and each line of its notes, is a chunk, so that foreign lines can be told from
    the traceback's own.
    """
    in_text = False
    for chunk in chunks:
        if chunk in _CHAIN_LINES:
            in_text = False
            yield chunk
            continue
        at_margin = not chunk[:1].isspace()
        first = INDENT if in_text and at_margin else ""
        in_text = in_text or (at_margin and chunk != _HEAD_LINE)
        yield first + _UNINDENTED.sub("\n" + INDENT, chunk)


def _guard_text(text: str) -> str:
    """Indent what may be foreign in a traceback that is only there as text.

    Where the texts of exceptions begin and end cannot be told any more, so the
    margin is for the traceback's own sentences and the first exception.
    """
    lines = []
    has_exception = False
    for line in text.split("\n"):
        is_own = line[:1].isspace() or not line or line in _OWN_LINES
        if not is_own and not has_exception:
            is_own = has_exception = True
        lines.append(line if is_own else INDENT + line)
    return "\n".join(lines)


_OWN_LINES = frozenset(line.strip("\n") for line in (*_CHAIN_LINES, _HEAD_LINE))


def _to_text(value: object) -> str:
    """Return what stands in the place of a text, of records made by hand."""
    try:
        return value if type(value) is str else str.__str__(str(value))
    except Exception:
        return f"<unprintable {type(value).__name__}>"


class TextFormatter(logging.Formatter):
    """Formats as `logging.Formatter` does, faster and without touching the record.

    A record that the layout cannot show (a missing field, a `__str__` that
    raises) becomes ``<unformattable: KeyError 'tenant'>`` and its message.

    Attributes:
        reads: the attributes of a record that it reads; of a subclass None, perhaps all.
    """

    _checks_width = True

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, object] = EMPTY,
        newlines: Newlines = "escape",
    ) -> None:
        """Compile the layout; the arguments are those of `logging.Formatter`.

        Raises:
            ValueError: `fmt` does not fit `style`.
        """
        fmt = fmt or DEFAULT_FORMATS.get(style)
        super().__init__(fmt, datefmt, style, validate, defaults=dict(defaults))
        assert fmt is not None  # an unknown style has raised by now
        self.newlines = newlines
        self._keep = newlines == "keep"
        self._defaults = dict(defaults)
        self._layout = Layout(fmt, style)
        if validate and self._checks_width:
            self._layout.check()
        self._uses_time = self.usesTime()
        self.reads: frozenset[str] | None = None
        if type(self) is TextFormatter and self._layout.names:
            self.reads = frozenset(self._layout.names)
        self._clock: tuple[float, str] = (float("nan"), "")
        #: The same, its text cleaned as the layout wants it.
        self.stamp = self._clock
        self._clean, self._clean_message = _CLEANERS[newlines]
        self._write: Callable[[logging.LogRecord], str] = self._begin

    def _begin(self, record: logging.LogRecord) -> str:
        """Format the first record; the layout is compiled for those to come."""
        try:
            self._write = self._compiled()
        except Exception:  # amid the import, in a signal's handler, or as the interpreter ends
            return self._general(record)
        return self._write(record)

    def _compiled(self) -> Callable[[logging.LogRecord], str]:
        """Return the function that formats the common case, and leaves others to `_general`."""
        from logroute.formatters.textlines import line_writer

        names, has_millis = self._names(), self._has_millis
        writer = line_writer(self._layout, self._defaults, names, has_millis=has_millis)
        return writer or self._general

    def straight(self, framing: Framing) -> Straight | None:
        """Return a way from what the express lane keeps to a payload; see `compiled.straight`."""
        if self.reads is None or framing.is_json:
            return None
        from logroute.formatters.textlines import straight_writer

        return straight_writer(self._layout, self._names(), framing, has_millis=self._has_millis)

    @property
    def _has_millis(self) -> bool:
        return not self.datefmt and self.default_msec_format == "%s,%03d"

    def _names(self) -> Mapping[str, Any]:
        return {
            "owner": self,
            "new_stamp": self._new_stamp,
            "asctime": self._asctime,
            "add_traces": self._add_traces,
            "general": self._general,
            "clean": None if self._keep else self._clean,
            "clean_message": self._clean_message,
        }

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text; never raises and never changes it."""
        return self._write(record)

    def _general(self, record: logging.LogRecord) -> str:
        try:
            return self._format(record)
        except AttributeError:
            return self._format(completed(record))

    def _format(self, record: logging.LogRecord) -> str:
        message = message_of(record)
        try:
            values = {**self._defaults, **record.__dict__, "message": message}
            for name in self._layout.names:
                if name != "asctime":
                    values[name]  # before any other fault, a field that is missing is told
            if self._uses_time:
                values["asctime"] = self._asctime(record)
            text = self._layout.join(values, self._clean, self._clean_message)
        except Exception as fault:
            text = self._unformattable(fault, message)
        if record.exc_info or record.exc_text or record.stack_info:
            text = self._add_traces(record, text)
        return text

    def _second(self, record: logging.LogRecord) -> str:
        """Return `asctime` without milliseconds, computed once per second."""
        second, text = self._clock
        created = record.created // 1
        if created != second:
            layout = self.datefmt or self.default_time_format
            text = time.strftime(layout, self.converter(record.created))
            self._clock = (created, text)
        return text

    def _new_stamp(self, record: logging.LogRecord) -> str:
        text = self._clean(self._second(record))
        self.stamp = (record.created // 1, text)
        return text

    def _asctime(self, record: logging.LogRecord) -> str:
        text = self._second(record)
        if self.datefmt or not self.default_msec_format:
            return text
        return self.default_msec_format % (text, record.msecs)

    def _unformattable(self, fault: Exception, message: str) -> str:
        try:
            reason = f"{type(fault).__name__} {fault}"[:200]
        except Exception:
            reason = type(fault).__name__
        return self._clean_message(f"<unformattable: {reason}> {message}")

    def _add_traces(self, record: logging.LogRecord, text: str) -> str:
        parts = []
        if record.exc_text:
            trace = _to_text(record.exc_text)
            parts.append(trace if self._keep else _guard_text(trace))
        elif record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            stack = self.formatStack(_to_text(record.stack_info))
            parts.append(stack if self._keep else _guard_text(stack))
        for part in parts:
            if text[-1:] != "\n":
                text += "\n"
            text += part if self._keep else self._safe_lines(part)
        return text

    def _safe_lines(self, text: str) -> str:
        if self.newlines == "indent":
            return INDENT + _indent(text)
        return text.translate(_ESCAPES_BUT_NEWLINE)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - stdlib's name
        """Return the traceback; foreign lines in it cannot pass as records."""
        try:
            if self._keep:
                return super().formatException(ei)
            chunks = traceback.format_exception(ei[0], ei[1], ei[2])
            return "".join(_guard(chunks)).rstrip("\n")
        except Exception as fault:
            return f"<unprintable traceback: {type(fault).__name__}>"


class StdlibFormatter(TextFormatter):
    """`logging.Formatter` itself, but for its common case, which is compiled.

    Tracebacks, faults and what they leave on the record are stdlib's.
    """

    _checks_width = False
    formatException = logging.Formatter.formatException  # noqa: N815 - stdlib's name

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, object] | None = None,
    ) -> None:
        """Compile the layout; the arguments are those of `logging.Formatter`.

        Raises:
            ValueError: `fmt` does not fit `style`, or `style` is none.
            TypeError: an argument is of the wrong type.
        """
        stock = logging.Formatter(fmt, datefmt, style, validate, defaults=defaults)
        fmt = stock._style._fmt
        super().__init__(fmt, datefmt, style, False, defaults=defaults or {}, newlines="keep")
        self._style = stock._style
        if type(self) is StdlibFormatter and self._layout.names:
            self.reads = frozenset(self._layout.names)
        if "message" not in self._layout.names:  # which may raise, shown or not
            self._write = self._general

    def _general(self, record: logging.LogRecord) -> str:
        return logging.Formatter.format(self, record)

    def _add_traces(self, record: logging.LogRecord, text: str) -> str:  # noqa: ARG002
        return self._general(record)
