"""What sinks say of a refusal: the server's words, which option helps, never a secret."""

import base64
import datetime as dt
import errno
import logging.handlers
import os
import socket
import ssl
import threading

import pytest
import trustme

import logroute
from logroute.errors import Rejected, Retryable
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver
from logroute.sinks import TlsSpec
from logroute.sinks.email import EmailSpec
from logroute.sinks.file import FileSink
from logroute.sinks.foreign import ForeignSink
from logroute.sinks.http import HttpSpec
from logroute.sinks.net import reason


def mail(port, **options):
    options = {
        "security": "none",
        "sender": "app@example.org",
        "to": ("ops@example.org",),
    } | options
    EmailSpec(host="127.0.0.1", port=port, **options).sink().send([b"subject\nbody"])


@pytest.mark.parametrize(
    ("command", "reply", "words"),
    [
        ("MAIL", "550 not yours", "550 not yours (about the sender app@example.org)"),
        ("RCPT", "550 unknown", "550 unknown (about the recipient ops@example.org)"),
        ("DATA", "552 too big", "552 too big (about the mail)"),
        ("MAIL", "530 Must issue a STARTTLS command first", "; set `security: starttls`"),
        ("MAIL", "530 Authentication required", "; set `username` and `password`"),
    ],
)
def test_mail_refusal_says_what_of(command, reply, words):
    """The server's words come first, then what they are about, then the option."""
    with SmtpReceiver() as receiver:
        receiver.answer(command, reply)
        with pytest.raises(Rejected) as caught:
            mail(receiver.port)
    assert reply in str(caught.value) and str(caught.value).endswith(words)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        ("AUTH PLAIN", "535 no: AUTH PLAIN ********; see `username` and `password`"),
        ("AUTH LOGIN", "535 no: ********; see `username` and `password`"),
        ("HELP", "the server offers no login; use `security: starttls`"),
    ],
)
def test_echoed_login_is_veiled(offer, words):
    """A server that repeats the encoded password does not get it into the log."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=echo_logins, args=(server, offer))
        thread.start()
        with pytest.raises(Rejected) as caught:
            mail(server.getsockname()[1], username="app", password="hunter2")
        thread.join()
    assert str(caught.value).endswith(words)
    assert base64.b64encode(b"hunter2").decode() not in str(caught.value)


def echo_logins(server, offer):
    peer, _ = server.accept()
    with peer, peer.makefile("rb") as lines:
        peer.sendall(b"220 x\r\n")
        for line in lines:
            if line.upper().startswith(b"EHLO"):
                peer.sendall(f"250-x\r\n250 {offer}\r\n".encode())
            elif line.startswith(b"AUTH LOGIN"):  # its second half is the password
                peer.sendall(b"334 UGFzc3dvcmQ6\r\n")
            elif line.upper().startswith(b"QUIT"):
                peer.sendall(b"221 bye\r\n")
            else:
                peer.sendall(b"535 no: " + line)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "; see `auth`"),
        (404, {}, "; see `url`"),
        (413, {}, "; lower `batch.max_bytes`"),
        (429, {"Retry-After": "120"}, "; it asks to wait 120 s"),
        (302, {"Location": "https://b.example:8443/in?token=hunter2"}, "https://b.example:8443, "),
        (307, {"Location": "/login?token=hunter2"}, "it points to another path there, "),
        (302, {"Location": "http://[::1/hunter2"}, "it points to a malformed address, "),
    ],
)
def test_http_refusal_says_what_helps(status, headers, words):
    """The status, the server's words, the option; of a redirect the host alone."""
    with HttpReceiver() as receiver:
        receiver.answer(status, headers, body=b"because")
        sink = HttpSpec(url=receiver.url).sink()
        with pytest.raises((Rejected, Retryable)) as caught:
            sink.send([b"1"])
        sink.close()
    text = str(caught.value)
    assert f"answered {status}: because; " in text and words in text and "hunter2" not in text


def test_expired_certificate_is_told(tmp_path):
    """Whose fault it is, and that clocks may differ."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    then = {"not_before": dt.datetime(2020, 1, 1), "not_after": dt.datetime(2021, 1, 1)}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", **then).configure_cert(context)
    trust = {"security": "starttls", "tls": TlsSpec(ca_file=str(tmp_path / "ca.pem"))}
    words = r"certificate has expired \(renew it there"
    with SmtpReceiver(starttls=context) as receiver, pytest.raises(Retryable, match=words):
        mail(receiver.port, **trust)


def test_plain_server_is_told_from_tls():
    """OpenSSL's `WRONG_VERSION_NUMBER` is put into words."""
    with HttpReceiver() as receiver:
        sink = HttpSpec(url=receiver.url.replace("http:", "https:")).sink()
        with pytest.raises(Retryable, match="the server speaks no TLS on this port"):
            sink.send([b"1"])
        sink.close()


def test_unknown_host_is_told():
    """The resolver's words say what could not be done."""
    fault = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert reason(fault) == "cannot look up the name: Name or service not known"


def test_forbidden_file_names_the_user(tmp_path, monkeypatch):
    """Who was refused is half of the cure."""

    def refuse(*ignored):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("logroute.sinks.file.os.open", refuse)
    with pytest.raises(Retryable, match=rf"Permission denied \(for user {os.geteuid()}, group"):
        FileSink(str(tmp_path / "app.log")).open()


def test_stdlib_socket_handler_loses_nothing_silently(record):
    """stdlib's SocketHandler drops records without a word; here they are rejected."""
    with TcpReceiver() as receiver:
        host, _, port = receiver.address.rpartition(":")
    handler = logging.handlers.SocketHandler(host, int(port))
    with pytest.raises(Rejected, match="SocketHandler failed: ConnectionError: no connection"):
        ForeignSink(handler).send([record("lost")])
    handler.close()


def test_missing_field_names_the_cure(record):
    """A format with a field that the record lacks says where to give it a value."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(request)s"))
    with pytest.raises(Rejected, match=r"not found in record: 'request'; give it a value in the"):
        ForeignSink(handler).send([record("a")])


@pytest.mark.parametrize(
    ("handler", "place"),
    [
        ("{type: email, host: mx', from: a@b, to: c@d}", "host"),
        ("{type: email, host: smtp://mx, from: a@b, to: c@d}", "host"),
        ("{type: email, host: mx, from: a@b, to: 'c@d, e@f'}", "to"),
        ("{type: http, url: 'http://localhost:port/'}", "url"),
        ("{type: http, url: 'http://localhost:99999/'}", "url"),
        ("{type: http, url: 'https://:8080/'}", "url"),
        ("{type: socket, address: 'tcp://collector:9020'}", "address"),
        ("{type: datagram, address: localhost}", "address"),
    ],
)
def test_slips_of_the_pen_are_refused(handler, place):
    """A wrong address is told by the check, not by the first failed delivery."""
    found = logroute.check(f"version: 1\nhandlers:\n  h: {handler}\nroutes: [{{to: h}}]\n")
    assert [item.message.partition(" of")[0] for item in found] == [f"`{place}`"]
