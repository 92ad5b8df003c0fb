"""A receiver of HTTP requests."""

import collections
import gzip
import http.server
import socketserver
import ssl
from collections.abc import Mapping

from logroute.light import Any, NamedTuple
from logroute.receivers.base import ServerReceiver, encrypted

__all__ = ["HttpReceiver", "HttpRequest"]


class HttpRequest(NamedTuple):
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        """The body without its compression."""
        if self.headers.get("content-encoding") == "gzip":
            return gzip.decompress(self.body)
        return self.body


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    delay_s: float
    drip_s: float


class HttpReceiver(ServerReceiver):
    """Keeps requests, and answers 200 or what it was told to."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen on `port` (0: any free one), encrypted if `tls` is given."""
        super().__init__()
        self._wanted_port = port
        self._tls = tls
        self._script: collections.deque[_Reply] = collections.deque()
        self._default = _Reply(200, {}, b"", 0, 0)

    @property
    def url(self) -> str:
        """Where to send."""
        return f"{'https' if self._tls else 'http'}://{self.address}/logs"

    def answer(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        delay_s: float = 0,
        drip_s: float = 0,
        times: int | None = 1,
    ) -> None:
        """Answer the next `times` requests so (None: all that follow those scripted).

        Args:
            status: of the answer.
            headers: of the answer.
            body: of the answer.
            delay_s: wait before answering.
            drip_s: wait before every byte of the answer.
            times: how often.
        """
        reply = _Reply(status, headers or {}, body, delay_s, drip_s)
        if times is None:
            self._default = reply
        else:
            self._script.extend([reply] * times)

    def _make_server(self) -> socketserver.BaseServer:
        receiver = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = False

            def finish_request(self, request: Any, client_address: Any) -> None:
                with (
                    receiver._connection(request),
                    encrypted(request, receiver._tls) as stream,
                ):
                    _HttpHandler(stream, client_address, self, receiver)

            def server_bind(self) -> None:  # without asking the DNS for our name
                socketserver.TCPServer.server_bind(self)

        return Server((self.host, self._wanted_port), http.server.BaseHTTPRequestHandler)

    def _take(self, request: HttpRequest) -> _Reply:
        self._keep(request)
        return self._script.popleft() if self._script else self._default


class _HttpHandler(http.server.BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with one client until it leaves."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, request: Any, client: Any, server: Any, receiver: HttpReceiver) -> None:
        self._receiver = receiver
        super().__init__(request, client, server)

    def do_POST(self) -> None:
        """Keep the request and answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._receiver._take(HttpRequest(self.command, self.path, headers, body))
        stopping = self._receiver._stopping
        if stopping.wait(reply.delay_s):
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        text = b"".join(self._headers_buffer) + b"\r\n" + reply.body
        self._headers_buffer: list[bytes] = []
        for piece in [text] if not reply.drip_s else [bytes([code]) for code in text]:
            if stopping.wait(reply.drip_s):
                break
            self.wfile.write(piece)

    do_PUT = do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
