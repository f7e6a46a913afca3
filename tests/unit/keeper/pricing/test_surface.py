"""A surface at, between and beyond its tenors."""

import numpy as np
import pytest

from keeper.pricing import svi
from keeper.pricing.surface import Surface, Tenor

DAY = 86_400
NEAR = svi.Svi(0.001, 0.03, -0.2, 0.0, 0.1)
FAR = svi.Svi(0.01, 0.06, -0.3, 0.02, 0.2)
SURFACE = Surface((Tenor(10 * DAY, 10 / 365, 100.0, NEAR), Tenor(40 * DAY, 40 / 365, 104.0, FAR)))
K = np.linspace(-0.5, 0.5, 11)


def test_vol__at_a_tenor__the_slices_own() -> None:
    expected = np.sqrt(svi.total_variance(parameters=NEAR, log_moneyness=np.log(0.9)) / (10 / 365))
    assert SURFACE.vol(90.0, 10 * DAY) == pytest.approx(expected, rel=1e-12)


def test_total_variance__half_way__mean_of_both() -> None:
    both = [svi.total_variance(parameters=x, log_moneyness=K) for x in (NEAR, FAR)]
    assert np.allclose(SURFACE.total_variance(K, 25 * DAY), (both[0] + both[1]) / 2, rtol=1e-12)


def test_total_variance__before_the_first__vols_stay() -> None:
    assert SURFACE.vol(100.0, 5 * DAY) == pytest.approx(SURFACE.vol(100.0, 10 * DAY), rel=1e-12)


def test_total_variance__after_the_last__grows_alike_at_every_moneyness() -> None:
    grown = SURFACE.total_variance(K, 70 * DAY) - SURFACE.total_variance(K, 40 * DAY)
    assert np.allclose(grown, FAR.at_money - NEAR.at_money, rtol=1e-12)


def test_slices_at__any_times__free_of_arbitrage() -> None:
    times = [5 * DAY, 10 * DAY, 11 * DAY, 25 * DAY, 39 * DAY, 40 * DAY, 400 * DAY]
    assert svi.arbitrage(SURFACE.slices_at(times)) == []


@pytest.mark.parametrize("day", [5, 10, 40, 70])
def test_slice_at__outside_and_at_tenors__exact(day: int) -> None:
    model = svi.total_variance(parameters=SURFACE.slice_at(day * DAY), log_moneyness=K)
    assert np.allclose(model, SURFACE.total_variance(K, day * DAY), rtol=1e-12)


def test_forward__between__logarithm_linear() -> None:
    assert SURFACE.forward(25 * DAY) == pytest.approx((100.0 * 104.0) ** 0.5)


def test_vol__past_expiry__refused() -> None:
    with pytest.raises(LookupError, match="surface: expiry 0 has passed"):
        SURFACE.vol(100.0, 0)


def test_surface__falling_variance__refused() -> None:
    tenors = (SURFACE.tenors[0], SURFACE.tenors[1].__class__(40 * DAY, 40 / 365, 104.0, svi.scale(NEAR, 0.5)))
    with pytest.raises(ValueError, match="surface: svi: calendar arbitrage"):
        Surface(tenors)


def test_surface__out_of_order__refused() -> None:
    with pytest.raises(ValueError, match="surface: tenors must be given"):
        Surface(SURFACE.tenors[::-1])


def test_surface__one_tenor__extends_both_ways() -> None:
    one = Surface(SURFACE.tenors[:1])
    assert one.vol(100.0, 20 * DAY) == pytest.approx(one.vol(100.0, 10 * DAY), rel=1e-9)
