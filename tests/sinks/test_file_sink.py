"""The file kind: follows its path, tears nothing, touches no file but its own."""

import errno
import logging
import os
import stat
import subprocess
import sys

import pytest

from logroute.errors import Rejected, Retryable
from logroute.options import options_of
from logroute.sinks.file import FileSink, FileSpec, RotateSpec


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def sink(path):
    made = FileSink(str(path))
    yield made
    made.close()


def test_batch_is_one_write(sink, path, monkeypatch):
    """A batch costs one system call."""
    writes, write = [], os.write
    monkeypatch.setattr(os, "write", lambda *args: writes.append(1) or write(*args))
    sink.open()
    sink.send([b"one\n", b"two\n"])
    assert (path.read_bytes(), len(writes)) == (b"one\ntwo\n", 1)


def test_file_is_appended_to(sink, path):
    """What is there stays."""
    path.write_bytes(b"old\n")
    sink.send([b"new\n"])
    assert path.read_bytes() == b"old\nnew\n"


@pytest.mark.parametrize("move", [True, False])
def test_moved_or_deleted_file_is_begun_anew(sink, path, move):
    """What logrotate took away keeps its lines; the next go to a new file."""
    sink.send([b"one\n"])
    old = path.rename(path.with_suffix(".1")) if move else path.unlink()
    sink.send([b"two\n"])
    assert path.read_bytes() == b"two\n"
    assert old is None or old.read_bytes() == b"one\n"


def test_truncated_file_has_no_hole(sink, path):
    """After copytruncate the next line is at the beginning."""
    sink.send([b"one\n"])
    os.truncate(path, 0)
    sink.send([b"two\n"])
    assert path.read_bytes() == b"two\n"


def test_reused_descriptor_is_left_alone(sink, path, tmp_path):
    """A number that a daemonizer closed and another file got is not ours."""
    sink.send([b"one\n"])
    number = sink._place.descriptor
    other = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)
    sink.send([b"two\n"])
    assert os.fstat(number).st_size == 0  # still open, nothing written
    assert path.read_bytes() == b"one\ntwo\n"
    os.close(other)
    os.close(number)


def test_closed_descriptor_is_opened_again(sink, path):
    """A descriptor closed behind our back costs no record."""
    sink.send([b"one\n"])
    os.close(sink._place.descriptor)
    sink.send([b"two\n"])
    assert path.read_bytes() == b"one\ntwo\n"


def test_close_spares_a_reused_number(path, tmp_path):
    """Closing does not close somebody else's file."""
    sink = FileSink(str(path))
    sink.send([b"one\n"])
    number = sink._place.descriptor
    other = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)
    sink.close()
    assert os.write(number, b"x") == 1
    os.close(other)
    os.close(number)


def limit_writes(monkeypatch, *counts):
    """Let os.write take so many bytes at each call, then ENOSPC, then all."""
    script, write = list(counts), os.write

    def short(descriptor, data):
        count = script.pop(0) if script else len(data)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return write(descriptor, bytes(data)[:count])

    monkeypatch.setattr(os, "write", short)


def test_short_writes_are_continued(sink, path, monkeypatch):
    """A write that takes less is followed by another."""
    limit_writes(monkeypatch, 3, 1, 2)
    sink.send([b"first\n", b"second\n"])
    assert path.read_bytes() == b"first\nsecond\n"


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("taken", [0, 3, 6, 9, 13])
def test_full_disk_tears_and_repeats_nothing(sink, path, monkeypatch, fault, taken):
    """What is on disk is counted, and the rest of a torn line comes first."""
    delivered = {0: 0, 3: 0, 6: 1, 9: 1, 13: 2}[taken]
    batch = [b"first\n", b"second\n", b"third\n"]
    limit_writes(monkeypatch, taken or -fault, *([-fault] if taken else []))
    with pytest.raises(Retryable, match=f"{delivered} of 3 records are in the file") as caught:
        sink.send(batch)
    assert caught.value.delivered == delivered
    sink.send(batch[delivered:])
    assert path.read_bytes() == b"".join(batch)


def test_torn_line_given_up_is_finished(sink, path, monkeypatch):
    """When the worker drops the torn record, its line still ends."""
    limit_writes(monkeypatch, 3, -errno.ENOSPC)
    with pytest.raises(Retryable):
        sink.send([b"first\n"])
    sink.send([b"second\n"])
    assert path.read_bytes() == b"first\nsecond\n"


def test_rest_of_torn_line_may_tear_again(sink, path, monkeypatch):
    """Two full disks in one line are no more than one."""
    limit_writes(monkeypatch, 2, -errno.ENOSPC, 2, -errno.ENOSPC)
    for _ in range(2):
        with pytest.raises(Retryable) as caught:
            sink.send([b"first\n", b"second\n"])
        assert caught.value.delivered == 0
    sink.send([b"first\n", b"second\n"])
    assert path.read_bytes() == b"first\nsecond\n"


@pytest.mark.parametrize("taken", [3, 9])
def test_torn_line_goes_at_the_end(path, monkeypatch, taken):
    """At shutdown on a full disk half a line is cut off; the next start begins a fresh one."""
    limit_writes(monkeypatch, taken, -errno.ENOSPC)
    sink = FileSink(str(path))
    with pytest.raises(Retryable) as caught:
        sink.send([b"first\n", b"second\n"])
    sink.close()
    whole = b"first\n"[: 6 * caught.value.delivered]
    assert path.read_bytes() == whole
    sink.send([b"third\n"])
    sink.close()
    assert path.read_bytes() == whole + b"third\n"


@pytest.mark.parametrize("who", ["another writer", "a forked child"])
def test_torn_line_of_others_is_left(path, monkeypatch, who):
    """Nothing is cut off behind which somebody has written, nor by a child of who tore it."""
    limit_writes(monkeypatch, 3, -errno.ENOSPC)
    sink = FileSink(str(path))
    with pytest.raises(Retryable):
        sink.send([b"first\n"])
    if who == "another writer":
        with path.open("ab") as file:
            file.write(b"other\n")
    else:
        monkeypatch.setattr(os, "getpid", lambda: -1)
    sink.close()
    assert path.read_bytes().startswith(b"fir")


def test_new_file_gets_whole_lines(sink, path, monkeypatch):
    """A line torn in a file that is gone is written whole to the new one."""
    limit_writes(monkeypatch, 3, -errno.ENOSPC)
    with pytest.raises(Retryable):
        sink.send([b"first\n"])
    path.rename(path.with_suffix(".1"))
    sink.send([b"first\n"])
    assert path.read_bytes() == b"first\n"


def test_full_device_is_retryable():
    """/dev/full opens, and says that no space is left."""
    sink = FileSink("/dev/full")
    with pytest.raises(Retryable, match="No space left on device; 0 of 1"):
        sink.send([b"x\n"])
    sink.close()


def test_null_device_takes_all():
    """/dev/null is a file like any other."""
    sink = FileSink("/dev/null")
    sink.send([b"x\n" * 10_000])
    sink.close()


def test_standard_output_by_path():
    """/dev/stdout works where it is a pipe."""
    code = "from logroute.sinks.file import FileSink; FileSink('/dev/stdout').send([b'x\\n'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"x\n"


def test_directory_is_rejected(tmp_path):
    """A directory will never take a line."""
    with pytest.raises(Rejected, match="is a directory"):
        FileSink(str(tmp_path)).send([b"x\n"])


@pytest.mark.parametrize("with_reader", [True, False])
def test_fifo_is_rejected_at_once(tmp_path, with_reader):
    """A FIFO neither blocks the worker nor gets records."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if with_reader else None
    with pytest.raises(Rejected, match="FIFO"):
        FileSink(str(path)).send([b"x\n"])
    if reader is not None:
        os.close(reader)


def test_missing_directories_are_created(tmp_path):
    """Parents are made, unless the file says no."""
    path = tmp_path / "a" / "b" / "app.log"
    with pytest.raises(Retryable, match="No such file"):
        FileSink(str(path), create_dirs=False).open()
    sink = FileSink(str(path))
    sink.send([b"x\n"])
    sink.close()
    assert path.read_bytes() == b"x\n"


def test_mode_is_set_at_creation(path):
    """A new file has the mode of the option, less the umask."""
    before = os.umask(0o027)
    try:
        sink = FileSpec(path=str(path), mode=0o666).sink()
        sink.send([b"x\n"])
        sink.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_path_survives_chdir(tmp_path, monkeypatch):
    """A relative path means what it meant at the start; ~ is the home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    relative, home = FileSpec(path="app.log").sink(), FileSpec(path="~/app.log").sink()
    monkeypatch.chdir("/")
    for sink in (relative, home):
        sink.send([b"x\n"])
        sink.close()
    assert (tmp_path / "app.log").exists() and (tmp_path / "home" / "app.log").exists()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "grün €\n".encode()), ("latin-1", b"gr\xfcn \\u20ac\n"), ("ascii", None)],
)
def test_encoding_escapes_what_it_lacks(record, encoding, expected):
    """Nothing is lost to an encoding."""
    encode = FileSpec(path="x", encoding=encoding).encoder(logging.Formatter().format)
    assert encode(record("grün €")) == (expected or b"gr\\xfcn \\u20ac\n")


MODE = options_of(FileSpec)["mode"].shape
EVERY = options_of(RotateSpec)["every"].shape


@pytest.mark.parametrize(
    ("value", "mode"),
    [("0640", 0o640), ("600", 0o600), (640, 0o640), (600, 0o600), (644.0, 0o644)],
)
def test_mode_reads_octal_digits(value, mode):
    """Text and the usual numbers of octal digits are understood."""
    assert MODE.parse(value) == mode


@pytest.mark.parametrize("value", ["0o640", "888", "rw-r-----", "0440", 416, 420, True, None, ""])
def test_mode_refuses_other_notations(value):
    """0o640 is 416 to YAML 1.2: refused rather than misread."""
    with pytest.raises(ValueError, match="octal digits"):
        MODE.parse(value)


@pytest.mark.parametrize("shape", [MODE, EVERY])
def test_schema_accepts_what_parse_accepts(shape):
    """The two halves of a parsed option agree."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(dict(shape.schema))
    values = ["0640", "640", "999", "day", "5 s", "days", "", 640, 600.0, 416, -1, 1e13, True, None]
    for value in [*values, 0, "1h", "midnight", "0o640", [], {}, 10**12]:
        try:
            accepted = shape.parse(value) is not None
        except ValueError:
            accepted = False
        assert validator.is_valid(value) is accepted, value
