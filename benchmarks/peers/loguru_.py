"""loguru: a file sink, written by the caller or behind its own queue."""

import json
from typing import Any

from loguru import logger

from benchmarks.peers import Log, Place

_LAYOUT = "{time:YYYY-MM-DD HH:mm:ss,SSS} {level} {name} {message}"


def _json_line(record: Any) -> str:
    """Do as the manual's recipe for JSON of one's own does."""
    fields = {
        "timestamp": record["time"].isoformat(),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
    }
    extra = record["extra"]
    extra["line"] = json.dumps(fields | {k: v for k, v in extra.items() if k != "line"})
    return "{extra[line]}\n"


def _attached(place: Place, *, enqueue: bool) -> Log:
    logger.remove()
    layout: Any = _json_line if place.form == "json" else _LAYOUT
    number = logger.add(
        str(place.path), format=layout, level="INFO", enqueue=enqueue, colorize=False
    )
    return Log(logger, lambda: logger.remove(number))


def direct(place: Place) -> Log:
    """The caller writes."""
    return _attached(place, enqueue=False)


def enqueued(place: Place) -> Log:
    """A thread of loguru's writes."""
    return _attached(place, enqueue=True)
