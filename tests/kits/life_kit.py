"""Runs scenarios of a process's life: scripts in processes of their own, under hard timeouts.

The scripts begin with everything of `life_child`. Their processes are a group of
their own, which is ended as a whole where it takes too long, and must not outlive
its first process.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

KITS = str(Path(__file__).resolve().parent)


def adds_up(counts):
    """Return whether a handler's ledger obeys the law of DESIGN section 1.2."""
    return counts["enqueued"] == (
        counts["delivered"]
        + sum(counts["dropped"].values())
        + sum(counts["filtered"].values())
        + counts["dead_lettered"]
        + counts["handed_to_fallback"]
        + counts["queued"]
        + counts["in_flight"]
    )


class Scenario:
    """One run of a script, and what came of it."""

    def __init__(self, folder, command, timeout_s, env=None):
        self.folder = folder
        self.timeout_s = timeout_s
        self.ended_at = 0.0
        self.out = ""
        path = [KITS, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LOGROUTE_")}
        environment |= {"LIFE": str(folder), "PYTHONPATH": os.pathsep.join(path)} | (env or {})
        self._err = (folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        self._deadline = time.monotonic() + timeout_s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._kill_group()
        self.process.wait()
        self.process.stdout.close()
        self._err.close()

    @property
    def pid(self):
        return self.process.pid

    @property
    def err(self):
        return (self.folder / "stderr").read_text(errors="replace")

    def readline(self):
        """Return the next line of stdout."""
        return self.process.stdout.readline().decode().rstrip("\n")

    def send(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Wait for the end; return the exit code. What hangs is killed and told."""
        left = max(0.1, self._deadline - time.monotonic())
        try:
            self.out = self.process.communicate(timeout=left)[0].decode()
        except subprocess.TimeoutExpired:
            self._dump_stacks()
            self._kill_group()
            self.process.communicate()
            raise AssertionError(f"hung for {self.timeout_s} s:\n{self.err[-6000:]}") from None
        self.ended_at = time.monotonic()
        self._check_group()
        return self.process.returncode

    def _dump_stacks(self):
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGUSR2)
            time.sleep(0.5)

    def _kill_group(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _check_group(self):
        """Fail if processes of the scenario go on after the first one's end."""
        give_up_at = time.monotonic() + 5
        while time.monotonic() < give_up_at:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.01)
        self._dump_stacks()
        self._kill_group()
        raise AssertionError(f"left processes behind:\n{self.err[-6000:]}")

    # -- what came of it

    def all_stats(self):
        """Return what the processes told at their end, one after the other."""
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("stats-*.json"))]

    def stats(self):
        """Return what the only process told at its end."""
        (stats,) = self.all_stats()
        return stats

    def ledgers(self):
        """Return the ledgers that the processes told at their end, by handler, as a list."""
        found = {}
        for stats in self.all_stats():
            for name, counts in stats["handlers"].items():
                assert adds_up(counts), (name, counts)
                found.setdefault(name, []).append(counts)
        return found

    def ledger(self, name):
        """Return the only ledger of a handler."""
        (counts,) = self.ledgers()[name]
        return counts

    def lines(self, name="out.log"):
        """Return the lines of a file; the last one must be whole."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        assert not text or text.endswith("\n"), f"torn: {text[-80:]!r}"
        return text.splitlines()


def start(folder, script, *, timeout_s=20, env=None, options=()):
    """Start a script; use the result as a context manager."""
    path = folder / "scenario.py"
    path.write_text("from life_child import *\n\n" + textwrap.dedent(script))
    return Scenario(folder, [sys.executable, *options, str(path)], timeout_s, env)


def run(folder, script, *, timeout_s=20, code=0, env=None, quiet=True, options=("-W", "error")):
    """Run a script to its end; it must end with `code`, and say nothing on stderr if `quiet`."""
    with start(folder, script, timeout_s=timeout_s, env=env, options=options) as scenario:
        ended = scenario.wait()
        assert ended == code, f"exit code {ended}\n{scenario.err[-4000:]}"
        if quiet:
            assert scenario.err == "", scenario.err[-4000:]
        return scenario


def serve(folder, command, *, timeout_s=30, env=None):
    """Start a program that is no script of ours; use the result as a context manager."""
    return Scenario(folder, command, timeout_s, env)


def numbers(lines):
    """Return the numbers at the ends of lines, as they came."""
    return [int(line.rpartition(" ")[2]) for line in lines]


def doubles(items):
    """Return what is there more than once."""
    return [item for item, count in Counter(items).items() if count > 1]


def messages(requests):
    """Return the messages of records that came as NDJSON."""
    return [
        json.loads(line)["message"] for request in requests for line in request.content.splitlines()
    ]


def wait_for(condition, timeout_s=30):
    """Wait for what no event tells of."""
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.02)


def ask_both(path, count):
    """Have two workers behind a unix socket serve a request each, then make `count` more.

    A server that is told to stop while a worker of its boots may forget that one.
    """
    served = set()
    wait_for(lambda: _ask_at_once(path, served) >= 2)
    for n in range(count):
        assert _answer(_request(path, f"/{n}")) in served


def _ask_at_once(path, served):
    """Make some requests at once; return how many workers have served one by now."""
    if path.exists():
        sockets = [_request(path, "/warm-up") for _ in range(4)]
        served.update(map(_answer, sockets))
    return len(served - {""})


def _request(path, what):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    with contextlib.suppress(OSError):  # it does not listen yet
        sock.connect(str(path))
        sock.sendall(f"GET {what} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    return sock


def _answer(sock):
    """Return the body of the answer: who gave it."""
    text = b""
    with sock, contextlib.suppress(OSError):
        while piece := sock.recv(4096):
            text += piece
    return text.decode().partition("\r\n\r\n")[2]
