"""The socket kind: framing, deadlines, and what a broken connection must not lose."""

import logging
import pickle
import socket
import struct
import threading

import pytest

from logroute.errors import Retryable
from logroute.receivers import TcpReceiver
from logroute.sinks import TimeoutSpec, TlsSpec
from logroute.sinks.socket import SocketSpec

TEXT = logging.Formatter("%(message)s").format


@pytest.fixture
def make_sink():
    """Make sinks that are closed at the end."""
    made = []

    def make(address, **options):
        sink = SocketSpec(address=address, **options).sink()
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


@pytest.mark.parametrize("framing", ["newline", "length", "octet", "pickle"])
def test_frames_arrive_whole(make_sink, framing, record):
    """Each framing is taken apart by a receiver that knows it."""
    encode = SocketSpec(address="h:1", framing=framing).encoder(TEXT)
    with TcpReceiver(framing) as receiver:
        sink = make_sink(receiver.address, framing=framing)
        sink.open()
        sink.send([encode(record("one")), encode(record("zwölf"))])
        assert receiver.wait_for(2)
    got = receiver.received
    if framing == "pickle":
        got = [pickle.loads(item)["msg"].encode() for item in got]
    assert (got, receiver.torn) == ([b"one", "zwölf".encode()], [])


def test_newlines_inside_are_escaped(record):
    """With newline framing one record is one line, tracebacks too."""
    encode = SocketSpec(address="h:1").encoder(TEXT)
    assert encode(record("a\nb")) == b"a\\nb\n"


class Custom:
    def __reduce__(self):
        raise TypeError("not to be pickled")

    def __repr__(self):
        return "<custom>"


def test_pickle_is_what_stdlib_receivers_read(record, failed_record):
    """makeLogRecord(pickle.loads(...)) gives the record, as with SocketHandler."""
    encode = SocketSpec(address="h:1", framing="pickle").encoder(TEXT)
    frame = encode(record("%s is %d", "x", 5, tenant="acme", odd=Custom()))
    size = struct.unpack(">L", frame[:4])[0]
    assert size == len(frame) - 4
    made = logging.makeLogRecord(pickle.loads(frame[4:]))
    assert made.getMessage() == "x is 5"
    assert (made.args, made.tenant, made.odd) == (None, "acme", "<custom>")
    broken = logging.makeLogRecord(pickle.loads(encode(failed_record)[4:]))
    assert broken.exc_info is None
    assert "ZeroDivisionError" in broken.exc_text


def test_pickle_is_the_same_as_stdlibs(record):
    """Byte for byte what SocketHandler sends."""
    from logging.handlers import SocketHandler

    item = record("%s", "x", tenant="acme")
    expected = SocketHandler("h", 1).makePickle(item)
    frame = SocketSpec(address="h:1", framing="pickle").encoder(TEXT)(item)
    assert pickle.loads(frame[4:]) == pickle.loads(expected[4:])


def test_pickle_survives_any_extra(record):
    """An extra whose repr fails too costs its value, not the record."""

    class Worse(Custom):
        def __repr__(self):
            raise ValueError

    frame = SocketSpec(address="h:1", framing="pickle").encoder(TEXT)(record("x", odd=Worse()))
    assert pickle.loads(frame[4:])["odd"] == "<Worse: ValueError>"


def test_unix_socket_is_served(tmp_path, make_sink):
    """The same over a unix socket."""
    with TcpReceiver(path=str(tmp_path / "log")) as receiver:
        sink = make_sink(receiver.address)
        sink.send([b"one\n"])
        sink.flush()
        assert receiver.wait_for(1)
    assert receiver.received == [b"one"]


def test_restarted_server_loses_nothing(make_sink):
    """The end of an idle connection is seen before the next batch is written to it."""
    with TcpReceiver() as first:
        sink = make_sink(first.address)
        sink.send([b"one\n"])
        assert first.wait_for(1)
        port = first.port
    with TcpReceiver(port=port) as second:
        sink.open()
        sink.send([b"two\n"])
        assert second.wait_for(1)
    assert (first.received, second.received) == ([b"one"], [b"two"])


def test_talkative_server_is_drained(make_sink):
    """What a server says does not hide that it has left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}")
        sink.open()
        peer, _ = server.accept()
        peer.sendall(b"welcome\n")
        peer.close()
        wait_readable(sink._sock)
        sink.open()
        again, _ = server.accept()
        with again:
            sink.send([b"one\n"])
            assert again.recv(100) == b"one\n"


def wait_readable(sock):
    import select

    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    assert poll.poll(5000)


def reset(sock):
    """Close with a reset, as a crashed peer does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_unacknowledged_frames_are_sent_again(make_sink):
    """What a stalled peer never took is sent to the next one, in order and whole."""
    batch = [b"%07d %s\n" % (number, b"x" * 1000) for number in range(6000)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}", timeout=TimeoutSpec(send=0.3))
        sink.open()
        peer, _ = server.accept()
        with pytest.raises(Retryable) as caught:
            sink.send(batch)
        done = caught.value.delivered
        got = drain(peer)
        rest = batch[done:]
        reader = Reader(server)
        while rest:
            try:
                sink.open()
                sink.send(rest)
                rest = []
            except Retryable as fault:
                rest = rest[fault.delivered :]
        sink.flush()
        sink.close()
        again = reader.finish()
    first = [line + b"\n" for line in got.split(b"\n")[:-1]]
    assert len(first) >= done  # what counts as delivered has arrived
    assert first[:done] + again == batch


def drain(peer):
    """Read what has come, and close."""
    with peer:
        peer.settimeout(5)
        return b"".join(iter(lambda: peer.recv(1 << 20), b""))


class Reader(threading.Thread):
    """Takes the next connection and reads lines until it ends."""

    def __init__(self, server):
        super().__init__()
        self._server = server
        self._data = b""
        self.start()

    def run(self):
        peer, _ = self._server.accept()
        self._data = drain(peer)

    def finish(self):
        self.join()
        return self._data.splitlines(keepends=True)


def test_batch_in_the_air_is_sent_again(make_sink):
    """A batch written whole but never acknowledged comes first on the new connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}")
        sink.open()
        peer, _ = server.accept()
        peer.close()
        wait_readable(sink._sock)
        sink.send([b"one\n"])  # into a connection that its peer has left
        sink.open()
        again, _ = server.accept()
        with again:
            sink.send([b"two\n"])
            again.settimeout(5)
            assert again.recv(4) + again.recv(4) == b"one\ntwo\n"


def test_acknowledged_batch_is_not_repeated(make_sink):
    """After a break nothing is sent twice that the peer's kernel had."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}")
        sink.open()
        peer, _ = server.accept()
        sink.send([b"one\n"])
        sink.flush()
        reset(peer)
        wait_readable(sink._sock)
        sink.open()
        again, _ = server.accept()
        with again:
            sink.send([b"two\n"])
            sink.close()
            assert again.makefile("rb").read() == b"two\n"


def test_stalled_peer_ends_by_deadline(make_sink):
    """A peer that never reads holds the worker no longer than the timeout."""
    with TcpReceiver(stall=True) as receiver:
        sink = make_sink(receiver.address, timeout=TimeoutSpec(send=0.1))
        with pytest.raises(Retryable, match=r"timed out|no answer within 0.1 s"):
            for _ in range(100):
                sink.send([b"x" * 100_000] * 10)
        assert sink._sock is None  # a torn frame is never continued


def test_flush_says_what_is_missing(make_sink):
    """Flushing to a peer whose kernel is full ends by the deadline, with a number."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        server.bind(("127.0.0.1", 0))
        server.listen()
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}", timeout=TimeoutSpec(send=0.1))
        sink.open()
        peer, _ = server.accept()
        with peer:
            sink.send([b"one\n", b"x" * 12_000])
            with pytest.raises(Retryable, match="has not acknowledged 1 records: no answer"):
                sink.flush()


def test_close_forgets_the_parents_frames(make_sink):
    """A forked child that closes what it inherited sends nothing of the parent's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}")
        sink.open()
        peer, _ = server.accept()
        peer.close()
        wait_readable(sink._sock)
        sink.send([b"one\n"])
        sink.close()
        assert (sink._again, len(sink._unacked)) == ([], 0)


def test_unreachable_server_is_retryable(make_sink):
    """A refused connection names the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Retryable, match=rf"cannot reach {address}: Connection refused"):
        make_sink(address).open()


def test_tls_is_spoken(make_sink, good_tls, trust):
    """Frames arrive encrypted, also on a connection that was replaced."""
    with TcpReceiver(tls=good_tls) as receiver:
        sink = make_sink(receiver.address, tls=trust)
        sink.send([b"one\n"])
        assert receiver.wait_for(1)
        receiver.drop_connections()
        wait_readable(sink._sock)
        sink.open()
        sink.send([b"two\n"])
        sink.flush()
        assert receiver.wait_for(2)
    assert (receiver.received, receiver.connections) == ([b"one", b"two"], 2)


def test_untrusted_server_gets_nothing(make_sink, bad_tls, trust):
    """A wrong name or an unknown authority ends before the first byte."""
    with TcpReceiver(tls=bad_tls) as receiver:
        sink = make_sink(receiver.address, tls=trust)
        with pytest.raises(Retryable, match="certificate is not trusted"):
            sink.open()
        assert receiver.wait_until(lambda: receiver.faults)
    assert (receiver.received, receiver.torn) == ([], [])


def test_verification_can_be_switched_off(make_sink, bad_tls):
    """Only where the file says so."""
    with TcpReceiver(tls=bad_tls) as receiver:
        make_sink(receiver.address, tls=TlsSpec(verify=False)).send([b"one\n"])
        assert receiver.wait_for(1)


def test_server_name_is_checked_instead(make_sink, wrong_host_tls, trust):
    """`server_name` says whose certificate to expect."""
    with TcpReceiver(tls=wrong_host_tls) as receiver:
        sink = make_sink(receiver.address, tls=trust.replace(server_name="other.example.org"))
        sink.send([b"one\n"])
        assert receiver.wait_for(1)


def test_silent_handshake_ends_by_deadline(make_sink, trust):
    """A server that accepts and never speaks TLS holds nobody."""
    with TcpReceiver(stall=True) as receiver:
        sink = make_sink(receiver.address, tls=trust, timeout=TimeoutSpec(connect=0.1))
        with pytest.raises(Retryable, match="timed out"):
            sink.open()


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_missing_certificate_file_is_named(make_sink, key):
    """The message says which file cannot be read."""
    with TcpReceiver() as receiver:
        sink = make_sink(receiver.address, tls=TlsSpec(**{key: "/nowhere/x.pem"}))
        with pytest.raises(Retryable, match=r"`/nowhere/x.pem`: No such file"):
            sink.open()
