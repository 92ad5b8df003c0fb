"""Values that YAML 1.1 and 1.2 read differently: told where they may be anything."""

import pytest

from logroute.config.load import load


def found(value, template="context: {{x: {0}}}\n"):
    text = "version: 1\nhandlers: {c: {type: console}}\nroot: {level: INFO}\n"
    text += "routes: [{to: c, final: yes}]\n" if "routes" not in template else ""
    loaded = load(text + template.format(value), environ={}, advise=True)
    return [item.message for item in loaded.diagnostics if item.code == "LR010"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no", "`no` is a word here; YAML 1.1 reads false"),
        ("On", "`On` is a word here; YAML 1.1 reads true"),
        ("0644", "`0644` is the number 644 here; YAML 1.1 reads 420"),
        ("12:30", "`12:30` is a text here; YAML 1.1 reads 750"),
        ("1_000", "`1_000` is a text here; YAML 1.1 reads 1000"),
    ],
)
def test_differing_value_is_told(value, told):
    """A value that other readers take for something else is named with both meanings."""
    assert found(value) == [told]


@pytest.mark.parametrize(
    "value",
    ['"no"', "'0644'", "y", "true", "1.10", "2024-01-01", "10", "nobody", "0", "~", "!!str no"],
)
def test_same_value_is_silent(value):
    """What both versions read alike, or what is in quotes, is no finding."""
    assert found(value) == []


def test_fields_of_nested_matches_are_seen():
    """Tests of fields are looked at wherever a match may hold them; `exists: yes` is fine."""
    fields = "{{a: {0}, b: {{exists: yes}}}}"
    template = (
        f"routes:\n  - {{{{match: {{{{any: [{{{{not: {{{{fields: {fields}}}}}}}}}]}}}}, to: c}}}}\n"
    )
    assert len(found("yes", template)) == 1
    assert found("true", template) == []


def test_options_that_want_a_truth_are_silent():
    """`final: yes` and `propagate: no` mean what they say."""
    assert found("x", "loggers: {{{0}: {{propagate: no}}}}\n") == []
