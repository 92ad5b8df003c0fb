"""Unix sockets and signals: what the system has no room for, or gives two meanings.

Runs in whatever thread loads a config.
"""

import os
from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.rules.rule import Rule, rule
from logroute.config.views.entries import of_kind, text_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, warning

__all__ = ["ADVICE", "tls_without_name"]

#: Most bytes of a unix socket's path on Linux; others have fewer.
_LONGEST = 107


@rule("LR515", Severity.WARNING)
def long_socket_paths(facts: Facts) -> Iterator[Diagnostic]:
    """Find paths of unix sockets that are too long for the system (LR515).

    A file may have a path of 4096 bytes, a unix socket one of 107: nobody can listen
    or connect at a longer one. The application goes on, but `logroute stats` does
    not find it, and a handler delivers nothing::

        handlers:
          agent:
            type: datagram
            address: "unix:/srv/deployments/production/europe-west-1/releases/\
              2026-11-22T20-15-00Z/current/run/shop/agent.sock"

    Use a short one, such as `unix:/run/shop/agent.sock`.
    """
    sites: list[tuple[Path, Node, str]] = []
    path: Path = ("stats", "socket")
    node = facts.node.at(path)
    if node is not None and not facts.is_broken(path):
        sites.append((path, node, text_of(node).replace("{pid}", "1")))
    for name, entry in of_kind(facts, "socket", "datagram", "syslog"):
        path = ("handlers", name, "address")
        node = entry.at(("address",))
        address = text_of(node)
        if node is not None and address.startswith("unix:") and not facts.is_broken(path):
            sites.append((path, node, address.removeprefix("unix:")))
    for path, node, text in sites:
        size = len(os.fsencode(text))
        if size > _LONGEST:
            what = "`socket` of `stats`" if path[0] == "stats" else subject(path)
            message = f"the path in {what} has {size} bytes, and that of a unix socket at most "
            yield warning("LR515", f"{message}{_LONGEST}", node.span, "use a shorter path")


@rule("LR814", Severity.WARNING)
def signals_with_two_meanings(facts: Facts) -> Iterator[Diagnostic]:
    """Find signals that both reload and drain (LR814).

    A signal in `flush_on` drains all queues before it acts, which the main thread
    waits for, up to `shutdown_timeout`. A reload loses nothing anyway, so that the
    one that `reload` names should not be there, too::

        flush_on: [SIGTERM, SIGHUP]
        reload: {signal: SIGHUP}

    Leave it out of `flush_on`, which is for signals that end the program.
    """
    node = facts.node.at(("reload", "signal"))
    drains = facts.node.at(("flush_on",))
    if node is None or drains is None or facts.is_broken(("flush_on",)):
        return
    is_list = isinstance(drains.value, list)
    for index, item in enumerate(drains.value if is_list else [drains]):
        if text_of(item) and text_of(item) == text_of(node):
            from logroute.config.views import fixes  # only for a finding

            path: Path = ("flush_on", index) if is_list else ("flush_on",)
            word = text_of(item)
            message = f"each `{word}` drains all queues, which the main thread waits for, before "
            found = warning(
                "LR814",
                f"{message}it reloads",
                item.span,
                f"leave `{word}` out of `flush_on`; a reload loses nothing",
                fixes.remove(facts, path, is_safe=False),
            )
            yield found._replace(related=(("reloads here", node.span),))
            return


@rule("LR108", Severity.ERROR)
def tls_without_name(facts: Facts) -> Iterator[Diagnostic]:
    """Find `tls` where it cannot be (LR108).

    TLS needs a stream, and the name of the server: datagrams are none, and the
    server behind a unix socket has none::

        handlers:
          central: {type: syslog, address: "logs.example.org:514", transport: udp, tls: {}}

    Keep one of the two.
    """
    for name, entry in of_kind(facts, "syslog", "socket"):
        tls, path = entry.at(("tls",)), ("handlers", name)
        if tls is None or tls.opaque or tls.value is None or facts.is_broken(path):
            continue
        what, transport = subject(path), entry.at(("transport",))
        if text_of(transport) == "udp":
            message = f"{what} has both `transport: udp` and `tls`"
            cure = "keep `tls`, which means TCP, or `transport: udp`, which nobody can encrypt"
            yield error("LR108", message, facts.view.place((*path, "transport"), of_key=True), cure)
        elif _is_unix(entry) and entry.at(("tls", "server_name")) is None:
            message = f"{what} has `tls` over a unix socket, whose server has no name"
            cure = "leave `tls` out: nothing leaves this machine; or give it a `server_name`"
            yield error("LR108", message, facts.view.place((*path, "tls"), of_key=True), cure)


def _is_unix(entry: Node) -> bool:
    return text_of(entry.at(("address",))).startswith("unix:")


ADVICE: tuple[Rule, ...] = (long_socket_paths, signals_with_two_meanings)
