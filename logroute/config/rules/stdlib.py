"""Handlers of the standard library: their classes and constructors' arguments."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
