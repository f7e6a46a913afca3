"""Raw SVI: the published butterfly example, calibration, and surfaces in between."""

import numpy as np
import pytest

from keeper.pricing import svi

# A. Vogt's slice, in Gatheral and Jacquier (2014), section 3: positive variance, butterfly arbitrage
VOGT = svi.Svi(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
FAIR = svi.Svi(a=0.01, b=0.1, rho=-0.3, m=0.02, sigma=0.2)


def test_slice_arbitrage__vogt__refused() -> None:
    assert svi.slice_arbitrage(VOGT) == ["svi: butterfly arbitrage"]


def test_slice_arbitrage__fair_slice__none() -> None:
    assert svi.slice_arbitrage(FAIR) == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (FAIR._replace(b=1.9), "svi: wing steeper than Lee's bound"),
        (FAIR._replace(a=-0.1), "svi: negative variance"),
        (FAIR._replace(sigma=0.0), "svi: parameters outside their domain"),
    ],
)
def test_slice_arbitrage__broken_slice__named(broken: svi.Svi, reason: str) -> None:
    assert reason in svi.slice_arbitrage(broken)


def test_arbitrage__variance_falls_with_time__calendar() -> None:
    assert svi.arbitrage([FAIR, svi.scale(FAIR, 0.9)]) == ["svi: calendar arbitrage (slices 0 and 1)"]


def test_calibrate__exact_slice__recovered() -> None:
    k = np.linspace(-0.5, 0.5, 21)
    fitted = svi.calibrate(log_moneyness=k, variance=svi.total_variance(parameters=FAIR, log_moneyness=k))
    error = svi.total_variance(parameters=fitted, log_moneyness=k) - svi.total_variance(
        parameters=FAIR, log_moneyness=k
    )
    assert np.max(np.abs(error)) < 1e-6


def test_calibrate__quotes_of_vogt__repaired() -> None:
    k = np.linspace(-1.0, 1.5, 31)
    fitted = svi.calibrate(log_moneyness=k, variance=svi.total_variance(parameters=VOGT, log_moneyness=k))
    assert svi.slice_arbitrage(fitted) == []


def test_calibrate__four_quotes__refused() -> None:
    with pytest.raises(ValueError, match="svi: fewer than five quotes"):
        svi.calibrate(log_moneyness=[0, 1, 2, 3], variance=[1, 1, 1, 1])


@pytest.mark.parametrize("factor", [1e-6, 0.1, 0.5, 0.9])
def test_scale__down__stays_free_of_butterflies(factor: float) -> None:
    assert svi.slice_arbitrage(svi.scale(FAIR, factor)) == []


def test_interpolate__ends__are_the_slices() -> None:
    far = svi.Svi(a=0.03, b=0.15, rho=-0.4, m=0.0, sigma=0.3)
    assert np.allclose(svi.interpolate(FAIR, far, 0.0), FAIR)
    assert np.allclose(svi.interpolate(FAIR, far, 1.0), far)
