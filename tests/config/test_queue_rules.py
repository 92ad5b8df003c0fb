"""The rules on queues, delivery, mails and filters: what they find and leave alone."""

from typing import Any

import pytest

from logroute.config.load import load

MAIL = {"type": "email", "host": "smtp.example.org", "from": "a@example.org", "to": "b@example.org"}
SMTP = {"class": "logging.handlers.SMTPHandler", "mailhost": "localhost", "subject": "x"}
SMTP |= {"fromaddr": "a@example.org", "toaddrs": ["b@example.org"]}
WEB = {"type": "http", "url": "https://logs.example.org/"}
FILE = {"type": "file", "path": "/var/log/app/app.log"}
ROUTES = [{"match": {"level": "ERROR"}, "to": ["it", "console"]}]


def found(document: dict[str, Any], *codes: str) -> list[tuple[str, str]]:
    items = load({"version": 1, **document}, environ={}, read_secrets=False, advise=True)
    return [(item.code, item.severity.value) for item in items.diagnostics if item.code in codes]


def of(entry: dict[str, Any], *codes: str, **more: Any) -> list[tuple[str, str]]:
    """Return code and severity of what is found in a file with one handler besides the console."""
    handlers = {"it": entry, "console": {"type": "console"}}
    return found({"handlers": handlers, "routes": ROUTES, **more}, *codes)


@pytest.mark.parametrize("entry", [SMTP, {**SMTP, "()": "logging.handlers.SMTPHandler"}])
def test_blocking_handler_is_told_in_stdlib_files_only(entry: dict[str, Any]) -> None:
    """Under `configure` a queue stands before every handler."""
    entry = {key: value for key, value in entry.items() if "()" not in entry or key != "class"}
    plain = {"handlers": {"it": entry}, "root": {"level": "ERROR", "handlers": ["it"]}}
    assert found(plain, "LR801") == [("LR801", "info")]
    assert found({**plain, "routes": []}, "LR801") == []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"class": "logging.handlers.SocketHandler", "host": "localhost", "port": 9}, 1),
        ({"class": "logging.handlers.SysLogHandler"}, 0),
        ({"class": "logging.handlers.DatagramHandler", "host": "localhost", "port": 9}, 0),
        ({"class": "logging.FileHandler", "filename": "/var/log/a.log"}, 0),
    ],
)
def test_only_waiting_handlers_block(entry: dict[str, Any], expected: int) -> None:
    """Datagrams and files do not make anybody wait for a network."""
    plain = {"handlers": {"it": entry}, "root": {"level": "ERROR", "handlers": ["it"]}}
    assert len(found(plain, "LR801")) == expected


def test_handler_behind_a_queue_does_not_block() -> None:
    """A QueueHandler of the file feeds it from a thread of its own."""
    queue = {"class": "logging.handlers.QueueHandler", "handlers": ["it"]}
    plain = {"handlers": {"it": SMTP, "queue": queue}, "root": {"handlers": ["queue"]}}
    assert found(plain, "LR801") == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 0),
        ({"batch": {"max_wait": "0s"}}, 1),
        ({"batch": {"max_wait": "4s"}}, 1),
        ({"batch": {"max_wait": "30s"}}, 0),
        ({"batch": {"max_records": 1}}, 1),
        ({"batch": {"max_records": 50}}, 0),
        ({"batch": {"max_records": 1}, "level": "CRITICAL"}, 0),
        ({"batch": {"max_records": 1}, "filters": ["few"]}, 0),
        ({"batch": {"max_records": "${file:/x}"}}, 0),
    ],
)
def test_digest_that_is_none_is_found(more: dict[str, Any], expected: int) -> None:
    """A mail for each record is told, unless something else keeps them few."""
    filters = {"few": {"type": "throttle", "limit": 5, "per": "1m"}}
    assert len(of({**MAIL, **more}, "LR802", filters=filters)) == expected


@pytest.mark.parametrize(
    ("entry", "level", "expected"),
    [
        (SMTP, "WARNING", [("LR802", "info")]),
        (SMTP, "ERROR", []),
        (SMTP, "INFO", [("LR806", "warning")]),
        ({**SMTP, "level": "ERROR"}, "DEBUG", []),
        (MAIL, "WARNING", []),
        (MAIL, "INFO", [("LR806", "warning")]),
        ({**MAIL, "level": "INFO"}, "DEBUG", [("LR806", "warning")]),
        ({**MAIL, "level": "WARNING"}, "DEBUG", []),
        ({**MAIL, "filters": ["f"]}, "DEBUG", []),
        ({"class": "django.utils.log.AdminEmailHandler"}, "INFO", [("LR806", "warning")]),
    ],
)
def test_mails_are_judged_by_what_reaches_them(
    entry: dict[str, Any], level: str, expected: list[tuple[str, str]]
) -> None:
    """It counts which records get there, by the logger's level and the handler's."""
    document = {
        "filters": {"f": {"type": "throttle", "limit": 5, "per": "1m"}},
        "handlers": {"it": entry, "console": {"type": "console"}},
        "root": {"level": level, "handlers": ["console", "it"]},
    }
    assert found(document, "LR802", "LR806") == expected


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"to": ["it", "console"]}, 1),
        ({"match": {"level": "INFO"}, "to": "it"}, 1),
        ({"match": {"level": "WARNING"}, "to": "it"}, 0),
        ({"match": {"logger": "app"}, "to": ["it", "console"]}, 1),
        ({"match": {"logger": "app"}, "to": "it"}, 0),
        ({"match": {"logger": "app", "level": "=INFO"}, "to": ["it", "console"]}, 0),
        ({"match": {"message": "started"}, "to": "it"}, 0),
        ({"match": {"exception": True}, "to": "it"}, 0),
        ({"match": {"fields": {"mail": True}}, "to": "it"}, 0),
        ({"match": {"not": {"level": "<WARNING"}}, "to": "it"}, 0),
    ],
)
def test_routes_made_for_it_may_mail_anything(route: dict[str, Any], expected: int) -> None:
    """What is plainly meant, or picked by content, is left alone."""
    handlers = {"it": MAIL, "console": {"type": "console"}}
    document = {"handlers": handlers, "root": {"level": "INFO"}, "routes": [route]}
    assert len(found(document, "LR806")) == expected


def test_earlier_route_keeps_low_levels_away() -> None:
    """What a final route has taken does not get to the mails."""
    routes = [{"match": {"level": "<WARNING"}, "to": "console", "final": True}, {"to": "it"}]
    handlers = {"it": MAIL, "console": {"type": "console"}}
    document = {"handlers": handlers, "root": {"level": "DEBUG"}, "routes": routes}
    assert found(document, "LR806") == []


@pytest.mark.parametrize(
    ("loggers", "expected"),
    [
        ({"app": {"level": "DEBUG", "handlers": ["it", "console"]}}, 1),
        ({"audit": {"level": "INFO", "handlers": ["it"]}}, 0),
        ({"app": {"handlers": ["it", "console"]}}, 0),
        ({"app": {"level": "DEBUG", "handlers": ["it", "console"], "filters": ["f"]}}, 1),
    ],
)
def test_loggers_with_mails_are_judged(loggers: dict[str, Any], expected: int) -> None:
    """A logger's own level counts, its children's too; root's default is WARNING."""
    document = {
        "filters": {"f": {"name": "app.db"}},
        "handlers": {"it": MAIL, "console": {"type": "console"}},
        "loggers": loggers,
    }
    assert len(found(document, "LR806")) == expected


@pytest.mark.parametrize(
    ("queue", "batch", "expected"),
    [
        ({}, {}, 0),
        ({"max_records": 500}, {}, 1),
        ({"max_records": 625}, {}, 0),
        ({"max_records": 500, "overflow": "drop_oldest"}, {}, 0),
        ({"max_records": 100}, {"max_records": 80}, 0),
        ({}, {"max_records": 10_000}, 1),
        ({"max_bytes": "512KiB"}, {}, 0),
        ({"max_bytes": "512KiB"}, {"max_bytes": "1MiB"}, 1),
        ({"max_records": "${file:/x}"}, {"max_records": 100_000}, 0),
    ],
)
def test_batch_has_to_fit_its_queue(
    queue: dict[str, Any], batch: dict[str, Any], expected: int
) -> None:
    """A batch that can never be full waits each time; shedding starts at four fifths."""
    assert len(of({**WEB, "queue": queue, "batch": batch}, "LR803")) == expected


def test_one_small_queue_for_all_is_told_once() -> None:
    """The file's own queue is blamed once, however many handlers have it."""
    handlers = {f"h{i}": {**WEB, "url": f"https://l{i}.example.org/"} for i in range(3)}
    document = {"handlers": handlers, "queue": {"max_records": 100}, "routes": [{"to": ["h0"]}]}
    assert found(document, "LR803") == [("LR803", "warning")]


@pytest.mark.parametrize(
    ("timeout", "shutdown", "expected"),
    [
        ({}, "1s", 0),
        ({"connect": "30s"}, None, 0),
        ({"connect": "30s"}, "10s", 1),
        ({"connect": "2s"}, "10s", 0),
        ({}, "0s", 1),
        ({"connect": "${file:/x}"}, "1s", 0),
    ],
)
def test_short_shutdown_is_found(
    timeout: dict[str, Any], shutdown: str | None, expected: int
) -> None:
    """Two limits that somebody wrote are compared; defaults are left alone."""
    more = {"shutdown_timeout": shutdown} if shutdown else {}
    assert len(of({**WEB, "timeout": timeout}, "LR804", **more)) == expected


@pytest.mark.parametrize(
    ("entry", "of_all", "expected"),
    [
        ({**FILE, "queue": {"overflow": "block"}}, None, None),
        ({**FILE, "queue": {"block_for": "1m"}}, None, "warning"),
        ({**FILE, "queue": {"block_for": "1m", "overflow": "drop_oldest"}}, None, None),
        ({**FILE, "queue": {"mode": "sync"}}, None, None),
        ({**WEB, "queue": {"block_for": "1m"}}, None, None),
        ({**WEB, "queue": {"block_for": "1m", "overflow": "block"}}, None, "warning"),
        ({**WEB, "queue": {"overflow": "block"}}, None, "info"),
        ({**WEB, "queue": {"mode": "sync"}}, None, "warning"),
        (WEB, {"mode": "sync"}, "warning"),
        (FILE, {"mode": "sync"}, None),
        (WEB, {"overflow": "block"}, "info"),
        (WEB, {"block_for": "10s"}, "warning"),
        ({**WEB, "queue": {"overflow": "shed"}}, None, None),
        ({**WEB, "queue": {"mode": "${file:/x}"}}, None, None),
        ({**WEB, "spool": {"path": "/x"}, "queue": {"mode": "sync"}}, None, None),
        ({**WEB, "spool": {"path": "/x"}, "queue": {"overflow": "block"}}, None, None),
        ({**WEB, "spool": {"path": "/x"}, "queue": {"block_for": "1m"}}, None, "warning"),
    ],
)
def test_long_wait_of_the_application_is_found(
    entry: dict[str, Any], of_all: dict[str, Any] | None, expected: str | None
) -> None:
    """It counts for how long somebody waits, and for what."""
    more = {"queue": of_all} if of_all else {}
    assert of(entry, "LR805", **more) == ([("LR805", expected)] if expected else [])


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ({}, None),
        ({"initial": "1m"}, "warning"),
        ({"initial": "1m", "max": "1m"}, None),
        ({"max": "500ms"}, "warning"),
        ({"give_up_after": "0s"}, "info"),
        ({"initial": "20s", "give_up_after": "10s"}, "warning"),
        ({"give_up_after": "10s"}, None),
        ({"initial": "${file:/x}", "max": "1s"}, None),
    ],
)
def test_inverted_backoff_is_found(retry: dict[str, Any], expected: str | None) -> None:
    """Limits are compared with each other, those that are left out too."""
    assert of({**WEB, "retry": retry}, "LR807") == ([("LR807", expected)] if expected else [])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "sample", "rate": 1}, 1),
        ({"type": "sample", "rate": 0.5}, 0),
        ({"type": "sample", "rate": 0}, 0),
        ({"type": "sample", "rate": 0.5, "keep_level": "DEBUG"}, 1),
        ({"type": "sample", "rate": 0.5, "keep_level": "INFO"}, 0),
        ({"type": "throttle", "limit": 5, "per": 0}, 1),
        ({"type": "throttle", "limit": 5, "per": "1s"}, 0),
        ({"type": "dedupe", "window": 0}, 1),
        ({"type": "dedupe"}, 0),
        ({"type": "redact"}, 0),
        ({"type": "redact", "fields": []}, 1),
        ({"type": "redact", "fields": [], "patterns": ["x+"]}, 0),
        ({"type": "add_fields", "fields": {}}, 1),
        ({"type": "add_fields", "fields": {"a": 1}}, 0),
        ({"type": "drop_fields", "fields": []}, 1),
        ({"type": "rename_fields", "fields": {"a": "a"}}, 1),
        ({"type": "rename_fields", "fields": {"a": "b", "b": "b"}}, 0),
        ({"type": "sample", "rate": "${file:/x}"}, 0),
        ({"name": ""}, 1),
        ({"name": "app"}, 0),
        ({"()": "app.Filter", "name": ""}, 0),
        ({"class": "app.Filter"}, 0),
    ],
)
def test_idle_filter_is_found(entry: dict[str, Any], expected: int) -> None:
    """A filter that changes nothing and drops nothing is told; anything else is not."""
    handler = {"type": "console", "filters": ["f"]}
    document = {"filters": {"f": entry}, "handlers": {"it": handler}, "root": {"handlers": ["it"]}}
    assert len(found(document, "LR808")) == expected


@pytest.mark.parametrize(
    ("level", "of_root", "expected"),
    [("WARNING", [], 1), ("INFO", [], 0), ("ERROR", ["f"], 0)],
)
def test_sample_behind_a_level_is_idle(level: str, of_root: list[str], expected: int) -> None:
    """A sample keeps warnings, so that a handler of warnings needs none."""
    document = {
        "filters": {"f": {"type": "sample", "rate": 0.1}},
        "handlers": {"it": {"type": "console", "filters": ["f"], "level": level}},
        "root": {"handlers": ["it"], "filters": of_root},
    }
    assert len(found(document, "LR808")) == expected


def test_trace_level_lies_below_debug() -> None:
    """With a level of the file's own below DEBUG, a sample that keeps DEBUG does something."""
    document = {
        "levels": {"TRACE": 5},
        "filters": {"f": {"type": "sample", "rate": 0.1, "keep_level": "DEBUG"}},
        "handlers": {"it": {"type": "console", "filters": ["f"]}},
        "root": {"handlers": ["it"]},
    }
    assert found(document, "LR808") == []
