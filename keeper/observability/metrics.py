"""Counters, gauges and histograms of one process, in Prometheus' text format.

Each `Metrics` has a registry of its own, so that several keepers in one interpreter (as in tests) do not
share numbers. What may be counted is in `names.TABLE`; a metric appears once it is declared or first used.
"""

import threading
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from keeper.observability.names import TABLE, Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for


class Metrics:
    """Numbers by name and labels. Thread-safe."""

    def __init__(self, table: Iterable[Metric] = TABLE) -> None:
        self._table = {metric.name: metric for metric in table}
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._lock = threading.Lock()

    def declare(self, *names: str) -> None:
        """Show metrics from the start: those without labels as 0. KeyError for what is not in the table."""
        for name in names:
            self._metric(name)

    def count(self, name: str, /, by: float = 1, **labels: object) -> None:
        """Add to a counter. KeyError if the table has none of that name, ValueError for other labels."""
        found = self._labelled(name, labels)
        assert isinstance(found, Counter)
        found.inc(by)

    def set(self, name: str, value: float, /, **labels: object) -> None:
        """Set a gauge. Raises as `count`."""
        found = self._labelled(name, labels)
        assert isinstance(found, Gauge)
        found.set(value)

    def observe(self, name: str, value: float, /, **labels: object) -> None:
        """Add an observation (seconds, blocks) to a histogram. Raises as `count`."""
        found = self._labelled(name, labels)
        assert isinstance(found, Histogram)
        found.observe(value)

    def forget(self, name: str, /, **labels: object) -> None:
        """Drop one series of a metric: what it was about is gone."""
        values = [str(labels[label]) for label in self._table[name].labels]
        self._metric(name).remove(*values)

    def value(self, name: str, /, **labels: object) -> float:
        """A counter or gauge as it is, 0 before its first use; of a histogram, the sum of its observations.

        KeyError if the table has none of that name.
        """
        sample = f"{name}_sum" if self._table[name].kind == "histogram" else name
        found = self._registry.get_sample_value(sample, {k: str(v) for k, v in labels.items()})
        return 0.0 if found is None else found

    def watch_process(self) -> None:
        """Also show this process's open files, memory and processor time under Prometheus' own names."""
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> str:
        """All of them."""
        return generate_latest(self._registry).decode()

    def _labelled(self, name: str, labels: dict[str, object]) -> Counter | Gauge | Histogram:
        metric = self._metric(name)
        return metric.labels(**{k: str(v) for k, v in labels.items()}) if labels else metric

    def _metric(self, name: str) -> Counter | Gauge | Histogram:
        with self._lock:
            if name not in self._made:
                self._made[name] = _make(self._table[name], self._registry)
            return self._made[name]


def _make(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=registry)
    buckets = metric.buckets or Histogram.DEFAULT_BUCKETS
    return Histogram(metric.name, metric.help, metric.labels, buckets=buckets, registry=registry)
