"""The `socket` kind: a stream of framed records over TCP, TLS or a unix socket.

A stream is acknowledged by the peer's kernel only. Linux tells how many of the
bytes written still wait for that (SIOCOUTQ), so the sink keeps the frames that
hold them and sends those again, before anything else, when a connection breaks.
A frame that went out in part is always sent again as a whole, on a new
connection.
"""

import collections
import logging
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from logroute.errors import Retryable
from logroute.options import Opt
from logroute.records import STANDARD, exception_text, message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TimeoutSpec, TlsSpec
from logroute.sinks.net import (
    ADDRESS_EXPECTS,
    ADDRESS_PATTERN,
    Address,
    Deadline,
    connect,
    parse_address,
    reason,
    tls_context,
    wrap_tls,
)

if TYPE_CHECKING:
    import socket

__all__ = ["SocketSink", "SocketSpec"]

_PREFIX = struct.Struct(">L")
_PIECE = 1 << 16


class SocketSpec(NetworkSpec):
    """Send records over a TCP, TLS or unix stream."""

    guarantee: ClassVar[str] = "at_least_once, acked_by: peer_kernel"

    address: Annotated[
        str,
        Opt(
            "`host:port`, `[::1]:port` or `unix:/path`.",
            pattern=ADDRESS_PATTERN,
            expects=ADDRESS_EXPECTS,
        ),
    ]
    framing: Annotated[
        Literal["newline", "length", "octet", "pickle"],
        Opt(
            "How records are told apart. `newline`: one line each; `length`: 4 bytes, big-endian, "
            "before each; `octet`: RFC 6587 octet counting; `pickle`: as stdlib's SocketHandler."
        ),
    ] = "newline"
    tls: Annotated[TlsSpec | None, Opt("Encrypt; `tls: {}` is enough.")] = None
    keepalive: Annotated[bool, Opt("Probe an idle connection, so that its end is seen.")] = True

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to whole frames."""
        if self.framing == "pickle":
            return _encode_pickle
        frame = {"newline": _frame_line, "length": _frame_length, "octet": _frame_octets}
        pack = frame[self.framing]
        return lambda record: pack(format(record).encode("utf-8", "backslashreplace"))

    def probe(self) -> str:
        """Connect, encrypted where the file says so."""
        return f"{super().probe()}{', encrypted' if self.tls is not None else ''}"

    def sink(self) -> "SocketSink":
        """Return a sink for the address."""
        return SocketSink(
            parse_address(self.address), self.timeout, tls=self.tls, keepalive=self.keepalive
        )


def _frame_line(data: bytes) -> bytes:
    return data.replace(b"\n", b"\\n") + b"\n"


def _frame_length(data: bytes) -> bytes:
    return _PREFIX.pack(len(data)) + data


def _frame_octets(data: bytes) -> bytes:
    return b"%d %b" % (len(data), data)


def _encode_pickle(record: logging.LogRecord) -> bytes:
    """Return the frame that `logging.handlers.SocketHandler.makePickle` makes."""
    import pickle

    fields = dict(record.__dict__)
    fields |= {"msg": message_of(record), "args": None, "exc_info": None}
    fields["exc_text"] = exception_text(record)
    fields.pop("message", None)
    try:
        data = pickle.dumps(fields, 1)
    except Exception:  # an `extra` of any class; receivers could not load it either
        data = pickle.dumps({name: _to_picklable(name, item) for name, item in fields.items()}, 1)
    return _frame_length(data)


def _to_picklable(name: str, value: Any) -> Any:
    import pickle

    try:
        pickle.dumps(value, 1)
    except Exception:
        if name in STANDARD:
            return str(type(value))
        try:
            return repr(value)
        except Exception as fault:
            return f"<{type(value).__name__}: {type(fault).__name__}>"
    return value


class SocketSink:
    """Keeps one connection, and what its peer has not acknowledged."""

    def __init__(
        self,
        address: Address,
        timeout: TimeoutSpec | None = None,
        *,
        tls: TlsSpec | None = None,
        keepalive: bool = True,
    ) -> None:
        """Send to `address`, encrypted if `tls` says how."""
        self._address = address
        self._timeout = timeout or TimeoutSpec()
        self._tls = tls
        self._keepalive = keepalive
        self._sock: socket.socket | None = None
        # Frames written, not yet known to have arrived.
        self._unacked: collections.deque[bytes] = collections.deque()
        # Frames that a broken connection left without acknowledgement.
        self._again: list[bytes] = []

    def open(self) -> None:
        """Connect, unless the connection is still there."""
        if self._sock is not None:
            self._settle()  # first: reading the end of TLS writes an alert
            if not self._is_closed():
                return
            self._break()
        deadline = Deadline(self._timeout.connect)
        try:
            sock = connect(self._address, deadline)
            self._tune(sock)
            if self._tls is not None:
                sock = self._encrypt(sock, self._tls, deadline)
        except OSError as fault:
            raise Retryable(f"cannot reach {self._address}: {reason(fault)}") from fault
        self._sock = sock

    def send(self, batch: Sequence[bytes]) -> None:
        """Write `batch` behind what an earlier connection may have lost."""
        if self._sock is None:
            self.open()
        frames = [*self._again, *batch]
        unwritten, fault = self._write(b"".join(frames))
        self._unacked.extend(frames)
        self._again = []
        if fault is None:
            self._settle()
            return
        # The worker sends the rest of its batch again; older frames are ours to send.
        missing = min(self._break(unwritten), len(batch))
        del self._again[len(self._again) - missing :]
        text = f"{self._address}: {reason(fault)}"
        raise Retryable(text, delivered=len(batch) - missing) from fault

    def flush(self) -> None:
        """Wait, at most `timeout.send`, until the peer's kernel has everything.

        Raises:
            Retryable: it has not; what is missing stays with the sink.
        """
        deadline = Deadline(self._timeout.send)
        try:
            for _ in range(2):  # a connection that breaks meanwhile is replaced once
                if not self._again and not self._unacked:
                    return
                self.open()
                self.send(())
                self._await_settled(deadline)
        except TimeoutError as fault:
            raise Retryable(f"{self._count_held()}: {reason(fault)}") from fault
        if self._again or self._unacked:
            raise Retryable(f"{self._count_held()}: the connection broke")

    def _count_held(self) -> str:
        count = len(self._unacked) + len(self._again)
        return f"{self._address} has not acknowledged {count} records"

    def _await_settled(self, deadline: Deadline) -> None:
        import select

        while self._unacked and self._sock is not None:
            # Errors end the wait at once; acknowledgements do not, so it is short.
            poll = select.poll()
            poll.register(self._sock, 0)
            poll.poll(min(deadline.left(), 0.005) * 1000)
            self._settle()
            if self._unacked and self._is_closed():
                self._break()

    def close(self) -> None:
        """Close the socket and forget what was not acknowledged; `flush` comes first."""
        sock, self._sock = self._sock, None
        self._unacked.clear()
        self._again = []
        if sock is not None:
            sock.close()

    def _write(self, data: bytes) -> tuple[int, OSError | None]:
        """Write `data` within one deadline; return how much is left, and why."""
        sock, view = self._sock, memoryview(data)
        assert sock is not None
        deadline = Deadline(self._timeout.send)
        try:
            while view:
                sock.settimeout(deadline.left())
                view = view[sock.send(view[:_PIECE]) :]
        except OSError as fault:
            return len(view), fault
        return 0, None

    def _settle(self) -> None:
        """Forget the frames that the peer's kernel has."""
        for _ in range(len(self._unacked) - self._count_missing(0)):
            self._unacked.popleft()

    def _count_missing(self, unwritten: int) -> int:
        """Return how many of the last frames hold bytes that are not acknowledged.

        TLS makes more bytes of a frame, never fewer, so the count errs towards
        sending a frame twice.
        """
        missing = unwritten + _unacknowledged(self._sock)
        count = total = 0
        for frame in reversed(self._unacked):
            if total >= missing:
                break
            total += len(frame)
            count += 1
        return count

    def _break(self, unwritten: int = 0) -> int:
        """Drop the connection, keep what it may have lost; return how many frames."""
        count = self._count_missing(unwritten)
        lost = list(self._unacked)[len(self._unacked) - count :]
        again = [*lost, *self._again]
        self.close()
        self._again = again
        return count

    def _is_closed(self) -> bool:
        """Tell whether the peer has ended the idle connection.

        What a peer says is read and dropped: it would hide the end behind it.
        """
        import ssl

        assert self._sock is not None
        self._sock.settimeout(0)
        try:
            for _ in range(16):
                if not self._sock.recv(_PIECE):
                    return True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        return False

    def _tune(self, sock: "socket.socket") -> None:
        """Send at once, and notice a peer that has vanished."""
        import socket

        if self._address.path is not None:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            limit_ms = max(1, int(self._timeout.send * 1000))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)
        if self._keepalive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def _encrypt(self, sock: "socket.socket", tls: TlsSpec, deadline: Deadline) -> "socket.socket":
        name = tls.server_name or self._address.host
        try:
            context = tls_context(tls)
        except BaseException:
            sock.close()
            raise
        return wrap_tls(sock, context, name, deadline)


def _unacknowledged(sock: "socket.socket | None") -> int:
    """Return the bytes written to `sock` that its peer's kernel has not confirmed.

    Linux goes on telling after the connection broke (SIOCOUTQ, tcp(7), unix(7)).
    """
    import sys

    if sock is None or sys.platform != "linux":
        return 0
    import fcntl
    import termios

    answer = bytearray(4)
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, answer)
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
