"""The counters as metrics: names, kinds and help, and the Prometheus text format.

Pure; any thread. The format is version 0.0.4 of the Prometheus text exposition:
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from logroute.engine.stats import totals
from logroute.light import Any, NamedTuple

__all__ = ["CONTENT_TYPE", "Family", "Sample", "families", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]

#: Reasons of drops that are shown as 0 before the first one: a counter that appears
#: with a value has no increase that an alert could see.
REASONS = ("queue_full", "shed", "rejected", "undelivered", "shutdown")

STATES = ("ok", "losing", "failing", "open")


class Sample(NamedTuple):
    """One value and the labels that tell it from the others of its family."""

    labels: Labels
    value: float


class Family(NamedTuple):
    """A metric.

    Attributes:
        name: with the unit; that of a counter ends in ``_total``.
        kind: ``counter`` or ``gauge``.
        help: one sentence.
        samples: its values.
    """

    name: str
    kind: str
    help: str
    samples: list[Sample]


#: Of the process: name, kind, help, key of the stats.
_OF_PROCESS = (
    ("start_time_seconds", "gauge", "When logging was configured, since the epoch.", "started"),
    ("accepted_records_total", "counter", "Records taken from the application.", "accepted"),
    ("intake_records", "gauge", "Records that are not yet routed.", "intake"),
    ("unmatched_records_total", "counter", "Records that no route wanted.", "unmatched"),
    ("internal_records_total", "counter", "Records that logroute's threads made.", "internal"),
    ("faults_total", "counter", "Faults inside logroute that no caller saw.", "faults"),
    ("notices_total", "counter", "Lines for stderr about logging itself.", "notices"),
)

#: Of a handler's ledger, reloads included: name, help, key, label of a mapping's keys.
_OF_LEDGER = (
    ("enqueued", "Records that were routed to the handler.", "enqueued", None),
    ("delivered", "Records that the destination has.", "delivered", None),
    ("dropped", "Records that were lost, by reason.", "dropped", "reason"),
    ("filtered", "Records that a filter dropped, by filter.", "filtered", "filter"),
    ("dead_lettered", "Records that are in the dead letter file.", "dead_lettered", None),
    ("handed_over", "Records that the fallback got.", "handed_to_fallback", None),
)

#: Of a handler as it is: name, kind, help, key.
_OF_HANDLER = (
    ("queue_bytes", "gauge", "Bytes that wait.", "queued_bytes"),
    ("queue_max_records", "gauge", "Most records that may wait.", "max_records"),
    ("queue_max_bytes", "gauge", "Most bytes that may wait.", "max_bytes"),
    ("oldest_seconds", "gauge", "For how long the oldest unsettled record waits.", "oldest"),
    ("spool_bytes", "gauge", "Bytes on disk.", "spool_bytes"),
    ("recovered_records_total", "counter", "Records of earlier processes.", "recovered"),
    ("restarts_total", "counter", "Faults that the handler's thread survived.", "restarts"),
)


def families(all_stats: Sequence[Mapping[str, Any]]) -> list[Family]:
    """Return the metrics of some processes; where there are several, ``pid`` tells them apart."""
    found: dict[str, Family] = {}
    for stats in all_stats:
        own: Labels = (("pid", str(stats["pid"])),) if len(all_stats) > 1 else ()
        for name, kind, text, labels, value in _metrics(stats):
            family = found.setdefault(name, Family(f"logroute_{name}", kind, text, []))
            family.samples.append(Sample((*own, *labels), value))
    return list(found.values())


_Metric = tuple[str, str, str, Labels, float]


def _metrics(stats: Mapping[str, Any]) -> Iterator[_Metric]:
    yield "info", "gauge", "Which logroute runs.", (("version", stats["version"]),), 1
    for name, kind, text, key in _OF_PROCESS:
        yield name, kind, text, (), stats[key]
    yield from _reloads(stats["reload"])
    for handler, counts in totals(stats).items():
        yield from _ledger(handler, counts)
    for handler, counts in stats["handlers"].items():
        yield from _handler(handler, counts)


def _reloads(reload: Mapping[str, Any]) -> Iterator[_Metric]:
    yield "reloads_total", "counter", "Reloads that were tried.", (), reload["count"]
    text = "Whether the last reload put the config in force that is in the file."
    yield "config_is_current", "gauge", text, (), reload["error"] is None
    if reload["when"] is not None:
        text = "When a reload was tried last, since the epoch."
        yield "last_reload_timestamp_seconds", "gauge", text, (), reload["when"]


def _ledger(handler: str, counts: Mapping[str, Any]) -> Iterator[_Metric]:
    own: Labels = (("handler", handler),)
    for name, text, key, label in _OF_LEDGER:
        name = f"handler_{name}_records_total"  # noqa: PLW2901
        value = counts.get(key, 0)
        if label is None:
            yield name, "counter", text, own, value
            continue
        known = dict.fromkeys(REASONS, 0) if key == "dropped" else {}
        for what, count in {**known, **(value or {})}.items():
            yield name, "counter", text, (*own, (label, what)), count
    for name, text, key in (
        ("queued", "Records that wait.", "queued"),
        ("in_flight", "Records that are being sent.", "in_flight"),
    ):
        yield f"handler_{name}_records", "gauge", text, own, counts.get(key, 0)


def _handler(handler: str, counts: Mapping[str, Any]) -> Iterator[_Metric]:
    own: Labels = (("handler", handler),)
    for name, kind, text, key in _OF_HANDLER:
        value = counts.get(key)
        if value is None and key != "oldest":
            continue
        yield f"handler_{name}", kind, text, own, value or 0
    errors = counts["errors"]
    yield (
        "handler_errors_total",
        "counter",
        "Faults of sending or formatting.",
        own,
        errors["count"],
    )
    if errors["when"] is not None:
        text = "When something went wrong last, since the epoch."
        yield "handler_last_error_timestamp_seconds", "gauge", text, own, errors["when"]
    for state in STATES:
        text = "1 for the state that the handler is in: " + ", ".join(STATES) + "."
        labels = (*own, ("state", state))
        yield "handler_state", "gauge", text, labels, counts["state"] == state


def render(found: Iterable[Family]) -> str:
    """Return metrics in the Prometheus text format."""
    lines = []
    for family in found:
        text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"# HELP {family.name} {text}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.samples:
            shown = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels)
            lines.append(f"{family.name}{shown and f'{{{shown}}}'} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(int(value))
