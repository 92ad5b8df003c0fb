"""One session with a mail server, behind the `email` kind.

Imported when the first mail goes out. `smtplib` speaks the protocol; here each
of its reads and writes waits for what is left of the attempt, since a server
that answers one byte a second never exceeds a timeout of single reads.
"""

import base64
import contextlib
import email.message
import email.policy
import email.utils
import smtplib
import socket
from collections.abc import Iterator, Sequence

from logroute.errors import DeliveryError, Rejected, Retryable, TooLarge
from logroute.light import Any, NamedTuple
from logroute.sinks import TimeoutSpec, TlsSpec
from logroute.sinks.net import (
    Address,
    Deadline,
    connect,
    one_line,
    reason,
    scrub,
    tls_context,
    wrap_tls,
)

__all__ = ["Envelope", "Refusal", "deliver", "greet", "to_mail"]

_PIECE = 1 << 16
# A server that has taken the mail need not be waited for.
_QUIT_S = 1.0
# Old servers take 7-bit text only, and all servers do.
_POLICY = email.policy.SMTP.clone(cte_type="7bit")


class Envelope(NamedTuple):
    """A mail, and between whom it goes."""

    sender: str
    recipients: Sequence[str]
    mail: email.message.EmailMessage


class Refusal(NamedTuple):
    """A recipient that the server did not take, and its words."""

    recipient: str
    code: int
    said: str

    @property
    def is_passing(self) -> bool:
        """Whether it may be taken later."""
        return self.code < 500

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.recipient} ({self.code} {self.said})"


def to_mail(
    subject: str,
    body: str,
    *,
    sender: str,
    to: Sequence[str],
    cc: Sequence[str] = (),
    reply_to: str | None = None,
) -> email.message.EmailMessage:
    """Return a mail that says by RFC 3834 that a machine wrote it."""
    mail = email.message.EmailMessage(policy=_POLICY)
    mail["Subject"] = subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    if cc:
        mail["Cc"] = ", ".join(cc)
    if reply_to:
        mail["Reply-To"] = reply_to
    mail["Date"] = email.utils.format_datetime(email.utils.localtime())
    domain = email.utils.parseaddr(sender)[1].rpartition("@")[2]
    mail["Message-ID"] = email.utils.make_msgid(domain=domain or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail


def deliver(envelope: Envelope, **server: Any) -> list[Refusal]:
    """Hand `envelope` to the server in one session; `server` as for `greet`.

    Returns:
        The recipients that were refused, where the mail went to others.

    Raises:
        Retryable: no connection, no answer in time, or a 4xx reply.
        Rejected: a 5xx reply, or the server cannot do what `security` asks for.
        TooLarge: the server takes no mail of this size.
    """
    with _session(**server) as session:
        return session.transfer(envelope)


def greet(**server: Any) -> str:
    """Begin a session and leave it; return the server's greeting.

    Args:
        **server: host, port, security (``starttls``, ``tls``, ``none``), tls (a
            `TlsSpec`), login (a pair or None), local_hostname, timeout.

    Raises:
        DeliveryError: as for `deliver`.
    """
    with _session(**server) as session:
        return session.greeting


@contextlib.contextmanager
def _session(
    *,
    host: str,
    port: int,
    security: str,
    tls: TlsSpec,
    login: tuple[str, str] | None,
    local_hostname: str | None,
    timeout: TimeoutSpec,
) -> "Iterator[_Session]":
    place = str(Address(host, port))
    with _translated(place, security, login):
        context = tls_context(tls) if security != "none" else None
        session = _Session(local_hostname, timeout)
        try:
            session.begin(Address(host, port), tls, context if security == "tls" else None)
            if security == "starttls":
                assert context is not None
                session.upgrade(context, tls.server_name or host)
            if login is not None:
                session.login(*login)
            yield session
        finally:
            session.leave()


@contextlib.contextmanager
def _translated(place: str, security: str, login: tuple[str, str] | None) -> Iterator[None]:
    """Turn what smtplib raises into what workers understand."""
    try:
        yield
    except DeliveryError:
        raise
    except smtplib.SMTPResponseException as fault:
        raise _refusal(place, fault, security, login) from None
    except smtplib.SMTPServerDisconnected as fault:
        is_late = isinstance(fault.__context__, TimeoutError)
        text = "no answer within the time of `timeout`" if is_late else one_line(str(fault))
        raise Retryable(f"{place}: {text}") from None
    except smtplib.SMTPNotSupportedError as fault:
        text = str(fault)
        if "AUTH" in text:  # many offer it only when encrypted
            text = "the server offers no login"
            text += "; use `security: starttls`" if security == "none" else "; remove `username`"
        raise Rejected(f"{place}: {_clean(text, login)}") from None
    except smtplib.SMTPException as fault:
        raise Rejected(f"{place}: {_clean(str(fault), login)}") from None
    except UnicodeEncodeError:
        text = "user names, passwords and addresses must be ASCII for this server"
        raise Rejected(f"{place}: {text}") from None
    except OSError as fault:
        text = reason(fault)
        if security == "tls" and "no TLS" in text:
            text += "; `security: starttls` encrypts after a greeting in clear"
        raise Retryable(f"{place}: {text}") from fault


_MAIL = "the mail"


class _Refused(smtplib.SMTPResponseException):
    """The server's answer, and what it answers."""

    def __init__(self, code: int, said: bytes, to: str) -> None:
        super().__init__(code, said)
        self.to = to


def _refusal(
    place: str,
    fault: smtplib.SMTPResponseException,
    security: str,
    login: tuple[str, str] | None,
) -> DeliveryError:
    code, said = int(fault.smtp_code), fault.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = f"{place} answered {code} {_clean(text, login)}"
    if isinstance(fault, _Refused):
        text += f" (about {fault.to})"
    text += _advice(code, text, security, login)
    # RFC 1870, 6.1; the same code with 5.2.2 (RFC 3463) is a full mailbox
    if code == 552 and isinstance(fault, _Refused) and fault.to == _MAIL and "5.2.2" not in text:
        return TooLarge(text)
    return Rejected(text) if 500 <= code < 600 else Retryable(text)


def _advice(code: int, said: str, security: str, login: tuple[str, str] | None) -> str:
    """Return which option of the handler the answer asks for (RFC 3207, RFC 4954)."""
    if code == 530 and security == "none" and "tls" in said.lower():
        return "; set `security: starttls`"
    if code == 530 and login is None:
        return "; set `username` and `password`"
    if code in (534, 535) and login is not None:
        return "; see `username` and `password`"
    return ""


def _clean(text: str, login: tuple[str, str] | None) -> str:
    """Return a server's words without the login, in whatever form it was sent."""
    if login is None:
        return one_line(text)
    user, password = login
    sent = (f"\0{user}\0{password}", f"{user}\0{user}\0{password}", password)
    forms = [base64.b64encode(item.encode()).decode() for item in sent if password]
    return one_line(scrub(text, [*forms, password]))


class _Session(smtplib.SMTP):
    """A session whose every step waits for what is left of one deadline."""

    def __init__(self, local_hostname: str | None, timeout: TimeoutSpec) -> None:
        # A name is given, since smtplib would ask the DNS for ours.
        super().__init__(local_hostname=local_hostname or "localhost")
        self.greeting = ""
        self._has_name = local_hostname is not None
        self._connect_s = timeout.connect
        self._whole = Deadline(timeout.connect + timeout.send)

    def begin(self, address: Address, tls: TlsSpec, context: Any) -> None:
        """Connect, encrypted from the start if `context` is given, and greet."""
        deadline = Deadline(self._connect_s)
        self.sock = connect(address, deadline)
        self._host = address.host
        if not self._has_name:
            self.local_hostname = _literal(self.sock)
        if context is not None:
            name = tls.server_name or address.host
            self.sock = wrap_tls(self.sock, context, name, deadline)
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        self.greeting = one_line(said.decode("utf-8", "replace"))
        self.ehlo_or_helo_if_needed()

    def upgrade(self, context: Any, name: str) -> None:
        """Encrypt; a server that cannot is refused, for it may not be the server."""
        if not self.has_extn("starttls"):
            raise Rejected(
                f"{self._host} offers no STARTTLS, and nothing is sent in clear; "
                "set `security: tls` or `none` if that is what it speaks"
            )
        code, said = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        sock, self.sock = self.sock, None
        assert sock is not None
        self.sock = wrap_tls(sock, context, name, self._whole)
        # What was said in clear is forgotten (RFC 3207, 4.2), unread bytes too.
        self.file = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        self.ehlo_or_helo_if_needed()

    def transfer(self, envelope: Envelope) -> list[Refusal]:
        """Send the mail to every recipient that the server takes; return the others."""
        sender = email.utils.parseaddr(envelope.sender)[1]
        targets = [email.utils.parseaddr(item)[1] for item in envelope.recipients]
        policy = _POLICY
        options: list[str] = []
        if not all(text.isascii() for text in (sender, *targets)):
            if not self.has_extn("smtputf8"):
                raise smtplib.SMTPNotSupportedError("addresses must be ASCII for this server")
            policy = _POLICY.clone(utf8=True)
            options = ["SMTPUTF8", "BODY=8BITMIME"]  # RFC 6531
        self._expect(self.mail(sender, options), {250}, f"the sender {sender}")
        replies = [(item, *self.rcpt(item)) for item in targets]
        refused = [reply for reply in replies if reply[1] not in (250, 251)]
        if len(refused) == len(targets):
            # One that may be taken later is reason enough to try them all later.
            target, code, said = min(refused, key=lambda reply: reply[1])
            raise _Refused(code, said, f"the recipient {target}")
        self._expect(self.data(envelope.mail.as_bytes(policy=policy)), {250}, _MAIL)
        names = dict(zip(targets, envelope.recipients, strict=True))
        return [
            Refusal(names[target], code, one_line(said.decode("utf-8", "replace"), 80))
            for target, code, said in refused
        ]

    def _expect(self, reply: tuple[int, bytes], good: set[int], to: str) -> None:
        if reply[0] not in good:
            raise _Refused(*reply, to)

    def leave(self) -> None:
        """Say goodbye if there is a moment, and close."""
        if self.sock is not None and self.file is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._whole = Deadline(min(_QUIT_S, self._left()))
                self.docmd("QUIT")
        self.close()

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's reply, read within what is left."""
        if self.file is None:
            self.file = _Lines(self.sock, self._left)
        return super().getreply()

    def send(self, s: Any) -> None:
        """Write `s` piece by piece, each within what is left."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        view = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        while view:
            self.sock.settimeout(self._left())
            view = view[self.sock.send(view[:_PIECE]) :]

    def _left(self) -> float:
        return self._whole.left()


class _Lines:
    """Reads lines from a socket; what smtplib needs of a file."""

    def __init__(self, sock: Any, left: Any) -> None:
        self._sock = sock
        self._left = left
        self._buffer = bytearray()

    def readline(self, limit: int) -> bytes:
        end = self._buffer.find(b"\n")
        while end < 0 and len(self._buffer) < limit:
            self._sock.settimeout(self._left())
            piece = self._sock.recv(_PIECE)
            if not piece:
                break
            self._buffer += piece
            end = self._buffer.find(b"\n")
        size = min(end + 1 if end >= 0 else len(self._buffer), limit)
        line = bytes(self._buffer[:size])
        del self._buffer[:size]
        return line

    def close(self) -> None:
        """Release nothing: the socket is the session's."""


def _literal(sock: socket.socket) -> str:
    """Return our end's address as RFC 5321, 4.1.3 writes it."""
    host = sock.getsockname()[0]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
