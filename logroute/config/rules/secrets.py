"""Secrets: those written in the file, and connections anybody can read."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
