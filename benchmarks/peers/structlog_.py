"""structlog as its manual advises for speed: bytes, orjson, a filtering logger."""

import logging
import time
from typing import Any

import orjson
import structlog

from benchmarks.lines import LOGGER
from benchmarks.peers import Log, Place


def _plain(_: Any, __: str, event: Any) -> bytes:
    """Render the line of the other peers."""
    return (
        f"{event['timestamp']},{event['ms']:03d} {event['level'].upper()} {event['logger']} "
        f"{event['event']}"
    ).encode()


def _stamp(_: Any, __: str, event: Any) -> Any:
    """Add the local time as `logging` writes it."""
    now = time.time()
    event["timestamp"] = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    event["ms"] = int(now % 1 * 1000)
    return event


def to_bytes(place: Place) -> Log:
    """The caller writes JSON lines, or plain ones."""
    target = place.path.open("ab")
    as_json = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *(as_json if place.form == "json" else [_stamp, _plain]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    return Log(structlog.get_logger().bind(logger=LOGGER), target.close)
