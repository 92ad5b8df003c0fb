"""logroute: one handler, and a route for INFO and above; no route wants DEBUG."""

import logging
from typing import Any

import logroute
from benchmarks.lines import LAYOUT, LOGGER
from benchmarks.peers import Log, Place

_QUEUES: dict[str, Any] = {
    "default": {},
    "large": {"queue": {"max_records": 500_000, "max_bytes": "1GiB"}},
    "block": {"queue": {"overflow": "block", "block_for": "60s"}},
}


def _handler(place: Place) -> dict[str, Any]:
    if place.kind == "file":
        formatter = "json" if place.form == "json" else "line"
        return {"type": "file", "path": str(place.path), "formatter": formatter}
    if place.kind == "tcp":
        return {"type": "socket", "address": place.address}
    if place.kind == "udp":
        return {"type": "datagram", "address": place.address}
    if place.kind == "http":
        return {"type": "http", "url": f"http://{place.address}/logs", "proxy": "none"}
    return {
        "type": "email",
        "host": "127.0.0.1",
        "port": place.port,
        "security": "none",
        "from": "a@x.example",
        "to": "b@x.example",
        "batch": {"max_wait": "1s"},
        "formatter": "line",
    }


def _configured(handler: dict[str, Any], place: Place) -> Log:
    runtime = logroute.configure(
        {
            "version": 1,
            "formatters": {"line": {"format": LAYOUT}, "json": {"type": "json"}},
            "handlers": {"out": handler | _QUEUES[place.queue]},
            "root": {"level": "DEBUG"},
            "routes": [{"match": {"level": "INFO"}, "to": "out"}],
            "shutdown_timeout": "60s",
        }
    )

    def waiting() -> int:
        counts = runtime.stats()["handlers"]["out"]
        return int(counts["queued"] + counts["in_flight"])

    return Log(logging.getLogger(LOGGER), lambda: logroute.shutdown(60), waiting)


def configured(place: Place) -> Log:
    """The handler for the place."""
    return _configured(_handler(place), place)


def syslog(place: Place) -> Log:
    """Syslog over UDP."""
    handler = {"type": "syslog", "transport": "udp", "address": place.address}
    return _configured(handler, place)


def single_mails(place: Place) -> Log:
    """Each record a mail of its own, in one session."""
    return _configured(_handler(place) | {"batch": {"max_records": 1}}, place)
