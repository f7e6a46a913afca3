"""Watches what a keeper observes: findings are kept, logged and counted.

Nothing is dropped and nothing is changed by it. The confidence that widens margins comes from the sources of
the moment, which every keeper can ask; what looks unusual depends on what this one happens to remember, and a
proposal made of that would be refused.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from keeper.analysis.anomalies import Finding
from keeper.analysis.anomaly_quorum import Round, scan_dissent
from keeper.analysis.anomaly_series import SeriesLimits, scan_series
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import ANOMALIES
from keeper.sources.prices import PriceSeries
from keeper.sources.source import Observation
from keeper.sources.verdicts import Entry, Verdict
from keeper.store import anomaly_store
from keeper.store.database import Database

_WINDOW = 128  # observations of each spot that a new one is compared with
_ROUNDS = 50
_RECENT_SECONDS = 3_600
_PRICE_UNIT = 10**8


@dataclass
class Watch:
    """What one keeper remembers of its observations, and what it found."""

    database: Database
    metrics: Metrics
    limits: SeriesLimits = SeriesLimits(window=_WINDOW)
    _spots: dict[int, deque[tuple[int, int]]] = field(default_factory=dict)
    _rounds: deque[Round] = field(default_factory=lambda: deque(maxlen=_ROUNDS))
    _rejected: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.metrics.declare(ANOMALIES)

    def observed(self, observation: Observation, rejected: Iterable[Entry]) -> list[Finding]:
        """Look at a new observation and at the sources that were not believed; returns what is new."""
        findings = self._sources(observation.timestamp, rejected)
        for underlying, spot in observation.spots.items():
            past = self._spots.setdefault(underlying, deque(maxlen=_WINDOW + 2))
            if not past or observation.timestamp > past[-1][0]:
                past.append((observation.timestamp, spot))
                findings += self._latest(underlying, past)
        return self._keep(findings, observation.timestamp)

    def proposed(self, time: int, answers: Mapping[str, str]) -> list[Finding]:
        """Look at what the attesters said to a proposal: why each refused, empty text where it signed."""
        self._rounds.append(Round(time, dict(answers)))
        return self._keep(scan_dissent(list(self._rounds)), time)

    def _latest(self, underlying: int, past: deque[tuple[int, int]]) -> list[Finding]:
        times = np.array([t for t, _ in past], dtype=np.int64)
        closes = np.array([p for _, p in past], dtype=np.float64) / _PRICE_UNIT
        interval = max(int(np.median(np.diff(times))), 1) if len(times) > 1 else 1
        series = PriceSeries(f"underlying {underlying}", times, closes, interval=interval)
        found = scan_series(series, self.limits, is_regular=False)
        return [f for f in found if f.time == times[-1] or f.kind == "frozen"]

    def _sources(self, now: int, rejected: Iterable[Entry]) -> list[Finding]:
        """A source that is rejected is one finding, until it is believed again."""
        entries = {(e.source, e.quantity): e for e in rejected}
        new = entries.keys() - self._rejected
        self._rejected = set(entries)
        return [_rejection(entries[key], now) for key in sorted(new)]

    def _keep(self, findings: list[Finding], now: int) -> list[Finding]:
        with self.database.begin() as connection:
            new = [f for f in findings if anomaly_store.keep_finding(connection, f.fields())]
            recent = anomaly_store.kept_findings(connection, now - _RECENT_SECONDS)
            silent = anomaly_store.acknowledgements(connection, [f["id"] for f in recent])
        self.metrics.set(ANOMALIES, sum(f["id"] not in silent for f in recent))
        for f in new:
            logger("watch").warning(
                "anomaly", id=f.id, kind=f.kind, subject=f.subject, why=f.explanation, action=f.action
            )
        return new


def _rejection(entry: Entry, now: int) -> Finding:
    kind = "dispersion" if entry.verdict == Verdict.OUTLIER else "feed"
    subject = f"{entry.source} {entry.quantity}"
    return Finding(kind, subject, now, 1.0, 1.0, f"{entry.verdict}: {entry.reason}")
