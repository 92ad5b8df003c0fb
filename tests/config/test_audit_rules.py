"""LR319 and other rules that look at what a route does besides sending on."""

import pytest

from logroute.config.load import load

CONFIG = """\
version: 1
filters: {seldom: {type: throttle, limit: 10, per: 1m}}
handlers:
  out: HANDLER
  log: {type: file, path: /var/log/app.log, rotate: {size: 10MiB, keep: 5}}
root: {level: INFO}
routes:
  - {to: [out, log]OPTIONS}
"""
MAIL = "{type: email, host: mx.example.org, from: a@example.org, to: [b@example.org]}"


def codes(handler, options=", audit: true"):
    text = CONFIG.replace("HANDLER", handler).replace("OPTIONS", options)
    found = load(text, read_secrets=False, advise=True, environ={}).diagnostics
    return {item.code for item in found}


@pytest.mark.parametrize(
    ("handler", "is_told"),
    [
        ("{type: datagram, address: '127.0.0.1:9021'}", True),
        ("{type: syslog, address: '127.0.0.1:514'}", True),
        ("{type: memory, target: log}", True),
        ("{type: 'null'}", True),
        ("{type: syslog, address: 'logs.example.org:6514', tls: {}}", False),
        ("{type: console}", False),
        ("{type: http, url: 'https://logs.example.org/in'}", False),
        ("{class: logging.handlers.MemoryHandler, capacity: 10, target: log}", False),
        (MAIL, False),
    ],
)
def test_audit_needs_an_answer(handler, is_told):
    """Only handlers of ours that never fail are told of."""
    assert ("LR319" in codes(handler)) is is_told


@pytest.mark.parametrize("options", [", audit: false", ", audit: '${AUDIT:-true}'", ""])
def test_audit_that_is_not_sure_is_not_told(options):
    """A route that may not be audited at all is nobody's concern."""
    assert "LR319" not in codes("{type: memory, target: log}", options)


def test_mail_behind_a_throttle_is_meant():
    """A route's filter limits the mails of low levels as one of the handler does."""
    assert "LR806" in codes(MAIL, "")
    assert "LR806" not in codes(MAIL, ", filters: seldom")


def test_audited_route_adds_something():
    """A route that gives what others give, but audited, is no duplicate."""
    second = "}\n  - {match: {level: ERROR}, to: [out]"
    assert "LR309" in codes("{type: console}", second)
    assert "LR309" not in codes("{type: console}", f"{second}, audit: true")
