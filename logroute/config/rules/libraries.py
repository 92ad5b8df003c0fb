"""Loggers of well-known libraries, and names that were likely meant to be one of them."""

import functools
from collections.abc import Iterator, Mapping
from itertools import islice

from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity, Span, warning
from logroute.hints import distance
from logroute.matchers import is_glob

__all__ = ["misspelt_library_loggers", "nearest_logger"]

#: By library: its loggers that people set levels of, without the library's own name.
_LOGGERS: Mapping[str, tuple[str, ...]] = {
    "aiohttp": ("access", "client", "internal", "server", "web", "websocket"),
    "alembic": ("runtime.migration",),
    "apscheduler": ("scheduler", "executors.default"),
    "asyncio": (),
    "botocore": (),
    "celery": ("app", "app.trace", "beat", "redirected", "task", "worker"),
    "concurrent": ("futures",),
    "django": (
        "db",
        "db.backends",
        "db.backends.schema",
        "dispatch",
        "request",
        "security",
        "security.csrf",
        "server",
        "template",
        "utils.autoreload",
    ),
    "elasticsearch": (),
    "gunicorn": ("access", "error"),
    "httpcore": ("connection", "http11", "http2", "proxy"),
    "hypercorn": ("access", "error"),
    "matplotlib": ("font_manager",),
    "paramiko": ("transport", "transport.sftp"),
    "pymongo": ("command", "connection", "serverSelection", "topology"),
    "s3transfer": (),
    "sqlalchemy": ("dialects", "engine", "engine.Engine", "orm", "pool"),
    "tornado": ("access", "application", "general"),
    "urllib3": ("connectionpool", "connection"),
    "uvicorn": ("access", "asgi", "error"),
    "werkzeug": (),
}
#: What is near a library's name, and somebody's own name all the same.
_OTHERS = frozenset({"unicorn", "celery.tasks"})
_SHORTEST = 6
_MOST_NAMES = 5000


@rule("LR914", Severity.WARNING)
def misspelt_library_loggers(facts: Facts) -> Iterator[Diagnostic]:
    """Find loggers that are one letter off from a well-known library's (LR914).

    A name that nothing logs to is no error: the level or handler set for it is
    simply never used. The requests of this server are written all the same::

        loggers:
          uvicorn.acess: {level: WARNING}

    Write `uvicorn.access`. A logger of your own that has this name is better
    called otherwise.
    """
    for name, span, fix in islice(_names(facts), _MOST_NAMES):
        meant = nearest_logger(name)
        if meant is not None:
            library = meant.partition(".")[0]
            message = f"`{shown(name)}` is no logger of `{library}`"
            cure = f"did you mean `{meant}`?"
            yield warning("LR914", message, span, cure, fix(meant))


def _names(facts: Facts) -> Iterator[tuple[str, Span, "_Fixer"]]:
    """Yield the names of loggers in `loggers` and in the matches of routes."""
    table = facts.node.at(("loggers",))
    for name in facts.section("loggers"):
        if table is not None:
            yield name, table.keys[name], _Fixer(facts, key=name)
    for route in facts.items("routes"):
        match = route.at(("match",))
        for node in _in_match(match) if match is not None else ():
            yield node.value, node.span, _Fixer(facts, node=node)


def _in_match(match: Node) -> Iterator[Node]:
    if not isinstance(match.value, dict):
        return
    for key, node in match.value.items():
        items = node.value if isinstance(node.value, list) else [node]
        if key == "logger":
            for item in items:
                if isinstance(item.value, str) and not item.opaque and not is_glob(item.value):
                    yield item
        elif key in ("any", "all", "not"):
            for item in items:
                yield from _in_match(item)


class _Fixer:
    """Makes the fix of a name; records may go elsewhere by it."""

    __slots__ = ("facts", "key", "node")

    def __init__(self, facts: Facts, key: str = "", node: Node | None = None) -> None:
        self.facts = facts
        self.key = key
        self.node = node

    def __call__(self, meant: str) -> Fix | None:
        from logroute.config.views.fixes import rename, replace  # only for a finding

        if self.node is not None:
            return replace(self.node, meant, is_safe=False)
        return rename(self.facts, ("loggers", self.key), meant, is_safe=False)


def nearest_logger(name: str) -> str | None:
    """Return the logger of a library that `name` misses by a letter, or by its case."""
    if len(name) > 60 or name in _OTHERS:
        return None
    library, _, rest = name.partition(".")
    if library in _LOGGERS:
        known = _LOGGERS[library]
        near = next((other for other in known if rest and _is_slip(rest, other)), None)
        return f"{library}.{near}" if near is not None and rest not in known else None
    if library in _OTHERS:
        return None
    near = _nearest_library(library)
    return f"{near}.{rest}" if near is not None and rest else near


@functools.lru_cache(maxsize=1000)
def _nearest_library(name: str) -> str | None:
    return next((r for r in _LOGGERS if len(r) >= _SHORTEST and _is_slip(name, r)), None)


def _is_slip(word: str, right: str) -> bool:
    """Return whether one letter or the case makes the difference, and not a number at the end."""
    if word == right or abs(len(word) - len(right)) > 1:
        return False
    digits = "0123456789"
    if word.rstrip(digits) == right.rstrip(digits):
        return False
    return distance(word.casefold(), right.casefold(), 1) <= 1
