"""The email kind: one mail a batch, encrypted or not at all."""

import logging
import re
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logroute.errors import Rejected, Retryable, TooLarge
from logroute.options import options_of
from logroute.receivers import SmtpReceiver, TcpReceiver
from logroute.sinks import TimeoutSpec, TlsSpec
from logroute.sinks.email import EmailSink, EmailSpec, digest
from logroute.sinks.pace import Pace

TEXT = logging.Formatter("%(message)s").format


@pytest.fixture
def receiver():
    with SmtpReceiver() as made:
        yield made


def make_spec(receiver, **options):
    """Describe a handler that sends to `receiver`."""
    options = {
        "security": "none",
        "sender": "app@example.org",
        "to": ("ops@example.org",),
    } | options
    return EmailSpec(host="127.0.0.1", port=receiver.port, **options)


def send(spec, *payloads):
    sink = spec.sink()
    sink.open()
    sink.send(payloads or [b"a subject\na body"])
    sink.flush()
    sink.close()


def test_one_record_is_a_mail(receiver, record, failed_record):
    """Subject from the template, body from the formatter, tracebacks too."""
    spec = make_spec(receiver)
    send(spec, spec.encoder(TEXT)(failed_record))
    (mail,) = receiver.received
    assert (mail.sender, mail.recipients) == ("app@example.org", ["ops@example.org"])
    assert mail.message["Subject"] == "[WARNING] app: it broke"
    assert "ZeroDivisionError" in mail.message.get_content()
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Message-ID"].endswith("@example.org>") and mail.message["Date"]


def test_batch_is_one_digest(receiver, record):
    """Many records are one mail, all bodies in order."""
    spec = make_spec(receiver)
    encode = spec.encoder(TEXT)
    send(spec, *(encode(record(f"number {index}")) for index in range(3)))
    (mail,) = receiver.received
    assert mail.message["Subject"] == "3 records, first: [WARNING] app: number 0"
    assert mail.text == "3 records\n\nnumber 0\n\nnumber 1\n\nnumber 2\n"


def test_all_recipients_get_it(receiver):
    """Blind copies are in the envelope only."""
    names = {"cc": ("Boss <boss@example.org>",), "bcc": ("log@example.org",)}
    send(make_spec(receiver, reply_to="dev@example.org", **names))
    (mail,) = receiver.received
    assert mail.recipients == ["ops@example.org", "boss@example.org", "log@example.org"]
    assert "log@example.org" not in mail.message.as_string()
    assert (mail.message["Cc"], mail.message["Reply-To"]) == (names["cc"][0], "dev@example.org")


def test_unicode_travels(receiver, record):
    """Subject and body keep any text, in 7-bit mail."""
    spec = make_spec(receiver)
    send(spec, spec.encoder(TEXT)(record("grün 😀 " + "x" * 3000)))
    message = receiver.received[0].message
    assert "grün 😀" in message["Subject"] and "grün 😀 xxx" in message.get_content()
    assert message.as_bytes().isascii()


def test_lines_with_a_dot_survive(receiver):
    """A lone dot does not end the mail."""
    send(make_spec(receiver), b"s\none\n.\ntwo")
    assert receiver.received[0].text == "one\n.\ntwo\n"


def test_subject_forges_no_header(receiver, record):
    """Line breaks of any kind become spaces, and the mail goes out."""
    spec = make_spec(receiver)
    evil = "x\r\nBcc: victim@example.org\u2028y\x85z\x00"
    send(spec, spec.encoder(TEXT)(record(evil)))
    (mail,) = receiver.received
    assert mail.message["Bcc"] is None
    assert "victim@example.org" in mail.message["Subject"]


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("{levelname} {name} {message}", "WARNING app x=1"),
        ("{tenant} {unknown} {levelno}", "acme {unknown} 30"),
        ("{message.__class__} {0} {name!r} {levelno:>200000000}",) * 2,
        ("{odd}", "<ValueError>"),
    ],
)
def test_subject_looks_up_fields_only(record, template, subject):
    """No attribute, index, conversion or width is evaluated."""

    class Odd:
        def __str__(self):
            raise ValueError

    spec = EmailSpec(host="h", sender="a@b", to=("c@d",), subject=template)
    payload = spec.encoder(TEXT)(record("x=%d", 1, tenant="acme", odd=Odd()))
    assert payload.decode().partition("\n")[0] == subject


def test_message_fields_are_not_filled_again(record):
    """A message with braces stays as it is."""
    spec = EmailSpec(host="h", sender="a@b", to=("c@d",), subject="{message}")
    assert spec.encoder(TEXT)(record("{name} ${HOME}")).startswith(b"{name} ${HOME}\n")


def test_long_subject_is_cut(record):
    """200 characters are enough, in a digest too."""
    spec = EmailSpec(host="h", sender="a@b", to=("c@d",))
    payload = spec.encoder(TEXT)(record("x" * 1000))
    assert len(payload.partition(b"\n")[0]) == 200
    assert len(digest([payload, payload])[0]) == 200


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("code", "kind"), [(451, Retryable), (550, Rejected)])
def test_reply_decides_what_follows(receiver, command, code, kind):
    """4xx may work later, 5xx will not; the reply is told."""
    receiver.answer(command, f"{code} because")
    with pytest.raises(kind, match=rf"127.0.0.1:\d+ answered {code} because"):
        send(make_spec(receiver))
    assert receiver.received == []
    send(make_spec(receiver))
    assert len(receiver.received) == 1


@pytest.fixture
def make_sink(receiver):
    """Make sinks that send to `receiver`."""
    return lambda clock=time.monotonic, **options: EmailSink(make_spec(receiver, **options), clock)


TWO = {"to": ("gone@example.org", "ops@example.org")}
BATCH = [b"a subject\na body", b"another\nmore"]


def test_refused_recipient_is_named_once(receiver, make_sink):
    """Fault 46: the others get the mail, and who does not is told of with the first."""
    sink = make_sink(**TWO)
    receiver.answer("RCPT", "550 unknown")
    with pytest.raises(
        Rejected, match=r"took the mail, but not for gone@example.org \(550 unknown"
    ) as caught:
        sink.send(BATCH)
    assert caught.value.delivered == 2
    receiver.answer("RCPT", "550 unknown")
    sink.send(BATCH)
    assert [mail.recipients for mail in receiver.received] == [["ops@example.org"]] * 2
    sink.send(BATCH)
    receiver.answer("RCPT", "550 unknown")
    with pytest.raises(Rejected):  # taken in between, so it is news again
        sink.send(BATCH)


def test_postponed_recipient_is_tried_alone(receiver, make_sink):
    """Fault 46: who answers 4xx gets the same mail later, and nobody gets it twice."""
    sink = make_sink(**TWO)
    receiver.answer("RCPT", "450 greylisted")
    with pytest.raises(Retryable, match=r"but not yet for gone@example.org \(450 greylisted"):
        sink.send(BATCH)
    sink.send(BATCH)
    first, second = receiver.received
    assert (first.recipients, second.recipients) == (["ops@example.org"], ["gone@example.org"])
    assert first.message["Message-ID"] == second.message["Message-ID"]


def test_postponed_and_then_refused(receiver, make_sink):
    """A recipient that ends as refused leaves the batch delivered to the others."""
    sink = make_sink(**TWO)
    receiver.answer("RCPT", "450 greylisted")
    with pytest.raises(Retryable):
        sink.send(BATCH)
    receiver.answer("RCPT", "550 unknown")
    with pytest.raises(Rejected, match="550 unknown") as caught:
        sink.send(BATCH)
    assert caught.value.delivered == len(BATCH)
    sink.send(BATCH[:1])
    assert receiver.received[-1].recipients == list(TWO["to"])


def test_lost_acknowledgement_repeats_the_same_mail(receiver, make_sink):
    """Fault 44: a connection lost behind DATA sends again what receivers can tell as the same."""
    sink = make_sink()
    receiver.hang_up()
    with pytest.raises(Retryable):
        sink.send(BATCH)
    sink.send(BATCH)
    first, second = receiver.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    sink.send(list(map(bytes, map(bytearray, BATCH))))  # equal, but another batch
    assert receiver.received[2].message["Message-ID"] != first.message["Message-ID"]


@pytest.mark.parametrize(
    ("reply", "count", "kind"),
    [
        ("552 5.3.4 too big", 2, TooLarge),
        ("552 5.3.4 too big", 1, Rejected),
        ("552 5.2.2 mailbox full", 2, Rejected),
    ],
)
def test_mail_that_is_too_large_is_halved(receiver, make_sink, reply, count, kind):
    """A digest that the server finds too big may go in parts."""
    receiver.answer("DATA", reply)
    with pytest.raises(kind, match="552"):
        make_sink().send(BATCH[:count])


def test_mails_are_rationed(receiver, make_sink):
    """S16: the sink says when the next mail may go, and a retry is no further mail."""
    now = [0.0]
    sink = make_sink(clock=lambda: now[0], max_per_hour=2, **TWO)
    assert (sink.is_paced, sink.pause_s()) == (True, 0)
    receiver.answer("RCPT", "450 greylisted")
    with pytest.raises(Retryable):
        sink.send(BATCH)
    assert sink.pause_s() == 1800
    sink.send(BATCH)
    assert sink.pause_s() == 1800
    now[0] = 1800.0
    assert sink.pause_s() == 0


def test_unrationed_mails_have_no_pause(make_sink):
    """Without `max_per_hour` nothing is held back."""
    sink = make_sink()
    assert (sink.is_paced, sink.pause_s()) == (False, 0)


@given(st.integers(1, 50), st.lists(st.floats(0, 2000), max_size=200))
def test_no_hour_has_more_mails(most, waits):
    """Whatever the moments, no hour sees more than its share."""
    now, sent = [0.0], []
    pace = Pace(most, lambda: now[0])
    for wait in waits:
        now[0] += wait
        while not pace.wait_s():
            pace.spend()
            sent.append(now[0])
    for index, first in enumerate(sent):
        assert sum(moment < first + 3600 for moment in sent[index:]) <= most


def test_long_digest_is_bounded(receiver, make_sink):
    """What a mail cannot hold is counted in it, by subject, and named to the worker."""
    batch = [b"[ERROR] app: %d\nbody %d" % (n % 30, n) for n in range(1200)]
    with pytest.raises(Rejected, match="holds 500 records and only counts 700") as caught:
        make_sink().send(batch)
    assert (caught.value.which, caught.value.again) == (frozenset(range(500, 1200)), frozenset())
    mail = receiver.received[0]
    assert mail.message["Subject"] == "1200 records, first: [ERROR] app: 0"
    assert mail.text.count("body ") == 500
    tail = mail.text.partition("... and 700 more records, which are not in this mail:\n")[2]
    assert tail.splitlines()[0].strip() == "24 x [ERROR] app: 20"
    assert len(tail.splitlines()) == 21 and "x others" in tail


def test_digest_is_bounded_in_bytes():
    """A mail has one record at least, and few where they are long."""
    assert digest([b"s\n" + b"x" * (2 << 20)] * 3)[2] == 1
    assert digest([b"s\n" + b"x" * (300 << 10)] * 9)[2] == 3


def test_mixed_refusals_are_retryable(receiver):
    """As long as one recipient may be taken later, all are tried later."""
    receiver.answer("RCPT", "550 unknown")
    receiver.answer("RCPT", "450 later")
    with pytest.raises(Retryable, match="450 later"):
        send(make_spec(receiver, to=("gone@example.org", "ops@example.org")))


def test_starttls_is_used(good_tls, trust):
    """The default encrypts, then logs in."""
    with SmtpReceiver(starttls=good_tls, users={"app": "hunter2"}) as receiver:
        send(
            make_spec(receiver, security="starttls", tls=trust, username="app", password="hunter2")
        )
        assert len(receiver.received) == 1
        assert receiver.logins == [("app", "hunter2")]


def test_tls_from_the_first_byte(good_tls, trust):
    """`security: tls` speaks TLS at once."""
    with SmtpReceiver(tls=good_tls, users={"app": "hunter2"}) as receiver:
        send(make_spec(receiver, security="tls", tls=trust, username="app", password="hunter2"))
        assert len(receiver.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_untrusted_server_gets_nothing(bad_tls, trust, security):
    """Neither mail nor password goes to a server that cannot prove its name."""
    options = {"tls" if security == "tls" else "starttls": bad_tls}
    login = {"username": "app", "password": "hunter2"}
    with SmtpReceiver(users={"app": "hunter2"}, **options) as receiver:
        with pytest.raises(Retryable, match="certificate is not trusted"):
            send(make_spec(receiver, security=security, tls=trust, **login))
        assert (receiver.received, receiver.logins) == ([], [])
        assert "MAIL" not in receiver.commands


def test_verification_can_be_switched_off(bad_tls):
    """Only where the file says so."""
    with SmtpReceiver(starttls=bad_tls) as receiver:
        send(make_spec(receiver, security="starttls", tls=TlsSpec(verify=False)))
        assert len(receiver.received) == 1


def test_stripped_starttls_is_rejected():
    """A server that offers no encryption gets neither mail nor password."""
    with SmtpReceiver(users={"app": "hunter2"}) as receiver:
        login = {"username": "app", "password": "hunter2"}
        with pytest.raises(Rejected, match="offers no STARTTLS"):
            send(make_spec(receiver, security="starttls", **login))
        assert (receiver.received, receiver.logins) == ([], [])
        assert receiver.commands == ["EHLO"]


def test_text_before_tls_is_forgotten(good_tls, trust):
    """Replies that somebody put into the clear part are not taken for the server's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=inject, args=(server, good_tls))
        thread.start()
        spec = EmailSpec(
            host="127.0.0.1", port=server.getsockname()[1], sender="a@b.c", to=("d@e.f",), tls=trust
        )
        with pytest.raises(Rejected, match="554 the real answer"):
            send(spec)
        thread.join()


def inject(server, context):
    peer, _ = server.accept()
    peer.sendall(b"220 x\r\n")
    peer.recv(100)
    peer.sendall(b"250-x\r\n250 STARTTLS\r\n")
    peer.recv(100)
    peer.sendall(b"220 go\r\n250 forged\r\n")
    with context.wrap_socket(peer, server_side=True) as tls:
        for _ in range(3):  # EHLO, HELO, QUIT
            tls.recv(100)
            tls.sendall(b"554 the real answer\r\n")


def test_password_in_clear_is_refused():
    """Without encryption the password goes to this machine only."""
    login = {"username": "a", "password": "hunter2"}
    spec = EmailSpec(host="mail.example.org", security="none", sender="a@b", to=("c@d",), **login)
    with pytest.raises(Rejected, match="in clear") as caught:
        spec.sink().open()
    assert "hunter2" not in str(caught.value)
    spec.replace(allow_plaintext_login=True).sink().open()


@pytest.mark.parametrize("password", ["hunter2", "wrong-hunter2", "päss-hunter2"])
def test_password_stays_out_of_messages(password):
    """Neither a refusal nor a repr shows it."""
    with SmtpReceiver(users={"app": "right"}) as receiver:
        spec = make_spec(receiver, username="app", password=password)
        with pytest.raises(Rejected) as caught:
            send(spec)
        assert "hunter2" not in f"{caught.value!r}{caught.value}{spec!r}"
        assert receiver.received == []


def test_login_that_is_not_offered_is_rejected(receiver):
    """A server without AUTH is told about."""
    with pytest.raises(Rejected, match="No suitable authentication method"):
        send(make_spec(receiver, username="app", password="hunter2"))


def test_slow_server_ends_by_deadline(receiver):
    """A server that takes its time is given up, not waited for."""
    receiver.delay_s = 60
    with pytest.raises(Retryable, match=r"timed out|no answer within"):
        send(make_spec(receiver, timeout=TimeoutSpec(connect=0.1, send=0.1)))


def test_dripping_server_ends_by_deadline():
    """A greeting of one byte at a time does not outlive the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        options = {"sender": "a@b", "to": ("c@d",), "timeout": TimeoutSpec(connect=0.1, send=0.1)}
        port = server.getsockname()[1]
        spec = EmailSpec(host="127.0.0.1", port=port, security="none", **options)
        with pytest.raises(Retryable, match=r"timed out|no answer within"):
            send(spec)
        thread.join()


def drip(server):
    peer, _ = server.accept()
    with peer:
        peer.settimeout(0.02)
        while True:
            try:
                peer.sendall(b"2")
                if not peer.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def test_silent_server_ends_by_deadline():
    """A server that accepts and says nothing is given up."""
    with TcpReceiver(stall=True) as receiver:
        spec = make_spec(receiver, timeout=TimeoutSpec(connect=0.1, send=0.1))
        with pytest.raises(Retryable, match=r"timed out|no answer within"):
            send(spec)


def test_unreachable_server_is_retryable():
    """A refused connection names the server and the reason."""
    with SmtpReceiver() as gone:
        spec = make_spec(gone)
    with pytest.raises(Retryable, match=r"127.0.0.1:\d+: Connection refused"):
        send(spec)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a@b.c", True),
        ("Ops Team <ops@b.c>", True),
        ('"Ops, Team" <ops@b.c>', True),
        ("<ops@b.c>", True),
        ("ops", False),
        ("Ops, Team <ops@b.c>", False),
        ("a@b.c\nBcc: x@y.z", False),
        ("a@b.c, d@e.f", False),
    ],
)
def test_address_pattern(text, good):
    """A list in one text, or a header smuggled in, is a finding of `check`."""
    shape = options_of(EmailSpec)["from"].shape
    assert bool(re.fullmatch(shape.pattern, text)) is good
    assert options_of(EmailSpec)["to"].shape.item.pattern == shape.pattern


def test_greeting_asks_no_dns(receiver, monkeypatch):
    """We greet with our address, or with the name of the file."""
    monkeypatch.setattr(socket, "getfqdn", lambda: pytest.fail("the DNS was asked"))
    spec = make_spec(receiver)
    send(spec)
    send(spec.replace(local_hostname="app.example.org"))
    assert receiver.greetings == ["[127.0.0.1]", "app.example.org"]
