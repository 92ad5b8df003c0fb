"""Findings of the shape of a config; see `decode.py` and `schema.py`."""

from logroute.config.rules.rule import Rule

__all__ = ["SHAPE"]

SHAPE: tuple[Rule, ...] = ()
