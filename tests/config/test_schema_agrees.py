"""Decoding and the JSON Schema accept and refuse the same documents."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logroute.config.decode import FAMILIES, decode, top_options
from logroute.config.findings import is_inside
from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.schema import diagnose, plain, validator
from logroute.config.source import from_dict
from logroute.options import options_of

FULL: dict[str, Any] = {
    "version": 1,
    "formatters": {
        "line": {"format": "{message}", "style": "{"},
        "safe": {"format": "%(message)s", "newlines": "escape"},
        "json": {"type": "json", "fields": "lineno"},
        "text": {"type": "text", "newlines": "indent", "defaults": {"a": 1}},
        "own": {"()": "pkg.Formatter", "fmt": 5},
        "cls": {"class": "pkg.Formatter", "format": "x"},
    },
    "filters": {
        "own": {"()": "pkg.Filter", "level": 5},
        "name": {"name": "app"},
        "some": {"type": "sample", "rate": 0.1},
    },
    "handlers": {
        "console": {"type": "console", "level": "INFO", "color": "auto", "formatter": "line"},
        "file": {
            "type": "file",
            "path": "a.log",
            "mode": "0640",
            "create_dirs": "yes",
            "rotate": {"size": "10MiB", "every": "day", "keep": {"count": 3, "age": "7d"}},
            "queue": {"max_records": 5, "max_bytes": "1MiB", "block_for": "2s"},
        },
        "mail": {
            "type": "email",
            "host": "mx.example.org",
            "port": 25,
            "from": "a@example.org",
            "to": ["b@example.org"],
            "password": "x",
            "batch": {"max_wait": "60s"},
            "retry": {"factor": 1.5},
            "spool": {"path": "spool", "sync": "batch"},
        },
        "udp": {"type": "datagram", "address": "127.0.0.1:9", "fallback": "file"},
        "tcp": {"type": "socket", "address": "[::1]:9", "tls": {"min_version": 1.2}},
        "web": {
            "type": "http",
            "url": "https://example.org/logs",
            "headers": {"X-A": "b"},
            "auth": {"bearer": "t"},
        },
        "ring": {"type": "memory", "capacity": 10, "flush_level": 40, "target": "file"},
        "old": {"class": "logging.StreamHandler", "level": 10, "filters": ["own"], "stream": None},
        "made": {"()": "pkg.make", "type": "other"},
    },
    "loggers": {
        "app": "DEBUG",
        "lib": {"level": 30, "handlers": "console", "propagate": False, "extra": 1},
        "root": {"level": "INFO", "filters": None},
    },
    "root": {"handlers": ["console", "old"], "propagate": "no"},
    "routes": [
        {
            "name": "one",
            "match": {
                "level": ["ERROR", "=DEBUG"],
                "logger": "app",
                "message": "a+",
                "fields": {"a": 1, "b": {"gte": 1, "in": [1, "x"], "exists": True}},
                "exception": [True, "ValueError"],
                "any": [{"not": {"level": "INFO"}}, {}],
                "all": [{"logger": ["a", "b"]}],
            },
            "to": ["mail", "udp"],
            "final": True,
        },
        {"to": [], "final_below": "WARNING", "audit": False, "filters": "some"},
        {"to": "console"},
    ],
    "unmatched": "drop",
    "levels": {"TRACE": 5},
    "context": {"service": "shop", "tags": [1, {"a": None}]},
    "queue": {"overflow": "shed", "mode": "thread"},
    "shutdown_timeout": 2.5,
    "disable_existing_loggers": 0,
    "incremental": "off",
    "flush_on": ["SIGTERM"],
    "reload": {"every": "2s", "signal": "SIGHUP"},
    "stats": {"every": 10},
    "tests": [{"record": {"level": "INFO"}, "expect": {"to": []}}],
    "x-note": [1],
    "$schema": "x",
}
PLAIN: dict[str, Any] = {
    "version": 1,
    "formatters": {"f": {"format": "%(message)s", "datefmt": None, "odd": 1}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
    "loggers": {"a": {"level": None, "handlers": ["h"], "propagate": "no"}},
    "root": None,
    "levle": "INFO",
}
STEPS: dict[str, Any] = {
    "version": 1,
    "incremental": True,
    "handlers": {"h": {"level": "INFO"}, "i": {"class": "x", "level": 10}},
    "loggers": {"a": {"level": "DEBUG"}},
}

WORDS = [
    "",
    " ",
    "no",
    "true",
    "INFO",
    "10MiB",
    "5s",
    "5s\n",
    "-1s",
    "1.2",
    "a@b.c",
    "127.0.0.1:1",
    "class",
    "text",
    "console",
    "http://x/",
    "day",
    "0640",
    "\n",
]
KEYS = sorted(
    {"type", "class", "()", "x-a", "levle", "odd", "$schema"}
    | set(top_options())
    | {
        key
        for table in FAMILIES.values()
        for name in table.names()
        for key in options_of(table.get(name))
    }
)
KINDS = sorted(name for table in FAMILIES.values() for name in table.names())

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70_000),
    st.sampled_from([0.0, 1.0, 1.5, -0.5, 640.0, 1e12, 1e300, float("inf"), float("nan")]),
    st.sampled_from(WORDS + KINDS),
    st.text(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    ),
    max_leaves=5,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below `document`."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutate(draw: Callable[[Any], Any], document: Any) -> Any:
    """Change one value or key of `document`."""
    path = draw(st.sampled_from(list(places(document))))
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    key = path[-1]
    action = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
    if action == "replace":
        parent[key] = draw(values)
    elif action == "remove":
        del parent[key]
    elif isinstance(parent, dict) and action == "rename":
        parent[draw(st.sampled_from(KEYS))] = parent.pop(key)
    elif isinstance(parent, dict):
        parent[draw(st.sampled_from(KEYS))] = draw(values)
    else:
        parent.append(draw(values))
    return document


@st.composite
def documents(draw: Callable[[Any], Any]) -> Any:
    """Draw a good document with a few changes."""
    document = copy.deepcopy(draw(st.sampled_from([FULL, PLAIN, STEPS])))
    for _ in range(draw(st.integers(1, 3))):
        if list(places(document)):
            document = mutate(draw, document)
    return document


def verdicts(document: Any) -> tuple[list[str], list[str]]:
    """Return the faults of shape that decoding finds, and those of the schema."""
    node, _ = parse(from_dict(document))
    assert isinstance(node, Node)
    _, problems = decode(node)
    errors = validator().iter_errors(plain(node))
    return (
        [f"{p.path} {p.message}" for p in problems if p.is_shape],
        [f"{tuple(e.absolute_path)} {e.message[:200]}" for e in errors],
    )


@pytest.mark.parametrize("document", [FULL, PLAIN, STEPS])
def test_good_documents_are_accepted(document: Any) -> None:
    """Neither finds a fault in a document that uses the whole language."""
    assert verdicts(document) == ([], [])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents())
def test_decode_and_schema_agree(document: Any) -> None:
    """Decoding finds a fault of shape if and only if the schema finds an error."""
    decoded, validated = verdicts(document)
    assert bool(decoded) == bool(validated), (decoded, validated, json.dumps(document))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents())
def test_schema_tells_what_decoding_refuses(document: Any) -> None:
    """Looking only at the entries that decoding refuses, the schema has words for it.

    Of an option that is not there yet nothing else is said.
    """
    node, _ = parse(from_dict(document))
    assert isinstance(node, Node)
    _, problems = decode(node)
    told = {item.code for item in diagnose(node)}
    later = {problem.path for problem in problems if problem.code == "LR190"}
    shapes = [p.path for p in problems if p.is_shape]
    bare = [path for path in shapes if not is_inside(path, later)]
    assert bool(told) if bare else bool(shapes) >= bool(told), json.dumps(document)
    assert all(code.startswith("LR10") for code in told)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(values.filter(lambda value: isinstance(value, dict)))
def test_arbitrary_mappings_agree(document: Any) -> None:
    """They agree on mappings that look like no config at all."""
    decoded, validated = verdicts(document)
    assert bool(decoded) == bool(validated), (decoded, validated, json.dumps(document))
