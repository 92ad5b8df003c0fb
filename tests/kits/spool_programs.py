"""Programs with a spool, one after the other or at once; for tests with real processes."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from logroute.delivery.spool.listing import folders_in, list_series
from logroute.receivers import TcpReceiver

KITS = str(Path(__file__).resolve().parent)
HEAD = """
import json, logging, os, resource, signal, sys, time
from pathlib import Path
sys.path.insert(0, {kits!r})
import logroute
from logroute.delivery.specs import BreakerSpec

BreakerSpec.probe_after, BreakerSpec.max_probe_after = 0.05, 0.1
log = logging.getLogger("app")

def configure(**options):
    spool = {{"path": {spool!r}, **options.pop("spool", {{}})}}
    more = options.pop("more", {{}})
    target = {{"type": "socket", "address": "127.0.0.1:{port}", "formatter": "bare", "spool": spool,
              "retry": {{"initial": 0.02, "max": 0.1}}, **options}}
    return logroute.configure({{
        "version": 1, "handlers": {{"out": target}}, "root": {{"level": "DEBUG"}},
        "formatters": {{"bare": {{"format": "%(message)s"}}}}, "routes": [{{"to": "out"}}], **more,
    }})

def counts():
    return runtime.stats()["handlers"]["out"]

def settle():
    "Wait until all that was logged is on disk, or counted as lost."
    runtime.dispatcher.drain()
    while runtime.workers["out"].queue.unsettled:
        time.sleep(0.01)
"""


class Programs:
    """Runs programs that share a spool and an address, one after the other or at once."""

    def __init__(self, folder):
        self.spool = str(folder / "spool")
        with TcpReceiver() as receiver:  # a port that is free from now on
            self.port = receiver.port

    def start(self, code, **more):
        """Begin a program; its stdout is a pipe."""
        script = HEAD.format(kits=KITS, spool=self.spool, port=self.port) + textwrap.dedent(code)
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def run(self, code, *, code_at_end=0):
        """Run a program to its end; return what it printed as JSON last, and its stderr."""
        with self.start(code) as child:
            try:
                out, errors = child.communicate(timeout=40)
            finally:
                child.kill()
        assert child.returncode == code_at_end, errors[-3000:]
        assert "Traceback" not in errors, errors[-3000:]
        return (json.loads(out.splitlines()[-1]) if out.strip() else None), errors

    def deliver(self, count):
        """Let a program that logs one record deliver all that was left; return what arrives.

        `count` is how many are expected; None: the caller will see.
        """
        with TcpReceiver(port=self.port) as receiver:
            self.run(
                """
                runtime = configure()
                log.info("last")
                assert runtime.flush(20)
                while counts()["queued"] or counts()["in_flight"]:
                    time.sleep(0.01)
                """
            )
            assert receiver.wait_for(1 if count is None else count + 1, 10)
        return [data.decode() for data in receiver.received if data != b"last"]

    def waiting(self):
        """Return how many records wait in the series that are there."""
        (folder,) = folders_in(self.spool)
        return [series.records for series in list_series(folder)]


def indented(code):
    """Return lines of a program to stand in one that is indented by 8."""
    return textwrap.indent(code.strip(), " " * 8).lstrip()


def numbered(count):
    return [f"record {n}" for n in range(count)]


LOG = """
for n in range({count}):
    log.info("record %d", n)
"""
