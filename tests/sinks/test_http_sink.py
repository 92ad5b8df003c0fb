"""The http kind: what is sent, and what each answer means."""

import datetime as dt
import email.utils
import gzip
import json
import logging
import re
import socket
import threading
import time
from urllib.parse import parse_qs

import pytest

from logroute.errors import Rejected, Retryable, TooLarge
from logroute.options import options_of
from logroute.receivers import HttpReceiver
from logroute.sinks import TimeoutSpec, TlsSpec, net, web
from logroute.sinks.http import HttpAuthSpec, HttpSpec

TEXT = logging.Formatter("%(message)s").format


@pytest.fixture
def receiver():
    with HttpReceiver() as made:
        yield made


@pytest.fixture
def make_sink():
    """Make sinks that are closed at the end."""
    made = []

    def make(url, **options):
        sink = HttpSpec(url=url, **options).sink()
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


@pytest.mark.parametrize(
    ("body", "bodies", "kind"),
    [
        ("ndjson", [b'{"a":1}\n{"a":2}\n'], "application/x-ndjson"),
        ("json-array", [b'[{"a":1},{"a":2}]'], "application/json"),
        ("json", [b'{"a":1}', b'{"a":2}'], "application/json"),
    ],
)
def test_body_has_its_form(receiver, make_sink, body, bodies, kind):
    """One request per batch, or per record where the form takes one only."""
    make_sink(receiver.url, body=body).send([b'{"a":1}', b'{"a":2}'])
    assert [request.body for request in receiver.received] == bodies
    assert receiver.received[0].headers["content-type"] == kind
    assert (receiver.received[0].method, receiver.received[0].path) == ("POST", "/logs")


def test_form_has_the_records_fields(receiver, make_sink, failed_record):
    """`form` sends what stdlib's HTTPHandler sends."""
    encode = HttpSpec(url="http://h", body="form").encoder(TEXT)
    make_sink(receiver.url, body="form").send([encode(failed_record)])
    fields = parse_qs(receiver.received[0].body.decode())
    assert fields["levelname"] == ["WARNING"]
    assert fields["message"] == ["it broke"]
    assert "ZeroDivisionError" in fields["exc_text"][0]


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"a": 1}', b'{"a": 1}'),
        ("[1]", b"[1]"),
        ("plain", b'"plain"'),
        ("[INFO] started", b'"[INFO] started"'),
        ('{"a":\n1}', b'{"a": 1}'),
        ("two\nlines", b'"two\\nlines"'),
    ],
)
def test_payload_is_json_on_one_line(record, text, payload):
    """A text formatter's line becomes a JSON string."""
    assert HttpSpec(url="http://h").encoder(lambda _: text)(record()) == payload


def test_body_is_compressed(receiver, make_sink):
    """Compression is announced and smaller."""
    make_sink(receiver.url, compress="gzip").send([b"1" * 1000])
    request = receiver.received[0]
    assert request.headers["content-encoding"] == "gzip"
    assert len(request.body) < 100 and request.content == b"1" * 1000 + b"\n"


def test_connection_is_kept(receiver, make_sink):
    """Batches share a connection."""
    sink = make_sink(receiver.url)
    for _ in range(3):
        sink.send([b"1"])
    assert (len(receiver.received), receiver.connections) == (3, 1)


def test_dropped_connection_is_replaced(receiver, make_sink):
    """A connection that the server ended meanwhile costs no error."""
    sink = make_sink(receiver.url)
    sink.send([b"1"])
    receiver.drop_connections()
    assert receiver.wait_until(lambda: not receiver._open)
    sink.send([b"2"])
    assert len(receiver.received) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(receiver, make_sink, status):
    """The answer is the acknowledgement."""
    receiver.answer(status)
    make_sink(receiver.url).send([b"1"])


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_busy_server_is_retryable(receiver, make_sink, status):
    """The same batch may go later."""
    receiver.answer(status, body=b"try later")
    with pytest.raises(Retryable, match=rf"answered {status}: try later") as caught:
        make_sink(receiver.url).send([b"1"])
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_refusal_is_rejected(receiver, make_sink, status):
    """The same batch will never go."""
    receiver.answer(status, body=b"no\x1b[31m\n" + b"x" * 500)
    with pytest.raises(Rejected) as caught:
        make_sink(receiver.url).send([b"1"])
    text = str(caught.value)
    assert f"answered {status}: no [31m" in text and len(text) < 300 and text.isprintable()


def test_batch_that_is_too_large_is_told(receiver, make_sink):
    """413 for several records asks for halves; a lone record is refused."""
    receiver.answer(413, times=None)
    sink = make_sink(receiver.url)
    with pytest.raises(TooLarge, match=r"answered 413; lower `batch.max_bytes`"):
        sink.send([b"1", b"2"])
    with pytest.raises(Rejected, match="answered 413"):
        sink.send([b"1"])


BULK = [{"create": {"status": 201}}, {"create": {"status": 429, "error": {"type": "busy"}}}]
BULK += [{"create": {"status": 400, "error": {"type": "mapper", "reason": "bad field"}}}]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"took": 3, "errors": True, "items": BULK}),
        (207, {"items": [entry["create"] for entry in BULK]}),
        (207, [entry["create"] for entry in BULK]),
    ],
)
def test_failed_items_are_told_apart(receiver, make_sink, status, body):
    """Of a batch that was taken in part the rest is refused or comes again, item by item."""
    receiver.answer(status, {"Retry-After": "3"}, body=json.dumps(body).encode())
    with pytest.raises(
        Rejected, match=r"2 of 3 records failed, the first with 429: busy"
    ) as caught:
        make_sink(receiver.url).send([b"1", b"2", b"3"])
    fault = caught.value
    assert (fault.which, fault.again, fault.retry_after_s) == ({2}, {1}, 3)


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors": false, "items": [{"create": {"status": 201}}]}',
        b'{"note": {"errors": true}}',
        b'{"errors": true, "items": [{"status": 200}, {"status": 201}]}',
        b"thanks",
    ],
)
def test_success_without_failed_items_is_delivered(receiver, make_sink, body):
    """Words that only look like a failure are none."""
    receiver.answer(200, body=body)
    make_sink(receiver.url).send([b"1", b"2"])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"errors": true}'),
        (200, b'{"errors": true, "items": [{"status": 400}]}'),
        (200, b'{"errors": true, "items": [{"status": true}, {}]}'),
        (207, b"<multistatus/>"),
        (207, b"[" * 100_000),
    ],
)
def test_unnamed_failures_refuse_the_batch(receiver, make_sink, status, body):
    """Failures that cannot be told apart are not passed over in silence."""
    receiver.answer(status, body=body)
    with pytest.raises(Rejected, match="does not say of which records"):
        make_sink(receiver.url).send([b"1", b"2"])


@pytest.mark.parametrize(("code", "kind"), [(503, Retryable), (400, Rejected)])
def test_failed_item_of_a_lone_record(receiver, make_sink, code, kind):
    """One request per record: its item is its answer."""
    receiver.answer(200)
    receiver.answer(207, body=b'[{"status": %d}]' % code)
    with pytest.raises(kind) as caught:
        make_sink(receiver.url, body="json").send([b"1", b"2", b"3"])
    assert caught.value.delivered == 1


def test_answer_is_not_unpacked(receiver, make_sink):
    """A compressed answer, which nobody asked for, costs no memory."""
    bomb = gzip.compress(b"x" * (50 << 20))
    receiver.answer(400, {"Content-Encoding": "gzip"}, body=bomb)
    with pytest.raises(Rejected) as caught:
        make_sink(receiver.url).send([b"1"])
    assert "xxx" not in str(caught.value)


def test_redirect_is_not_followed(receiver, make_sink):
    """Records and credentials go nowhere else."""
    with HttpReceiver() as other:
        receiver.answer(302, {"Location": other.url})
        with pytest.raises(Rejected, match="answered 302"):
            make_sink(receiver.url, auth=HttpAuthSpec(bearer="hunter2")).send([b"1"])
        assert other.received == []


def test_retry_after_is_honoured(receiver, make_sink):
    """Seconds and dates are understood, nonsense is nothing."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    for value in ("7", email.utils.format_datetime(later, usegmt=True), "soon"):
        receiver.answer(503, {"Retry-After": value})
    waits, sink = [], make_sink(receiver.url)
    for _ in range(3):
        with pytest.raises(Retryable) as caught:
            sink.send([b"1"])
        waits.append(caught.value.retry_after_s)
    assert waits[0] == 7 and 50 < waits[1] <= 100 and waits[2] is None


def test_failure_part_of_the_way_is_told(receiver, make_sink):
    """With one request per record those before the failure are delivered."""
    sink = make_sink(receiver.url, body="json")
    receiver.answer(200)
    receiver.answer(503)
    with pytest.raises(Retryable) as caught:
        sink.send([b"1", b"2", b"3"])
    assert caught.value.delivered == 1
    receiver.answer(200)
    receiver.answer(400)
    with pytest.raises(Rejected) as caught:
        sink.send([b"1", b"2", b"3"])
    assert (caught.value.delivered, caught.value.rejected) == (1, 1)


@pytest.mark.parametrize("how", [{"delay_s": 60}, {"drip_s": 0.02}])
def test_slow_server_ends_by_deadline(receiver, make_sink, how):
    """A server that sleeps, or answers a byte at a time, holds nobody."""
    receiver.answer(200, **how)
    timeout = TimeoutSpec(connect=0.1, send=0.1)
    with pytest.raises(Retryable, match=r"no answer within 0.2 s|timed out"):
        make_sink(receiver.url, timeout=timeout).send([b"1"])


def test_slow_body_of_success_is_delivered(make_sink):
    """What comes behind a 200 changes nothing, even if it never ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_without_end, args=(server,))
        thread.start()
        place = f"http://127.0.0.1:{server.getsockname()[1]}/"
        make_sink(place, timeout=TimeoutSpec(connect=0.1, send=0.1)).send([b"1"])
        thread.join()


def read_request(peer):
    """Read up to the end of the body `1`."""
    data = b""
    while not data.endswith(b"\r\n\r\n1\n"):
        data += peer.recv(4096)


def answer_without_end(server):
    peer, _ = server.accept()
    with peer:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        peer.settimeout(10)
        assert peer.recv(1) == b""  # until the client has had enough


def test_connection_that_comes_too_late_is_closed(receiver, make_sink, monkeypatch):
    """Time that is up just after connecting leaves no socket to the garbage collector."""
    late = []

    def connect_late(address, deadline):
        late.append(net.connect(address, deadline))
        time.sleep(deadline.left() + 0.01)
        return late[0]

    monkeypatch.setattr(web, "connect", connect_late)
    with pytest.raises(Retryable, match="no answer within"):
        make_sink(receiver.url, timeout=TimeoutSpec(connect=0.1)).send([b"{}"])
    assert late[0].fileno() == -1


def test_stalled_upload_ends_by_deadline(make_sink):
    """A server that does not read a long body holds nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}/"
        sink = make_sink(place, timeout=TimeoutSpec(connect=0.1, send=0.1))
        with pytest.raises(Retryable, match=r"no answer within 0.2 s|timed out"):
            sink.send([b"x" * (16 << 20)])


def test_unreachable_server_is_retryable(make_sink):
    """The message names the server and the reason, not the path."""
    with HttpReceiver() as gone:
        url = gone.url
    with pytest.raises(Retryable, match=r"http://127.0.0.1:\d+: Connection refused") as caught:
        make_sink(url).send([b"1"])
    assert "/logs" not in str(caught.value)


def test_garbled_answer_is_retryable(make_sink):
    """Something that is no HTTP server is told so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_garbage, args=(server,))
        thread.start()
        place = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(Retryable, match="no proper answer"):
            make_sink(place).send([b"1"])
        thread.join()


def answer_garbage(server):
    peer, _ = server.accept()
    with peer:
        read_request(peer)
        peer.sendall(b"220 mail.example.org ESMTP\r\n")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (HttpAuthSpec(bearer="hunter2"), "Bearer hunter2"),
        (HttpAuthSpec(username="app", password="hunter2"), "Basic YXBwOmh1bnRlcjI="),
    ],
)
def test_credentials_are_sent(receiver, make_sink, auth, header):
    """Bearer and basic authentication, to a loopback server also in clear."""
    make_sink(receiver.url, auth=auth).send([b"1"])
    assert receiver.received[0].headers["authorization"] == header


@pytest.mark.parametrize(
    "options",
    [
        {"auth": HttpAuthSpec(bearer="hunter2")},
        {"auth": HttpAuthSpec(username="u", password="hunter2")},
        {"headers": {"Authorization": "Token hunter2"}},
        {"headers": {"X-API-Key": "hunter2"}},
    ],
)
@pytest.mark.parametrize("host", ["logs.example.org", "logs.example.org:8080", "[2001:db8::1]"])
def test_credentials_in_clear_are_refused(make_sink, options, host):
    """They go over plain http to this machine only."""
    with pytest.raises(Rejected, match="in clear; use https") as caught:
        make_sink(f"http://{host}/x", **options).open()
    assert "hunter2" not in str(caught.value)


def test_named_proxy_gets_no_credentials_in_clear(make_sink):
    """Not even those that are meant for this machine."""
    sink = make_sink(
        "http://localhost/x",
        auth=HttpAuthSpec(bearer="hunter2"),
        proxy="http://me:pw@proxy.example.org:3128",
    )
    with pytest.raises(Rejected, match="in clear; use https"):
        sink.open()


@pytest.mark.parametrize("auth", [{"bearer": "x", "username": "u"}, {"password": "p"}])
def test_contradictory_auth_is_refused(make_sink, auth):
    """Two ways, or half of one, are no way to say who we are."""
    with pytest.raises(Rejected, match="`auth` has"):
        make_sink("https://h/", auth=HttpAuthSpec(**auth)).open()


def test_secrets_stay_out_of_messages(receiver, make_sink):
    """A server that echoes what it was sent gives nothing away, nor does a repr."""
    spec = HttpSpec(
        url=receiver.url,
        auth=HttpAuthSpec(username="app", password="hunter2"),
        headers={"X-Key": "s3cr3t-key"},
    )
    receiver.answer(403, body=b"bad Basic YXBwOmh1bnRlcjI= hunter2 s3cr3t-key")
    sink = spec.sink()
    with pytest.raises(Rejected) as caught:
        sink.send([b"1"])
    sink.close()
    for text in (str(caught.value), repr(spec)):
        assert not re.search("hunter2|YXBw|s3cr3t", text)


def test_own_headers_win(receiver, make_sink):
    """Headers of the file are sent, in place of ours if they are the same."""
    headers = {"X-Tenant": "acme", "Content-Type": "text/plain"}
    make_sink(receiver.url, headers=headers).send([b"1"])
    got = receiver.received[0].headers
    assert (got["x-tenant"], got["content-type"]) == ("acme", "text/plain")


def test_tls_is_spoken(make_sink, good_tls, trust):
    """The https scheme works with an authority of our own, kept alive."""
    with HttpReceiver(tls=good_tls) as receiver:
        sink = make_sink(receiver.url, tls=trust, auth=HttpAuthSpec(bearer="x"))
        sink.send([b"1"])
        sink.send([b"2"])
        assert (len(receiver.received), receiver.connections) == (2, 1)


def test_untrusted_server_gets_nothing(make_sink, bad_tls, trust):
    """A wrong name or an unknown authority ends before the first byte."""
    with HttpReceiver(tls=bad_tls) as receiver:
        sink = make_sink(receiver.url, tls=trust, auth=HttpAuthSpec(bearer="hunter2"))
        with pytest.raises(Retryable, match="certificate is not trusted"):
            sink.send([b"1"])
        assert receiver.received == []


def test_verification_can_be_switched_off(make_sink, bad_tls):
    """Only where the file says so, and then without a warning per request."""
    with HttpReceiver(tls=bad_tls) as receiver:
        make_sink(receiver.url, tls=TlsSpec(verify=False)).send([b"1"])
        assert len(receiver.received) == 1


def test_server_name_is_checked_instead(make_sink, wrong_host_tls, trust):
    """`server_name` says whose certificate to expect."""
    with HttpReceiver(tls=wrong_host_tls) as receiver:
        tls = trust.replace(server_name="other.example.org")
        make_sink(receiver.url, tls=tls).send([b"1"])
        assert len(receiver.received) == 1


def test_proxy_is_used_when_named(receiver, make_sink, monkeypatch):
    """By the file or the environment; `none` and loopback addresses go direct."""
    address = receiver.url.removesuffix("/logs")
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.delenv("no_proxy", raising=False)
    make_sink("http://logs.example.org/a").send([b"1"])
    monkeypatch.delenv("http_proxy")
    make_sink("http://logs.example.org/b", proxy=address.replace("//", "//me:pw@")).send([b"1"])
    paths = [request.path for request in receiver.received]
    assert paths == ["http://logs.example.org/a", "http://logs.example.org/b"]
    assert receiver.received[1].headers["proxy-authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize("proxy", ["none", None])
def test_loopback_needs_no_proxy(receiver, make_sink, monkeypatch, proxy):
    """The environment's proxy is not asked for this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    make_sink(receiver.url, proxy=proxy).send([b"1"])
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://h/x?y=1", True),
        ("http://[::1]:8080", True),
        ("https://u:p@h/", False),
        ("ftp://h/", False),
        ("https://", False),
        ("https://h/a b", False),
        ("https://h\\@x/", False),
        ("https://h/@user", True),
    ],
)
def test_url_pattern(url, good):
    """User names in URLs and other schemes are findings of `check`."""
    shape = options_of(HttpSpec)["url"].shape
    assert bool(re.fullmatch(shape.pattern, url)) is good


def test_nothing_is_sent_for_nothing(receiver, make_sink):
    """An empty batch makes no request."""
    make_sink(receiver.url).send([])
    assert receiver.received == []


def test_json_of_unicode_arrives(receiver, make_sink, record):
    """Text survives the way."""
    encode = HttpSpec(url="http://h").encoder(lambda item: json.dumps({"m": item.msg}))
    make_sink(receiver.url).send([encode(record("grün 😀"))])
    assert json.loads(receiver.received[0].body) == {"m": "grün 😀"}
