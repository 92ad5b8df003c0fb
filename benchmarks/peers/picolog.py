"""picologging: a logging in C++ with the interface of the standard library."""

import datetime as dt
import json
import queue
from typing import Any

import picologging
import picologging.handlers

from benchmarks.lines import LAYOUT, LOGGER
from benchmarks.peers import Log, Place


class _JsonLines(picologging.Formatter):  # type: ignore[misc]
    """As JSON lines; picologging keeps no extras, so there are none."""

    def format(self, record: Any) -> str:
        """Return the record as a JSON object."""
        stamp = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat()
        message = record.getMessage()
        fields = {"timestamp": stamp, "level": record.levelname, "logger": record.name}
        return json.dumps(fields | {"message": message})


def _file_handler(place: Place) -> Any:
    handler = picologging.FileHandler(str(place.path))
    handler.setFormatter(_JsonLines() if place.form == "json" else picologging.Formatter(LAYOUT))
    return handler


def _attached(handler: Any) -> Any:
    root = picologging.getLogger()
    root.addHandler(handler)
    root.setLevel(picologging.INFO)
    log = picologging.getLogger(LOGGER)
    log.setLevel(picologging.INFO)
    return log


def direct(place: Place) -> Log:
    """FileHandler."""
    handler = _file_handler(place)
    return Log(_attached(handler), handler.close)


def queued(place: Place) -> Log:
    """QueueHandler and QueueListener."""
    handler: Any = _file_handler(place)
    between: Any = queue.Queue(-1)
    listener = picologging.handlers.QueueListener(between, handler)
    listener.start()

    def close() -> None:
        listener.stop()
        handler.close()

    return Log(_attached(picologging.handlers.QueueHandler(between)), close, between.qsize)
