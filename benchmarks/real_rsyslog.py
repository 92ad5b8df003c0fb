"""What a real rsyslogd makes of the `syslog` handler, over each of its transports.

``python -m benchmarks.real_rsyslog``. It runs rsyslogd on loopback with a config of its
own and ends it again; install the package `rsyslog` first. Exit 1: a part of a message
came out otherwise than it went in.
"""

import contextlib
import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import logroute

CONFIG = """\
global(workDirectory="{folder}")
module(load="imudp") module(load="imtcp") module(load="imuxsock" SysSock.Use="off")
template(name="t" type="string" string="%inputname%|%pri%|%app-name%|%msgid%|\
%structured-data%|%msg:::drop-last-lf%\\n")
ruleset(name="r") {{ action(type="omfile" file="{folder}/out.log" template="t") }}
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="r")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="r")
input(type="imuxsock" Socket="{folder}/dev-log" CreatePath="on" ruleset="r")
"""
DATA = '[fields@32473 logger="shop" level="ERROR" who="a\\"b\\]\\\\c"]'
TEXT = "h\u00e9llo\\nworld \\x00"
EXPECTED = {
    "udp": ("imudp", DATA, TEXT),
    "octet": ("imtcp", DATA, TEXT),
    "newline": ("imtcp", DATA, TEXT),
    "old": ("imudp", "-", TEXT),
    "unix": ("imuxsock", "-", TEXT),
}


def main() -> int:
    """Send one record over each transport; return the exit status."""
    daemon = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")
    if daemon is None:
        print("there is no rsyslogd; install the package `rsyslog`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        port = free_port()
        (folder / "r.conf").write_text(CONFIG.format(folder=folder, port=port))
        command = [daemon, "-n", "-f", str(folder / "r.conf"), "-i", str(folder / "pid")]
        process = stack.enter_context(subprocess.Popen(command))
        stack.callback(process.terminate)
        wait_for((folder / "dev-log").exists)
        send(folder, port)
        out = folder / "out.log"
        wait_for(lambda: out.exists() and len(out.read_text().splitlines()) >= len(EXPECTED))
        return compare(out.read_text().splitlines())


def send(folder: Path, port: int) -> None:
    """Log one hostile record through all handlers."""
    address = f"127.0.0.1:{port}"
    handlers: dict[str, dict[str, object]] = {
        "udp": {"address": address},
        "octet": {"address": address, "transport": "tcp"},
        "newline": {"address": address, "transport": "tcp", "framing": "newline"},
        "old": {"address": address, "rfc": "rfc3164"},
        "unix": {"address": f"unix:{folder}/dev-log"},
    }
    common = {"type": "syslog", "facility": "local3"}
    handlers = {name: {**common, "app_name": name, **own} for name, own in handlers.items()}
    logroute.configure({"version": 1, "handlers": handlers, "routes": [{"to": list(handlers)}]})
    logging.getLogger("shop").error("h\u00e9llo\nworld \x00", extra={"who": 'a"b]\\c'})
    logroute.shutdown(10)


def compare(lines: list[str]) -> int:
    """Say what arrived of each message; return how that went."""
    found = {}
    for line in lines:
        source, priority, app, msgid, data, text = line.split("|", 5)
        found[app] = (source, data, text.strip())
        if priority != str(19 * 8 + 3) or msgid != "-":
            found[app] = (line, "", "")
    for name, expected in EXPECTED.items():
        is_right = found.get(name) == expected
        print(f"{name:8} {'right' if is_right else f'WRONG: {found.get(name)!r}'}")
    return int(found != EXPECTED)


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Wait until `condition()` holds: a daemon tells of nothing."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
