"""The `datagram` kind: one record, one UDP or unix datagram.

A connected, non-blocking socket: the kernel then says when a datagram found
nobody, and that is counted. Nothing is acknowledged, so nothing is sent twice,
and what a reader has no room for is lost without a word.
"""

import errno
import logging
import time
from collections.abc import Sequence

from logroute import native
from logroute.errors import Rejected, Retryable
from logroute.light import TYPE_CHECKING, Annotated, ClassVar, NoReturn
from logroute.options import Opt
from logroute.sinks import Encoder, Format, NetworkSpec, TimeoutSpec, reads_of
from logroute.sinks.bounds import bounded
from logroute.sinks.net import (
    ADDRESS_EXPECTS,
    ADDRESS_PATTERN,
    Address,
    Deadline,
    look_up,
    parse_address,
    reason,
)

if TYPE_CHECKING:
    import socket

__all__ = ["DatagramSink", "DatagramSpec"]

_MARK = b"..."
# What every network takes: the smallest `max_datagram`.
_LEAST = 64
# Nobody tells a UDP sender that a name moved, so it is looked up again.
_RESOLVE_EVERY_S = 300.0


class DatagramSpec(NetworkSpec):
    """Send each record as one datagram, over UDP or a unix socket."""

    guarantee: ClassVar[str] = "at_most_once"

    address: Annotated[
        str,
        Opt(
            "`host:port`, `[::1]:port` or `unix:/path`.",
            pattern=ADDRESS_PATTERN,
            expects=ADDRESS_EXPECTS,
        ),
    ]
    max_datagram: Annotated[
        int,
        Opt("Most bytes of a datagram; longer records are cut.", minimum=64, maximum=65507),
    ] = 8192

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to UTF-8, cut to one datagram."""
        limit = self.max_datagram
        whole = bounded(format, self.max_record_bytes)
        short = bounded(format, limit)

        def encode(record: logging.LogRecord) -> bytes:
            data = whole(record).encode("utf-8", "backslashreplace")
            if len(data) > limit and data[:1] == b"{":  # cut JSON is no JSON: cut its fields
                data = short(record).encode("utf-8", "backslashreplace")
            return _cut(data, limit)

        return encode

    def reads(self, format: Format) -> frozenset[str] | None:
        """Return what the formatter reads."""
        return reads_of(format)

    def probe(self) -> str:
        """Look up the name, or connect to the unix socket; UDP itself never answers."""
        super().probe()
        is_unix = self.address.startswith("unix:")
        return "connected" if is_unix else "the name is known; UDP gives no answer"

    def sink(self) -> "DatagramSink":
        """Return a sink for the address."""
        return DatagramSink(parse_address(self.address), self.timeout)


def _cut(data: bytes, limit: int) -> bytes:
    """Return `data`, or its head up to a whole character and a mark."""
    if len(data) <= limit:
        return data
    end = limit - len(_MARK)
    while data[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    return data[:end] + _MARK


class DatagramSink:
    """Sends datagrams to one address.

    Attributes:
        refused: how often the kernel said that a datagram found nobody. Over
            UDP it says so of one that is gone already.
    """

    def __init__(self, address: Address, timeout: TimeoutSpec | None = None) -> None:
        """Send to `address`; wait at most `timeout.send` for a full buffer."""
        self._address = address
        self._timeout = timeout or TimeoutSpec()
        self._sock: socket.socket | None = None
        self._opened_at = 0.0
        self.refused = 0

    def open(self) -> None:
        """Connect, which for UDP looks up the name and remembers the peer."""
        old = time.monotonic() - self._opened_at > _RESOLVE_EVERY_S
        if self._sock is not None and old:
            self.close()
        if self._sock is None:
            try:
                self._sock = self._connect()
            except OSError as fault:
                raise Retryable(f"cannot reach {self._address}: {reason(fault)}") from fault
            self._opened_at = time.monotonic()

    def send(self, batch: Sequence[bytes]) -> None:
        """Send one datagram per payload.

        Raises:
            Rejected: some found nobody, as far as the kernel says; the others are out.
            Retryable: the address cannot be reached, or a buffer stays full.
        """
        deadline = Deadline(self._timeout.send)
        lost: set[int] = set()
        before = self.refused
        for index, payload in enumerate(batch):
            try:
                if self._send_one(payload, deadline):
                    # Said of the one before; of the batch before, if this is the first.
                    lost.add(index - 1 if index else len(batch) - 1)
            except (OSError, Retryable) as fault:  # Retryable: it could not be opened anew
                self._fail(fault, index, len(batch), lost)
        if batch and self._is_last_refused():
            lost.add(len(batch) - 1)
        if lost:
            text = f"{self._address}: nobody listens ({self.refused - before} refused)"
            raise Rejected(text, which=lost)

    def _fail(self, fault: OSError | Retryable, index: int, count: int, lost: set[int]) -> NoReturn:
        self.close()
        text = f"{self._address}: {reason(fault)}" if isinstance(fault, OSError) else str(fault)
        lost = {item for item in lost if item < index}
        if lost:
            raise Rejected(text, which=lost, again=range(index, count)) from fault
        raise Retryable(text, delivered=index) from fault

    def _send_one(self, payload: bytes, deadline: Deadline) -> bool:
        """Send `payload`; return whether the kernel said that an earlier one found nobody."""
        try:
            self._put(payload, deadline)
        except (ConnectionRefusedError, ConnectionResetError):
            self.refused += 1
            is_udp = self._address.path is None
            if not is_udp:  # the daemon restarted: its socket is another one
                self.close()
                self.open()
            self._put(payload, deadline)
            return is_udp
        return False

    def _is_last_refused(self) -> bool:
        """Tell whether the last datagram is known to have found nobody; near peers say at once."""
        import socket

        if self._sock is None or self._address.path is not None:
            return False
        is_refused = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        self.refused += is_refused
        return is_refused

    def _put(self, payload: bytes, deadline: Deadline) -> None:
        import select

        if self._sock is None:
            self.open()
        sock = self._sock
        assert sock is not None
        while True:
            try:
                sock.send(payload)
                return
            except OSError as fault:
                if fault.errno == errno.EMSGSIZE and len(payload) > _LEAST:
                    # Less than `max_datagram` here: a jumbo frame, or a small buffer.
                    payload = _cut(payload, max(len(payload) // 2, _LEAST))
                    continue
                if not isinstance(fault, BlockingIOError):
                    raise
                poll = native.poll()
                poll.register(sock, select.POLLOUT)
                poll.poll(deadline.left() * 1000)

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Close the socket."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _connect(self) -> "socket.socket":
        import socket

        if self._address.path is not None:
            targets: list[tuple[int, object]] = [(socket.AF_UNIX, self._address.path)]
        else:
            found = look_up(self._address, socket.SOCK_DGRAM)
            targets = [(item[0], item[4]) for item in found]
        fault = OSError(f"no address for {self._address.host}")
        for family, target in targets:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.settimeout(0)
                sock.connect(target)  # type: ignore[arg-type]
            except OSError as refused:
                sock.close()
                fault = refused
            else:
                return sock
        raise fault
