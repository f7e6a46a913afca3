"""Jumps of smiles."""

import numpy as np
import pytest

from keeper.analysis.anomaly_surface import SmileHistory, robust_distances, scan_smiles

HOUR = 3_600


def history(n: int, seed: int, jump: tuple[int, int, float] | None = None) -> SmileHistory:
    """Hourly smiles that wander; `jump` is (time, point, size) of a change that stays."""
    steps = np.random.default_rng(seed).normal(0.0, 0.003, (n, 5))
    vols = 0.6 + np.cumsum(steps, axis=0) * 0.3 + np.cumsum(steps[:, :1], axis=0)
    if jump is not None:
        at, point, size = jump
        vols[at:, point] += size
    return SmileHistory(f"ETH {seed}", np.arange(n, dtype=np.int64) * HOUR, vols)


def test_scan__wandering_smiles__nothing() -> None:
    assert scan_smiles([history(60, 1), history(60, 2)]) == []


@pytest.mark.parametrize(
    ("point", "size", "name"), [(2, 0.08, "curvature"), (3, 0.08, "skew"), (0, -0.1, "curvature")]
)
def test_scan__one_point_jumps__found_and_named(point: int, size: float, name: str) -> None:
    found = scan_smiles([history(60, 1), history(60, 2, (40, point, size))])
    assert [(f.subject, f.time) for f in found] == [("ETH 2", 40 * HOUR)]
    assert name in found[0].explanation and found[0].widen > 1.0


def test_scan__jumps_that_come_often__do_not_pass_for_usual() -> None:
    jumps = [history(40, seed, (20, 3, 0.1)) for seed in range(5)]
    assert len(scan_smiles([*jumps, *(history(40, 10 + s) for s in range(5))])) == 5


def test_scan__few_steps__no_findings() -> None:
    assert scan_smiles([history(20, 1, (10, 2, 0.5))]) == []


def test_robust_distances__surface_that_never_moves__zero() -> None:
    assert not robust_distances(np.zeros((100, 3))).any()


def test_robust_distances__normal_steps__as_chi_of_three() -> None:
    steps = np.random.default_rng(3).normal(0.0, 0.01, (4_000, 3))
    # the median of a chi distribution with three degrees of freedom is 1.538
    assert float(np.median(robust_distances(steps))) == pytest.approx(1.538, abs=0.08)
