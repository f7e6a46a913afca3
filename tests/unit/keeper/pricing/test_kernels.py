"""Kernels against the platform's libraries, which are accurate to about one unit in the last place."""

import numpy as np
import pytest
from scipy.special import ndtr

from keeper.pricing import kernels

ULP = np.finfo(np.float64).eps


def test_exp__normal_range__within_two_ulp() -> None:
    x = np.random.default_rng(1).uniform(-700, 700, 100_000)
    assert np.max(np.abs(kernels.exp(x) / np.exp(x) - 1)) <= 2 * ULP


def test_log__normal_range_and_near_one__within_two_ulp() -> None:
    random = np.random.default_rng(2)
    x = np.concatenate([np.exp(random.uniform(-700, 700, 50_000)), 1 + random.uniform(-0.3, 0.4, 50_000)])
    assert np.max(np.abs(kernels.log(x) - np.log(x)) / np.abs(np.log(x))) <= 3 * ULP


def test_log__zero__refused() -> None:
    with pytest.raises(ValueError, match="pricing: logarithm"):
        kernels.log(0.0)


def test_norm_cdf__against_scipy_ndtr__relative_1e_13() -> None:
    x = np.linspace(-37, 9, 100_001)
    assert np.max(np.abs(kernels.norm_cdf(x) / ndtr(x) - 1)) < 1e-13
    assert np.max(np.abs(kernels.norm_cdf(x) - ndtr(x))) <= 3e-16


def test_norm_cdf__dense_grid__monotone_and_symmetric() -> None:
    x = np.linspace(-8, 8, 200_001)
    assert np.all(np.diff(kernels.norm_cdf(x)) >= -2 * ULP)
    assert np.max(np.abs(kernels.norm_cdf(x) + kernels.norm_cdf(-x) - 1)) <= 2 * ULP


def test_kernels__shape_and_batch__do_not_change_bits() -> None:
    x = np.random.default_rng(3).uniform(-5, 5, 1_001)
    one_by_one = np.array([float(kernels.norm_cdf(v)) for v in x])
    assert np.array_equal(one_by_one, kernels.norm_cdf(x))
    assert np.array_equal(kernels.exp(x)[::-1], kernels.exp(x[::-1]))
