"""What dead destinations cost the caller at a steady rate, and the file beside them.

20 000 records a second, 20 at each millisecond, while a TCP peer refuses, a TCP
listener's backlog is full, an HTTP server never answers, and a mail server is dead,
beside a file; against the same program with a null handler. Each run is a fresh
process, the two of a round in random order. Every record is looked for in the file by
a process beside it, and how long after its own time stamp it was there. In the first
second, shown apart, the queues of the dead destinations fill: each record is formatted
for all of them, which takes nearly all that one interpreter does at this rate. Run it
with ``python -m benchmarks.dead_destinations``.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import logroute
from logroute.testing import assert_adds_up

RATE = 20_000
TICK_S = 0.001
HOST = "127.0.0.1"
NULL = """
version: 1
handlers: {none: {type: "null"}}
root: {level: INFO}
routes: [{to: none}]
"""
DEAD = """
version: 1
formatters: {line: {format: "%%(created).6f %%(levelname)s %%(name)s %%(message)s"}}
handlers:
  log-file: {type: file, path: "%(path)s", formatter: line}
  refused: {type: socket, address: "127.0.0.1:%(refused)d"}
  blackhole: {type: socket, address: "127.0.0.1:%(blackhole)d"}
  collector: {type: syslog, transport: tcp, address: "127.0.0.1:%(refused)d"}
  alerts: {type: http, url: "http://127.0.0.1:%(mute)d/", proxy: none}
  ops-mail: {type: email, host: 127.0.0.1, port: %(refused)d, security: none, from: a@x.example,
             to: [b@x.example], batch: {max_wait: 1s}}
root: {level: INFO}
shutdown_timeout: 1s
routes: [{to: [log-file, refused, blackhole, collector, alerts, ops-mail]}]
"""


class Watch:
    """A process that reads a file as it grows; knows how late each line was there.

    It has an interpreter of its own, since the one under test should not pay for it.
    """

    def __init__(self, path: Path) -> None:
        """Watch `path`."""
        command = [sys.executable, "-m", "benchmarks.dead_destinations", "--watch", str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def so_far(self) -> tuple[int, float]:
        """Return how many different records are there, each once, and the worst delay in s.

        The delay is of those since the last call.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        count, worst_s = json.loads(self._process.stdout.readline())
        return count, worst_s

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


def watch(path: Path) -> None:
    """Look at `path` every 20 ms, so a delay seems up to so much longer than it is."""
    numbers: set[int] = set()
    lines, worst_s, rest = 0, 0.0, b""
    with path.open("rb") as source:
        is_asked = False
        while True:
            data = rest + source.read()
            now = time.time()
            whole, _, rest = data.rpartition(b"\n")
            found = re.findall(rb"^(\d+\.\d+) INFO bench record (\d+) of", whole, re.MULTILINE)
            if found:
                worst_s = max(worst_s, now - float(found[0][0]))
            lines += len(found)
            numbers.update(int(number) for _, number in found)
            if is_asked:
                is_exact = lines == len(numbers) == max(numbers, default=-1) + 1
                print(json.dumps([lines if is_exact else -1, worst_s]), flush=True)
                worst_s = 0.0
            is_asked = bool(select.select([sys.stdin], [], [], 0.02)[0])
            if is_asked and not os.read(0, 1):
                return


@contextlib.contextmanager
def blackhole() -> Iterator[int]:
    """Listen with a backlog that is full, so that nobody gets a connection."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """Listen; connections come about, and nothing is ever read or said."""
    with socket.create_server((HOST, 0), backlog=100) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


def log_steadily(start: int, count: int) -> tuple[list[int], float]:
    """Log `count` records at `RATE`; return what each cost in ns, sorted, and the rate reached."""
    logger, clock, costs = logging.getLogger("bench"), time.perf_counter_ns, []
    burst, begun = round(RATE * TICK_S), time.perf_counter()
    for first in range(0, count, burst):
        due = begun + first / RATE
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        for number in range(start + first, start + first + burst):
            before = clock()
            logger.info("record %d of the run", number)
            costs.append(clock() - before)
    reached = count / (time.perf_counter() - begun)
    return sorted(costs), reached


def measure(config: str, path: Path | None, seconds: float) -> dict[str, float]:
    """Return the cost of a call, and the delay of the file."""
    runtime = logroute.configure(config)
    for _ in range(1000):
        logging.getLogger("warm-up").info("a record")
    runtime.flush(0.5)
    watched = None if path is None else Watch(path)
    if watched is not None:
        watched.so_far()  # it runs
    filling, count = RATE, round(RATE * seconds)
    first, _ = log_steadily(0, filling)  # the queues of the dead destinations fill
    name = "none" if path is None else "log-file"
    runtime.settle((runtime.workers[name],), 30)
    first_delay_s = watched.so_far()[1] if watched is not None else 0.0
    costs, rate = log_steadily(filling, count)
    runtime.settle((runtime.workers[name],), 30)
    delay_s = 0.0
    if watched is not None:
        seen, delay_s = watched.so_far()
        watched.close()
        if seen != filling + count:
            raise SystemExit(f"{seen} of {filling + count} records are in the file, each once")
    stats = logroute.stats()
    assert_adds_up(stats)
    for name, counts in stats["handlers"].items():
        is_dead = name not in ("none", "log-file")
        if counts["enqueued"] < filling + count or is_dead is (counts["delivered"] > 0):
            raise SystemExit(f"{name}: {counts}")
    logroute.shutdown(0.1)
    return {
        "p50_us": costs[count // 2] / 1000,
        "p99_us": costs[count - count // 100] / 1000,
        "p99.9_us": costs[count - count // 1000] / 1000,
        "max_ms": costs[-1] / 1e6,
        "rate": rate,
        "file_delay_ms": delay_s * 1000,
        "1st_s_p99_us": first[filling - filling // 100] / 1000,
        "1st_s_p99.9_us": first[filling - filling // 1000] / 1000,
        "1st_s_delay_ms": first_delay_s * 1000,
    }


def run_dead(seconds: float) -> dict[str, float]:
    """Measure with every destination dead."""
    with (
        tempfile.TemporaryDirectory() as folder,
        refusing() as no_port,
        blackhole() as hole,
        mute() as silent,
    ):
        path = Path(folder) / "out.log"
        path.touch()
        words = {"path": path, "refused": no_port, "blackhole": hole, "mute": silent}
        return measure(DEAD % words, path, seconds)


def main() -> int:
    """Run the rounds and print the table; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--one", choices=["null", "dead"], help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        watch(options.watch)
        return 0
    if options.one:
        is_null = options.one == "null"
        seconds = options.seconds
        print(json.dumps(measure(NULL, None, seconds) if is_null else run_dead(seconds)))
        return 0
    rounds = [run_round(options.seconds) for _ in range(options.rounds)]
    print(f"{RATE} records a second for {options.seconds:g} s, {os.cpu_count()} processors")
    keys = list(rounds[0]["null"])
    print("round        " + "".join(f"{key:>15}" for key in keys))
    for number, results in enumerate(rounds, 1):
        for name, result in results.items():
            print(f"{number:5} {name:7}" + "".join(f"{result[key]:15.1f}" for key in keys))
    ratios = [each["dead"]["p99.9_us"] / each["null"]["p99.9_us"] for each in rounds]
    delay = max(each["dead"]["file_delay_ms"] for each in rounds)
    shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"p99.9 dead/null by round: {shown}; median {statistics.median(ratios):.2f}")
    print(f"the file was at most {delay:.0f} ms behind")
    return int(statistics.median(ratios) > 3 or delay > 1000)


def run_round(seconds: float) -> dict[str, dict[str, float]]:
    """Run both in fresh processes, in random order."""
    results = {}
    for name in random.sample(["null", "dead"], 2):
        command = [sys.executable, "-m", "benchmarks.dead_destinations", "--one", name]
        command += ["--seconds", str(seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120)
        results[name] = json.loads(done.stdout.splitlines()[-1])
    return dict(sorted(results.items(), reverse=True))


if __name__ == "__main__":
    sys.exit(main())
