"""Receivers of framed streams and of datagrams."""

import socket
import socketserver
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping

from logroute.light import BinaryIO
from logroute.receivers.base import ServerReceiver, encrypted

__all__ = ["TcpReceiver", "UdpReceiver"]

_MAX_FRAME = 64 << 20


class _UnixStreamServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


class TcpReceiver(ServerReceiver):
    """Takes apart framed streams over TCP, TLS or a unix socket.

    Attributes:
        torn: ends of connections that were no whole frame.
    """

    def __init__(
        self,
        framing: str = "newline",
        *,
        port: int = 0,
        path: str | None = None,
        tls: ssl.SSLContext | None = None,
        stall: bool = False,
    ) -> None:
        """Expect frames as the `socket` kind sends them.

        Args:
            framing: newline, length, octet or pickle (which is `length`).
            port: 0: any free one.
            path: of a unix socket, instead of a port.
            tls: a server's context.
            stall: accept connections and never read from them.
        """
        super().__init__()
        self.torn: list[bytes] = []
        self._split = _SPLITTERS[framing]
        self._wanted_port = port
        self._path = path
        self._tls = tls
        self._stall = stall

    def _make_server(self) -> socketserver.BaseServer:
        handler = _make_handler(self._handle)
        if self._path is not None:
            return _UnixStreamServer(self._path, handler)
        server = socketserver.ThreadingTCPServer((self.host, self._wanted_port), handler, False)
        server.allow_reuse_address = True
        try:
            server.server_bind()
            server.server_activate()
        except BaseException:
            server.server_close()
            raise
        return server

    def _handle(self, sock: socket.socket) -> None:
        with self._connection(sock), encrypted(sock, self._tls) as stream:
            if self._stall:
                self._stopping.wait()
                return
            with stream.makefile("rb") as source:
                for frame, is_whole in self._split(source):
                    if is_whole:
                        self._keep(frame)
                    else:
                        self.torn.append(frame)


def _make_handler(handle: Callable[[socket.socket], None]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            handle(self.request)

    return Handler


def _split_lines(source: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    for line in source:
        yield line.removesuffix(b"\n"), line.endswith(b"\n")


def _split_lengths(source: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    while head := source.read(4):
        if len(head) < 4:
            yield head, False
            return
        size = struct.unpack(">L", head)[0]
        yield _read_frame(source, size)


def _split_octets(source: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    while digit := source.read(1):
        digits = b""
        while digit.isdigit():
            digits += digit
            digit = source.read(1)
        if digit != b" " or not digits:
            yield digits + digit, False
            return
        yield _read_frame(source, int(digits))


def _read_frame(source: BinaryIO, size: int) -> tuple[bytes, bool]:
    if size > _MAX_FRAME:
        raise ValueError(f"a frame of {size} bytes is too long")
    frame = source.read(size)
    return frame, len(frame) == size


_SPLITTERS: Mapping[str, Callable[[BinaryIO], Iterator[tuple[bytes, bool]]]] = {
    "newline": _split_lines,
    "length": _split_lengths,
    "pickle": _split_lengths,
    "octet": _split_octets,
}


class _UnixDatagramServer(socketserver.UnixDatagramServer):
    max_packet_size = 1 << 17


class _UdpServer(socketserver.UDPServer):
    max_packet_size = 1 << 17


class UdpReceiver(ServerReceiver):
    """Keeps datagrams, from UDP or a unix socket."""

    def __init__(self, *, port: int = 0, path: str | None = None) -> None:
        """Listen on `port` (0: any free one), or on the unix socket `path`."""
        super().__init__()
        self._wanted_port = port
        self._path = path

    def _make_server(self) -> socketserver.BaseServer:
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                receiver._keep(self.request[0])

        if self._path is not None:
            return _UnixDatagramServer(self._path, Handler)
        server = _UdpServer((self.host, self._wanted_port), Handler)
        # A burst must fit: what the kernel drops nobody counts.
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return server
