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


@pytest.mark.parametrize("parameters", [VOGT, tuple(VOGT)])
def test_arbitrage__vogt_by_keyword__refused(parameters: tuple[float, ...]) -> None:
    assert svi.arbitrage(parameters=parameters) == ["svi: butterfly arbitrage (slice 0)"]


def test_arbitrage__not_finite__refused() -> None:
    assert svi.arbitrage([FAIR._replace(a=float("nan"))]) == [
        "svi: parameters outside their domain (slice 0)"
    ]


def test_calibrate__wild_quotes__left_aside() -> None:
    k = np.linspace(-0.5, 0.5, 21)
    variance = svi.total_variance(parameters=FAIR, log_moneyness=k)
    quoted = variance.copy()
    quoted[[2, 9, 17]] *= [4.0, 0.2, 3.0]
    fitted = svi.calibrate(log_moneyness=k, variance=quoted)
    vol_error = np.sqrt(svi.total_variance(parameters=fitted, log_moneyness=k) / variance) - 1.0
    assert np.max(np.abs(vol_error)) < 0.01


def test_calibrate__weight_zero__quote_does_not_count() -> None:
    k = np.linspace(-0.5, 0.5, 11)
    quoted = svi.total_variance(parameters=FAIR, log_moneyness=k)
    quoted[5] = 1.0
    fitted = svi.calibrate(log_moneyness=k, variance=quoted, weights=np.where(np.arange(11) == 5, 0.0, 1.0))
    model = svi.total_variance(parameters=fitted, log_moneyness=np.delete(k, 5))
    assert np.allclose(model, np.delete(quoted, 5), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("variance", "reason"),
    [(np.nan, "svi: a quote is not finite"), (-0.1, "svi: a variance is not positive")],
)
def test_calibrate__broken_quote__refused(variance: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        svi.calibrate(log_moneyness=np.linspace(-1, 1, 6), variance=[0.1, 0.1, variance, 0.1, 0.1, 0.1])


def test_calibrate__floor_above_the_quotes__follows_it() -> None:
    k = np.linspace(-0.5, 0.5, 21)
    low = 0.9 * svi.total_variance(parameters=FAIR, log_moneyness=k)
    fitted = svi.calibrate(log_moneyness=k, variance=low, floor=FAIR)
    assert svi.arbitrage([FAIR, fitted]) == []
    assert np.min(svi.path_gap(FAIR, fitted, svi.nodes(fitted))) >= 0.0


def test_calibrate__between_floor_and_ceiling__keeps_both() -> None:
    k = np.linspace(-0.5, 0.5, 21)
    far = svi.scale(FAIR, 1.2)._replace(a=FAIR.a * 1.5)
    high = 1.5 * svi.total_variance(parameters=FAIR, log_moneyness=k)
    fitted = svi.calibrate(log_moneyness=k, variance=high, floor=FAIR, ceiling=far, on_path=False)
    assert svi.arbitrage([FAIR, fitted, far]) == []


def test_calibrate__warm_start_of_another_smile__same_fit() -> None:
    k = np.linspace(-0.5, 0.5, 21)
    variance = svi.total_variance(parameters=FAIR, log_moneyness=k)
    fitted = svi.calibrate(log_moneyness=k, variance=variance, warm_start=svi.Svi(0.3, 0.5, 0.8, 1.0, 1.0))
    assert np.allclose(svi.total_variance(parameters=fitted, log_moneyness=k), variance, rtol=0, atol=1e-8)


def test_repair__vogt__near_and_said() -> None:
    repaired = svi.repair([VOGT])
    assert svi.arbitrage(repaired.slices) == []
    assert repaired.slices[0].at_money == pytest.approx(VOGT.at_money, rel=0.05)
    assert repaired.changes[0].startswith("slice 0: butterfly arbitrage; variance at the money 0.0174263 ->")


def test_repair__fair_surface__left_as_it_is() -> None:
    surface = (FAIR, svi.scale(FAIR, 1.1))
    assert svi.repair(surface) == svi.Repaired(surface, ())


def test_repair__falling_variance__raised_to_the_earlier_slice() -> None:
    repaired = svi.repair([FAIR, svi.scale(FAIR, 0.8)])
    assert svi.arbitrage(repaired.slices) == []
    assert repaired.slices[0] == FAIR
    assert len(repaired.changes) == 1 and "calendar arbitrage" in repaired.changes[0]


def test_repair__not_finite__refused() -> None:
    with pytest.raises(ValueError, match="svi: a parameter is not finite"):
        svi.repair([FAIR._replace(m=float("inf"))])


def test_repair__lee_bound_and_a_kink__later_slice_follows() -> None:
    extreme = [svi.Svi(0.0, 2.0, -0.75, 1.0, 0.0), svi.Svi(0.0, 1.0, 0.0, 0.0, 0.0)]
    assert svi.arbitrage(svi.repair(extreme).slices) == []
