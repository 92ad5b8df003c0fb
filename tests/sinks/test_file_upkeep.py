"""Upkeep: what is kept, what is compressed, and what a crash leaves."""

import fcntl
import gzip
import lzma
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from logroute.errors import Retryable
from logroute.sinks.file import FileSink
from logroute.sinks.files import archive
from logroute.sinks.files.caretaker import Caretaker, caretaker
from logroute.sinks.files.rotation import Rotation
from logroute.sinks.files.upkeep import Limits, Upkeep

DAY_S = 86_400
NOW_S = 1_936_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def rotated(tmp_path):
    """Make rotated files: (name, bytes), a day apart, the last written now."""

    def make(*files):
        for age, (name, data) in enumerate(reversed(files)):
            file = tmp_path / name
            file.write_bytes(data)
            os.utime(file, (0, NOW_S - age * DAY_S))

    return make


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def look_after(path, compress="none", **limits):
    upkeep = Upkeep(str(path), Limits(**limits), compress, lambda: NOW_S)
    upkeep.run()
    return upkeep.fault


FIVE = [(f"app.log.2031-05-1{n}", b"x" * 10) for n in range(5)]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, 5),
        ({"most": 2}, 2),
        ({"most": 0}, 0),
        ({"most": 9}, 5),
        ({"age_s": 2.5 * DAY_S}, 3),
        ({"age_s": 0.0}, 1),
        ({"total_bytes": 35}, 3),
        ({"total_bytes": 9}, 0),
        ({"most": 4, "age_s": 2.5 * DAY_S, "total_bytes": 25}, 2),
    ],
)
def test_oldest_files_go_first(path, rotated, tmp_path, limits, left):
    """By count, by age, by bytes: the newest stay."""
    rotated(*FIVE)
    assert look_after(path, **limits) is None
    assert names(tmp_path) == [name for name, _ in FIVE[5 - left :]]


FOREIGN = [
    "app.log",
    "app.log.1",
    "app.log.2031-05-11.bak",
    "app.log.2031-05-11.gz.asc",
    "app.log.2031-13-11",
    "app.log.2031-05-11_2",
    "app.log.2031-05-11-extra",
    "app.log.2031-05-11_25",
    "app.log.20310511",
    "app.logx.2031-05-11",
    "myapp.log.2031-05-11",
    "app-log.2031-05-11",
    "app.log.\u0662\u0660\u0663\u0661-05-11",
    "app.log.2031-05-11\n",
]


def test_foreign_files_are_never_touched(path, tmp_path):
    """Only what is called exactly as rotation calls it is ours."""
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "app.log.2031-05-11").mkdir()
    (tmp_path / "app.log.2031-05-12").symlink_to(tmp_path / "app.log.1")
    before = names(tmp_path)
    assert look_after(path, "gzip", most=0, age_s=0.0, total_bytes=0) is None
    assert names(tmp_path) == before


def test_numbers_are_ordered_as_numbers(path, rotated, tmp_path):
    """The thousandth file of a day is newer than the second."""
    rotated(("app.log.2031-05-14", b"1"), ("app.log.2031-05-14_002", b"2"))
    rotated(("app.log.2031-05-14_999", b"3"), ("app.log.2031-05-14_1000", b"4"))
    look_after(path, most=2)
    assert names(tmp_path) == ["app.log.2031-05-14_1000", "app.log.2031-05-14_999"]


def test_archives_and_plain_files_count_alike(path, rotated, tmp_path):
    """A plain file and its archive are one file."""
    rotated(
        ("app.log.2031-05-12.gz", b"a"),
        ("app.log.2031-05-13", b"b"),
        ("app.log.2031-05-13.gz", b"b"),
        ("app.log.2031-05-14", b"c"),
    )
    look_after(path, most=2)
    assert names(tmp_path) == [
        "app.log.2031-05-13",
        "app.log.2031-05-13.gz",
        "app.log.2031-05-14",
    ]


def test_limits_hold_after_each_rotation(path, tmp_path):
    """A sink removes as it rotates."""
    rotation = Rotation(str(path), size_bytes=2, limits=Limits(3))
    sink = FileSink(str(path), rotation=rotation)
    for n in range(9):
        sink.send([b"%d\n" % n])
    sink.close()
    assert sorted(file.read_bytes() for file in tmp_path.iterdir()) == [
        b"%d\n" % n for n in range(5, 9)
    ]


def test_failed_removal_is_said_once(path, rotated, monkeypatch):
    """Files that cannot be removed cost one complaint and no record."""
    rotated(*FIVE)

    def refuse(name):
        raise PermissionError(1, "Operation not permitted", name)

    sink = FileSink(str(path), rotation=Rotation(str(path), size_bytes=2, limits=Limits(1)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        with pytest.raises(Retryable, match="cannot look after the rotated files") as caught:
            sink.send([b"1\n"])
        assert caught.value.delivered == 1
        sink.send([b"2\n", b"3\n"])
    sink.close()


# -- compression


READ = {
    "gzip": (".gz", lambda file: gzip.decompress(file.read_bytes())),
    "xz": (".xz", lambda file: lzma.decompress(file.read_bytes())),
    "zip": (".zip", lambda file: zipfile.ZipFile(file).read("app.log.2031-05-14")),
}


@pytest.mark.parametrize("kind", READ)
def test_archive_keeps_content_mode_and_mtime(path, rotated, tmp_path, kind):
    """S14: the archive has what the file had, and the file is gone."""
    data = b"line of the log\n" * 100_000
    rotated(("app.log.2031-05-14", data))
    (tmp_path / "app.log.2031-05-14").chmod(0o640)
    assert look_after(path, kind) is None
    suffix, read = READ[kind]
    (file,) = tmp_path.iterdir()
    assert (file.name, read(file)) == (f"app.log.2031-05-14{suffix}", data)
    status = file.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, NOW_S)
    assert status.st_size < len(data) / 10


@pytest.mark.parametrize("kind", READ)
def test_leftover_of_a_crash_is_finished(path, rotated, tmp_path, kind):
    """S17: half an archive is removed, and the file compressed anew."""
    suffix, read = READ[kind]
    part = f"app.log.2031-05-14{suffix}.part"
    rotated(("app.log.2031-05-14", b"whole\n"), (part, b"ha"))
    assert look_after(path, kind) is None
    assert [read(file) for file in tmp_path.iterdir()] == [b"whole\n"]


@pytest.mark.parametrize("kind", READ)
def test_archive_beside_its_file_ends_the_work(path, rotated, tmp_path, kind):
    """S17: killed between the last two steps, only the file is left to remove."""
    suffix, read = READ[kind]
    rotated(("app.log.2031-05-14", b"whole\n"))
    look_after(path, kind)
    archive_of = tmp_path / f"app.log.2031-05-14{suffix}"
    before = archive_of.stat().st_ino
    rotated(("app.log.2031-05-14", b"whole\n"))
    assert look_after(path, kind) is None
    assert names(tmp_path) == [archive_of.name]
    assert archive_of.stat().st_ino == before


@pytest.mark.parametrize(
    "other", [b"no archive", gzip.compress(b"who", mtime=0)], ids=["text", "gzip"]
)
def test_archive_of_something_else_is_left_alone(path, rotated, tmp_path, other):
    """What has the archive's name but not the file's content is not replaced."""
    rotated(("app.log.2031-05-14", b"whole\n"), ("app.log.2031-05-14.gz", other))
    assert look_after(path, "gzip") is None
    assert (tmp_path / "app.log.2031-05-14").read_bytes() == b"whole\n"
    assert (tmp_path / "app.log.2031-05-14.gz").read_bytes() == other


def test_half_archive_without_its_file_is_removed(path, rotated, tmp_path):
    """What nobody can finish goes."""
    rotated(("app.log.2031-05-13.gz.part", b"ha"))
    look_after(path)
    assert names(tmp_path) == []


def test_half_archive_in_the_making_is_left(path, rotated, tmp_path):
    """What another process writes at this moment stays, and its file too."""
    rotated(("app.log.2031-05-14", b"whole\n"), ("app.log.2031-05-14.gz.part", b"ha"))
    source = (tmp_path / "app.log.2031-05-14").open("rb")
    part = (tmp_path / "app.log.2031-05-14.gz.part").open("rb")
    with source, part:
        fcntl.flock(source, fcntl.LOCK_EX)
        fcntl.flock(part, fcntl.LOCK_EX)
        assert look_after(path, "gzip") is None
    assert names(tmp_path) == ["app.log.2031-05-14", "app.log.2031-05-14.gz.part"]


def test_file_that_grows_meanwhile_stays(path, rotated, tmp_path, monkeypatch):
    """A writer that came late does not lose its line to the archive."""
    rotated(("app.log.2031-05-14", b"early\n"))
    take_over = archive._take_over

    def late(out, status):
        with (tmp_path / "app.log.2031-05-14").open("ab") as file:
            file.write(b"late\n")
        take_over(out, status)

    monkeypatch.setattr(archive, "_take_over", late)
    look_after(path, "gzip")
    assert names(tmp_path) == ["app.log.2031-05-14"]
    monkeypatch.setattr(archive, "_take_over", take_over)
    look_after(path, "gzip")
    (file,) = tmp_path.iterdir()
    assert gzip.decompress(file.read_bytes()) == b"early\nlate\n"


def test_total_counts_compressed_bytes(path, rotated, tmp_path):
    """What is about to shrink does not push out what has shrunk."""
    rotated(*((name, b"x" * 10_000) for name, _ in FIVE))
    look_after(path, "gzip", total_bytes=1000)
    assert len(names(tmp_path)) == 5
    look_after(path, "gzip", total_bytes=60)
    assert names(tmp_path) == [f"{FIVE[-1][0]}.gz"]


def test_full_disk_while_compressing_keeps_the_file(path, rotated, tmp_path, monkeypatch):
    """Where there is no room for an archive the file stays, within the limits."""
    rotated(*((name, b"x" * 10_000) for name, _ in FIVE))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    fault = look_after(path, "gzip", total_bytes=25_000)
    assert "cannot compress" in fault and "No space left" in fault
    assert names(tmp_path) == [name for name, _ in FIVE[3:]]


def test_empty_reservation_of_a_crash_is_removed(path, tmp_path):
    """A name that was reserved long ago and never filled is free again."""
    for name, age in (("app.log.2031-05-13", 3600), ("app.log.2031-05-14", 1)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, NOW_S - age))
    look_after(path)
    assert names(tmp_path) == ["app.log.2031-05-14"]


def test_sink_compresses_in_the_background(path, tmp_path):
    """The worker goes on; `close` lets what was begun end."""
    rotation = Rotation(str(path), size_bytes=6, compress="gzip")
    sink = FileSink(str(path), rotation=rotation)
    for n in range(20):
        sink.send([b"line%d\n" % n])
    sink.close()
    assert caretaker().finish(120)
    archives = sorted(tmp_path.glob("*.gz"))
    assert len(archives) == 19
    found = b"".join(gzip.decompress(file.read_bytes()) for file in archives)
    assert found + path.read_bytes() == b"".join(b"line%d\n" % n for n in range(20))


def test_start_compresses_what_the_last_run_left(path, rotated, tmp_path):
    """S17: the first record of a process sees to the files of the former one."""
    rotated(("app.log.2031-05-14", b"left\n"))
    sink = FileSink(str(path), rotation=Rotation(str(path), size_bytes=100, compress="xz"))
    sink.send([b"new\n"])
    sink.close()
    assert caretaker().finish(120)
    assert names(tmp_path) == ["app.log", "app.log.2031-05-14.xz"]


def test_failed_compression_is_said_by_the_next_batch(path, rotated, monkeypatch):
    """What went wrong in the other thread is told by the worker, once."""
    rotated(("app.log.2031-05-14", b"left\n"))
    monkeypatch.setattr(archive, "_copy", lambda *args: 1 / 0)
    sink = FileSink(str(path), rotation=Rotation(str(path), size_bytes=100, compress="xz"))
    sink.send([b"1\n"])
    assert caretaker().finish(120)
    with pytest.raises(Retryable, match=r"cannot compress .*ZeroDivisionError") as caught:
        sink.send([b"2\n"])
    assert caught.value.delivered == 1
    sink.send([b"3\n"])
    sink.close()
    assert path.read_bytes() == b"1\n2\n3\n"


KILLED = """
import os, sys
from logroute.sinks.files import archive
from logroute.sinks.files.upkeep import Limits, Upkeep

# Tell before each step of the system what comes, and wait for leave.
def watch(module, name):
    real = getattr(module, name)
    def step(*args, **more):
        print(name, flush=True)
        sys.stdin.readline()
        return real(*args, **more)
    setattr(module, name, step)

for name in ("write", "fchmod", "utime", "fsync", "link", "unlink", "pread"):
    watch(os, name)
Upkeep(sys.argv[1], Limits(), sys.argv[2]).run()
print("done", flush=True)
"""


@pytest.mark.parametrize("kind", READ)
def test_kill_at_any_step_loses_nothing(path, rotated, tmp_path, kind):
    """S17: after kill -9 before each step there is the file or a whole archive."""
    data = os.urandom(400_000)
    suffix, read = READ[kind]
    for steps in range(100):
        for file in tmp_path.iterdir():
            file.unlink()
        rotated(("app.log.2031-05-14", data))
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(steps):
            if child.stdout.readline() == "done\n":
                break
            child.stdin.write("\n")
            child.stdin.flush()
        last = child.stdout.readline()
        child.kill()
        child.communicate()
        found = {file.name: file for file in tmp_path.iterdir()}
        plain, packed = found.get("app.log.2031-05-14"), found.get(f"app.log.2031-05-14{suffix}")
        assert plain is not None or packed is not None
        assert plain is None or plain.read_bytes() == data
        assert packed is None or read(packed) == data
        look_after(path, kind)
        assert names(tmp_path) == [f"app.log.2031-05-14{suffix}"]
        if last in ("done\n", ""):
            break
    assert steps > 5


# -- the thread


def test_thread_ends_with_its_work():
    """An idle process has no thread for upkeep; the same job waits once."""
    threads = len(os.listdir("/proc/self/task"))
    care, gate, done = Caretaker(), threading.Event(), []
    care.request("a", gate.wait)
    for _ in range(3):
        care.request("b", lambda: done.append(1))
    care.request("c", lambda: 1 / 0)
    care.request("d", lambda: done.append(2))
    assert not care.finish(0)
    gate.set()
    assert care.finish(30)
    assert done == [1, 2]
    while len(os.listdir("/proc/self/task")) > threads:
        time.sleep(0)


def test_no_thread_at_exit_leaves_the_work(monkeypatch):
    """Where no thread can start any more, the next start does it."""

    def refuse(*args):
        raise RuntimeError("can't start new thread")

    care = Caretaker()
    monkeypatch.setattr("logroute.native.start_thread", refuse)
    care.request("a", lambda: None)
    assert care.finish(0)


def test_forked_child_has_its_own_thread_and_no_locks(path, rotated, tmp_path, monkeypatch):
    """A fork in the middle of a compression leaves the file to the parent."""
    rotated(("app.log.2031-05-14", b"x" * 1000))
    inside, leave, copy = threading.Event(), threading.Event(), archive._copy

    def slow(*args):
        inside.set()
        leave.wait(30)
        return copy(*args)

    monkeypatch.setattr(archive, "_copy", slow)
    caretaker().request("x", lambda: look_after(path, "gzip"))
    inside.wait(30)
    held = len(archive._open_here)
    child = os.fork()
    if child == 0:
        is_fresh = caretaker().finish(0) and not archive._open_here
        os._exit(0 if is_fresh and held == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    leave.set()
    assert caretaker().finish(120)
    assert names(tmp_path) == ["app.log.2031-05-14.gz"]


def test_nothing_heavy_is_imported_before_it_is_needed():
    """Law 6: a file handler without compression imports no archiver."""
    code = """
import sys
from logroute.sinks.file import FileSpec, RotateSpec
FileSpec(path="/dev/null").sink()
assert not [name for name in sys.modules if name.startswith("logroute.sinks.files.r")]
FileSpec(path="/dev/null", rotate=RotateSpec(size=5, compress="gzip")).sink().send([b"x"])
print([name for name in ("gzip", "lzma", "zipfile", "bz2", "shutil") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_exit_does_not_wait_for_a_long_compression(path, rotated, tmp_path):
    """An exit ends a compression after a moment; the file is whole then."""
    with (tmp_path / "app.log.2031-05-14").open("wb") as file:
        file.truncate(20 << 30)  # sparse: minutes to compress, nothing on disk
    code = f"""
from logroute.sinks.file import FileSpec, RotateSpec
sink = FileSpec(path={str(path)!r}, rotate=RotateSpec(size=100, compress="gzip")).sink()
sink.send([b"x\\n"])
sink.close()
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=20, check=False)
    assert done.returncode == 0
    assert (tmp_path / "app.log.2031-05-14").stat().st_size == 20 << 30
    look_after(path)  # removes the half
    assert names(tmp_path) == ["app.log", "app.log.2031-05-14"]


def test_signal_does_not_stop_upkeep(path, rotated, tmp_path):
    """A signal that interrupts the process leaves no half archive behind."""
    rotated(("app.log.2031-05-14", os.urandom(3_000_000)))
    former = signal.signal(signal.SIGALRM, lambda *args: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        caretaker().request("x", lambda: look_after(path, "xz"))
        assert caretaker().finish(120)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert names(tmp_path) == ["app.log.2031-05-14.xz"]
