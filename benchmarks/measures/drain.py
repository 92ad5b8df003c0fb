"""How many lines a second are in the file, from the first call to the end of `close`."""

import threading
import time

from benchmarks.measures import Figures, count_file, figures_of, log_folder
from benchmarks.measures.loops import Loops
from benchmarks.peers import VARIANTS, Place

__all__ = ["json", "json_threads", "plain", "plain_threads"]

_USERS = ("ann", "bob", "cid", "dee")


def plain(name: str, size: int) -> Figures:
    """One thread, plain lines."""
    return _drain(name, "plain", size, _USERS[:1])


def plain_threads(name: str, size: int) -> Figures:
    """Four threads, plain lines."""
    return _drain(name, "plain", size, _USERS)


def json(name: str, size: int) -> Figures:
    """One thread, JSON lines."""
    return _drain(name, "json", size, _USERS[:1])


def json_threads(name: str, size: int) -> Figures:
    """Four threads, JSON lines."""
    return _drain(name, "json", size, _USERS)


def _drain(name: str, form: str, size: int, users: tuple[str, ...]) -> Figures:
    variant = VARIANTS[name]
    with log_folder() as folder:
        path = folder / "out.log"
        opened = variant.open(Place("file", form, path))
        loops = Loops(opened.log, variant.calls.extra)
        count = size // len(users)
        begin, cpu = time.perf_counter(), time.process_time()
        if len(users) == 1:
            loops.run(users[0], 0, count)
        else:
            _run_all(loops, users, count)
        called = time.perf_counter() - begin
        opened.close()
        took, used = time.perf_counter() - begin, time.process_time() - cpu
        counts = count_file(path, form, dict.fromkeys(users, count))
    came = counts.expected - counts.lost
    rates = {"per_second": came / took, "cpu_us": used * 1e6 / max(came, 1)}
    return rates | {"called_s": called, "took_s": took} | figures_of(counts)


def _run_all(loops: Loops, users: tuple[str, ...], count: int) -> None:
    workers = [threading.Thread(target=loops.run, args=(user, 0, count)) for user in users]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
