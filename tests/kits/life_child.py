"""What scripts of scenarios begin with: a logger, handlers that misbehave, and a last word.

The last word, said after logroute's own hooks at exit, are the counters, in a file.
"""

import atexit
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time

__all__ = [
    "FOLDER", "Hung", "Slow", "atexit", "configure", "end", "file", "json", "keep_logging", "log",
    "logging", "logroute", "now", "os", "say", "signal", "slow", "sys", "tell", "threading", "time",
    "wait_for",
]  # fmt: skip

FOLDER = os.environ["LIFE"]
faulthandler.register(signal.SIGUSR2, all_threads=True)
now = time.monotonic


def tell(*, flush=False):
    """Write the counters of this process to a file."""
    runtime = logroute.current()
    if runtime is not None:
        if flush:
            assert runtime.flush(10)
        with open(os.path.join(FOLDER, f"stats-{os.getpid()}.json"), "w") as target:
            json.dump(runtime.stats(), target)


atexit.register(tell)  # before logroute's own hook, so that it is called after it
if "LIFE_PATCHED" in os.environ:
    exec(os.environ["LIFE_PATCHED"])

import logroute  # noqa: E402

log = logging.getLogger("app")


def say(text):
    """Print a line to the test, past everything that buffers."""
    os.write(1, f"{text}\n".encode())


def end(how):
    """End the process as the test wants it."""
    if how == "sys.exit":
        sys.exit(3)
    if how == "exception":
        raise ValueError("the program's own")
    if how == "os._exit":
        os._exit(5)


def wait_for(condition, timeout_s=10.0):
    """Wait for what no event tells of."""
    give_up_at = now() + timeout_s
    while not condition():
        assert now() < give_up_at, "waited in vain"
        time.sleep(0.001)


def keep_logging(count=2):
    """Log from threads until the returned function is called; it returns their counts."""
    stop, logged = threading.Event(), [0] * count

    def produce(name):
        while not stop.is_set():
            log.info("thread%d %d", name, logged[name])
            logged[name] += 1
            time.sleep(0.0005)

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(count)]
    for thread in threads:
        thread.start()

    def end():
        stop.set()
        for thread in threads:
            thread.join()
        return logged

    return end


class Slow(logging.Handler):
    """Appends each record to a file, after a pause."""

    def __init__(self, path="out.log", pause_s=0.001):
        super().__init__()
        self.pause_s = pause_s
        self.path = os.path.join(FOLDER, path)

    def emit(self, record):
        time.sleep(self.pause_s)
        descriptor = os.open(self.path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, self.format(record).encode() + b"\n")
        os.close(descriptor)


class Hung(logging.Handler):
    """Never returns from its first record."""

    begun = threading.Event()

    def emit(self, record):
        self.begun.set()
        threading.Event().wait()


def slow(**options):
    """Describe a handler that takes its time."""
    return {"()": f"{Slow.__module__}.Slow", **options}


def file(name="out.log", **options):
    """Describe a handler that writes bare messages to a file."""
    return {"type": "file", "path": os.path.join(FOLDER, name), "formatter": "bare", **options}


def configure(handlers, **more):
    """Configure with a route of all records to all handlers; losses are told in `losses.log`."""
    formatters = {"bare": {"format": "%(message)s"}, **more.pop("formatters", {})}
    losses = {"match": {"logger": "logroute"}, "to": ["losses"], "final": True}
    config = {
        "version": 1,
        "formatters": formatters,
        "handlers": {**handlers, "losses": file("losses.log")},
        "root": {"level": "DEBUG"},
        **more,
        "routes": [losses, *more.get("routes", [{"to": list(handlers)}])],
    }
    return logroute.configure(config)
