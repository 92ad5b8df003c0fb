"""A file beside destinations that answer late, or not at all.

`beside_a_file` gives two records, which are errors, to a mail server and a web server
that take a second each; all go to a file, and how long each was on its way there is
looked at from a thread of the same process. `dead_or_null` is
`benchmarks.dead_destinations`, a run at a time.
"""

import logging
import logging.handlers
import queue
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.lines import LAYOUT, LOGGER
from benchmarks.measures import Figures, count_file, figures_of, log_folder
from benchmarks.measures.loops import percentile

__all__ = ["beside_a_file", "dead_or_null"]

_SLOW_S = 1.0
_PAUSE_S = 0.001
_PATIENCE_S = 30.0


class _Watch(threading.Thread):
    """Looks at a file every 5 ms; knows how late its latest line was."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._called: list[float] = []
        self.lines = 0
        self.worst_s = 0.0

    def note_call(self) -> None:
        """Remember when the next line was logged."""
        self._called.append(time.monotonic())

    def run(self) -> None:
        """Look, for ever."""
        offset = 0
        while True:
            if self._path.exists():
                with self._path.open("rb") as source:
                    source.seek(offset)
                    data = source.read()
                new = data.count(b"\n")
                if new:
                    self.worst_s = max(self.worst_s, time.monotonic() - self._called[self.lines])
                offset, self.lines = offset + len(data), self.lines + new
            time.sleep(0.005)


def beside_a_file(name: str, size: int) -> Figures:
    """Log `size` records, some of them errors."""
    from logroute.receivers import HttpReceiver, SmtpReceiver

    with log_folder() as folder, HttpReceiver() as web, SmtpReceiver(delay_s=_SLOW_S) as mail:
        web.answer(200, delay_s=_SLOW_S, times=None)
        path = folder / "out.log"
        log = _SET_UPS[name](path, web.port, mail.port)
        watch = _Watch(path)
        watch.start()
        costs = _log_some_errors(log, name, size, watch)
        deadline = time.monotonic() + _PATIENCE_S
        while watch.lines < size and time.monotonic() < deadline:
            time.sleep(0.01)
        counts = count_file(path, "message", {"ann": size})
    shares = {"p50_us": 50, "p99.9_us": 99.9, "max_us": 100}
    figures = {key: percentile(costs, share) / 1000 for key, share in shares.items()}
    return figures | {"file_delay_ms": watch.worst_s * 1000} | figures_of(counts)


def _log_some_errors(log: Any, name: str, size: int, watch: _Watch) -> list[int]:
    text = "user {} did {}" if name.startswith("loguru") else "user %s did %d"
    clock, costs, every = time.perf_counter_ns, [], size * 2 // 5
    for number in range(size):
        call = log.info if (number + 1) % every else log.error
        watch.note_call()
        begin = clock()
        call(text, "ann", number)
        costs.append(clock() - begin)
        time.sleep(_PAUSE_S)
    return costs


def _slow_handlers(web: int, mail: int) -> tuple[logging.Handler, logging.Handler]:
    handlers = logging.handlers
    to_web = handlers.HTTPHandler(f"127.0.0.1:{web}", "/logs", "POST")
    to_mail = handlers.SMTPHandler(("127.0.0.1", mail), "a@x.example", "b@x.example", "log")
    for handler in (to_web, to_mail):
        handler.setLevel(logging.ERROR)
    return to_web, to_mail


def _stdlib(path: Path, web: int, mail: int) -> Any:
    from benchmarks.peers.stdlib import behind

    to_file = logging.FileHandler(path)
    to_file.setFormatter(logging.Formatter(LAYOUT))
    return behind(queue.Queue(-1), to_file, *_slow_handlers(web, mail)).log


def _loguru(path: Path, web: int, mail: int) -> Any:
    from loguru import logger

    logger.remove()
    logger.add(str(path), format="{time} {level} {name} {message}", enqueue=True)
    for handler in _slow_handlers(web, mail):
        logger.add(handler, level="ERROR", enqueue=True)
    return logger


def _ours(path: Path, web: int, mail: int) -> Any:
    import logroute

    to_mail = {"type": "email", "host": "127.0.0.1", "port": mail, "security": "none"}
    logroute.configure(
        {
            "version": 1,
            "handlers": {
                "log-file": {"type": "file", "path": str(path)},
                "web": {"type": "http", "url": f"http://127.0.0.1:{web}/", "proxy": "none"},
                "mail": to_mail | {"from": "a@x.example", "to": "b@x.example"},
            },
            "root": {"level": "INFO"},
            "routes": [{"match": {"level": "ERROR"}, "to": ["web", "mail"]}, {"to": "log-file"}],
        }
    )
    return logging.getLogger(LOGGER)


_SET_UPS = {"stdlib-queue": _stdlib, "loguru-enqueue": _loguru, "logroute": _ours}


def dead_or_null(name: str, size: int) -> Figures:
    """Log at 20 000 records a second, after a first second in which the queues fill."""
    from benchmarks import dead_destinations

    seconds = size / dead_destinations.RATE
    if name == "logroute-null":
        return dead_destinations.measure(dead_destinations.NULL, None, seconds)
    return dead_destinations.run_dead(seconds)
