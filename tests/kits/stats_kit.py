"""Configs that show their stats, clients that ask, and processes that live a while."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
from engine_kit import wait_until
from referencing import Registry, Resource

import logroute

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas/stats.schema.json").read_text())
REPORT = json.loads((ROOT / "schemas/stats-report.schema.json").read_text())


def is_stats(document) -> None:
    """Raise unless a document is what `stats.schema.json` says."""
    jsonschema.Draft7Validator(SCHEMA).validate(document)


def is_report(document) -> None:
    """Raise unless a document is what `stats-report.schema.json` says."""
    registry = Registry().with_resource("stats.schema.json", Resource.from_contents(SCHEMA))
    jsonschema.Draft7Validator(REPORT, registry=registry).validate(document)


def config(folder, handlers=None, **keys):
    """Return a config whose records all go to every handler; by default to `out`."""
    out = {"type": "file", "path": str(folder / "out.log"), "formatter": "json"}
    handlers = {"out": out, **(handlers or {})}
    return {
        "version": 1,
        "formatters": {"json": {"type": "json"}},
        "handlers": handlers,
        "root": "INFO",
        "routes": [{"to": list(handlers)}],
        **keys,
    }


def shown(folder, path="s.sock", **keys):
    """Configure with a stats socket in `folder`; return the runtime and the path."""
    path = folder / path
    runtime = logroute.configure(config(folder, stats={"socket": str(path)}, **keys))
    assert wait_until(lambda: answers(path))
    return runtime, path


def answers(path) -> bool:
    try:
        ask(path)
    except OSError:
        return False
    return True


def ask(path, request=b"stats\n") -> bytes:
    """Return all that a stats socket says to a request."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(path))
        peer.sendall(request)
        chunks = []
        while chunk := peer.recv(65536):
            chunks.append(chunk)
        return b"".join(chunks)


def leave_stale(path) -> None:
    """Leave what a killed process leaves: a socket that nobody serves."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def records(folder, name="out.log"):
    """Return what is in a log of JSON lines."""
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Child:
    """A process that runs a script, says what it prints, and ends when told."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Let it read the end of its input, and wait for it."""
        self.process.communicate(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


#: Shows the stats of a config, given as JSON, until its input ends. One record is
#: logged; handlers other than `out` are there to fail.
SERVE = """
import json, logging, sys, logroute
from stats_kit import wait_until
runtime = logroute.configure(json.loads(sys.argv[1]))
logging.getLogger("app").info("begun")
assert runtime.settle((runtime.workers["out"],), 20)
others = [worker for name, worker in runtime.workers.items() if name != "out"]
assert wait_until(lambda: all(worker.errors["count"] for worker in others))
from logroute.app import statsdoor
door = next(iter(statsdoor._doors))
assert wait_until(lambda: door.path)
print(door.path, flush=True)
sys.stdin.read()
"""


def serve(folder, path="p-{pid}.sock", **keys) -> Child:
    """Start a process that shows its stats; its first line is the path of its socket."""
    document = config(folder, stats={"socket": str(folder / path)}, **keys)
    return Child(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{SERVE}",
        json.dumps(document),
    )
