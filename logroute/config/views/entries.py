"""Handlers as the rules on networks, secrets and queues see them.

Which kind or class an entry is, where it sends to, and what was written before
variables were put in. Looks up neither names nor modules; runs in whatever thread
loads a config.
"""

import functools
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from logroute.config.nodes import Node
from logroute.config.readers import Path, typed
from logroute.config.views.facts import Facts
from logroute.light import Literal, NamedTuple
from logroute.options import VEIL

__all__ = [
    "ANY_ADDRESSES",
    "Destination",
    "class_of",
    "destinations",
    "handlers",
    "is_given",
    "is_null",
    "kind_of",
    "number_of",
    "of_kind",
    "reach_of",
    "shown_host",
    "split_authority",
    "text_of",
    "written",
]

_PACKAGE = "logging.handlers."
#: Addresses that mean "every address of this host" to a listener.
ANY_ADDRESSES = frozenset({"0.0.0.0", "::", "*"})
# ends of names that no public DNS has
_PRIVATE_ENDS = (
    *(".local", ".internal", ".lan", ".home", ".home.arpa", ".corp", ".intranet", ".private"),
    *(".localdomain", ".svc", ".consul"),
)


class Destination(NamedTuple):
    """Where a handler sends to.

    Attributes:
        handler: its name in the file.
        kind: the kind, or the short name of stdlib's class, such as `SMTPHandler`.
        entry: all that the file says of it.
        path: where the host is written.
        text: how.
        host: the name or address, without brackets; empty where the text has none.
        port: as far as it is written.
    """

    handler: str
    kind: str
    entry: Node
    path: Path
    text: str
    host: str
    port: int | None

    @property
    def is_local(self) -> bool:
        """Whether nothing that is sent leaves this machine."""
        return reach_of(self.host) == "local"

    def at(self, *path: str | int) -> Node | None:
        """Return a node of the entry."""
        return self.entry.at(path)

    def path_of(self, key: str) -> Path:
        """Return the path of an option."""
        return ("handlers", self.handler, key)


class _Known:
    """What many rules ask about handlers, found once as long as the facts live."""

    def __init__(self, facts: Facts) -> None:
        section = facts.section("handlers").items()
        self.handlers = [(name, entry) for name, entry in section if isinstance(entry.value, dict)]
        self.kinds = [kind_of(entry) for _, entry in self.handlers]
        self.destinations = list(_destinations(facts, self.handlers, self.kinds))


_known: WeakKeyDictionary[Facts, _Known] = WeakKeyDictionary()


def _of(facts: Facts) -> _Known:
    known = _known.get(facts)
    if known is None:
        known = _known[facts] = _Known(facts)
    return known


def handlers(facts: Facts) -> Sequence[tuple[str, Node]]:
    """Return every handler that is a mapping."""
    return _of(facts).handlers


def of_kind(facts: Facts, *kinds: str) -> Iterator[tuple[str, Node]]:
    """Yield the handlers of some kinds of ours, or classes of stdlib by their short names."""
    known = _of(facts)
    for item, kind in zip(known.handlers, known.kinds, strict=True):
        if kind in kinds:
            yield item


def kind_of(entry: Node) -> str:
    """Return the kind of a handler, the short name of stdlib's class, or nothing."""
    if "class" not in entry.value and "()" not in entry.value:
        return text_of(entry.at(("type",)))
    name = class_of(entry)
    return name.removeprefix(_PACKAGE) if name.startswith(_PACKAGE) else ""


def class_of(entry: Node) -> str:
    """Return the dotted name of the class or factory that an entry names."""
    return text_of(entry.at(("class",))) or text_of(entry.at(("()",)))


def text_of(node: Node | None) -> str:
    """Return a text that is known here, else nothing."""
    if node is None or node.opaque or not isinstance(node.value, str):
        return ""
    return str(node.value)


def number_of(node: Node | None) -> int | None:
    """Return a whole number that is known here, also one that a variable spells."""
    if node is None or node.opaque:
        return None
    value = typed(node)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_given(node: Node | None) -> bool:
    """Return whether an option has a value, which may not be known here."""
    return node is not None and (node.opaque or bool(node.value))


def is_null(node: Node | None) -> bool:
    """Return whether an option is left out, or said to be nothing."""
    return node is None or (node.value is None and not node.opaque)


# -- where handlers send to


def destinations(facts: Facts) -> Sequence[Destination]:
    """Return where handlers send to, as far as it is known; unix sockets are no hosts."""
    return _of(facts).destinations


def _destinations(
    facts: Facts, handlers: Sequence[tuple[str, Node]], kinds: Sequence[str]
) -> Iterator[Destination]:
    for (name, entry), kind in zip(handlers, kinds, strict=True):
        find = _FINDERS.get(kind)
        if find is None:
            continue
        path: Path = ("handlers", name, _PLACES[kind])
        if isinstance(entry.value.get(path[-1], entry).value, list):
            path = (*path, 0)
        text = text_of(facts.node.at(path))
        if not text or facts.is_broken(path):
            continue
        host, port = find(entry, text)
        yield Destination(name, kind, entry, path, text, host, port)


def _of_email(entry: Node, text: str) -> tuple[str, int | None]:
    return text.strip("[]"), number_of(entry.at(("port",)))


def _of_address(_entry: Node, text: str) -> tuple[str, int | None]:
    return ("", None) if text.startswith("unix:") else split_authority(text)


def _of_url(_entry: Node, text: str) -> tuple[str, int | None]:
    return split_authority(_authority(text))


def _authority(text: str) -> str:
    """Return ``host:port`` of a URL; where stdlib wants a host alone, a URL is a slip."""
    rest = text.partition("://")[2] or text
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]


def _of_mailhost(entry: Node, text: str) -> tuple[str, int | None]:
    mailhost = entry.value["mailhost"]
    host, _ = split_authority(_authority(text))
    return host, number_of(mailhost.at((1,))) if isinstance(mailhost.value, list) else None


def _of_socket(entry: Node, text: str) -> tuple[str, int | None]:
    port = entry.value.get("port")
    if port is None or port.value is None:  # a unix socket
        return "", None
    return split_authority(_authority(text))[0], number_of(port)


def _of_syslog(entry: Node, text: str) -> tuple[str, int | None]:
    address = entry.value["address"]
    if not isinstance(address.value, list):  # a unix socket, whatever it looks like
        return "", None
    return split_authority(_authority(text))[0], number_of(address.at((1,)))


#: The option that says where to.
_PLACES = {
    "email": "host",
    "datagram": "address",
    "socket": "address",
    "syslog": "address",
    "http": "url",
    "SMTPHandler": "mailhost",
    "SocketHandler": "host",
    "DatagramHandler": "host",
    "HTTPHandler": "host",
    "SysLogHandler": "address",
}
_FINDERS = {
    "email": _of_email,
    "datagram": _of_address,
    "socket": _of_address,
    "syslog": _of_address,
    "http": _of_url,
    "SMTPHandler": _of_mailhost,
    "SocketHandler": _of_socket,
    "DatagramHandler": _of_socket,
    "HTTPHandler": _of_url,
    "SysLogHandler": _of_syslog,
}


def split_authority(text: str) -> tuple[str, int | None]:
    """Return host and port of ``host:port``, ``[::1]:port``, or either without the port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None


@functools.lru_cache(maxsize=1000)
def reach_of(host: str) -> Literal["local", "private", "public"]:
    """Tell, without asking the DNS, how far what is sent to `host` travels.

    A name without a dot is one of a private network: a container or a service. No
    host at all is a unix socket.
    """
    from logroute.sinks.net import is_loopback  # few files name hosts

    name = host.strip("[]").lower().rstrip(".")
    if not name or name in ANY_ADDRESSES or is_loopback(name):
        return "local"
    if not name[:1].isdigit() and ":" not in name:
        return _reach_of_name(name)
    import ipaddress

    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return _reach_of_name(name)
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return reach_of(str(mapped))
    return "public" if address.is_global else "private"


def _reach_of_name(name: str) -> Literal["private", "public"]:
    return "private" if "." not in name or name.endswith(_PRIVATE_ENDS) else "public"


def shown_host(facts: Facts, where: Destination) -> str:
    """Return the host as messages show it."""
    from logroute.config.nodes import shown

    return VEIL if facts.view.is_secret(where.path) else shown(where.host)


# -- what was written


def written(facts: Facts, path: Path) -> Node | None:
    """Return what the file itself says at `path`, variables and all.

    A profile counts before what it is laid over; None for what came from another file.
    """
    node = facts.node.at(path)
    if node is None:
        return None
    profiles = facts.original.at(("profiles",))
    names = profiles.value if profiles is not None and isinstance(profiles.value, dict) else ()
    for head in ((), *(("profiles", name) for name in names)):
        found = facts.original.at((*head, *path))
        if found is not None and found.span == node.span:
            return found
    return None
