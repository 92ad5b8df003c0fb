"""The `http` kind: batches by POST or PUT to a web service.

A 2xx answer is the acknowledgement, but for the items that it names as failed
(`answers.py`). One kept-alive connection; redirects are not followed, since they
would carry records and credentials elsewhere.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence

from logroute.errors import DeliveryError, Rejected, Retryable, TooLarge
from logroute.framing import Framing
from logroute.light import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from logroute.options import EMPTY, Opt, Spec
from logroute.records import message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TlsSpec, reads_of
from logroute.sinks.bounds import bounded, trace_of
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
#: Headers that surely hold a login or a key.
_CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-auth-token"}
)
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
        named = any(name.lower() in _CREDENTIALS for name in self.headers)
        has_login = bool(auth.bearer or auth.username or named)
        # A proxy that the file names gets what is meant for this machine, too.
        proxied = self.proxy not in (None, "none") and not is_loopback(_host_of(self.proxy or ""))
        return has_login and (proxied or not is_loopback(_host_of(self.url)))

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to one JSON document, or to form fields."""
        if self.body == "form":
            return bounded(_encode_form, self.max_record_bytes)
        short = bounded(format, self.max_record_bytes)
        return lambda record: _to_json(short(record)).encode("utf-8", "backslashreplace")

    def frame(self) -> Framing | None:
        """Return that of JSON documents."""
        if self.body == "form":
            return None
        return Framing("", self.max_record_bytes, is_json=True)

    def reads(self, format: Format) -> frozenset[str] | None:
        """Return what the formatter reads."""
        return None if self.body == "form" else reads_of(format)

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
    fields["exc_text"] = trace_of(record) or None
    text = {name: _to_text(value) for name, value in fields.items()}
    return urlencode(text, errors="backslashreplace").encode("ascii")


def _to_text(value: Any) -> str:
    try:
        return str(value)
    except Exception as fault:
        return f"<{type(value).__name__}: {type(fault).__name__}>"


def _host_of(url: str) -> str:
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority


def _is_passing(status: int) -> bool:
    """Tell whether the same request may succeed later (RFC 9110, 15)."""
    return status in _BUSY or (status >= 500 and status != 501)


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
        if "uwsgi" in sys.modules:
            # Without --enable-threads ours may run in earnest only as its worker ends,
            # and to load OpenSSL there, which has cleaned up by then, crashes.
            import logroute.sinks.web  # noqa: F401

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
            refusal = self._refusal(answer, first, count)
            if refusal is not None:
                raise refusal

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

    def _refusal(self, answer: "Answer", first: int, count: int) -> DeliveryError | None:
        """Return what `answer` means for payloads `first` to `first + count`; None: taken."""
        status = answer.status
        if 200 <= status < 300:
            return self._partial_refusal(answer, first, count)
        said = one_line(self._scrub(answer.body[:2000].decode("utf-8", "replace")))
        text = f"{self._place} answered {status}{f': {said}' if said else ''}{_advice(answer)}"
        if _is_passing(status):
            return Retryable(text, delivered=first, retry_after_s=answer.retry_after_s)
        if status == 413 and count > 1:
            return TooLarge(text, delivered=first)
        return Rejected(text, delivered=first, rejected=count)

    def _partial_refusal(self, answer: "Answer", first: int, count: int) -> DeliveryError | None:
        from logroute.sinks.answers import items_of

        items = items_of(answer.status, answer.body, count)
        if items is None:
            return None
        text = f"{self._place} answered {answer.status}"
        if not items.statuses:
            text += " with errors, and does not say of which records"
            return Rejected(text, delivered=first, rejected=count)
        again = [index for index, code in enumerate(items.statuses) if _is_passing(code)]
        which = [
            index
            for index, code in enumerate(items.statuses)
            if not 200 <= code < 300 and not _is_passing(code)
        ]
        code = next(code for code in items.statuses if not 200 <= code < 300)
        said = one_line(self._scrub(items.reason))
        text += f", but {len(which) + len(again)} of {count} records failed, the first with {code}"
        text += f": {said}" if said else ""
        wait = answer.retry_after_s
        if count > 1:  # the whole batch went in one request, so the indices are its own
            return Rejected(text, which=which, again=again, retry_after_s=wait)
        if again:
            return Retryable(text, delivered=first, retry_after_s=wait)
        return Rejected(text, delivered=first, rejected=1)

    def _scrub(self, text: str) -> str:
        basic = self._headers.get("authorization", "").partition(" ")[2]
        secrets = (self._auth.bearer, self._auth.password, basic, *self._spec.headers.values())
        return scrub(text, [secret for secret in secrets if secret and len(secret) > 3])
