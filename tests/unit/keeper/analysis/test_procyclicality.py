"""Measures of how margins rise."""

import numpy as np
import pytest

from keeper.analysis.procyclicality import procyclicality


def test_procyclicality__one_jump__rise_at_every_horizon() -> None:
    margin = np.concatenate([np.full(40, 100.0), np.full(40, 150.0)])
    found = procyclicality(margin)
    assert found.peak_to_trough == 1.5
    assert found.rises == pytest.approx((0.5, 0.5, 0.5))


def test_procyclicality__slow_rise__longer_horizons_see_more() -> None:
    found = procyclicality(100.0 * 1.01 ** np.arange(100))
    assert found.rises == pytest.approx((0.01, 1.01**5 - 1, 1.01**30 - 1))


def test_procyclicality__fall_before_the_rise__measured_from_the_low() -> None:
    assert procyclicality(np.array([100.0, 50.0, 90.0] + [90.0] * 5)).rises[1] == pytest.approx(0.8)


def test_procyclicality__every_tenth_day__thirty_days_are_three_steps() -> None:
    margin = np.array([1.0, 2.0, 3.0, 4.0, 4.0])
    assert procyclicality(margin, step=10).rises == pytest.approx((1.0, 1.0, 3.0))


def test_procyclicality__no_margin__nothing_rises() -> None:
    assert procyclicality(np.zeros(10)).rises == (0.0, 0.0, 0.0)
