"""Whatever a test file says, running it ends in verdicts or diagnostics."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logroute.app.examples import describe, run
from logroute.app.suites import load_suite
from logroute.config.source import from_text

CONFIG: dict[str, Any] = {
    "version": 1,
    "formatters": {"own": {"format": "%(tenant)s %(message)s"}, "json": {"type": "json"}},
    "filters": {"r": {"type": "redact", "patterns": "x+"}, "n": {"name": "app"}},
    "handlers": {
        "a": {"type": "console", "formatter": "own", "filters": ["r"]},
        "b": {"type": "http", "url": "https://example.org/", "formatter": "json"},
        "c": {"class": "logging.StreamHandler", "filters": ["n"], "formatter": "own"},
    },
    "root": {"level": "INFO", "handlers": ["c"]},
    "routes": [{"match": {"fields": {"x": {"gt": 1}}}, "to": "a"}, {"to": ["a", "b"]}],
}
WORDS = ["", "a", "app", "ERROR", "%s", "%d %d", "%(x)s", "(", "\n", "getMessage", "pathname"]
CLASSES = [
    "",
    "KeyError",
    "UnicodeDecodeError",
    "ExceptionGroup",
    "shop.Error",
    "SystemExit",
    "int",
]
words = st.sampled_from(WORDS)
classes = st.sampled_from(CLASSES)
names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
values = st.recursive(
    st.one_of(words, st.none(), st.booleans(), st.integers(-1, 60), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner)),
    max_leaves=4,
)
records = st.fixed_dictionaries(
    {},
    optional={
        "logger": words,
        "level": st.sampled_from(["ERROR", "info", 5, 10**6]),
        "message": words,
        "args": st.lists(values, max_size=2),
        "fields": st.dictionaries(words, values, max_size=3),
        "exception": st.one_of(classes, st.fixed_dictionaries({"type": classes, "message": words})),
        "thread": words,
        "time": st.sampled_from(["0001-01-01", "9999-12-31T23:59:59Z", "2026-05-01 12:00:00,5"]),
    },
)
outputs = st.fixed_dictionaries(
    {}, optional={"equals": words, "contains": words, "excludes": words, "matches": words}
)
expects = st.fixed_dictionaries(
    {},
    optional={
        "to": names,
        "includes": names,
        "excludes": names,
        "dropped": st.booleans(),
        "output": st.dictionaries(st.sampled_from("abc"), outputs, max_size=3),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries({"record": records, "expect": expects}))
def test_any_test_ends_in_words(test: Any) -> None:
    """A test of any content passes, fails or is refused, and what is said can be printed."""
    text = json.dumps({**CONFIG, "tests": [test]}).replace("NaN", "1").replace("Infinity", "2")
    suite = load_suite(from_text(text, "c.json", "json"))
    assert suite.diagnostics == ()
    verdict = run(suite.examples[0], suite.explainer)
    "\n".join(describe(verdict)).encode("utf-8", "backslashreplace")
