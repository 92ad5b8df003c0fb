"""Handlers, formatters and filters in words, secrets veiled.

What a secret option, a secret variable or a file holds never leaves this module;
nor does the user part of a URL. Pure; runs in the thread of the command.
"""

from collections.abc import Mapping

from logroute.config import decode
from logroute.config.findings import View
from logroute.config.load import Loaded
from logroute.config.model import Foreign, HandlerSpec
from logroute.config.nodes import SECRET_NAME, shown
from logroute.config.readers import Path
from logroute.light import Any, NamedTuple
from logroute.options import VEIL
from logroute.patterns import lazy_pattern

__all__ = ["UNKNOWN", "Parts", "Target"]

#: Stands for a value that only the running program will know.
UNKNOWN = "(known when it runs)"

_USERINFO = lazy_pattern(r"//[^/@\s]*@")
_LONGEST = 200
# stdlib's handlers: kind of destination, and the arguments that say which
_STDLIB = {
    "StreamHandler": ("console", ("stream",)),
    "FileHandler": ("file", ("filename",)),
    "WatchedFileHandler": ("file", ("filename",)),
    "RotatingFileHandler": ("file", ("filename",)),
    "TimedRotatingFileHandler": ("file", ("filename",)),
    "SMTPHandler": ("mail", ("mailhost",)),
    "SocketHandler": ("network", ("host", "port")),
    "DatagramHandler": ("network", ("host", "port")),
    "SysLogHandler": ("network", ("address",)),
    "HTTPHandler": ("web", ("host", "url")),
    "NullHandler": ("nowhere", ()),
}
_DEFAULTS = {"stream": "stderr", "address": "localhost:514", "filename": UNKNOWN}
_OURS = {
    "console": "console",
    "file": "file",
    "email": "mail",
    "datagram": "network",
    "socket": "network",
    "syslog": "network",
    "http": "web",
    "memory": "memory",
    "null": "nowhere",
}


class Target(NamedTuple):
    """Where a handler sends to: the kind of thing, which one, and what else is worth saying."""

    kind: str
    text: str
    detail: str = ""


class Parts:
    """The parts of one config, as pictures may show them."""

    def __init__(self, loaded: Loaded) -> None:
        """Look at a config that could be loaded."""
        assert loaded.config is not None and loaded.node is not None
        self.config = loaded.config
        self.view = View(loaded.node, decode.read(loaded.node))

    def is_hidden(self, path: Path) -> bool:
        """Return whether the value at `path`, or a part of it, must not be shown."""
        if self.view.is_secret(path) or any(_is_sensitive(step) for step in path[2:]):
            return True
        node = self.view.at(path)
        return node is not None and any(self.is_hidden((*path, step)) for step in _steps(node))

    def show(self, path: Path, value: object) -> str:
        """Return `value`, which stands at `path`, as text for people."""
        node = self.view.at(path)
        if node is not None and node.opaque:
            return UNKNOWN
        if self.is_hidden(path):
            return VEIL
        return clean(str(value))

    def kind(self, name: str) -> str:
        """Return the `type` of a handler, or the name of its class."""
        return self.kind_of("handlers", name)

    def kind_of(self, section: str, name: str) -> str:
        """Return the `type` of a part, or the name of its class; empty where it has neither."""
        for key in ("type", "class", "()"):
            node = self.view.at((section, name, key))
            if node is not None:
                word = node.value if isinstance(node.value, str) else _name_of(node.value)
                return shown(word.removeprefix("ext://").rpartition(".")[2])
        return ""

    def formatter(self, spec: HandlerSpec) -> str:
        """Return the formatter of a handler in words."""
        if spec.formatter is None:
            default = getattr(spec.sink, "default_formatter", "")
            return str(default)
        kind = self.kind_of("formatters", spec.formatter)
        return _with_kind(spec.formatter, kind)

    def filters(self, names: tuple[object, ...]) -> tuple[str, ...]:
        """Return filters in words, with their kinds."""
        return tuple(
            _with_kind(name, self.kind_of("filters", name))
            if isinstance(name, str)
            else shown(_name_of(name))
            for name in names
        )

    def queue(self, name: str, spec: HandlerSpec) -> str:
        """Return in words how the queue of a handler differs from the defaults."""
        found: list[str] = []
        own_path: Path = ("handlers", name, "queue")
        for own, path in ((spec.queue, own_path), (self.config.queue, ("queue",))):
            given = own.__dict__ if own is not None else {}
            for key, value in given.items():
                if not any(text.startswith(f"{key} ") for text in found):
                    found.append(f"{key} {self._written((*path, key), value)}")
        return ", ".join(found)

    def _written(self, path: Path, value: object) -> str:
        """Return a value as the file writes it: ``10MiB``."""
        node = self.view.at(path)
        return self.show(path, node.text if node is not None and node.text else value)

    def target(self, name: str, spec: HandlerSpec) -> Target:
        """Return where a handler sends to."""
        path: Path = ("handlers", name)
        kind = self.kind(name)
        if isinstance(spec.sink, Foreign):
            return self._foreign(path, kind, spec.sink.entry)
        return self._ours(path, kind, spec.sink)

    def _ours(self, path: Path, kind: str, sink: Any) -> Target:
        def show(key: str, value: object) -> str:
            return self.show((*path, key), value)

        family = _OURS.get(kind, "code")
        if kind == "console":
            return Target(family, show("stream", sink.stream))
        if kind == "file":
            return Target(family, show("path", sink.path))
        if kind == "email":
            port = sink.port or {"tls": 465, "none": 25}.get(sink.security, 587)
            detail = f"to {', '.join(show('to', address) for address in sink.to)}"
            return Target(family, f"{show('host', sink.host)}:{show('port', port)}", detail)
        if kind == "http":
            url = show("url", sink.url)
            head, mark, _ = url.partition("?")  # a query often holds a key
            return Target(family, f"{head}?…" if mark else head, sink.method)
        if kind == "null":
            return Target(family, "nowhere")
        if kind == "memory":
            return Target(family, f"the last {show('capacity', sink.capacity)} records")
        address = getattr(sink, "address", None)
        detail = {"datagram": "UDP", "socket": "TCP"}.get(kind, kind)
        if getattr(sink, "tls", None) is not None:
            detail += ", TLS"
        text = kind if address is None else show("address", address)
        return Target(family, text, "unix" if text.startswith("unix:") else detail)

    def _foreign(self, path: Path, kind: str, entry: Mapping[str, object]) -> Target:
        if kind in ("MemoryHandler", "QueueHandler"):
            return Target("memory", "memory")
        family, keys = _STDLIB.get(kind, ("code", ()))
        if family == "code":
            keys = next((k for k in _TELLING if all(key in entry for key in k)), ())
            family = "file" if keys and keys[0].startswith("file") else family
        if family == "nowhere":
            return Target(family, "nowhere")
        words = [self._argument(path, key, entry) for key in keys]
        return Target(family, ":".join(word for word in words if word) or kind)

    def _argument(self, path: Path, key: str, entry: Mapping[str, object]) -> str:
        value = entry.get(key, _DEFAULTS.get(key, ""))
        value = value if value is not None else _DEFAULTS.get(key, "")
        if isinstance(value, list | tuple):
            value = ":".join(map(str, value))
        if not isinstance(value, str | int | float):
            value = _name_of(value)
        text = self.show((*path, key), value)
        return text.removeprefix("ext://sys.").removeprefix("cfg://")


_TELLING = (("filename",), ("file",), ("host", "port"), ("address",), ("url",), ("host",))


def _is_sensitive(step: str | int) -> bool:
    return isinstance(step, str) and SECRET_NAME.search(step) is not None


def _steps(node: Any) -> list[str | int]:
    if isinstance(node.value, dict):
        return list(node.value)
    return list(range(len(node.value))) if isinstance(node.value, list) else []


def _name_of(value: object) -> str:
    """Return the name of an object of a dict source."""
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    return str(name) if isinstance(name, str) else type(value).__name__


def _with_kind(name: str, kind: str) -> str:
    return shown(name) if kind in ("", name) else f"{shown(name)} ({kind})"


def clean(text: str) -> str:
    """Return `text` short and printable, without the user part of a URL."""
    return shown(_USERINFO.sub(f"//{VEIL}@", text), _LONGEST)
