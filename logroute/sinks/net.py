"""What networked sinks share: addresses, deadlines, connections, trust.

Everything here runs in the worker that owns the sink, in the middle of one
attempt, and ends by that attempt's deadline. Only looking up a name in the DNS
is bounded by the system's resolver instead.
"""

import time
from collections.abc import Iterable

from logroute.errors import Retryable
from logroute.light import TYPE_CHECKING, Any, NamedTuple
from logroute.native import original
from logroute.options import VEIL

if TYPE_CHECKING:
    import socket
    import ssl

    from logroute.sinks import TlsSpec

__all__ = [
    "ADDRESS_EXPECTS",
    "ADDRESS_PATTERN",
    "AUTHORITY_PATTERN",
    "HOST_PATTERN",
    "Address",
    "Deadline",
    "connect",
    "is_loopback",
    "look_up",
    "one_line",
    "parse_address",
    "reason",
    "scrub",
    "tls_context",
    "wrap_tls",
]

_PORT = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
# Quotes, commas and brackets are slips of the pen; what else a name may be the DNS knows.
_NAME = r"""[^\s/?#@:\\\[\]'",;<>(){}]+"""
#: A host in a URL, and the port where there is one.
AUTHORITY_PATTERN = rf"(?:{_NAME}|\[[0-9A-Fa-f:.]+\])(?::{_PORT})?"
#: A host by itself: a name, or an address without brackets.
HOST_PATTERN = rf"{_NAME}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
#: What `address` options accept, as a whole.
ADDRESS_PATTERN = rf"unix:[^\n]+|(?:{_NAME}|\[[0-9A-Fa-f:.]+\]):{_PORT}"
ADDRESS_EXPECTS = (
    "must be `host:port` such as `localhost:9020`, without `tcp://` or `udp://`, "
    "or `[::1]:port`, or `unix:/path`"
)

# Shortest wait that is still a wait: a timeout of 0 would mean "do not wait".
_LEAST_S = 0.001


class Address(NamedTuple):
    """Where to connect: `host` and `port`, or the `path` of a unix socket."""

    host: str
    port: int
    path: str | None = None

    def __str__(self) -> str:
        """Return the address as files write it."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that `text`, accepted by `ADDRESS_PATTERN`, means."""
    if text.startswith("unix:"):
        return Address("", 0, text[5:])
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]"), int(port))


class Deadline:
    """The end of one attempt, whatever number of steps it takes.

    A peer that answers one byte a second would pass any timeout of single
    reads, so each step waits only for what is left of the whole.
    """

    __slots__ = ("_end", "_seconds")

    def __init__(self, seconds: float) -> None:
        """End `seconds` from now."""
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def restart(self) -> None:
        """Begin the next attempt."""
        self._end = time.monotonic() + self._seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - time.monotonic()
        if left < _LEAST_S:
            raise TimeoutError(f"no answer within {self._seconds:g} s")
        return left


def connect(address: Address, deadline: Deadline) -> "socket.socket":
    """Return a stream connected to `address` before `deadline`.

    Every address of a name gets its share of the time, so that one which
    swallows packets does not hide a good one.

    Raises:
        OSError: none of them can be reached.
    """
    import socket

    if address.path is not None:
        return _connect_one((socket.AF_UNIX, socket.SOCK_STREAM, 0), address.path, deadline.left())
    found = look_up(address, socket.SOCK_STREAM)
    fault: OSError = OSError(f"no address for {address.host}")
    for index, (family, kind, protocol, _, target) in enumerate(found):
        share = deadline.left() / (len(found) - index)
        try:
            return _connect_one((family, kind, protocol), target, share)
        except OSError as refused:
            fault = refused
    raise fault


def look_up(address: Address, kind: int) -> list[tuple[int, int, int, str, object]]:
    """Return what the resolver says of a name, as ``socket.getaddrinfo`` does.

    Raises:
        OSError: it knows no such name, or it can be none.
    """
    # gevent's own would start threads for each of ours, and none can start at exit.
    resolve = original("socket", "getaddrinfo")
    try:
        found: list[Any] = resolve(address.host, address.port, type=kind)
    except UnicodeError:  # two dots in a row, or a part of more than 63 letters
        raise OSError(f"`{one_line(address.host)}` is no name of a host") from None
    return found


def _connect_one(how: tuple[int, int, int], target: object, seconds: float) -> "socket.socket":
    import socket

    sock = socket.socket(*how)
    try:
        sock.settimeout(seconds)
        sock.connect(target)  # type: ignore[arg-type]
    except BaseException:
        sock.close()
        raise
    return sock


def tls_context(spec: "TlsSpec") -> "ssl.SSLContext":
    """Return what `spec` says about encryption and trust.

    Raises:
        Retryable: a certificate file cannot be read; mounted secrets may come late.
    """
    import ssl

    oldest = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    step = f"authorities in `{spec.ca_file}`"
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
        step = f"certificate in `{spec.cert_file}`"
        if spec.cert_file is not None:
            context.load_cert_chain(spec.cert_file, spec.key_file, password=_no_password)
    except (OSError, ValueError) as fault:
        raise Retryable(f"cannot use the {step}: {reason(fault)}") from fault
    context.minimum_version = oldest[spec.min_version]
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_password() -> str:
    """Refuse encrypted keys; OpenSSL would ask for a password on the terminal."""
    raise ValueError("the key is encrypted")


def wrap_tls(
    sock: "socket.socket", context: "ssl.SSLContext", name: str, deadline: Deadline
) -> "ssl.SSLSocket":
    """Return `sock` encrypted, when the peer proved to be `name`; else close it."""
    try:
        sock.settimeout(deadline.left())
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def is_loopback(host: str) -> bool:
    """Tell whether `host` can only be this machine, without asking the DNS."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if not name[:1].isdigit() and ":" not in name:  # no address
        return False
    import ipaddress

    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def reason(fault: BaseException) -> str:
    """Return what went wrong in a few words, without addresses of objects."""
    verify = getattr(fault, "verify_message", None)
    if verify:
        return f"the server's certificate is not trusted: {verify}{_advice(verify)}"
    if getattr(fault, "reason", None) in _NO_TLS:
        return "the server speaks no TLS on this port"
    if isinstance(fault, TimeoutError) and "handshake" in str(fault):  # names a line of OpenSSL's
        return "the TLS handshake timed out"
    text = one_line(str(getattr(fault, "strerror", None) or fault or type(fault).__name__))
    return f"cannot look up the name: {text}" if type(fault).__name__ == "gaierror" else text


#: What OpenSSL calls an answer that is no TLS.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"})


def _advice(verify: str) -> str:
    """Return which option helps where a certificate is not trusted, if one does."""
    words = verify.lower()
    if "expired" in words or "not yet valid" in words:
        return " (renew it there; compare the clocks)"
    if "mismatch" in words:
        return " (see `tls.server_name`)"
    return " (see `tls.ca_file`)"


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` on one line without control characters, cut to `limit`."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    clean = text.strip()
    return clean if len(clean) <= limit else f"{clean[: limit - 3]}..."


def scrub(text: str, secrets: Iterable[str | None]) -> str:
    """Return `text` with every secret veiled: a server may echo what it was sent."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, VEIL)
    return text
