"""The counters for Prometheus: as text, or through `prometheus_client`.

An application that serves metrics already registers the collector once::

    from prometheus_client import REGISTRY
    from logroute.contrib.prometheus import Collector

    REGISTRY.register(Collector())

Any other one serves `exposition()` itself, with `CONTENT_TYPE`. The text needs no
package; the collector needs the extra `logroute[prometheus]`.
"""

from collections.abc import Iterator, Mapping, Sequence

from logroute.app.current import current
from logroute.app.metrics import CONTENT_TYPE, Family, families, render
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["CONTENT_TYPE", "Collector", "exposition"]


def exposition(stats: Mapping[str, Any] | None = None) -> str:
    """Return the counters in the Prometheus text format, version 0.0.4.

    Args:
        stats: what `logroute.stats()` returned; None: the counters of now, and no
            metrics where nothing is configured.
    """
    return render(_families(stats))


def _families(stats: Mapping[str, Any] | None) -> list[Family]:
    if stats is None:
        runtime = current()
        if runtime is None:
            return []
        stats = runtime.stats()
    return families([stats])


class Collector:
    """Brings the counters of this process into a registry of `prometheus_client`.

    Nothing is counted twice or kept: each scrape asks for the counters of that moment.
    """

    def collect(self) -> "Iterator[Metric]":
        """Yield the metrics of now; none where nothing is configured."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, kind, text, samples in _families(None):
            names = _label_names(samples)
            make: Any = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
            metric = make(name, text, labels=names)
            for labels, value in samples:
                metric.add_metric([word for _, word in labels], float(value))
            yield metric

    def describe(self) -> "list[Metric]":
        """Return nothing: what there is to tell depends on the config, which may change."""
        return []


def _label_names(samples: Sequence[Any]) -> list[str]:
    return [key for key, _ in samples[0].labels] if samples else []
