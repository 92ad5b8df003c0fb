"""The `email` kind: one mail per batch, so that a burst is a digest.

A payload is the subject, a line feed and the body; the session with the mail
server is in `smtp.py`, imported when the first mail goes out.

A mail that is tried again is the same mail, its Message-ID too, and goes only to
those who have not got it yet.
"""

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

from logroute.errors import Rejected, Retryable, TooLarge
from logroute.light import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from logroute.options import Opt
from logroute.records import message_of
from logroute.sinks import Encoder, Format, NetworkSpec, TlsSpec
from logroute.sinks.bounds import bounded
from logroute.sinks.net import HOST_PATTERN, is_loopback, one_line
from logroute.sinks.pace import Pace

if TYPE_CHECKING:
    from email.message import EmailMessage

    from logroute.sinks.smtp import Refusal

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
    max_per_hour: Annotated[
        int | None,
        Opt("Most mails per hour; what comes meanwhile is in the next one.", minimum=1),
    ] = None
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
        short = bounded(format, self.max_record_bytes)

        def encode(record: logging.LogRecord) -> bytes:
            subject = _fill(template, record, host)
            return f"{subject}\n{short(record)}".encode("utf-8", "backslashreplace")

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
    """Sends each batch as one mail, in a session of its own.

    Attributes:
        is_paced: a batch should be all that waits, since mails are rationed.
    """

    def __init__(self, spec: EmailSpec, clock: Callable[[], float] = time.monotonic) -> None:
        """Send as `spec` says."""
        self._spec = spec
        self._pace = Pace(spec.max_per_hour, clock) if spec.max_per_hour else None
        self.is_paced = self._pace is not None
        self._letter: _Letter | None = None
        # Refused recipients of the last mail, so that each is told of once.
        self._told: frozenset[str] = frozenset()

    def pause_s(self) -> float:
        """Return the seconds until the next mail may go (`max_per_hour`); 0: now."""
        return self._pace.wait_s() if self._pace is not None else 0.0

    def open(self) -> None:
        """Refuse what would give the password away; sessions are made by `send`."""
        spec = self._spec
        if spec.sends_login_in_clear:
            raise Rejected(
                f"the password would go to {spec.host} in clear; "
                "use `security: starttls`, or set `allow_plaintext_login: true`"
            )

    def send(self, batch: Sequence[bytes]) -> None:
        """Send one mail with all of `batch`, or all that one mail can hold.

        Raises:
            Rejected: the server refuses it, or has refused some recipients, or
                `batch` is more than a mail holds: what is only counted in it is named.
            Retryable: no connection or a 4xx reply, for the mail or for recipients.
            TooLarge: the server takes no mail of this size.
        """
        if not batch:
            return
        self.open()
        from logroute.sinks.smtp import Envelope, deliver

        spec = self._spec
        letter = self._letter
        if letter is None or not letter.is_about(batch):
            letter = self._letter = self._write(batch)
        try:
            refused = deliver(
                Envelope(spec.sender, letter.owed, letter.mail),
                **spec.server(),
                login=(spec.username, spec.password or "") if spec.username else None,
            )
        except Rejected as fault:
            if letter.is_out:  # others have it: only the last ones do not want it
                self._finish(letter, str(fault))
            self._letter = None
            raise
        except TooLarge as fault:
            self._letter = None
            if len(batch) == 1:
                raise Rejected(str(fault)) from fault
            raise
        if self._pace is not None and not letter.is_out:
            self._pace.spend()
        letter.is_out = True
        self._settle(letter, refused)

    def _write(self, batch: Sequence[bytes]) -> "_Letter":
        from logroute.sinks.smtp import to_mail

        spec = self._spec
        subject, body, shown = digest(batch)
        mail = to_mail(
            subject, body, sender=spec.sender, to=spec.to, cc=spec.cc, reply_to=spec.reply_to
        )
        return _Letter(batch, mail, shown, (*spec.to, *spec.cc, *spec.bcc))

    def _settle(self, letter: "_Letter", refused: "Sequence[Refusal]") -> None:
        """Say what became of a mail that some got."""
        letter.refused += [item for item in refused if not item.is_passing]
        later = [item for item in refused if item.is_passing]
        if later:
            letter.owed = tuple(item.recipient for item in later)
            words = ", ".join(map(str, later))
            raise Retryable(f"{self._spec.host} took the mail, but not yet for {words}")
        names = frozenset(item.recipient for item in letter.refused)
        is_news, self._told = bool(names - self._told), names
        words = ", ".join(map(str, letter.refused))
        self._finish(letter, f"{self._spec.host} took the mail, but not for {words}", is_news)

    def _finish(self, letter: "_Letter", text: str, is_news: bool = True) -> None:
        """End with a mail; raise where there is something to say of it."""
        self._letter = None
        total = len(letter.batch)
        if letter.shown < total:
            text = f"the mail holds {letter.shown} records and only counts {total - letter.shown}"
            raise Rejected(text, which=range(letter.shown, total))
        if is_news:
            raise Rejected(text, delivered=total)

    def flush(self) -> None:
        """Hold nothing back: the server's answer was awaited."""

    def close(self) -> None:
        """Forget the mail that was tried last; a session ends with its batch."""
        self._letter = None


class _Letter:
    """A mail on its way: made once, however often it is tried.

    Attributes:
        batch: the payloads it is about.
        mail: the mail itself.
        shown: how many of `batch` are in it; the others are only counted.
        owed: who has not got it yet.
        refused: who will not get it.
        is_out: whether somebody has got it.
    """

    __slots__ = ("batch", "is_out", "mail", "owed", "refused", "shown")

    def __init__(
        self, batch: Sequence[bytes], mail: "EmailMessage", shown: int, owed: Sequence[str]
    ) -> None:
        self.batch = tuple(batch)
        self.mail = mail
        self.shown = shown
        self.owed = tuple(owed)
        self.refused: list[Refusal] = []
        self.is_out = False

    def is_about(self, batch: Sequence[bytes]) -> bool:
        """Tell whether `batch` is the one it was made of: the same objects, not equal ones."""
        if len(batch) != len(self.batch):
            return False
        return all(ours is theirs for ours, theirs in zip(self.batch, batch, strict=True))


def digest(
    batch: Sequence[bytes], most_records: int = 500, most_bytes: int = 1 << 20
) -> tuple[str, str, int]:
    """Return the subject and body of the mail that carries `batch`, and how many it shows."""
    first = batch[0].decode("utf-8").partition("\n")
    if len(batch) == 1:
        return first[0], f"{first[2]}\n", 1
    shown, size = 1, len(batch[0])
    while shown < min(len(batch), most_records) and size + len(batch[shown]) <= most_bytes:
        size += len(batch[shown])
        shown += 1
    bodies = [payload.partition(b"\n")[2].decode("utf-8") for payload in batch[:shown]]
    if shown < len(batch):
        bodies.append(_count(batch[shown:]))
    subject = one_line(f"{len(batch)} records, first: {first[0]}")
    return subject, f"{len(batch)} records\n\n" + "\n\n".join(bodies) + "\n", shown


def _count(payloads: Sequence[bytes], most: int = 20) -> str:
    """Return a list of what a mail has no room for: how many, by subject."""
    counts = Counter(payload.partition(b"\n")[0] for payload in payloads)
    lines = [f"... and {len(payloads)} more records, which are not in this mail:"]
    lines += [f"{count:7} x {text.decode('utf-8')}" for text, count in counts.most_common(most)]
    if len(counts) > most:
        rest = sum(count for _, count in counts.most_common()[most:])
        lines.append(f"{rest:7} x others")
    return "\n".join(lines)
