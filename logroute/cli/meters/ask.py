"""Asks running processes for their counters, through their stats sockets."""

import errno
import json
import os
import time
from collections.abc import Iterable

from logroute.light import Any, NamedTuple

__all__ = ["Answer", "ask", "ask_all"]

TIMEOUT_S = 5.0
_MOST_BYTES = 64 << 20


class Answer(NamedTuple):
    """What came of asking one socket.

    Attributes:
        socket: its path.
        stats: the counters, or None.
        why: why there are none.
        is_left_over: no process serves it any more.
    """

    socket: str
    stats: dict[str, Any] | None
    why: str = ""
    is_left_over: bool = False


def ask_all(paths: Iterable[str], timeout_s: float = TIMEOUT_S) -> list[Answer]:
    """Ask each socket for its process's counters."""
    return [ask(path, timeout_s) for path in paths]


def ask(path: str, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask one socket, for at most `timeout_s` in all."""
    try:
        text = _exchange(path, b"stats\n", time.monotonic() + timeout_s)
    except TimeoutError:
        why = f"it has not answered in {timeout_s:g} s; the process may be stopped or hang"
        return Answer(path, None, why)
    except OSError as fault:
        why, is_left_over = _explained(path, fault)
        return Answer(path, None, why, is_left_over)
    return _read(path, text)


def _exchange(path: str, request: bytes, deadline: float) -> bytes:
    from socket import AF_UNIX, SOCK_STREAM, socket

    with socket(AF_UNIX, SOCK_STREAM) as peer:
        peer.settimeout(max(0.001, deadline - time.monotonic()))
        peer.connect(path)
        peer.sendall(request)
        chunks, size = [], 0
        while size < _MOST_BYTES:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            peer.settimeout(left)
            chunk = peer.recv(1 << 16)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)


def _explained(path: str, fault: OSError) -> tuple[str, bool]:
    """Return why a socket could not be asked, and whether it is merely left over."""
    if fault.errno == errno.ECONNREFUSED:
        is_socket = os.path.exists(path) and not os.path.isfile(path)
        if is_socket:
            return "no process serves it any more; the next one that wants it takes it over", True
        return "it is no socket", False
    if fault.errno == errno.ENOENT:
        return "it is gone; the process has ended", True
    if fault.errno in (errno.EACCES, errno.EPERM):
        return "only its user and root may ask; try as that user, or with sudo", False
    if fault.errno is None:  # its path is too long
        return str(fault).lower(), False
    if fault.errno in (errno.EPIPE, errno.ECONNRESET):
        return "it hung up; only its user and root may ask", False
    return (fault.strerror or str(fault)).lower(), False


def _read(path: str, text: bytes) -> Answer:
    try:
        stats = json.loads(text)
        version = stats["format_version"]
        is_known = str(version).partition(".")[0] == "1"
    except (ValueError, TypeError, KeyError, RecursionError):
        if not text:
            return Answer(path, None, "it hung up; only its user and root may ask")
        said = text.partition(b"\n")[0][:100].decode("utf-8", "replace")
        return Answer(path, None, f"it is no stats socket of logroute: it said {said!r}")
    if not is_known:
        return Answer(path, None, f"it speaks format {version}; this logroute knows 1")
    return Answer(path, stats)
