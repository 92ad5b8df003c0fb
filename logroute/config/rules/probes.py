"""Probes: whether the destinations of a config can be reached from here, now.

Only `check --probe` asks. Every handler has a thread of its own, all end within
the same time, and nothing is sent but what a connection takes: no record, no
login, no request.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import Rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, info
from logroute.light import Any, NamedTuple
from logroute.sinks import NetworkSpec, TimeoutSpec

__all__ = ["PROBES", "Answer", "probe_all", "probes"]

#: The keys that say where a destination is.
_PLACES = ("address", "url", "host", "mailhost")
#: Time after the last probe should have ended; a resolver may not keep to it.
_GRACE_S = 1.0


_UNRESOLVED = """Find hosts whose name this host cannot look up (LR612).

Nothing can be delivered to a name that the resolver does not know::

    handlers:
      collector: {type: socket, address: "collektor.example.org:9020", tls: {}}

Correct the name, or teach the resolver. Only `check --probe` looks.
"""

_UNREACHABLE = """Find destinations that cannot be reached from this host (LR613).

`check --probe` connects to each destination, encrypted where the file says so,
and greets mail servers; it sends no record, no login and no request::

    handlers:
      collector: {type: socket, address: "127.0.0.1:9"}

See that the server runs and listens there, and that no firewall is in the
way. UDP gives no answer: there only the name is looked up. `logroute probe`
sends a test record for real.
"""


class Answer(NamedTuple):
    """What became of one probe: `fault` is None where the destination was reached."""

    handler: str
    node: Node
    text: str
    fault: BaseException | None = None


def probes(timeout_s: float) -> tuple[Rule, ...]:
    """Return the probing rules, with `timeout_s` seconds for each destination."""

    def find(facts: Facts) -> Iterator[Diagnostic]:
        for answer in probe_all(facts, timeout_s):
            yield _told(answer)

    return (
        Rule("LR612", Severity.ERROR, _UNRESOLVED),  # the same probe finds both
        Rule("LR613", Severity.ERROR, _UNREACHABLE, find),
    )


def probe_all(facts: Facts, timeout_s: float) -> list[Answer]:
    """Probe every destination that is known, at the same time; in file order."""
    asked: dict[str, Answer] = {}
    threads = []
    for name, node, probe in _destinations(facts, timeout_s):
        asked[name] = Answer(name, node, "", TimeoutError(f"no answer within {timeout_s:g} s"))

        def ask(name: str = name, node: Node = node, probe: Callable[[], str] = probe) -> None:
            try:
                asked[name] = Answer(name, node, probe())
            except Exception as fault:
                asked[name] = Answer(name, node, "", fault)

        threads.append(threading.Thread(target=ask, name=f"probe-{name}", daemon=True))
    for thread in threads:
        thread.start()
    end = time.monotonic() + timeout_s + _GRACE_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return list(asked.values())


def _told(answer: Answer) -> Diagnostic:
    name = shown(answer.handler)
    if answer.fault is None:
        return info("LR613", f"handler `{name}`: {answer.text}", answer.node.span)
    import socket

    from logroute.errors import DeliveryError
    from logroute.sinks.net import reason

    fault = answer.fault
    text = str(fault) if isinstance(fault, DeliveryError) else reason(fault)
    if isinstance(fault, socket.gaierror) or isinstance(fault.__cause__, socket.gaierror):
        cure = "correct the name, or see to it that this host's resolver knows it"
        return error("LR612", f"handler `{name}`: {text}", answer.node.span, cure)
    cure = "see that the server runs, and that nothing on the way blocks it"
    return error("LR613", f"handler `{name}`: {text}", answer.node.span, cure)


def _destinations(facts: Facts, timeout_s: float) -> Iterator[tuple[str, Node, Callable[[], str]]]:
    timeout = TimeoutSpec(connect=timeout_s, send=timeout_s)
    for name, spec in facts.config.handlers.items():
        where: Path = ("handlers", name)
        nodes = (facts.node.at((*where, key)) for key in _PLACES)
        node = next((node for node in nodes if node is not None), None)
        if node is None or _is_unknown(node) or facts.is_broken(where):
            continue
        if isinstance(spec.sink, NetworkSpec) and not spec.sink.planned:
            yield name, node, spec.sink.replace(timeout=timeout).probe
        elif isinstance(spec.sink, Foreign):
            target = _target(spec.sink.entry)
            if target is not None:
                yield name, node, functools.partial(_reach, *target, timeout_s)


def _is_unknown(node: Node) -> bool:
    items = node.value if isinstance(node.value, list) else [node]
    return any(item.opaque for item in items)


def _target(entry: Mapping[str, Any]) -> tuple[str, int, bool] | None:
    """Return host, port, and whether it is UDP, of one of stdlib's handlers."""
    class_ = str(entry.get("class", entry.get("()", ""))).removeprefix("logging.handlers.")
    port: Any = entry.get("port")
    host: Any = entry.get("host")
    if class_ == "SMTPHandler":
        host = entry.get("mailhost")
        host, port = host if isinstance(host, list | tuple) and len(host) == 2 else (host, 25)
    elif class_ == "HTTPHandler" and isinstance(host, str):
        name, _, digits = host.rpartition(":")
        host, port = (name, digits) if digits.isdigit() else (host, 80)
        if port == 80 and entry.get("secure"):
            port = 443
    elif class_ not in ("SocketHandler", "DatagramHandler"):
        return None
    if not isinstance(host, str) or not str(port).isdigit():
        return None
    return host.strip("[]"), int(port), class_ == "DatagramHandler"


def _reach(host: str, port: int, is_datagram: bool, timeout_s: float) -> str:
    if is_datagram:
        import socket

        from logroute.sinks.net import Address, look_up

        look_up(Address(host, port), socket.SOCK_DGRAM)
        return "the name is known; UDP gives no answer"
    from logroute.sinks.net import Address, Deadline, connect

    connect(Address(host, port), Deadline(timeout_s)).close()
    return "connected"


#: For the catalogue.
PROBES: tuple[Rule, ...] = probes(5.0)
