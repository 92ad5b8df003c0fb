"""Loads one dictConfig file and logs through it: `corpus_child.py MODE FILE FOLDER`.

A key that is written twice, which PyYAML overlooks, is an error here; such a file is
then given as the dict that PyYAML makes of it.

MODE is `stdlib` (`logging.config.dictConfig`) or `logroute` (`logroute.configure`).
What legitimately differs between two runs is made equal in both: times, pids and
threads, modules that are not installed, absolute paths, destinations on a network.
The two differences that are meant are brought into stdlib's run: existing loggers
are not disabled unless the file says so, and a handler gets a record once.
"""

import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import logging.config
import logging.handlers
import os
import re
import socket
import sys
import types
from pathlib import Path

PATHS = ("filename", "file_name", "path", "log_file", "logfile")
errors = []
strays = []  # records for stdlib's last resort, which writes to stderr at once


def main(mode, source, folder):
    os.chdir(folder)
    text = Path(source).read_text(encoding="utf-8")
    document = parse(source, text)
    if "${" in text:  # filled in by the application that owns the file
        document = json.loads(re.sub(r"\$\{[^}]*\}", "filled", json.dumps(document)))
    roles = dict(names_of(document))
    sys.meta_path.append(Stubs(roles))
    isolate()
    logging.getLogger("early.logger")
    changed = redirect(document) or "${" in text
    if mode == "stdlib":
        deliver_once()
        document.setdefault("disable_existing_loggers", False)
        logging.config.dictConfig(document)
        handlers = list(logging._handlers.values())
    else:
        import logroute

        try:
            logroute.configure(document if changed else source)
        except logroute.ConfigError as refusal:
            codes = {item.code for item in refusal.diagnostics if item.severity.value == "error"}
            if codes != {"LR006"}:
                raise
            logroute.configure(document)  # a key written twice: PyYAML takes the last
        logging.getLogger("logroute").setLevel("CRITICAL")  # it tells of losses; stdlib does not
        handlers = []
    emit([*(document.get("loggers") or {}), "root"])
    if mode == "logroute":
        assert logroute.flush(20)
    notes = {"errors": errors, "writers": count_writers(handlers)}
    Path("NOTES").write_text(json.dumps(notes))


def parse(source, text):
    if source.endswith(".json"):
        return json.loads(text)
    import yaml

    return yaml.safe_load(text)


# -- what both runs share


def names_of(document):
    """Yield each dotted name in the file, and what is expected of it."""
    bases = {"formatters": logging.Formatter, "filters": Filter, "handlers": StubHandler}
    for family, base in bases.items():
        for entry in (document.get(family) or {}).values():
            for key in ("class", "()"):
                if isinstance(entry.get(key), str):
                    yield entry[key].removeprefix("ext://"), base
            for value in entry.values():
                if isinstance(value, str) and value.startswith("ext://"):
                    yield value.removeprefix("ext://"), None


class Filter(logging.Filter):
    """Stands for a filter that is not installed."""

    def __init__(self, *args, **options):
        super().__init__()


class StubHandler(logging.StreamHandler):
    """Stands for a handler that is not installed."""

    def __init__(self, *args, **options):
        super().__init__(sys.stderr)


class Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes modules that are not installed, with the names that the file wants of them."""

    def __init__(self, roles):
        self.roles = roles
        self.tops = {name.partition(".")[0] for name in roles} | {"flask", "google", "prefect"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.tops:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda item: self.part(f"{spec.name}.{item}")
        return module

    def exec_module(self, module):
        """Leave it empty: its names are made when they are asked for."""

    def part(self, dotted):
        base = self.roles.get(dotted)
        if base is logging.Formatter:
            return type("StubFormatter", (base,), {"__init__": make_formatter})
        if base is not None:
            return base
        if any(name.startswith(f"{dotted}.") for name in self.roles):
            raise AttributeError(dotted)  # a module: it is imported next
        return sys.stderr if dotted in self.roles else None  # a stream by ext://


def make_formatter(self, fmt=None, datefmt=None, style="%", *args, **options):
    fmt = fmt or options.get("format")
    style = style if style in ("%", "{", "$") else "%"
    logging.Formatter.__init__(self, fmt, datefmt, style, validate=False)


def isolate():
    """Make the same record twice the same, and keep off the network."""
    factory = logging.getLogRecordFactory()

    def steady(*args, **options):
        record = factory(*args, **options)
        record.created, record.msecs, record.relativeCreated = 1_700_000_000.123, 123.0, 42.0
        record.process, record.thread = 4242, 77
        return record

    logging.setLogRecordFactory(steady)
    kinds = (
        logging.handlers.SMTPHandler,
        logging.handlers.HTTPHandler,
        logging.handlers.SocketHandler,
        logging.handlers.SysLogHandler,
    )
    for kind in kinds:
        kind.emit = append_to_file
    logging.handlers.SysLogHandler.createSocket = unconnected
    logging.handlers.SysLogHandler._connect_unixsocket = unconnected
    logging.Handler.handleError = lambda self, record: errors.append(repr(sys.exc_info()[1]))


def unconnected(self, *ignored):
    self.socket = socket.socket()  # something to close


def append_to_file(self, record):
    with open(f"sent-by-{type(self).__name__}", "a", encoding="utf-8") as file:
        file.write(self.format(record) + "\n")


def redirect(document):
    """Move absolute paths below the working directory; return whether there were any."""
    changed = False
    for entry in (document.get("handlers") or {}).values():
        for key in PATHS:
            path = entry.get(key)
            if isinstance(path, str):
                if os.path.isabs(path):
                    entry[key], changed = path.lstrip("/"), True
                os.makedirs(os.path.dirname(os.path.abspath(entry[key])), exist_ok=True)
    return changed


def deliver_once():
    """Have stdlib hand a record to a handler once, however many loggers name it."""

    def call_handlers(self, record):
        seen = []
        logger = self
        while logger is not None:
            for handler in logger.handlers:
                if handler not in seen and record.levelno >= handler.level:
                    seen.append(handler)
                    handler.handle(record)
            logger = logger.parent if logger.propagate else None
        if not seen and not self.hasHandlers() and record.levelno >= logging.lastResort.level:
            strays.append(record)
            logging.lastResort.handle(record)

    logging.Logger.callHandlers = call_handlers


def count_writers(handlers):
    """Return how many handlers write to each stream or file."""
    writers = {"<stderr>": 1 if strays else 0}
    for handler in handlers:
        stream = getattr(handler, "stream", None)
        name = {sys.stderr: "<stderr>", sys.stdout: "<stdout>"}.get(stream)
        if name is None and isinstance(handler, logging.FileHandler):
            name = os.path.relpath(handler.baseFilename)
        if name is not None:
            writers[name] = writers.get(name, 0) + 1
    return writers


# -- the records


def emit(names):
    loggers = [name for base in names for name in (base, f"{base}.child")]
    for name in [*loggers, "early.logger", "late.logger"]:
        logger = logging.getLogger() if name == "root" else logging.getLogger(name)
        for level in (5, 10, 20, 25, 30, 40, 50):
            logger.log(level, "%s at %d", name, level)
            logger.log(level, "plain %s: ünïcode")
        logger.warning("a dict %(key)s", {"key": "value"})
        try:
            raise ValueError("as meant")
        except ValueError:
            logger.exception("failed")
            logger.error("with stack", exc_info=True, stack_info=True)


main(*sys.argv[1:])
