"""The rules on hosts, ports and sizes: what they find, and what they leave alone."""

from typing import Any

import pytest

from logroute.config.load import load
from logroute.config.views.entries import reach_of, split_authority
from logroute.sinks.email import EmailSpec
from logroute.sinks.http import HttpSpec

MAIL = {"type": "email", "host": "smtp.example.org", "from": "a@example.org", "to": "b@example.org"}
SMTP = {"class": "logging.handlers.SMTPHandler", "mailhost": "localhost", "subject": "x"}
SMTP |= {"fromaddr": "a@example.org", "toaddrs": ["b@example.org"]}
SYSLOG = {"class": "logging.handlers.SysLogHandler"}


def found(entry: dict[str, Any], *codes: str, **environ: str) -> list[tuple[str, str]]:
    """Return code and severity of what is found in a handler, of some codes or areas."""
    document = {"version": 1, "handlers": {"it": entry, "console": {"type": "console"}}}
    document |= {"routes": [{"match": {"level": "ERROR"}, "to": ["it", "console"]}]}
    items = load(document, environ=environ, advise=True).diagnostics
    wanted = codes or ("LR6",)
    return [(item.code, item.severity.value) for item in items if item.code.startswith(wanted)]


def codes(entry: dict[str, Any], *of: str, **environ: str) -> list[str]:
    return [code for code, _ in found(entry, *of, **environ)]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *[(host, "local") for host in ("localhost", "127.9.9.9", "::1", "[::1]", "a.localhost.")],
        *[(host, "local") for host in ("", "0.0.0.0", "::", "::ffff:127.0.0.1")],
        *[(host, "private") for host in ("10.1.2.3", "172.16.0.1", "192.168.0.1", "fd00::1")],
        *[(host, "private") for host in ("100.64.0.1", "169.254.1.1", "collector", "a.b.local")],
        *[(host, "private") for host in ("logs.svc.cluster.local", "host.docker.internal")],
        *[(host, "public") for host in ("logs.example.org", "8.8.8.8", "2606:4700::1", "a.io.")],
    ],
)
def test_reach_is_told_from_the_name(host: str, expected: str) -> None:
    """How far records travel is known without a look-up."""
    assert reach_of(host) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("logs.example.org:9020", ("logs.example.org", 9020)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", None)),
        ("::1", ("::1", None)),
        ("host:x", ("host", None)),
        ("host:99999999", ("host", None)),
    ],
)
def test_authority_is_split(text: str, expected: tuple[str, int | None]) -> None:
    """Host and port are told apart, addresses of IPv6 too."""
    assert split_authority(text) == expected


@pytest.mark.parametrize("key", ["host", "port", "from", "security"])
def test_empty_default_is_found_while_the_variable_is_set(key: str) -> None:
    """A blank that hides behind a set variable is found wherever empty is refused."""
    values = {"host": "mx", "port": "25", "from": "a@b.c", "security": "starttls"}
    entry = {**MAIL, key: "${IT:-}"}
    assert codes(entry, "LR602", IT=values[key]) == ["LR602"]


@pytest.mark.parametrize(
    "entry",
    [
        {**MAIL, "username": "${IT:-}", "password": "${IT:-}"},
        {**MAIL, "host": "${IT:-localhost}"},
        {**MAIL, "host": "smtp${IT:-}.example.org"},
        {**MAIL, "subject": "${IT:-}"},
        {**MAIL, "tls": {"ca_file": "${IT:-}"}},
        {"class": "app.Handler", "host": "${IT:-}"},
    ],
)
def test_default_that_may_be_empty_is_left_alone(entry: dict[str, Any]) -> None:
    """Where nothing is as good as something, or nobody knows, nothing is said."""
    assert codes(entry, "LR602", IT="x") == []


def test_empty_default_of_a_class_is_found() -> None:
    """Arguments of the standard library are known, alone and in a pair."""
    for mailhost in ("${IT:-}", ["${IT:-}", 25]):
        assert codes({**SMTP, "mailhost": mailhost}, "LR602") == ["LR602"]


def test_empty_value_is_told_once() -> None:
    """A blank that is refused now is an error, and no warning besides."""
    assert codes({**MAIL, "host": "${IT:-}"}, "LR602", "LR103") == ["LR103"]


@pytest.mark.parametrize(
    "entry",
    [
        {**SMTP, "mailhost": "smtp://localhost"},
        {**SMTP, "mailhost": ["user@localhost", 25]},
        {**SMTP, "mailhost": "local host"},
        {"class": "logging.handlers.HTTPHandler", "host": "http://localhost", "url": "/"},
        {"class": "logging.handlers.HTTPHandler", "host": "localhost/logs", "url": "/"},
        {"class": "logging.handlers.SocketHandler", "host": "localhost:9020", "port": 9020},
        {"type": "socket", "address": "127.0.0.256:9020"},
        {"type": "socket", "address": "logs..local:9020"},
        {**MAIL, "host": "smtp..local"},
    ],
)
def test_odd_host_is_found(entry: dict[str, Any]) -> None:
    """What is more or less than a name or an address is told once."""
    assert codes(entry, "LR603") == ["LR603"]


@pytest.mark.parametrize(
    "entry",
    [
        {**SMTP, "mailhost": "localhost"},
        {**SMTP, "mailhost": "::1"},
        {**SMTP, "mailhost": "%MAIL_HOST%"},
        {**SMTP, "mailhost": "{{ mail_host }}"},
        {"class": "logging.handlers.HTTPHandler", "host": "localhost:8080", "url": "/"},
        {"class": "logging.handlers.SocketHandler", "host": "/run/it.sock", "port": None},
        {**SYSLOG, "address": "/dev/log"},
        {**SYSLOG, "address": ["localhost", 514]},
        {"type": "socket", "address": "my_host.local.:9020"},
        {"type": "socket", "address": "[2001:db8::1]:9020"},
        {"type": "socket", "address": "unix:/run/odd..name"},
        {"type": "http", "url": "http://localhost:8080/a@b?c=d"},
    ],
)
def test_proper_host_is_left_alone(entry: dict[str, Any]) -> None:
    """Names, addresses, pairs, paths of sockets and templates are what they are."""
    assert codes(entry, "LR603") == []


def test_login_in_a_host_is_veiled() -> None:
    """A host with a login in it is shown without the login."""
    entry = {**SMTP, "mailhost": "app:hunter2@smtp.example.org"}
    document = {"version": 1, "handlers": {"it": entry}, "root": {"handlers": ["it"]}}
    items = load(document, environ={}, advise=True).diagnostics
    assert "LR603" in [item.code for item in items]
    assert "hunter2" not in "".join(f"{item.message}{item.help}" for item in items)


@pytest.mark.parametrize(
    ("address", "size", "expected"),
    [
        ("logs.example.org:9", 8192, [("LR604", "warning")]),
        ("logs.example.org:9", None, [("LR604", "info")]),
        ("logs.example.org:9", 1472, []),
        ("[2606:4700::1]:9", 1472, [("LR604", "warning")]),
        ("10.1.2.3:9", 8192, [("LR604", "info")]),
        ("127.0.0.1:9", 65507, []),
        ("unix:/run/it.sock", 65507, []),
    ],
)
def test_datagram_has_room(address: str, size: int | None, expected: list[Any]) -> None:
    """Fragments matter where they travel far, and most where they are asked for."""
    entry = {"type": "datagram", "address": address}
    assert found(entry | ({"max_datagram": size} if size else {}), "LR604") == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("logs.example.org", "warning"), ("10.0.0.1", "info"), ("localhost", None)],
)
def test_pickles_are_found_where_they_travel(host: str, expected: str | None) -> None:
    """Our framing and stdlib's handlers are judged alike, by how far records go."""
    ours = {"type": "socket", "address": f"{host}:9", "framing": "pickle", "tls": {}}
    theirs = {"class": "logging.handlers.SocketHandler", "host": host, "port": 9}
    wanted = [("LR605", expected)] if expected else []
    assert found(ours, "LR605") == found(theirs, "LR605") == wanted
    assert found({**ours, "framing": "newline"}, "LR605") == []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"class": "logging.handlers.HTTPHandler", "host": "localhost", "url": "/"}, 1),
        ({"class": "logging.handlers.SocketHandler", "host": "localhost", "port": 9}, 0),
        (SMTP, 0),
        ({**SMTP, "timeout": None}, 1),
        ({**SYSLOG, "address": ["localhost", 514]}, 0),
        ({**SYSLOG, "address": ["localhost", 514], "socktype": "ext://socket.SOCK_STREAM"}, 1),
        ({**SYSLOG, "address": "/dev/log", "socktype": "ext://socket.SOCK_STREAM"}, 0),
    ],
)
def test_endless_wait_is_found(entry: dict[str, Any], expected: int) -> None:
    """Only what the standard library really leaves without a timeout is told."""
    assert len(found(entry, "LR606")) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**MAIL, "port": 465}, "warning"),
        ({**MAIL, "port": 465, "security": "tls"}, None),
        ({**MAIL, "port": 587}, None),
        ({**MAIL, "port": 587, "security": "tls"}, "warning"),
        ({**MAIL, "port": 25, "security": "tls"}, "warning"),
        ({**MAIL, "port": 25}, None),
        ({**MAIL, "port": 25, "username": "app"}, "info"),
        ({**MAIL, "port": 25, "username": "app", "host": "localhost"}, None),
        ({**MAIL, "port": 993, "security": "tls"}, "warning"),
        ({**MAIL, "port": 2525}, None),
        ({**MAIL, "port": "${PORT:-465}"}, "warning"),
        ({**SMTP, "mailhost": ["localhost", 465]}, "warning"),
        ({**SMTP, "mailhost": ["localhost", 587]}, None),
        ({"type": "http", "url": "http://localhost:443/"}, "warning"),
        ({"type": "http", "url": "https://localhost:80/"}, "warning"),
        ({"type": "http", "url": "https://localhost:443/"}, None),
        ({"type": "http", "url": "https://localhost:8080/"}, None),
        ({"type": "socket", "address": "localhost:6514"}, "warning"),
        ({"type": "socket", "address": "localhost:6514", "tls": {}}, None),
        ({"type": "socket", "address": "localhost:514", "tls": {}}, "warning"),
        ({"type": "socket", "address": "localhost:514"}, None),
        ({"type": "datagram", "address": "localhost:514"}, None),
        ({"type": "datagram", "address": "localhost:6514"}, "warning"),
        ({**SYSLOG, "address": ["localhost", 6514]}, "warning"),
    ],
)
def test_port_is_compared_with_what_is_spoken(entry: dict[str, Any], expected: str | None) -> None:
    """Well-known ports at which something else is spoken are told, all others not."""
    assert found(entry, "LR607") == ([("LR607", expected)] if expected else [])


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("b@example.org", 0),
        ("a@example.org, b@example.org", 0),
        ("a@example.org; b@example.org", 1),
        ("a@example.org b@example.org", 1),
        (["a@example.org", "B <b@example.org>"], 0),
        (["example@localhost"], 0),
        (["root"], 0),
        (["a@b@example.org", "a@", "@example.org", "a b@example.org"], 4),
        ("${OPS_MAIL}", 0),
    ],
)
def test_mail_addresses_are_read(addresses: object, expected: int) -> None:
    """What a local mail server or the standard library understands is left alone."""
    entry = {**SMTP, "toaddrs": addresses}
    assert len(found(entry, "LR609", OPS_MAIL="o@example.org")) == expected


def test_name_without_host_needs_a_local_server() -> None:
    """`root` is an address at this host's mail server, and at no other."""
    entry = {**SMTP, "fromaddr": "root", "mailhost": "smtp.example.org"}
    assert codes(entry, "LR609") == ["LR609"]


def test_unknown_values_are_left_alone() -> None:
    """What a secret file says is not known, and nothing is said about it."""
    secret = "${file:/run/secrets/it}"
    entry = {**MAIL, "host": secret, "port": 465, "security": secret}
    document = {"version": 1, "handlers": {"it": entry}, "routes": [{"to": "it"}]}
    items = load(document, environ={}, read_secrets=False, advise=True).diagnostics
    assert [item.code for item in items if item.code[:3] in ("LR6", "LR7")] == []


def test_rule_and_sink_share_their_condition() -> None:
    """A login in clear is refused by the same words of code that the check asks."""
    mail = EmailSpec(host="mx.example.org", sender="a@b.c", to=("d@e.f",), security="none")
    assert not mail.sends_login_in_clear
    assert mail.replace(username="app").sends_login_in_clear
    assert not mail.replace(username="app", host="localhost").sends_login_in_clear
    web = HttpSpec(url="http://[::1]:80/", headers={"Authorization": "x"})
    assert not web.sends_login_in_clear
    assert web.replace(url="http://logs.example.org?x").sends_login_in_clear
    assert not web.replace(url="https://logs.example.org").sends_login_in_clear
