"""The loopback receivers: they keep what comes, and leave nothing behind."""

import builtins
import contextlib
import gc
import http.client
import logging
import smtplib
import socket
import ssl
import struct
import threading
import warnings

import pytest
import trustme

from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver


@pytest.fixture(autouse=True)
def no_thread_stays():
    """Every thread has ended when a receiver's context is left."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("framing", "wire", "frames", "torn"),
    [
        ("newline", b"a\nb\nhalf", [b"a", b"b"], [b"half"]),
        ("length", struct.pack(">L", 2) + b"ab" + struct.pack(">L", 9) + b"x", [b"ab"], [b"x"]),
        ("pickle", struct.pack(">L", 1) + b"N\x00", [b"N"], [b"\x00"]),
        ("octet", b"2 ab3 c\nd9 x", [b"ab", b"c\nd"], [b"x"]),
        ("octet", b"x", [], [b"x"]),
    ],
)
def test_streams_are_taken_apart(framing, wire, frames, torn):
    """Whole frames are received, the end of a broken one is kept apart."""
    with TcpReceiver(framing) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as client:
            client.sendall(wire)
        assert receiver.wait_until(lambda: receiver.torn)
    assert (receiver.received, receiver.torn) == (frames, torn)


def test_open_connections_do_not_hold_up_stop():
    """Leaving the context ends connections that clients keep."""
    with TcpReceiver() as receiver:
        clients = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(3)]
        assert receiver.wait_until(lambda: receiver.connections == 3)
    for client in clients:
        assert client.recv(1) == b""
        client.close()


@pytest.mark.parametrize("kind", [HttpReceiver, TcpReceiver])
def test_connection_that_meets_the_stop_ends_in_silence(kind, capfd):
    """Accepted in the moment of the stop, it is closed, and nothing is printed or a fault."""
    receiver = kind()
    note = receiver._note_connection

    def meet():
        receiver._stopping.set()
        note()

    receiver._note_connection = meet
    receiver.start()
    with socket.create_connection(("127.0.0.1", receiver.port)) as client:
        assert client.recv(1) == b""
    receiver.stop()
    assert receiver.faults == [] and capfd.readouterr().err == ""


def test_port_can_be_taken_again():
    """A server restarts where it was."""
    with TcpReceiver() as first:
        with socket.create_connection(("127.0.0.1", first.port)):
            assert first.wait_until(lambda: first.connections)
        port = first.port
    with TcpReceiver(port=port) as second:
        with socket.create_connection(("127.0.0.1", second.port)) as client:
            client.sendall(b"x\n")
        assert second.wait_for(1)


def test_waiting_in_vain_is_false():
    """`wait_for` tells when nothing came."""
    with TcpReceiver() as receiver:
        assert receiver.wait_for(1, timeout=0.01) is False


def test_datagrams_are_kept():
    """Each datagram is an item, the biggest too."""
    with UdpReceiver() as receiver:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for data in (b"a", b"x" * 65507):
                client.sendto(data, ("127.0.0.1", receiver.port))
        assert receiver.wait_for(2)
    assert [len(item) for item in receiver.received] == [1, 65507]


def test_requests_are_kept_and_answered():
    """200, unless the script says otherwise."""
    with HttpReceiver() as receiver:
        receiver.answer(503, {"Retry-After": "1"}, body=b"later")
        client = http.client.HTTPConnection("127.0.0.1", receiver.port)
        answers = []
        for _ in range(2):
            client.request("PUT", "/x", body=b"data", headers={"X-A": "b"})
            reply = client.getresponse()
            answers.append((reply.status, reply.headers["Retry-After"], reply.read()))
        client.close()
    assert answers == [(503, "1", b"later"), (200, None, b"")]
    request = receiver.received[0]
    assert (request.method, request.path, request.body) == ("PUT", "/x", b"data")
    assert request.headers["x-a"] == "b"


def test_mails_are_kept_quietly(caplog):
    """Envelope and message are kept; the server's own records reach nobody."""
    level = logging.getLogger("mail.log").level
    caplog.set_level(logging.DEBUG)
    with SmtpReceiver() as receiver:
        with smtplib.SMTP("127.0.0.1", receiver.port, local_hostname="me") as client:
            client.sendmail("a@b.c", ["d@e.f"], b"Subject: hi\r\n\r\nbody\r\n")
        assert receiver.wait_for(1)
    (mail,) = receiver.received
    assert (mail.sender, mail.recipients, mail.text) == ("a@b.c", ["d@e.f"], "body\n")
    assert receiver.greetings == ["me"]
    assert [item for item in caplog.records if item.name.startswith("mail")] == []
    assert logging.getLogger("mail.log").level == level


def test_open_mail_session_does_not_hold_up_stop():
    """A client in the middle of a session is cut off."""
    with SmtpReceiver() as receiver:
        client = smtplib.SMTP("127.0.0.1", receiver.port, local_hostname="me")
        client.ehlo()
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        client.noop()
    client.close()


def test_stop_ends_who_was_accepted_just_now():
    """A connection that has no session yet when the receiver stops is closed, not leaked."""
    receiver = SmtpReceiver()
    receiver.start()
    gate = threading.Event()
    receiver._loop.call_soon_threadsafe(gate.wait)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with socket.create_connection(("127.0.0.1", receiver.port)) as client:
            receiver._loop.call_soon_threadsafe(receiver._over.set)  # as `stop` does
            gate.set()
            receiver.stop()
            client.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1000) == b""
            gc.collect()
    assert [str(item.message) for item in told] == []


def test_stop_ends_who_does_not_end_encryption(tmp_path):
    """A client that has quit over TLS, and keeps the connection without a word, is cut off."""
    authority = trustme.CA()
    server, trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), tmp_path / "ca.pem"
    authority.issue_cert("localhost").configure_cert(server)
    authority.cert_pem.write_to_path(trusted)
    context = ssl.create_default_context(cafile=trusted)
    with SmtpReceiver(tls=server) as receiver:
        plain = socket.create_connection(("127.0.0.1", receiver.port), timeout=5)
        encrypted = context.wrap_socket(plain.dup(), server_hostname="localhost")
        encrypted.sendall(b"QUIT\r\n")
        while encrypted.recv(1000):  # until the server has said that it will say no more
            pass
    with plain, encrypted, contextlib.suppress(ConnectionResetError):
        assert plain.recv(1000) == b""


def test_slow_mail_does_not_hold_up_stop():
    """Nor does a mail that is being taken over."""
    with SmtpReceiver(delay_s=60) as receiver:
        client = smtplib.SMTP("127.0.0.1", receiver.port, local_hostname="me")
        client.mail("a@b.c")
        client.rcpt("d@e.f")
        client.docmd("DATA")
        client.send(b"x\r\n.\r\n")
    client.close()
    assert receiver.received == []


def test_taken_port_is_told():
    """A port in use is an error of `start`."""
    with SmtpReceiver() as receiver, pytest.raises(OSError, match="in use"):
        SmtpReceiver(port=receiver.port).start()


def test_missing_aiosmtpd_names_the_extra(monkeypatch):
    """The message says what to install."""
    real = builtins.__import__

    def refuse(name, *args, **options):
        if name.startswith("aiosmtpd"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install logroute\[demo\]"):
        SmtpReceiver().start()
