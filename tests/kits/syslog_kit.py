"""Strict readers of syslog messages, written from the grammars of the RFCs."""

import re
from typing import Any, NamedTuple

_PRINT = rb"[\x21-\x7e]"
# RFC 5424, section 6: PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP
_HEADER = re.compile(
    rb"<(0|[1-9][0-9]{0,2})>1 "
    rb"(-|[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    rb"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    rb"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])) "
    rb"(" + _PRINT + rb"{1,255}) (" + _PRINT + rb"{1,48}) "
    rb"(" + _PRINT + rb"{1,128}) (" + _PRINT + rb"{1,32}) "
)
_NAME = re.compile(rb"[\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32}")

_OLD = re.compile(
    r"<(0|[1-9][0-9]{0,2})>"
    r"((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?: [1-9]|[12][0-9]|3[01]) "
    r"[0-2][0-9]:[0-5][0-9]:[0-5][0-9])"
    r"(?: ([\x21-\x7e]+))? ([A-Za-z0-9_./-]{1,32})(?:\[([A-Za-z0-9_./-]+)\])?:(?: (.*))?",
    re.DOTALL,
)


class Message(NamedTuple):
    """The parts of an RFC 5424 message; None stands for the NILVALUE."""

    facility: int
    severity: int
    timestamp: str | None
    hostname: str | None
    app_name: str | None
    procid: str | None
    msgid: str | None
    data: dict[str, list[tuple[str, str]]]
    text: str
    has_bom: bool

    @property
    def fields(self) -> dict[str, str]:
        """The one element's fields, of which none may come twice."""
        ((_, pairs),) = self.data.items()
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


def parse(data: bytes) -> Message:
    """Read `data` as RFC 5424 has it; anything else is an error."""
    head = _HEADER.match(data)
    assert head, f"no header: {data[:100]!r}"
    priority = int(head[1])
    assert priority <= 191
    fields = [None if part == b"-" else part.decode("ascii") for part in head.groups()[1:]]
    elements, at = _parse_data(data, head.end())
    rest = data[at:]
    assert rest == b"" or rest[:1] == b" ", f"no blank before the text: {rest[:20]!r}"
    text = rest[1:]
    has_bom = text.startswith(b"\xef\xbb\xbf")
    text = text[3:] if has_bom else text
    return Message(priority // 8, priority % 8, *fields, elements, text.decode("utf-8"), has_bom)


def _parse_data(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    if data[at : at + 1] == b"-":
        return {}, at + 1
    elements: dict[str, list[tuple[str, str]]] = {}
    assert data[at : at + 1] == b"[", f"no structured data: {data[at : at + 20]!r}"
    while data[at : at + 1] == b"[":
        name = _NAME.match(data, at + 1)
        assert name, f"no SD-ID: {data[at : at + 20]!r}"
        assert name[0] not in elements, "an SD-ID must not come twice"
        pairs = elements[name[0].decode()] = []
        at = name.end()
        while data[at : at + 1] == b" ":
            pair, at = _parse_pair(data, at + 1)
            pairs.append(pair)
        assert data[at : at + 1] == b"]", f"the element has no end: {data[at : at + 20]!r}"
        at += 1
    return elements, at


def _parse_pair(data: bytes, at: int) -> tuple[tuple[str, str], int]:
    name = _NAME.match(data, at)
    assert name, f"no PARAM-NAME: {data[at : at + 20]!r}"
    at = name.end()
    assert data[at : at + 2] == b'="', f"no value: {data[at : at + 20]!r}"
    at += 2
    value = bytearray()
    while data[at : at + 1] != b'"':
        char = data[at : at + 1]
        assert char not in (b"", b"]"), f"`{char!r}` stands bare in a value"
        if char == b"\\" and data[at + 1 : at + 2] in (b'"', b"\\", b"]"):
            at += 1
        value += data[at : at + 1]
        at += 1
    return (name[0].decode(), value.decode("utf-8")), at + 1


class OldMessage(NamedTuple):
    """The parts of an RFC 3164 message."""

    facility: int
    severity: int
    timestamp: str
    hostname: str | None
    tag: str
    procid: str | None
    text: str


def parse_old(data: bytes) -> OldMessage:
    """Read `data` as RFC 3164 has it."""
    found = _OLD.fullmatch(data.decode("utf-8"))
    assert found, f"no RFC 3164 message: {data[:100]!r}"
    priority = int(found[1])
    assert priority <= 191
    return OldMessage(priority // 8, priority % 8, *found.groups()[1:5], found[6] or "")
