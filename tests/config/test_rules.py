"""The rules: what a config means, checked."""

import logging
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.config.load import load
from logroute.config.model import RouteSpec
from logroute.levels import Levels
from logroute.matchers import compile_match
from logroute.options import options_of

HANDLERS = {"console": {"type": "console"}, "mail": {"class": "logging.NullHandler"}}


def findings(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return code and message of everything found in `document`."""
    loaded = load({"version": 1, **document}, environ={}, advise=True)
    return [(item.code, item.message) for item in loaded.diagnostics]


def codes(document: dict[str, Any]) -> list[str]:
    return [code for code, _ in findings(document)]


def unreachable(routes: list[dict[str, Any]]) -> list[int]:
    """Return the positions of the routes that are said to be unreachable."""
    found = findings({"handlers": HANDLERS, "routes": [{"to": "console", **r} for r in routes]})
    return sorted(int(text.split()[1]) - 1 for code, text in found if code == "LR302")


def test_good_config_is_silent() -> None:
    """A config in which everything is used and known has no findings."""
    document = {
        "formatters": {"line": {"format": "%(message)s"}},
        "filters": {"app": {"name": "app"}},
        "handlers": {"console": {"type": "console", "formatter": "line", "filters": "app"}},
        "root": {"level": 5},
        "loggers": {"lib": "warning"},
        "routes": [{"match": {"level": "trace.."}, "to": "console"}],
        "unmatched": "drop",
        "levels": {"TRACE": 5},
    }
    assert findings(document) == []


def test_undefined_name_is_told_once() -> None:
    """All uses of one undefined name are one finding, at the first of them."""
    document = {"routes": [{"to": ["a", "b"]}, {"to": "a"}], "root": {"handlers": ["a"]}}
    assert sorted(findings(document)) == [
        ("LR201", "handler `a` is not defined (+2 more uses)"),
        ("LR201", "handler `b` is not defined"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("handlers", "handler", ["LR101"]),
        ("formatters", "formater", ["LR101"]),
        ("filters", "fliters", ["LR101"]),
        ("routes", "route", ["LR101"]),
        ("routes", "root_logger", ["LR101", "LR202"]),
    ],
)
def test_misspelt_section_silences_its_family(old: str, new: str, expected: list[str]) -> None:
    """What a misspelt section defines or uses is neither undefined nor unused."""
    document = {
        "queue": {},
        "formatters": {"line": {"type": "text"}},
        "filters": {"app": {"name": "app"}},
        "handlers": {"console": {"type": "console", "formatter": "line", "filters": "app"}},
        "routes": [{"to": "console"}],
    }
    renamed = {new if key == old else key: value for key, value in document.items()}
    assert sorted(codes(renamed)) == expected


def test_empty_target_silences_unused_handlers() -> None:
    """A route whose `to` is empty may have meant any handler."""
    assert codes({"handlers": HANDLERS, "routes": [{"to": None}]}) == ["LR103"]


def test_unknown_token_counts_as_credentials() -> None:
    """Credentials that `check` does not read would be sent in clear all the same."""
    auth = {"bearer": "${file:/run/secrets/token}"}
    web = {"type": "http", "url": "http://logs.example.org/", "auth": auth}
    document = {"version": 1, "handlers": {"web": web}, "routes": [{"to": "web"}]}
    found = load(document, environ={}, read_secrets=False, advise=True).diagnostics
    assert [item.code for item in found] == ["LR704"]


@pytest.mark.parametrize("text", ["$SMTP_PASSWORD", "{{ x }}", "%X%"])
def test_value_of_a_variable_is_no_variable(text: str) -> None:
    """A password that came from a variable may look like one."""
    mail = {"type": "email", "host": "mx", "from": "a@b.c", "to": "d@e.f", "password": "${PW}"}
    document = {"version": 1, "handlers": {"mail": mail}, "routes": [{"to": "mail"}]}
    assert load(document, environ={"PW": text}, advise=True).diagnostics == ()


def test_slips_of_the_pen_show_no_secret() -> None:
    """A password that became part of a key is veiled."""
    for slip in ("password:hunter2", "password: x,hunter2", "host: h, token:hunter2"):
        text = f"version: 1\nhandlers:\n  mail: {{type: email, {slip}}}\n"
        shown = "".join(map(str, load(text, environ={}, advise=True).diagnostics))
        assert "LR101" in shown and "hunter2" not in shown


def test_many_stray_items_are_one_finding() -> None:
    """However many items a list without brackets has, they are one finding."""
    items = ", ".join(f"f{i}" for i in range(20_000))
    text = (
        f"version: 1\nhandlers:\n  a: {{type: console, filters: {items}}}\nroot: {{handlers: a}}\n"
    )
    found = load(text, environ={}, advise=True).diagnostics
    assert [item.code for item in found] == ["LR101"]
    assert "filters: [f0, f1, " in str(found[0].help)


def test_broken_handler_is_defined() -> None:
    """A handler whose own entry is wrong does not make its uses wrong."""
    document = {"handlers": {"mail": {"type": "email"}}, "routes": [{"to": "mail"}]}
    assert set(codes(document)) == {"LR102"}


def test_broken_section_defines_anything() -> None:
    """Where `handlers` is no mapping, no name of a handler is called undefined."""
    assert codes({"handlers": ["a"], "routes": [{"to": "a"}]}) == ["LR103"]


def test_missing_include_silences_names(tmp_path: Any) -> None:
    """What a file that cannot be read may define is not called undefined or unused."""
    text = "version: 1\ninclude: [other.yaml]\nhandlers: {a: {type: console}}\nroutes: [{to: b}]\n"
    path = tmp_path / "logging.yaml"
    path.write_text(text)
    assert [item.code for item in load(path).diagnostics] == ["LR001"]


def test_misspelt_use_is_not_unused() -> None:
    """A handler whose only use is misspelt is not called unused as well."""
    assert codes({"handlers": HANDLERS, "routes": [{"to": ["consol", "mail"]}]}) == ["LR201"]


@pytest.mark.parametrize(
    "outer",
    [
        {"class": "pkg.Tee", "targets": ["inner"]},
        {"class": "pkg.Tee", "target": "cfg://handlers.inner"},
        {"class": "logging.handlers.MemoryHandler", "capacity": 1, "target": "inner"},
    ],
)
def test_arguments_of_classes_are_uses(outer: dict[str, Any]) -> None:
    """A name among the arguments of a foreign class counts as its use."""
    handlers = {"inner": {"type": "null"}, "outer": outer}
    assert codes({"handlers": handlers, "root": {"handlers": ["outer"]}}) == []


def test_incremental_file_uses_nothing() -> None:
    """In an incremental file handlers have levels only, and none is unused."""
    document = {"incremental": True, "handlers": {"console": {"level": "INFO"}}}
    assert codes(document) == []


def test_registered_level_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that the program has registered needs no declaration."""
    names = {**logging._nameToLevel, "AUDIT": 35}
    monkeypatch.setattr(logging, "_nameToLevel", names)
    assert codes({"loggers": {"app": "AUDIT"}}) == []


def test_planned_option_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option whose machinery is missing is never passed over in silence."""
    monkeypatch.setattr(options_of(RouteSpec)["name"], "planned", True)
    document = {"handlers": {"out": {"type": "console"}}, "routes": [{"to": "out", "name": "all"}]}
    assert findings(document) == [("LR190", "`name` of route 1 is not yet available")]


def test_foreign_format_is_checked() -> None:
    """A layout that stdlib would refuse is found before stdlib sees it."""
    formatters = {"a": {"format": "{message}"}, "b": {"format": "hello", "validate": False}}
    handlers = {name: {"type": "console", "formatter": name} for name in formatters}
    handlers["b"]["stream"] = "stdout"
    document = {"formatters": formatters, "handlers": handlers}
    found = codes({**document, "root": {"handlers": ["a", "b"]}})
    assert found == ["LR405"]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([{"final": True}, {}], [1]),
        ([{"final": False}, {}], []),
        ([{"match": {"logger": "a"}, "final": True}, {"match": {"logger": "a.b"}}], [1]),
        ([{"match": {"logger": "a.b"}, "final": True}, {"match": {"logger": "a"}}], []),
        ([{"match": {"logger": "a"}, "final": True}, {"match": {"logger": "ab"}}], []),
        ([{"match": {"logger": "a.*"}, "final": True}, {"match": {"logger": "a.b"}}], []),
        ([{"match": {"logger": "a"}, "final": True}, {"match": {"logger": "*.b"}}], []),
        ([{"final": True}, {"match": {"logger": "*.b"}}], [1]),
        ([{"match": {"message": "x"}, "final": True}, {}], []),
        ([{"final_below": "ERROR"}, {"match": {"level": "<ERROR"}}], [1]),
        ([{"final_below": "ERROR"}, {"match": {"level": "WARNING"}}], []),
        ([{"match": {"level": "<10"}, "final": True}, {"match": {"level": "<=10"}}], []),
        ([{"match": {"level": "ten"}, "final": True}, {}], []),
        ([{"match": {"loger": "a"}, "final": True}, {}], []),
        ([{"match": {"logger": ""}, "final": True}, {"match": {"logger": "root"}}], [1]),
    ],
)
def test_unreachable_routes_are_found(routes: list[dict[str, Any]], expected: list[int]) -> None:
    """Only routes whose every record an earlier one surely keeps are unreachable."""
    assert unreachable(routes) == expected


def test_cover_may_be_several_routes() -> None:
    """Two routes that share a third one's records between them make it unreachable."""
    routes = [
        {"match": {"level": ">=WARNING"}, "final": True},
        {"match": {"any": [{"level": "<=INFO"}, {"level": "21..29"}]}, "final": True},
        {"match": {"logger": "app"}},
    ]
    assert unreachable(routes) == [2]


LOGGERS = ["", "root", "a", "a.b", "a.b.c", "b", "a*", "**.c"]
LEVELS = [0, 5, 10, 20, "ERROR", "<20", "=10", "10..20", ">=50", ["=10", "=20"]]


def matches() -> st.SearchStrategy[dict[str, Any]]:
    """Draw matches of levels, loggers, contents, and of each other."""
    flat = st.fixed_dictionaries(
        {},
        optional={
            "level": st.sampled_from(LEVELS),
            "logger": st.one_of(
                st.sampled_from(LOGGERS), st.lists(st.sampled_from(LOGGERS), max_size=2)
            ),
            "exception": st.booleans(),
        },
    )
    return st.recursive(
        flat,
        lambda inner: st.fixed_dictionaries(
            {},
            optional={
                "level": st.sampled_from(LEVELS),
                "any": st.lists(inner, max_size=2),
                "all": st.lists(inner, max_size=2),
                "not": inner,
            },
        ),
        max_leaves=4,
    )


ROUTES = st.lists(
    st.fixed_dictionaries(
        {"match": matches()},
        optional={"final": st.booleans(), "final_below": st.sampled_from([5, 10, 20, 50])},
    ),
    min_size=2,
    max_size=6,
)
NAMES_TRIED = ["root", "root.x", "a", "ab", "a.b", "a.x", "a.b.c", "a.b.d", "b", "b.c", "c", "x.c"]
LEVELS_TRIED = [0, 1, 4, 5, 6, 9, 10, 11, 15, 19, 20, 21, 39, 40, 49, 50, 60]


@settings(max_examples=300, deadline=None)
@given(ROUTES)
def test_no_reachable_route_is_accused(routes: list[dict[str, Any]]) -> None:
    """Compared with every record, the check has no false positive."""
    document = {"version": 1, "handlers": HANDLERS}
    document["routes"] = [{"to": ["console", "mail"], **route} for route in routes]
    loaded = load(document, environ={}, advise=True)
    assert loaded.config is not None
    accused = {int(d.message.split()[1]) - 1 for d in loaded.diagnostics if d.code == "LR302"}
    levels = Levels()
    specs = loaded.config.routes or ()
    compiled = [compile_match(spec.match, levels) for spec in specs]
    for name, level, fault in product(NAMES_TRIED, LEVELS_TRIED, [None, (ValueError, None, None)]):
        record = logging.LogRecord(name, level, "", 1, "", (), fault)  # type: ignore[arg-type]
        for position, (spec, matcher) in enumerate(zip(specs, compiled, strict=True)):
            if matcher.matches(record):
                assert position not in accused
                below = levels.number(spec.final_below or 0)
                if spec.final or level < below:
                    break


def test_many_routes_are_checked_to_the_end() -> None:
    """Five hundred routes do not use up the steps that the check allows itself."""
    routes = [
        {"match": {"logger": f"app.mod{i}", "level": "INFO"}, "to": "console", "final": True}
        for i in range(250)
    ]
    routes += [{"match": {"level": f"={i}"}, "to": "mail", "final": True} for i in range(250)]
    document = {"handlers": HANDLERS, "routes": [*routes, *routes[:3]]}
    assert codes(document).count("LR302") == 3


@pytest.mark.parametrize(
    ("host", "cure"),
    [
        ("mail.example.org:587", "write `host: mail.example.org` and `port: 587`"),
        ("smtp://mail.example.org", "write `host: mail.example.org`"),
        ("mail example", None),
    ],
)
def test_host_with_more_than_a_host_is_cured(host: str, cure: str | None) -> None:
    """A port or a scheme in `host` is told with how both are written."""
    mail = {"type": "email", "host": host, "from": "a@b.c", "to": "d@e.f"}
    loaded = load({"version": 1, "handlers": {"m": mail}, "routes": [{"to": "m"}]}, environ={})
    assert [(item.code, item.help) for item in loaded.diagnostics] == [("LR103", cure)]
