"""Every rule by its code, those included that come up while a file is read.

Loaded by `logroute rule`, by machine formats that describe their rules, and by
the docs; a check of a good file does without.
"""

from collections.abc import Mapping

from logroute.config.rules import RULES
from logroute.config.rules.advice import ADVICE
from logroute.config.rules.host import HOST
from logroute.config.rules.probes import PROBES
from logroute.config.rules.reading import READING
from logroute.config.rules.rule import Rule
from logroute.config.rules.shape import SHAPE

__all__ = ["catalogue"]


def catalogue() -> Mapping[str, Rule]:
    """Return every rule by code, in the order of the codes.

    Where several generators give one code, the page is that of the first, and the
    severity the gravest.
    """
    found: dict[str, Rule] = {}
    for rule in (*READING, *SHAPE, *RULES, *ADVICE, *HOST, *PROBES):
        found.setdefault(rule.code, rule)
    return dict(sorted(found.items()))
