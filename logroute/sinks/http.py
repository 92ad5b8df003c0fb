"""The `http` kind: batches by POST or PUT to a web service.

A 2xx answer is the acknowledgement. One kept-alive connection; redirects are
not followed, since they would carry records and credentials elsewhere.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from logroute.errors import DeliveryError, Rejected, Retryable
from logroute.options import EMPTY, Opt, Spec
from logroute.records import exception_text, message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TlsSpec
from logroute.sinks.net import AUTHORITY_PATTERN, is_loopback, one_line, scrub

if TYPE_CHECKING:
    from logroute.sinks.web import Answer, Client

__all__ = ["HttpAuthSpec", "HttpSink", "HttpSpec"]

_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "json-array": "application/json",
    "form": "application/x-www-form-urlencoded",
}
_BUSY = frozenset({408, 425, 429})
_ADVICE = {
    401: "; see `auth`",
    403: "; see `auth`",
    404: "; see `url`",
    405: "; see `method` and `url`",
    407: "; see `proxy`",
    413: "; lower `batch.max_bytes`",
    415: "; see `body` and `compress`",
}


class HttpAuthSpec(Spec):
    """How to say who we are: a bearer token, or a user name and password."""

    bearer: Annotated[
        str | None,
        Opt("Token sent as `Authorization: Bearer`.", secret=True, pattern=r"[\x21-\x7e]+"),
    ] = None
    username: Annotated[str | None, Opt("User name for basic authentication.")] = None
    password: Annotated[str | None, Opt("Password for basic authentication.", secret=True)] = None


class HttpSpec(NetworkSpec):
    """Send batches of records to a web service."""

    guarantee: ClassVar[str] = "at_least_once, acked_by: application"

    url: Annotated[
        str,
        Opt(
            "Where to send, without user name or password.",
            pattern=rf"https?://{AUTHORITY_PATTERN}(?:[/?][^\s#]*)?",
            expects="must be a URL such as `https://host:port/path` "
            "(a user name and password go into `auth`)",
        ),
    ]
    method: Annotated[Literal["POST", "PUT"], Opt("Request method.")] = "POST"
    body: Annotated[
        Literal["json", "ndjson", "json-array", "form"],
        Opt(
            "`ndjson`: one JSON document a line; `json-array`: all in one array; `json`: one "
            "request per record; `form`: the fields of one record, as stdlib's HTTPHandler."
        ),
    ] = "ndjson"
    headers: Annotated[
        Mapping[
            str,
            Annotated[
                str,
                Opt(
                    "A header's value.",
                    pattern=r"[\t\x20-\x7e\xa0-\xff]*",
                    expects="must be one line of Latin-1 text",
                ),
            ],
        ],
        Opt("Further request headers.", secret=True),
    ] = EMPTY
    compress: Annotated[Literal["none", "gzip"], Opt("Compression of the body.")] = "none"
    auth: Annotated[HttpAuthSpec | None, Opt("`bearer`, or `username` and `password`.")] = None
    tls: Annotated[TlsSpec, Opt("Whom to trust, for https.")] = TlsSpec()
    proxy: Annotated[
        str | None,
        Opt(
            "URL of a proxy, or `none`. Default: from the environment (HTTPS_PROXY, NO_PROXY).",
            pattern=rf"none|https?://(?:[^/?#@\s\\]*@)?{AUTHORITY_PATTERN}/?",
            expects="must be `none` or a URL such as `http://proxy.example.org:3128`",
            secret=True,
        ),
    ] = None

    @property
    def sends_login_in_clear(self) -> bool:
        """Whether credentials would cross a network without encryption, which is refused."""
        if not self.url.startswith("http://"):
            return False
        auth = self.auth or HttpAuthSpec()
        named = any(name.lower() == "authorization" for name in self.headers)
        has_login = bool(auth.bearer or auth.username or named)
        return has_login and not is_loopback(_host_of(self.url))

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to one JSON document, or to form fields."""
        if self.body == "form":
            return _encode_form
        return lambda record: _to_json(format(record)).encode("utf-8", "backslashreplace")

    def probe(self) -> str:
        """Connect, encrypted for https; no request is made."""
        sink = self.sink()
        try:
            return sink.connect()
        finally:
            sink.close()

    def sink(self) -> "HttpSink":
        """Return a sink for the URL."""
        return HttpSink(self)


def _to_json(text: str) -> str:
    """Return `text` if it is a JSON document, else as a JSON string, on one line."""
    head = text[:1]
    if head == "{" and text.endswith("}"):
        return text.replace("\n", " ")
    if head == "[":  # an array, or a line such as "[INFO] started"
        try:
            json.loads(text)
        except ValueError:
            return json.dumps(text)
        return text.replace("\n", " ")
    return json.dumps(text)


def _encode_form(record: logging.LogRecord) -> bytes:
    """Return the record's fields as `logging.handlers.HTTPHandler` sends them."""
    from urllib.parse import urlencode

    fields = dict(record.__dict__)
    fields |= {"message": message_of(record), "exc_info": None}
    fields["exc_text"] = exception_text(record)
    text = {name: _to_text(value) for name, value in fields.items()}
    return urlencode(text, errors="backslashreplace").encode("ascii")


def _to_text(value: Any) -> str:
    try:
        return str(value)
    except Exception as fault:
        return f"<{type(value).__name__}: {type(fault).__name__}>"


def _host_of(url: str) -> str:
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority


def _advice(answer: "Answer") -> str:
    """Return what to do about an answer, where the status says it (RFC 9110, 15)."""
    if answer.location:
        return f"; it points to {answer.location}, and redirects are not followed: see `url`"
    if answer.retry_after_s:
        return f"; it asks to wait {answer.retry_after_s:.0f} s"
    return _ADVICE.get(answer.status, "")


class HttpSink:
    """Sends batches to one URL."""

    def __init__(self, spec: HttpSpec) -> None:
        """Send as `spec` says."""
        self._spec = spec
        self._auth = spec.auth or HttpAuthSpec()
        self._client: Client | None = None
        self._headers: dict[str, str] = {}
        rest = spec.url.partition("://")[2]
        self._authority = rest.partition("/")[0].partition("?")[0]
        #: Where to send, without the path: webhook paths are secrets.
        self._place = f"{spec.url.partition('://')[0]}://{self._authority}"

    def open(self) -> None:
        """Make the client; it connects when the first request is sent."""
        if self._client is None:
            self._check_auth()
            from logroute.sinks.web import Client

            spec = self._spec
            self._headers = self._make_headers()
            self._client = Client(spec.url, spec.timeout, tls=spec.tls, proxy=spec.proxy)

    def send(self, batch: Sequence[bytes]) -> None:
        """Send `batch` in as few requests as the kind of body allows."""
        self.open()
        assert self._client is not None
        self._client.begin()
        for first, count, body in self._bodies(batch):
            try:
                answer = self._client.request(self._spec.method, self._encode(body), self._headers)
            except OSError as fault:
                text = f"{self._place}: {self._scrub(str(fault))}"
                raise Retryable(text, delivered=first) from fault
            if not 200 <= answer.status < 300:
                raise self._refusal(answer, first, count)

    def connect(self) -> str:
        """Connect without a request; return what was found, in words.

        Raises:
            Retryable: the server, or the proxy before it, cannot be reached.
        """
        self.open()
        assert self._client is not None
        try:
            return self._client.connect()
        except OSError as fault:
            raise Retryable(f"{self._place}: {self._scrub(str(fault))}") from fault

    def flush(self) -> None:
        """Hold nothing back: each answer was awaited."""

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _check_auth(self) -> None:
        auth = self._auth
        if auth.bearer and auth.username:
            raise Rejected("`auth` has both `bearer` and `username`; keep one of them")
        if auth.password and not auth.username:
            raise Rejected("`auth` has a `password` without a `username`")
        if self._spec.sends_login_in_clear:
            raise Rejected(f"credentials would go to {self._place} in clear; use https://")

    def _make_headers(self) -> dict[str, str]:
        from base64 import b64encode

        headers = {"content-type": _TYPES[self._spec.body], "user-agent": "logroute"}
        if self._spec.compress == "gzip":
            headers["content-encoding"] = "gzip"
        if self._auth.bearer:
            headers["authorization"] = f"Bearer {self._auth.bearer}"
        elif self._auth.username:
            pair = f"{self._auth.username}:{self._auth.password or ''}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers | {name.lower(): value for name, value in self._spec.headers.items()}

    def _bodies(self, batch: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (index of the first payload, number of payloads, body)."""
        if self._spec.body in ("json", "form"):
            for index, payload in enumerate(batch):
                yield index, 1, payload
        elif batch:
            lines = self._spec.body == "ndjson"
            body = b"\n".join(batch) + b"\n" if lines else b"[" + b",".join(batch) + b"]"
            yield 0, len(batch), body

    def _encode(self, body: bytes) -> bytes:
        if self._spec.compress == "none":
            return body
        import gzip

        return gzip.compress(body, compresslevel=6, mtime=0)

    def _refusal(self, answer: "Answer", first: int, count: int) -> DeliveryError:
        said = one_line(self._scrub(answer.body[:2000].decode("utf-8", "replace")))
        status = answer.status
        text = f"{self._place} answered {status}{f': {said}' if said else ''}{_advice(answer)}"
        if status in _BUSY or (status >= 500 and status != 501):
            return Retryable(text, delivered=first, retry_after_s=answer.retry_after_s)
        return Rejected(text, delivered=first, rejected=count)

    def _scrub(self, text: str) -> str:
        basic = self._headers.get("authorization", "").partition(" ")[2]
        secrets = (self._auth.bearer, self._auth.password, basic, *self._spec.headers.values())
        return scrub(text, [secret for secret in secrets if secret and len(secret) > 3])
