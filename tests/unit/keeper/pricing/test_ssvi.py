"""SSVI: the slice as raw SVI, the conditions, calibration with few quotes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.pricing import ssvi, svi
from keeper.pricing.ssvi import Quotes, Ssvi

SHARED = Ssvi(rho=-0.3, eta=1.2, gamma=0.4)


def quotes(theta: float, count: int, shared: Ssvi = SHARED) -> Quotes:
    k = np.linspace(-0.4, 0.5, count) if count > 1 else np.array([0.1])
    variance = svi.total_variance(parameters=shared.slice(theta), log_moneyness=k)
    return Quotes(k, variance, np.ones(count))


def test_slice__raw_svi__equals_the_definition() -> None:
    theta, k = 0.04, np.linspace(-1.0, 1.0, 9)
    # Gatheral and Jacquier (2014), equation 4.1
    phi = 1.2 / (0.04**0.4 * 1.04**0.6)
    rho = -0.3
    expected = theta / 2 * (1 + rho * phi * k + np.sqrt((phi * k + rho) ** 2 + 1 - rho**2))
    assert np.allclose(
        svi.total_variance(parameters=SHARED.slice(theta), log_moneyness=k), expected, rtol=1e-14
    )


@pytest.mark.parametrize(
    ("parameters", "thetas", "reason"),
    [
        (SHARED._replace(rho=1.0), (), "ssvi: parameters outside their domain"),
        (SHARED._replace(gamma=0.6), (), "ssvi: parameters outside their domain"),
        (SHARED._replace(eta=1.6), (), "ssvi: eta (1 + |rho|) above 2"),
        (SHARED, (0.1, 0.0), "ssvi: at-the-money variance not positive"),
        (SHARED, (0.2, 0.1), "ssvi: at-the-money variance falls with time"),
    ],
)
def test_arbitrage__condition_broken__named(parameters: Ssvi, thetas: tuple[float, ...], reason: str) -> None:
    assert reason in ssvi.arbitrage(parameters, thetas)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-0.99, 0.99),
    st.floats(0.05, 1.0),
    st.floats(0.01, 0.5),
    st.lists(st.floats(1e-4, 2.0), min_size=2, max_size=5),
)
def test_arbitrage__conditions_hold__raw_svi_has_none(
    rho: float, share: float, gamma: float, steps: list[float]
) -> None:
    shared = Ssvi(rho, share * 2.0 / (1.0 + abs(rho)) * (1.0 - 1e-12), gamma)
    thetas = np.cumsum(steps).tolist()
    assert ssvi.arbitrage(shared, thetas) == []
    assert svi.arbitrage([shared.slice(theta) for theta in thetas]) == []


def test_fit_theta__one_quote__met() -> None:
    assert ssvi.fit_theta(SHARED, quotes(0.04, 1)) == pytest.approx(0.04, rel=1e-6)


def test_fit_theta__floor_above__floor() -> None:
    assert ssvi.fit_theta(SHARED, quotes(0.04, 3), floor=0.05) == 0.05


def test_fit_theta__no_quotes__refused() -> None:
    with pytest.raises(ValueError, match="ssvi: no quotes; use the last good surface"):
        ssvi.fit_theta(SHARED, Quotes(*(np.empty(0) for _ in range(3))))


def test_calibrate__its_own_quotes__variances_recovered() -> None:
    thetas = (0.01, 0.03, 0.09)
    fit = ssvi.calibrate([quotes(theta, 9) for theta in thetas])
    assert fit.thetas == pytest.approx(thetas, rel=1e-3)
    assert fit.shared.rho == pytest.approx(SHARED.rho, abs=0.01)


def test_calibrate__few_quotes__free_of_arbitrage() -> None:
    fit = ssvi.calibrate([quotes(0.02, 1), quotes(0.01, 2), quotes(0.05, 1)])
    assert ssvi.arbitrage(fit.shared, fit.thetas) == []


def test_calibrate__no_expiry__refused() -> None:
    with pytest.raises(ValueError, match="ssvi: an expiry without quotes"):
        ssvi.calibrate([])
