"""Rules about stdlib's classes, libraries' loggers and habits: what they find, and what not."""

import json
import logging
import logging.config
import subprocess
import sys

import pytest

from logroute.config.load import load
from logroute.config.rules.libraries import nearest_logger
from logroute.diagnostics import Severity

MINE = ("LR809", "LR81", "LR9")


def findings(document):
    """Return what the rules under test find in a dictConfig document."""
    document = {"version": 1, "disable_existing_loggers": False, **document}
    found = load(document, environ={}, advise=True, read_secrets=False).diagnostics
    return [item for item in found if item.code.startswith(MINE)]


def of_handler(class_, **arguments):
    """Return the findings about one handler, which the root logger uses."""
    handlers = {"h": {"class": class_, **arguments}, "other": {"class": "logging.NullHandler"}}
    return findings({"handlers": handlers, "root": {"handlers": ["h", "other"]}})


def made_by_stdlib(entry):
    """Return the handler that dictConfig makes of an entry."""
    handlers = {"other": logging.NullHandler(), "h": entry}
    configurator = logging.config.DictConfigurator({"handlers": handlers})
    return configurator.configure_handler(configurator.config["handlers"]["h"])


def codes(found):
    return [item.code for item in found]


ROTATING = "logging.handlers.RotatingFileHandler"
TIMED = "logging.handlers.TimedRotatingFileHandler"
SYSLOG = "logging.handlers.SysLogHandler"
SMTP = "logging.handlers.SMTPHandler"
HTTP = "logging.handlers.HTTPHandler"
QUEUE = "logging.handlers.QueueHandler"
MEMORY = "logging.handlers.MemoryHandler"
MAIL = {"fromaddr": "a@b.c", "toaddrs": "d@e.f", "subject": "s"}
GOOD = [
    ("logging.StreamHandler", {"stream": "ext://sys.stdout"}),
    ("logging.StreamHandler", {"stream": None}),
    ("logging.FileHandler", {"filename": "a", "mode": "w", "encoding": "utf-8", "delay": True}),
    (ROTATING, {"filename": "a", "maxBytes": 1e6, "backupCount": 5, "mode": 420}),
    (TIMED, {"filename": "a", "when": "D", "atTime": "12:30", "utc": True}),
    (SYSLOG, {"address": "/dev/log", "facility": "local0"}),
    (
        SYSLOG,
        {"address": ["localhost", 514], "facility": 16, "socktype": "ext://socket.SOCK_STREAM"},
    ),
    (SYSLOG, {"address": ["h", "514"], "socktype": "ext://socket.SOCK_STREAM", "timeout": 5}),
    (SMTP, {"mailhost": ["h", 587], "credentials": ["u", "p"], "secure": [], **MAIL}),
    (SMTP, {"mailhost": "h", "secure": False, **MAIL}),
    (HTTP, {"host": "h:80", "url": "/x", "method": "post", "credentials": ("u", "p")}),
    ("logging.handlers.SocketHandler", {"host": "h", "port": "9020"}),
    (QUEUE, {"handlers": ["other"], "respect_handler_level": True, "queue": "queue.Queue"}),
    (MEMORY, {"capacity": 10, "target": "other", "flushOnClose": False}),
    ("logging.NullHandler", {"level": "INFO"}),
    ("pkg.RotatingFileHandler", {"max_bytes": "1", "stream": "sys.stdout"}),
    ("logging.FileHandler", {"filename": "ext://pkg.PATH", "encoding": "ext://pkg.ENCODING"}),
    ("logging.FileHandler", {"filename": "a", ".": {"name": "x"}, "formatter": None}),
]


@pytest.mark.parametrize(("class_", "arguments"), GOOD)
def test_good_arguments_are_silent(class_, arguments):
    """What the class takes, and what cannot be known, is not told."""
    assert [str(item) for item in of_handler(class_, **arguments)] == []


UNKNOWN = [
    (ROTATING, "max_bytes", "did you mean `maxBytes`?"),
    (ROTATING, "backups", "did you mean `backupCount`?"),
    (ROTATING, "encodng", "did you mean `encoding`?"),
    (ROTATING, "max-bytes", "did you mean `maxBytes`?"),
    (ROTATING, "queue", "`queue` belongs to handlers with a `type`, not to those with a `class`"),
    (ROTATING, "interval", f"`{TIMED}` takes `interval`"),
    (ROTATING, "stream", "`logging.StreamHandler` takes `stream`"),
    (ROTATING, "args", "each argument has a key of its own here: `filename`, `mode`, `maxBytes`"),
]


@pytest.mark.parametrize(("class_", "key", "cure"), UNKNOWN)
def test_unknown_argument_has_its_cure(class_, key, cure):
    """A key that the constructor does not take is an error that says what was meant."""
    found = of_handler(class_, filename="a.log", **{key: 5})
    assert codes(found) == ["LR905"]
    assert found[0].severity is Severity.ERROR and found[0].help == cure


def test_every_error_is_refused_by_stdlib(tmp_path):
    """What is an error here cannot be loaded there either."""
    path = str(tmp_path / "app.log")
    bad = [
        (ROTATING, {"filename": path, "maxBytes": "10"}),
        (ROTATING, {"filename": path, "max_bytes": 10}),
        (ROTATING, {"filename": path, "maxBytes": None}),
        (TIMED, {"filename": path, "interval": "1", "delay": True}),
        (TIMED, {"filename": path, "when": "midnight", "atTime": "12:30", "delay": True}),
        ("logging.FileHandler", {}),
        ("logging.FileHandler", {"filename": 5}),
        ("logging.FileHandler", {"filename": path, "mode": 420}),
        ("logging.FileHandler", {"filename": path, "encoding": 8}),
        ("logging.FileHandler", {"filename": path, "stream": "ext://sys.stdout"}),
        ("logging.StreamHandler", {"stream": "ext://sys.stdot"}),
        ("logging.RotatingFileHandler", {"filename": path}),
        ("logging.handlers.StreamHandler", {}),
        ("logging.handlers.RotatingFileHandlr", {"filename": path}),
        (SYSLOG, {"address": ["localhost"]}),
        (SYSLOG, {"address": ["localhost", 514], "socktype": "tcp"}),
        (SMTP, {"mailhost": ["h"], **MAIL}),
        (SMTP, {"mailhost": "h", "credentials": ["u"], **MAIL}),
        (SMTP, {"mailhost": "h"}),
        (HTTP, {"host": "h", "url": "/", "method": "PUT"}),
        ("logging.NullHandler", {"filename": path}),
    ]
    for class_, arguments in bad:
        found = of_handler(class_, **arguments)
        assert [item.severity for item in found] == [Severity.ERROR], (class_, arguments)
        with pytest.raises((TypeError, ValueError, AttributeError)):
            made_by_stdlib({"class": class_, **arguments})


def test_every_warning_is_loaded_by_stdlib():
    """What fails only later, or means something else, is a warning."""
    odd = [
        ("logging.StreamHandler", {"stream": "sys.stdout"}, "LR908"),
        (SYSLOG, {"address": "localhost:514"}, "LR909"),
        (SYSLOG, {"address": ["127.0.0.1", "514"]}, "LR909"),
        (SYSLOG, {"address": ["127.0.0.1", 514], "facility": "LOCAL0"}, "LR909"),
        ("logging.handlers.DatagramHandler", {"host": "h", "port": "9"}, "LR909"),
        (SMTP, {"mailhost": "h:25", **MAIL}, "LR909"),
        (SMTP, {"mailhost": "h", "credentials": "u:p", **MAIL}, "LR909"),
        (SMTP, {"mailhost": "h", "credentials": ["u", "p"], "secure": True, **MAIL}, "LR909"),
        (SMTP, {"mailhost": "h", "timeout": "5", **MAIL}, "LR909"),
        (HTTP, {"host": "h", "url": "/", "credentials": ["u", "p"]}, "LR909"),
        (HTTP, {"host": "h", "url": "/", "secure": "false"}, "LR909"),
        (MEMORY, {"capacity": "10", "target": "other"}, "LR909"),
        (MEMORY, {"capacity": 10}, "LR809"),
        ("logging.handlers.BufferingHandler", {"capacity": 10}, "LR809"),
    ]
    for class_, arguments, code in odd:
        found = of_handler(class_, **arguments)
        assert [(item.code, item.severity) for item in found] == [(code, Severity.WARNING)]
        made_by_stdlib({"class": class_, **arguments}).close()


def test_class_of_the_program_is_a_warning():
    """A program may put classes of its own into `logging`, so that nobody can be sure."""
    found = of_handler("logging.handlers.ShopHandler", any=1)
    assert [(item.code, item.severity) for item in found] == [("LR906", Severity.WARNING)]


@pytest.mark.parametrize("name", ["StreamHandler", "handlers.RotatingFileHandler"])
def test_name_without_its_module_is_a_warning(name):
    """What INI files may write, dictConfig looks up as a module."""
    found = of_handler(name)
    assert codes(found) == ["LR906"] and "did you mean `logging." in found[0].help


def test_factories_are_checked_likewise():
    """A class behind `()` takes the same arguments, for handlers and formatters."""
    handlers = {"h": {"()": ROTATING, "filename": "a", "max_bytes": 1}}
    formatters = {
        "good": {"()": "logging.Formatter", "format": "%(message)s", "datefmt": "%H"},
        "bad": {"()": "logging.Formatter", "fmtt": "%(message)s"},
    }
    filters = {"f": {"()": "logging.Filter", "nam": "app"}}
    found = findings({"handlers": handlers, "formatters": formatters, "filters": filters})
    assert codes(found) == ["LR905", "LR905", "LR905"]


def test_secrets_stay_out_of_cures():
    """A value from a secret source is shown neither in the message nor in the cure."""
    text = (
        "version: 1\ndisable_existing_loggers: false\nhandlers:\n"
        f"  h: {{class: {SMTP}, mailhost: '${{PASSWORD}}', fromaddr: a, toaddrs: b, subject: s}}\n"
        f"  s: {{class: {SYSLOG}, address: '${{PASSWORD}}', facility: '${{PASSWORD}}'}}\n"
        "root: {handlers: [h, s]}\n"
    )
    found = load(text, environ={"PASSWORD": "hunter:22"}, advise=True).diagnostics
    assert codes(found).count("LR909") == 3
    assert "hunter" not in "".join(map(str, found))


def test_levels_behind_a_queue_are_told():
    """Only levels that stdlib would pass over are worth a word."""
    other = {"class": "logging.StreamHandler", "level": "ERROR"}
    queue = {"class": QUEUE, "handlers": ["other"]}
    document = {"handlers": {"other": other, "queue": queue}, "root": {"handlers": ["queue"]}}
    assert codes(findings(document)) == ["LR810"]
    other["level"] = "NOTSET"
    assert codes(findings(document)) == []


def test_filter_with_a_class_is_one_finding():
    """The arguments of a class that nobody looks at are not told one by one."""
    filters = {"f": {"class": "pkg.Filter", "digits": 12, "name": "x"}}
    handlers = {"h": {"class": "logging.NullHandler", "filters": ["f"]}}
    found = findings({"filters": filters, "handlers": handlers, "root": {"handlers": ["h"]}})
    assert codes(found) == ["LR910"]


NESTED = {"version": 1, "handlers": {"c": {"type": "console"}}, "root": {"handlers": ["c"]}}


@pytest.mark.parametrize(
    "document",
    [
        {"database": {"host": "h"}, "logging": NESTED},
        {"logging": {key: value for key, value in NESTED.items() if key != "version"}},
        {"app": {"queue": {"x": 1}, "log_config": NESTED}, "context": 5, "routing": []},
        {"version": "2.4", "Logging": NESTED},
    ],
)
def test_nested_config_is_one_error(document):
    """The file of an application gets one finding, at the key of the part."""
    found = load(json.dumps(document, indent=1), environ={}, advise=True).diagnostics
    assert [(item.code, item.severity) for item in found] == [("LR911", Severity.ERROR)]


@pytest.mark.parametrize(
    "document",
    [
        {"handlers": {"handlers": {"type": "console"}}},
        {"logging": {"level": "INFO"}},
        {"loging": {"handlers": {}}},
        {"include": ["a.yaml"], "x-logging": NESTED},
    ],
)
def test_other_files_are_not_nested(document):
    """A file that only lacks its version is told so."""
    found = load(json.dumps(document, indent=1), environ={}, advise=True).diagnostics
    assert {"LR102", "LR001"} & set(codes(found)) and "LR911" not in codes(found)


def test_loaded_file_with_a_nested_config_is_a_warning():
    """With a version at the top the file is loaded, as one that says nothing."""
    found = findings({"logging": NESTED})
    assert [(item.code, item.severity) for item in found] == [("LR911", Severity.WARNING)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("uvicorn.acess", "uvicorn.access"),
        ("gunicorn.errors", "gunicorn.error"),
        ("django.requests", "django.request"),
        ("SQLAlchemy.engine", "sqlalchemy.engine"),
        ("sqlachemy", "sqlalchemy"),
        ("urlib3", "urllib3"),
    ],
)
def test_misspelt_library_logger_is_found(name, meant):
    """One letter or the case makes a name that nothing logs to."""
    assert nearest_logger(name) == meant


@pytest.mark.parametrize(
    "name",
    [
        "uvicorn",
        "uvicorn.error.x",
        "unicorn",
        "unicorn.error",
        "django.shop",
        "elasticsearch7",
        "app.django.requests",
        "celery.tasks",
        "kafka",
        "sqlalchemy.engine.Engine",
        "asyncpg",
        "x" * 500,
        "",
    ],
)
def test_own_names_are_no_misspellings(name):
    """Known loggers, and names of one's own, are left alone."""
    assert nearest_logger(name) is None


def test_match_of_a_route_is_looked_at():
    """The names in a match count as those under `loggers` do."""
    match = {"any": [{"logger": ["uvicorn.acess", "uvicorn*"]}, {"not": {"logger": "uvicorn"}}]}
    routes = [{"match": match, "to": "c"}]
    found = findings({"handlers": {"c": {"type": "console"}}, "routes": routes})
    assert codes(found) == ["LR914"]


def test_existing_loggers_are_a_remark():
    """Only a plain dictConfig file that leaves the key out is told of it."""
    document = {"version": 1, "handlers": {"h": {"class": "logging.NullHandler"}}}
    document["root"] = {"handlers": ["h"]}
    found = load(document, advise=True).diagnostics
    assert [item.severity for item in found if item.code == "LR912"] == [Severity.INFO]
    ours = load({**document, "routes": [{"to": "h"}]}, advise=True).diagnostics
    assert "LR912" not in codes(ours)


def test_nothing_but_logging_is_imported():
    """A check of our own kinds, or of others' classes, does without `logging.handlers`."""
    code = (
        "import sys; from logroute.config.load import load\n"
        "text = '''version: 1\nhandlers: {c: {type: console}, d: {class: pkg.mod.Handler, a: 1}}\n"
        "root: {level: INFO, handlers: [c, d]}\n'''\n"
        "load(text, advise=True)\n"
        "print([n for n in ('logging.handlers', 'inspect', 'pkg', 'socket') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
