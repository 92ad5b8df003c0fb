"""The console kind: order, colour, stuck and gone readers."""

import fcntl
import hashlib
import io
import logging
import os
import subprocess
import sys

import pytest

from logroute.errors import Rejected, Retryable
from logroute.sinks.console import ConsoleSink, ConsoleSpec


class Pipe:
    """A pipe whose writing end can be put in place of sys.stderr."""

    def __init__(self, monkeypatch):
        self.reader, writer = os.pipe()
        self.stream = os.fdopen(writer, "w", encoding="utf-8")
        self._monkeypatch = monkeypatch

    def install(self):
        self._monkeypatch.setattr(sys, "stderr", self.stream)
        return self

    def read(self, count=1 << 20):
        return os.read(self.reader, count)

    def close_reader(self):
        if self.reader is not None:
            os.close(self.reader)
        self.reader = None


@pytest.fixture
def pipe(monkeypatch):
    """A Pipe; `install` is for the test itself, since pytest replaces sys.stderr after set-up."""
    made = Pipe(monkeypatch)
    yield made
    monkeypatch.undo()
    made.stream.close()
    made.close_reader()


def encode(spec, record):
    return spec.encoder(logging.Formatter("%(message)s").format)(record)


def test_line_reaches_descriptor_behind_printed_text(pipe):
    """What was printed before a record stays before it."""
    pipe.install()
    print("printed", end=" ", file=sys.stderr, flush=False)
    ConsoleSink("stderr").send([b"one\n", b"two\n"])
    assert pipe.read() == b"printed one\ntwo\n"


def test_stream_without_descriptor_gets_write(monkeypatch):
    """A StringIO, as notebooks and test runners put there, is written as text."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    ConsoleSink("stdout").send(["grün\n".encode()])
    assert stream.getvalue() == "grün\n"


def test_captured_output_is_seen(capsys):
    """The capture of pytest sees the lines."""
    ConsoleSink("stderr").send([b"captured\n"])
    assert capsys.readouterr().err == "captured\n"


def test_stream_with_narrow_encoding_escapes(monkeypatch):
    """What the stream's encoding lacks is escaped, not lost."""
    with open(os.devnull, "w", encoding="ascii") as stream:
        reader, writer = os.pipe()
        os.dup2(writer, stream.fileno())
        os.close(writer)
        monkeypatch.setattr(sys, "stderr", stream)
        ConsoleSink("stderr").send(["grün\n".encode()])
        assert os.read(reader, 100) == b"gr\\xfcn\n"
        os.close(reader)


def test_look_alike_with_narrow_encoding_escapes(monkeypatch):
    """The same for a stream that has no descriptor."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    ConsoleSink("stderr").send(["grün\n".encode()])
    assert stream.buffer.getvalue() == b"gr\\xfcn\n"


def test_missing_stream_is_rejected(monkeypatch):
    """A process without standard error says so."""
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(Rejected, match="stderr is closed"):
        ConsoleSink("stderr").send([b"x\n"])


def test_closed_stream_is_rejected(monkeypatch):
    """A closed sys.stdout is no reason for a ValueError."""
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(Rejected, match="stdout is closed"):
        ConsoleSink("stdout").send([b"x\n"])


def test_gone_reader_is_rejected(pipe):
    """Fault 55: ePIPE says that nobody reads any more."""
    pipe.install().close_reader()
    with pytest.raises(Rejected, match="nobody reads stderr any more"):
        ConsoleSink("stderr").send([b"x\n"])


@pytest.mark.parametrize("blocking", [True, False])
def test_stuck_reader_is_retryable(pipe, blocking):
    """Fault 55: a full pipe ends in Retryable that says how much is out, blocking or not."""
    os.set_blocking(pipe.install().stream.fileno(), blocking)
    size = fcntl.fcntl(pipe.reader, fcntl.F_GETPIPE_SZ)
    batch = [b"x" * 99 + b"\n"] * (size // 100 + 50)
    with pytest.raises(Retryable, match="records are out") as caught:
        ConsoleSink("stderr", patience_s=0.01).send(batch)
    assert 0 < caught.value.delivered <= size // 100


def test_torn_line_is_finished_first(pipe):
    """Fault 56: sending the rest again after a stuck reader tears and repeats no line."""
    pipe.install()
    batch = [b"%06d %s\n" % (number, b"x" * 4500) for number in range(40)]
    sink, rest, got = ConsoleSink("stderr", patience_s=0.01), batch, b""
    while rest:
        try:
            sink.send(rest)
            rest = []
        except Retryable as fault:
            rest = rest[fault.delivered :]
            got += pipe.read(30_000)
    while len(got) < sum(map(len, batch)):
        got += pipe.read()
    assert hashlib.sha256(got).digest() == hashlib.sha256(b"".join(batch)).digest()


def test_color_never_and_always(record):
    """`always` paints by level without asking anybody."""
    bad = record("bad", level=logging.ERROR)
    assert encode(ConsoleSpec(color="never"), bad) == b"bad\n"
    assert encode(ConsoleSpec(color="always"), bad) == b"\x1b[31mbad\x1b[0m\n"
    assert encode(ConsoleSpec(color="always"), record("fine", level=logging.INFO)) == b"fine\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environ", "is_terminal", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_auto_color_minds_environment(monkeypatch, record, environ, is_terminal, colored):
    """`auto` follows the terminal, NO_COLOR, FORCE_COLOR and TERM=dumb."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal() if is_terminal else io.StringIO())
    payload = encode(ConsoleSpec(), record("x", level=logging.ERROR))
    assert (b"\x1b[" in payload) is colored


def test_lone_surrogate_is_escaped(record):
    """Text that no encoding takes is still written."""
    assert encode(ConsoleSpec(color="never"), record("a\ud800b")) == b"a\\ud800b\n"


def test_real_process_writes_to_its_stdout():
    """A whole process, with its own streams."""
    code = (
        "from logroute.sinks.console import ConsoleSink\n"
        "print('first')\n"
        "ConsoleSink('stdout').send([b'second\\n'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"first\nsecond\n"


def test_nonblocking_stdout_loses_nothing():
    """Fault 56: stdout made non-blocking by another library loses no line."""
    code = (
        "import os, logging, logroute\n"
        "os.set_blocking(1, False)\n"
        "logroute.configure({'version': 1, 'routes': [{'to': 'out'}], 'root': {'level': 'INFO'},\n"
        "    'handlers': {'out': {'type': 'console', 'stream': 'stdout'}}})\n"
        "for n in range(3000):\n"
        "    logging.info('%d %s', n, 'x' * 200)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0) as child:
        first = child.stdout.read(1000)  # a slow reader: the pipe is full meanwhile
        out, err = child.communicate(timeout=60)
    lines = (first + out).decode().splitlines()
    assert [line.split("root: ")[1].split()[0] for line in lines] == [str(n) for n in range(3000)]
    assert (err, child.returncode) == (b"", 0)
