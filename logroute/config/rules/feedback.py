"""Feedback: handlers that are sent what they cause themselves.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.flow import effective_level
from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.rules.rule import rule
from logroute.config.views.certainty import FLOW_SECTIONS, is_overlaid
from logroute.config.views.entries import class_of, handlers
from logroute.config.views.facts import Facts
from logroute.config.views.survey import survey
from logroute.config.views.wording import first_line, level_places
from logroute.diagnostics import Diagnostic, Severity
from logroute.light import NamedTuple

__all__ = ["feedback_loops"]


class _Transport(NamedTuple):
    """The loggers of what a class of handlers sends with; `level` is that of each delivery."""

    loggers: tuple[str, ...]
    level: int


_OVER_HTTP = _Transport(("urllib3.connectionpool",), 10)
#: By the beginning of the dotted name of a class.
_TRANSPORTS = {
    "logging_loki.": _OVER_HTTP,
    "seqlog.": _OVER_HTTP,
    "logzio.": _OVER_HTTP,
    "splunk_handler.": _OVER_HTTP,
    "splunk_hec_handler.": _OVER_HTTP,
    "telegram_handler.": _OVER_HTTP,
    "discord_handler.": _OVER_HTTP,
    "slack_logger.": _OVER_HTTP,
    "watchtower.": _Transport(("botocore.endpoint", "urllib3.connectionpool"), 10),
    "cmreslogging.": _Transport(("elasticsearch", "elastic_transport.transport"), 20),
    "opencensus.ext.azure.": _OVER_HTTP,
    "google.cloud.logging": _Transport(("google.auth.transport.requests", *_OVER_HTTP.loggers), 10),
    "kafka_logging_handler.": _Transport(("kafka",), 10),
}


@rule("LR312", Severity.WARNING)
def feedback_loops(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers that are sent the records of their own transport (LR312).

    A handler of another package that sends with `requests` makes urllib3 log each
    connection at DEBUG. Where those records get to the handler again, every delivery
    causes the next one, or recurses::

        handlers:
          loki: {class: logging_loki.LokiHandler, url: "https://loki.example.org/push"}
        root: {level: DEBUG, handlers: [loki]}

    Give the transport's logger a higher level: `urllib3: {level: INFO}`. The kinds of
    logroute are not concerned: what their threads log gets to no route.
    """
    found = survey(facts)
    if found is None or not found.knows_levels or is_overlaid(facts, *FLOW_SECTIONS):
        return
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        if spec is None or not isinstance(spec.sink, Foreign) or spec.filters:
            continue
        class_ = class_of(entry)
        transport = next((t for head, t in _TRANSPORTS.items() if class_.startswith(head)), None)
        for logger in transport.loggers if transport is not None else ():
            assert transport is not None
            row = found.row_of(logger)
            level = found.bits([(0, transport.level)])
            band = 1 << (level.bit_length() - 1)
            origin = effective_level(facts.config, facts.levels, logger)
            is_let = origin.number <= transport.level and row.made & band
            if origin.origin in found.unsure or not is_let or not found.delivered(row, name) & band:
                continue
            yield _fed_back(facts, entry, name, logger, transport.level, origin.origin)
            break


def _fed_back(
    facts: Facts, entry: Node, name: str, logger: str, level: int, origin: str | None
) -> Diagnostic:
    top = logger.partition(".")[0]
    higher = facts.levels.name(level + 10)
    return Diagnostic(
        Severity.WARNING,
        "LR312",
        f"handler `{shown(name)}` gets what it causes itself: each delivery makes `{logger}` log "
        f"at {facts.levels.name(level)}",
        first_line(entry.at(("class",)) or entry.at(("()",)) or entry),
        f"add `{top}: {{level: {higher}}}` under `loggers`",
        level_places(facts, [origin]),
    )
