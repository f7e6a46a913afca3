"""Kernels against NumPy, on many points."""

import numpy as np
import pytest

from keeper.pricing import kernels

ULP = float(np.finfo(np.float64).eps)


def test_exp__normal_range__within_two_ulp() -> None:
    x = np.random.default_rng(1).uniform(-700, 700, 100_000)
    assert np.max(np.abs(kernels.exp(x) / np.exp(x) - 1)) <= 2 * ULP


def test_exp__beyond_the_range__zero_or_the_largest() -> None:
    assert list(kernels.exp([-708.1, -1e300, 1e300]) == [0.0, 0.0, kernels.exp(709.0)]) == [True] * 3


def test_log__normal_range_and_near_one__within_two_ulp() -> None:
    random = np.random.default_rng(2)
    x = np.concatenate([np.exp(random.uniform(-700, 700, 50_000)), 1 + random.uniform(-0.3, 0.4, 50_000)])
    assert np.max(np.abs(kernels.log(x) - np.log(x)) / np.abs(np.log(x))) <= 3 * ULP


def test_log__zero__refused() -> None:
    with pytest.raises(ValueError, match="pricing: logarithm"):
        kernels.log(0.0)


def test_kernels__shape_and_batch__do_not_change_bits() -> None:
    x = np.random.default_rng(3).uniform(-5, 5, 1_001)
    one_by_one = np.array([float(kernels.exp(v)) for v in x])
    assert np.array_equal(one_by_one, kernels.exp(x))
    assert np.array_equal(kernels.exp(x)[::-1], kernels.exp(x[::-1]))
