"""The rules on fallbacks, spools, dead letters, sockets and signals; each handler's guarantee."""

from typing import Any

import pytest

import logroute
from logroute.config.guarantees import guarantee_of, guarantees
from logroute.config.load import load
from logroute.delivery.specs import SpoolSpec
from logroute.errors import ConfigError

WEB = {"type": "http", "url": "https://logs.example.org/in"}
TCP = {"type": "socket", "address": "logs.example.org:9020", "tls": {}}
MAIL = {"type": "email", "host": "smtp.example.org", "from": "a@example.org", "to": "b@example.org"}
SYSLOG = {"type": "syslog", "address": "logs.example.org:514", "transport": "tcp"}
LOG = {"type": "file", "path": "/var/log/shop/app.log"}
BUFFER = {"class": "logging.handlers.MemoryHandler", "capacity": 9, "target": "a"}
LONG = "/run/" + 11 * "0123456789"


def loaded(document: dict[str, Any]) -> Any:
    return load({"version": 1, **document}, environ={}, read_secrets=False, advise=True)


def found(document: dict[str, Any], code: str) -> list[str]:
    items = loaded(document).diagnostics
    return [f"{item.severity.value}: {item.message}" for item in items if item.code == code]


def of(code: str, more: dict[str, Any] | None = None, **handlers: Any) -> list[str]:
    """Return what is found in a file of some handlers, and all else in `more`."""
    return found({"handlers": handlers, "routes": [{"to": list(handlers)}], **(more or {})}, code)


@pytest.mark.parametrize(
    ("handlers", "expected"),
    [
        ({"a": {**WEB, "fallback": "a"}}, ["error: handler `a` hands its records to itself"]),
        (
            {"a": {**WEB, "fallback": "b"}, "b": {**TCP, "fallback": "a"}},
            ["error: the handlers `a`, `b` hand their records to each other in a circle"],
        ),
        (
            {"a": {**WEB, "fallback": "b"}, "b": {"type": "memory", "target": "a"}},
            ["error: the handlers `a`, `b` hand their records to each other in a circle"],
        ),
        (
            {"a": {**WEB, "fallback": "b"}, "b": BUFFER},
            ["warning: the handlers `b`, `a` hand their records to each other in a circle"],
        ),
        ({"a": {**WEB, "fallback": "b"}, "b": {**TCP, "fallback": "c"}, "c": LOG}, []),
        ({"a": {"type": "memory", "target": "b"}, "b": {**WEB, "fallback": "c"}, "c": LOG}, []),
    ],
)
def test_circles_of_fallbacks_are_found(handlers: dict[str, Any], expected: list[str]) -> None:
    """An error is what building refuses, too; all others it takes."""
    assert of("LR208", **handlers) == expected
    document = {"version": 1, "handlers": handlers, "root": {"handlers": list(handlers)}}
    if expected and expected[0].startswith("error"):
        with pytest.raises(ConfigError, match="LR903"):
            logroute.configure(document)
    else:
        assert logroute.configure(document)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (WEB, {**WEB, "compress": "none"}, 1),
        (WEB, {**WEB, "url": "https://logs.example.org/other"}, 0),
        (TCP, {**TCP, "address": "logs.example.net:9020"}, 0),
        (TCP, {**TCP, "address": "LOGS.example.org:9020"}, 1),
        (TCP, {**TCP, "address": "logs.example.org:9021"}, 0),
        (MAIL, MAIL, 1),
        (MAIL, {**MAIL, "to": "c@example.org"}, 0),
        (SYSLOG, {**SYSLOG, "transport": "udp"}, 0),
        (SYSLOG, SYSLOG, 1),
        (SYSLOG, {"type": "syslog"}, 0),
        ({"type": "syslog", "address": "unix:/dev/log"}, {"type": "syslog"}, 0),
        (
            {"type": "syslog", "address": "unix:/dev/log"},
            {"type": "syslog", "address": "unix:/dev//log"},
            1,
        ),
        (WEB, LOG, 0),
        (TCP, {"type": "socket", "address": "${WHERE:-x}:1", "tls": {}}, 0),
    ],
)
def test_fallback_to_the_same_place_is_told(first: Any, second: Any, expected: int) -> None:
    """Where anything tells the two apart, nothing is said."""
    assert len(of("LR811", a={**first, "fallback": "b"}, b=second)) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"fallback": "b"}, 0),
        ({"fallback": "b", "spool": None}, 0),
        ({"spool": {"path": "/var/spool/shop"}}, 0),
        ({"fallback": "b", "spool": {"path": "/var/spool/shop"}}, 1),
    ],
)
def test_fallback_beside_a_spool_is_remarked(more: dict[str, Any], expected: int) -> None:
    """What cannot be delivered waits on the disk, or goes elsewhere."""
    texts = of("LR812", a={**WEB, **more}, b=LOG)
    assert [text.partition(":")[0] for text in texts] == ["info"] * expected


@pytest.mark.parametrize(
    ("handlers", "more", "expected"),
    [
        ({"a": {**WEB, "queue": {"overflow": "spool"}}}, {}, "handler `a` has no `spool`"),
        ({"a": {**LOG, "queue": {"overflow": "spool"}}}, {}, "handler `a` has no `spool`"),
        (
            {"a": {**WEB, "queue": {"overflow": "spool"}, "spool": {"path": "/var/spool/shop"}}},
            {},
            None,
        ),
        (
            {"a": WEB, "b": LOG, "c": {**TCP, "spool": {"path": "/var/spool/shop"}}},
            {"queue": {"overflow": "spool"}},
            "handlers `a`, `b` have no `spool`",
        ),
        (
            {"a": {**LOG, "queue": {"overflow": "block"}}},
            {"queue": {"overflow": "spool"}},
            None,
        ),
    ],
)
def test_overflow_needs_a_spool(handlers: Any, more: Any, expected: str | None) -> None:
    """A queue overflows into a spool that is there; else the file is refused."""
    texts = of("LR813", more, **handlers)
    assert texts == ([f"error: `overflow: spool`, but {expected}"] if expected else [])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/log/shop/app.log", 1),
        ("/var/log/shop/../shop/app.log", 1),
        ("/var/log/shop/dead.jsonl", 0),
        ("${HERE:-}/app.log", 0),
    ],
)
def test_dead_letters_in_a_log_are_told(path: str, expected: int) -> None:
    """The log of a handler is no place for the JSON lines of another one."""
    letters = {**WEB, "dead_letter": {"path": path}}
    assert len(of("LR501", a=letters, b=LOG)) == expected


def test_dead_letters_may_share_a_file() -> None:
    """Each line says whose it is, and is one append."""
    letter = {"dead_letter": {"path": "/var/log/shop/dead.jsonl"}}
    assert of("LR501", a={**WEB, **letter}, b={**TCP, **letter}) == []


@pytest.mark.parametrize(
    ("more", "handlers", "expected"),
    [
        ({"stats": {"socket": LONG}}, {"a": LOG}, 1),
        ({"stats": {"socket": LONG[:107]}}, {"a": LOG}, 0),
        ({"stats": {"socket": LONG[:101] + "-{pid}"}}, {"a": LOG}, 0),
        ({"stats": {"socket": "/run/" + 52 * "é"}}, {"a": LOG}, 1),
        ({}, {"a": {"type": "datagram", "address": f"unix:{LONG}"}}, 1),
        ({}, {"a": {"type": "syslog", "address": f"unix:{LONG[:107]}"}}, 0),
    ],
)
def test_long_socket_paths_are_told(more: Any, handlers: Any, expected: int) -> None:
    """107 bytes are the most that Linux has room for."""
    assert len(of("LR515", more, **handlers)) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"flush_on": ["SIGTERM", "SIGHUP"], "reload": {"signal": "SIGHUP"}}, 1),
        ({"flush_on": "SIGHUP", "reload": {"signal": "SIGHUP"}}, 1),
        ({"flush_on": ["SIGTERM"], "reload": {"signal": "SIGHUP"}}, 0),
        ({"flush_on": ["SIGTERM", "SIGHUP"], "reload": {}}, 0),
        ({"reload": {"signal": "SIGHUP"}}, 0),
    ],
)
def test_signal_with_two_meanings_is_told(more: Any, expected: int) -> None:
    """A reload loses nothing, so nothing need drain before it."""
    assert len(of("LR814", more, a=LOG)) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"transport": "udp", "tls": {}}, ["error: handler `a` has both `transport: udp` and"]),
        ({"transport": "tcp", "tls": {}}, []),
        ({"transport": "udp"}, []),
        ({"transport": "udp", "tls": None}, []),
        ({"address": "unix:/run/x", "tls": {}}, ["error: handler `a` has `tls` over a unix"]),
        ({"address": "unix:/run/x", "tls": {"server_name": "logs.example.org"}}, []),
    ],
)
def test_tls_that_cannot_be_is_refused(entry: dict[str, Any], expected: list[str]) -> None:
    """Datagrams cannot be encrypted, and the server behind a unix socket has no name."""
    texts = of("LR108", a={**SYSLOG, **entry})
    assert [text.startswith(start) for text, start in zip(texts, expected, strict=True)] == [
        True for _ in expected
    ]


@pytest.mark.parametrize(
    ("port", "more", "cure"),
    [
        (514, {"transport": "udp"}, None),
        (514, {"transport": "tcp"}, None),
        (514, {"tls": {}}, "syslog over TLS is at 6514, unless your server says otherwise"),
        (6514, {"tls": {}}, None),
        (6514, {}, "add `tls: {}`"),
        (6514, {"transport": "tcp"}, "add `tls: {}`"),
        (6514, {"transport": "udp"}, "without TLS syslog is at 514"),
        (601, {}, "write `transport: tcp`"),
        (601, {"transport": "udp"}, "write `transport: tcp`"),
        (601, {"transport": "tcp"}, None),
        (5514, {}, None),
    ],
)
def test_ports_of_syslog(port: int, more: dict[str, Any], cure: str | None) -> None:
    """514 is in clear, 6514 encrypted, 601 a stream."""
    entry = {"type": "syslog", "address": f"logs.example.org:{port}", **more}
    items = loaded({"handlers": {"a": entry}, "root": {"handlers": ["a"]}}).diagnostics
    assert [item.help for item in items if item.code == "LR607"] == ([cure] if cure else [])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "console"}, "at_most_once"),
        (LOG, "at_least_once, acked_by: file"),
        (WEB, "at_least_once, acked_by: application"),
        (MAIL, "at_least_once, acked_by: application"),
        (TCP, "at_least_once, acked_by: peer_kernel"),
        (SYSLOG, "at_least_once, acked_by: peer_kernel"),
        ({**SYSLOG, "transport": "udp"}, "at_most_once"),
        ({"type": "memory", "target": "b"}, "at_most_once"),
        ({"type": "null"}, "discarded"),
        ({"class": "logging.StreamHandler"}, "at_most_once"),
    ],
)
def test_guarantees_are_told_by_kind(entry: dict[str, Any], expected: str) -> None:
    """The words are those of docs/delivery.md; syslog's depend on the transport."""
    result = loaded({"handlers": {"a": entry, "b": LOG}, "root": {"handlers": ["a", "b"]}})
    (first, _) = guarantees(result.config, result.node)
    assert first == ("a", entry.get("type", entry.get("class")), expected)


@pytest.mark.parametrize(
    ("spool", "expected"),
    [
        ({}, "at_least_once, spooled, acked_by: application"),
        ({"sync": "always"}, "at_least_once, spooled, acked_by: application"),
        ({"write": "caller"}, "at_least_once(process), acked_by: application"),
        ({"write": "caller", "sync": "batch"}, "at_least_once(host), acked_by: application"),
        ({"write": "caller", "sync": "always"}, "at_least_once(host, sync), acked_by: application"),
    ],
)
def test_spool_adds_to_the_guarantee(spool: dict[str, Any], expected: str) -> None:
    """With a spool that the caller writes, a record survives from the call on."""
    spec = loaded({"handlers": {"a": WEB}, "root": {"handlers": ["a"]}}).config.handlers["a"]
    assert guarantee_of(spec.replace(spool=SpoolSpec(path="/x", **spool))) == expected
