"""The datagram kind: one record, one datagram, never twice."""

import json
import logging
import re
import socket

import pytest

from logroute.errors import Rejected, Retryable
from logroute.options import options_of
from logroute.receivers import UdpReceiver
from logroute.sinks import TimeoutSpec
from logroute.sinks.datagram import DatagramSpec
from logroute.sinks.net import ADDRESS_PATTERN, parse_address


@pytest.fixture
def receiver():
    with UdpReceiver() as made:
        yield made


@pytest.fixture
def make_sink():
    """Make sinks that are closed at the end."""
    made = []

    def make(address, **options):
        sink = DatagramSpec(address=address, **options).sink()
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


def test_each_record_is_one_datagram(receiver, make_sink):
    """Payloads arrive as they are, without a line feed."""
    sink = make_sink(receiver.address)
    sink.open()
    sink.send([b"one", b"two"])
    assert receiver.wait_for(2)
    assert receiver.received == [b"one", b"two"]


def test_unix_socket_is_served(tmp_path, make_sink):
    """The same over a unix socket, and again after the daemon restarted."""
    path = str(tmp_path / "log")
    with UdpReceiver(path=path) as receiver:
        sink = make_sink(f"unix:{path}")
        sink.send([b"one"])
        assert receiver.wait_for(1)
    (tmp_path / "log").unlink()
    with UdpReceiver(path=path) as receiver:
        sink.send([b"two"])
        assert receiver.wait_for(1)
        assert receiver.received == [b"two"]


def test_daemon_that_goes_amid_a_batch_gets_nothing_twice(tmp_path, make_sink, monkeypatch):
    """What went out before its socket was gone is delivered; only the rest is sent again."""
    path = tmp_path / "log"
    with UdpReceiver(path=str(path)) as receiver:
        sink = make_sink(f"unix:{path}")
        put = sink._put

        def put_two(payload, deadline):
            if payload == b"three":
                assert receiver.wait_for(2)
                receiver.stop()
                path.unlink(missing_ok=True)
            put(payload, deadline)

        monkeypatch.setattr(sink, "_put", put_two)
        with pytest.raises(Retryable, match=r"cannot reach unix:.*No such file") as caught:
            sink.send([b"one", b"two", b"three", b"four"])
        assert caught.value.delivered == 2
        assert receiver.received == [b"one", b"two"]


def test_missing_unix_socket_is_retryable(tmp_path, make_sink):
    """A daemon that is not there yet may come."""
    with pytest.raises(Retryable, match=r"cannot reach unix:.*No such file"):
        make_sink(f"unix:{tmp_path}/log").open()


def test_refused_datagrams_are_counted(make_sink):
    """Fault 47: each datagram that found nobody is named, and the next ones go out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        port = taken.getsockname()[1]
    sink = make_sink(address)
    with pytest.raises(Rejected, match=r"nobody listens \(20 refused\)") as caught:
        sink.send([b"x"] * 20)
    assert (caught.value.which, sink.refused) == (frozenset(range(20)), 20)
    with UdpReceiver(port=port) as receiver:
        sink.send([b"heard"])
        assert receiver.wait_for(1)


def test_late_refusal_is_counted_too(make_sink):
    """What the kernel says of the batch before counts with this one."""
    with UdpReceiver() as receiver:
        sink = make_sink(receiver.address)
        sink.send([b"heard"])
        assert receiver.wait_for(1)
    sink._sock.send(b"nobody hears it")
    with pytest.raises(Rejected) as caught:
        sink.send([b"x", b"y"])
    assert (caught.value.which, sink.refused) == ({0, 1}, 3)


def test_full_unix_socket_ends_by_deadline(tmp_path, make_sink):
    """A daemon that does not read holds the worker no longer than the timeout."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(path)
        sink = make_sink(f"unix:{path}", timeout=TimeoutSpec(send=0.05))
        with pytest.raises(Retryable, match=r"no answer within 0\.05 s") as caught:
            sink.send([b"x" * 8000] * 1000)
        assert 0 < caught.value.delivered < 1000


def test_too_big_datagram_is_cut(receiver, make_sink):
    """Fault 47: a datagram that no network takes is cut until one does, not refused."""
    sink = make_sink(receiver.address)
    sink.send([b"ok", b"x" * 70_000, b"rest"])
    assert receiver.wait_for(3)
    assert receiver.received == [b"ok", b"x" * 34_997 + b"...", b"rest"]


def test_burst_is_sent_once(receiver, make_sink):
    """Fault 47: what a slow reader has no room for is lost, but nothing waits, fails or repeats."""
    make_sink(receiver.address).send([b"%d" % number for number in range(20_000)])
    assert receiver.wait_for(1)
    received = list(receiver.received)  # it goes on reading
    assert len(set(received)) == len(received)


@pytest.mark.parametrize("limit", range(64, 72))
def test_long_text_is_cut_between_characters(record, limit):
    """A cut record is valid UTF-8, marked, and no longer than the limit."""
    encode = DatagramSpec(address="h:1", max_datagram=limit).encoder(logging.Formatter().format)
    payload = encode(record("a" + "€😀" * 50))
    assert payload.decode().endswith("...")
    assert limit - 4 < len(payload) <= limit


def test_short_text_is_not_cut(record):
    """At the limit nothing is cut."""
    encode = DatagramSpec(address="h:1", max_datagram=64).encoder(logging.Formatter().format)
    assert encode(record("x" * 64)) == b"x" * 64


def test_json_travels_as_it_is(receiver, make_sink, record):
    """What a JSON formatter makes can be read at the other end."""
    encode = DatagramSpec(address="h:1").encoder(lambda item: json.dumps({"m": item.msg}))
    make_sink(receiver.address).send([encode(record("grün"))])
    assert receiver.wait_for(1)
    assert json.loads(receiver.received[0]) == {"m": "grün"}


@pytest.mark.parametrize(
    "text", ["h:1", "a.b-c_d:65535", "[::1]:514", "unix:/run/x y", "1.2.3.4:9"]
)
def test_address_pattern_accepts(text):
    """What an address may be, and that it reads back."""
    assert re.fullmatch(options_of(DatagramSpec)["address"].shape.pattern, text)
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text",
    ["h", "h:0", "h:65536", "h:99999", ":1", "::1:5", "u@h:1", "unix:", "h:1\n", "h:01", "a b:1"],
)
def test_address_pattern_refuses(text):
    """What is no address is a finding with a place, not a fault at run time."""
    assert not re.fullmatch(ADDRESS_PATTERN, text)


def test_moved_name_is_found_again(receiver, make_sink, monkeypatch):
    """A name is looked up again now and then, since UDP does not tell."""
    import time

    sink = make_sink(receiver.address)
    sink.open()
    first = sink._sock
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 301)
    sink.open()
    assert sink._sock is not first


def test_name_that_can_be_none_is_told():
    """A host that no resolver can even be asked for is an ordinary failure."""
    for spec in (
        DatagramSpec(address="a..b:9"),
        DatagramSpec(address=f"{'x' * 64}.example.org:9"),
    ):
        with pytest.raises(Retryable, match="no name of a host"):
            spec.sink().open()
