"""Rules on names, levels and loggers: what is odd, and what only looks so."""

from typing import Any

import pytest

from logroute.config.load import load
from logroute.config.rules.names import is_near
from logroute.diagnostics import Diagnostic, Severity

CONSOLE = {"handlers": {"console": {"type": "console"}}, "root": {"level": "INFO"}}
USED = {**CONSOLE, "routes": [{"to": "console"}]}


def found(source: dict[str, Any] | str, *codes: str) -> list[Diagnostic]:
    """Return the findings of some codes."""
    if isinstance(source, dict):
        source = {"version": 1, **source}
    loaded = load(source, environ={}, advise=True)
    return [item for item in loaded.diagnostics if item.code in codes]


def messages(source: dict[str, Any] | str, *codes: str) -> list[str]:
    return [item.message for item in found(source, *codes)]


def severities(source: dict[str, Any], code: str) -> list[str]:
    return [item.severity.value for item in found(source, code)]


# -- fixes of misspelt names and levels


@pytest.mark.parametrize(
    ("word", "is_safe"),
    [("Console", True), ("con-sole", True), ("consle", False), ("cnosole", False), ("term", None)],
)
def test_misspelt_name_is_fixed_where_sure(word: str, is_safe: bool | None) -> None:
    """Case and separators are a safe fix, one letter an unsafe one, more none."""
    text = f"version: 1\nhandlers:\n  console: {{type: console}}\nroutes:\n  - {{to: [{word}]}}\n"
    (item,) = found(text, "LR201")
    assert (item.fix.is_safe if item.fix else None) is is_safe
    if item.fix:
        assert [edit.text for edit in item.fix.edits] == ["console"]


def test_two_candidates_leave_no_fix() -> None:
    """A name that may have been either of two is left to the author."""
    handlers = "{file1: {type: console}, file2: {type: console}}"
    text = f"version: 1\nhandlers: {handlers}\nroutes:\n  - {{to: [file3, file1, file2]}}\n"
    (item,) = found(text, "LR201")
    assert item.help is not None and item.fix is None


def test_every_use_is_fixed_together() -> None:
    """The fix of a name that is used three times changes all three places."""
    text = "version: 1\nhandlers:\n  console: {type: console}\nroutes:\n"
    (item,) = found(text + "  - {to: [consol]}\n" * 3, "LR201")
    assert item.fix is not None and len(item.fix.edits) == 3


@pytest.mark.parametrize(
    ("level", "is_safe"),
    [("err", True), ("crit", True), ("WARNNG", False), ("notice", None), ("xyz", None)],
)
def test_misspelt_level_is_fixed_where_sure(level: str, is_safe: bool | None) -> None:
    """An abbreviation is a safe fix, a near word an unsafe one, a distant synonym none."""
    (item,) = found(f"version: 1\nroot: {{level: {level}}}\n", "LR301")
    assert (item.fix.is_safe if item.fix else None) is is_safe


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("mail", "mails", True),
        ("mail", "nail", True),
        ("mail", "mial", True),
        ("mail", "mail", True),
        ("mail", "lima", False),
        ("mail", "mailer", False),
        ("log", "dog", False),
    ],
)
def test_nearness_is_one_letter(one: str, other: str, expected: bool) -> None:
    """One letter more, less, other or swapped is near, in words of four and more."""
    assert is_near(one, other) is is_near(other, one) is expected


# -- definitions


def test_profile_uses_a_handler() -> None:
    """A handler that only a profile names is used."""
    handlers = {**CONSOLE["handlers"], "mail": {"type": "console", "stream": "stdout"}}
    document = {**USED, "handlers": handlers}
    assert messages(document, "LR202") == ["handler `mail` is not used"]
    document["profiles"] = {"live": {"routes": [{"to": ["console", "mail"]}]}}
    assert messages(document, "LR202") == []


def test_included_definitions_may_be_unused(tmp_path: Any) -> None:
    """What an included file defines may be there for others that include it."""
    (tmp_path / "common.yaml").write_text("formatters: {json: {type: json}, line: {type: text}}\n")
    text = "version: 1\ninclude: common.yaml\nhandlers: {a: {type: console, formatter: line}}\n"
    path = tmp_path / "logging.yaml"
    path.write_text(f"{text}root: {{handlers: [a]}}\n")
    assert [d.code for d in load(path, advise=True).diagnostics if d.code == "LR202"] == []


def test_repeated_filter_of_ours_is_no_safe_fix() -> None:
    """A filter of ours that is named twice runs twice, so the second one is not removed alone."""
    text = (
        "version: 1\nfilters:\n  half: {type: sample, rate: 0.5}\n  app: {name: app}\nhandlers:\n"
        "  a: {type: console, filters: [half, half]}\n  b: {type: console, filters: [app, app]}\n"
        "root: {handlers: [a, b, a]}\n"
    )
    assert [item.fix and item.fix.is_safe for item in found(text, "LR206")] == [False, True, True]


def test_loggers_may_differ_in_case() -> None:
    """Loggers that differ in case only are remarked on, handlers are warned of."""
    document = {**USED, "loggers": {"app": "INFO", "App": "INFO", "app.db": "INFO"}}
    assert severities(document, "LR207") == ["info"]
    document["formatters"] = {"line": {"type": "text"}, "Line": {"type": "json"}}
    assert severities(document, "LR207") == ["warning", "info"]


def buffers(**targets: str) -> dict[str, Any]:
    made = {"class": "logging.handlers.MemoryHandler", "capacity": 9}
    handlers = {name: {**made, "target": target} for name, target in targets.items()}
    return {"handlers": {**handlers, "out": {"class": "logging.NullHandler"}}}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({"a": "a"}, ["handler `a` hands its records to itself"]),
        ({"a": "b", "b": "a"}, ["the handlers `a`, `b` hand their records to each other"]),
        ({"a": "b", "b": "c", "c": "b"}, ["the handlers `b`, `c` hand their records"]),
        ({"a": "out", "b": "out"}, []),
        ({"a": "b", "b": "out", "c": "b"}, []),
        ({"a": "nothing"}, []),
    ],
)
def test_circles_of_handlers_are_found_once(targets: dict[str, str], expected: list[str]) -> None:
    """Each circle is one error, told at the reference that closes it."""
    texts = messages(buffers(**targets), "LR208")
    assert len(texts) == len(expected)
    assert all(text.startswith(start) for text, start in zip(texts, expected, strict=True))


def test_circle_is_refused_by_stdlib() -> None:
    """What is called an error cannot be built, by stdlib neither."""
    from logging.config import dictConfig

    with pytest.raises(ValueError, match="handler 'a'"):
        dictConfig({"version": 1, **buffers(a="b", b="a")})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["the variable `x` is not used"]),
        ({"context": {"x": "${var:x}"}}, []),
        ({"context": {"x": "a ${var:x:-y} b"}}, []),
        ({"profiles": {"live": {"context": {"x": "${var:x}"}}}}, []),
        ({"context": {"x": "$x ${x:-1}"}}, ["the variable `x` is not used"]),
        ({"include": []}, []),
    ],
)
def test_use_of_a_variable_may_be_anywhere(more: dict[str, Any], expected: list[str]) -> None:
    """A variable is used by any text, also in a profile that is not chosen."""
    assert messages({**USED, "vars": {"x": "1"}, **more}, "LR209") == expected


# -- levels


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"loggers": {"a": 25}}, 1),
        ({"loggers": {"a": 20, "b": 60, "c": 0}}, 0),
        ({"loggers": {"a": 25}, "levels": {"NOTICE": 25}}, 0),
        ({"routes": [{"match": {"level": "=15"}, "to": "console"}, {"to": "console"}]}, 1),
        ({"routes": [{"match": {"level": "11..39"}, "to": "console"}, {"to": "console"}]}, 0),
    ],
)
def test_numbers_without_a_name_are_remarked_on(more: dict[str, Any], expected: int) -> None:
    """Numbers that silence, bounds of ranges and declared levels need no remark."""
    assert severities({**USED, **more}, "LR311") == ["info"] * expected


# -- names of loggers


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("app.*", "app"),
        ("app*", "app"),
        ("*", "root"),
        ("app.", "app"),
        (".app", "app"),
        ("app..db", "app.db"),
        (" app", "app"),
        ("Root", "root"),
        ("app/db.py", "app.db"),
        ("./app", "app"),
        ("^app$", "app"),
        ("app\\.db", "app.db"),
    ],
)
def test_odd_names_of_loggers_are_told(name: str, meant: str) -> None:
    """Under `loggers` there are names only, and not every text is one."""
    (item,) = found({**USED, "loggers": {name: "INFO"}}, "LR307")
    assert item.severity is Severity.WARNING and item.help == f"write `{meant}`"


@pytest.mark.parametrize(
    "name",
    ["app", "app.db", "__main__", "PIL.PngImagePlugin", "my app", "a-b.c_d", "kafka/x", "1", "ü.x"],
)
def test_usual_names_of_loggers_are_not(name: str) -> None:
    """Loggers may be called nearly anything."""
    route = {"match": {"logger": name}, "to": "console"}
    document = {**USED, "loggers": {name: "INFO"}, "routes": [route, {"to": "console"}]}
    assert messages(document, "LR307") == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("app.*.db", []),
        ("**.sql", []),
        ("app?", []),
        ("app.*", ["info"]),
        ("app*", ["info"]),
        ("root", ["info"]),
        ("", ["warning"]),
        ("app.", ["warning"]),
        ("app, db", ["warning"]),
        ("app\\..*", ["warning"]),
    ],
)
def test_globs_have_their_place(pattern: str, expected: list[str]) -> None:
    """In a match globs are fine; what takes more or less than it seems is remarked on."""
    route = {"match": {"any": [{"logger": [pattern]}]}, "to": "console"}
    assert severities({**USED, "routes": [route, {"to": "console"}]}, "LR307") == expected


@pytest.mark.parametrize("head", ["root", "loggers.root", "loggers."])
def test_propagate_on_any_root_is_found(head: str) -> None:
    """However the root logger is written, it has no parent."""
    entry: dict[str, Any] = {"handlers": ["console"], "propagate": False}
    top, _, name = head.partition(".")
    document = {**CONSOLE, "root": {"handlers": ["console"]}}
    document[top] = {name: entry} if top == "loggers" else entry
    assert len(messages(document, "LR314")) == 1


@pytest.mark.parametrize(
    ("loggers", "root", "expected"),
    [
        ({"root": {"level": "INFO"}}, None, ["info"]),
        ({"": {"level": "INFO"}}, {"level": "INFO"}, ["info"]),
        ({"": {"level": "INFO"}}, {"level": "DEBUG"}, ["warning"]),
        ({"": {"level": "INFO"}, "root": {"level": "DEBUG"}}, None, ["warning", "info"]),
        ({"app": {"level": "INFO"}}, {"level": "DEBUG"}, []),
    ],
)
def test_root_written_twice_is_warned_of(
    loggers: dict[str, Any], root: dict[str, Any] | None, expected: list[str]
) -> None:
    """The root logger under `loggers` is a remark; another one that wins makes it a warning."""
    document = {"loggers": loggers, **({"root": root} if root else {})}
    assert sorted(severities(document, "LR315")) == sorted(expected)


@pytest.mark.parametrize(
    ("spec", "is_told"),
    [
        ({"propagate": False}, True),
        ({"propagate": False, "handlers": []}, True),
        ({"propagate": False, "handlers": ["console"]}, False),
        ({"propagate": False, "level": 60}, False),
        ({"propagate": False, "level": "${LEVEL:-INFO}"}, False),
        ({"propagate": True}, False),
    ],
)
def test_silent_logger_is_told(spec: dict[str, Any], is_told: bool) -> None:
    """A logger that keeps its records and has nowhere to put them is told, unless it is off."""
    assert bool(messages({**USED, "loggers": {"app": spec}}, "LR317")) is is_told


def test_script_loggers_are_remarks() -> None:
    """A logger called after the script is right where it is started so."""
    loggers = {"__main__": "INFO", "main": "INFO", "app.main": "INFO", "mainframe": "INFO"}
    assert severities({**USED, "loggers": loggers}, "LR316") == ["info", "info"]


# -- conditions and ends of routes


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"level": "NOTSET"}, ["info"]),
        ({"level": ["<ERROR", "ERROR"]}, ["info"]),
        ({"level": [">=NOTSET", "ERROR"]}, ["info"]),
        ({"level": "DEBUG"}, []),
        ({"logger": "*"}, ["info"]),
        ({"logger": ["**", "app"]}, ["info"]),
        ({"message": ".*"}, ["info"]),
        ({"message": ""}, ["warning"]),
        ({"message": ".+"}, []),
        ({"exception": [True, False]}, ["warning"]),
        ({"exception": True}, []),
        ({"fields": {"exc_info": {"exists": True}}}, ["warning"]),
        ({"fields": {"user": {"exists": True}}}, []),
        ({"fields": {"taskName": {"exists": True}}}, []),
        ({"fields": {"name": {"exists": False}}}, []),
        ({"not": {"message": ".*"}}, ["info"]),
        ({"any": [{"level": "ERROR"}, {}]}, ["warning"]),
        ({}, []),
    ],
)
def test_conditions_that_always_hold_are_found(match: dict[str, Any], expected: list[str]) -> None:
    """Only what surely holds for every record is called so."""
    document = {**USED, "routes": [{"match": match, "to": "console"}, {"to": "console"}]}
    assert severities(document, "LR318") == expected


def test_only_condition_goes_with_its_match() -> None:
    """The fix leaves no empty `match` behind."""
    text = "version: 1\nhandlers: {a: {type: console}}\nroutes:\n  - match:\n      level: NOTSET\n"
    (item,) = found(f"{text}    to: [a]\n", "LR318")
    assert item.fix is not None and item.fix.edits[0].span.line == 4
    (item,) = found(f"{text}      logger: app\n    to: [a]\n", "LR318")
    assert item.fix is not None and item.fix.edits[0].span.line == 5


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"final": True}, ["`final` has no effect in the last route"]),
        ({"final_below": "ERROR"}, ["`final_below` has no effect in the last route"]),
        ({"final": False}, []),
        ({}, []),
    ],
)
def test_final_of_the_last_route_is_idle(last: dict[str, Any], expected: list[str]) -> None:
    """After the last route there is nothing to keep a record from."""
    document = {**CONSOLE, "routes": [{"match": {"logger": "a"}, "final": True}, last]}
    document["routes"] = [{"to": "console", **route} for route in document["routes"]]
    assert messages(document, "LR313") == expected
