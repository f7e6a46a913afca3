"""Accounts: margins that jump while positions stand still, and behaviour unlike that of others.

Reference: F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation forest", ICDM (2008), 413-422: scores lie in
(0, 1], and those near one are easily isolated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, log1p

import numpy as np

from keeper.analysis.anomalies import Finding, widened
from keeper.sources.outliers import MAD_TO_DEVIATION
from keeper.sources.prices import Values

_FEWEST_POINTS = 60  # of which a forest can say what is usual
_TREES = 200
_SEED = 0
FEATURES = ("log gross", "margin per gross", "net share", "short option share", "legs", "turnover")


@dataclass(frozen=True)
class AccountPoint:
    """One account in one epoch. USD.

    Attributes:
        positions: quantity by packed instrument.
        gross: sum of |quantity| * spot.
        net: sum of quantity * spot, calls and forwards with their sign, puts against it.
        short_options: sum of |quantity| * spot of sold options.
        maintenance: maintenance margin.
        traded: sum of |change of quantity| * spot since the epoch before.
    """

    account: int
    time: int
    positions: Mapping[int, int]
    gross: float
    net: float
    short_options: float
    maintenance: float
    traded: float

    def features(self) -> tuple[float, ...]:
        """In the order of `FEATURES`."""
        gross = max(self.gross, 1.0)
        return (
            log1p(self.gross),
            self.maintenance / gross,
            self.net / gross,
            self.short_options / gross,
            log1p(len(self.positions)),
            self.traded / gross,
        )


def scan_margins(
    points: Sequence[AccountPoint], deviations: float = 8.0, least: float = 0.10
) -> list[Finding]:
    """Changes of margin per gross between epochs without a change of position, too far from those of the
    other accounts in the same epoch: a market that moves moves many.

    Args:
        deviations: robust standard deviations of all such changes of the log ratio.
        least: of the change itself, which is never remarkable below.
    """
    changes: dict[int, list[tuple[AccountPoint, AccountPoint, float]]] = {}
    for before, after in _neighbours(points):
        if before.positions == after.positions and before.maintenance > 0 and after.maintenance > 0:
            change = log(after.maintenance / after.gross) - log(before.maintenance / before.gross)
            changes.setdefault(after.time, []).append((before, after, change))
    centred = {t: [c - float(np.median([x[2] for x in row])) for *_, c in row] for t, row in changes.items()}
    everything = np.array([c for row in centred.values() for c in row])
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(everything))) if len(everything) else 0.0
    limit = max(deviations * spread, least)
    found = []
    for time, row in sorted(changes.items()):
        for (before, after, change), away in zip(row, centred[time], strict=True):
            if abs(away) > limit:
                found.append(_margin_finding(before, after, change, abs(away), limit))
    return found


def scan_behaviour(points: Sequence[AccountPoint], threshold: float = 0.72) -> list[Finding]:
    """Points that a forest isolates at once, one per account: its worst. Sixty points at least."""
    from sklearn.ensemble import IsolationForest  # two seconds to import

    alive = [p for p in points if p.gross > 0.0]
    if len(alive) < _FEWEST_POINTS:
        return []
    table = np.array([p.features() for p in alive])
    forest = IsolationForest(n_estimators=_TREES, random_state=_SEED).fit(table)
    scores = -forest.score_samples(table)
    worst: dict[int, int] = {}
    for i in np.argsort(scores):
        worst[alive[i].account] = int(i)
    return [
        _behaviour_finding(alive[i], float(scores[i]), threshold, _oddest(table, i))
        for _, i in sorted(worst.items())
        if scores[i] > threshold
    ]


def _neighbours(points: Sequence[AccountPoint]) -> list[tuple[AccountPoint, AccountPoint]]:
    """Consecutive points of each account."""
    ordered = sorted(points, key=lambda p: (p.account, p.time))
    return [(a, b) for a, b in pairwise(ordered) if a.account == b.account]


def _margin_finding(
    before: AccountPoint, after: AccountPoint, change: float, away: float, limit: float
) -> Finding:
    text = (
        f"maintenance per gross {before.maintenance / before.gross:.2%} to "
        f"{after.maintenance / after.gross:.2%} without a change of position, {np.expm1(change):+.0%}"
    )
    action, factor = widened(away / limit)
    subject = f"account {after.account}"
    return Finding("margin jump", subject, after.time, away, limit, text, action, factor)


def _oddest(table: Values, row: int) -> str:
    """The feature of a row that lies farthest from its median, in robust deviations."""
    centre = np.median(table, axis=0)
    spread = MAD_TO_DEVIATION * np.median(np.abs(table - centre), axis=0)
    away = (table[row] - centre) / np.maximum(spread, 1e-9 + 1e-3 * np.abs(centre))
    feature = int(np.argmax(np.abs(away)))
    return f"{FEATURES[feature]} {table[row, feature]:.3g} where {centre[feature]:.3g} is usual"


def _behaviour_finding(point: AccountPoint, score: float, threshold: float, oddest: str) -> Finding:
    text = f"unlike the other accounts: {oddest}"
    return Finding("behaviour", f"account {point.account}", point.time, score, threshold, text)
