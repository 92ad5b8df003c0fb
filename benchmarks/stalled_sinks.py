"""What stalled destinations cost the caller, and the file beside them.

A TCP peer that never reads, an HTTP server that answers after 1 s and an SMTP
server that takes 2 s a mail, beside a file; against the same program with a null
handler. Each run is a fresh process, in shuffled order; every line of the file is
counted. Run it with ``python -m benchmarks.stalled_sinks``.
"""

import argparse
import json
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import logroute

CALLS = 20_000
NULL = """
version: 1
handlers: {none: {type: "null"}}
root: {level: INFO}
routes: [{to: none}]
"""
STALLED = """
version: 1
handlers:
  log-file: {type: file, path: "%(path)s"}
  collector: {type: socket, address: "127.0.0.1:%(tcp)d"}
  alerts: {type: http, url: "http://127.0.0.1:%(http)d/", proxy: none}
  ops-mail: {type: email, host: 127.0.0.1, port: %(smtp)d, security: none, from: a@x.example,
             to: [b@x.example], batch: {max_wait: 1s}}
root: {level: INFO}
shutdown_timeout: 1s
routes: [{to: [log-file, collector, alerts, ops-mail]}]
"""


def measure(config: str, path: Path | None, pause_s: float) -> dict[str, float]:
    """Log `CALLS` warnings; return the cost of a call and the delay of the file."""
    logroute.configure(config)
    logger = logging.getLogger("bench")
    for _ in range(1000):
        logger.warning("warm-up")
    logroute.flush(0.5)
    clock, costs = time.perf_counter_ns, []
    for n in range(CALLS):
        before = clock()
        logger.warning("record %d of the run", n)
        costs.append(clock() - before)
        if pause_s:
            time.sleep(pause_s)
    ended, delay = time.perf_counter(), 0.0
    if path is not None:
        while path.read_bytes().count(b"of the run\n") < CALLS:
            if time.perf_counter() - ended > 30:
                raise SystemExit("lines are missing in the file")
            time.sleep(0.01)
        delay = time.perf_counter() - ended
    costs.sort()
    logroute.shutdown(0.1)
    return {
        "p50_us": costs[CALLS // 2] / 1000,
        "p99.9_us": costs[CALLS - CALLS // 1000] / 1000,
        "max_ms": costs[-1] / 1e6,
        "file_delay_s": delay,
    }


def run_stalled(pause_s: float) -> dict[str, float]:
    from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.log"
        with (
            TcpReceiver(stall=True) as tcp,
            HttpReceiver() as http,
            SmtpReceiver(delay_s=2.0) as smtp,
        ):
            http.answer(200, delay_s=1.0, times=None)
            ports = {"tcp": tcp.port, "http": http.port, "smtp": smtp.port, "path": path}
            return measure(STALLED % ports, path, pause_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two calls")
    parser.add_argument("--one", choices=["null", "stalled"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        pause = options.pause
        result = measure(NULL, None, pause) if options.one == "null" else run_stalled(pause)
        print(json.dumps(result))
        return
    results: dict[str, list[dict[str, float]]] = {"null": [], "stalled": []}
    for _ in range(options.rounds):
        for name in random.sample(list(results), 2):
            command = [sys.executable, "-m", "benchmarks.stalled_sinks", "--one", name]
            command += ["--pause", str(options.pause)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{options.rounds} rounds of {CALLS} calls, {options.pause} s apart, median (worst)")
    for name, runs in results.items():
        shown = [
            f"{key} {statistics.median(r[key] for r in runs):.2f} ({max(r[key] for r in runs):.2f})"
            for key in runs[0]
        ]
        print(f"{name:8} " + "  ".join(shown))
    ratios = [
        a["p50_us"] / b["p50_us"] for a, b in zip(results["stalled"], results["null"], strict=True)
    ]
    print(f"ratio of the medians: {statistics.median(ratios):.2f} (worst {max(ratios):.2f})")


if __name__ == "__main__":
    main()
