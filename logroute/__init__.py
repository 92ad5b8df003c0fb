"""One YAML file decides where an application's log records go.

>>> import logroute
>>> logroute.configure("logging.yaml")  # doctest: +SKIP

Everything else goes on as before: ``logging.getLogger(__name__).info(...)``.
"""

from logroute.app.current import (
    check,
    configure,
    current,
    dictConfig,
    flush,
    load,
    reload,
    shutdown,
    stats,
)
from logroute.errors import AuditError, ConfigError, LogrouteError
from logroute.records import bind, unbind

__version__ = "0.1.0.dev0"

__all__ = [
    "AuditError",
    "ConfigError",
    "LogrouteError",
    "bind",
    "check",
    "configure",
    "current",
    "dictConfig",
    "flush",
    "load",
    "reload",
    "shutdown",
    "stats",
    "unbind",
]
