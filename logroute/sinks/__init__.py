"""Sinks: the code that talks to one resource each.

The whole contract is `Sink`: four methods, called by one thread at a time. A
sink knows nothing of queues, levels, retries or routes. A `SinkSpec` describes
one in a file and makes two things from it: an *encoder* (record -> bytes, pure,
run before the record is queued) and the sink.

Adding a kind: one file with its spec and its class, one row in `KINDS`, one
test file.
"""

import logging
from collections.abc import Callable, Sequence

from logroute.framing import Framing, Straight
from logroute.kinds import KindTable
from logroute.light import Annotated, Any, ClassVar, Literal, Protocol
from logroute.options import Duration, Opt, Size, Spec

__all__ = [
    "KINDS",
    "Encoder",
    "Format",
    "NetworkSpec",
    "Sink",
    "SinkSpec",
    "TimeoutSpec",
    "TlsSpec",
    "reads_of",
    "straight_of",
]

#: A record as text; `logging.Formatter.format` is one.
Format = Callable[[logging.LogRecord], str]
#: A record as the payload that waits in a queue. Sinks of other people's
#: handlers take the record itself.
Encoder = Callable[[logging.LogRecord], Any]


def reads_of(format: Format) -> frozenset[str] | None:
    """Return the attributes of a record that `format` reads, as its formatter says."""
    reads: frozenset[str] | None = getattr(getattr(format, "__self__", None), "reads", None)
    return reads


def straight_of(format: Format, framing: Framing | None) -> Straight | None:
    """Return the way past the record to a payload, if the formatter of `format` knows one."""
    make = getattr(getattr(format, "__self__", None), "straight", None)
    return None if make is None or framing is None else make(framing)


class Sink(Protocol):
    """Talks to one resource. One thread at a time calls it; it never blocks for ever.

    Every method may raise `OSError` or `Retryable` (try the same again later) or
    `Rejected` (it will never work). Any other exception counts as `Rejected` for
    the batch. None may log.
    """

    def open(self) -> None:
        """Acquire the resource if that is still to be done; called before each send."""

    def send(self, batch: Sequence[Any]) -> None:
        """Deliver `batch`, payloads made by the spec's encoder, oldest first.

        Returning means that all of it is delivered, as far as the protocol can
        tell. A failure part of the way says how much in `DeliveryError.delivered`.
        """

    def flush(self) -> None:
        """Push out what the sink itself holds back."""

    def close(self) -> None:
        """Release the resource, without talking to a peer; `open` may follow.

        A forked child calls it on what it inherited, so it must not disturb a
        connection that the parent goes on using.
        """


class SinkSpec(Spec):
    """Describes a sink; subclasses add the options of their kind."""

    #: Whether the destination is on a network: decides the defaults of delivery.
    networked: ClassVar[bool] = False
    #: Whether records wait for a digest (mail) instead of going out one by one.
    is_digest: ClassVar[bool] = False
    #: The kind of formatter used where the file names none.
    default_formatter: ClassVar[str] = "text"
    #: The machinery is not there yet; using the kind is an error.
    planned: ClassVar[bool] = False
    #: What a delivered record has survived; see `docs/delivery.md`.
    guarantee: ClassVar[str] = "at_least_once, acked_by: file"

    def encoder(self, format: Format) -> Encoder:
        """Return the pure function that makes the payload of a record."""
        raise NotImplementedError

    def frame(self) -> Framing | None:
        """Return how `encoder` frames a text, where that is all it does; None: it does more."""
        return None

    def reads(self, format: Format) -> frozenset[str] | None:  # noqa: ARG002
        """Return the attributes of a record that `encoder(format)` reads; None: perhaps all.

        stdlib's cheap ones need not be named: name, level, message, times, process.
        """
        return None

    def sink(self) -> Sink:
        """Return a new, unopened sink."""
        raise NotImplementedError


class TimeoutSpec(Spec):
    """How long one attempt may take, as a whole."""

    connect: Annotated[Duration, Opt("Longest time to reach the destination.")] = 5.0
    send: Annotated[Duration, Opt("Longest time for the destination to take one batch.")] = 10.0


class TlsSpec(Spec):
    """Encryption and whom to trust."""

    verify: Annotated[bool, Opt("Check the server's certificate and name.")] = True
    ca_file: Annotated[
        str | None, Opt("PEM file of the authorities to trust instead of the system's.")
    ] = None
    cert_file: Annotated[str | None, Opt("PEM file with our own certificate.")] = None
    key_file: Annotated[str | None, Opt("PEM file with the key of `cert_file`.")] = None
    server_name: Annotated[
        str | None, Opt("Name the certificate must carry, where it is not the host's.")
    ] = None
    min_version: Annotated[Literal["1.2", "1.3"], Opt("Oldest TLS version to accept.")] = "1.2"


class NetworkSpec(SinkSpec):
    """Describes a sink whose destination is on a network."""

    networked: ClassVar[bool] = True
    default_formatter: ClassVar[str] = "json"

    timeout: Annotated[TimeoutSpec, Opt("Limits of one attempt.")] = TimeoutSpec()
    max_record_bytes: Annotated[
        Size,
        Opt("Most bytes of one record; a longer one is cut, and says how long it was."),
    ] = 256 << 10

    def probe(self) -> str:
        """Connect as for a batch, but send nothing; return what was found, in words.

        Raises:
            OSError: the destination cannot be reached (or a `DeliveryError`).
        """
        sink = self.sink()
        try:
            sink.open()
        finally:
            sink.close()
        return "connected"


KINDS: KindTable[SinkSpec] = KindTable(
    {
        "console": "logroute.sinks.console:ConsoleSpec",
        "file": "logroute.sinks.file:FileSpec",
        "email": "logroute.sinks.email:EmailSpec",
        "datagram": "logroute.sinks.datagram:DatagramSpec",
        "socket": "logroute.sinks.socket:SocketSpec",
        "http": "logroute.sinks.http:HttpSpec",
        "syslog": "logroute.sinks.syslog:SyslogSpec",
        "memory": "logroute.sinks.memory:MemorySpec",
        "null": "logroute.sinks.null:NullSpec",
    },
    "logroute.sinks",
    SinkSpec,
)
