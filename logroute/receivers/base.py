"""What all receivers have: a list of what came, and a way to wait for it."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator

from logroute.light import Any, Self

__all__ = ["Receiver", "ServerReceiver", "encrypted"]

_POLL_S = 0.02


class Receiver:
    """Keeps items in the order of their arrival.

    Attributes:
        received: what came, oldest first; only ever appended to.
        faults: what went wrong with a connection, such as a failed handshake.
        connections: how many were accepted.
        host: the address of the loopback interface to listen on.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        """Have received nothing."""
        self.received: list[Any] = []
        self.faults: list[BaseException] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def address(self) -> str:
        """Where it listens, as an `address` option writes it."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.address.rpartition(":")[2])

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        raise NotImplementedError

    def stop(self) -> None:
        """Close everything; returns when all threads have ended."""
        raise NotImplementedError

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` items have come; tell whether they have."""
        return self.wait_until(lambda: len(self.received) >= count, timeout)

    def wait_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until `condition` holds, looked at whenever something happens."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _keep(self, item: Any) -> None:
        with self._changed:
            self.received.append(item)
            self._changed.notify_all()

    def _note_fault(self, fault: BaseException) -> None:
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    def _note_connection(self) -> None:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()


class ServerReceiver(Receiver):
    """A receiver whose work a `socketserver` does."""

    def __init__(self) -> None:
        """Have no server yet."""
        super().__init__()
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._open: set[socket.socket] = set()

    def _make_server(self) -> socketserver.BaseServer:
        raise NotImplementedError

    @property
    def address(self) -> str:
        """Where it listens, as an `address` option writes it."""
        place = self._server.server_address
        return f"unix:{place}" if isinstance(place, str) else f"{place[0]}:{place[1]}"

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        self._stopping.clear()
        self._server = self._make_server()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name=type(self).__name__
        )
        self._thread.start()

    def stop(self) -> None:
        """Close everything; returns when all threads have ended."""
        self._stopping.set()
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        # First: who is dropped and comes again at once would talk to nobody.
        self._server.socket.close()
        self.drop_connections()
        self._server.server_close()  # joins the threads of connections

    def drop_connections(self) -> None:
        """End every connection, as a server that restarts does."""
        with self._changed:
            socks = list(self._open)
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _connection(self, sock: socket.socket) -> Iterator[None]:
        with self._changed:
            self._open.add(sock)
        self._note_connection()
        is_late = self._stopping.is_set()  # accepted as it stops: it ends at its first read
        if is_late:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        try:
            yield
        except (OSError, ValueError, EOFError) as fault:
            if not is_late:
                self._note_fault(fault)
        finally:
            with self._changed:
                self._open.discard(sock)
                self._changed.notify_all()


@contextlib.contextmanager
def encrypted(sock: socket.socket, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """Yield `sock`, or its encrypted form if there is a server's `context`."""
    if context is None:
        yield sock
        return
    with context.wrap_socket(sock.dup(), server_side=True) as stream:
        yield stream
