"""Networks: hosts, ports and sizes that hardly work."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
