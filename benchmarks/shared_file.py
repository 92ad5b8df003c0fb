"""Several processes log to one rotating file: what arrives, and how fast.

logroute (`shared: true`), concurrent-log-handler (in a temporary venv, from the
package index) and stdlib's RotatingFileHandler, in fresh processes that start at
the same moment, in shuffled order; every line of every file is counted. The time
is from the start signal until all processes have flushed and ended their work.
Run it with ``python -m benchmarks.shared_file``.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = ("logroute", "concurrent-log-handler", "stdlib")
LIMIT = 200_000

WORKER = """
import logging, logging.handlers, sys, time
kind, path, name, count, limit = sys.argv[1], *sys.argv[2:4], int(sys.argv[4]), int(sys.argv[5])
logger = logging.getLogger("bench")
logger.setLevel(logging.INFO)
if kind == "logroute":
    import logroute
    logroute.configure({
        "version": 1,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
        "handlers": {"log": {"type": "file", "path": path, "formatter": "line",
                             "shared": True, "rotate": {"size": limit}}},
        "root": {"level": "INFO", "handlers": ["log"]},
    })
elif kind == "stdlib":
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=limit, backupCount=10_000)
else:
    from concurrent_log_handler import ConcurrentRotatingFileHandler
    handler = ConcurrentRotatingFileHandler(path, maxBytes=limit, backupCount=10_000)
if kind != "logroute":
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    logger.info("%s %06d %s.", name, number, "x" * 60)
if kind == "logroute":
    assert logroute.flush(60)
else:
    handler.flush()
print("done", flush=True)
"""


def measure(kind: str, python: str, processes: int, count: int) -> dict[str, float]:
    """Run the writers once; return what was lost, torn or doubled, and the rate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        children = []
        for n in range(processes):
            arguments = [kind, str(path), f"w{n}", str(count), str(LIMIT)]
            child = subprocess.Popen(
                [python, "-c", WORKER, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                text=True,
            )
            children.append(child)
        for child in children:
            if child.stdout is None or child.stdout.readline() != "ready\n":
                raise SystemExit(f"{kind} does not start")
        begun = time.perf_counter()
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        took_s = time.perf_counter() - begun
        for child in children:
            child.communicate(timeout=60)
        return count_lines(Path(folder), processes, count) | {"rate": processes * count / took_s}


def count_lines(folder: Path, processes: int, count: int) -> dict[str, float]:
    seen: set[tuple[str, str]] = set()
    torn = doubled = files = 0
    for file in folder.glob("app.log*"):
        if file.suffix == ".lock":
            continue
        files += 1
        for line in file.read_bytes().decode("utf-8", "replace").splitlines():
            words = line.split(" ")
            if len(words) != 6 or words[5] != "x" * 60 + ".":
                torn += 1
            elif (words[3], words[4]) in seen:
                doubled += 1
            else:
                seen.add((words[3], words[4]))
    lost = processes * count - len(seen)
    return {"lost": lost, "torn": torn, "doubled": doubled, "files": files}


def peer_python(folder: str) -> str | None:
    """Return a Python with concurrent-log-handler, None where it cannot be installed."""
    venv.create(folder, with_pip=True)
    python = f"{folder}/bin/python"
    command = [python, "-m", "pip", "install", "--quiet", "concurrent-log-handler"]
    done = subprocess.run(command, check=False)
    return python if done.returncode == 0 else None


def main() -> None:
    """Print the table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(description="Several processes, one rotating file.")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--records", type=int, default=10_000, help="by each process")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pythons = {"logroute": sys.executable, "stdlib": sys.executable}
        peer = peer_python(folder)
        if peer is not None:
            pythons["concurrent-log-handler"] = peer
        results: dict[str, list[dict[str, float]]] = {kind: [] for kind in PEERS if kind in pythons}
        for _ in range(options.runs):
            for kind in random.sample(list(results), len(results)):
                found = measure(kind, pythons[kind], options.processes, options.records)
                results[kind].append(found)
    if options.json:
        print(json.dumps(results))
        return
    base = statistics.median(run["rate"] for run in results["logroute"])
    print(f"{options.processes} processes x {options.records} records, {LIMIT} bytes a file")
    print(f"{'':24}{'lost':>8}{'torn':>8}{'doubled':>8}{'files':>7}{'records/s':>11}{'ratio':>7}")
    for kind, runs in results.items():
        rate = statistics.median(run["rate"] for run in runs)
        worst = [max(run[key] for run in runs) for key in ("lost", "torn", "doubled", "files")]
        lost, torn, doubled, files = worst
        print(
            f"{kind:24}{lost:8.0f}{torn:8.0f}{doubled:8.0f}{files:7.0f}{rate:11.0f}"
            f"{rate / base:7.2f}"
        )


if __name__ == "__main__":
    main()
