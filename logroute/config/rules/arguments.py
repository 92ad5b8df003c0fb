"""Arguments of stdlib's handlers: those that their constructors do not know, or need."""

import sys
from collections.abc import Iterator, Mapping
from itertools import islice

from logroute.config.findings import subject
from logroute.config.model import NetworkHandlerSpec, StdHandlerSpec
from logroute.config.nodes import shown
from logroute.config.rules.rule import rule
from logroute.config.views.calls import Call, calls
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, warning
from logroute.hints import nearest
from logroute.options import options_of

__all__ = ["ADVICE", "missing_arguments", "unknown_arguments"]

# a guess at what was meant takes its time
_MOST = 500
_COMMON = ("level", "formatter", "filters")
#: What people write for an argument; letters' case and `_` do not matter.
_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("path", "file", "file_name", "log_file", "logfile", "filepath"), "filename"),
    **dict.fromkeys(("max_size", "maxsize", "size", "max_length", "maxlength"), "maxBytes"),
    **dict.fromkeys(("backups", "backup", "keep", "retention", "count"), "backupCount"),
    **dict.fromkeys(("charset", "enc"), "encoding"),
    **dict.fromkeys(("every", "rotate", "rotation"), "when"),
    **dict.fromkeys(("host", "server", "smtp", "smtp_host", "smtp_server"), "mailhost"),
    **dict.fromkeys(("from", "sender", "from_addr", "from_address"), "fromaddr"),
    **dict.fromkeys(("to", "recipients", "recipient", "to_addrs", "toaddr"), "toaddrs"),
    **dict.fromkeys(("title", "mail_subject"), "subject"),
    **dict.fromkeys(("tls", "ssl", "use_tls", "starttls"), "secure"),
    **dict.fromkeys(("proto", "protocol", "sock_type"), "socktype"),
    **dict.fromkeys(("size_limit", "buffer", "buffer_size", "max_records"), "capacity"),
    **dict.fromkeys(("lvl", "log_level", "severity", "loglevel"), "level"),
    **dict.fromkeys(("format", "formater", "formatters", "fmt"), "formatter"),
    "filter": "filters",
}
#: What is written another way altogether.
_INSTEAD: Mapping[tuple[str, str], str] = {
    ("SMTPHandler", "port"): "the port stands beside the host: `mailhost: [HOST, PORT]`",
    **{
        ("SMTPHandler", key): "both are one argument: `credentials: [USER, PASSWORD]`"
        for key in ("user", "username", "password", "login")
    },
    **{
        ("SysLogHandler", key): "both are one argument: `address: [HOST, PORT]`"
        for key in ("host", "port")
    },
    **{
        ("DatagramHandler", key): "write `host` and `port`, each with its own key"
        for key in ("address",)
    },
    **{
        ("SocketHandler", key): "write `host` and `port`, each with its own key"
        for key in ("address",)
    },
    ("HTTPHandler", "port"): "the port stands behind the host: `host: HOST:PORT`",
}
#: Arguments that another class would take.
_TAKERS: Mapping[str, str] = {
    "stream": "logging.StreamHandler",
    "filename": "logging.FileHandler",
    "mode": "logging.FileHandler",
    "encoding": "logging.FileHandler",
    "delay": "logging.FileHandler",
    "errors": "logging.FileHandler",
    "maxBytes": "logging.handlers.RotatingFileHandler",
    "backupCount": "logging.handlers.RotatingFileHandler",
    "when": "logging.handlers.TimedRotatingFileHandler",
    "interval": "logging.handlers.TimedRotatingFileHandler",
    "utc": "logging.handlers.TimedRotatingFileHandler",
    "atTime": "logging.handlers.TimedRotatingFileHandler",
    "facility": "logging.handlers.SysLogHandler",
    "flushLevel": "logging.handlers.MemoryHandler",
    "capacity": "logging.handlers.MemoryHandler",
    "target": "logging.handlers.MemoryHandler",
}


@rule("LR905", Severity.ERROR)
def unknown_arguments(facts: Facts) -> Iterator[Diagnostic]:
    """Find arguments that the constructor of a standard class does not take (LR905).

    The keys of a handler are handed to its class by name. One that the class does
    not know ends in a `TypeError`, and nothing of the file is loaded::

        handlers:
          log:
            class: logging.handlers.RotatingFileHandler
            filename: /var/log/shop/app.log
            max_bytes: 10485760

    Write `maxBytes`. Known are the arguments of the classes in `logging` and
    `logging.handlers`; those of other packages cannot be looked up without
    importing them.
    """
    unknown = (
        (call, key)
        for call in _all(facts)
        for key in call.arguments()
        if key not in call.signature.names
        and not (key == "type" and facts.is_broken((*call.path, key)))
    )
    for call, key in islice(unknown, _MOST):
        yield _unknown(facts, call, key)


def _all(facts: Facts) -> Iterator[Call]:
    for family in ("handlers", "formatters", "filters"):
        yield from calls(facts, family)


def _unknown(facts: Facts, call: Call, key: str) -> Diagnostic:
    from logroute.config.slips import slip_at  # only for a finding

    path = (*call.path, key)
    known = _candidates(call)
    slip = slip_at(facts.view, path, known)
    name = shown(key) if slip is None else slip.name
    message = f"{subject(call.path)}: `{call.title}` takes no argument `{name}`"
    where = facts.view.place((*call.path, slip.key if slip else key), of_key=True)
    if slip is not None:
        return error("LR905", message, where, slip.help)
    meant = _meant(call, key)
    if meant is None or meant not in known:
        return error("LR905", message, where, _cure(facts, call, key, meant, known))
    from logroute.config.views.fixes import rename

    return error("LR905", message, where, f"did you mean `{meant}`?", rename(facts, path, meant))


def _candidates(call: Call) -> list[str]:
    common = _COMMON if call.path[0] == "handlers" else ()
    return list(dict.fromkeys([*call.signature.names, *common]))


def _meant(call: Call, key: str) -> str | None:
    """Return the argument that was likely meant, of this class or of another one."""
    if (call.title, key) in _INSTEAD or key in ("args", "kwargs", "class"):
        return None
    names = _candidates(call)
    meant = _SYNONYMS.get(key.casefold())
    if meant in names:
        return meant
    if key in _TAKERS:
        return key
    best = nearest(key, names)
    return best or meant or nearest(key, _TAKERS)


def _cure(facts: Facts, call: Call, key: str, meant: str | None, known: list[str]) -> str | None:
    instead = _INSTEAD.get((call.title, key))
    if instead is not None:
        return instead
    if key in ("args", "kwargs"):
        first = call.signature.names[:3]
        names = ", ".join(f"`{name}`" for name in first) if first else "none"
        return f"each argument has a key of its own here: {names}"
    if key == "class":
        return "keep one of `()` and `class`"
    if meant is not None and meant in _TAKERS:
        return f"`{_TAKERS[meant]}` takes `{meant}`"
    if key in options_of(NetworkHandlerSpec) and key not in options_of(StdHandlerSpec):
        return f"`{key}` belongs to handlers with a `type`, not to those with a `class`"
    return facts.view.suggest(key, known)


@rule("LR907", Severity.ERROR)
def missing_arguments(facts: Facts) -> Iterator[Diagnostic]:
    """Find standard handlers without an argument that their class needs (LR907).

    Such a handler cannot be made, and nothing of the file is loaded::

        handlers:
          log: {class: logging.FileHandler, level: INFO}

    Add `filename: /var/log/shop/app.log`. A `SMTPHandler` needs `mailhost`,
    `fromaddr`, `toaddrs` and `subject`; a `QueueHandler` the names of the
    `handlers` behind it.
    """
    for call in _all(facts):
        if call.title == "QueueHandler" and call.maker == "class":
            if "handlers" not in call.entry and "queue" not in call.entry:
                yield _no_queue(facts, call)
            continue
        missing = [name for name in call.signature.required if name not in call.entry]
        if not missing or any(":" in key for key in call.entry):  # `filename:app.log` is one key
            continue
        strange = (key for key in call.arguments() if key not in call.signature.names)
        meant = {_meant(call, key) for key in islice(strange, _MOST)}
        missing = [name for name in missing if name not in meant]
        if not missing:
            continue
        names = " and ".join(f"`{name}`" for name in missing)
        message = f"{subject(call.path)}: `{call.title}` needs {names}"
        where = facts.view.place(call.path, of_key=True)
        yield error("LR907", message, where, f"add {names}")


def _no_queue(facts: Facts, call: Call) -> Diagnostic:
    message = f"{subject(call.path)}: nothing would empty the queue of this `QueueHandler`"
    where = facts.view.place(call.path, of_key=True)
    say = error if sys.version_info < (3, 12) else warning
    return say("LR907", message, where, "add `handlers`, the names of those behind the queue")


ADVICE = (unknown_arguments, missing_arguments)
