"""Ports: those at which something else is spoken than the handler speaks.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views.entries import Destination, destinations, is_given, is_null, text_of
from logroute.config.views.facts import Facts
from logroute.config.views.fixes import add, replace
from logroute.diagnostics import Diagnostic, Fix, Severity, info, warning

__all__ = ["port_mismatches"]

_READING = {110: "POP3", 143: "IMAP", 993: "IMAP", 995: "POP3"}

# what is wrong, what would be right, and the fix
_Fault = tuple[str, str, Fix | None]


@rule("LR607", Severity.WARNING)
def port_mismatches(facts: Facts) -> Iterator[Diagnostic]:
    """Find ports at which the handler does not speak what is spoken there (LR607).

    Both ends then wait for each other until the timeout, or each takes the other's
    first words for nonsense::

        handlers:
          mail:
            type: email
            host: smtp.example.org
            port: 465
            from: app@example.org
            to: [ops@example.org]

    At port 465 mail is encrypted from the first byte: write `security: tls`. At 587
    it is not, and `security: starttls` encrypts after the greeting. Port 25 is for
    mail between servers, which take no logins there; 110, 143, 993 and 995 are for
    reading mail. Web services speak `http://` at port 80 and `https://` at 443;
    syslog has TLS at 6514, none at 514, and no datagrams at 601.
    """
    for where in destinations(facts):
        ask = _ASK.get(where.kind)
        if ask is None or where.port is None:
            continue
        path = _path_of_port(where)
        found = None if facts.is_broken(path) else ask(facts, where)
        if found is not None:
            fault, cure, fix = found
            message = f"{subject(where.path[:2])} uses port {where.port}, {fault}"
            tell = info if fault is _NO_LOGINS else warning
            yield tell("LR607", message, facts.view.place(path), cure, fix)


def _path_of_port(where: Destination) -> Path:
    if where.kind == "email":
        return where.path_of("port")
    if where.path[-1] == 0:  # `[host, port]`
        return (*where.path[:-1], 1)
    return where.path


_NO_LOGINS = "where servers take no logins"


def _of_mail(facts: Facts, where: Destination) -> _Fault | None:
    security = where.at("security")
    if security is not None and security.opaque:
        return None
    spoken = text_of(security) or "starttls"
    path: Path = ("handlers", where.handler)
    if where.port == 465 and spoken != "tls":
        fix = _set(facts, path, "security", security, "tls")
        return "where all is encrypted from the first byte", "write `security: tls`", fix
    if where.port in (25, 587) and spoken == "tls":
        fix = _set(facts, path, "security", security, "starttls")
        return "where the server greets in clear", "write `security: starttls`", fix
    if where.port in _READING:
        return f"which is for reading mail ({_READING[where.port]})", "write `port: 587`", None
    if where.port == 25 and is_given(where.at("username")) and not where.is_local:
        return _NO_LOGINS, "write `port: 587`", None
    return None


def _of_smtp_handler(_facts: Facts, where: Destination) -> _Fault | None:
    if where.port == 465:
        cure = "use `type: email` with `security: tls`; an SMTPHandler begins in clear"
        return "where all is encrypted from the first byte", cure, None
    if where.port in _READING:
        return f"which is for reading mail ({_READING[where.port]})", "write `587`", None
    return None


def _of_url(facts: Facts, where: Destination) -> _Fault | None:
    scheme, _, rest = where.text.partition("://")
    if (scheme, where.port) == ("http", 443):
        node = facts.node.at(where.path)
        fix = replace(node, f"https://{rest}", is_safe=False) if node else None
        return "which is that of https", "write `https://`", fix
    if (scheme, where.port) == ("https", 80):
        return "which is that of http", "leave the port out; https has 443", None
    return None


def _of_web_handler(facts: Facts, where: Destination) -> _Fault | None:
    secure = where.at("secure")
    if where.port == 443 and not is_given(secure):
        fix = add(facts, ("handlers", where.handler), "secure: true", is_safe=False)
        return "which is that of https", "add `secure: true`", fix
    if where.port == 80 and is_given(secure) and secure is not None and not secure.opaque:
        return "which is that of http", "leave the port out", None
    return None


def _of_stream(facts: Facts, where: Destination) -> _Fault | None:
    tls = where.at("tls")
    if where.port == 6514 and is_null(tls):
        fix = add(facts, ("handlers", where.handler), "tls: {}", is_safe=False)
        return "where syslog is spoken over TLS", "add `tls: {}`", fix
    if where.port == 514 and tls is not None and not is_null(tls):
        cure = "syslog over TLS is at 6514, unless your server says otherwise"
        return "where syslog is spoken without TLS", cure, None
    return None


def _of_plain_syslog(_facts: Facts, where: Destination) -> _Fault | None:
    if where.port != 6514:
        return None
    return "where syslog is spoken over TLS", "without TLS syslog is at 514", None


def _of_syslog(facts: Facts, where: Destination) -> _Fault | None:
    transport = where.at("transport")
    if transport is not None and transport.opaque:
        return None
    tls = where.at("tls")
    if text_of(transport) == "udp" or (text_of(transport) != "tcp" and is_null(tls)):
        if where.port != 601:
            found = _of_stream(facts, where) if where.port == 6514 else None
            return found if text_of(transport) != "udp" else _of_plain_syslog(facts, where)
        path: Path = ("handlers", where.handler)
        fix = _set(facts, path, "transport", transport, "tcp")
        return "where syslog is spoken over TCP", "write `transport: tcp`", fix
    return _of_stream(facts, where)


def _set(facts: Facts, path: Path, key: str, node: Node | None, value: str) -> Fix | None:
    """Return the fix that gives an option a value, whether it is there or not."""
    if node is None:
        return add(facts, path, f"{key}: {value}", is_safe=False)
    return replace(node, value, is_safe=False)


_ASK = {
    "email": _of_mail,
    "SMTPHandler": _of_smtp_handler,
    "http": _of_url,
    "HTTPHandler": _of_web_handler,
    "socket": _of_stream,
    "datagram": _of_plain_syslog,
    "syslog": _of_syslog,
    "SysLogHandler": _of_plain_syslog,
}
