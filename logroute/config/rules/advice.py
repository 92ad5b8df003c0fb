"""The rules that only a check runs: what works, but hardly as meant."""

from logroute.config.rules import (
    credentials,
    files,
    habits,
    layouts,
    loggers,
    names,
    network,
    patterns,
    queues,
    reach,
    routes,
    secrets,
    stdlib,
)
from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

#: By the area of their codes.
ADVICE: tuple[Rule, ...] = (
    *names.ADVICE,
    *routes.ADVICE,
    *reach.ADVICE,
    *loggers.ADVICE,
    *layouts.ADVICE,
    *patterns.ADVICE,
    *files.ADVICE,
    *network.ADVICE,
    *credentials.ADVICE,
    *secrets.ADVICE,
    *queues.ADVICE,
    *habits.ADVICE,
    *stdlib.ADVICE,
)
