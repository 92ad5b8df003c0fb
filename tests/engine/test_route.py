"""Routing is pure: the same walk for the live process and for explain."""

import logging

from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.levels import Levels
from logroute.matchers import MatchSpec, compile_match
from logroute.routing import Attachment, Route, RouteTable

HANDLERS = ("a", "b", "c")


def table(*routes, attachments=None, levels=None, leftover=()):
    compiled = [
        Route(f"routes[{i}]", compile_match(MatchSpec(**match), Levels()), tuple(to), **rest)
        for i, (match, to, rest) in enumerate(routes)
    ]
    handler_levels = dict.fromkeys(HANDLERS, 0) | (levels or {})
    return RouteTable(compiled, attachments or {}, handler_levels, leftover)


def record(name="app.db", level=20, **values):
    made = logging.LogRecord(name, level, "", 0, values.pop("msg", "text"), None, None)
    made.__dict__.update(values)
    return made


def picked(routes, made):
    return routes.plan(made.name, made.levelno).pick(made)


def test_handler_gets_record_once():
    """A handler named by two matching routes gets a record once."""
    routes = table(({}, "ab", {}), ({}, "bc", {}))
    assert picked(routes, record()) == ("a", "b", "c")


def test_final_stops_the_walk():
    """No route after a final one that matched is tried."""
    routes = table(({"level": ("ERROR",)}, "a", {"final": True}), ({}, "b", {}))
    assert picked(routes, record(level=40)) == ("a",)
    assert picked(routes, record(level=20)) == ("b",)


def test_final_by_content_stops_the_walk():
    """A final route that matched by content ends the walk as well."""
    routes = table(({"message": "x"}, "a", {"final": True}), ({}, "b", {}))
    assert picked(routes, record(msg="x")) == ("a",)
    assert picked(routes, record(msg="y")) == ("b",)


def test_final_below_stops_lower_levels():
    """final_below ends the walk for records under the level only."""
    routes = table(({"logger": ("app",)}, "", {"final_below": 30}), ({}, "b", {}))
    assert picked(routes, record(level=20)) == ()
    assert picked(routes, record(level=30)) == ("b",)


def test_silenced_is_not_unmatched():
    """A route to nowhere wants its records; no route at all leaves them unmatched."""
    routes = table(({"logger": ("app",)}, "", {"final": True}), leftover=("c",))
    assert picked(routes, record("app.x")) == ()
    assert picked(routes, record("other")) is None
    assert routes.plan("other", 20).leftover == ("c",)


def test_handler_level_applies():
    """A record below a handler's own level does not reach it."""
    routes = table(({}, "ab", {}), levels={"b": 40})
    assert picked(routes, record(level=30)) == ("a",)


def test_logger_handlers_are_routes():
    """Handlers of loggers come first, up to a logger that does not propagate."""
    attachments = {
        "app": Attachment(("a",), propagate=False),
        "app.db": Attachment(("b",)),
        "root": Attachment(("c",)),
    }
    routes = table(({}, "c", {}), attachments=attachments)
    assert picked(routes, record("app.db.pool")) == ("b", "a")
    assert picked(routes, record("web")) == ("c",)


def test_content_is_looked_at_late():
    """A plan asks the record only where a route looks at content."""
    routes = table(({"message": "declined"}, "a", {}), ({"level": ("ERROR",)}, "b", {}))
    assert routes.plan("app", 40).by_content
    assert picked(routes, record(level=40, msg="card declined")) == ("a", "b")
    assert picked(routes, record(level=20, msg="fine")) is None


matches = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from([("ERROR",), ("=INFO",), ("DEBUG..INFO",), ("<WARNING",)]),
        "logger": st.sampled_from([("app",), ("app.db", "web"), ("*.db",), ("root",)]),
        "message": st.sampled_from(["x", "y"]),
        "fields": st.sampled_from([{"tenant": 1}, {"tenant": 2}]),
    },
)
ends = st.sampled_from([{}, {}, {"final": True}, {"final_below": 30}])
route_lists = st.lists(st.tuples(matches, st.lists(st.sampled_from(HANDLERS)), ends), max_size=6)
records = st.builds(
    record,
    name=st.sampled_from(["app", "app.db", "app.db.pool", "web", "root", "webx"]),
    level=st.sampled_from([10, 20, 25, 30, 40, 50]),
    msg=st.sampled_from(["x", "y", "xy", "z"]),
    tenant=st.sampled_from([1, 2, 3]),
)


@settings(max_examples=1000, deadline=None)
@given(route_lists, records)
def test_plan_equals_naive_walk(routes, made):
    """Plan and pick give what trying each route in turn gives."""
    built = table(*routes)
    names, wanted = [], False
    for route in built.routes:
        if route.matcher.matches(made):
            wanted = True
            names += route.to
            if route.final or (route.final_below and made.levelno < route.final_below):
                break
    assert picked(built, made) == (tuple(dict.fromkeys(names)) if wanted else None)


@given(route_lists, records)
def test_explain_agrees_with_live_routing(routes, made):
    """The handlers that explain names are those that the record reaches."""
    built = table(*routes)
    explained = [name for outcome in built.explain(made) for name in outcome.handlers]
    assert tuple(explained) == (picked(built, made) or ())
