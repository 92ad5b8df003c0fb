"""Queues and delivery: options that work against each other."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
