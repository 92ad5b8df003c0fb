"""Logbook: a file handler, written by the caller or by a thread."""

import json
from typing import Any

import logbook
from logbook.queues import ThreadedWrapperHandler

from benchmarks.lines import LOGGER
from benchmarks.peers import Log, Place


def _plain(record: Any, _: Any) -> str:
    return (
        f"{record.time:%Y-%m-%d %H:%M:%S},{record.time.microsecond // 1000:03d} "
        f"{record.level_name} {record.channel} {record.message}"
    )


def _json_line(record: Any, _: Any) -> str:
    fields = {
        "timestamp": record.time.isoformat(),
        "level": record.level_name,
        "logger": record.channel,
        "message": record.message,
    }
    return json.dumps(fields | record.extra)


def _handler(place: Place) -> Any:
    logbook.set_datetime_format("local")
    handler = logbook.FileHandler(str(place.path), level=logbook.INFO)
    handler.formatter = _json_line if place.form == "json" else _plain
    return handler


def _attached(handler: Any) -> Log:
    handler.push_application()

    def close() -> None:
        handler.pop_application()
        handler.close()

    log = logbook.Logger(LOGGER, level=logbook.INFO)
    return Log(log, close)


def direct(place: Place) -> Log:
    """The caller writes."""
    return _attached(_handler(place))


def threaded(place: Place) -> Log:
    """A thread writes."""
    return _attached(ThreadedWrapperHandler(_handler(place)))
