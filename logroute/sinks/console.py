"""The `console` kind: lines on standard error or standard output.

The stream is looked up at each batch, since test runners, notebooks and
daemonizers replace it. Real streams are written by descriptor; objects that
only look like one get `write`.
"""

import codecs
import contextlib
import errno
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence

from logroute.errors import Rejected, Retryable
from logroute.light import Annotated, Any, ClassVar, Literal
from logroute.options import Opt
from logroute.sinks import Encoder, Format, SinkSpec, reads_of
from logroute.sinks.descriptor import Identity, Writer, identity_of

__all__ = ["ConsoleSink", "ConsoleSpec"]

# Select Graphic Rendition codes (ECMA-48) from this level on.
_COLORS = ((50, "1;31"), (40, "31"), (30, "33"), (20, ""), (0, "2"))


class ConsoleSpec(SinkSpec):
    """Write lines to standard error or standard output."""

    guarantee: ClassVar[str] = "at_most_once"

    stream: Annotated[
        Literal["stderr", "stdout"], Opt("Which of the two standard streams to write to.")
    ] = "stderr"
    color: Annotated[
        Literal["auto", "always", "never"],
        Opt("Colour lines by level; `auto`: on a terminal, minding NO_COLOR and FORCE_COLOR."),
    ] = "auto"

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to UTF-8 lines, coloured where the stream wants it."""
        is_colored = _color_choice(self.color, self.stream)

        def encode(record: logging.LogRecord) -> bytes:
            text = format(record)
            if is_colored():
                text = _paint(text, record.levelno)
            return f"{text}\n".encode("utf-8", "backslashreplace")

        return encode

    def reads(self, format: Format) -> frozenset[str] | None:
        """Return what the formatter reads."""
        return reads_of(format)

    def sink(self) -> "ConsoleSink":
        """Return a sink for the stream."""
        return ConsoleSink(self.stream)


def _color_choice(color: str, stream: str) -> Callable[[], bool]:
    """Return the question whether to colour; `auto` asks the stream of the moment."""
    environ = os.environ
    if color == "auto" and environ.get("NO_COLOR"):
        color = "never"
    elif color == "auto" and environ.get("FORCE_COLOR"):
        color = "always"
    elif color == "auto" and environ.get("TERM") == "dumb":
        color = "never"
    if color != "auto":
        answer = color == "always"
        return lambda: answer

    def is_terminal() -> bool:
        try:
            return bool(getattr(sys, stream).isatty())
        except (AttributeError, ValueError):  # None, closed, or no real stream
            return False

    return is_terminal


def _paint(text: str, levelno: int) -> str:
    code = next((code for level, code in _COLORS if levelno >= level), "")
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


class ConsoleSink:
    """Writes UTF-8 lines to `sys.stderr` or `sys.stdout`, whatever they are now."""

    def __init__(self, stream: str, patience_s: float = 1.0) -> None:
        """Write to the attribute `stream` of `sys`; wait `patience_s` for a stuck reader."""
        self._name = stream
        self._patience_s = patience_s
        self._writer = Writer(patience_s)
        self._identity: Identity | None = None

    def open(self) -> None:
        """Need nothing; the stream is looked up by `send`."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Write `batch` behind what the stream itself still holds."""
        stream = getattr(sys, self._name)
        if stream is None:
            raise Rejected(f"{self._name} is closed")
        try:
            descriptor = _descriptor_of(stream)
            if descriptor is None:
                self._write_text(stream, batch)
            else:
                self._write_bytes(stream, descriptor, batch)
        except ValueError as fault:  # "I/O operation on closed file"
            raise Rejected(f"{self._name} is closed") from fault
        except BrokenPipeError as fault:
            raise Rejected(self._broken()) from fault

    def _write_text(self, stream: Any, batch: Sequence[bytes]) -> None:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(b"".join(_transcode(batch, encoding)).decode(encoding))
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()

    def _write_bytes(
        self, stream: io.TextIOWrapper, descriptor: int, batch: Sequence[bytes]
    ) -> None:
        identity = identity_of(os.fstat(descriptor))
        if identity != self._identity:
            self._identity, self._writer = identity, Writer(self._patience_s)
        # What was printed before stays before, unless it waits for the same reader.
        with contextlib.suppress(BlockingIOError):
            stream.flush()
        delivered, fault = self._writer.write(descriptor, _transcode(batch, stream.encoding))
        if fault is None:
            return
        text = f"; {delivered} of {len(batch)} records are out"
        if fault.errno in (errno.EPIPE, errno.EBADF):
            raise Rejected(self._broken() + text, delivered=delivered) from fault
        raise Retryable(f"{self._name}: {fault.strerror}{text}", delivered=delivered) from fault

    def _broken(self) -> str:
        return f"nobody reads {self._name} any more (broken pipe)"

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Release nothing: the stream is not ours."""
        self._identity = None


def _descriptor_of(stream: Any) -> int | None:
    """Return the descriptor behind a real stream, None for a look-alike.

    A look-alike may have a `fileno` too (a notebook's leads to its server's
    terminal), but what is meant for people goes through its `write`.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None


def _transcode(batch: Sequence[bytes], encoding: str) -> Sequence[bytes]:
    if codecs.lookup(encoding).name == "utf-8":
        return batch
    return [line.decode("utf-8").encode(encoding, "backslashreplace") for line in batch]
