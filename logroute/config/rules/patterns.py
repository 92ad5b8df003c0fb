"""Patterns: regular expressions that are slow, or match everything."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
