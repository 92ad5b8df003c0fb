"""Files: paths, rotation, permissions, as far as the config itself tells."""

from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

ADVICE: tuple[Rule, ...] = ()
