"""Forks, kills and servers' boots, many times over: what tests/acceptance/life does once.

A thousand forks while two threads log, with a handler of ours and one of stdlib's; a
process killed thirty times in the midst of its records; twenty boots of uWSGI and of
gunicorn with a preloaded application. Prints what was lost and what hung; the exit code
is 1 if anything was. Run it with ``python -m benchmarks.forks``.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kits"))

FORKS = """
configure({"out": HANDLER}, shutdown_timeout=30)
stop_logging = keep_logging()
stuck, living = 0, []
def reap(pid):
    give_up_at = now() + 10
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if now() > give_up_at:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return 1
        time.sleep(0.001)
    return 0
for n in range(COUNT):
    living.append(os.fork())
    if not living[-1]:
        log.info("child %d", os.getpid())
        logroute.flush(8)
        os._exit(0)
    if len(living) == 4:
        stuck += sum(map(reap, living))
        living.clear()
stuck += sum(map(reap, living))
logged = stop_logging()
say(json.dumps([stuck, sum(logged) + COUNT]))
"""
FOREIGN = '{"class": "logging.FileHandler", "filename": os.path.join(FOLDER, "out.log")}'
STREAM = """
configure({"out": file(queue={"mode": "sync"})})
n = 0
while True:
    log.info("record %d", n)
    say(n)
    n += 1
"""
APP = """
import logging, logroute, os, time
logroute.configure("logging.json")
log = logging.getLogger("app")
log.info("loaded 0")
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/warm-up":
        time.sleep(0.01)
    else:
        log.info("request %s", environ["PATH_INFO"])
    return [str(os.getpid()).encode()]
"""
CONFIG = {
    "version": 1,
    "handlers": {"out": {"type": "file", "path": "out.log"}},
    "root": {"level": "INFO"},
    "routes": [{"match": {"logger": "app"}, "to": "out"}],
}


def fork(folder: Path, handler: str, count: int) -> tuple[int, int]:
    """Return how many children hung, and how many records are missing."""
    from life_kit import start

    script = FORKS.replace("HANDLER", handler).replace("COUNT", str(count))
    with start(folder, script, timeout_s=600, options=("-W", "ignore")) as scenario:
        scenario.wait()
    stuck, expected = json.loads(scenario.out)
    return stuck, expected - len(set(scenario.lines()))


def kill(folder: Path) -> tuple[int, int]:
    """Return 0, and how many of the records whose call had returned are missing."""
    from life_kit import start

    with start(folder, STREAM) as scenario:
        while int(last := scenario.readline()) < 1500:
            pass
        scenario.send(signal.SIGKILL)
        scenario.wait()
    told = [int(last), *map(int, scenario.out.split()[:-1])]
    return 0, max(0, max(told) + 1 - len(scenario.lines()))


def boot(folder: Path, command: list[str], count: int = 40) -> tuple[int, int]:
    """Return whether a server hung, and how many of its records are missing."""
    from life_kit import ask_both, serve

    (folder / "application.py").write_text(APP)
    (folder / "logging.json").write_text(json.dumps(CONFIG))
    with serve(folder, command, timeout_s=20) as server:
        ask_both(folder / "s", count)
        server.send(signal.SIGTERM)
        try:
            server.wait()
        except AssertionError:
            return 1, 0
    return 0, count + 1 - len(server.lines())


UWSGI = ["--master", "--processes", "2", "--need-app", "--disable-logging", "--enable-threads"]
UWSGI += ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all", "--http-socket", "s"]
UWSGI += ["--home", sys.prefix, "--wsgi-file", "application.py", "--callable", "app"]
GUNICORN = ["--no-control-socket", "-w", "2", "-b", "unix:s", "--preload", "application:app"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--boots", type=int, default=20)
    arguments = parser.parse_args()
    uwsgi = [f"{sys.prefix}/bin/uwsgi", *UWSGI]
    gunicorn = [sys.executable, "-m", "gunicorn", *GUNICORN]
    todo: list[tuple[str, int, Callable[[Path], Any]]] = [
        ("forks, file", 1, lambda folder: fork(folder, "file()", arguments.forks)),
        ("forks, FileHandler", 1, lambda folder: fork(folder, FOREIGN, arguments.forks)),
        ("kill -9, sync mode", arguments.rounds, kill),
        ("uWSGI boots", arguments.boots, lambda folder: boot(folder, uwsgi)),
        ("gunicorn --preload", arguments.boots, lambda folder: boot(folder, gunicorn)),
    ]
    failed = False
    print(f"{'':20} {'runs':>5} {'hung':>5} {'lost':>5} {'seconds':>8}")
    for title, rounds, run in todo:
        hung = lost = 0
        begun = time.monotonic()
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                hung_here, lost_here = run(Path(folder))
            hung, lost = hung + hung_here, lost + lost_here
        failed = failed or bool(hung or lost > 0)
        print(
            f"{title:20} {rounds:5} {hung:5} {lost:5} {time.monotonic() - begun:8.1f}", flush=True
        )
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
