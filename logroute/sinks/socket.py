"""The `socket` kind: a stream of framed records over TCP, TLS or a unix socket.

A stream is acknowledged by the peer's kernel only. The sink keeps the frames
that were not (`window.py`) and sends those again, before anything else, when a
connection breaks: a torn frame as a whole, on the new connection.

A peer that does not read, but whose kernel answers, keeps its connection: the
rest of a frame goes out when there is room, and nothing is sent twice. One that
takes no byte for a minute is given up.
"""

import contextlib
import logging
import struct
import sys
import time
from collections.abc import Callable, Sequence

from logroute import native
from logroute.errors import Retryable
from logroute.framing import Framing
from logroute.light import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn
from logroute.options import Opt
from logroute.records import STANDARD, message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TimeoutSpec, TlsSpec, reads_of
from logroute.sinks.bounds import bounded, trace_of
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
from logroute.sinks.window import Window, silence_s

if TYPE_CHECKING:
    import socket

__all__ = ["SocketSink", "SocketSpec"]

_PREFIX = struct.Struct(">L")
_PIECE = 1 << 16
# One TLS record: what is begun of one can only be ended with the same bytes.
_TLS_PIECE = 1 << 14
# A peer that takes nothing so long may never do; a new connection may find another.
_STALL_LIMIT_S = 60.0


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
            return bounded(_encode_pickle, self.max_record_bytes)
        frame = {"newline": _frame_line, "length": _frame_length, "octet": _frame_octets}
        pack = frame[self.framing]
        short = bounded(format, self.max_record_bytes)
        return lambda record: pack(short(record).encode("utf-8", "backslashreplace"))

    def frame(self) -> Framing | None:
        """Return that of lines."""
        return Framing(most=self.max_record_bytes) if self.framing == "newline" else None

    def reads(self, format: Format) -> frozenset[str] | None:
        """Return what the formatter reads."""
        return None if self.framing == "pickle" else reads_of(format)

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
    fields["exc_text"] = trace_of(record) or None
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

    #: In a stream nobody sees where a batch ends.
    joins_batches = True

    def __init__(
        self,
        address: Address,
        timeout: TimeoutSpec | None = None,
        *,
        tls: TlsSpec | None = None,
        keepalive: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send to `address`, encrypted if `tls` says how."""
        self._address = address
        self._timeout = timeout or TimeoutSpec()
        self._tls = tls
        self._keepalive = keepalive
        self._clock = clock
        self._sock: socket.socket | None = None
        self._window = Window()
        self._stalled_at: float | None = None
        #: The socket never waits by itself: each change of that costs a call of the system,
        #: after which threads that compute keep this one from the interpreter.
        self._is_nonblocking = False

    @property
    def held(self) -> int:
        """How many frames counted as delivered are not known to have arrived."""
        return self._window.count(self._sock)

    def open(self) -> None:
        """Connect, unless the connection is still there."""
        if self._sock is not None:
            self._window.settle(self._sock)  # first: reading the end of TLS writes an alert
            if not self._is_closed() and not self._is_half_open():
                return
            self._break()
        deadline = Deadline(self._timeout.connect)
        try:
            sock = connect(self._address, deadline)
            try:
                self._tune(sock)
            except BaseException:
                sock.close()
                raise
            if self._tls is not None:
                sock = self._encrypt(sock, self._tls, deadline)
            self._is_nonblocking = self._tls is None and sys.platform != "win32"
            if self._is_nonblocking:
                sock.settimeout(0)
        except OSError as fault:
            raise Retryable(f"cannot reach {self._address}: {reason(fault)}") from fault
        self._sock = sock

    def send(self, batch: Sequence[bytes]) -> None:
        """Write `batch` behind what an earlier connection may have lost."""
        if self._sock is None:
            self.open()
        window = self._window
        frames = [*window.again, *batch]
        data = window.rest + b"".join(frames)
        written, fault = self._write(data)
        if fault is None:
            window.took(frames)
            window.again = []  # last: another thread that asks for `held` rather finds too many
            window.settle(self._sock)
            return
        if self._is_stalled(fault):
            self._keep_stalled(frames, data, written, len(batch))
        # The worker sends the rest of its batch again; older frames are ours to send.
        window.rest = data[written:]
        window.flying.extend(frames)
        window.again = []
        missing = min(self._break(), len(batch))
        del window.again[len(window.again) - missing :]
        text = f"{self._address}: {reason(fault)}"
        raise Retryable(text, delivered=len(batch) - missing) from fault

    def _is_stalled(self, fault: OSError) -> bool:
        """Tell whether only the peer's program is slow, and not for too long."""
        assert self._sock is not None
        late = isinstance(fault, TimeoutError) and fault.errno is None  # ours, not the kernel's
        if not late or silence_s(self._sock) >= self._timeout.send:
            return False
        if self._stalled_at is None:
            self._stalled_at = self._clock()
        return self._clock() - self._stalled_at < _STALL_LIMIT_S

    def _is_half_open(self) -> bool:
        """Tell whether the peer has vanished without a word."""
        assert self._sock is not None
        unanswered = self._window.flying and sys.platform == "linux"
        return bool(unanswered) and silence_s(self._sock) >= self._timeout.send

    def _keep_stalled(
        self, frames: Sequence[bytes], data: bytes, written: int, batch: int
    ) -> NoReturn:
        window = self._window
        older = len(frames) - batch
        grip = _TLS_PIECE if self._tls is not None else 0
        begun = window.took_part(frames, data, written, grip)
        window.again = list(frames[begun:older])
        text = f"{self._address} accepts connections, but reads nothing or too slowly"
        raise Retryable(text, delivered=max(0, begun - older))

    def flush(self) -> None:
        """Wait, at most `timeout.send`, until the peer's kernel has everything.

        Raises:
            Retryable: it has not; what is missing stays with the sink.
        """
        deadline = Deadline(self._timeout.send)
        try:
            for _ in range(2):  # a connection that breaks meanwhile is replaced once
                if not self.held:
                    return
                self.open()
                self.send(())
                self._await_settled(deadline)
        except TimeoutError as fault:
            raise Retryable(f"{self._count_held()}: {reason(fault)}") from fault
        if self.held:
            raise Retryable(f"{self._count_held()}: the connection broke")

    def _count_held(self) -> str:
        return f"{self._address} has not acknowledged {self.held} records"

    def _await_settled(self, deadline: Deadline) -> None:
        while self._sock is not None and self.held:
            # Errors end the wait at once; acknowledgements do not, so it is short.
            poll = native.poll()
            poll.register(self._sock, 0)
            poll.poll(min(deadline.left(), 0.005) * 1000)
            self._window.settle(self._sock)
            if self._window.flying and self._is_closed():
                self._break()

    def close(self) -> None:
        """Close the socket and forget what was not acknowledged; `flush` comes first."""
        self._window.forget()
        self._disconnect()

    def _disconnect(self) -> None:
        sock, self._sock = self._sock, None
        self._stalled_at = None
        if sock is not None:
            sock.close()

    def _break(self) -> int:
        """Drop the connection, keep what it may have lost; return how many frames."""
        count = self._window.lose(self._sock)
        if count and self._sock is not None:
            _abort(self._sock)
        self._disconnect()
        return count

    def _write(self, data: bytes) -> tuple[int, OSError | None]:
        """Write `data` within one deadline; return how much is written, and what stopped it."""
        sock, view = self._sock, memoryview(data)
        assert sock is not None
        deadline = Deadline(self._timeout.send)
        try:
            while view:
                if self._is_nonblocking:
                    view = view[_send_some(sock, view, deadline) :]
                else:
                    sock.settimeout(deadline.left())
                    view = view[sock.send(view[:_TLS_PIECE]) :]
                self._stalled_at = None
        except OSError as fault:
            return len(data) - len(view), fault
        return len(data), None

    def _is_closed(self) -> bool:
        """Tell whether the peer has ended the idle connection.

        What a peer says is read and dropped: it would hide the end behind it.
        """
        import ssl

        assert self._sock is not None
        if not self._is_nonblocking:
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


def _send_some(sock: "socket.socket", data: memoryview, deadline: Deadline) -> int:
    """Send what there is room for, wait for some before `deadline`; return the bytes sent.

    Raises:
        OSError: the connection broke, or the time is up.
    """
    while True:
        try:
            return sock.send(data)
        except BlockingIOError:
            left_s = deadline.left()
        import select

        poll = native.poll()
        poll.register(sock, select.POLLOUT)
        poll.poll(left_s * 1000)


def _abort(sock: "socket.socket") -> None:
    """Have `sock` closed without what it still holds: that goes out on the next connection."""
    import socket

    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
