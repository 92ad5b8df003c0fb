"""The `datagram` kind: one record, one UDP or unix datagram.

A connected, non-blocking socket: the kernel then says when a datagram found
nobody. Nothing is acknowledged, so nothing is sent twice.
"""

import errno
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from logroute.errors import Rejected, Retryable
from logroute.options import Opt
from logroute.sinks import Encoder, Format, NetworkSpec, TimeoutSpec
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

        def encode(record: logging.LogRecord) -> bytes:
            return _cut(format(record).encode("utf-8", "backslashreplace"), limit)

        return encode

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
            UDP that comes with the next one, which is then sent again.
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
        """Send one datagram per payload."""
        deadline = Deadline(self._timeout.send)
        for index, payload in enumerate(batch):
            try:
                self._send_one(payload, deadline)
            except OSError as fault:
                self._fail(fault, index, len(payload))

    def _fail(self, fault: OSError, delivered: int, size: int) -> None:
        if fault.errno == errno.EMSGSIZE:
            text = f"{self._address} takes no datagram of {size} bytes; lower `max_datagram`"
            raise Rejected(text, delivered=delivered, rejected=1) from fault
        self.close()
        raise Retryable(f"{self._address}: {reason(fault)}", delivered=delivered) from fault

    def _send_one(self, payload: bytes, deadline: Deadline) -> None:
        try:
            self._put(payload, deadline)
        except (ConnectionRefusedError, ConnectionResetError):
            self.refused += 1
            if self._address.path is None:
                self._put_again(payload, deadline)
                return
            self.close()  # the daemon restarted: its socket is another one
            self.open()
            self._put(payload, deadline)

    def _put_again(self, payload: bytes, deadline: Deadline) -> None:
        try:
            self._put(payload, deadline)
        except ConnectionRefusedError:
            self.refused += 1  # nobody listens; UDP is allowed to lose

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
            except BlockingIOError:
                poll = select.poll()
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
