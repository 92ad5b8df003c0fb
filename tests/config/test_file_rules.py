"""The rules about files: which are told of, and above all which are not."""

import logging.handlers
from datetime import time

import pytest

from logroute.config.load import load
from logroute.diagnostics import Severity

STDLIB = "logging.handlers."
ROTATING = {"class": f"{STDLIB}RotatingFileHandler", "maxBytes": 1000, "backupCount": 2}
TIMED = {"class": f"{STDLIB}TimedRotatingFileHandler", "backupCount": 2}
PLAIN = {"class": "logging.FileHandler"}
WATCHED = {"class": f"{STDLIB}WatchedFileHandler"}
LOCKING = {"class": "concurrent_log_handler.ConcurrentRotatingFileHandler", "maxBytes": 9}


def file_to(path="/var/log/app.log", **more):
    return {"type": "file", "path": path, **more}


def std_to(path="/var/log/app.log", kind=WATCHED, **more):
    return {"filename": path, "encoding": "utf-8", "formatter": "line", **kind, **more}


def check(*handlers, **more):
    """Return what the rules about files say of some handlers."""
    document = {
        "version": 1,
        "formatters": {"line": {"format": "%(message)s"}},
        "handlers": {f"h{number}": handler for number, handler in enumerate(handlers)},
        "root": {"level": "INFO", "handlers": [f"h{n}" for n in range(len(handlers))]},
        **more,
    }
    found = load(document, environ={}, advise=True).diagnostics
    return [item for item in found if item.code.startswith("LR5")]


def codes(*handlers, **more):
    return [item.code for item in check(*handlers, **more)]


# -- LR501


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/var/log/app.log", "/var/log/app.log"),
        ("/var/log/app.log", "//var/log/./x/../app.log"),
        ("app.log", "./app.log"),
        ("logs/../app.log", "app.log"),
        ("~/app.log", "~/./app.log"),
    ],
)
def test_same_file_is_seen_through_detours(one, other):
    """Paths are the same that lead to the same file without a look at it."""
    assert codes(file_to(one), file_to(other)).count("LR501") == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (file_to("/var/log/app.log"), file_to("/var/log/App.log")),
        (file_to("/srv/app.log"), file_to("app.log")),
        (file_to("~/app.log"), std_to("~/app.log")),
        (file_to("/dev/stdout"), file_to("/dev/stdout")),
        (std_to(kind=LOCKING), std_to(kind=LOCKING)),
        (std_to("ext://app.LOG"), std_to("ext://app.LOG")),
    ],
)
def test_other_files_are_other_files(one, other):
    """Nothing is taken for the same that may differ, or that takes turns."""
    assert "LR501" not in codes(one, other)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (std_to(kind=ROTATING), std_to(kind=ROTATING), "when both rotate, records are lost"),
        (std_to(kind=TIMED), std_to(kind=PLAIN), "`h1` goes on writing to the file that was put"),
        (file_to(), std_to(kind=ROTATING), "lines come in no certain order"),
        (std_to(), std_to(kind=PLAIN, mode="w"), "`h1` empties it"),
        (file_to(), file_to(), "lines come in no certain order"),
        (std_to(kind=LOCKING), std_to(kind=PLAIN), "when `h0` rotates, `h1` goes on"),
        (std_to(kind={**ROTATING, "maxBytes": 0}), std_to(), "lines come in no certain order"),
    ],
)
def test_quarrel_over_a_file_is_described(one, other, words):
    """The finding says what becomes of the file, and where the first one names it."""
    (found,) = [item for item in check(one, other) if item.code == "LR501"]
    assert words in found.message
    assert found.severity is Severity.WARNING
    assert len(found.related) == 1


# -- LR504, LR506


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ({}, True),
        ({"maxBytes": 1000}, True),
        ({"backupCount": 3}, True),
        ({"maxBytes": 0, "backupCount": 3}, True),
        ({"maxBytes": -1, "backupCount": 3}, True),
        ({"maxBytes": 1000, "backupCount": 3}, False),
    ],
)
def test_rotation_is_told_where_stdlib_never_rolls(tmp_path, options, is_told):
    """What is told agrees with what the class does."""
    kind = {"class": f"{STDLIB}RotatingFileHandler", **options}
    assert ("LR504" in codes(std_to(kind=kind))) == is_told
    handler = logging.handlers.RotatingFileHandler(tmp_path / "a.log", encoding="utf-8", **options)
    for _ in range(30):
        handler.emit(logging.makeLogRecord({"msg": "x" * 100}))
    handler.close()
    assert (len(list(tmp_path.iterdir())) == 1) == is_told


def test_unknown_limits_are_not_judged():
    """A number that the program supplies, or that is none, is none of this rule's business."""
    for value in ("ext://app.LIMIT", "1000"):
        kind = {**ROTATING, "maxBytes": value}
        assert "LR504" not in codes(std_to(kind=kind))


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (std_to(kind=PLAIN), ["LR506"]),
        (std_to(kind=PLAIN, mode="w"), ["LR508"]),
        (std_to(kind=WATCHED), []),
        (file_to(), []),
        (std_to(kind={**TIMED, "backupCount": 0}), ["LR506"]),
        (std_to(kind=TIMED), []),
    ],
)
def test_growing_files_are_remarks(handler, expected):
    """A file that nothing bounds is told of, but not where logrotate may be at work."""
    found = check(handler)
    assert [item.code for item in found] == expected
    assert all(item.severity is Severity.INFO for item in found)


@pytest.mark.parametrize(
    ("rotate", "expected"),
    [
        ({"keep": 7, "compress": "gzip"}, ["LR504"]),
        ({"size": 0, "keep": 7}, ["LR504"]),
        ({"size": "10MiB"}, ["LR506"]),
        ({"every": "day", "keep": {}}, ["LR506"]),
        ({"every": "day", "keep": 0}, []),
        ({"size": "10MiB", "keep": {"total": "1GiB"}}, []),
        ({"every": "day", "keep": "${KEEP}"}, []),
        ({"every": "${EVERY}", "keep": 7}, []),
        (None, []),
    ],
)
def test_our_rotation_needs_a_time_and_a_limit(rotate, expected):
    """`rotate` that begins no file is told of, and a remark made where nothing is removed."""
    told = codes(file_to(rotate=rotate))
    assert [code for code in told if code in ("LR504", "LR506")] == expected


# -- LR505


@pytest.mark.parametrize(
    ("handler", "cure"),
    [
        (file_to("/dev/stderr"), "use `type: console` with `stream: stderr`"),
        (std_to("/proc/self/fd/1"), "use `logging.StreamHandler` with `stream: ext://sys.stdout`"),
        (std_to("/proc/1/fd/2"), "use `logging.StreamHandler` with `stream: ext://sys.stderr`"),
        (std_to("/dev/null"), "use `logging.NullHandler`"),
        (file_to("/dev/null"), 'write `type: "null"`'),
    ],
)
def test_devices_have_handlers_of_their_own(handler, cure):
    """The help names the handler for what is no file."""
    assert [item.help for item in check(handler)] == [cure]


def test_file_named_like_a_device_is_a_file():
    """Only the device itself is none."""
    assert codes(file_to("/var/dev/stdout"), file_to("/dev/shm/x/stdout")) == ["LR513"]


# -- LR507


WHEN = ["s", "M", "h", "D", "midnight", "MidNight", "W0", "w6"]
WRONG_WHEN = ["W7", "W", "daily", "", "H1", " D", 5, None, True, "W0-W6"]


def is_refused(tmp_path, **options):
    try:
        handler = logging.handlers.TimedRotatingFileHandler(
            tmp_path / "a.log", encoding="utf-8", delay=True, **options
        )
    except (ValueError, TypeError, AttributeError):
        return True
    handler.close()
    return False


@pytest.mark.parametrize(
    "options",
    [
        *({"when": when} for when in (*WHEN, *WRONG_WHEN)),
        *({"interval": interval} for interval in (1, 2.5, "1", None, True)),
        *({"when": "midnight", "atTime": at} for at in ([], None, time(1))),
        {"when": "D", "interval": 3, "atTime": time(1)},
    ],
)
def test_schedule_is_an_error_where_stdlib_refuses_it(tmp_path, options):
    """An error is told exactly where the class would raise."""
    errors = [item.code for item in check(std_to(kind=TIMED, **options)) if _is_error(item)]
    assert errors == ["LR507"] * is_refused(tmp_path, **options)


def _is_error(item):
    return item.severity is Severity.ERROR and item.code == "LR507"


@pytest.mark.parametrize(
    ("when", "meant"), [("daily", "midnight"), ("hours", "H"), ("Sunday", "W6"), (" d", "d")]
)
def test_words_for_times_are_translated(when, meant):
    """What people write for a time leads to stdlib's letter."""
    (found,) = check(std_to(kind=TIMED, when=when))
    assert found.help == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    "options", [{"interval": 0}, {"interval": -1, "when": "S"}, {"when": "D", "atTime": "12:30"}]
)
def test_accepted_nonsense_is_a_warning(tmp_path, options):
    """What the class accepts, though it can never work, keeps no file from loading."""
    assert not is_refused(tmp_path, **options)
    assert [item.severity for item in check(std_to(kind=TIMED, **options))] == [Severity.WARNING]


def test_interval_of_weekdays_does_not_count():
    """At midnight and on weekdays the interval of 0 does no harm."""
    assert codes(std_to(kind=TIMED, when="midnight", interval=0)) == []


# -- LR508, LR510


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("0666", ["LR508"]), ("0622", ["LR508"]), ("0660", []), ("0644", []), ("0600", [])],
)
def test_file_for_everybody_is_told(mode, expected):
    """Others may read, but not write."""
    assert codes(file_to(mode=mode)) == expected


@pytest.mark.parametrize(
    ("handler", "severities"),
    [
        (std_to(mode="a"), []),
        (std_to(mode="a+"), []),
        (std_to(mode="w"), [Severity.INFO]),
        (std_to(mode="wb"), [Severity.WARNING]),
        (std_to(mode="r"), [Severity.WARNING]),
        (std_to(mode="r+"), []),
        (std_to(mode="x"), [Severity.WARNING]),
        (std_to(kind=ROTATING, mode="w"), []),
    ],
)
def test_modes_of_open_are_told_by_their_harm(handler, severities):
    """Losing all is a warning, beginning anew a remark, appending is fine."""
    assert [item.severity for item in check(handler) if item.code == "LR508"] == severities


def test_locale_encoding_gets_a_fix():
    """A handler without `encoding` is offered one; it changes bytes, so not by itself."""
    document = """
version: 1
disable_existing_loggers: false
handlers: {log: {class: logging.handlers.WatchedFileHandler, filename: /var/log/app.log}}
root: {handlers: [log]}
"""
    found = [i for i in load(document, environ={}, advise=True).diagnostics if i.code == "LR510"]
    assert [item.fix.edits[0].text for item in found] == ["encoding: utf-8"]
    assert not found[0].fix.is_safe
    assert codes(std_to(mode="ab")) == ["LR508"]


# -- LR509, LR511, LR512, LR513


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (file_to("logs/app.log"), ["LR509"]),
        (file_to("~/logs/app.log"), []),
        (file_to("$HOME/logs/app.log"), ["LR512"]),
        (file_to("C:\\logs\\app.log"), []),
        (std_to("app.log"), ["LR509"]),
        (std_to("logs/app.log"), ["LR509", "LR511"]),
        (std_to("./app.log"), ["LR509"]),
        (std_to("../app.log"), ["LR509"]),
        (std_to("../../logs/app.log"), ["LR509", "LR511"]),
        (std_to("~/logs/app.log"), ["LR512"]),
        (std_to("/var/log/app.log"), []),
        (std_to("/var/log/app/app.log"), ["LR511"]),
        (std_to("/app.log"), []),
        (std_to("/tmp/app.log"), ["LR513"]),
        (std_to("/tmp/x/app.log"), ["LR511", "LR513"]),
        (std_to("%(logdir)s/app.log"), []),
        (std_to("{{ cookiecutter.name }}/app.log"), []),
        (std_to("ext://app.settings.PATH"), []),
        (std_to("C:\\logs\\app.log"), []),
        (std_to("logs/app.log", kind={"class": "app.handlers.File"}), []),
        (file_to("/dev/shm/app.log"), ["LR513"]),
    ],
)
def test_paths_are_judged_as_written(handler, expected):
    """Each path gets what is true of it, and no more."""
    assert codes(handler) == expected


def test_missing_directory_is_told_once():
    """Ten files in one directory are one finding, a warning only where it is relative."""
    (found,) = [i for i in check(*(std_to(f"logs/{n}.log") for n in range(3))) if i.code == "LR511"]
    assert "`logs` (+2 more files)" in found.message
    assert found.severity is Severity.WARNING
    (found,) = check(std_to("/var/log/app/app.log"))
    assert found.severity is Severity.INFO


def test_directory_is_made_by_configure():
    """A file with anything of ours in it is never loaded by the standard library."""
    assert "LR511" not in codes(std_to("logs/app.log"), context={"service": "shop"})


def test_incremental_files_make_no_handlers():
    """Nothing is said of handlers that are not made."""
    handler = std_to("logs/app.log", kind=TIMED, when="daily")
    assert codes(handler, incremental=True) == []


def test_unknown_path_is_not_judged():
    """A path from a secret is neither shown nor judged."""
    document = """
version: 1
handlers: {log: {type: file, path: "${file:/nowhere/path}"}, log2: {type: file, path: "${A_TOKEN}"}}
routes: [{to: [log, log2]}]
"""
    loaded = load(document, environ={"A_TOKEN": "x/hunter2"}, read_secrets=False, advise=True)
    assert not any("hunter2" in str(item) for item in loaded.diagnostics)


@pytest.mark.parametrize("key", ["filename", "mode", "when", "interval", "maxBytes", "encoding"])
@pytest.mark.parametrize("value", [None, True, 3, 2.5, "", "\n", [], ["a"], {}, {"a": 1}, object()])
def test_any_value_is_survived(key, value):
    """Whatever stands in the place of an argument, the rules go on."""
    for kind in (ROTATING, TIMED, PLAIN):
        check({**std_to(kind=kind), key: value})
