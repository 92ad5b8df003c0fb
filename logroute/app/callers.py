"""One client of the stats socket: a line of request, an answer, the end.

The thread of the door runs it, without ever waiting for the client.
"""

import contextlib
import os
import struct
import time
from _socket import SHUT_RDWR, SO_PEERCRED, SOL_SOCKET, socket
from collections.abc import Callable

__all__ = ["Caller", "is_allowed"]

#: How long a client may take in all.
PATIENCE_S = 5.0
_LONGEST_REQUEST = 256


def is_allowed(peer: socket) -> bool:
    """Return whether the process at the other end is of this user, or root's."""
    size = struct.calcsize("3i")
    try:
        _, uid, _ = struct.unpack("3i", peer.getsockopt(SOL_SOCKET, SO_PEERCRED, size))
    except OSError:
        return False
    return uid in (0, os.geteuid())


class Caller:
    """Reads one request and writes its answer, as far as that goes without waiting."""

    def __init__(self, peer: socket, answer: Callable[[str], bytes]) -> None:
        """Serve `peer`, a non-blocking socket; `answer` makes of a request what to say."""
        self.peer = peer
        self.deadline = time.monotonic() + PATIENCE_S
        self._answer = answer
        self._request = b""
        self._left: memoryview | None = None

    @property
    def is_writing(self) -> bool:
        """Whether it waits for room for its answer, not for the request."""
        return self._left is not None

    def go_on(self) -> bool:
        """Do what can be done now; return False when all is done."""
        try:
            if self._left is None and not self._read():
                return True
            assert self._left is not None
            while self._left:
                self._left = self._left[self.peer.send(self._left) :]
        except BlockingIOError:
            return True
        except OSError:  # it has hung up
            return False
        return False

    def _read(self) -> bool:
        """Take in the request; return whether it is complete, and its answer ready."""
        found = self.peer.recv(_LONGEST_REQUEST)
        self._request += found
        line, is_whole, _ = self._request.partition(b"\n")
        if found and not is_whole and len(line) < _LONGEST_REQUEST:
            return False
        self._left = memoryview(self._answer(line.decode("utf-8", "replace").strip()))
        return True

    def end(self) -> None:
        """Hang up, for a forked child that has the connection too."""
        with contextlib.suppress(OSError):
            self.peer.shutdown(SHUT_RDWR)
            for _ in range(16):  # what is left unread would reset the answer
                if not self.peer.recv(1 << 16):
                    break
        self.peer.close()
