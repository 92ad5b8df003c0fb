"""python-logstash-async: a handler whose thread sends over TCP."""

import logging

from logstash_async.handler import AsynchronousLogstashHandler

from benchmarks.lines import LOGGER, JsonLines
from benchmarks.peers import Log, Place


def over_tcp(place: Place) -> Log:
    """The handler with its cache in memory, and the JSON lines of the others."""
    handler = AsynchronousLogstashHandler("127.0.0.1", place.port, database_path=None)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return Log(logging.getLogger(LOGGER), handler.close)
