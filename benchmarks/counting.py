"""A loopback server in a process of its own that keeps what it gets, and counts it.

It does as little as it can while a client sends; what came is cut into records and
read when the client asks for the result. It ends when its standard input does. TCP,
UDP, HTTP and SMTP, as far as the clients of the benchmarks speak them.
"""

import json
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from benchmarks.lines import READERS, Tally, tally

__all__ = ["Report", "Server"]

#: How long nothing must come until that was all; where all connections are closed, less.
_QUIET_S, _CLOSED_S = 1.0, 0.05


class Report(NamedTuple):
    """What a server got; `last_at` is the monotonic time of the last bytes."""

    tally: Tally
    last_at: float
    connections: int


class Server:
    """A counting server, seen from the process that sends."""

    def __init__(self, kind: str, cut: str = "lines") -> None:
        """Serve `kind`; `cut` is lines, pickle, mail or whole (a datagram, a request)."""
        command = [sys.executable, "-m", "benchmarks.counting", kind, cut]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._answer())

    def __enter__(self) -> Self:
        """Listen already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.communicate(timeout=30)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def finish(self, expected: Mapping[str, int], form: str) -> Report:
        """Wait until all is there, or nothing more comes; return what came."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([expected, form]) + "\n")
        self._process.stdin.flush()
        counts, last_at, connections = json.loads(self._answer())
        return Report(Tally(**counts), last_at, connections)


class _Peer:
    """One connection."""

    def __init__(self, is_mail: bool, is_web: bool) -> None:
        self.data = bytearray()
        self.is_mail = is_mail
        self.is_web = is_web
        self.is_in_mail = False
        self.kept: list[bytes] = []

    def take(self, data: bytes) -> bytes:
        """Keep `data`; return what is to be answered."""
        self.data += data
        if self.is_web:
            return b"".join(self._requests())
        return b"".join(self._commands()) if self.is_mail else b""

    def _requests(self) -> Iterator[bytes]:
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.data[:end]).lower()
            _, _, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0] or 0)
            if len(self.data) < end + 4 + length:
                return
            self.kept.append(bytes(self.data[end + 4 : end + 4 + length]))
            del self.data[: end + 4 + length]
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def _commands(self) -> Iterator[bytes]:
        while True:
            mark = b"\r\n.\r\n" if self.is_in_mail else b"\r\n"
            end = self.data.find(mark)
            if end < 0:
                return
            text = bytes(self.data[:end])
            del self.data[: end + len(mark)]
            if self.is_in_mail:
                self.is_in_mail = False
                self.kept.append(text.partition(b"\r\n\r\n")[2])  # without the head
                yield b"250 taken\r\n"
            elif text.upper() == b"DATA":
                self.is_in_mail = True
                yield b"354 go on\r\n"
            else:
                yield b"221 bye\r\n" if text.upper() == b"QUIT" else b"250 fine\r\n"


class _Keeper:
    """Takes connections and datagrams until the client asks for the result."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._selector = selectors.DefaultSelector()
        is_udp = kind == "udp"
        self._listener = socket.socket(type=socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        if is_udp:  # a burst must fit: what the kernel drops nobody counts
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._listener.bind(("127.0.0.1", 0))
        if not is_udp:
            self._listener.listen(128)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self.port = self._listener.getsockname()[1]
        self.peers: list[_Peer] = []
        self.datagrams: list[bytes] = []
        self.last_at = time.monotonic()
        self.open = 0

    def run(self, is_asked: bool = False) -> None:
        """Take what comes; return when asked for the result, then when all is quiet."""
        while True:
            is_waiting = self.open or self._kind == "udp"
            pause_s = _QUIET_S if is_waiting else _CLOSED_S
            ready = self._selector.select(pause_s if is_asked else None)
            if is_asked and not ready:
                return
            for key, _ in ready:
                if key.fileobj is sys.stdin:
                    self._selector.unregister(sys.stdin)
                    return
                if key.fileobj is self._listener:
                    self._welcome()
                else:
                    self._read(key.fileobj, key.data)

    def _welcome(self) -> None:
        if self._kind == "udp":
            self._read_datagrams()
            return
        sock, _ = self._listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = _Peer(self._kind == "smtp", self._kind == "http")
        self.peers.append(peer)
        self._selector.register(sock, selectors.EVENT_READ, peer)
        self.open += 1
        if peer.is_mail:
            sock.sendall(b"220 here\r\n")

    def _read_datagrams(self) -> None:
        receive, keep = self._listener.recv, self.datagrams.append
        try:
            while True:
                keep(receive(65536))
        except BlockingIOError:
            self.last_at = time.monotonic()

    def _read(self, sock: Any, peer: _Peer) -> None:
        try:
            data = sock.recv(1 << 18)
            if data:
                self.last_at = time.monotonic()
                answer = peer.take(data)
                if answer:
                    sock.sendall(answer)
                return
        except OSError:
            pass
        self._selector.unregister(sock)
        sock.close()
        self.open -= 1

    def items(self, cut: str) -> Iterator[bytes]:
        """Yield what came, cut into records."""
        if self._kind == "tcp":
            blocks = [bytes(peer.data) for peer in self.peers]
        else:
            blocks = self.datagrams or [item for peer in self.peers for item in peer.kept]
        for block in blocks:
            if cut == "pickle":
                yield from _pickles(block)
            elif cut == "lines":
                yield from (line for line in block.splitlines() if line)
            elif cut == "mail":  # also says how many records it has
                yield from (line for line in block.splitlines() if b" did " in line)
            else:
                yield block


def _pickles(block: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 <= len(block):
        (size,) = struct.unpack_from(">L", block, at)
        yield block[at + 4 : at + 4 + size]
        at += 4 + size


def main() -> None:
    """Serve what the command line says."""
    kind, cut = sys.argv[1:]
    keeper = _Keeper(kind)
    print(keeper.port, flush=True)
    keeper.run()
    question = sys.stdin.readline()
    if not question:
        return
    expected, form = json.loads(question)
    keeper.run(is_asked=True)
    counts = tally(keeper.items(cut), expected, READERS[form])
    print(json.dumps([counts._asdict(), keeper.last_at, len(keeper.peers)]), flush=True)


if __name__ == "__main__":
    main()
