"""A check of any file opens that file and its includes, and acts on nothing in it (law 9)."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests/kits/audit_child.py"

EVIL = "open('imported', 'w').close()\nclass Handler: ...\ndef make(**_): ...\n"
MAIN = """\
version: 1
include: part.yaml
vars: {key: "${file:secret.txt}"}
formatters:
  own: {(): evil.make, fmt: "%(message)s"}
  cls: {class: evil.Handler, format: "%(message)s"}
filters:
  own: {(): evil.make}
handlers:
  own: {class: evil.Handler, formatter: own, filters: [own]}
  made: {(): evil.make, stream: ext://evil.Handler}
  unknown: {type: evil}
  std: {class: logging.FileHandler, filename: std.log}
  file: {type: file, path: ours.log}
  fifo: {type: file, path: fifo}
  tcp: {type: socket, address: "127.0.0.1:PORT", tls: {ca_file: ca.pem}}
  udp: {type: datagram, address: "127.0.0.1:PORT"}
  web: {type: http, url: "http://127.0.0.1:PORT/", auth: {bearer: "${var:key}"}}
  mail:
    {type: email, host: some.example.org, from: a@example.org, to: [b@example.org],
     password: "${file:secret.txt}"}
  log: {class: logging.handlers.SysLogHandler, address: /dev/log}
root: {level: INFO, handlers: [own, std]}
routes: [{to: [file, tcp, udp, web, mail]}]
tests: [{record: {level: INFO}, expect: {to: [file]}}]
"""
STDLIB = """\
version: 1
formatters: {own: {(): evil.make}}
filters: {own: {(): evil.make, x: cfg://handlers}}
handlers:
  own: {class: evil.Handler, formatter: own, filters: [own], stream: ext://evil.Handler}
  std: {class: logging.FileHandler, filename: std.log}
  net: {class: logging.handlers.SocketHandler, host: 127.0.0.1, port: PORT}
root: {handlers: [own, std, net]}
"""
COMMANDS = {
    "check": ["check", "-v"],
    "check as json": ["check", "--format", "json"],
    "check as sarif": ["check", "--format", "sarif"],
    "diff of fixes": ["check", "--diff", "--unsafe-fixes"],
    "all profiles": ["check", "--all-profiles", "--strict"],
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with all that the files name, and nobody who asked for it."""
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "part.yaml").write_text("loggers: {evil: DEBUG}\n")
    (tmp_path / "secret.txt").write_text("hunter2\n")
    (tmp_path / "ca.pem").write_text("no certificate\n")
    os.mkfifo(tmp_path / "fifo")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for name, text in (("main.yaml", MAIN), ("stdlib.yaml", STDLIB)):
            port = str(server.getsockname()[1])
            (tmp_path / name).write_text(text.replace("PORT", port))
        yield tmp_path
        with pytest.raises(BlockingIOError):
            server.accept()


def watched(folder, *arguments):
    """Run a command; return its exit code and what it did, by event.

    Python would write compiled modules beside those of a fresh checkout.
    """
    done = subprocess.run(
        [sys.executable, "-B", str(CHILD), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
    )
    found = json.loads(done.stderr.decode().splitlines()[-1])
    assert b"hunter2" not in done.stdout
    return found["code"], found["events"]


def is_python(path):
    """Return whether a file belongs to Python, its packages, or logroute itself."""
    roots = (sys.prefix, sys.base_prefix, str(ROOT / "logroute"), str(ROOT / "schemas"))
    return path.startswith(tuple(os.path.realpath(root) + os.sep for root in roots))


@pytest.mark.parametrize("name", ["main.yaml", "stdlib.yaml"])
@pytest.mark.parametrize("command", COMMANDS)
def test_check_touches_its_files_alone(folder, name, command):
    """Nothing is written, run, imported or asked over a network, whatever the file names."""
    before = sorted(os.listdir(folder))
    code, events = watched(folder, *COMMANDS[command], name)
    assert code in (0, 1)
    assert [what for kind, what in events if kind == "import" and "evil" in what] == []
    assert [event for event in events if event[0] not in ("read", "import")] == []
    read = {what for kind, what in events if kind == "read" and not is_python(what)}
    assert read <= {os.path.realpath(folder / one) for one in (name, "part.yaml")}
    assert sorted(os.listdir(folder)) == before


def test_the_watch_sees_what_acts(folder):
    """A command that does import, connect and write is caught at it."""
    script = (
        f"import json, sys; sys.path.insert(0, {str(CHILD.parent)!r})\n"
        "import audit_child; sys.addaudithook(audit_child.note)\n"
        "import evil, socket, subprocess\n"
        "subprocess.run([sys.executable, '-c', 'pass'])\n"
        "with socket.socket() as one: one.connect_ex(('127.0.0.1', 9))\n"
        "json.dump(audit_child.EVENTS, sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=True, cwd=folder
    )
    events = json.loads(done.stderr.decode().splitlines()[-1])
    assert ["import", "evil"] in events
    assert ["write", os.path.realpath(folder / "imported")] in events
    assert {kind for kind, _ in events} >= {"socket.connect", "subprocess.Popen"}
