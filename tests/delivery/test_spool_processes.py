"""The spool among real processes: killed, forked, racing for what the dead have left."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from engine_kit import adds_up
from spool_kit import Clock, drain, numbered, put, segments, spool, take

from logroute.delivery.spool.folder import Folder
from logroute.delivery.spool.locks import claim, holder_of

KITS = Path(__file__).resolve().parents[1] / "kits"
ROOT = KITS.parents[1]


def start(task, path, name="a", mode="worker"):
    return subprocess.Popen(
        [sys.executable, str(KITS / "spool_child.py"), task, str(path), str(name), mode],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def killed_after(process, lines):
    """Kill -9 the process once it has said so many lines; return all it has said."""
    said = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    said += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait(30)
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


@pytest.mark.parametrize("mode", ["worker", "caller"])
def test_kill_loses_nothing_on_disk(tmp_path, mode):
    """Fault 1: 10 rounds of kill -9 in the midst of writing; each record said to be there is."""
    chance = random.Random(7)
    for number in range(10):
        process = start("write", tmp_path, f"r{number}", mode)
        on_disk = int(killed_after(process, chance.randrange(1, 800))[-1])
        queue = spool(tmp_path)
        found = drain(queue)
        assert adds_up(queue.counts())
        queue.close("shutdown")
        assert found[:on_disk] == [b"r%d:%d" % (number, n) for n in range(on_disk)]
        assert len(found) - on_disk <= 7  # on disk, and killed before it could say so
        assert list((tmp_path / "h").glob("*.*")) == []


def test_kill_while_delivering_repeats_at_most_one(tmp_path):
    """Fault 1: killed between sending and acknowledging, one record comes twice, none is lost."""
    chance = random.Random(11)
    sent: Counter[str] = Counter()
    on_disk = set()
    for number in range(10):
        said = killed_after(start("pump", tmp_path, f"p{number}"), chance.randrange(5, 1500))
        sent.update(line[5:] for line in said if line.startswith("sent "))
        counts = [int(line[8:]) for line in said if line.startswith("on-disk ")]
        on_disk |= {f"p{number}:{n}" for n in range(max(counts, default=0))}
    sent.update(payload.decode() for payload in _rest(tmp_path))
    assert on_disk <= set(sent)
    assert sum(count - 1 for count in sent.values()) <= 10  # at most the one in each's hands


def _rest(path):
    queue = spool(path)
    try:
        return drain(queue)
    finally:
        queue.close("shutdown")


def test_two_processes_share_a_folder(tmp_path):
    """Each writes a series of its own; when both are dead, all of both is delivered."""
    first, second = start("write", tmp_path, "a"), start("write", tmp_path, "b", "caller")
    on_disk = {"a": int(killed_after(first, 300)[-1]), "b": int(killed_after(second, 300)[-1])}
    found = _rest(tmp_path)
    for name, count in on_disk.items():
        mine = [payload for payload in found if payload.startswith(name.encode())]
        assert mine[:count] == [f"{name}:{n}".encode() for n in range(count)]


def test_race_for_orphans_has_one_winner_each(tmp_path):
    """Four processes at once look for what twelve dead ones left: each record comes once."""
    for number in range(12):
        dead = spool(tmp_path, adopts=False, max_bytes=1 << 22)
        put(dead, *[b"%d:%d" % (number, n) for n in range(200)])
        dead.store.reset()
    racers = [start("deliver", tmp_path, 2400) for _ in range(4)]
    found = []
    for racer in racers:
        found += racer.communicate(timeout=60)[0].decode().split()
        assert racer.returncode == 0
    assert sorted(found) == sorted(f"{n}:{m}" for n in range(12) for m in range(200))
    assert list((tmp_path / "h").glob("*.*")) == []


# -- fork


def in_child(run):
    """Run `run` in a forked child; return its exit code, 0 if it returned true."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if run() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mode", ["worker", "caller"])
def test_child_has_a_series_of_its_own(tmp_path, mode):
    """Fault 18: a child writes nothing into the parent's segments, takes nothing from them."""
    queue = spool(tmp_path, write=mode)
    queue.append(b"parent 1", 20)
    size = segments(tmp_path)[0].stat().st_size

    def child():
        fine = queue.append(b"child", 20) is None  # no hook told it; it notices by itself
        fine &= queue.counts()["enqueued"] == 1 and queue.waiting == 1
        return fine and take(queue) == [b"child"]  # and dies without delivering

    assert in_child(child) == 0
    assert segments(tmp_path)[0].stat().st_size == size or len(segments(tmp_path)) == 2
    queue.append(b"parent 2", 20)
    clock = Clock()
    other = spool(tmp_path, clock=clock)
    assert drain(other) == [b"child"]  # an orphan; the parent's is locked still
    assert drain(queue) == [b"parent 1", b"parent 2"]
    queue.close("shutdown")
    other.close("shutdown")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_does_not_unlock_its_parent(tmp_path):
    """A child that resets, closes or ends leaves the parent's lock where it is."""
    queue = spool(tmp_path)
    put(queue, *numbered(3))
    series = queue.store.reader.series
    endings = [queue.reset, lambda: queue.close("shutdown"), lambda: queue.store.reset()]
    for ending in endings:

        def child(ending=ending):
            ending()
            return holder_of(queue.folder, series) == os.getppid()

        assert in_child(child) == 0
        assert holder_of(queue.folder, series) == os.getpid()
    assert drain(queue) == numbered(3)
    queue.close("shutdown")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_that_reset_does_not_hold_the_orphan(tmp_path):
    """When the parent is killed, a living child does not keep its series from being adopted."""
    ready, ready_w = os.pipe()
    done_r, done = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            queue = spool(tmp_path)
            put(queue, *numbered(3))
            if os.fork() == 0:
                queue.reset()  # as the hooks, or its first record, have it do
                os.close(done)
                os.write(ready_w, b"x")
                os.read(done_r, 1)  # lives on until the test has ended
                os._exit(0)
            signal.pause()
        finally:
            os._exit(1)
    os.close(ready_w)
    assert os.read(ready, 1) == b"x"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    try:
        assert _rest(tmp_path) == numbered(3)
    finally:
        for number in (ready, done_r, done):
            os.close(number)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_with_all_locks_held(tmp_path):
    """A child forked while another thread holds the locks spools nevertheless."""
    queue = spool(tmp_path)
    put(queue, b"parent")
    held, done = threading.Event(), threading.Event()

    def hold():
        with queue.store.lock, queue.store.write_lock:
            held.set()
            done.wait(60)

    def child():
        signal.alarm(20)  # rather dead than stuck
        return queue.append(b"child", 20) is None and queue.counts()["queued"] == 1

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        assert in_child(child) == 0
    finally:
        done.set()
        thread.join()
    assert sorted(drain(queue)) == [b"child", b"parent"]  # the child is dead already
    queue.close("shutdown")


def test_lock_of_a_finished_series_is_none(tmp_path, monkeypatch):
    """Who gets the lock of a file that its last owner has just removed owns nothing."""
    dead = spool(tmp_path)
    put(dead, b"one")
    series = dead.store.reader.series
    dead.store.reset()
    lock = fcntl.flock

    def slow_lock(number, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        assert _rest(tmp_path) == [b"one"]  # another process delivers it meanwhile
        lock(number, how)

    monkeypatch.setattr(fcntl, "flock", slow_lock)
    assert claim(Folder(str(tmp_path / "h")), series) is None
    assert list((tmp_path / "h").iterdir()) == []


def test_dead_process_is_known_by_its_lock(tmp_path):
    """A series is alive as long as somebody holds its lock; the pid proves nothing."""
    queue = spool(tmp_path)
    put(queue, b"one")
    series = queue.store.reader.series
    assert f"-{os.getpid()}-" in series
    assert holder_of(queue.folder, series) == os.getpid()
    queue.store.reset()  # this pid lives on, but the owner is gone
    assert holder_of(queue.folder, series) is None
    assert _rest(tmp_path) == [b"one"]
