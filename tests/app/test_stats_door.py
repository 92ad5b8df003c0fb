"""The stats socket: who may ask, who gets the path, and that nobody can hold it."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import stat
import struct
from pathlib import Path

import pytest
from engine_kit import wait_until
from stats_kit import Child, answers, ask, config, is_stats, leave_stale, records, serve, shown

import logroute
from logroute.app import callers, sockets, statsdoor


def warnings_in(folder):
    return [r["message"] for r in records(folder) if r["level"] == "WARNING"]


def test_socket_answers_with_the_stats(tmp_path):
    """`stats` is answered with the document of logroute.stats()."""
    _, path = shown(tmp_path)
    logging.getLogger("app").info("x")
    assert logroute.flush(10)
    told = json.loads(ask(path))
    is_stats(told)
    assert told["pid"] == os.getpid() and told["handlers"]["out"]["delivered"] == 1


def test_socket_answers_with_metrics(tmp_path):
    """`metrics` is answered in the Prometheus format; anything else with an error."""
    _, path = shown(tmp_path)
    assert b"\nlogroute_accepted_records_total 0\n" in ask(path, b"metrics\n")
    assert ask(path, b"secrets\n").startswith(b"error: unknown request")
    assert ask(path, b"x" * 1000).startswith(b"error: unknown request")


def test_long_request_does_not_cost_the_answer():
    """What a client says besides its request is read, so that the answer is not reset."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x" * 5000)
        caller = callers.Caller(ours, lambda request: b"answer")
        assert not caller.go_on()
        caller.end()
        assert (theirs.recv(100), theirs.recv(100)) == (b"answer", b"")


def test_socket_is_private_from_the_start(tmp_path, monkeypatch):
    """Whatever the umask, the file never has another mode than 0600, as it is bound."""
    modes = []

    class Spying(socket.socket):
        def bind(self, path):
            super().bind(path)
            modes.append(stat.S_IMODE(os.stat(path).st_mode))

    monkeypatch.setattr(sockets, "socket", Spying)
    before = os.umask(0)
    try:
        _, path = shown(tmp_path / "new")
    finally:
        os.umask(before)
    assert modes == [0o600] and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_socket_of_dead_process_is_replaced(tmp_path):
    """What a killed process left at the path is taken over without a word."""
    leave_stale(tmp_path / "s.sock")
    _, path = shown(tmp_path)
    assert os.listdir(tmp_path) == [path.name]


def test_sockets_of_dead_processes_are_removed(tmp_path):
    """With `{pid}` in the path, sockets of processes that were killed do not pile up."""
    for name in ("p-1.sock", "p-2-2.sock", "q-1.sock"):
        leave_stale(tmp_path / name)
    (tmp_path / "p-3.sock").write_text("no socket")
    pattern = str(tmp_path / "p-{pid}.sock")
    place = sockets.claim(pattern, os.getpid())
    place.give_up()
    assert place.path == str(tmp_path / f"p-{os.getpid()}.sock")
    assert sorted(os.listdir(tmp_path)) == ["p-3.sock", "q-1.sock"]


def test_stale_socket_stays_while_others_decide(tmp_path, monkeypatch):
    """Nobody removes a socket while another process, which may just bind it, has the folder."""
    monkeypatch.setattr(sockets, "_LOCK_S", 0.05)
    leave_stale(tmp_path / "s.sock")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        place = sockets.claim(str(tmp_path / "s.sock"), 77)
    finally:
        os.close(folder)
    place.give_up()
    assert place.path == str(tmp_path / "s-77.sock")
    assert os.listdir(tmp_path) == ["s.sock"]


def test_living_socket_is_left_alone(tmp_path):
    """A path that another process serves stays its own; we go beside it and say so."""
    with serve(tmp_path, "s.sock") as other:
        path = other.line()
        logroute.configure(config(tmp_path, stats={"socket": path}))
        beside = tmp_path / f"s-{os.getpid()}.sock"
        assert wait_until(lambda: answers(beside))
        assert json.loads(ask(beside))["pid"] == os.getpid()
        assert json.loads(ask(path))["pid"] == other.pid
        assert logroute.flush(10)
        assert f"in use by another process: the stats are at {beside}" in warnings_in(tmp_path)[0]
        other.end()


def test_other_file_is_left_alone(tmp_path):
    """A file at the path is not ours to remove, nor what a link there leads to."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "s.sock").symlink_to(tmp_path / "victim")
    logroute.configure(config(tmp_path, stats={"socket": str(tmp_path / "s.sock")}))
    assert wait_until(lambda: answers(tmp_path / f"s-{os.getpid()}.sock"))
    assert (tmp_path / "s.sock").is_symlink()
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("path", ["x" * 120, "file/s.sock"])
def test_impossible_path_is_told(tmp_path, path):
    """A path that cannot be had costs a WARNING, not the start."""
    (tmp_path / "file").touch()
    logroute.configure(config(tmp_path, stats={"socket": str(tmp_path / path)}))
    logging.getLogger("app").info("x")
    assert wait_until(lambda: warnings_in(tmp_path))
    assert "cannot be had" in warnings_in(tmp_path)[0]
    assert records(tmp_path)[-1]["logger"] in ("app", "logroute")


def test_socket_goes_with_the_runtime(tmp_path):
    """After shutdown the path is free and no thread or descriptor is left."""
    _, path = shown(tmp_path)
    logroute.shutdown(5)
    assert not path.exists()


def test_dropped_runtime_takes_socket_along(tmp_path):
    """A reload without `stats` removes the socket; one with another path moves it."""
    _, path = shown(tmp_path)
    moved = tmp_path / "t.sock"
    logroute.configure(config(tmp_path, stats={"socket": str(moved)}))
    assert wait_until(lambda: answers(moved) and not path.exists())
    logroute.configure(config(tmp_path))
    assert wait_until(lambda: not moved.exists())


def test_removed_socket_comes_back(tmp_path, monkeypatch):
    """Cleaners of temporary files remove sockets; it is made anew."""
    monkeypatch.setattr(statsdoor, "_LOOK_S", 0.02)
    _, path = shown(tmp_path)
    path.unlink()
    assert wait_until(lambda: answers(path))


def test_silent_clients_cannot_hold_it(tmp_path, monkeypatch):
    """Any number of clients that say nothing delay others by their patience at most."""
    monkeypatch.setattr(callers, "PATIENCE_S", 0.1)
    _, path = shown(tmp_path)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(12)]
    try:
        for peer in silent:
            peer.connect(str(path))
        assert json.loads(ask(path))["pid"] == os.getpid()
        silent[0].settimeout(10)
        assert silent[0].recv(1) == b""
    finally:
        for peer in silent:
            peer.close()


def test_slow_reader_cannot_hold_it(tmp_path, monkeypatch):
    """Who asks and does not read holds nobody up, and is hung up on."""
    monkeypatch.setattr(statsdoor, "_veiled", lambda stats, _: stats | {"program": "x" * 5_000_000})
    _, path = shown(tmp_path)
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(path))
        lazy.sendall(b"stats\n")
        assert len(ask(path)) > 5_000_000


@pytest.mark.parametrize(("uid", "allowed"), [(0, True), (os.geteuid(), True), (54321, False)])
def test_only_own_user_may_ask(uid, allowed):
    """The kernel says whose process is at the other end: ours, root's, or it is hung up on."""

    class Peer:
        def getsockopt(self, level, option, size):
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("3i", 1, uid, uid)

    assert callers.is_allowed(Peer()) is allowed


def test_strangers_are_hung_up_on(tmp_path, monkeypatch):
    """A process of another user that got past the file's mode learns nothing."""
    _, path = shown(tmp_path)
    monkeypatch.setattr(statsdoor, "is_allowed", lambda peer: False)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert ask(path) == b""
    monkeypatch.undo()
    assert ask(path) != b""


def test_secrets_are_veiled(tmp_path):
    """A server that repeats the password in its answer does not bring it into the stats."""
    mail = {"type": "email", "host": "127.0.0.1", "port": 9, "username": "app", "from": "a@b.org",
            "to": "c@d.org", "password": "hunter2-secret"}  # fmt: skip
    runtime, path = shown(tmp_path, handlers={"mail": mail})
    runtime.workers["mail"].note(OSError("535 app:hunter2-secret is wrong"))
    said = ask(path) + ask(path, b"metrics\n")
    assert b"535 app:******** is wrong" in said and b"hunter2" not in said


def test_asking_never_stops_records(tmp_path):
    """While clients ask without end, every record is delivered."""
    _, path = shown(tmp_path)
    log = logging.getLogger("app")
    for n in range(200):
        log.info("%d", n)
        ask(path)
    assert logroute.flush(10)
    assert len(records(tmp_path)) == 200


KIT = str(Path(__file__).resolve().parents[1] / "kits")
BEGIN = f"""
import json, logging, os, sys
sys.path.insert(0, {KIT!r})
import logroute
from stats_kit import ask, answers, wait_until
folder = sys.argv[1]
document = json.loads(sys.argv[2])
runtime = logroute.configure(document)
pattern = document["stats"]["socket"]
mine = lambda: pattern.replace("{{pid}}", str(os.getpid()))
assert wait_until(lambda: answers(mine()))
log = logging.getLogger("app")
"""


def in_child(tmp_path, script, path="p-{pid}.sock"):
    document = config(tmp_path, stats={"socket": str(tmp_path / path)})
    with Child(BEGIN + script, tmp_path, json.dumps(document)) as child:
        said, _ = child.process.communicate(timeout=60)
        assert child.process.returncode == 0
        return said.split()


@pytest.mark.parametrize("end", ["", "sys.exit()", "log.info('late')"])
def test_socket_goes_with_the_process(tmp_path, end):
    """A process that ends without shutdown() removes its socket, too."""
    in_child(tmp_path, end)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".sock")] == []


def test_forked_child_has_its_own(tmp_path):
    """A child shows nothing before its first record, then its own counts at its own path."""
    said = in_child(
        tmp_path,
        """
parent, its_path = os.getpid(), mine()
pid = os.fork()
if not pid:
    assert not os.path.exists(mine())
    log.info("child")
    assert wait_until(lambda: answers(mine()))
    stats = json.loads(ask(mine()))
    print(stats["pid"] == os.getpid(), stats["accepted"], flush=True)
    logroute.shutdown(5)
    assert not os.path.exists(mine())
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(json.loads(ask(its_path))["pid"] == parent)
""",
    )
    assert said == ["True", "1", "True"]


def test_child_does_not_keep_parents_socket_alive(tmp_path):
    """A child that never logs holds nothing: when the parent is killed, its path is free."""
    script = """
import signal
if not os.fork():
    print(os.getppid(), flush=True)
    signal.pause()
signal.pause()
"""
    document = config(tmp_path, stats={"socket": str(tmp_path / "s.sock")})
    with Child(BEGIN + script, tmp_path, json.dumps(document)) as child:
        assert child.line() == str(child.pid)
        grandchildren = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        child.process.kill()
        child.process.wait()
        try:
            assert not sockets.is_served(str(tmp_path / "s.sock"))
        finally:
            for pid in grandchildren:
                os.kill(int(pid), 9)


def test_processes_that_start_together_share_no_path(tmp_path):
    """Of processes that find a stale socket at once, one gets the path, the others their own."""
    leave_stale(tmp_path / "s.sock")
    several = [serve(tmp_path, "s.sock") for _ in range(5)]
    try:
        paths = {child.line(): child.pid for child in several}
        assert len(paths) == 5 and str(tmp_path / "s.sock") in paths
        assert {path: json.loads(ask(path))["pid"] for path in paths} == paths
        for child in several:
            child.end()
    finally:
        for child in several:
            child.__exit__()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".sock")] == []
