"""What each handler gets of a record where routes have filters: pure, by one walk."""

import logging

from hypothesis import given, settings
from hypothesis import strategies as st
from test_route import HANDLERS, record, table

from logroute.routing import Passage

LETTERS = "rst"


def through(route, made):
    """Filters for tests: `drop` drops; another name is added to the message."""
    for name in route.filters:
        if name == "drop":
            return Passage(None, name)
        made = record(made.name, made.levelno, msg=made.msg + name)
    return Passage(made)


def dealt(routes, made, ask=through):
    """Return by handler the message that arrives, or in brackets the filter that dropped it."""
    shares = routes.plan(made.name, made.levelno).deal(made, ask)
    if shares is None:
        return None
    return {
        name: f"({passage.dropped_by})" if passage.record is None else passage.record.msg
        for name, (passage, _, _) in shares.items()
    }


def test_filter_changes_only_its_route():
    """Handlers of other routes see the record as it was."""
    routes = table(({}, "a", {"filters": ("r",)}), ({}, "b", {}))
    assert dealt(routes, record()) == {"a": "textr", "b": "text"}


def test_first_route_that_lets_through_counts():
    """A handler behind two filters gets the record once, by the first that lets it pass."""
    routes = table(
        ({}, "a", {"filters": ("drop",)}),
        ({}, "ab", {"filters": ("r",)}),
        ({}, "a", {"filters": ("s",)}),
    )
    assert dealt(routes, record()) == {"a": "textr", "b": "textr"}


def test_dropped_record_has_matched():
    """The match decides what is final and what is unmatched, whatever the filters do."""
    routes = table(({}, "a", {"filters": ("drop",), "final": True}), ({}, "ab", {}), leftover="c")
    assert dealt(routes, record()) == {"a": "(drop)"}


def test_first_filter_gets_the_blame():
    """Where every route drops the record, it is counted once, by the first filter."""
    other = {"filters": ("s", "drop")}
    routes = table(({}, "a", {"filters": ("drop",)}), ({}, "a", other))
    assert dealt(routes, record()) == {"a": "(drop)"}


def test_unmatched_stays_unmatched():
    """A record that no route wants is dealt to nobody."""
    routes = table(({"message": "x"}, "a", {"filters": ("r",)}))
    assert dealt(routes, record(msg="y")) is None


def test_filters_are_asked_where_it_matters():
    """Handlers that have it already, or want no such level, need no filter."""
    asked = []

    def ask(route, made):
        asked.append(route.label)
        return Passage(made)

    some = {"filters": ("r",)}
    routes = table(
        ({}, "a", {}), ({}, "a", some), ({}, "b", some), ({}, "c", some), levels={"b": 40}
    )
    dealt(routes, record(), ask)
    assert asked == ["routes[3]"]


def test_audit_of_any_route_counts():
    """A handler that an audited route gives the record to is audited, whoever came first."""
    routes = table(
        ({}, "a", {}),
        ({}, "ab", {"audit": True}),
        ({}, "c", {}),
        ({}, "c", {"audit": True, "filters": ("drop",)}),
    )
    shares = routes.plan("app", 20).deal(record("app"), through)
    assert [name for name, share in shares.items() if share.is_audited] == ["a", "b"]


def test_explanation_names_the_filter():
    """What a filter keeps from its handlers is left for the routes below."""
    routes = table(({}, "a", {"filters": ("drop",)}), ({}, "ab", {}))
    outcomes = list(routes.explain(record(), lambda route: (route.filters or (None,))[0]))
    assert [(o.dropped_by, o.handlers) for o in outcomes] == [("drop", ("a",)), (None, ("a", "b"))]


conditions = st.fixed_dictionaries(
    {}, optional={"level": st.sampled_from([("ERROR",), ("<ERROR",)]), "message": st.just("x")}
)
options = st.fixed_dictionaries(
    {"filters": st.lists(st.sampled_from([*LETTERS, "drop"]), max_size=2).map(tuple)},
    optional={"final": st.booleans(), "final_below": st.just(40), "audit": st.booleans()},
)
to = st.lists(st.sampled_from(HANDLERS), max_size=3)


@settings(max_examples=300)
@given(st.lists(st.tuples(conditions, to, options), max_size=5), st.sampled_from([20, 40]), to)
def test_sharing_is_what_hands_would_do(routes, level, low):
    """Walking the routes by hand, one filter after the other, gives the same."""
    made = record(level=level, msg="x" if level == 20 else "y")
    levels = dict.fromkeys(low, 30)
    given_table = table(*routes, levels=levels)
    assert dealt(given_table, made) == _by_hand(given_table.routes, made, levels)


def _by_hand(routes, made: logging.LogRecord, levels):
    got: dict[str, str] = {}
    matched = False
    for route in routes:
        if not route.matcher.matches(made):
            continue
        matched = True
        text = made.msg
        for name in route.filters:
            text = "(drop)" if "drop" in (name, text[1:-1]) else text + name
        for name in route.to:
            if made.levelno >= levels.get(name, 0) and got.get(name, "(drop)") == "(drop)":
                got[name] = text
        if route.final or made.levelno < (route.final_below or 0):
            break
    return got if matched else None
