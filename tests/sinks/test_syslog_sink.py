"""The syslog kind: messages a strict reader takes, over every transport."""

import logging
import os
import socket

import pytest
from conftest import server_context
from syslog_kit import parse, parse_old

from logroute.errors import Retryable
from logroute.formatters.rfc5424 import Rfc5424Formatter, Rfc5424Spec
from logroute.receivers import TcpReceiver, UdpReceiver
from logroute.sinks import TimeoutSpec
from logroute.sinks.syslog import SyslogSpec

QUICK = TimeoutSpec(connect=2.0, send=2.0)
DEFAULT = Rfc5424Formatter()


@pytest.fixture
def deliver():
    """Send records as a handler of a spec would; sinks are closed at the end."""
    made = []

    def send(spec, *records, formatter=DEFAULT):
        encode, sink = spec.encoder(formatter.format), spec.sink()
        made.append(sink)
        sink.open()
        sink.send([encode(record) for record in records])
        sink.flush()
        return sink

    yield send
    for sink in made:
        sink.close()


def only(receiver):
    assert receiver.wait_for(1)
    (data,) = receiver.received
    return data


def test_udp_carries_one_message_each(deliver, record):
    """A datagram is a message, without framing or line end."""
    with UdpReceiver() as receiver:
        spec = SyslogSpec(address=receiver.address, app_name="shop", facility="local0")
        deliver(spec, record("one", tenant="acme"), record("two"))
        assert receiver.wait_for(2)
        first, second = map(parse, receiver.received)
    assert (first.app_name, first.facility, first.severity) == ("shop", 16, 4)
    assert first.fields["tenant"] == "acme"
    assert (first.text, second.text) == ("one", "two")


@pytest.mark.parametrize("framing", ["octet", "newline"])
def test_tcp_frames_messages(deliver, record, framing):
    """RFC 6587: counted octets, or one line each."""
    with TcpReceiver(framing) as receiver:
        spec = SyslogSpec(address=receiver.address, transport="tcp", framing=framing)
        deliver(spec, record("one\ntwo"), record("h\u00e9"))
        assert receiver.wait_for(2)
        assert [parse(data).text for data in receiver.received] == [r"one\ntwo", "h\u00e9"]


def test_stream_counts_octets_by_default(deliver, record):
    """What receivers of RFC 5425 and of RFC 6587 expect."""
    with TcpReceiver("octet") as receiver:
        deliver(SyslogSpec(address=receiver.address, transport="tcp"), record("one"))
        assert parse(only(receiver)).text == "one"


def test_tls_carries_counted_octets(deliver, record, good_tls, trust):
    """RFC 5425; `tls` alone is enough to mean a stream."""
    with TcpReceiver("octet", tls=good_tls) as receiver:
        spec = SyslogSpec(address=f"localhost:{receiver.port}", tls=trust)
        deliver(spec, record("secret"))
        assert parse(only(receiver)).text == "secret"


def test_tls_is_never_left_out(record, authority, trust):
    """A server that cannot prove its name gets nothing, whatever `transport` says."""
    with TcpReceiver("octet", tls=server_context(authority, "other.example.org")) as receiver:
        address = f"localhost:{receiver.port}"
        sink = SyslogSpec(address=address, tls=trust, transport="udp", timeout=QUICK).sink()
        with pytest.raises(Retryable, match="not trusted"):
            sink.open()
        sink.close()
        assert receiver.received == []


@pytest.mark.parametrize("kind", [UdpReceiver, lambda path: TcpReceiver("newline", path=path)])
def test_unix_socket_is_of_either_type(deliver, record, tmp_path, kind):
    """Datagrams or a stream: what the daemon has there is found out when it is opened."""
    path = str(tmp_path / "log")
    with kind(path=path) as receiver:
        deliver(SyslogSpec(address=f"unix:{path}"), record("one"))
        assert parse_old(only(receiver)).text == "one"


def test_daemon_may_change_the_type_of_its_socket(deliver, record, tmp_path):
    """A daemon that comes back with a stream, and then with datagrams, gets the rest."""
    path = tmp_path / "log"
    spec = SyslogSpec(address=f"unix:{path}")
    encode = spec.encoder(DEFAULT.format)
    with UdpReceiver(path=str(path)) as receiver:
        sink = deliver(spec, record("one"))
        assert receiver.wait_for(1)
    path.unlink()
    with TcpReceiver("newline", path=str(path)) as receiver:
        with pytest.raises(Retryable):
            sink.send([encode(record("two"))])
        sink.open()
        sink.send([encode(record("two"))])
        assert receiver.wait_for(1)
    path.unlink()
    with UdpReceiver(path=str(path)) as receiver:
        sink.open()
        sink.send([encode(record("three"))])
        assert parse_old(only(receiver)).text == "three"


def test_unix_daemon_gets_the_form_it_reads(deliver, record, tmp_path):
    """rsyslog and journald read the old form without a host on their local sockets."""
    path = str(tmp_path / "log")
    with UdpReceiver(path=path) as receiver:
        deliver(SyslogSpec(address=f"unix:{path}", app_name="shop"), record("x", level=40))
        found = parse_old(only(receiver))
    assert (found.hostname, found.tag, found.procid) == (None, "shop", str(os.getpid()))
    with UdpReceiver(path=str(tmp_path / "new")) as receiver:
        deliver(SyslogSpec(address=f"unix:{tmp_path}/new", rfc="rfc5424"), record("x"))
        assert parse(only(receiver)).text == "x"


def test_old_form_names_the_host(deliver, record):
    """RFC 3164 over a network: local time, the host without its domain, the tag."""
    with UdpReceiver() as receiver:
        spec = SyslogSpec(address=receiver.address, rfc="rfc3164", app_name="my shop!")
        deliver(spec, record("hello", tenant="acme"))
        found = parse_old(only(receiver))
    assert found.tag == "my_shop_" and found.text == "hello"
    assert found.hostname == socket.gethostname().partition(".")[0]


def test_long_message_fits_the_transport(deliver, record):
    """2048 bytes over UDP and 8192 elsewhere, as the RFCs ask of every receiver."""
    with UdpReceiver() as udp, TcpReceiver("octet") as tcp:
        long = record("x" * 20_000, field="y" * 20_000)
        deliver(SyslogSpec(address=udp.address), long)
        deliver(SyslogSpec(address=tcp.address, transport="tcp"), long)
        assert udp.wait_for(1) and tcp.wait_for(1)  # the next comes by another connection
        deliver(SyslogSpec(address=tcp.address, transport="tcp", max_message=4096), long)
        assert tcp.wait_for(2)
        assert [len(data) for data in udp.received + tcp.received] == [2048, 8192, 4096]
        assert all(parse(data).fields["field"] for data in udp.received + tcp.received)


def test_huge_record_is_one_message(deliver, record):
    """Fault 59: 10 MB, NUL and surrogates end as one message, and quickly enough."""
    with UdpReceiver() as receiver:
        hostile = record("\x00\udc80" * 5_000_000, field={"x": "\x1b[31m" * 1_000_000})
        deliver(SyslogSpec(address=receiver.address), hostile)
        found = parse(only(receiver))
    assert found.text.startswith(r"\x00\udc80\x00")


def test_own_formatter_makes_the_text(deliver, record):
    """With `formatter` the text of a message is what that makes; the header stays ours."""
    with UdpReceiver() as receiver:
        plain = logging.Formatter("%(levelname)s %(message)s\nend")
        deliver(SyslogSpec(address=receiver.address), record("x"), formatter=plain)
        assert parse(only(receiver)).text == r"WARNING x\nend"


def test_whole_messages_are_left_alone(deliver, record):
    """A formatter of kind `rfc5424` with options of its own is not wrapped in a second header."""
    with UdpReceiver() as receiver:
        own = Rfc5424Spec(facility="local7", app_name="own").formatter()
        deliver(SyslogSpec(address=receiver.address, app_name="x"), record("x"), formatter=own)
        found = parse(only(receiver))
    assert (found.facility, found.app_name, found.text) == (23, "own", "x")


def test_broken_stream_sends_again_what_was_lost(deliver, record):
    """Fault 39: the resend window of the socket kind works beneath the framing."""
    with TcpReceiver("octet") as first:
        spec = SyslogSpec(address=first.address, transport="tcp", timeout=QUICK)
        sink = deliver(spec, record("one"))
        assert first.wait_for(1)
        port = first.port
    encode = spec.encoder(DEFAULT.format)
    with TcpReceiver("octet", port=port) as second:
        sink.open()
        sink.send([encode(record("two"))])
        sink.flush()
        assert parse(only(second)).text == "two" and sink.held == 0


def test_guarantee_is_that_of_the_transport():
    """A stream is acknowledged by the peer's kernel, a datagram by nobody."""
    assert SyslogSpec().guarantee == SyslogSpec(address="h:514").guarantee == "at_most_once"
    for spec in (SyslogSpec(address="h:1", transport="tcp"), SyslogSpec(address="h:1", tls={})):
        assert spec.guarantee == "at_least_once, acked_by: peer_kernel"


def test_probe_says_what_it_found(tmp_path):
    """It connects where there is something to connect to, and sends nothing."""
    assert SyslogSpec(address="127.0.0.1:514").probe() == "the name is known; UDP gives no answer"
    with TcpReceiver("octet") as receiver:
        assert SyslogSpec(address=receiver.address, transport="tcp").probe() == "connected"
        assert receiver.received == []
    with pytest.raises(Retryable, match="No such file"):
        SyslogSpec(address=f"unix:{tmp_path}/none").probe()
