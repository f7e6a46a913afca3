"""Logarithms of ratios against mpmath; the rest is tested through `kernels`."""

import mpmath as mp
import numpy as np

from keeper.pricing.elementary import log_ratio

EPS = float(np.finfo(np.float64).eps)


def test_log_ratio__close_and_far__within_two_ulp() -> None:
    random = np.random.default_rng(1)
    y = np.exp(random.uniform(-300, 300, 2_000))
    near = 1 + random.normal(size=2_000) * 10.0 ** random.uniform(-15, 0, 2_000)
    x = y * np.where(near > 0.01, near, np.exp(random.uniform(-20, 20, 2_000)))
    found = log_ratio(x, y)
    with mp.workdps(50):
        for ours, a, b in zip(found, x, y, strict=True):
            true = mp.log(mp.mpf(float(a)) / mp.mpf(float(b)))
            assert abs(mp.mpf(float(ours)) - true) <= 2 * EPS * abs(true)


def test_log_ratio__equal__zero() -> None:
    assert np.array_equal(log_ratio(np.array([1e-300, 3.0]), np.array([1e-300, 3.0])), [0.0, 0.0])
