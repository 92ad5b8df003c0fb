"""The `syslog` kind: messages to a syslog daemon, of this host or another one.

The messages are made by `logroute.syslog`; how they travel is the `datagram` kind's
affair, or the `socket` kind's with its resend window. What stands here joins the two:
which one it is, and the framing of a stream (RFC 6587, RFC 5425).

A unix socket may be of either type, and its daemon may come back with the other one;
that is found out whenever it is opened.
"""

import errno
import logging
from collections.abc import Callable, Sequence

from logroute.errors import Retryable
from logroute.light import Annotated, ClassVar, Literal
from logroute.options import Opt
from logroute.sinks import Encoder, Format, NetworkSpec, TlsSpec
from logroute.sinks.bounds import bounded
from logroute.sinks.datagram import DatagramSink
from logroute.sinks.net import ADDRESS_EXPECTS, ADDRESS_PATTERN, parse_address
from logroute.sinks.socket import SocketSink
from logroute.syslog import Composer, SyslogOptions, text_of_record

__all__ = ["SyslogSink", "SyslogSpec"]

#: What receivers should take: RFC 5426 of a datagram, RFC 5425 of a frame.
_MOST_UDP = 2048
_MOST = 8192
_LARGEST_UDP = 65507


class SyslogSpec(SyslogOptions, NetworkSpec):
    """Send records to a syslog daemon (RFC 5424 or RFC 3164)."""

    default_formatter: ClassVar[str] = "rfc5424"
    #: The payloads have no framing yet; what reads them need not take it off.
    frames_late: ClassVar[bool] = True

    address: Annotated[
        str,
        Opt(
            "`host:port`, `[::1]:port` or `unix:/path`.",
            pattern=ADDRESS_PATTERN,
            expects=ADDRESS_EXPECTS,
        ),
    ] = "unix:/dev/log"
    transport: Annotated[
        Literal["udp", "tcp"] | None,
        Opt("Default: udp, tcp where `tls` is given, or what the unix socket is."),
    ] = None
    framing: Annotated[
        Literal["octet", "newline"] | None,
        Opt(
            "How messages of a stream are told apart: RFC 6587 octet counting, or one line each. "
            "Default: octet, newline over a unix socket."
        ),
    ] = None
    rfc: Annotated[
        Literal["rfc5424", "rfc3164"] | None,
        Opt(
            "Form of a message: the present or the old one. "
            "Default: rfc5424; rfc3164 over a unix socket, whose daemons read no other."
        ),
    ] = None
    tls: Annotated[TlsSpec | None, Opt("Encrypt (RFC 5425); `tls: {}` is enough.")] = None
    keepalive: Annotated[bool, Opt("Probe an idle connection, so that its end is seen.")] = True

    @property
    def guarantee(self) -> str:  # type: ignore[override]
        """What a delivered record has survived: that is the transport's affair."""
        is_stream = self._medium == "tcp"
        return "at_least_once, acked_by: peer_kernel" if is_stream else "at_most_once"

    @property
    def _is_unix(self) -> bool:
        return self.address.startswith("unix:")

    @property
    def _medium(self) -> Literal["udp", "tcp"] | None:
        """Datagrams or a stream; None: what the unix socket is."""
        if self.tls is not None:  # never in clear, whatever `transport` says
            return "tcp"
        return self.transport if self.transport or self._is_unix else "udp"

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to messages, without their framing.

        The text of a message is what `format` makes of the record. Without a formatter
        of the handler's own it is the message and its traceback, and a formatter that
        makes whole syslog messages is left to do so.
        """
        made_by = getattr(getattr(format, "__self__", None), "syslog_options", None)
        text: Callable[[logging.LogRecord], str] = text_of_record
        if made_by is None:
            text = bounded(format, self.max_record_bytes)
        elif made_by != type(made_by)():
            whole = bounded(format, self.max_record_bytes)
            return lambda record: whole(record).encode("utf-8", "backslashreplace")
        compose = Composer(
            self.replace(max_message=self._limit()),
            is_old=(self.rfc or ("rfc3164" if self._is_unix else "rfc5424")) == "rfc3164",
            has_host=not self._is_unix,
        )
        return bounded(lambda record: compose(record, text(record)), self.max_record_bytes)

    def _limit(self) -> int:
        is_udp = self._medium == "udp" and not self._is_unix
        usual, most = (_MOST_UDP, _LARGEST_UDP) if is_udp else (_MOST, self.max_record_bytes)
        return min(self.max_message or usual, most, self.max_record_bytes)

    def probe(self) -> str:
        """Look up the name, or connect, encrypted where the file says so."""
        super().probe()
        if self._medium == "udp" and not self._is_unix:
            return "the name is known; UDP gives no answer"
        return f"connected{', encrypted' if self.tls is not None else ''}"

    def sink(self) -> "SyslogSink":
        """Return a sink for the address."""
        return SyslogSink(self, self._medium)


class SyslogSink:
    """Sends messages as datagrams, or as frames of a stream."""

    def __init__(self, spec: SyslogSpec, medium: Literal["udp", "tcp"] | None) -> None:
        """Send as `spec` says; `medium` None: as the unix socket wants it."""
        address = parse_address(spec.address)
        self._datagrams = DatagramSink(address, spec.timeout)
        self._stream = SocketSink(address, spec.timeout, tls=spec.tls, keepalive=spec.keepalive)
        is_line = (spec.framing or ("newline" if address.path else "octet")) == "newline"
        self._frame = _frame_line if is_line else _frame_octets
        self._may_change = medium is None
        self._is_stream = medium == "tcp"

    @property
    def _current(self) -> DatagramSink | SocketSink:
        return self._stream if self._is_stream else self._datagrams

    @property
    def held(self) -> int:
        """How many messages counted as delivered are not known to have arrived."""
        return self._stream.held

    def open(self) -> None:
        """Connect, unless that is done."""
        try:
            self._current.open()
        except Retryable as fault:
            if not (self._may_change and _is_other_type(fault)):
                raise
            self._current.close()
            self._is_stream = not self._is_stream
            self._current.open()

    def send(self, batch: Sequence[bytes]) -> None:
        """Send one datagram, or one frame, per message."""
        if self._is_stream:
            self._stream.send([self._frame(message) for message in batch])
        else:
            self._datagrams.send(batch)

    def flush(self) -> None:
        """Wait, at most `timeout.send`, until the peer's kernel has what is on a stream."""
        if self._is_stream:
            self._stream.flush()

    def close(self) -> None:
        """Close the socket and forget what was not acknowledged; `flush` comes first."""
        self._datagrams.close()
        self._stream.close()


def _frame_line(message: bytes) -> bytes:
    return message.replace(b"\n", b"\\n") + b"\n"


def _frame_octets(message: bytes) -> bytes:
    return b"%d %b" % (len(message), message)


def _is_other_type(fault: Retryable) -> bool:
    """Tell whether a unix socket is there, but of the other type."""
    return getattr(fault.__cause__, "errno", None) == errno.EPROTOTYPE
