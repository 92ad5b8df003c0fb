"""Rules on which records get where: no claim that a record contradicts."""

import logging
import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.config.decode import read
from logroute.config.flow import effective_level, route_table
from logroute.config.load import Loaded, load
from logroute.config.model import Config
from logroute.config.rules.reach import _gap
from logroute.config.views.facts import Facts
from logroute.config.views.survey import Survey, survey
from logroute.diagnostics import Diagnostic, Severity
from logroute.levels import Levels
from logroute.routing import Outcome, Passage

LEVELS = Levels()


def load_all(document: dict[str, Any]) -> Loaded:
    return load({"version": 1, **document}, environ={}, advise=True)


def found(document: dict[str, Any], *codes: str) -> list[Diagnostic]:
    """Return the findings of some codes."""
    return [item for item in load_all(document).diagnostics if item.code in codes]


def messages(document: dict[str, Any], *codes: str) -> list[str]:
    return [item.message for item in found(document, *codes)]


# -- what is claimed, against every record

NAMES = ["root", "root.x", "a", "ab", "a.b", "a.b.c", "b.c"]
NUMBERS = [0, 5, 9, 10, 19, 20, 29, 30, 31, 40, 49, 50, 60]
HANDLERS = ("x", "y", "z")


def some_handlers() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(HANDLERS), max_size=2, unique=True)


def matches() -> st.SearchStrategy[dict[str, Any]]:
    """Draw matches of levels, loggers, globs, content, and of each other."""
    flat = st.fixed_dictionaries(
        {},
        optional={
            "level": st.sampled_from([10, 20, 40, "<20", "=10", "10..30", "<40", ["=10", "=40"]]),
            "logger": st.sampled_from(["root", "a", "a.b", "b", "a*", ["a.b", "b"]]),
            "exception": st.booleans(),
        },
    )
    inner = st.fixed_dictionaries({}, optional={"any": st.lists(flat, max_size=2), "not": flat})
    return flat | flat | inner


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Draw whole configs of a few loggers, handlers and routes."""
    level = st.sampled_from([0, 5, 10, 20, 30, 40, 50, 60])
    logger = st.fixed_dictionaries(
        {}, optional={"level": level, "propagate": st.booleans(), "handlers": some_handlers()}
    )
    route = st.fixed_dictionaries(
        {"match": matches(), "to": some_handlers()},
        optional={
            "final": st.booleans(),
            "final_below": st.sampled_from([10, 20, 40]),
            "filters": st.just(["f"]),
        },
    )
    handlers = {
        name: st.fixed_dictionaries(
            {"type": st.just("console")},
            optional={"level": level, "stream": st.sampled_from(["stdout", "stderr"])},
        )
        for name in HANDLERS
    }
    root = st.fixed_dictionaries({}, optional={"level": level, "handlers": some_handlers()})
    return st.fixed_dictionaries(
        {
            "handlers": st.fixed_dictionaries(handlers),
            "routes": st.lists(route, max_size=5),
            "filters": st.just({"f": {"type": "sample", "rate": 0.5}}),
        },
        optional={
            "root": root,
            "loggers": st.dictionaries(st.sampled_from(["a", "a.b", "b"]), logger, max_size=3),
        },
    )


class Tried(NamedTuple):
    """One record, what its routes did, and who got it.

    `made` says whether its logger makes it; `got` is if the filters of routes let it
    through, `kept` if they drop it.
    """

    name: str
    levelno: int
    made: bool
    outcomes: list[Outcome]
    got: tuple[str, ...]
    kept: tuple[str, ...]


def every_record(config: Config) -> Iterator[Tried]:
    """Send records of many names, levels and contents through the live route table."""
    table = route_table(config, LEVELS)
    for name, levelno, fault in product(NAMES, NUMBERS, [None, (ValueError, None, None)]):
        record = logging.LogRecord(name, levelno, "", 1, "", (), fault)  # type: ignore[arg-type]
        is_made = levelno >= effective_level(config, LEVELS, name).number
        plan = table.plan(name, levelno)
        shares = plan.deal(record, lambda _, __: Passage(None, "f")) or {}
        kept = tuple(name for name, share in shares.items() if share.passage.record is not None)
        outcomes = list(table.explain(record))
        yield Tried(name, levelno, is_made, outcomes, plan.pick(record) or (), kept)


def claims(document: dict[str, Any]) -> tuple[Config, Survey, list[Diagnostic], list[Tried]]:
    loaded = load_all(document)
    assert loaded.config is not None and loaded.node is not None
    config = loaded.config
    surveyed = survey(Facts(config, loaded.node, read(loaded.node), is_complete=True))
    assert surveyed is not None
    return config, surveyed, list(loaded.diagnostics), list(every_record(config))


def reached(tried: Tried, position: int) -> bool:
    label = f"routes[{position}]"
    return any(o.route.label == label and o.matched for o in tried.outcomes)


def position_in(message: str) -> int:
    return int(re.findall(r"route (\d+)", message)[0]) - 1


@settings(max_examples=60, deadline=None)
@given(documents())
def test_no_claim_on_routes_is_wrong(document: dict[str, Any]) -> None:
    """No record reaches, or passes, where a route is said to get none."""
    config, _, diagnostics, records = claims(document)
    for item in diagnostics:
        if item.code not in ("LR302", "LR304"):
            continue
        at = position_in(item.message)
        ours = [tried for tried in records if reached(tried, at)]
        if item.code == "LR302":
            assert ours == [], item
        elif "never gets" in item.message:
            assert not any(tried.made for tried in ours), item
        elif " in vain" in item.message:
            asked = (config.routes or ())[at].match.level
            low = LEVELS.parse_set(asked).intervals[0][0]
            assert not any(tried.made and tried.levelno == low for tried in ours), item
        else:
            name = item.message.split("`")[1]
            level = LEVELS.number(config.handlers[name].level)
            assert not any(tried.levelno >= level for tried in ours), item


@settings(max_examples=60, deadline=None)
@given(documents())
def test_duplicate_routes_change_nothing(document: dict[str, Any]) -> None:
    """Without the routes that are said to add nothing, each record gets where it got."""
    config, _, diagnostics, records = claims(document)
    idle = {position_in(d.message) for d in diagnostics if d.code == "LR309"}
    if idle:
        routes = [spec for at, spec in enumerate(config.routes or ()) if at not in idle]
        for before, after in zip(
            records, every_record(config.replace(routes=tuple(routes))), strict=True
        ):
            assert set(before.got) == set(after.got)
            assert set(before.kept) == set(after.kept)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_no_claim_on_handlers_is_wrong(document: dict[str, Any]) -> None:
    """Gaps are gaps, what is delivered is delivered, and nothing comes from below."""
    _, surveyed, diagnostics, records = claims(document)
    below = {d.message.split("`")[1] for d in diagnostics if d.code == "LR310"}
    for tried in records:
        row = surveyed.row_of(tried.name)
        bit = surveyed.bits([(0, tried.levelno)]).bit_length() - 1
        if _gap(surveyed, row) >> bit & 1:
            assert tried.got == ()
        for name in HANDLERS:
            if surveyed.delivered(row, name) >> bit & 1:
                assert name in tried.kept
        for name in below if tried.made else ():
            message = next(
                d.message for d in diagnostics if f"`{name}`" in d.message and d.code == "LR310"
            )
            lowest = LEVELS.number(re.findall(r"below (?:Level )?(\w+) gets", message)[0])
            assert tried.levelno >= lowest or name not in tried.got


# -- what is claimed, and what is not

BOTH = {"file": {"type": "console"}, "mail": {"type": "console", "stream": "stdout"}}


def routed(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a config with two handlers and some routes."""
    return {"handlers": BOTH, "root": {"level": "INFO"}, "routes": list(routes), **more}


def test_root_without_level_stops_info() -> None:
    """A route for INFO is told that the root logger makes WARNING and above by default."""
    document = routed({"match": {"level": "INFO"}, "to": "file"}, root={})
    (item,) = found(document, "LR304")
    assert "asks for INFO in vain" in item.message and "WARNING is the default" in item.message


@pytest.mark.parametrize(
    "more",
    [
        {"root": {"level": "${LEVEL:-ERROR}"}},
        {"root": {"level": "${file:/run/secrets/level}"}},
        {"profiles": {"debug": {"root": {"level": "DEBUG"}}}},
        {"loggers": {"app": "DEBUG"}},
        {"root": {"level": "NOTSET"}},
    ],
)
def test_unsure_level_is_not_accused(more: dict[str, Any]) -> None:
    """Where another value may count elsewhere, or one logger does make it, nothing is said."""
    document = routed({"match": {"level": "=DEBUG"}, "to": "file"}, {"to": "mail"}, **more)
    assert messages(document, "LR304") == []


def test_higher_level_of_a_route_is_a_remark() -> None:
    """A route that asks for more than an explicit level lets through is only remarked on."""
    document = routed({"match": {"level": "DEBUG"}, "to": "file"})
    (item,) = found(document, "LR304")
    assert item.severity is Severity.INFO and item.related


def test_handler_above_its_route_is_told() -> None:
    """A handler whose level no record of the route has gets nothing."""
    handlers = {**BOTH, "mail": {"type": "console", "level": "ERROR"}}
    document = routed({"match": {"level": "<ERROR"}, "to": ["file", "mail"]}, {"to": "mail"})
    (text,) = messages({**document, "handlers": handlers}, "LR304")
    assert text == (
        "`mail` gets no record of route 1: the route takes WARNING and below, the handler only "
        "ERROR and above"
    )


def test_earlier_final_route_counts() -> None:
    """What earlier routes keep is no longer there for the handler's level."""
    handlers = {**BOTH, "mail": {"type": "console", "level": "ERROR"}}
    document = routed(
        {"match": {"level": "ERROR"}, "to": "file", "final": True}, {"to": ["file", "mail"]}
    )
    (text,) = messages({**document, "handlers": handlers}, "LR304")
    assert text.startswith("`mail` gets no record of route 2")


FILTERED = {"match": {"logger": "app"}, "to": "file", "filters": ["few"], "final": True}
FEW = {"filters": {"few": {"type": "sample", "rate": 0.5}}}


def test_filtered_final_route_ends_the_walk() -> None:
    """What its filters drop goes nowhere: later routes for these records are never reached."""
    narrower = {"match": {"logger": "app.db"}, "to": "mail"}
    (text,) = messages(routed(FILTERED, narrower, **FEW), "LR302")
    assert text == "route 2 can never be reached"
    assert messages(routed(FILTERED, {"to": "mail"}, **FEW), "LR302") == []


def test_filtered_route_gives_nothing_for_sure() -> None:
    """A later route to the same handler is of use: it gets what the filters drop."""
    filtered = {key: FILTERED[key] for key in ("match", "to", "filters")}
    document = routed(filtered, {"match": {"logger": "app"}, "to": "file"}, **FEW)
    assert messages(document, "LR302", "LR309") == []


def test_route_of_a_closed_logger_is_unreachable() -> None:
    """A logger that does not propagate keeps its records from the routes."""
    logger = {"handlers": ["file"], "propagate": False}
    document = routed(
        {"match": {"logger": "app.db"}, "to": "mail"}, {"to": "file"}, loggers={"app": logger}
    )
    (text,) = messages(document, "LR302")
    assert text == "route 1 can never be reached: logger `app` keeps its records"
    logger["propagate"] = True
    assert messages(document, "LR302") == []


@pytest.mark.parametrize(
    "routes",
    [
        [{"match": {"level": "<ERROR"}, "to": "file"}],
        [{"match": {"level": "INFO..WARNING"}, "to": "file"}],
    ],
)
def test_gap_from_error_on_is_told(routes: list[dict[str, Any]]) -> None:
    """Lower levels that are routed show that higher ones were forgotten."""
    (text,) = messages(routed(*routes), "LR305")
    assert text.startswith("no handler gets ERROR and above, though lower levels are routed; only")


@pytest.mark.parametrize(
    ("routes", "more"),
    [
        ([{"match": {"level": "<ERROR"}, "to": "file"}, {"match": {"level": "ERROR"}}], {}),
        ([{"match": {"level": "<ERROR"}, "to": "file"}], {"unmatched": "drop"}),
        ([{"match": {"level": "<ERROR"}, "to": "file"}], {"root": {"handlers": ["mail"]}}),
        (
            [
                {"match": {"level": "<ERROR"}, "to": "file"},
                {"match": {"message": "x"}, "to": "mail"},
            ],
            {},
        ),
        (
            [
                {"match": {"level": "<ERROR"}, "to": "file"},
                {"match": {"logger": "a*"}, "to": "mail"},
            ],
            {},
        ),
        (
            [
                {"match": {"level": "=DEBUG"}, "to": "file"},
                {"match": {"level": "WARNING"}, "to": "mail"},
            ],
            {},
        ),
        (
            [
                {"match": {"level": "INFO..WARNING"}, "to": "file"},
                {"match": {"level": "ERROR"}, "to": "mail"},
            ],
            {},
        ),
        ([{"match": {"level": "ERROR"}, "to": "mail"}], {}),
        (
            [{"match": {"level": "<ERROR"}, "to": "file"}],
            {"profiles": {"live": {"routes": [{"to": "mail"}]}}},
        ),
    ],
)
def test_no_gap_is_made_up(routes: list[dict[str, Any]], more: dict[str, Any]) -> None:
    """Silence on purpose, perhaps-routes and levels without a name are no gaps."""
    items = found({**routed(*[{"to": [], **route} for route in routes]), **more}, "LR305")
    assert [item for item in items if item.severity is not Severity.INFO] == []


def test_level_of_an_unheard_logger_is_told() -> None:
    """Who makes a logger's level low expects its records somewhere."""
    document = routed({"match": {"logger": "web"}, "to": "file"}, loggers={"web": 10, "db": 10})
    text, remark = messages(document, "LR305")
    assert text == "logger `db` makes records from DEBUG on, but no route takes any"
    assert remark.startswith("records of other loggers reach no handler")


PLAIN = {"class": "logging.StreamHandler"}


def twice(**app: Any) -> dict[str, Any]:
    """Return a plain dictConfig file with one handler on a logger and on the root."""
    logger = {"level": "INFO", "handlers": ["a"], **app}
    return {"handlers": {"a": PLAIN}, "loggers": {"app.db": logger}, "root": {"handlers": ["a"]}}


def test_handler_on_parent_writes_twice() -> None:
    """In a plain file the same handler on a logger and a parent is called twice."""
    (item,) = found(twice(), "LR306")
    assert item.message.startswith("`a` would write each record of `app.db` twice")
    assert item.help == "add `propagate: false`, or remove the handler here"


@pytest.mark.parametrize(
    "document",
    [
        twice(propagate=False),
        twice(level=60),
        {**twice(), "queue": {}},
        {**twice(), "root": {}},
        {**twice(), "loggers": {"app": {"propagate": False}, "app.db": {"handlers": ["a"]}}},
    ],
)
def test_single_writing_is_not_accused(document: dict[str, Any]) -> None:
    """Without propagation, below an off level, or by logroute a handler is called once."""
    assert messages(document, "LR306") == []


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        ({"type": "console"}, {"type": "console", "level": "ERROR"}, True),
        ({"type": "console"}, {"class": "logging.StreamHandler"}, True),
        ({"type": "console"}, {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}, 0),
        ({"type": "console"}, {"type": "console", "filters": ["f"]}, False),
        ({"type": "console"}, {"type": "console", "stream": "${OUT:-stderr}"}, False),
        ({"type": "null"}, {"type": "null"}, False),
        ({"class": "pkg.Handler"}, {"class": "pkg.Handler"}, False),
    ],
)
def test_two_handlers_of_one_stream_are_told(
    first: dict[str, Any], second: dict[str, Any], is_told: bool
) -> None:
    """Two handlers that surely write to one place repeat what both get."""
    document = {
        "handlers": {"a": first, "b": second},
        "filters": {"f": {"name": "app"}},
        "root": {"level": "INFO"},
        "routes": [{"to": ["a", "b"]}],
    }
    assert len(messages(document, "LR306")) == int(is_told)


def test_exclusive_levels_are_no_repeat() -> None:
    """Two handlers of one stream for different levels repeat nothing."""
    handlers = {"low": {"type": "console"}, "high": {"type": "console"}}
    document = routed(
        {"match": {"level": "<ERROR"}, "to": "low"}, {"match": {"level": "ERROR"}, "to": "high"}
    )
    assert messages({**document, "handlers": handlers}, "LR306") == []


def test_same_address_is_one_destination() -> None:
    """Networked handlers are compared by address, and nothing secret is shown."""
    web = {"type": "http", "url": "https://x.example.org/", "auth": {"bearer": "hunter2"}}
    other = {**web, "auth": {"bearer": "hunter3"}}
    document = routed({"to": ["a", "b"]})
    (text,) = messages({**document, "handlers": {"a": web, "b": {**web}}}, "LR306")
    assert "the same address" in text and "hunter" not in text
    assert messages({**document, "handlers": {"a": web, "b": other}}, "LR306") == []


def test_handler_of_a_logger_makes_a_route_idle() -> None:
    """What the root logger's handlers give needs no route."""
    document = routed({"match": {"level": "ERROR"}, "to": "file"}, root={"handlers": ["file"]})
    (item,) = found(document, "LR309")
    assert item.related


@pytest.mark.parametrize(
    "second",
    [
        {"match": {"level": "WARNING"}, "to": "file"},
        {"match": {"level": "ERROR"}, "to": ["file", "mail"]},
        {"match": {"level": "ERROR"}, "to": "file", "final": True},
        {"match": {"level": "ERROR"}, "to": []},
    ],
)
def test_useful_route_is_no_duplicate(second: dict[str, Any]) -> None:
    """A route that takes more, gives more or ends something does something."""
    document = routed({"match": {"level": "ERROR"}, "to": "file"}, second, {"to": "mail"})
    assert [text for text in messages(document, "LR309") if "route 2" in text] == []


def test_same_condition_on_content_is_a_duplicate() -> None:
    """Two routes with the very same condition on content take the very same records."""
    match = {"message": "timeout", "logger": "app.*"}
    document = routed({"match": match, "to": "file"}, {"match": {**match}, "to": "file"})
    (text,) = messages(document, "LR309")
    assert text == "route 2 adds nothing: all its records get to `file` already"


@pytest.mark.parametrize(
    ("levels", "is_told"),
    [
        ({"root": {"level": "DEBUG"}}, True),
        ({"root": {"level": "INFO"}}, False),
        ({"root": {"level": "DEBUG"}, "loggers": {"urllib3": "INFO"}}, False),
        ({"root": {"level": "INFO"}, "loggers": {"urllib3": "DEBUG"}}, True),
        ({"root": {"level": "${LEVEL:-DEBUG}"}}, False),
    ],
)
def test_feedback_needs_the_level_of_the_transport(levels: Any, is_told: bool) -> None:
    """Only where urllib3's DEBUG records get to the handler they come round."""
    loki = {"class": "logging_loki.LokiHandler", "url": "https://loki.example.org/"}
    document = {"handlers": {"loki": loki}, "routes": [{"to": "loki"}], **levels}
    assert len(messages(document, "LR312")) == int(is_told)


def test_handler_that_others_feed_is_not_below() -> None:
    """What a buffer hands on may be lower than what loggers send."""
    handlers = {
        "out": {"class": "logging.StreamHandler", "level": "DEBUG"},
        "buffer": {"class": "logging.handlers.MemoryHandler", "capacity": 9, "target": "out"},
    }
    loggers = {"app": {"level": "DEBUG", "handlers": ["buffer"], "propagate": False}}
    document = {"handlers": handlers, "loggers": loggers, "root": {"handlers": ["out"]}}
    assert messages(document, "LR310") == []
    del handlers["buffer"], loggers["app"]
    (text,) = messages(document, "LR310")
    assert text == "handler `out` has the level DEBUG, but nothing below WARNING gets to it"


def test_huge_names_are_left_alone() -> None:
    """A name of a million dots costs no time."""
    name = "a." * 500_000
    document = routed({"match": {"logger": name}, "to": "file"}, loggers={name: {"level": 10}})
    assert messages(document, "LR302", "LR305") == []
