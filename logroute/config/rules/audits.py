"""Audited routes whose handlers cannot tell that a record was lost.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.guarantees import guarantee_of
from logroute.config.model import Foreign, HandlerSpec
from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import Rule, rule
from logroute.config.views.certainty import is_fixed
from logroute.config.views.facts import Facts
from logroute.config.views.wording import first_line
from logroute.diagnostics import Diagnostic, Severity, Span, warning

__all__ = ["ADVICE", "audits_without_proof"]

#: Kinds that deliver at most once, and yet see it when they cannot.
_SEES_FAILURES = frozenset({"console"})


@rule("LR319", Severity.WARNING)
def audits_without_proof(facts: Facts) -> Iterator[Diagnostic]:
    """Find audited routes to handlers that never fail (LR319).

    A route with `audit: true` raises to the program what could not be delivered. A
    datagram that is lost on its way fails nowhere, and a `memory` handler delivers
    nothing until something serious happens, so to these the word promises nothing::

        routes:
          - {match: {logger: shop.audit}, to: metrics, audit: true}

    Name a handler whose destination answers, such as `file`, `http` or `socket`, and
    give the others a route of their own; or remove `audit`.
    """
    for position, node in enumerate(facts.items("routes")):
        audit = node.at(("audit",))
        if audit is None or audit.value is not True or not is_fixed(audit):
            continue
        routes = facts.config.routes or ()
        if facts.is_broken(("routes", position)) or position >= len(routes):
            continue
        names = routes[position].to
        if not names:
            message = "a route to nobody has nothing to audit"
            yield warning("LR319", message, node.keys["audit"], "remove `audit`")
        for name in dict.fromkeys(names):
            spec = facts.config.handlers.get(name)
            reason = None if spec is None else _why_it_never_fails(facts, name, spec)
            if reason is None:
                continue
            place = _place(node, name)
            message = f"`audit` has nothing to tell of handler `{shown(name)}`: {reason}"
            cure = "send what is to be audited to a handler whose destination answers"
            yield warning("LR319", message, place, cure)


def _place(route: Node, handler: str) -> Span:
    """Return where a route names a handler."""
    to = route.at(("to",)) or route
    items = to.value if isinstance(to.value, list) else ()
    return first_line(next((item for item in items if item.value == handler), to))


def _why_it_never_fails(facts: Facts, name: str, spec: HandlerSpec) -> str | None:
    kind = facts.node.at(("handlers", name, "type"))
    if isinstance(spec.sink, Foreign) or facts.is_broken(("handlers", name)) or kind is None:
        return None
    said = guarantee_of(spec)
    if getattr(spec.sink, "is_ring", False):
        return "it keeps records in memory"
    if said == "discarded":
        return "it throws everything away"
    if said == "at_most_once" and kind.value not in _SEES_FAILURES:
        return "nobody acknowledges its datagrams"
    return None


ADVICE: tuple[Rule, ...] = (audits_without_proof,)
