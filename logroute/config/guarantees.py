"""What a delivered record has survived, by handler, in the words of `docs/delivery.md`.

The kind of a handler says who acknowledges a record; a spool adds what the record
survives on its way there, an audited route that the program is told. Pure; runs in
whatever thread asks.
"""

from collections.abc import Iterator

from logroute.config.model import Config, Foreign, HandlerSpec, NetworkHandlerSpec
from logroute.config.nodes import Node
from logroute.delivery.specs import SpoolSpec
from logroute.light import NamedTuple
from logroute.options import VEIL

__all__ = ["Guarantee", "guarantee_of", "guarantees"]

#: With `write: caller`: what a record survives as soon as the call has returned.
_SURVIVES = {"none": "process", "batch": "host", "always": "host, sync"}
_KIND_KEYS = ("class", "()", "type")


class Guarantee(NamedTuple):
    """One handler and what it promises.

    Attributes:
        name: of the handler.
        type: its kind, or the class that the file names.
        guarantee: the words.
    """

    name: str
    type: str
    guarantee: str


def guarantees(config: Config, node: Node) -> Iterator[Guarantee]:
    """Yield what each handler of `config` promises, in the order of its file `node`."""
    audits: dict[str, list[str]] = {}
    for position, route in enumerate(config.routes or ()):
        for name in dict.fromkeys(route.to) if route.audit else ():
            audits.setdefault(name, []).append(f"routes[{position}]")
    for name, spec in config.handlers.items():
        said = guarantee_of(spec)
        if name in audits:
            said += f"; audited by {', '.join(audits[name])}"
        yield Guarantee(name, _type_of(node.at(("handlers", name))), said)


def guarantee_of(spec: HandlerSpec) -> str:
    """Return what a handler promises, such as ``at_least_once, acked_by: application``."""
    if isinstance(spec.sink, Foreign):
        return "at_most_once"  # what it was given is never sent again
    said = str(spec.sink.guarantee)
    spool = spec.spool if isinstance(spec, NetworkHandlerSpec) else None
    return said if spool is None else _spooled(said, spool)


def _spooled(said: str, spool: SpoolSpec) -> str:
    word, comma, acked_by = said.partition(",")
    if word != "at_least_once":
        return f"{said}, spooled"
    if spool.write != "caller":
        return f"{word}, spooled{comma}{acked_by}"
    return f"{word}({_SURVIVES[spool.sync]}){comma}{acked_by}"


def _type_of(entry: Node | None) -> str:
    found = (entry.at((key,)) for key in _KIND_KEYS) if entry is not None else ()
    node = next((node for node in found if node is not None), None)
    if node is None or node.opaque or not isinstance(node.value, str):
        return ""
    return VEIL if node.secret else node.value
