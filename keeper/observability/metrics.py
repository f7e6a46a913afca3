"""Counters and gauges of one process, in Prometheus' text format."""

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Metric:
    kind: str
    help: str


@dataclass
class Metrics:
    """Named numbers; a name must be declared before it is used."""

    _declared: dict[str, _Metric] = field(default_factory=dict)
    _values: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counter(self, name: str, help: str) -> None:
        """Declare a number that only rises, from 0."""
        self._declare(name, _Metric("counter", help))

    def gauge(self, name: str, help: str) -> None:
        """Declare a number that is what was last set, at first 0."""
        self._declare(name, _Metric("gauge", help))

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter. KeyError if there is none of that name."""
        with self._lock:
            self._values[name] += by

    def set(self, name: str, value: float) -> None:
        """Set a gauge. KeyError if there is none of that name."""
        with self._lock:
            if name not in self._values:
                raise KeyError(name)
            self._values[name] = value

    def value(self, name: str) -> float:
        """A number as it is. KeyError if there is none of that name."""
        with self._lock:
            return self._values[name]

    def text(self) -> str:
        """All of them, by name."""
        with self._lock:
            lines = []
            for name, metric in sorted(self._declared.items()):
                lines += [
                    f"# HELP {name} {metric.help}",
                    f"# TYPE {name} {metric.kind}",
                    f"{name} {self._values[name]:g}",
                ]
        return "\n".join(lines) + "\n" if lines else ""

    def _declare(self, name: str, metric: _Metric) -> None:
        with self._lock:
            self._declared.setdefault(name, metric)
            self._values.setdefault(name, 0)
