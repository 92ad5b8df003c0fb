"""The socket kind: framing, deadlines, and what a broken connection must not lose."""

import contextlib
import logging
import pickle
import socket
import struct
import threading

import pytest
from network_kit import deaf, reset, wait_readable

from logroute.errors import Retryable
from logroute.receivers import TcpReceiver
from logroute.sinks import TimeoutSpec, TlsSpec
from logroute.sinks.net import parse_address
from logroute.sinks.socket import SocketSink, SocketSpec
from logroute.sinks.window import BLIND_FRAMES, Window

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


def test_unacknowledged_frames_are_sent_again(make_sink):
    """What a peer that stalled and died never took is sent to the next one, in order and whole."""
    batch = [b"%07d %s\n" % (number, b"x" * 1000) for number in range(6000)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}", timeout=TimeoutSpec(send=0.3))
        sink.open()
        peer, _ = server.accept()
        with pytest.raises(Retryable) as caught:
            sink.send(batch)
        done = caught.value.delivered
        peer.shutdown(socket.SHUT_WR)
        wait_readable(sink._sock)
        reader = Reader(server)
        sink.open()  # sees the end, and gives up what the peer did not take
        got = drain(peer)
        send_all(sink, batch[done:])
        sink.close()
        again = reader.finish()
    first = [line for line in got.splitlines(keepends=True) if line.endswith(b"\n")]
    assert 0 < len(first) < len(batch)
    assert first + again[-(len(batch) - len(first)) :] == batch
    assert len(first) + len(again) - len(batch) <= 1  # the torn one at most


def send_all(sink, payloads):
    """Do as a worker does, without its waits."""
    while payloads:
        try:
            sink.open()
            sink.send(payloads)
            payloads = []
        except Retryable as fault:
            payloads = payloads[fault.delivered :]
    while True:
        try:
            return sink.flush()
        except Retryable:  # a busy machine: the peer has not come to read all
            continue


@pytest.mark.parametrize("encrypted", [False, True])
def test_stalled_peer_keeps_its_connection(make_sink, good_tls, trust, encrypted):
    """Fault 42: who does not read is waited for; nothing is torn, repeated or lost."""
    batch = [b"%07d %s\n" % (number, b"x" * 1000) for number in range(8000)]
    gate = threading.Event()
    with Gated(gate, tls=good_tls if encrypted else None) as receiver:
        tls = trust if encrypted else None
        sink = make_sink(receiver.address, tls=tls, timeout=TimeoutSpec(send=0.2))
        rest, stalls = batch, 0
        while stalls < 5:
            with pytest.raises(Retryable, match="reads nothing or too slowly") as caught:
                sink.open()
                sink.send(rest)
            rest, stalls = rest[caught.value.delivered :], stalls + 1
        gate.set()
        send_all(sink, rest)
        assert receiver.wait_for(len(batch))
    assert [line + b"\n" for line in receiver.received] == batch
    assert (receiver.connections, receiver.torn) == (1, [])


@pytest.mark.parametrize("encrypted", [False, True])
def test_other_records_follow_a_torn_one(make_sink, good_tls, trust, encrypted):
    """Where the worker gave up the rest of its batch, what was begun is ended before the next."""
    batch = [b"%07d %s\n" % (number, b"x" * 1000) for number in range(8000)]
    others = [b"other %d\n" % number for number in range(100)]
    gate = threading.Event()
    with Gated(gate, tls=good_tls if encrypted else None) as receiver:
        tls = trust if encrypted else None
        sink = make_sink(receiver.address, tls=tls, timeout=TimeoutSpec(send=0.2))
        with pytest.raises(Retryable) as caught:
            sink.send(batch)
        done = caught.value.delivered
        gate.set()
        send_all(sink, others)
        assert receiver.wait_for(done + len(others))
    assert [line + b"\n" for line in receiver.received] == [*batch[:done], *others]
    assert 0 < done < len(batch) and receiver.connections == 1


@pytest.mark.parametrize(
    ("written", "grip", "begun", "rest"),
    [
        (0, 0, 0, b""),
        (4, 0, 1, b""),
        (5, 0, 2, b"bb\n"),
        (3, 2, 2, b"\nbbb\n"),
        (4, 1, 2, b"bbb\n"),
        (11, 4, 3, b"\n"),
    ],
)
def test_begun_frames_belong_to_the_window(written, grip, begun, rest):
    """A frame of which a byte is out, or held by the layer below, is ended by the sink."""
    frames = [b"aaa\n", b"bbb\n", b"ccc\n"]
    window = Window()
    assert window.took_part(frames, b"".join(frames), written, grip) == begun
    assert (list(window.flying), window.rest) == (frames[:begun], rest)


def test_blind_window_repeats_a_bounded_tail(make_sink, monkeypatch):
    """Where the kernel does not tell, the last frames go again after a break, for a while."""
    monkeypatch.setattr("logroute.sinks.window._unacknowledged", lambda sock: None)
    batch = [b"%d\n" % number for number in range(1000)]
    with TcpReceiver() as receiver:
        sink = make_sink(receiver.address)
        sink.send(batch)
        sink.flush()  # waits for nothing that nobody can tell
        assert receiver.wait_for(1000)
        receiver.drop_connections()
        wait_readable(sink._sock)
        send_all(sink, [b"last\n"])
        assert receiver.wait_for(1000 + BLIND_FRAMES + 1)
        assert receiver.received[1000:] == [line.strip() for line in [*batch[-256:], b"last"]]
        monkeypatch.setattr("logroute.sinks.window.BLIND_S", 0.0)
        sink.open()
        assert len(sink._window.flying) == 0


def test_reset_in_the_middle_of_a_batch(make_sink):
    """A peer that crashes while it is written to costs what its kernel had taken, no more."""
    batch = [b"%07d %s\n" % (number, b"x" * 1000) for number in range(16_000)]
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        server.bind(("127.0.0.1", 0))
        server.listen()
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}")
        sink.open()
        peer, _ = server.accept()
        crash = threading.Thread(target=lambda: (peer.recv(1 << 18), reset(peer)))
        crash.start()
        with pytest.raises(Retryable, match=r"reset|Broken pipe") as caught:
            sink.send(batch)
        crash.join()
        assert caught.value.delivered < 8000
        reader = Reader(server)
        send_all(sink, batch[caught.value.delivered :])
        sink.close()
        again = reader.finish()
    assert again == batch[-len(again) :]
    assert (len(batch) - len(again)) * 1000 < 1 << 20


class Gated(TcpReceiver):
    """Reads nothing until a gate opens."""

    def __init__(self, gate, **options):
        super().__init__(**options)
        self._gate = gate

    def _handle(self, sock):
        if self._tls is None:
            self._gate.wait(20)
            super()._handle(sock)
            return
        with self._connection(sock), self._tls.wrap_socket(sock.dup(), server_side=True) as stream:
            self._gate.wait(20)
            for line in stream.makefile("rb"):
                self._keep(line.removesuffix(b"\n"))


def test_endless_stall_is_given_up(make_sink):
    """A peer that takes no byte for a minute gets a new connection, and the frames again."""
    now = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = parse_address(f"127.0.0.1:{server.getsockname()[1]}")
        sink = SocketSink(address, TimeoutSpec(send=0.1), clock=lambda: now[0])
        sink.open()
        first, _ = server.accept()
        with first:
            with pytest.raises(Retryable, match="reads nothing"):
                sink.send([b"x" * 1000 + b"\n"] * 8000)
            now[0] = 61.0
            with pytest.raises(Retryable, match=r"no answer|timed out"):
                sink.send([b"x\n"])
            sink.open()
            second, _ = server.accept()
            second.close()
            assert sink.held > 1000
        sink.close()


def test_vanished_peer_is_noticed(make_sink):
    """Fault 41: a half-open connection is left within the timeout, and loses nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}", timeout=TimeoutSpec(send=0.5))
        sink.open()
        peer, _ = server.accept()
        with peer:
            sink.send([b"one\n"])
            sink.flush()
            with deaf(peer):  # no packet arrives, none is answered
                sink.send([b"two\n"])
                with pytest.raises(Retryable, match="has not acknowledged 1 records"):
                    sink.flush()
                while sink.open() is None and sink.held and sink._window.flying:
                    wait_readable_or(0.05, server)
            again, _ = server.accept()
            with again:
                sink.send([b"three\n"])
                lines = again.makefile("rb")
                assert [lines.readline(), lines.readline()] == [b"two\n", b"three\n"]
                lines.close()
                assert peer.recv(100) == b"one\n"


def wait_readable_or(timeout_s, sock):
    """Wait for a connection, a moment at most."""
    import select

    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(timeout_s * 1000)


def test_slow_network_is_no_silence(make_sink):
    """Packets lost for less than the timeout cost neither the connection nor a repeat."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = make_sink(f"127.0.0.1:{server.getsockname()[1]}", timeout=TimeoutSpec(send=5))
        sink.open()
        peer, _ = server.accept()
        with peer:
            with deaf(peer):
                sink.send([b"one\n"])
                sink.open()
            sink.flush()
            sink.close()
            assert peer.makefile("rb").read() == b"one\n"


def drain(peer):
    """Read what has come up to the end or a reset, and close."""
    data = b""
    with peer, contextlib.suppress(ConnectionResetError):
        peer.settimeout(5)
        while piece := peer.recv(1 << 20):
            data += piece
    return data


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
        with pytest.raises(Retryable, match="reads nothing or too slowly"):
            for _ in range(100):
                sink.send([b"x" * 100_000] * 10)
        assert sink.held > 0


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
        assert sink.held == 0


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
        sink = make_sink(receiver.address, tls=trust, timeout=TimeoutSpec(connect=0.5))
        with pytest.raises(Retryable, match="timed out"):
            sink.open()


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_missing_certificate_file_is_named(make_sink, key):
    """The message says which file cannot be read."""
    with TcpReceiver() as receiver:
        sink = make_sink(receiver.address, tls=TlsSpec(**{key: "/nowhere/x.pem"}))
        with pytest.raises(Retryable, match=r"`/nowhere/x.pem`: No such file"):
            sink.open()


def test_frames_sent_again_are_held_all_the_while(monkeypatch):
    """Who asks from another thread never finds too few: a spool would forget the record."""
    seen = []
    took = Window.took

    def watch(window, frames):
        seen.append(list(window.again))
        took(window, frames)

    monkeypatch.setattr(Window, "took", watch)
    with TcpReceiver() as receiver:
        sink = SocketSink(parse_address(f"127.0.0.1:{receiver.port}"))
        sink._window.again = [b"one\n"]
        sink.send([b"two\n"])
        assert sink._window.again == [] and receiver.wait_for(2, 5)
        sink.close()
    assert seen == [[b"one\n"]] and receiver.received == [b"one", b"two"]
