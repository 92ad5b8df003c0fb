"""The rules on secrets and TLS: what they find, what they leave alone, what they never show."""

import json
from pathlib import Path
from typing import Any

import pytest

from logroute.config.load import load

MAIL = {"type": "email", "host": "smtp.example.org", "from": "a@example.org", "to": "b@example.org"}
SMTP = {"class": "logging.handlers.SMTPHandler", "mailhost": "localhost", "subject": "x"}
SMTP |= {"fromaddr": "a@example.org", "toaddrs": ["b@example.org"]}
WEB = {"type": "http", "url": "https://logs.example.org/"}
SECRET = "correct-horse"


def document(entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    handlers = {"it": entry, "console": {"type": "console"}}
    routes = [{"match": {"level": "ERROR"}, "to": ["it", "console"]}]
    return {"version": 1, "handlers": handlers, "routes": routes, **more}


def found(
    entry: dict[str, Any], *codes: str, environ: dict[str, str] | None = None, **more: Any
) -> list[tuple[str, str]]:
    """Return code and severity of what is found; see to it that no secret is shown."""
    text = json.dumps(document(entry, **more), indent=1)
    items = load(text, environ=environ or {}, read_secrets=False, advise=True).diagnostics
    assert all(SECRET not in f"{item.message} {item.help}" for item in items)
    return [(item.code, item.severity.value) for item in items if item.code in codes]


@pytest.mark.parametrize(
    "entry",
    [
        {**MAIL, "username": "app", "password": SECRET},
        {"class": "app.Handler", "password": 12345},
        {**WEB, "auth": {"bearer": SECRET}},
        {**WEB, "auth": {"username": "app", "password": SECRET}},
        {**WEB, "headers": {"Authorization": f"Bearer {SECRET}"}},
        {**WEB, "headers": {"X-Api-Key": SECRET}},
        {**SMTP, "credentials": ["app", SECRET]},
        {"class": "app.LokiHandler", "apiToken": SECRET},
        {"class": "app.LokiHandler", "auth": {"client_secret": SECRET}},
        {"()": "app.make", "api-key": SECRET},
        {**WEB, "auth": {"bearer": f"${{TOKEN:-{SECRET}}}"}},
    ],
)
def test_secret_in_the_file_is_found(entry: dict[str, Any]) -> None:
    """A literal secret is told once, wherever it stands, and not shown."""
    assert found(entry, "LR701") == [("LR701", "warning")]


@pytest.mark.parametrize(
    "entry",
    [
        {**MAIL, "username": "app", "password": "${PW}"},
        {**MAIL, "username": "app", "password": "${PW:-}"},
        {**MAIL, "username": "app", "password": "${PW:-changeme}"},
        {**MAIL, "username": "app", "password": "${file:/run/secrets/pw}"},
        {**MAIL, "username": "app", "password": "$PW"},
        {**WEB, "headers": {"Authorization": "Bearer ${PW}", "X-Service": "shop"}},
        {**SMTP, "credentials": ["app", "${PW}"]},
        {**SMTP, "credentials": None},
        {"class": "app.Handler", "token": "ext://app.settings.TOKEN"},
        {"class": "app.Handler", "token": "cfg://context.token"},
        {"class": "app.Handler", "password": "", "secret": True, "token": None},
        {"class": "app.Handler", "password": "{{ password }}", "token": "<token>"},
        {"class": "app.Handler", "private_key": "/etc/app/client.key"},
        {"class": "app.Handler", "password_file": SECRET, "token_url": "x", "max_tokens": 5},
        {"class": "app.Handler", "dsn": "https://public@errors.example.org/1"},
    ],
)
def test_secret_from_elsewhere_is_left_alone(entry: dict[str, Any]) -> None:
    """Variables, references, paths and names that only sound alike are no secrets."""
    assert found(entry, "LR701", "LR708", environ={"PW": SECRET}) == []


@pytest.mark.parametrize("place", ["vars", "profiles"])
def test_secret_beside_the_handlers_is_found(place: str) -> None:
    """Variables of the file and overlays hold secrets, too, used or not."""
    more: dict[str, Any] = {"vars": {"smtp_password": SECRET, "region": "eu"}}
    if place == "profiles":
        more = {"profiles": {"prod": {"handlers": {"it": {"password": SECRET}}}}}
    assert found(MAIL, "LR701", **more) == [("LR701", "warning")]


def test_secret_of_the_chosen_profile_is_told_once() -> None:
    """What an overlay lays over a handler is one secret, not two."""
    profiles = {"prod": {"handlers": {"it": {"username": "app", "password": SECRET}}}}
    text = json.dumps(document(MAIL, profiles=profiles), indent=1)
    items = load(text, profile="prod", environ={}, advise=True).diagnostics
    assert [item.code for item in items].count("LR701") == 1


def test_included_secrets_are_judged(tmp_path: Path) -> None:
    """In an included file, too, a literal is told from a variable."""
    top = "version: 1\ninclude: [base.yaml]\nroutes: [{match: {level: ERROR}, to: [a, b]}]\n"
    entry = "{{type: http, url: 'https://a.example.org/', auth: {{bearer: {}}}}}"
    literal, variable = entry.format(SECRET), entry.format('"${TOKEN}"')
    (tmp_path / "top.yaml").write_text(top)
    (tmp_path / "base.yaml").write_text(f"handlers:\n  a: {literal}\n  b: {variable}\n")
    items = load(tmp_path / "top.yaml", environ={"TOKEN": "a-b-c"}, advise=True).diagnostics
    assert [(item.code, item.span.line) for item in items if item.code == "LR701"] == [("LR701", 2)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**WEB, "url": f"https://logs.example.org/?token={SECRET}"}, 1),
        ({**WEB, "url": f"https://logs.example.org/x?a=b&api_key={SECRET}"}, 1),
        ({**WEB, "url": f"https://hooks.slack.com/services/T0/B0/{SECRET}"}, 1),
        ({**WEB, "url": f"https://discord.com/api/webhooks/1/{SECRET}"}, 1),
        ({**WEB, "proxy": f"http://app:{SECRET}@proxy.example.org:3128"}, 1),
        ({"class": "app.Loki", "url": f"https://app:{SECRET}@loki.example.org/"}, 1),
        ({"class": "app.Sentry", "dsn": f"https://a:{SECRET}@errors.example.org/1"}, 1),
        ({**WEB, "url": "https://logs.example.org/?token=${TOKEN}"}, 0),
        ({**WEB, "url": "${URL}"}, 0),
        ({**WEB, "url": "https://logs.example.org/?key=app&stream=main"}, 0),
        ({**WEB, "proxy": "http://app:${TOKEN}@proxy.example.org:3128"}, 0),
        ({**WEB, "proxy": "http://proxy.example.org:3128"}, 0),
        ({"class": "app.Loki", "url": "https://loki.example.org/a:b@c"}, 0),
    ],
)
def test_secrets_in_urls_are_found(entry: dict[str, Any], expected: int) -> None:
    """Logins, tokens and webhooks count where the file itself says them."""
    url = f"https://logs.example.org/?token={SECRET}"
    assert len(found(entry, "LR708", environ={"TOKEN": SECRET, "URL": url})) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**MAIL, "security": "none"}, "warning"),
        (MAIL, None),
        ({**MAIL, "security": "none", "host": "mailhog"}, "info"),
        ({**MAIL, "security": "none", "host": "localhost"}, None),
        ({**WEB, "url": "http://logs.example.org/"}, "warning"),
        ({**WEB, "url": "http://192.168.1.9:8080/"}, "info"),
        ({**WEB, "url": "http://[::1]/"}, None),
        ({"type": "socket", "address": "logs.example.org:9020"}, "warning"),
        ({"type": "socket", "address": "logs.example.org:9020", "tls": {}}, None),
        ({"type": "socket", "address": "unix:/run/it.sock"}, None),
        ({"type": "datagram", "address": "logs.example.org:9"}, "info"),
        (SMTP, None),
        ({**SMTP, "mailhost": "smtp.example.org"}, "warning"),
        ({**SMTP, "mailhost": "smtp.example.org", "secure": []}, "warning"),
        (
            {**SMTP, "mailhost": "smtp.example.org", "secure": [], "credentials": ["a", "${PW:-}"]},
            None,
        ),
        ({"class": "logging.handlers.HTTPHandler", "host": "l.example.org", "url": "/"}, "warning"),
        (
            {
                "class": "logging.handlers.HTTPHandler",
                "host": "l.example.org:8443",
                "url": "/",
                "secure": True,
            },
            None,
        ),
        ({"class": "logging.handlers.SysLogHandler", "address": ["l.example.org", 514]}, "info"),
        ({"class": "logging.handlers.SysLogHandler"}, None),
    ],
)
def test_clear_text_is_found_where_it_travels(entry: dict[str, Any], expected: str | None) -> None:
    """Whether records can be read on the way depends on the kind and the host."""
    assert found(entry, "LR702") == ([("LR702", expected)] if expected else [])


def test_refused_login_is_not_told_twice() -> None:
    """Where a login in clear is an error, that the rest is in clear goes without saying."""
    entry = {**WEB, "url": "http://logs.example.org/", "auth": {"bearer": "${file:/x}"}}
    assert found(entry, "LR702", "LR704") == [("LR704", "error")]
    entry = {**MAIL, "security": "none", "username": "app"}
    assert found(entry, "LR702", "LR704") == [("LR704", "error")]
    entry["allow_plaintext_login"] = True
    assert found(entry, "LR702", "LR704") == [("LR702", "info")]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**WEB, "tls": {"verify": False}}, "warning"),
        ({**WEB, "tls": {"verify": "no"}}, "warning"),
        ({**WEB, "tls": {"verify": True}}, None),
        ({**WEB, "tls": {"verify": "${file:/x}"}}, None),
        ({**WEB, "url": "https://localhost/", "tls": {"verify": False}}, "info"),
        ({"class": "app.Splunk", "host": "splunk", "verify": False}, "warning"),
        ({"class": "app.Splunk", "verify": True}, None),
        (
            {**SMTP, "mailhost": "smtp.example.org", "secure": [], "credentials": ["a", "b"]},
            "info",
        ),
    ],
)
def test_unverified_peer_is_found(entry: dict[str, Any], expected: str | None) -> None:
    """Encryption for anybody is told, ours and that of other people's classes."""
    assert found(entry, "LR703") == ([("LR703", expected)] if expected else [])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**WEB, "tls": {"key_file": "/etc/app/a.key"}}, 1),
        ({**WEB, "tls": {"key_file": "/etc/app/a.key", "cert_file": ""}}, 1),
        ({**WEB, "tls": {"key_file": "/etc/app/a.key", "cert_file": "/etc/app/a.pem"}}, 0),
        ({**WEB, "tls": {"key_file": "/etc/app/a.key", "cert_file": "${file:/x}"}}, 0),
        ({**WEB, "tls": {"cert_file": "/etc/app/both.pem"}}, 0),
        ({**SMTP, "secure": ["/etc/app/a.key"]}, 1),
        ({**SMTP, "secure": []}, 0),
    ],
)
def test_lone_key_is_found(entry: dict[str, Any], expected: int) -> None:
    """A key needs its certificate; one file may hold both."""
    assert len(found(entry, "LR707")) == expected


def test_secret_is_placed_at_its_key() -> None:
    """The marked line says what the value is, so that an excerpt can veil it."""
    text = (
        "version: 1\nhandlers:\n  it:\n    class: logging.handlers.SMTPHandler\n"
        f"    credentials:\n      - app\n      - {SECRET}\nroot: {{handlers: [it]}}\n"
    )
    items = load(text, environ={}, advise=True).diagnostics
    assert [item.span.line for item in items if item.code == "LR701"] == [5]
