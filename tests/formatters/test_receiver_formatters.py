"""The formatters for particular receivers: `logfmt`, `ecs`, `gelf`."""

import json
import logging
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.formatters import KINDS
from logroute.formatters.ecs import EcsSpec
from logroute.formatters.gelf import GelfSpec
from logroute.formatters.logfmt import LogfmtSpec
from logroute.formatters.rfc5424 import Rfc5424Spec
from logroute.syslog import severity_of


def make(message="hello", args=(), level=20, **values):
    record = logging.LogRecord("app.db", level, "/srv/db.py", 7, message, args, None)
    record.created = 1057682985.5
    record.__dict__.update(values)
    return record


def failed(**values):
    try:
        raise ValueError("boom")
    except ValueError:
        return make("failed", level=40, exc_info=sys.exc_info(), **values)


def read_logfmt(line):
    """Read a line back as the parsers of logfmt do."""
    assert len(line.encode().splitlines()) == 1
    pairs = re.findall(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    return {key: json.loads(value) if value[:1] == '"' else value for key, value in pairs}


def test_logfmt_line_reads_as_pairs():
    """A record is time, level, logger, message and extras, quoted where needed."""
    line = LogfmtSpec().formatter().format(make("user %s", ("bob",), n=3, ok=True, who='a"b'))
    assert line == (
        'ts=2003-07-08T16:49:45.500000Z level=info logger=app.db msg="user bob" '
        r'n=3 ok=true who="a\"b"'
    )


def test_logfmt_shows_containers_and_tracebacks():
    """Containers are JSON in quotes, a traceback is one quoted value."""
    record = failed(order={"id": 7}, empty="", nothing=None, stack_info="Stack:\n  F")
    made = read_logfmt(LogfmtSpec().formatter().format(record))
    assert json.loads(made["order"]) == {"id": 7}
    assert (made["empty"], made["nothing"]) == ("", "null")
    assert made["exc"].endswith("ValueError: boom")
    assert made["stack"] == "Stack:\n  F"


def test_logfmt_values_cannot_forge_pairs():
    """Blanks, quotes and line breaks in keys, names and values end nothing early."""
    record = make("a\nlevel=error x=1\x1b\u2028\x85", **{"k =\n": "v w", "msg": "m"})
    record.name = "a b"
    line = LogfmtSpec().formatter().format(record)
    assert len(line.splitlines()) == 1
    assert "k___=" in line
    assert 'logger="a b"' in line


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters()), st.text(max_size=20) | st.integers(), max_size=3))
def test_logfmt_is_always_one_readable_line(extra):
    """Arbitrary extras give a line that reads back as pairs."""
    record = make()
    for name, value in extra.items():
        record.__dict__.setdefault(name, value)
    line = LogfmtSpec().formatter().format(record)
    assert line.encode()
    assert len(line.splitlines()) == 1


def test_ecs_uses_the_schemas_names():
    """Time, level, logger, origin and error stand where Elastic looks for them."""
    made = json.loads(EcsSpec().formatter().format(failed()))
    assert made["@timestamp"] == "2003-07-08T16:49:45.500000Z"
    assert (made["log.level"], made["log.logger"], made["message"]) == ("error", "app.db", "failed")
    assert made["ecs.version"]
    assert (made["error.type"], made["error.message"]) == ("ValueError", "boom")
    assert made["error.stack_trace"].startswith("Traceback")
    assert made["log.origin.file.line"] == 7


def test_ecs_extras_are_labels():
    """Extras are flat labels; dotted names are ECS names, but never ours."""
    record = make(**{"a": 1, "b": {"c": 2}, "trace.id": "t", "log.level": "x", "n": None})
    made = json.loads(EcsSpec().formatter().format(record))
    assert made["labels"] == {"a": 1, "b": '{"c":2}', "log_level": "x", "n": None}
    assert made["trace.id"] == "t"
    assert made["log.level"] == "info"


def test_ecs_without_extras_has_no_labels():
    """No extras, no `labels`; no exception, no `error`."""
    made = json.loads(EcsSpec().formatter().format(make()))
    assert not any(name.startswith(("labels", "error")) for name in made)


def test_gelf_has_the_required_fields():
    """Version, host, short message, time and severity are there; extras begin with `_`."""
    made = json.loads(GelfSpec(host="web-1").formatter().format(make(level=30, tenant="acme")))
    assert made == {
        "version": "1.1",
        "host": "web-1",
        "short_message": "hello",
        "timestamp": 1057682985.5,
        "level": 4,
        "_logger": "app.db",
        "_file": "/srv/db.py",
        "_line": 7,
        "_tenant": "acme",
    }


def test_gelf_long_text_is_the_full_message():
    """The first line is the short message, all lines and the traceback the full one."""
    made = json.loads(GelfSpec(host="h").formatter().format(failed(msg="one\ntwo")))
    assert made["short_message"] == "one"
    assert made["full_message"].startswith("one\ntwo\nTraceback")


def test_gelf_fields_are_texts_and_numbers():
    """Other values become text, bad names are cleaned, `_id` is avoided."""
    record = make(**{"id": 1, "a b": True, "a_b": [1], "x": None, "f": float("nan"), "n": 2.5})
    made = json.loads(GelfSpec(host="h").formatter().format(record))
    assert "_id" not in made
    assert (made["_id_"], made["_a_b"], made["_a_b_"], made["_n"]) == (1, "true", "[1]", 2.5)
    assert "_x" not in made


@pytest.mark.parametrize("message", ["", "\n", " \n x"])
def test_gelf_message_is_never_empty(message):
    """Graylog refuses an empty short message, so there is none."""
    assert json.loads(GelfSpec(host="h").formatter().format(make(message)))["short_message"]


def test_gelf_host_defaults_to_the_machine():
    """Without `host` the machine's name is sent."""
    assert json.loads(GelfSpec().formatter().format(make()))["host"]


@pytest.mark.parametrize("level", [100, 60, 50, 45, 40, 30, 25, 20, 10, 0, "x"])
def test_gelf_level_is_that_of_syslog(level):
    """Graylog sorts what comes as GELF and as syslog into the same severities."""
    made = json.loads(GelfSpec(host="h").formatter().format(make(level=level)))
    assert made["level"] == severity_of(level)


class Exploding:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize("spec", [LogfmtSpec(), EcsSpec(), GelfSpec(host="h")])
@pytest.mark.parametrize(
    "changes",
    [
        {"msg": Exploding(), "x": Exploding()},
        {"created": None, "levelname": None, "levelno": None, "name": Exploding()},
        {"exc_info": (ValueError, Exploding(), None)},
        {"exc_info": True, "stack_info": 5, "lineno": None},
        {"msg": "\udc80", "k\udc80": "\udc80", 1: 2},
    ],
)
def test_hostile_records_never_raise(spec, changes):
    """Attributes of wrong types give one line that can be encoded, and change nothing."""
    record = make()
    record.__dict__.update(changes)
    before = dict(record.__dict__)
    text = spec.formatter().format(record)
    assert len(text.encode().splitlines()) == 1
    assert record.__dict__ == before


def test_every_kind_has_a_spec():
    """Each row of the table names a spec, and all of them work."""
    specs = {name: KINDS.get(name) for name in KINDS.names()}
    assert [name for name, spec in specs.items() if spec is None or spec.planned] == []
    assert specs["rfc5424"] is Rfc5424Spec
