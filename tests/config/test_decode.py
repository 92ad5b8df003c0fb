"""Decoding: nodes -> model, tolerant of what is wrong."""

from typing import Any

import pytest

from logroute.config.decode import decode
from logroute.config.model import (
    Config,
    Foreign,
    HandlerSpec,
    LoggerSpec,
    NetworkHandlerSpec,
    RouteSpec,
)
from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.source import from_dict, from_text
from logroute.delivery.specs import BatchSpec
from logroute.diagnostics import Span
from logroute.formatters.text import TextSpec
from logroute.matchers import FieldSpec
from logroute.options import options_of
from logroute.sinks.console import ConsoleSpec
from logroute.sinks.email import EmailSpec

HERE = Span("x", 1, 1, 1, 1)


def read(text: str | dict[str, Any]) -> tuple[Config, list[tuple[Any, ...]]]:
    """Decode a YAML text or a dict, to which `version` is added."""
    source = (
        from_text(f"version: 1\n{text}")
        if isinstance(text, str)
        else from_dict({"version": 1, **text})
    )
    node, faults = parse(source)
    assert node is not None and not [item for item in faults if item.code != "LR010"]
    config, problems = decode(node)
    return config, [(problem.code, problem.path) for problem in problems]


def test_handler_is_flat_in_the_file() -> None:
    """Options of the sink and of its delivery stand side by side, and are told apart."""
    config, problems = read(
        "handlers: {m: {type: email, host: mx, from: a@b.c, to: d@e.f, level: error, "
        "batch: {max_wait: 1m}}}"
    )
    assert problems == []
    spec = config.handlers["m"]
    assert spec == NetworkHandlerSpec(
        sink=EmailSpec(host="mx", sender="a@b.c", to=("d@e.f",)),
        level="error",
        batch=BatchSpec(max_wait=60.0),
    )


def test_local_handler_has_no_network_options() -> None:
    """`batch` and the like are unknown keys of a handler that is not on a network."""
    config, problems = read("handlers: {c: {type: console, batch: {}, queue: {mode: sync}}}")
    assert problems == [("LR101", ("handlers", "c", "batch"))]
    assert config.handlers["c"].sink == ConsoleSpec()


@pytest.mark.parametrize("key", ["class", "()"])
def test_stdlib_handler_keeps_its_arguments(key: str) -> None:
    """An entry with a class goes to stdlib as it is, its common options decoded too."""
    entry = {key: "pkg.H", "level": 10, "filters": ["f"], "queue": -1, "any": [{"x": None}]}
    config, problems = read({"handlers": {"h": entry}})
    assert problems == []
    expected = HandlerSpec(sink=Foreign(entry=entry), level=10, filters=("f",))
    assert config.handlers["h"] == expected


def test_foreign_parts_are_read_as_pyyaml_does() -> None:
    """Plain words of a foreign part mean what YAML 1.1 says they mean."""
    config, _ = read("handlers: {h: {class: a.B, delay: yes, mode: 0644, when: ext://x}}")
    sink = config.handlers["h"].sink
    assert isinstance(sink, Foreign)
    assert sink.entry == {"class": "a.B", "delay": True, "mode": 420, "when": "ext://x"}


def test_formatters_are_told_apart() -> None:
    """`type` or `newlines` make a formatter ours; any other is stdlib's."""
    config, problems = read(
        """
formatters:
  std: {format: "%(message)s"}
  cls: {class: a.B, format: x}
  own: {(): a.B, type: other}
  text: {type: text, format: "%(message)s"}
  safe: {format: "%(message)s", newlines: keep}
"""
    )
    assert problems == []
    kinds = {name: type(spec) for name, spec in config.formatters.items()}
    assert kinds == {
        "std": Foreign,
        "cls": Foreign,
        "own": Foreign,
        "text": TextSpec,
        "safe": TextSpec,
    }


def test_type_of_ours_contradicts_class() -> None:
    """`type` beside a class is an argument, unless it names a kind of ours."""
    _, problems = read("handlers: {a: {class: a.B, type: email}, b: {class: a.B, type: tcp4}}")
    assert problems == [("LR108", ("handlers", "a", "type"))]


def test_loggers_may_be_short() -> None:
    """A level alone stands for a logger with that level."""
    config, problems = read("loggers: {a: WARNING, b: 35, c: {handlers: h}}\nroot: info")
    assert problems == []
    assert config.loggers == {
        "a": LoggerSpec(level="WARNING"),
        "b": LoggerSpec(level=35),
        "c": LoggerSpec(handlers=("h",)),
    }
    assert config.root == LoggerSpec(level="info")


def test_root_has_three_spellings() -> None:
    """`loggers.root` and `loggers['']` are the root logger; `root` has the last word."""
    config, problems = read(
        """
loggers:
  root: {level: DEBUG, handlers: [a], filters: [f]}
  "": {level: INFO, handlers: [b]}
root: {handlers: [c], filters: [g]}
"""
    )
    assert problems == []
    assert config.loggers == {}
    assert config.root == LoggerSpec(level="INFO", handlers=("c",), filters=("f", "g"))


@pytest.mark.parametrize(
    ("written", "meant", "codes"),
    [
        ("false", False, []),
        ("no", False, []),
        ("Off", False, []),
        ('"no"', True, ["LR902"]),
        ('"False"', True, ["LR902"]),
        ('"yes"', True, []),
        ("never", True, ["LR902"]),
        ("0", False, []),
        ("null", None, []),
        ("[]", None, ["LR103"]),
    ],
)
def test_propagate_keeps_stdlib_truth(written: str, meant: bool | None, codes: list[str]) -> None:
    """Words without quotes are truth values; a quoted text counts as Python counts it."""
    config, problems = read(f"loggers: {{a: {{propagate: {written}}}}}")
    assert config.loggers["a"].propagate is meant
    assert [code for code, _ in problems] == codes


def test_unknown_keys_of_stdlib_parts_are_warned_of() -> None:
    """In a plain dictConfig file an unknown key is passed over, as stdlib does."""
    _, problems = read("levle: 1\nloggers: {a: {propogate: 1}}\nfilters: {f: {class: a.B}}")
    assert problems == [
        ("LR901", ("levle",)),
        ("LR901", ("loggers", "a", "propogate")),
        ("LR901", ("filters", "f", "class")),
    ]


@pytest.mark.parametrize(
    "ours",
    [
        "routes: []",
        "handlers: {a: {type: console}}",
        "formatters: {a: {newlines: keep}}",
        "filters: {a: {type: sample, rate: 1}}",
        "loggers: {a: INFO}",
        "root: INFO",
    ],
)
def test_unknown_key_in_a_file_of_ours_is_an_error(ours: str) -> None:
    """As soon as a file says anything of ours, its unknown top-level keys are errors."""
    _, problems = read(f"levle: 1\n{ours}")
    assert ("LR101", ("levle",)) in problems


def test_ignored_keys_are_ignored() -> None:
    """`x-...` and `$schema` mean nothing, on purpose."""
    _, problems = read("x-a: {b: c}\n$schema: x\nroutes: []")
    assert problems == []


@pytest.mark.parametrize(
    ("version", "codes"),
    [
        ({}, ["LR102"]),
        ({"version": "1"}, ["LR107"]),
        ({"version": 2}, ["LR107"]),
        ({"version": True}, ["LR107"]),
        ({"version": None}, ["LR107"]),
        ({"version": 1.0}, []),
    ],
)
def test_version_is_the_number_one(version: dict[str, Any], codes: list[str]) -> None:
    """The version is required, and a number."""
    node, _ = parse(from_dict({"handlers": {}, **version}))
    assert node is not None
    assert [problem.code for problem in decode(node)[1]] == codes


def test_incremental_handlers_have_levels_only() -> None:
    """An incremental file changes levels; its handlers need no class."""
    config, problems = read("incremental: yes\nhandlers: {h: {level: INFO}}")
    assert problems == []
    assert config.incremental is True
    assert config.handlers["h"].level == "INFO"


def test_defaults_are_those_of_configure() -> None:
    """Unlike dictConfig's, existing loggers stay enabled by default."""
    config, _ = read("")
    assert config.disable_existing_loggers is False
    assert config.routes is None


def test_bad_parts_keep_their_defaults() -> None:
    """What is wrong is told, and everything else is decoded."""
    config, problems = read(
        """
handlers:
  a: {type: file, path: [x], level: INFO}
  b: {type: nowhere, formatter: f}
  c: {level: ERROR}
  d: text
routes:
  - {match: {level: {}, logger: app, fields: {n: {gte: x, lt: 5}}}, to: [a, 5, b]}
  - text
queue: {max_records: 0, mode: sync}
"""
    )
    assert {path for _, path in problems} == {
        ("handlers", "a", "path"),
        ("handlers", "b", "type"),
        ("handlers", "c"),
        ("handlers", "d"),
        ("routes", 0, "match", "level"),
        ("routes", 0, "match", "fields", "n", "gte"),
        ("routes", 0, "to", 1),
        ("routes", 1),
        ("queue", "max_records"),
    }
    assert set(config.handlers) == {"a", "b", "c", "d"}
    assert (config.handlers["a"].level, config.handlers["b"].formatter) == ("INFO", "f")
    assert config.routes is not None and len(config.routes) == 1
    route = config.routes[0]
    assert (route.match.logger, route.to) == (("app",), ("a", "b"))
    assert route.match.fields == {"n": FieldSpec(lt=5)}
    assert config.queue is not None and config.queue.mode == "sync"


def test_planned_options_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option without its machinery is decoded, and told."""
    monkeypatch.setattr(options_of(RouteSpec)["name"], "planned", True)
    _, problems = read("routes: [{to: a, name: [3]}]")
    assert problems == [("LR190", ("routes", 0, "name")), ("LR103", ("routes", 0, "name"))]


def variable(text: str) -> Node:
    return Node(text, HERE, text=text, untyped=True)


def test_variables_take_the_wanted_type() -> None:
    """The text of a variable is the number, size, level or truth value that is wanted."""
    entry = {
        "type": Node("email", HERE),
        "host": variable("25"),
        "port": variable("25"),
        "from": variable("a@b.c"),
        "to": variable("d@e.f"),
        "allow_plaintext_login": variable("yes"),
        "level": variable("30"),
        "queue": Node({"max_bytes": variable("4096"), "block_for": variable("1.5")}, HERE),
    }
    handlers = Node({"m": Node(entry, HERE)}, HERE)
    config, problems = decode(Node({"version": variable("1"), "handlers": handlers}, HERE))
    assert problems == []
    spec = config.handlers["m"]
    assert isinstance(spec.sink, EmailSpec)
    assert (spec.sink.host, spec.sink.port, spec.sink.allow_plaintext_login) == ("25", 25, True)
    assert spec.queue is not None
    assert (spec.queue.max_bytes, spec.queue.block_for) == (4096, 1.5)


def test_unknown_values_are_accepted_anywhere() -> None:
    """A value that is not known here is no fault, whatever is wanted in its place."""
    unknown = Node("", HERE, opaque=True)
    entry = {"type": Node("email", HERE), "port": unknown, "tls": unknown, "host": unknown}
    entry |= {"from": unknown, "to": unknown}
    handlers = Node({"m": Node(entry, HERE), "n": unknown}, HERE)
    top = {"version": unknown, "handlers": handlers, "routes": unknown, "root": unknown}
    config, problems = decode(Node(top, HERE))
    assert problems == []
    assert set(config.handlers) == {"m", "n"}
    assert config.handlers["m"].sink == EmailSpec(host="", sender="", to=())


def test_filter_objects_of_a_dict_are_taken() -> None:
    """As in stdlib, a filter in a dict may be the object itself."""

    def check(_: object) -> bool:
        return True

    config, problems = read({"loggers": {"a": {"filters": [check]}}})
    assert problems == []
    assert config.loggers["a"].filters == (check,)


@pytest.mark.parametrize("document", ["text", "[1]", "5"])
def test_config_must_be_a_mapping(document: str) -> None:
    """Anything else is one problem."""
    node, _ = parse(from_text(document))
    assert node is not None
    assert [problem.message for problem in decode(node)[1]] == ["must be a mapping"]
