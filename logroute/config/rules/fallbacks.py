"""Fallbacks: those that cannot help, and queues that overflow into nothing.

Runs in whatever thread loads a config.
"""

import posixpath
from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.model import NetworkHandlerSpec
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import Rule, rule
from logroute.config.views.entries import Destination, destinations, handlers, is_null, text_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, info, warning

__all__ = ["ADVICE", "overflows_without_spools"]

_SHOWN = 5
#: What tells two destinations of a kind apart, besides host and port.
_MORE = {
    "email": ("to", "username"),
    "syslog": ("transport", "tls"),
    "http": ("url",),
}
_FALLBACK_KINDS = frozenset({"email", "syslog", "http", "socket", "datagram"})


@rule("LR811", Severity.WARNING)
def fallbacks_to_the_same_place(facts: Facts) -> Iterator[Diagnostic]:
    """Find fallbacks that go where their handler cannot deliver (LR811).

    A fallback gets what a handler gives up, and all that comes while its destination
    is down. One that sends to the same server is down with it::

        handlers:
          web: {type: http, url: "https://logs.example.org/in", fallback: web-plain}
          web-plain: {type: http, url: "https://logs.example.org/in", compress: none}

    Name a handler that needs nothing of what has failed, such as a `file`.
    """
    by_name = {where.handler: where for where in destinations(facts)}
    sockets = {name: _unix_address(entry) for name, entry in handlers(facts)}
    for name, entry in handlers(facts):
        node = entry.at(("fallback",))
        other = text_of(node)
        if node is None or not other or other == name or facts.is_broken(("handlers", name)):
            continue
        first, second = by_name.get(name), by_name.get(other)
        is_same = first is not None and second is not None and _is_same(first, second)
        if is_same or (sockets.get(other) and sockets[name] == sockets[other]):
            message = (
                f"handler `{shown(name)}` and its fallback `{shown(other)}` send to the same place"
            )
            cure = "name a handler that works while this one does not, such as a `file`"
            yield warning("LR811", message, node.span, cure)


def _unix_address(entry: Node) -> tuple[str, str] | None:
    """Return kind and path of the unix socket that a handler of ours sends to."""
    kind, address = text_of(entry.at(("type",))), text_of(entry.at(("address",)))
    if kind not in _FALLBACK_KINDS or not address.startswith("unix:"):
        return None
    return kind, posixpath.normpath(address.removeprefix("unix:"))


def _is_same(first: Destination, second: Destination) -> bool:
    """Return whether nothing tells two destinations apart."""
    if first.kind not in _FALLBACK_KINDS or not first.host or first.kind != second.kind:
        return False
    if (first.host.lower(), first.port) != (second.host.lower(), second.port):
        return False
    pairs = ((first.at(key), second.at(key)) for key in _MORE.get(first.kind, ()))
    return all(_says(one) == _says(other) for one, other in pairs)


def _says(node: Node | None) -> object:
    """Return what an option says; what is not known here equals itself only."""
    if node is None or node.opaque:
        return None if node is None else node
    return node.data()


@rule("LR812", Severity.INFO)
def fallbacks_beside_spools(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers with a spool and a fallback for the same records (LR812).

    Both are for what the destination does not take. A `spool` keeps it on the disk,
    for as long as that lasts, and a `fallback` sends it elsewhere, now. Of one record
    only one of the two can have its way::

        handlers:
          web:
            type: http
            url: https://logs.example.org/
            spool: {path: /var/spool/shop}
            fallback: log
          log: {type: file, path: /var/log/shop/app.log}

    Leave out the one that is not meant. To see the records elsewhere as well, name
    both handlers in a route; for what the destination refuses there is `dead_letter`.
    """
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        node = entry.at(("fallback",))
        if node is None or is_null(node) or facts.is_broken(("handlers", name)):
            continue
        if not isinstance(spec, NetworkHandlerSpec) or is_null(entry.at(("spool",))):
            continue
        from logroute.config.views import fixes  # only for a finding

        what = subject(("handlers", name))
        message = f"{what} has a `spool` and a `fallback` for what cannot be delivered"
        cure = "leave out the one that is not meant; for what is refused there is `dead_letter`"
        fix = fixes.remove(facts, ("handlers", name, "fallback"), is_safe=False)
        yield info("LR812", message, node.span, cure, fix)


@rule("LR813", Severity.ERROR)
def overflows_without_spools(facts: Facts) -> Iterator[Diagnostic]:
    """Find queues that overflow into a spool that is not there (LR813).

    With `overflow: spool` a full queue goes on in the handler's `spool`. Without one
    nobody can say what becomes of the records::

        handlers:
          web: {type: http, url: "https://logs.example.org/", queue: {overflow: spool}}

    Give the handler a spool, `spool: {path: /var/spool/shop}`, or write
    `overflow: shed`. Only handlers on a network can have a spool.
    """
    entries = list(facts.section("handlers").items())
    for name, entry in entries:
        path: Path = ("handlers", name, "queue", "overflow")
        if _is_spool(facts, path) and not _has_spool(entry):
            yield _without_spool(facts, path, name)
    if _is_spool(facts, ("queue", "overflow")):
        heirs = [
            name
            for name, entry in entries
            if not _has_spool(entry) and entry.at(("queue", "overflow")) is None
        ]
        if heirs:
            yield _without_spool(facts, ("queue", "overflow"), *heirs)


def _is_spool(facts: Facts, path: Path) -> bool:
    node = facts.node.at(path)
    return text_of(node) == "spool" and not facts.is_broken(path)


def _has_spool(entry: Node) -> bool:
    return isinstance(entry.value, dict) and not is_null(entry.at(("spool",)))


def _without_spool(facts: Facts, path: Path, *names: str) -> Diagnostic:
    listed = ", ".join(f"`{shown(name)}`" for name in names[:_SHOWN])
    listed += f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    is_one = len(names) == 1
    message = f"`overflow: spool`, but handler{'' if is_one else 's'} {listed} "
    message += "has no `spool`" if is_one else "have no `spool`"
    spec = facts.config.handlers.get(names[0])
    cure = "write `overflow: shed`"
    if is_one and not isinstance(spec, NetworkHandlerSpec):
        cure = "write `overflow: block`"  # what is local is never long away
    if is_one and isinstance(spec, NetworkHandlerSpec):
        cure += ", or give it a `spool`"
    elif not is_one:
        cure += ", and `overflow: spool` where a handler has one"
    from logroute.config.views import fixes  # only for a finding

    node = facts.node.at(path)
    right = "block" if "block" in cure else "shed"
    fix = None if node is None else fixes.replace(node, right, is_safe=False)
    return error("LR813", message, facts.view.place(path), cure, fix)


ADVICE: tuple[Rule, ...] = (fallbacks_to_the_same_place, fallbacks_beside_spools)
