"""Runs one command of `logroute` and notes what it touches, by Python's audit events.

Prints the exit code and the events as JSON on standard error.
"""

import json
import os
import sys

EVENTS: list[list[str]] = []
#: What changes something, reaches out or runs something.
ACTS = (
    *("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "shutil.", "tempfile.", "http.", "smtplib.", "urllib."),
    *("ctypes.", "pty.", "webbrowser.", "syslog.", "os.kill", "signal.", "exec-of-file"),
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def note(event: str, arguments: tuple) -> None:
    """Keep an event that matters."""
    if event == "open":
        path, mode, flags = arguments
        writes = bool((flags or 0) & WRITES) or bool(mode and set(mode) & set("wax+"))
        if isinstance(path, str | bytes):
            EVENTS.append(["write" if writes else "read", os.path.realpath(os.fsdecode(path))])
    elif event == "import":
        EVENTS.append(["import", arguments[0]])
    elif event.startswith(ACTS):
        EVENTS.append([event, repr(arguments)[:200]])


if __name__ == "__main__":
    sys.addaudithook(note)
    from logroute.cli import main

    code = main(sys.argv[1:])
    json.dump({"code": code, "events": EVENTS}, sys.stderr)
