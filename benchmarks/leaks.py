"""Whether threads, descriptors and memory come back: configure/shutdown and reload cycles.

Each kind of cycle runs with a file, a socket to a loopback server, a foreign handler
and filters, some warm-up cycles first. Threads and descriptors must be exactly those
of before; Python's own count of allocated memory may have grown by no more than a few
bytes a cycle. Run it with ``python -m benchmarks.leaks --cycles 1000``.
"""

import argparse
import gc
import logging
import os
import resource
import selectors
import socket
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import logroute

WARM_UP = 30
#: Room for what grows once and not again: caches, free lists.
MOST_BYTES = 20_000

CONFIG = """\
version: 1
reload: {{every: 1h}}
formatters:
  line: {{format: "%(levelname)s %(name)s %(message)s"}}
filters:
  some: {{type: throttle, limit: {limit}, per: 1s}}
handlers:
  file: {{type: file, path: {folder}/a.log, formatter: line, mode: "{mode}"}}
  collector: {{type: socket, address: "127.0.0.1:{port}", formatter: line, filters: [some]}}
  old: {{class: logging.handlers.RotatingFileHandler, filename: {folder}/b.log, maxBytes: {size}}}
  {extra}: {{type: "null"}}
loggers:
  {extra}.logger: {{level: DEBUG, handlers: [file], propagate: false}}
root: {{level: INFO}}
routes:
  - {{to: [file, collector, old, {extra}]}}
"""


class State(NamedTuple):
    """What must come back."""

    threads: int
    descriptors: int
    traced_bytes: int
    resident_bytes: int


def state() -> State:
    """Return the state of this process, less what the interpreter itself remembers."""
    clear = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
    clear()  # attributes that were looked up lately, by strings made for it
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return State(
        len(os.listdir("/proc/self/task")),
        len(os.listdir("/proc/self/fd")),
        tracemalloc.get_traced_memory()[0],
        pages * resource.getpagesize(),
    )


@contextmanager
def sink_server() -> Iterator[int]:
    """Serve a TCP port that takes everything and closes what is closed; yield its number."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        is_over = threading.Event()
        thread = threading.Thread(target=read_all, args=(listener, is_over))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            is_over.set()
            thread.join()


def read_all(listener: socket.socket, is_over: threading.Event) -> None:
    """Accept connections and read them to their ends until `is_over`."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while not is_over.is_set():
            for key, _ in selector.select(0.2):
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                connection = cast("socket.socket", key.fileobj)
                if not received(connection):
                    selector.unregister(connection)
                    connection.close()
        for key in list(selector.get_map().values()):
            if key.fileobj is not listener:
                cast("socket.socket", key.fileobj).close()


def received(connection: socket.socket) -> bytes:
    """Return what has come, nothing when the connection is over or broken."""
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


def text(folder: str, port: int, turn: int) -> str:
    """Return the config of one cycle: every few cycles each part of it changes."""
    return CONFIG.format(
        folder=folder,
        port=port,
        limit=100 if turn % 5 else 200,
        mode="0600" if turn % 2 else "0644",
        size=1_000_000 + turn % 3,
        extra=f"extra{turn % 4}",
    )


def restart(folder: str, port: int, turn: int) -> None:
    """Configure, log, shut down."""
    logroute.configure(text(folder, port, turn))
    log(turn)
    undelivered = logroute.shutdown(20)
    assert not undelivered, undelivered


def reload(folder: str, port: int, turn: int) -> None:
    """Reload a file that says something else each time, every tenth time something wrong."""
    path = Path(folder, "logging.yaml")
    is_bad = turn % 10 == 9
    path.write_text(text(folder, port, turn) + ("nonsense: 1\n" if is_bad else ""))
    if logroute.current() is None:
        logroute.configure(str(path))
    outcome = logroute.reload()
    assert (outcome.outcome == "kept_old") is is_bad, outcome.text
    log(turn)


def log(turn: int) -> None:
    """Log a few records, also to a logger that the next config brings back."""
    logging.getLogger("leaks.app").info("cycle %s", turn)
    logging.getLogger(f"extra{turn % 4}.logger").debug("cycle %s", turn)


def measure(cycle: Callable[[str, int, int], None], cycles: int) -> tuple[State, State]:
    """Return the states after the warm-up and after `cycles` further cycles."""
    with tempfile.TemporaryDirectory() as folder, sink_server() as port:
        for turn in range(WARM_UP):
            cycle(folder, port, turn)
        before = settled(folder, port, cycle, None)
        for turn in range(cycles):
            cycle(folder, port, turn)
        after = settled(folder, port, cycle, before)
        logroute.shutdown(20)
    return before, after


def settled(
    folder: str, port: int, cycle: Callable[[str, int, int], None], goal: State | None
) -> State:
    """Return the state after a cycle that is always the same, when nothing drains any more."""
    cycle(folder, port, 0)
    runtime = logroute.current()
    if runtime is not None:
        assert logroute.flush(20)
        assert runtime.retired.finish_by(20)
    deadline, seen = time.monotonic() + 5, [state()]
    while time.monotonic() < deadline:
        time.sleep(0.05)  # threads that are about to end, and the server's side of connections
        seen.append(state())
        if goal is not None and seen[-1][:2] == goal[:2]:
            break
        if goal is None and len({each[:2] for each in seen[-20:]}) == 1 and len(seen) > 20:
            break
    return seen[-1]


def faults(cycle: Callable[[str, int, int], None], cycles: int) -> list[str]:
    """Run a kind of cycle; return what has not come back."""
    tracemalloc.start()
    try:
        before, after = measure(cycle, cycles)
    finally:
        tracemalloc.stop()
    grown = after.traced_bytes - before.traced_bytes
    found = []
    if after.threads != before.threads:
        found.append(f"{after.threads - before.threads:+} threads")
    if after.descriptors != before.descriptors:
        found.append(f"{after.descriptors - before.descriptors:+} descriptors")
    if grown > MOST_BYTES:
        found.append(f"{grown:+} bytes")
    resident = (after.resident_bytes - before.resident_bytes) // 1024
    print(
        f"{cycle.__name__}: {cycles} cycles, {after.threads - before.threads:+} threads, "
        f"{after.descriptors - before.descriptors:+} descriptors, {grown:+} bytes, "
        f"resident {resident:+} KiB"
    )
    return found


def main() -> int:
    """Run both kinds of cycles; return 1 if anything stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    cycles = parser.parse_args().cycles
    found = [fault for cycle in (restart, reload) for fault in faults(cycle, cycles)]
    print("fine" if not found else f"left behind: {', '.join(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
