"""The HTTP client behind the `http` kind: urllib3, with a deadline for the whole.

Imported when the first batch is sent. urllib3's timeouts are those of single
reads, which a server that answers one byte a second never exceeds; here every
read and write waits for what is left of the attempt.
"""

import contextlib
import functools
import http.client
import io
import os
import queue
import socket
import time
import weakref
from collections.abc import Callable, Mapping

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from logroute.light import Any, NamedTuple
from logroute.sinks import TimeoutSpec, TlsSpec
from logroute.sinks.net import (
    Address,
    Deadline,
    connect,
    is_loopback,
    one_line,
    reason,
    tls_context,
)

__all__ = ["Answer", "Client"]

_PIECE = 1 << 16
# More of an answer is not read: the connection is given up instead. An answer
# for each of 500 records has room.
_MAX_ANSWER = 1 << 20


class Answer(NamedTuple):
    """What the server said."""

    status: int
    body: bytes
    retry_after_s: float | None
    #: Scheme and host of a redirect; its path may be a secret.
    location: str | None = None


class Client:
    """Sends requests to one URL over one kept-alive connection."""

    def __init__(
        self, url: str, timeout: TimeoutSpec, *, tls: TlsSpec, proxy: str | None = None
    ) -> None:
        """Know where to send; nothing is connected yet.

        Args:
            url: http or https.
            timeout: limits of one attempt.
            tls: whom to trust.
            proxy: its URL, `none`, or None for what the environment says.

        Raises:
            Retryable: a certificate file cannot be read.
        """
        self._url = url
        self._timeout = timeout
        self._deadline = Deadline(timeout.connect + timeout.send)
        self._pid = os.getpid()
        self._socks: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        options: dict[str, Any] = {"num_pools": 2, "maxsize": 1}
        if url.startswith("https"):
            options["ssl_context"] = tls_context(tls)
            if tls.server_name:
                options["server_hostname"] = tls.server_name
        address = proxy if proxy != "none" else None
        if proxy is None:
            address = _proxy_of_environment(url)
        if address is None:
            self._manager = urllib3.PoolManager(**options)
        else:
            self._manager = _proxied(address, options)
        self._manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        pool = self._manager.connection_from_url(url)
        kind = _PlainConnection if pool.scheme == "http" else _TlsConnection
        pool.ConnectionCls = functools.partial(  # type: ignore[assignment]
            kind, deadline=self._deadline, connect_s=timeout.connect, note=self._socks.add
        )

    def begin(self) -> None:
        """Begin an attempt: all requests until the next call share its time."""
        self._deadline.restart()

    def request(self, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request and return the answer, whatever its status.

        Raises:
            OSError: no answer came, in words that name no path of the URL.
        """
        try:
            response = self._manager.urlopen(
                method,
                self._url,
                redirect=False,
                retries=False,
                body=body,
                headers=dict(headers),
                timeout=urllib3.Timeout(connect=self._timeout.connect, read=self._timeout.send),
                preload_content=False,
            )
        except (HTTPError, http.client.HTTPException) as fault:
            self._hang_up()  # a half-read answer would keep the connection open
            raise OSError(_root(fault)) from fault
        said = b""
        # The status is the answer: what goes wrong behind it changes nothing.
        with contextlib.suppress(HTTPError, OSError, http.client.HTTPException):
            # as it came: nobody asked for a compressed answer, which may be a bomb
            said = response.read(_MAX_ANSWER + 1, decode_content=False)
        if len(said) > _MAX_ANSWER:
            response.close()
        wait = _to_seconds(response.headers.get("Retry-After"))
        location = response.headers.get("Location") if 300 <= response.status < 400 else None
        return Answer(response.status, said, wait, location and _host_of(location))

    def connect(self) -> str:
        """Connect without a request; return what was found, in words.

        Raises:
            OSError: there is no connection.
        """
        self.begin()
        pool: Any = self._manager.connection_from_url(self._url)
        connection = pool._get_conn(timeout=self._timeout.connect)
        try:
            if pool.proxy is not None and pool.scheme == "https":
                pool._prepare_proxy(connection)
            else:
                connection.connect()
        except (HTTPError, http.client.HTTPException, OSError) as fault:
            raise OSError(_root(fault)) from fault
        finally:
            connection.close()
        through = " through the proxy" if pool.proxy is not None else ""
        return f"connected{through}{', encrypted' if pool.scheme == 'https' else ''}"

    def close(self) -> None:
        """Close the connection: urllib3 leaves that to finalizers, which run no more at exit.

        In a forked child a thread of the parent's may be using it, and hold urllib3's locks.
        """
        if os.getpid() == self._pid:
            for key in list(self._manager.pools.keys()):
                self._manager.pools[key].close()
            self._manager.clear()
        self._hang_up()

    def _hang_up(self) -> None:
        for sock in list(self._socks):
            if sock.fileno() >= 0:
                socket.close(sock.detach())


def _proxy_of_environment(url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    parts = urllib3.util.parse_url(url)
    host = parts.host or ""
    if is_loopback(host) or proxy_bypass(host.strip("[]")):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme or "") or proxies.get("all") or None


def _proxied(address: str, options: dict[str, Any]) -> urllib3.PoolManager:
    if "://" not in address:
        address = f"http://{address}"
    parts = urllib3.util.parse_url(address)
    headers = urllib3.make_headers(proxy_basic_auth=_unquoted(parts.auth)) if parts.auth else None
    return urllib3.ProxyManager(parts._replace(auth=None).url, proxy_headers=headers, **options)


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


def _root(fault: BaseException) -> str:
    """Return the first cause of `fault` in words; urllib3's own show objects and paths."""
    while True:
        causes = [fault.__cause__, *fault.args[::-1], getattr(fault, "reason", None)]
        inner = next((item for item in causes if isinstance(item, BaseException)), None)
        if inner is None or inner is fault:
            break
        fault = inner
    if isinstance(fault, http.client.RemoteDisconnected):
        return "the server closed the connection without an answer"
    if isinstance(fault, OSError):
        return reason(fault)
    if isinstance(fault, http.client.BadStatusLine):
        return "no proper answer: the server speaks no HTTP on this port"
    return f"no proper answer ({type(fault).__name__})"


def _host_of(location: str) -> str:
    """Return scheme and host of a redirect, or that it stays on the same server."""
    try:
        parts = urllib3.util.parse_url(location)
    except HTTPError:
        return "a malformed address"
    if not parts.host:
        return "another path there"
    port = f":{parts.port}" if parts.port else ""
    return one_line(f"{parts.scheme or 'http'}://{parts.host}{port}")


def _to_seconds(value: str | None) -> float | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    from email.utils import mktime_tz, parsedate_tz

    date = parsedate_tz(value)
    return max(0.0, mktime_tz(date) - time.time()) if date else None


class _Rack(queue.LifoQueue[Any]):
    """What a pool keeps its connections in, for one thread, so that it needs no lock.

    A child that is forked while that thread holds one would wait for it for ever:
    urllib3 empties all its pools as a process ends.
    """

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        if not self.queue:
            raise queue.Empty
        return self.queue.pop()


class _PlainPool(urllib3.HTTPConnectionPool):
    QueueCls = _Rack


class _TlsPool(urllib3.HTTPSConnectionPool):
    QueueCls = _Rack


class _Timed:
    """Keeps a urllib3 connection within the deadline of the attempt."""

    sock: Any

    def __init__(
        self,
        *args: Any,
        deadline: Deadline,
        connect_s: float,
        note: Callable[[socket.socket], object],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._note = note
        self._deadline = deadline
        self._connect_s = connect_s
        self.response_class: Any = functools.partial(_timed_response, deadline)

    def _new_conn(self) -> socket.socket:
        """Connect within the time for connecting, whatever the number of addresses."""
        host = self._dns_host.strip("[]")  # type: ignore[attr-defined]
        deadline = Deadline(min(self._connect_s, self._deadline.left()))
        try:
            sock = connect(Address(host, self.port), deadline)  # type: ignore[attr-defined]
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(deadline.left())  # for the TLS handshake
            except BaseException:
                sock.close()
                raise
        except OSError as fault:
            text = "cannot connect"
            raise NewConnectionError(self, text) from fault  # type: ignore[arg-type]
        return sock

    def connect(self) -> None:
        """Connect; where the file says `verify: false` there is no warning per request."""
        super().connect()  # type: ignore[misc]
        self._note(self.sock)
        self.is_verified = True

    def send(self, data: Any) -> None:
        """Send `data` piece by piece, each within what is left."""
        if self.sock is None:
            self.connect()
        view = memoryview(data)
        while view:
            self.sock.settimeout(self._deadline.left())
            view = view[self.sock.send(view[:_PIECE]) :]


class _PlainConnection(_Timed, HTTPConnection):
    """An http connection with a deadline."""


class _TlsConnection(_Timed, HTTPSConnection):
    """An https connection with a deadline."""


def _timed_response(deadline: Deadline, sock: Any, **options: Any) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(_TimedSource(sock, deadline), **options)  # type: ignore[arg-type]


class _TimedSource:
    """What `http.client` reads a response from: a socket that knows the deadline."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(_TimedFile(self._sock, self._deadline))


class _TimedFile(io.RawIOBase):
    """The unbuffered end of a socket, each read within what is left."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._inner = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._inner.readinto(buffer)
        return count

    def close(self) -> None:
        self._inner.close()
        super().close()
