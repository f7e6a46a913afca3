"""Jumps of a smile: the Mahalanobis distance of a step in level, skew and curvature from the usual steps.

The covariance of the usual steps is the minimum covariance determinant (P. J. Rousseeuw and K. Van Driessen,
"A fast algorithm for the minimum covariance determinant estimator", Technometrics 41 (1999), 212-223), so
that the jumps looked for do not pass for usual.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.analysis.anomalies import Finding, widened
from keeper.sources.prices import Times, Values

_FEWEST = 30  # steps, for three variances and three covariances
_LEAST_STEP = 1e-4  # vol; steps of a surface that nobody refits
_SEED = 0


@dataclass(frozen=True, eq=False)
class SmileHistory:
    """Vols of one expiry at standard moneyness (`keeper.sources.smile_distance`), ascending in time.

    Attributes:
        subject: as "ETH 2026-03-27".
        timestamps: (n,) unix seconds.
        vols: (n, 5) annualised, at -1, -1/2, 0, 1/2 and 1 standard deviations (at 100 % vol).
    """

    subject: str
    timestamps: Times
    vols: Values

    def steps(self) -> Values:
        """(n - 1, 3) changes of level, skew and curvature per root hour."""
        level, skew = self.vols[:, 2], self.vols[:, 3] - self.vols[:, 1]
        curvature = self.vols[:, 4] - 2.0 * self.vols[:, 2] + self.vols[:, 0]
        hours = np.maximum(np.diff(self.timestamps), 1) / 3_600.0
        return np.asarray(
            np.diff(np.column_stack([level, skew, curvature]), axis=0) / np.sqrt(hours)[:, None]
        )


def scan_smiles(histories: Sequence[SmileHistory], deviations: float = 8.0) -> list[Finding]:
    """Steps farther than `deviations` from the usual; expiries of one underlying are judged together.

    Fewer than 30 steps in all say nothing about what is usual, and give no findings.
    """
    steps = [(h, i, step) for h in histories for i, step in enumerate(h.steps())]
    if len(steps) < _FEWEST:
        return []
    distances = robust_distances(np.array([step for _, _, step in steps]))
    found = []
    for (history, i, step), distance in zip(steps, distances, strict=True):
        if distance > deviations:
            found.append(_finding(history, i, step, float(distance), deviations))
    return found


def robust_distances(steps: Values) -> Values:
    """(n,) Mahalanobis distances of (n, k) steps from their robust centre; 0 where nothing ever moves."""
    from sklearn.covariance import MinCovDet  # two seconds to import

    moving = steps[np.any(np.abs(steps) > _LEAST_STEP, axis=1)]
    if len(moving) < _FEWEST:
        return np.zeros(len(steps))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # singular: the floor below helps
        usual = MinCovDet(random_state=_SEED).fit(moving)
    floor = np.eye(steps.shape[1]) * _LEAST_STEP**2
    away = steps - usual.location_
    inverse = np.linalg.inv(usual.covariance_ + floor)
    return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away)))


def _finding(history: SmileHistory, i: int, step: Values, distance: float, deviations: float) -> Finding:
    before, after = history.vols[i], history.vols[i + 1]
    names = ("level", "skew", "curvature")
    widest = names[int(np.argmax(np.abs(step)))]
    text = (
        f"vol at the money {before[2]:.1%} to {after[2]:.1%}, skew {before[3] - before[1]:+.1%} to "
        f"{after[3] - after[1]:+.1%}: {distance:.1f} robust deviations, most of it {widest}"
    )
    action, factor = widened(distance / deviations)
    time = int(history.timestamps[i + 1])
    return Finding("surface jump", history.subject, time, distance, deviations, text, action, factor)
