"""Breaker, fallback and dead letter as a file says them."""

import json
import logging

import pytest

import logroute
from logroute.receivers.web import HttpReceiver


def document(tmp_path, url, **options):
    alerts = {
        "type": "http",
        "url": url,
        "retry": {"give_up_after": "0s"},
        "batch": {"max_records": 1},
        **options,
    }
    return {
        "version": 1,
        "formatters": {"bare": {"format": "%(message)s"}},
        "handlers": {
            "alerts": alerts,
            "log": {"type": "file", "path": str(tmp_path / "app.log"), "formatter": "bare"},
        },
        "root": {"level": "INFO"},
        "routes": [{"to": "alerts"}],
    }


@pytest.fixture
def dead_url():
    with HttpReceiver() as gone:
        return gone.url


def test_file_names_a_fallback(tmp_path, dead_url):
    """`fallback: log` lets the log file have what the collector does not take."""
    runtime = logroute.configure(document(tmp_path, dead_url, fallback="log"))
    logging.getLogger("app").error("hello %s", "world")
    assert runtime.flush(20)
    assert (tmp_path / "app.log").read_text() == "hello world\n"
    assert runtime.stats()["handlers"]["alerts"]["handed_to_fallback"] == 1


def test_file_names_a_dead_letter_file(tmp_path, dead_url):
    """`dead_letter: {path: ...}` keeps what is given up, as JSON lines."""
    dead = tmp_path / "dead.jsonl"
    runtime = logroute.configure(document(tmp_path, dead_url, dead_letter={"path": str(dead)}))
    logging.getLogger("app").error("hello %s", "world", extra={"tenant": "acme"})
    assert runtime.flush(20)
    [line] = dead.read_text().splitlines()
    letter = json.loads(line)
    assert (letter["handler"], letter["reason"]) == ("alerts", "undelivered")
    assert letter["record"]["message"] == "hello world"
    assert letter["record"]["extra"] == {"tenant": "acme"}


def test_networked_handlers_have_a_breaker(tmp_path, dead_url):
    """Without a word in the file a networked handler has a breaker, and a file has none."""
    options = {"retry": {"initial": "1ms", "max": "2ms", "give_up_after": "1h"}}
    runtime = logroute.configure(document(tmp_path, dead_url, fallback="log", **options))
    for n in range(3):
        logging.getLogger("app").error("%d", n)
    assert runtime.flush(30)
    stats = runtime.stats()["handlers"]
    assert (stats["alerts"]["breaker"], stats["log"]["breaker"]) == ("open", None)
    assert (tmp_path / "app.log").read_text() == "0\n1\n2\n"


def test_circle_of_fallbacks_is_a_config_error(tmp_path, dead_url):
    """Handlers that fall back to each other are refused, with the place, and nothing starts."""
    config = document(tmp_path, dead_url, fallback="other")
    config["handlers"]["other"] = {"type": "http", "url": dead_url, "fallback": "alerts"}
    with pytest.raises(logroute.ConfigError, match="falls back to it"):
        logroute.configure(config)
    assert logroute.current() is None
