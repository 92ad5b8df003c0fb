"""Several processes write, rotate and compress one file: no record is lost or torn."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from logroute.sinks.files.upkeep import Upkeep

SIZE = 20_000
WRITER = """
import random, sys
from logroute.sinks.file import FileSpec, RotateSpec

path, name, count, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])
spec = FileSpec(path=path, shared=options.pop("shared", True), rotate=RotateSpec(**options))
sink, chance = spec.sink(), random.Random(name)
lines = [f"{name} {n:06d} {'x' * chance.randrange(200)}.\\n".encode() for n in range(count)]
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
while lines:
    size = chance.randrange(1, 60)
    sink.send(lines[:size])
    del lines[:size]
    if name.startswith("v"):
        print("sent", len(lines), flush=True)
sink.close()
"""


def start(path, name, count, **options):
    arguments = [sys.executable, "-c", WRITER, str(path), name, str(count), repr(options)]
    child = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def run(path, *names, count=2000, **options):
    """Let the writers go all at once; wait for their end."""
    children = [start(path, name, count, **options) for name in names]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert (child.returncode, errors) == (0, "")


def files_of(path):
    """Return the content of each file, when what an exit has cut short is finished."""
    Upkeep(str(path), None, "gzip" if list(path.parent.glob("*.gz*")) else "none").run()
    return {file: read(file) for file in sorted(path.parent.iterdir())}


def read(file):
    data = file.read_bytes()
    return gzip.decompress(data) if file.suffix == ".gz" else data


def records_of(files):
    """Return (writer, number) of each line; a torn or glued one fails."""
    found = []
    for data in files.values():
        assert data.endswith(b".\n")
        for line in data.decode().splitlines():
            name, number, rest = line.split(" ")
            assert rest.strip("x") == "."
            found.append((name, int(number)))
    return found


def expected(count, *names):
    return sorted((name, number) for name in names for number in range(count))


@pytest.mark.parametrize("attempt", range(20))
def test_four_processes_lose_nothing(tmp_path, attempt):
    """Fault 21: 8000 records by 4 processes, over a hundred rotations, each record once."""
    path = tmp_path / "app.log"
    run(path, *"abcd", size=SIZE)
    files = files_of(path)
    assert sorted(records_of(files)) == expected(2000, *"abcd")
    assert len(files) >= 40
    assert max(map(len, files.values())) <= SIZE


@pytest.mark.parametrize("attempt", range(3))
def test_compression_loses_nothing_beside_writers(tmp_path, attempt):
    """Fault 21, with each process compressing what it put away."""
    path = tmp_path / "app.log"
    run(path, *"abcd", size=SIZE, compress="gzip")
    files = files_of(path)
    assert sorted(records_of(files)) == expected(2000, *"abcd")
    assert {file.suffix for file in files} >= {".gz", ".log"}
    assert not [file for file in files if file.suffix == ".part"]


def test_unshared_rotation_is_safe_all_the_same(tmp_path):
    """Who forgot `shared: true` loses nothing either."""
    path = tmp_path / "app.log"
    run(path, *"abcd", size=SIZE, shared=False, compress="gzip")
    assert sorted(records_of(files_of(path))) == expected(2000, *"abcd")


def test_order_of_names_is_order_of_lines(tmp_path):
    """Each writer's lines ascend through the files in the order of their names."""
    path = tmp_path / "app.log"
    run(path, *"abcd", size=SIZE)
    files = files_of(path)
    live = files.pop(path)
    found = records_of({**files, path: live})
    for name in "abcd":
        numbers = [number for writer, number in found if writer == name]
        assert numbers == sorted(numbers)


def test_four_processes_put_yesterday_away_once(tmp_path):
    """Fault 22: all of them find yesterday's file; it moves once, and nothing is lost."""
    path = tmp_path / "app.log"
    path.write_bytes(b"z 000000 .\n")
    os.utime(path, (time.time() - 90_000,) * 2)
    run(path, *"abcd", count=350, every="day")
    files = files_of(path)
    assert sorted(records_of(files)) == sorted([*expected(350, *"abcd"), ("z", 0)])
    assert min(map(len, files.values())) == len(b"z 000000 .\n")
    assert len(files) == 2


@pytest.mark.parametrize("attempt", range(5))
def test_killed_writer_harms_nobody(tmp_path, attempt):
    """A writer killed at any moment, even holding the lock, neither stops nor tears others."""
    path = tmp_path / "app.log"
    victim = start(path, "v", 100_000, size=SIZE)
    others = [start(path, name, 2000, size=SIZE) for name in "ab"]
    for child in (victim, *others):
        child.stdin.write("go\n")
        child.stdin.flush()
    for _ in range(20 + 10 * attempt):
        last = victim.stdout.readline()
    victim.kill()
    rest = victim.communicate(timeout=60)[0].split("\n")
    lines = [line for line in [last.strip(), *rest] if line.startswith("sent ")]
    for child in others:
        assert child.communicate(timeout=60)[1] == ""
    whole = []
    for data in files_of(path).values():
        for line in data.decode().splitlines():
            if line.endswith("."):
                name, number, _ = line.split(" ")
                whole.append((name, int(number)))
            else:
                assert "v 0".startswith(line[:3])  # the victim's last words
    sent = 100_000 - min(int(line.split()[1]) for line in lines if line.split()[1].isdigit())
    assert len(whole) == len(set(whole))
    assert set(whole) >= set(expected(2000, *"ab")) | set(expected(sent, "v"))


def test_stopped_lock_holder_delays_but_loses_nothing(tmp_path):
    """A process stopped with the lock (a debugger, SIGSTOP) is not waited for for ever."""
    path = tmp_path / "app.log"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        run(path, "a", count=500, size=SIZE)
    finally:
        holder.kill()
        holder.communicate()
    assert sorted(records_of(files_of(path))) == expected(500, "a")
    run(path, "b", count=500, size=SIZE)
    assert sorted(records_of(files_of(path))) == expected(500, "a", "b")


HOLDER = """
import fcntl, sys, time
with open(sys.argv[1], "ab") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(120)
"""


def test_forked_writers_lose_nothing(tmp_path):
    """One program configures, forks four workers in the middle of its work, and all write."""
    done = subprocess.run(
        # from 3.12 on Python itself warns of any fork beside a thread
        [
            sys.executable,
            "-Wignore:This process:DeprecationWarning",
            "-c",
            FORKING,
            str(tmp_path / "app.log"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    stats = json.loads(done.stdout)
    assert stats == [0] * 5
    found = sorted(records_of(files_of(tmp_path / "app.log")))
    assert found == sorted([*expected(1000, *"abcd"), *expected(2000, "p")])


FORKING = """
import json, logging, os, sys
import logroute

logroute.configure({
    "version": 1,
    "formatters": {"line": {"format": "%(message)s."}},
    "handlers": {"log": {"type": "file", "path": sys.argv[1], "formatter": "line", "shared": True,
                         "rotate": {"size": 20000, "compress": "gzip"}}},
    "root": {"level": "INFO", "handlers": ["log"]},
})

def write(name, first, last):
    for number in range(first, last):
        logging.info("%s %06d %s", name, number, "x" * 40)

def finish():
    assert logroute.flush(30)
    counts = logroute.stats()["handlers"]["log"]
    logroute.shutdown(10)
    return counts["enqueued"] - counts["delivered"]

write("p", 0, 1000)
pipes = []
for name in "abcd":
    out, into = os.pipe()
    if os.fork() == 0:
        write(name, 0, 1000)
        os.write(into, b"%d" % finish())
        os._exit(0)
    os.close(into)
    pipes.append(out)
write("p", 1000, 2000)
left = [finish()]
for out in pipes:
    left.append(int(os.read(out, 10)))
    os.wait()
print(json.dumps(left))
"""
