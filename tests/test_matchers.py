"""Matchers: each condition alone, nested ones, and what a logger and level decide."""

import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.levels import Levels
from logroute.matchers import FieldSpec, MatchSpec, Probe, compile_match

LEVELS = Levels({"TRACE": 5})


def make(name="app.db", level=20, message="hello", args=(), **values):
    record = logging.LogRecord(name, level, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


def matches(record, **conditions):
    return compile_match(MatchSpec(**conditions), LEVELS).matches(record)


def raised(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


def test_no_condition_matches_everything():
    """A match without keys holds for every record."""
    assert matches(make())


@pytest.mark.parametrize(
    ("level", "held"),
    [
        ("INFO", [20, 30, 50, 99]),
        ("=INFO", [20]),
        ("<WARNING", [0, 5, 10, 20]),
        (">=30", [30, 50, 99]),
        ("TRACE..info", [5, 10, 20]),
        (40, [50, 99]),
    ],
)
def test_level_holds_for_its_range(level, held):
    """A level stands for itself and above, signs and ranges for what they say."""
    asked = [0, 5, 10, 20, 30, 50, 99]
    assert [number for number in asked if matches(make(level=number), level=(level,))] == held


def test_any_listed_level_holds():
    """A list of levels means any of them."""
    held = [n for n in (10, 20, 30, 40, 50) if matches(make(level=n), level=("=DEBUG", "ERROR"))]
    assert held == [10, 40, 50]


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ("app", ["app", "app.db", "app.db.sql"]),
        ("app.db", ["app.db", "app.db.sql"]),
        ("app.*", ["app.db", "app.db.sql"]),
        ("*.sql", ["x.sql"]),
        ("**.sql", ["app.db.sql", "x.sql"]),
        ("app.d?", ["app.db", "app.db.sql"]),
        ("a+p", []),
        ("root", ["root"]),
        ("", ["root"]),
    ],
)
def test_logger_holds_for_its_children(wanted, held):
    """A name holds for the logger and its children; `*` is one part, `**` any number."""
    asked = ["app", "app.db", "app.db.sql", "application", "root", "x.sql"]
    assert [name for name in asked if matches(make(name), logger=(wanted,))] == held


def test_message_is_searched_after_its_arguments():
    """The expression is found anywhere in the finished message."""
    record = make(message="user %s", args=("bob",))
    assert matches(record, message=r"\bbob$")
    assert not matches(record, message="%s")


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ((True,), [False, True]),
        ((False,), [True, False]),
        (("KeyError",), [False, True]),
        (("LookupError",), [False, True]),
        (("builtins.KeyError", "x.Other"), [False, True]),
        (("ValueError",), [False, False]),
        ((False, "KeyError"), [True, True]),
    ],
)
def test_exception_holds_by_class_name(wanted, held):
    """true, false, and names of the class or one of its bases, bare or dotted."""
    records = [make(exc_info=(None, None, None)), make(exc_info=raised(KeyError("x")))]
    assert [matches(record, exception=wanted) for record in records] == held


@pytest.mark.parametrize(
    ("field", "held"),
    [
        ("acme", ["acme"]),
        (1, [1, 1.0]),
        (True, [True]),
        (FieldSpec(eq=None), [None]),
        (FieldSpec(ne="acme"), [1, 1.0, True, 5, None, "acme-2"]),
        (FieldSpec(gt=1, lte=5), [5]),
        (FieldSpec(gte=1, lt=5), [1, 1.0, True]),
        (FieldSpec(one_of=("acme", 5)), ["acme", 5]),
        (FieldSpec(contains="me-"), ["acme-2"]),
        (FieldSpec(regex="^a.*[0-9]$"), ["acme-2"]),
        (FieldSpec(exists=True), ["acme", 1, 1.0, True, 5, None, "acme-2"]),
        (FieldSpec(exists=False), []),
    ],
)
def test_field_tests_hold(field, held):
    """Every test of a field, over values of several types."""
    values = ["acme", 1, 1.0, True, 5, None, "acme-2"]
    found = [value for value in values if matches(make(tenant=value), fields={"tenant": field})]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in held]


@pytest.mark.parametrize(
    ("field", "held"),
    [(FieldSpec(exists=False), True), (FieldSpec(ne="x"), False), (None, False), ("x", False)],
)
def test_missing_field_fails_but_for_exists(field, held):
    """A field that is not there fails every test but `exists: false`."""
    assert matches(make(), fields={"tenant": field}) is held


def test_dots_reach_into_mappings():
    """A dotted name looks into an extra; a field with that very name comes first."""
    record = make(order={"id": {"n": 7}}, **{"a.b": 1}, a={"b": 2})
    assert matches(record, fields={"order.id.n": 7, "a.b": 1})
    assert not matches(record, fields={"order.id.n.x": 7})


def test_message_and_attributes_are_fields():
    """The finished message and what every record has can be tested as fields."""
    record = make(message="user %s", args=("bob",))
    assert matches(record, fields={"message": "user bob", "lineno": FieldSpec(gt=5)})


class Hostile:
    def __eq__(self, other):
        raise RuntimeError("no answer")

    __str__ = __eq__
    __hash__ = None


@pytest.mark.parametrize("field", ["x", FieldSpec(ne="x"), FieldSpec(regex="x")])
def test_hostile_values_do_not_match(field):
    """A value whose comparison or text raises fails its test, quietly."""
    assert not matches(make(tenant=Hostile()), fields={"tenant": field})


def test_any_all_and_not_nest():
    """Nested matches combine as their words say."""
    errors = MatchSpec(level=("ERROR",))
    database = MatchSpec(logger=("app.db",))
    cases = {
        "any": MatchSpec(any=(errors, database)),
        "all": MatchSpec(all=(errors, database)),
        "not": MatchSpec(negate=MatchSpec(any=(errors, database))),
    }
    records = [make("x", 20), make("x", 40), make("app.db", 20), make("app.db", 40)]
    held = {
        word: [compile_match(spec, LEVELS).matches(record) for record in records]
        for word, spec in cases.items()
    }
    assert held == {
        "any": [False, True, True, True],
        "all": [False, False, False, True],
        "not": [True, False, False, False],
    }


def test_first_failing_condition_is_named():
    """`explain` hears which condition failed first, cheap ones before others."""
    spec = MatchSpec(message="never", level=("ERROR",), fields={"a": 1})
    failing = compile_match(spec, LEVELS).first_failing(make())
    assert failing is not None
    assert failing.label == "level: ERROR and above"
    assert compile_match(MatchSpec(), LEVELS).first_failing(make()) is None


@pytest.mark.parametrize(
    "spec",
    [
        MatchSpec(level=("LOUD",)),
        MatchSpec(level=("ERROR..INFO",)),
        MatchSpec(message="("),
        MatchSpec(fields={"a": FieldSpec(regex="[")}),
        MatchSpec(any=(MatchSpec(negate=MatchSpec(message="*")),)),
    ],
)
def test_bad_conditions_are_value_errors(spec):
    """Unknown levels and bad expressions are ValueErrors, however deep."""
    with pytest.raises(ValueError, match=r".+"):
        compile_match(spec, LEVELS)


NAMES = ("root", "app", "app.db", "app.db.sql", "x")
SIMPLE = st.builds(
    lambda options: MatchSpec(**options),
    st.fixed_dictionaries(
        {},
        optional={
            "level": st.lists(
                st.sampled_from(["INFO", "=INFO", "<WARNING", "DEBUG..INFO", ">ERROR"]),
                min_size=1,
                max_size=2,
            ).map(tuple),
            "logger": st.sampled_from([("app",), ("app.*",), ("x", "root"), ("**.sql",)]),
            "message": st.sampled_from(["hello", "never"]),
            "fields": st.sampled_from([{"n": 1}, {"n": FieldSpec(exists=False)}]),
            "exception": st.sampled_from([(True,), (False,)]),
        },
    ),
)
SPECS = st.recursive(
    SIMPLE,
    lambda inner: st.builds(
        lambda own, some, every, none: own.replace(any=some, all=every, negate=none),
        SIMPLE,
        st.lists(inner, max_size=2).map(tuple),
        st.lists(inner, max_size=2).map(tuple),
        st.none() | inner,
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=500)
@given(
    spec=SPECS,
    name=st.sampled_from(NAMES),
    level=st.sampled_from([5, 10, 20, 30, 40, 50]),
    values=st.sampled_from([{}, {"n": 1}, {"n": 2}]),
)
def test_probe_never_rules_out_a_match(spec, name, level, values):
    """What matches a record holds for its logger and level; the two ways agree."""
    record = make(name, level, **values)
    matcher = compile_match(spec, LEVELS)
    matched = matcher.matches(record)
    assert matcher.holds_for(Probe(name, level)) or not matched
    assert (matcher.first_failing(record) is None) == matched
    if not matcher.by_content:
        assert matcher.holds_for(Probe(name, level)) == matched
