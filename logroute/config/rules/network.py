"""Networks: hosts, ports and sizes that hardly work.

Nothing is looked up and nobody connected to: what a name or a port means is told
from its text. Runs in whatever thread loads a config.
"""

import re
from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.blanks import blanks
from logroute.config.rules.ports import port_mismatches
from logroute.config.rules.rule import rule
from logroute.config.views.entries import (
    ANY_ADDRESSES,
    Destination,
    destinations,
    is_given,
    kind_of,
    number_of,
    of_kind,
    reach_of,
    shown_host,
    text_of,
)
from logroute.config.views.facts import Facts
from logroute.config.views.fixes import replace
from logroute.diagnostics import Diagnostic, Severity, info, warning
from logroute.options import VEIL
from logroute.patterns import lazy_pattern

__all__ = ["is_stream", "odd_hosts"]

#: What is left of an Ethernet frame of 1500 bytes for a UDP payload, over IPv4 and IPv6.
_ROOM, _ROOM_V6 = 1472, 1452
_MOST_MAIL_ADDRESSES = 1000


@rule("LR602", Severity.WARNING)
def empty_defaults(facts: Facts) -> Iterator[Diagnostic]:
    """Find variables whose default is empty where something is needed (LR602).

    A default is there for the case that the variable is not set. This one makes
    the file load on the machine where it was written; on the next it is refused, for
    a host that is no host, or it loads and delivers nothing::

        handlers:
          mail:
            type: email
            host: "${SMTP_HOST:-}"
            from: app@example.org
            to: [ops@example.org]

    Leave `:-` out, so that the error names the variable that is missing, or give a
    default that works, as in `${SMTP_HOST:-localhost}`.
    """
    for path, node, name in blanks(facts):
        if facts.is_broken(path):
            continue  # it is empty now, which has been told
        message = f"{subject(path)} is empty where `{shown(name)}` is not set"
        cure = "leave `:-` out, so that a missing variable is told by its name, or give a default"
        yield warning(
            "LR602", message, node.span, cure, replace(node, f"${{{name}}}", is_safe=False)
        )


@rule("LR603", Severity.WARNING)
def odd_hosts(facts: Facts) -> Iterator[Diagnostic]:
    """Find hosts that are more, or less, than the name of a host (LR603).

    The standard library passes them on as they are, and then no host of that name
    is found, at each record::

        handlers:
          mail:
            class: logging.handlers.SMTPHandler
            mailhost: smtp://smtp.example.org
            fromaddr: app@example.org
            toaddrs: [ops@example.org]
            subject: App failed
          collector: {type: socket, address: "logs..example.org:9020", tls: {}}

    Write the name alone, `smtp.example.org`; a port is an option of its own or the
    second item of a list, a path belongs into `url`, a login into `credentials`.
    """
    for where in destinations(facts):
        node = facts.node.at(where.path)
        fault = _fault_of_host(where)
        if fault is None or node is None:
            continue
        secret = facts.view.is_secret(where.path)
        what = VEIL if secret else facts.view.show(where.path).strip("`")
        if "@" in what:
            what = f"{VEIL}@{what.rpartition('@')[2]}"
        message = f"{subject(where.path)} is `{what}`, {fault}"
        cure = "write a name such as `logs.example.org`, or an address"
        if fault != _NO_HOST and not secret:
            cure = _cure_of_host(where)
        yield warning("LR603", message, node.span, cure)


def _fault_of_host(where: Destination) -> str | None:
    """Return why no host of that text is ever found."""
    text = where.text
    if not _TEMPLATE_MARKS.isdisjoint(text) and _TEMPLATE.search(text):
        return None  # not filled in yet, or no variable: LR611
    if not where.host:
        return None  # a unix socket; of a SysLogHandler perhaps by mistake: LR909
    if where.kind in _TAKES_HOSTS:
        if "://" in text:
            return "which has a scheme"
        if "/" in text:
            return "which has a path"
        if "@" in text:
            return "which has a user name"
        if any(char.isspace() for char in text):
            return "which has a space"
        if where.kind in ("SocketHandler", "DatagramHandler") and text.count(":") == 1:
            return "which has a port"  # in a `mailhost`: LR909
    if where.host and not _is_host(where.host):
        return _NO_HOST
    return None


_NO_HOST = "which is no name or address of a host"
_TAKES_HOSTS = ("SMTPHandler", "SocketHandler", "DatagramHandler", "HTTPHandler", "SysLogHandler")
_TEMPLATE = lazy_pattern(r"\$|\{|%[A-Za-z_]|<")
_TEMPLATE_MARKS = frozenset("${%<")


def _is_host(host: str) -> bool:
    """Return whether a name or address can be looked up at all."""
    if ":" in host or host in ANY_ADDRESSES:
        return True
    labels = host.removesuffix(".").split(".")
    if any(not label or len(label) > 63 for label in labels):
        return False
    if not host.replace(".", "").isdigit() or len(labels) != 4:
        return True
    return all(int(label) < 256 for label in labels)


def _cure_of_host(where: Destination) -> str:
    rest = where.text.partition("://")[2] or where.text
    rest = rest.partition("/")[0].rpartition("@")[2].strip()
    host, _, port = rest.partition(":")
    if where.kind == "HTTPHandler":
        secure = ", and `secure: true` beside it" if where.text.startswith("https") else ""
        return f"write `{shown(rest)}`{secure}; the path goes into `url`"
    if where.path[-1] == "mailhost" and port:
        return f"write `[{shown(host)}, {shown(port)}]`"
    return f"write `{shown(host)}`" + (", and the port beside it" if port else "")


@rule("LR604", Severity.WARNING)
def large_datagrams(facts: Facts) -> Iterator[Diagnostic]:
    """Find datagrams larger than what networks carry in one piece (LR604).

    A datagram beyond 1472 bytes (1452 over IPv6) is cut into fragments on most
    networks. If one of them is lost the record is, and many firewalls let none
    through::

        handlers:
          metrics: {type: datagram, address: "metrics.example.org:9021", max_datagram: 8192}

    Write `max_datagram: 1472`: longer records are cut, with a mark at the end. To
    keep them whole, use `type: socket`. Within a private network, and where the
    file leaves the default of 8192, this is a remark only. What UDP cannot carry
    at all, more than 65 507 bytes, is refused (LR104).
    """
    for where in destinations(facts):
        node = where.at("max_datagram")
        if where.kind != "datagram" or where.is_local or (node is not None and node.opaque):
            continue
        path = where.path_of("max_datagram")
        if facts.is_broken(path):
            continue
        size = getattr(facts.config.handlers[where.handler].sink, "max_datagram", 0)
        room = _ROOM_V6 if ":" in where.host else _ROOM
        if size <= room:
            continue
        message = f"records of more than {room} bytes go to `{shown_host(facts, where)}` in "
        message += "fragments, and are lost with any one of them"
        cure = f"write `max_datagram: {room}`, which cuts them, or take `type: socket`"
        is_grave = node is not None and reach_of(where.host) == "public"
        tell = warning if is_grave else info
        fix = None if node is None else replace(node, room, is_safe=False)
        yield tell("LR604", message, facts.view.place(path if node else where.path), cure, fix)


@rule("LR605", Severity.WARNING)
def pickles(facts: Facts) -> Iterator[Diagnostic]:
    """Find records that cross a network as pickles (LR605).

    Whoever reads a pickle runs what is in it. The receiver has to unpickle what
    comes in, so anybody who can reach its port can run code there; and the pickle
    is not encrypted::

        handlers:
          central: {class: logging.handlers.SocketHandler, host: logs.example.org, port: 9020}

    Use `type: socket` with `framing: newline`: each record is a line of JSON. Within
    a private network this is a remark only.
    """
    for where in destinations(facts):
        if where.kind not in ("socket", "SocketHandler", "DatagramHandler") or where.is_local:
            continue
        node, path = facts.node.at(where.path), where.path
        cure = f"use `type: {'datagram' if where.kind == 'DatagramHandler' else 'socket'}`"
        fix = None
        if where.kind == "socket":
            node, path = where.at("framing"), where.path_of("framing")
            if text_of(node) != "pickle":
                continue
            cure = "write `framing: newline`, for lines of JSON"
            fix = replace(node, "newline", is_safe=False) if node else None
        message = f"records go to `{shown_host(facts, where)}` as pickles, "
        message += "and whoever reads a pickle runs what is in it"
        tell = warning if reach_of(where.host) == "public" else info
        yield tell("LR605", message, facts.view.place(path), cure, fix)


@rule("LR606", Severity.WARNING)
def no_timeouts(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers of the standard library that wait without limit (LR606).

    An `HTTPHandler`, and a `SysLogHandler` over TCP, set no timeout. A server that
    accepts the connection and then says nothing stops the handler for ever: the
    application itself where the standard library runs the file, or else the
    handler's thread, whose queue then fills up::

        handlers:
          web:
            class: logging.handlers.HTTPHandler
            host: logs.example.org
            url: /ingest
            method: POST
            secure: true

    Use `type: http`, whose attempts end after `timeout`; for syslog, the daemon of
    this host, with `address: /dev/log`.
    """
    for name, entry in of_kind(facts, "HTTPHandler", "SysLogHandler", "SMTPHandler"):
        path: Path = ("handlers", name)
        timeout = entry.at(("timeout",))
        is_endless = timeout is not None and timeout.value is None and not timeout.opaque
        if kind_of(entry) == "HTTPHandler":
            cure = "use `type: http`, whose attempts end after `timeout`"
            yield _endless(facts, path, "an HTTPHandler", cure)
        elif is_stream(entry) and (timeout is None or is_endless):
            cure = "write `address: /dev/log`, and let the daemon of this host forward"
            yield _endless(facts, path, "a SysLogHandler over TCP", cure)
        elif is_endless and kind_of(entry) == "SMTPHandler":
            cure = "write `timeout: 5.0`"
            yield _endless(facts, (*path, "timeout"), "an SMTPHandler without `timeout`", cure)


def is_stream(entry: Node) -> bool:
    """Return whether a `SysLogHandler` speaks TCP."""
    address, kind = entry.at(("address",)), entry.at(("socktype",))
    is_network = address is not None and isinstance(address.value, list)
    return is_network and (text_of(kind) == "ext://socket.SOCK_STREAM" or number_of(kind) == 1)


def _endless(facts: Facts, path: Path, what: str, cure: str) -> Diagnostic:
    message = f"{subject(path[:2])}: {what} waits for its server without limit"
    return warning("LR606", message, facts.view.place(path, of_key=True), cure)


@rule("LR608", Severity.WARNING)
def any_addresses(facts: Facts) -> Iterator[Diagnostic]:
    """Find destinations that only a listener can have (LR608).

    `0.0.0.0` and `::` mean "every address of this host" to a server that listens.
    As a destination some systems take them for this host, others refuse them::

        handlers:
          collector: {type: socket, address: "0.0.0.0:9020"}

    Write `127.0.0.1:9020` if the receiver is on this host, else its name.
    """
    for where in destinations(facts):
        if where.host in ANY_ADDRESSES:
            message = f"{subject(where.path)} is `{where.host}`, an address for listening only"
            here = "[::1]" if where.host == "::" else "127.0.0.1"
            if where.kind not in ("datagram", "socket", "syslog", "http"):
                here = here.strip("[]")
            cure = f"write `{here}` if the receiver is on this host, else its name"
            yield warning("LR608", message, facts.view.place(where.path), cure)


@rule("LR609", Severity.WARNING)
def odd_mail_addresses(facts: Facts) -> Iterator[Diagnostic]:
    """Find mail addresses that no mail gets to (LR609).

    The standard library looks at them when the first mail goes out, and then the
    mail is lost::

        handlers:
          mail:
            class: logging.handlers.SMTPHandler
            mailhost: smtp.example.org
            fromaddr: app
            toaddrs: "ops@example.org; dev@example.org"
            subject: App failed

    Write whole addresses such as `app@example.org`, and several as a list:
    `[ops@example.org, dev@example.org]`.
    """
    at_home = {item.handler for item in destinations(facts) if reach_of(item.host) != "public"}
    for name, _ in of_kind(facts, "email", "SMTPHandler"):
        base: Path = ("handlers", name)
        for path in _mail_paths(facts, base):
            text = text_of(facts.node.at(path))
            if not text or facts.is_broken(path) or _TEMPLATE.match(text):
                continue
            fault, cure = _fault_of_mail(text, path)
            # a mail server nearby knows its own users
            if fault and not (fault == _NO_AT and name in at_home):
                message = f"{subject(path)} {fault}"
                yield warning("LR609", message, facts.view.place(path), cure)


def _mail_paths(facts: Facts, base: Path) -> Iterator[Path]:
    for key in ("from", "to", "cc", "bcc", "reply_to", "fromaddr", "toaddrs"):
        node = facts.node.at((*base, key))
        if node is not None and isinstance(node.value, list):
            count = min(len(node.value), _MOST_MAIL_ADDRESSES)
            yield from ((*base, key, index) for index in range(count))
        elif is_given(node):
            yield (*base, key)


_NO_AT = "has no `@`"


def _fault_of_mail(text: str, path: Path) -> tuple[str | None, str | None]:
    """Return what is wrong with a mail address, and what would be right."""
    example = "write an address such as `ops@example.org`"
    several = [part.strip() for part in re.split(r"[;\s]+", text) if part.strip()]
    if path[-1] == "toaddrs" and len(several) > 1 and all("@" in part for part in several):
        if any(part.endswith(",") for part in several[:-1]) and ";" not in text:
            return None, None  # `a@x, b@y` in one text works
        addresses = ", ".join(shown(part.strip(",")) for part in several[:10])
        return "has several addresses without commas", f"write `[{addresses}]`"
    bare = text.rpartition("<")[2].rstrip("> ") if "<" in text else text.strip()
    if "@" not in bare:
        return _NO_AT, example
    if "," in bare:
        return None, None
    local, _, domain = bare.rpartition("@")
    if any(char.isspace() for char in bare) or "@" in local.strip('"'):
        return "is not one mail address", example
    if not local or not domain or any(not label for label in domain.split(".")):
        return "is only a part of a mail address", example
    return None, None


ADVICE = (
    empty_defaults,
    odd_hosts,
    large_datagrams,
    pickles,
    no_timeouts,
    port_mismatches,
    any_addresses,
    odd_mail_addresses,
)
