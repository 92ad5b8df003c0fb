"""The proof of a fix: what counts as another routing."""

from typing import Any

import pytest

from logroute.cli.fixes.proof import is_same_routing
from logroute.config.load import load
from logroute.config.model import Config

FEW, MANY = ({"type": "sample", "rate": rate} for rate in (0.1, 0.9))
ROUTE = {"match": {"logger": "app"}, "to": "out", "filters": ["few"]}


def config(*routes: dict[str, Any], **more: Any) -> Config:
    document = {"version": 1, "filters": {"few": FEW, "many": MANY}, "routes": list(routes)}
    loaded = load({"handlers": {"out": {"type": "console"}}, **document, **more}, environ={})
    assert loaded.config is not None
    return loaded.config


@pytest.mark.parametrize(
    "other",
    [
        config({**ROUTE, "filters": ["many"]}),
        config({**ROUTE, "filters": []}),
        config({**ROUTE, "audit": True}),
        config(ROUTE, {"to": "out"}),
        config(ROUTE, filters={"few": MANY}),
        config(ROUTE, handlers={"out": {"type": "console", "filters": ["few"]}}),
        config(ROUTE, loggers={"app": {"filters": ["few"]}}),
    ],
)
def test_other_filters_or_audits_are_another_routing(other: Config) -> None:
    """The same handlers by other filters, or not audited alike, are not the same ways."""
    assert not is_same_routing(config(ROUTE), other)


@pytest.mark.parametrize(
    "other",
    [
        config(ROUTE),
        config({**ROUTE, "to": ["out", "out"], "filters": ["few", "few"]}),
        config({**ROUTE, "filters": ["rare"]}, filters={"rare": FEW}),
        config(ROUTE, ROUTE),
    ],
)
def test_filters_by_another_name_are_the_same_routing(other: Config) -> None:
    """What a filter does counts, not what it is called or how often it is named."""
    assert is_same_routing(config(ROUTE), other)
