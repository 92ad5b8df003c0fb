"""The standard library: a handler on the root logger, or behind a QueueHandler."""

import logging
import logging.handlers
import queue
from typing import Any

from benchmarks.lines import LAYOUT, LOGGER, JsonLines
from benchmarks.peers import Log, Place


def handler_for(place: Place) -> logging.Handler:
    """Return stdlib's handler for a place."""
    handler = _make(place)
    handler.setFormatter(JsonLines() if place.form == "json" else logging.Formatter(LAYOUT))
    return handler


def _make(place: Place) -> logging.Handler:
    handlers = logging.handlers
    if place.kind == "file":
        return logging.FileHandler(place.path)
    if place.kind == "tcp":
        return handlers.SocketHandler("127.0.0.1", place.port)
    if place.kind == "udp":
        return handlers.SysLogHandler(("127.0.0.1", place.port))
    if place.kind == "http":
        return handlers.HTTPHandler(place.address, "/logs", "POST")
    return handlers.SMTPHandler(("127.0.0.1", place.port), "a@x.example", "b@x.example", "log")


class LineHandler(logging.handlers.SocketHandler):
    """SocketHandler with JSON lines in place of pickles."""

    def makePickle(self, record: logging.LogRecord) -> bytes:  # noqa: N802
        """Return the line."""
        return self.format(record).encode() + b"\n"


def _attached(handler: logging.Handler, close: Any, waiting: Any = lambda: -1) -> Log:
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return Log(logging.getLogger(LOGGER), close, waiting)


def direct(place: Place) -> Log:
    """The handler itself."""
    handler = handler_for(place)
    return _attached(handler, handler.close)


def json_lines(place: Place) -> Log:
    """SocketHandler, made to write JSON lines."""
    handler = LineHandler("127.0.0.1", place.port)
    handler.setFormatter(JsonLines())
    return _attached(handler, handler.close)


def queued(place: Place) -> Log:
    """QueueHandler and QueueListener, as the manual shows them."""
    return behind(queue.Queue(-1), handler_for(place))


def simply_queued(place: Place) -> Log:
    """The same with the faster queue."""
    return behind(queue.SimpleQueue(), handler_for(place))


def behind(between: Any, *handlers: logging.Handler) -> Log:
    """Put handlers behind a queue."""
    listener = logging.handlers.QueueListener(between, *handlers, respect_handler_level=True)
    listener.start()

    def close() -> None:
        listener.stop()
        for handler in handlers:
            handler.close()

    return _attached(logging.handlers.QueueHandler(between), close, between.qsize)
