"""What a stream has been given and its peer's kernel may not have yet.

Owned by one `SocketSink` and changed in its worker's thread; others may `count`. Linux
tells how many of the bytes written still wait for the peer's acknowledgement
(SIOCOUTQ), so the frames that hold them are known exactly. Elsewhere the last frames
of the last seconds are kept: a break then repeats some that had arrived.
"""

import collections
import struct
import sys
import time
from collections.abc import Sequence

from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["Window", "silence_s"]

# What is kept where the kernel does not tell.
BLIND_FRAMES = 256
BLIND_BYTES = 256 << 10
BLIND_S = 30.0
_ALL = 1 << 62


class Window:
    """Frames in the air, and those that must be sent again.

    Attributes:
        flying: frames given to the connection, oldest first.
        rest: bytes of the last of them that the connection has not taken.
        again: frames that a broken connection lost; they go before all others.
    """

    __slots__ = ("_written_at", "again", "flying", "rest")

    def __init__(self) -> None:
        """Hold nothing."""
        self.forget()

    def forget(self) -> None:
        """Hold nothing any more."""
        self.flying: collections.deque[bytes] = collections.deque()
        self.rest = b""
        self.again: list[bytes] = []
        self._written_at = 0.0

    def count(self, sock: "socket.socket | None") -> int:
        """Return how many frames are surely not known to have arrived.

        Any thread may ask: amid a change it is rather told of too many. So the bytes
        are read in the order in which they go, and `again`, to which and from which
        frames go, twice.
        """
        again = len(self.again)
        flying = tuple(self.flying)
        rest = len(self.rest)
        waiting = _unacknowledged(sock)
        again = max(again, len(self.again))
        if waiting is None:
            return again + bool(rest)
        return again + _count_missing(flying, waiting + rest)

    def took(self, frames: Sequence[bytes]) -> None:
        """Note that the connection has taken the rest, and all of `frames`."""
        self.flying.extend(frames)
        self.rest = b""
        self._written_at = time.monotonic()

    def took_part(self, frames: Sequence[bytes], data: bytes, written: int, grip: int) -> int:
        """Note that only `written` bytes of `data`, the rest and `frames`, were taken.

        A frame that was begun is the window's from now on. `grip` is how many
        bytes behind `written` are begun too, since the layer below holds them.

        Returns:
            How many of `frames` were begun.
        """
        start = len(self.rest)
        count = 0
        while count < len(frames) and start < written + grip:
            start += len(frames[count])
            count += 1
        self.rest = data[written:start]  # first: see `count`
        self.flying.extend(frames[:count])
        self._written_at = time.monotonic()
        return count

    def settle(self, sock: "socket.socket | None") -> None:
        """Forget the frames that the peer's kernel has."""
        waiting = _unacknowledged(sock)
        if waiting is not None:
            keep = _count_missing(self.flying, waiting + len(self.rest))
        elif time.monotonic() - self._written_at > BLIND_S:
            keep = bool(self.rest)
        else:
            keep = min(BLIND_FRAMES, _count_missing(self.flying, BLIND_BYTES))
        for _ in range(len(self.flying) - keep):
            self.flying.popleft()

    def lose(self, sock: "socket.socket | None") -> int:
        """Keep for the next connection what this one may have lost; return how many frames."""
        self.settle(sock)
        count = len(self.flying)
        self.again = [*self.flying, *self.again]
        self.flying.clear()
        self.rest = b""
        return count


def _count_missing(flying: Sequence[bytes], missing: int) -> int:
    """Return how many of the last frames hold the last `missing` bytes.

    TLS makes more bytes of a frame, never fewer, so the count errs towards
    sending a frame twice.
    """
    count = total = 0
    for frame in reversed(flying):
        if total >= missing:
            break
        total += len(frame)
        count += 1
    return count


def _unacknowledged(sock: "socket.socket | None") -> int | None:
    """Return the bytes written to `sock` that its peer's kernel has not confirmed.

    Linux goes on telling after the connection broke (SIOCOUTQ, tcp(7), unix(7)), until
    it is closed: then it may be any number. None: this system does not tell.
    """
    if sys.platform != "linux":
        return None
    if sock is None:
        return 0
    import fcntl
    import termios

    number, answer = sock.fileno(), bytearray(4)
    if number < 0:  # its thread has just closed it
        return _ALL
    try:
        fcntl.ioctl(number, termios.TIOCOUTQ, answer)
    except OSError:
        return None
    return int.from_bytes(answer, sys.byteorder)


def silence_s(sock: "socket.socket") -> float:
    """Return for how long the peer's kernel has left us without an answer that is due.

    0 where none is due, as when only the peer's program does not read: its kernel
    goes on answering then. Infinite where the connection is over, or this system
    does not tell. Source: ``struct tcp_info`` of Linux, whose first bytes are the
    state and, third and fourth, the retransmissions and probes not answered; number
    12 of the words behind them are the milliseconds since the last answer.
    """
    import socket

    if sock.family == socket.AF_UNIX:
        return 0.0
    if sys.platform != "linux":
        return float("inf")
    try:
        status = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _STATUS.size)
        state, retransmits, probes, last_answer_ms = _STATUS.unpack(status)
    except (OSError, struct.error):
        return float("inf")
    if state not in _OPEN_STATES:
        return float("inf")
    is_due = retransmits or probes > 2  # while one or two are on their way is no silence
    return last_answer_ms / 1000 if is_due else 0.0


_STATUS = struct.Struct("=BxBB4x48xI")
#: TCP_ESTABLISHED and TCP_CLOSE_WAIT.
_OPEN_STATES = (1, 8)
