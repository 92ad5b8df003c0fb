"""Findings that come up while a file is read; see `parse.py` and `expand.py`."""

from logroute.config.rules.rule import Rule

__all__ = ["READING"]

READING: tuple[Rule, ...] = ()
