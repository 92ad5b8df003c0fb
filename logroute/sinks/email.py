"""The `email` kind: one mail per batch, so that a burst is a digest.

A payload is the subject, a line feed and the body; the session with the mail
server is in `smtp.py`, imported when the first mail goes out.
"""

import logging
import os
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from logroute.errors import Rejected
from logroute.options import Opt
from logroute.records import message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TlsSpec
from logroute.sinks.net import HOST_PATTERN, is_loopback, one_line

__all__ = ["EmailSink", "EmailSpec"]

_BARE = r"""[^\s<>@,;:"]+@[^\s<>@,;:"'()\[\]{}]+"""
_ADDRESS = rf"""{_BARE}|(?:"[^"\\\r\n]*" ?|[^<>"@,;:\\\r\n]*)<{_BARE}>"""
_ADDRESS_EXPECTS = "must be a mail address such as `ops@example.org` or `Ops <ops@example.org>`"
_ADDRESSES_EXPECTS = (
    "must be one mail address such as `ops@example.org`; a list `[...]` holds several"
)
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

Mailbox = Annotated[str, Opt("A mail address.", pattern=_ADDRESS, expects=_ADDRESSES_EXPECTS)]


class EmailSpec(NetworkSpec):
    """Send records by mail, a batch at a time."""

    default_formatter: ClassVar[str] = "text"
    is_digest: ClassVar[bool] = True
    guarantee: ClassVar[str] = "at_least_once, acked_by: application"

    host: Annotated[
        str,
        Opt(
            "Name or address of the mail server.",
            pattern=HOST_PATTERN,
            expects="must be a host name such as `smtp.example.org`, "
            "without `smtp://` and without the port (see `port`)",
        ),
    ]
    port: Annotated[
        int | None,
        Opt(
            "Port. Default: 587, with `security: tls` 465, with `none` 25.",
            minimum=1,
            maximum=65535,
        ),
    ] = None
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Opt("`starttls`: encrypt before anything is said; `tls`: encrypted from the first byte."),
    ] = "starttls"
    username: Annotated[str | None, Opt("User name for the login.")] = None
    password: Annotated[str | None, Opt("Password for the login.", secret=True)] = None
    allow_plaintext_login: Annotated[
        bool, Opt("Log in without encryption, with `security: none`.")
    ] = False
    sender: Annotated[
        str,
        Opt(
            "Address the mails come from.",
            key="from",
            pattern=_ADDRESS,
            expects=_ADDRESS_EXPECTS,
        ),
    ]
    to: Annotated[tuple[Mailbox, ...], Opt("Who gets the mails.", single=True, minimum=1)]
    cc: Annotated[tuple[Mailbox, ...], Opt("Who gets copies.", single=True)] = ()
    bcc: Annotated[tuple[Mailbox, ...], Opt("Who gets copies unseen.", single=True)] = ()
    reply_to: Annotated[
        str | None,
        Opt("Address for answers.", pattern=_ADDRESS, expects=_ADDRESS_EXPECTS),
    ] = None
    subject: Annotated[
        str,
        Opt("Subject; `{levelname}`, `{name}`, `{host}`, `{message}` or any field of a record."),
    ] = "[{levelname}] {name}: {message}"
    max_per_hour: Annotated[int | None, Opt("Most mails per hour.", minimum=1, planned=True)] = None
    local_hostname: Annotated[
        str | None,
        Opt(
            "Name we greet the server with. Default: our address.", pattern=r"[A-Za-z0-9.:\[\]_-]+"
        ),
    ] = None
    tls: Annotated[TlsSpec, Opt("Whom to trust.")] = TlsSpec()

    @property
    def sends_login_in_clear(self) -> bool:
        """Whether the password would cross a network without encryption, which is refused."""
        is_clear = self.security == "none" and not self.allow_plaintext_login
        return bool(self.username) and is_clear and not is_loopback(self.host)

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to subject, line feed, body."""
        template, host = self.subject, os.uname().nodename

        def encode(record: logging.LogRecord) -> bytes:
            subject = _fill(template, record, host)
            return f"{subject}\n{format(record)}".encode("utf-8", "backslashreplace")

        return encode

    def probe(self) -> str:
        """Greet the server, encrypted where the file says so; without the login."""
        from logroute.sinks.smtp import greet

        self.sink().open()
        return greet(**self.server(), login=None)

    def server(self) -> dict[str, Any]:
        """Return where the mail server is and how to talk to it, as `smtp.py` takes it."""
        return {
            "host": self.host,
            "port": self.port or _PORTS[self.security],
            "security": self.security,
            "tls": self.tls,
            "local_hostname": self.local_hostname,
            "timeout": self.timeout,
        }

    def sink(self) -> "EmailSink":
        """Return a sink for the mail server."""
        return EmailSink(self)


def _fill(template: str, record: logging.LogRecord, host: str) -> str:
    """Return `template` with fields looked up by name, and nothing else evaluated."""

    def look_up(found: re.Match[str]) -> str:
        word = found[1]
        if word == "message":
            return message_of(record)
        if word == "host":
            return host
        value = record.__dict__.get(word, found[0])
        try:
            return str(value)
        except Exception as fault:
            return f"<{type(fault).__name__}>"

    return one_line(_FIELD.sub(look_up, template))


class EmailSink:
    """Sends each batch as one mail, in a session of its own."""

    def __init__(self, spec: EmailSpec) -> None:
        """Send as `spec` says."""
        self._spec = spec

    def open(self) -> None:
        """Refuse what would give the password away; sessions are made by `send`."""
        spec = self._spec
        if spec.sends_login_in_clear:
            raise Rejected(
                f"the password would go to {spec.host} in clear; "
                "use `security: starttls`, or set `allow_plaintext_login: true`"
            )

    def send(self, batch: Sequence[bytes]) -> None:
        """Send one mail with all of `batch`."""
        if not batch:
            return
        self.open()
        from logroute.sinks.smtp import Envelope, deliver, to_mail

        spec = self._spec
        subject, body = digest(batch)
        mail = to_mail(
            subject, body, sender=spec.sender, to=spec.to, cc=spec.cc, reply_to=spec.reply_to
        )
        deliver(
            Envelope(spec.sender, (*spec.to, *spec.cc, *spec.bcc), mail),
            **spec.server(),
            login=(spec.username, spec.password or "") if spec.username else None,
        )

    def flush(self) -> None:
        """Hold nothing back: the server's answer was awaited."""

    def close(self) -> None:
        """Release nothing: a session ends with its batch."""


def digest(batch: Sequence[bytes]) -> tuple[str, str]:
    """Return the subject and body of the mail that carries `batch`."""
    parts = [payload.decode("utf-8").partition("\n") for payload in batch]
    subject, _, body = parts[0]
    if len(parts) == 1:
        return subject, f"{body}\n"
    bodies = "\n\n".join(part[2] for part in parts)
    return one_line(
        f"{len(parts)} records, first: {subject}"
    ), f"{len(parts)} records\n\n{bodies}\n"
