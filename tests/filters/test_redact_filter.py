"""The `redact` filter: no secret stays in any part of a record."""

import json
import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.filters import KINDS
from logroute.filters.redact import RedactSpec
from logroute.formatters.ecs import EcsSpec
from logroute.formatters.gelf import GelfSpec
from logroute.formatters.json import JsonSpec
from logroute.formatters.logfmt import LogfmtSpec
from logroute.formatters.text import TextSpec
from logroute.records import extras

SECRET = "hunter2"


def make(message="hello", args=(), **values):
    record = logging.LogRecord("app.db", 20, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


def run(record, **options):
    """Filter `record`, and see to it that the input stays as it was."""
    before, shown = dict(record.__dict__), repr(record.__dict__)
    result = RedactSpec(**options).filter()(record)
    assert record.__dict__ == before
    assert repr(record.__dict__) == shown
    return result


def test_common_names_are_redacted_by_default():
    """Without options the fields that commonly hold secrets are replaced."""
    record = make(password=SECRET, Api_Key=SECRET, **{"set-cookie": SECRET}, user="bob")
    made = dict(extras(run(record)))
    assert made == {"password": "***", "Api_Key": "***", "set-cookie": "***", "user": "bob"}


def test_fields_are_redacted_at_any_depth():
    """Names count inside mappings and lists of mappings; the rest keeps its shape."""
    record = make(request={"headers": [{"Authorization": SECRET, "n": 1}], "t": (1, {"x": SECRET})})
    made = run(record, fields=("authorization", "x"), replacement="[gone]")
    assert made.request == {
        "headers": [{"Authorization": "[gone]", "n": 1}],
        "t": (1, {"x": "[gone]"}),
    }


def test_patterns_reach_the_merged_message():
    """A secret that an argument brings into the message is found."""
    made = run(make("login %s", (SECRET,)), patterns=("hunter[0-9]",))
    assert made.getMessage() == "login ***"
    assert SECRET not in repr(made.__dict__)


def test_percent_signs_survive_redaction():
    """A redacted message is no template any more."""
    assert run(make("100% of hunter2"), patterns=("hunter2",)).getMessage() == "100% of ***"


def test_replacement_may_name_groups():
    """What a group matched can stay."""
    made = run(make("key=abc"), patterns=("(key)=[a-z]+",), replacement=r"\1=<gone>")
    assert made.getMessage() == "key=<gone>"


class Ticket:
    def __str__(self):
        return f"ticket {SECRET}"

    def __repr__(self):
        return "Ticket()"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (SECRET, "***"),
        (b"a hunter2", "a ***"),
        (Ticket(), "ticket ***"),
        ([1, SECRET], [1, "***"]),
        ({SECRET}, {"***"}),
        ({SECRET: 1}, {"***": 1}),
        (ValueError(SECRET), "***"),
        ({"deep": [(SECRET,)]}, {"deep": [("***",)]}),
    ],
)
def test_patterns_reach_every_value(value, wanted):
    """Texts, bytes, objects, containers and keys are searched."""
    assert run(make(value=value), patterns=(SECRET,)).value == wanted


def test_numbers_are_searched_as_text():
    """A card number is found even where it is a number; others stay numbers."""
    made = run(make(card=4111111111111111, n=5), patterns=(r"\b[0-9]{16}\b",))
    assert (made.card, made.n) == ("***", 5)


def test_tracebacks_and_stacks_are_redacted():
    """The traceback keeps its lines but for the secret, and the exception goes."""
    try:
        raise ValueError(f"bad key {SECRET}")
    except ValueError:
        record = make("failed", exc_info=sys.exc_info(), stack_info=f"Stack\n  f({SECRET})")
    made = run(record, patterns=(SECRET,))
    assert made.exc_text.startswith("Traceback")
    assert made.exc_text.endswith("ValueError: bad key ***")
    assert (made.exc_info, made.stack_info) == (None, "Stack\n  f(***)")


@pytest.mark.parametrize(
    "spec", [TextSpec(), JsonSpec(), LogfmtSpec(), EcsSpec(), GelfSpec(host="h")]
)
def test_no_formatter_shows_a_redacted_secret(spec):
    """Behind the filter no formatter finds the secret anywhere."""
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        record = make("m %s", (SECRET,), exc_info=sys.exc_info(), err=error, d={"k": [SECRET]})
    made = run(record, patterns=(SECRET,))
    assert SECRET not in spec.formatter().format(made)


def test_record_without_secrets_is_not_copied():
    """Where nothing is found the record itself is passed on."""
    try:
        raise ValueError("x")
    except ValueError:
        record = make("m", exc_info=sys.exc_info(), a={"b": [1, (2,), {3}]}, stack_info="s")
    assert RedactSpec(patterns=(SECRET,)).filter()(record) is record


class Exploding:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Grim(dict):
    def items(self):
        raise RuntimeError("no items")


def test_what_cannot_be_read_is_replaced():
    """A value that cannot be looked into is not passed on."""
    record = make(a=Exploding(), b=Grim(x=SECRET))
    made = RedactSpec(patterns=(SECRET,)).filter()(record)
    assert (made.a, made.b) == ("<unprintable Exploding>", "<unreadable: RuntimeError>")


def test_cycles_and_shared_values_end():
    """A list that holds itself, and one that unfolds to 10**12 items, are looked into once."""
    cycle: list[object] = [SECRET]
    cycle.append(cycle)
    bomb: object = [SECRET]
    for _ in range(6):
        bomb = [bomb] * 100
    made = RedactSpec(patterns=(SECRET,)).filter()(make(cycle=cycle, bomb=bomb))
    assert made.cycle == ["***", "..."]
    assert made.bomb[0][0][0][0][0][0] == ["***"]


def test_very_deep_values_are_cut():
    """Below twenty levels nothing is shown."""
    deep: object = SECRET
    for _ in range(1000):
        deep = {"in": deep}
    made = RedactSpec(patterns=(SECRET,)).filter()(make(deep=deep))
    assert json.dumps(made.deep).count("in") == 20
    assert SECRET not in json.dumps(made.deep)


@pytest.mark.parametrize(
    ("pattern", "replacement"), [("(", "***"), ("a", r"\1"), ("a", "\\"), ("a{99999999999}", "x")]
)
def test_bad_patterns_are_refused(pattern, replacement):
    """A bad expression, or a group that is not there, is a ValueError when made."""
    with pytest.raises(ValueError, match=r".+"):
        RedactSpec(patterns=(pattern,), replacement=replacement).filter()


NESTED = st.recursive(
    st.sampled_from([SECRET, f"a {SECRET} b", 1, None, "plain", 2.5, b"hunter2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "password", SECRET]), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(NESTED, st.sampled_from(["x %s", f"{SECRET} %s", "%s"]))
def test_no_secret_survives_anywhere(value, message):
    """Whatever the shape of an extra and a message, the secret is gone."""
    made = run(make(message, (value,) if value else ("",), value=value), patterns=(SECRET,))
    assert SECRET not in made.getMessage()
    assert SECRET not in repr(made.value)


def test_every_filter_kind_is_there():
    """Each row of the table names a spec with its machinery."""
    specs = [KINDS.get(name) for name in KINDS.names()]
    assert len(specs) == 7
    assert not any(spec is None or spec.planned for spec in specs)
