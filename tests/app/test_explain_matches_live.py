"""What `explain` and `test` say is what the live process does, filters and text included."""

import itertools
import logging

import pytest

import logroute
from logroute.app.explain import Explainer
from logroute.config.load import load

CONFIG = """version: 1
formatters:
  line: {format: "%(levelname)s %(name)s %(message)s"}
  json: {type: json, fields: [levelname]}
filters:
  cards: {type: redact, patterns: "card=[0-9]+"}
  stamp: {type: add_fields, fields: {stamped: true}}
  once: {type: dedupe}
  shop: {name: shop}
handlers:
  a: {type: file, path: DIR/a, formatter: line, filters: [cards]}
  b: {type: file, path: DIR/b, filters: [stamp, once], formatter: json}
  c: {type: file, path: DIR/c, level: ERROR}
  d: {class: logging.FileHandler, filename: DIR/d, formatter: line, filters: [shop], delay: true}
  e: {type: file, path: DIR/e}
context: {service: till}
loggers:
  shop.audit: {level: DEBUG, handlers: [e], propagate: false, filters: [cards]}
  shop: {level: INFO, handlers: d}
root: {level: WARNING, handlers: [a]}
routes:
  - {match: {fields: {service: till}, message: quiet}, to: [], final: true}
  - {match: {level: ERROR, logger: shop.*}, to: [b, c, a], final_below: CRITICAL}
  - {match: {logger: [shop, web]}, to: [b, e]}
unmatched: [c]
"""
#: The same, with filters at the routes.
FILTERED = CONFIG.replace("to: [b, c, a], ", "to: [b, c, a], filters: [once, cards], ").replace(
    "to: [b, e]}", "to: [b, e], filters: [shop, cards]}\n  - {filters: stamp, to: [a, b, c, e]}"
)
NAMES = ("root", "shop", "shop.audit", "shop.audit.deep", "shop.cart", "web", "other")
LEVELS = (10, 20, 30, 40, 50)
MESSAGES = ("card=%d", "quiet %d")


@pytest.mark.parametrize(("name", "message"), list(itertools.product(NAMES, MESSAGES)))
@pytest.mark.parametrize("config", [CONFIG, FILTERED], ids=["plain", "filtered"])
def test_explanation_is_what_happens(tmp_path, config, name, message):
    """For every logger, level and message the same handlers write the same text."""
    text = config.replace("DIR", str(tmp_path))
    explainer = Explainer(load(text))
    for level in LEVELS:
        runtime = logroute.configure(text)
        logger = logging.getLogger() if name == "root" else logging.getLogger(name)
        keeper = _Keep()
        logger.addFilter(keeper)
        logger.log(level, message, level)
        logger.removeFilter(keeper)
        runtime.shutdown(10)
        record = keeper.record or logging.LogRecord(name, level, "", 0, message, (level,), None)
        told = explainer.explain(record)
        expected = {handler: told.output(handler) + "\n" for handler in told.reaches}
        written = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert {k: v for k, v in written.items() if v} == expected, str(told)
        for path in tmp_path.iterdir():
            path.unlink()


class _Keep(logging.Filter):
    """Keeps a copy of the record as the logger's own filters left it."""

    record = None

    def filter(self, record):
        self.record = logging.makeLogRecord(record.__dict__)
        return True
