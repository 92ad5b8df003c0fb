"""`logroute.testing`: applications assert where their config sends a record."""

import pytest

from logroute.errors import ConfigError
from logroute.testing import assert_routed, explain

CONFIG = """version: 1
formatters: {line: {format: "{levelname} {message} {tenant}", style: "{"}}
handlers:
  console: {type: console, formatter: line}
  mail: {type: email, host: h.example, from: a@x.example, to: b@x.example}
root: {level: INFO}
routes:
  - {match: {exception: LookupError}, to: mail}
  - {match: {logger: app}, to: console}
"""


def test_explanation_tells_where_and_what():
    """`reaches`, `output` and the text are those of the command."""
    told = explain(CONFIG, logger="app", message="%s paid", args=["x"], extra={"tenant": 3})
    assert (told.reaches, told.output("console")) == (("console",), "INFO x paid 3")
    assert str(told).endswith("logger: app  -> console\nreaches: console")
    with pytest.raises(LookupError, match="does not reach `mail`"):
        told.output("mail")


def test_exceptions_are_given_in_any_form():
    """An exception, its class or its name: bases count where there is a class."""
    for exception in (KeyError("x"), KeyError, "KeyError"):
        assert explain(CONFIG, exception=exception).reaches == ("mail",)
    assert explain(CONFIG, exception="shop.PaymentError").is_dropped


def test_assertion_says_what_is_missing():
    """A failing assertion names the difference and the whole way."""
    assert_routed(CONFIG, logger="app", to=["console"], excludes=["mail"], dropped=False)
    with pytest.raises(AssertionError) as caught:
        assert_routed(CONFIG, logger="app", to=["mail"], includes=["mail"], dropped=True)
    text = str(caught.value)
    assert text.startswith("missing: mail\nunexpected: console\nmissing: mail\nthe record is not")
    assert "routes[1]" in text


def test_nothing_expected_is_a_mistake():
    """A call that asserts nothing is refused, and so is a config that cannot be used."""
    with pytest.raises(TypeError, match="say where"):
        assert_routed(CONFIG, logger="app")
    with pytest.raises(ConfigError):
        explain({"version": 1, "handlers": {"a": {"type": "nul"}}})
