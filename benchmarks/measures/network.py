"""How many records a second arrive at a server of another process."""

import time

from benchmarks.counting import Server
from benchmarks.measures import Figures, figures_of
from benchmarks.measures.loops import Loops
from benchmarks.peers import VARIANTS, Place

__all__ = ["http", "smtp", "tcp", "udp"]

#: How what a variant sends is cut into records, and read; JSON lines if not here.
_FORMS = {
    ("tcp", "stdlib"): ("pickle", "pickle"),
    ("udp", "stdlib"): ("whole", "message"),
    ("udp", "logroute-syslog"): ("whole", "message"),
    ("http", "stdlib"): ("whole", "form"),
    ("smtp", "stdlib"): ("mail", "message"),
    ("smtp", "logroute"): ("mail", "message"),
    ("smtp", "logroute-single"): ("mail", "message"),
}
#: Those that make a connection for each record get fewer.
_SHARES = {("http", "stdlib"): 0.04, ("smtp", "stdlib"): 0.06}


def tcp(name: str, size: int) -> Figures:
    """Send over TCP."""
    return _send("tcp", name, size)


def udp(name: str, size: int) -> Figures:
    """Send datagrams."""
    return _send("udp", name, size)


def http(name: str, size: int) -> Figures:
    """Send to a web server."""
    return _send("http", name, size)


def smtp(name: str, size: int) -> Figures:
    """Send to a mail server."""
    return _send("smtp", name, size)


def _send(kind: str, name: str, size: int) -> Figures:
    variant = VARIANTS[name]
    cut, form = _FORMS.get((kind, name), ("lines", "json"))
    size = max(20, round(size * _SHARES.get((kind, name), 1)))
    with Server(kind, cut) as server:
        where = "json" if form == "json" else "plain"
        opened = variant.open(Place(kind, where, port=server.port, queue="block"))
        loops = Loops(opened.log, variant.calls.extra)
        begin, cpu = time.monotonic(), time.process_time()
        loops.run("ann", 0, size)
        called = time.monotonic() - begin
        opened.close()
        used = time.process_time() - cpu
        report = server.finish({"ann": size}, form)
    counts = report.tally
    came = counts.expected - counts.lost
    took = max(report.last_at - begin, 1e-6)
    rates = {"per_second": came / took, "cpu_us": used * 1e6 / max(came, 1), "called_s": called}
    return rates | {"connections": report.connections} | figures_of(counts)
