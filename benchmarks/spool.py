"""What the spool costs, beside a plain loop of `os.write`, and whether kill -9 loses any.

All rows of a round run in one process, in shuffled order, and ratios are taken within
the round: machines are noisy. The records are 322 bytes. Run it with
``python -m benchmarks.spool``; ``--rounds`` and ``--backlog`` make it longer.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from logroute.delivery.specs import SpoolSpec
from logroute.delivery.spool.frames import body_of
from logroute.delivery.spool.queue import SpoolQueue

ROOT = Path(__file__).resolve().parents[1]
PAYLOAD = b"x" * 322
RECORDS = 20_000
REFERENCE = "plain os.write, batches of 1"


def queue_in(folder: str, **options: object) -> SpoolQueue:
    return SpoolQueue(SpoolSpec(**{"path": folder, "max_bytes": 4 << 30, **options}), "bench")


def plain(folder: str, batch: int) -> float:
    """Return the microseconds per record of writing the same bytes to a file."""
    file = os.open(f"{folder}/plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    begun = time.perf_counter()
    for _ in range(RECORDS // batch):
        os.write(file, PAYLOAD * batch)
    took = time.perf_counter() - begun
    os.close(file)
    return took / RECORDS * 1e6


def worker(folder: str, batch: int, count: int, sync: str) -> float:
    """Return the microseconds per record of `append_bodies`, bodies made anew each time."""
    queue = queue_in(folder, sync=sync)
    begun = time.perf_counter()
    for _ in range(count // batch):
        now = time.time()
        queue.append_bodies([body_of(PAYLOAD, 20, now) for _ in range(batch)])
    took = time.perf_counter() - begun
    drain(queue)
    queue.close("shutdown")
    return took / count * 1e6


def caller(folder: str) -> float:
    """Return the microseconds per record of `append`, as the thread that logs sees it."""
    queue = queue_in(folder, write="caller")
    queue.append(PAYLOAD, 20)
    begun = time.perf_counter()
    for _ in range(RECORDS):
        queue.append(PAYLOAD, 20)
    took = time.perf_counter() - begun
    drain(queue)
    queue.close("shutdown")
    return took / RECORDS * 1e6


def drain(queue: SpoolQueue) -> int:
    count = 0
    while batch := queue.take(500, 1 << 20):
        queue.delivered(len(batch))
        count += len(batch)
    return count


def reading(folder: str) -> float:
    """Return the microseconds per record of taking and acknowledging batches of 500."""
    queue = queue_in(folder)
    bodies = [body_of(PAYLOAD, 20, 0.0)] * 500
    for _ in range(RECORDS // 500):
        queue.append_bodies(bodies)
    begun = time.perf_counter()
    assert drain(queue) == RECORDS
    took = time.perf_counter() - begun
    queue.close("shutdown")
    return took / RECORDS * 1e6


def rows() -> dict[str, Callable[[str], float]]:
    found: dict[str, Callable[[str], float]] = {REFERENCE: lambda folder: plain(folder, 1)}
    for batch in (10, 100):
        found[f"plain os.write, batches of {batch}"] = lambda f, b=batch: plain(f, b)
    for batch in (1, 10, 100):
        found[f"spool, batches of {batch}"] = lambda f, b=batch: worker(f, b, RECORDS, "none")
    found["spool, batches of 100, sync: batch"] = lambda f: worker(f, 100, RECORDS, "batch")
    found["spool, batches of 100, sync: always"] = lambda f: worker(f, 100, RECORDS // 10, "always")
    found["spool, write: caller"] = caller
    found["take and acknowledge, batches of 500"] = reading
    return found


def resident_kib() -> int:
    """Return the memory of this process now; its peak may be that of other rows."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def backlog(folder: str, count: int) -> None:
    """Print memory and time with `count` records waiting, and after their process's death.

    To be run in a process that has done nothing else.
    """
    queue = queue_in(folder)
    bodies = [body_of(PAYLOAD, 20, 0.0)] * 1000
    queue.append_bodies(bodies)
    queue.delivered(len(queue.take(500, 1 << 20)))
    before = most = resident_kib()
    for _ in range(count // 1000):
        queue.append_bodies(bodies)
        most = max(most, resident_kib())
    taken = queue.take(500, 1 << 20)
    most = max(most, resident_kib())
    queue.delivered(len(taken))
    size = queue.counts()["spool_bytes"] >> 20
    print(
        f"{queue.counts()['queued']:,} records wait in {size} MiB: "
        f"{before:,} KiB of memory before, {most:,} at most"
    )
    queue.store.reset()  # as if killed
    again = queue_in(folder)
    begun = time.perf_counter()
    again.chores()
    adopted = time.perf_counter() - begun
    found = drain(again)
    took = time.perf_counter() - begun
    again.close("shutdown")
    print(
        f"adopted in {adopted * 1000:.0f} ms, {found:,} records delivered in {took:.1f} s "
        f"({took / found * 1e6:.1f} us each)"
    )


def kills(rounds: int) -> None:
    """Print how many records that were said to be on disk are missing after kill -9."""
    child = ROOT / "tests/kits/spool_child.py"
    said = missing = 0
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="logroute-kill-") as folder:
            mode = ("worker", "caller")[number % 2]
            command = [sys.executable, str(child), "write", folder, "k", mode]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(random.randrange(1000, 6000))]
            process.kill()
            lines += process.stdout.read().splitlines(keepends=True)
            process.stdout.close()
            process.wait()
            on_disk = int([line for line in lines if line.endswith(b"\n")][-1])
            queue = SpoolQueue(SpoolSpec(path=folder), "h")
            found = set()
            while batch := queue.take(500, 1 << 20):
                found |= {payload for payload, _, _ in batch}
                queue.delivered(len(batch))
            queue.close("shutdown")
            said += on_disk
            missing += len({b"k:%d" % n for n in range(on_disk)} - found)
    print(f"{rounds} rounds of kill -9: {said:,} records said to be on disk, {missing} missing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in rows()}
    for _ in range(options.rounds):
        for name, run in random.sample(list(rows().items()), len(times)):
            with tempfile.TemporaryDirectory(prefix="logroute-bench-") as folder:
                times[name].append(run(folder))
    print(f"\n{options.rounds} rounds, Python {sys.version.split()[0]}, us per record\n")
    print(f"| {'':38} | median | best | to a plain write |")
    print(f"| {'-' * 38} | -----: | ---: | ---------------: |")
    for name, found in times.items():
        ratio = statistics.median(a / b for a, b in zip(found, times[REFERENCE], strict=True))
        median = statistics.median(found)
        print(f"| {name:38} | {median:6.2f} | {min(found):4.2f} | {ratio:16.2f} |")
    print()
    with tempfile.TemporaryDirectory(prefix="logroute-bench-") as folder:
        code = f"from benchmarks.spool import backlog; backlog({folder!r}, {options.backlog})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    kills(options.kills)


if __name__ == "__main__":
    main()
