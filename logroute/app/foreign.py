"""Brings the parts written stdlib's way to life, with stdlib's own configurator.

`ForeignParts` wraps `logging.config.DictConfigurator`, so that ``class``, ``()``,
``.``, ``ext://`` and ``cfg://`` mean what they mean in stdlib.
"""

import fnmatch
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence

from logroute.config.nodes import Node
from logroute.diagnostics import Diagnostic, Span, error
from logroute.errors import ConfigError
from logroute.light import Any

__all__ = ["ForeignParts"]


class ForeignParts:
    """Builds foreign formatters, filters and handlers of one document."""

    def __init__(self, node: Node, imports: str | Sequence[str]) -> None:
        """Build from the document `node`; `imports` says what it may name.

        Args:
            node: the whole document, expanded.
            imports: ``any``, or glob patterns of dotted names that may be imported.
        """
        document = node.data(legacy=True)
        document = document if isinstance(document, dict) else {}
        document = {key: value for key, value in document.items() if value is not None}
        self._node = node
        self._imports = imports
        self._made: Any = None
        self._config: Any = document

    @property
    def _configurator(self) -> Any:
        """Stdlib's configurator, imported with sockets and all when a part needs it."""
        if self._made is None:
            from logging.config import DictConfigurator

            self._made = DictConfigurator(self._config)
            self._config = self._made.config
        return self._made

    def share(self, family: str, name: str, part: object) -> None:
        """Let later parts find `part` by the name that the file gives it."""
        if family not in self._config:
            self._config[family] = {}
        self._config[family][name] = part

    def lend(self, name: str, face: logging.Handler) -> None:
        """Give the face of a handler what applications look for on it."""
        built = self._config["handlers"][name]
        if isinstance(built, Listener):
            face.listener = built  # type: ignore[attr-defined]

    def formatter(self, name: str, entry: Mapping[str, object]) -> logging.Formatter:
        """Build a formatter.

        Raises:
            ConfigError: it cannot be built.
        """
        built: logging.Formatter = self._build("formatters", name, entry)
        return built

    def filter(self, name: str, entry: Mapping[str, object]) -> Any:
        """Build a filter.

        Raises:
            ConfigError: it cannot be built.
        """
        return self._build("filters", name, entry)

    def handler(self, name: str, entry: Mapping[str, object]) -> logging.Handler:
        """Build a handler, without its level and filters: its face has them.

        Raises:
            ConfigError: it cannot be built.
        """
        plain = {key: value for key, value in entry.items() if key not in ("level", "filters")}
        if _has_listener(plain):
            return self._listener(name, plain)
        built: logging.Handler = self._plainly(name, plain) or self._build("handlers", name, plain)
        _disown(built)
        return built

    def _plainly(self, name: str, entry: Mapping[str, Any]) -> logging.Handler | None:
        """Make a handler that stdlib's configurator has no word to say about.

        None: that one is to make it, and to tell what is wrong with it.
        """
        named = entry.get("class")
        if not isinstance(named, str) or named not in _PLAIN_KINDS:
            return None
        arguments = {k: v for k, v in entry.items() if k not in ("class", "formatter")}
        if not all(map(_is_plain, arguments, arguments.values())):
            return None
        self._refuse_imports("handlers", name, entry)
        if "stream" in arguments:
            arguments["stream"] = getattr(sys, _STREAMS[arguments["stream"]])
        try:
            formatter = entry.get("formatter")
            format_with = self._config["formatters"][formatter] if formatter else None
            built: logging.Handler = getattr(logging, named.partition(".")[2])(**arguments)
        except Exception:
            return None
        if format_with is not None:
            built.setFormatter(format_with)
        self.share("handlers", name, built)
        return built

    def _listener(self, name: str, entry: Mapping[str, Any]) -> "Listener":
        self._refuse_imports("handlers", name, entry)
        handlers = self._config["handlers"]
        built = Listener([handlers[other] for other in entry["handlers"]])
        if entry.get("formatter"):
            built.setFormatter(self._config["formatters"][entry["formatter"]])
        _disown(built)
        self.share("handlers", name, built)
        return built

    def _build(self, family: str, name: str, entry: Mapping[str, object]) -> Any:
        self._refuse_imports(family, name, entry)
        make = getattr(self._configurator, f"configure_{family[:-1]}")
        self.share(family, name, dict(entry))
        try:
            try:
                built = make(self._config[family][name])
            except FileNotFoundError as fault:
                if not _make_parent(entry.get("filename"), fault):
                    raise
                self.share(family, name, dict(entry))
                built = make(self._config[family][name])
        except Exception as fault:
            raise ConfigError([self._fault(family, name, fault)]) from fault
        self.share(family, name, built)
        return built

    def _refuse_imports(self, family: str, name: str, entry: Mapping[str, object]) -> None:
        if self._imports == "any":
            return
        patterns = [self._imports] if isinstance(self._imports, str) else list(self._imports)
        for dotted in _dotted_names(entry):
            if not any(fnmatch.fnmatchcase(dotted, pattern) for pattern in patterns):
                message = f"`{dotted}` may not be imported by this file"
                help = "the application allows only: " + (", ".join(patterns) or "nothing")
                raise ConfigError([error("LR904", message, self._span(family, name), help)])

    def _span(self, family: str, name: str) -> Span:
        parent = self._node.at([family])
        if parent is not None and name in parent.keys:
            return parent.keys[name]
        return self._node.span

    def _fault(self, family: str, name: str, fault: BaseException) -> Diagnostic:
        cause: BaseException = fault
        while cause.__cause__ is not None:
            cause = cause.__cause__
        message = f"{family[:-1]} `{name}` cannot be built: {type(cause).__name__}: {cause}"
        help = None
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            help = f"install the package that provides the module `{cause.name.split('.')[0]}`"
        elif isinstance(cause, TypeError):
            help = "compare the keys with the arguments of the class"
        return error("LR903", message, self._span(family, name), help)


class Listener(logging.Handler):
    """A `QueueHandler` with `handlers`, and the listener that would feed them.

    Each handler of ours has a queue and a thread of its own already, so this one
    only passes the records on, those that the handler's level lets through.
    """

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        """Pass records on to `handlers`."""
        super().__init__()
        self.handlers = tuple(handlers)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass `record` on, formatted where a formatter is set, as QueueHandler does."""
        if self.formatter is not None:
            record.msg = record.message = self.format(record)
            record.args = record.exc_info = record.exc_text = record.stack_info = None
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    def start(self) -> None:
        """Do nothing, as applications that call ``handler.listener.start()`` may."""

    def stop(self) -> None:
        """Do nothing: what is queued is delivered."""


#: Handlers of `logging` that stdlib's configurator makes with what the entry says.
_PLAIN_KINDS = frozenset({"logging.StreamHandler", "logging.FileHandler", "logging.NullHandler"})
_STREAMS = {"ext://sys.stdout": "stdout", "ext://sys.stderr": "stderr"}


def _is_plain(key: str, value: object) -> bool:
    """Return whether an argument of a handler means what it says, and nothing else."""
    if key == "stream":
        return isinstance(value, str) and value in _STREAMS
    is_value = isinstance(value, str | int | float | None) and "://" not in str(value)
    return is_value and key.isidentifier()


def _has_listener(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry is a QueueHandler that names the handlers behind its queue."""
    return entry.get("class") == "logging.handlers.QueueHandler" and "handlers" in entry


def _disown(handler: logging.Handler) -> None:
    """Strike `handler` off stdlib's list of those to flush and close.

    Its worker does that, in its own thread; stdlib would do it in another, at any
    later `dictConfig`, and wait for ever at exit for a handler that hangs.
    """
    for reference in list(logging._handlerList):  # type: ignore[attr-defined]
        if reference() is handler:
            logging._removeHandlerRef(reference)  # type: ignore[attr-defined]


def _make_parent(path: object, fault: FileNotFoundError) -> bool:
    """Create the directory of a log file that stdlib's handler could not open."""
    if not isinstance(path, str | os.PathLike) or fault.filename is None:
        return False
    parent = os.path.dirname(os.path.abspath(os.fspath(path)))
    if os.path.isdir(parent):
        return False
    os.makedirs(parent, exist_ok=True)
    return True


def _dotted_names(value: object, key: str = "") -> Iterator[str]:
    """Yield the names in an entry that stdlib's configurator would import."""
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _dotted_names(item, str(inner))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _dotted_names(item)
    elif isinstance(value, str):
        if value.startswith("ext://"):
            yield value[6:]
        elif key in ("class", "()", "queue", "listener"):
            yield value
    elif key in ("class", "()") and callable(value):
        yield f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', '?')}"
