"""Peers that fail: half-open connections, listeners that never answer, slow readers."""

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27


@contextlib.contextmanager
def deaf(sock):
    """Drop every packet that comes to `sock`, as a pulled cable does; Linux, no root.

    A filter of one instruction, `ret 0`: the kernel behind `sock` sees nothing,
    so that it acknowledges nothing.
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    head = struct.pack("HxxxxxxP", 1, ctypes.addressof(program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
    time.sleep(0.02)  # what has passed before is on its way, and will be acknowledged
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def wait_readable(sock, timeout_s=5):
    """Wait until `sock` has something to read, its end too."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP | select.POLLIN)
    assert poll.poll(timeout_s * 1000)


def reset(sock):
    """Close with a reset, as a crashed peer does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


_KITS = Path(__file__).parent
_HEAD = """
import contextlib, json, logging, os, resource, signal, socket, subprocess, sys, threading, time
sys.path.insert(0, {kits!r})
import logroute
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver

from logroute.delivery.specs import BreakerSpec

BreakerSpec.probe_after, BreakerSpec.max_probe_after = 0.05, 0.1
log = logging.getLogger("app")

def configure(address=None, *, type="socket", **options):
    global runtime
    if address is not None:
        options["address"] = address
    options = {{"type": type, "formatter": "bare", "retry": {{"initial": 0.02, "max": 0.1}},
               **options}}
    runtime = logroute.configure({{
        "version": 1, "handlers": {{"out": options}}, "root": {{"level": "DEBUG"}},
        "formatters": {{"bare": {{"format": "%(message)s"}}}},
        "routes": [{{"match": {{"logger": "app"}}, "to": "out"}}],
    }})

def counts():
    return runtime.stats()["handlers"]["out"]

@contextlib.contextmanager
def running(code):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stdin=pipe) as child:
        try:
            yield child
        finally:
            child.kill()

def tell(**facts):
    print(json.dumps(facts))
"""


def run_child(code, *, timeout_s=60):
    """Return what a script prints as JSON on its last line, and its stderr as `stderr`.

    It may not take longer than `timeout_s`, and shows no traceback.
    """
    script = _HEAD.format(kits=str(_KITS)) + textwrap.dedent(code)
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        timeout=timeout_s,
        capture_output=True,
        check=False,
        env=environ,
    )
    errors = done.stderr.decode()
    assert done.returncode == 0, errors[-3000:]
    assert "Traceback" not in errors, errors[-3000:]
    return {**json.loads(done.stdout.splitlines()[-1]), "stderr": errors}
