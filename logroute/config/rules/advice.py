"""The rules that only a check runs: what works, but hardly as meant."""

from logroute.config.rules import (
    audits,
    credentials,
    definitions,
    fallbacks,
    files,
    habits,
    layouts,
    loggers,
    network,
    patterns,
    queues,
    reach,
    routes,
    scalars,
    secrets,
    sockets,
    stdlib,
)
from logroute.config.rules.rule import Rule

__all__ = ["ADVICE"]

#: By the area of their codes.
ADVICE: tuple[Rule, ...] = (
    *scalars.ADVICE,
    *definitions.ADVICE,
    *routes.ADVICE,
    *reach.ADVICE,
    *audits.ADVICE,
    *loggers.ADVICE,
    *layouts.ADVICE,
    *patterns.ADVICE,
    *files.ADVICE,
    *sockets.ADVICE,
    *network.ADVICE,
    *credentials.ADVICE,
    *secrets.ADVICE,
    *queues.ADVICE,
    *fallbacks.ADVICE,
    *habits.ADVICE,
    *stdlib.ADVICE,
)
