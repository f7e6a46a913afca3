"""Prices and Greeks against mpmath at sixty digits, computed here, and against QuantLib."""

from dataclasses import asdict

import mpmath as mp
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the name its documentation uses

from keeper.pricing import black76
from tests.support.black76_reference import DIGITS, Options, draw, exact

SECOND, DAY = 1 / 31_536_000, 1 / 365
EPS = float(np.finfo(np.float64).eps)
NAMES = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga")

REGIMES = {
    "ordinary": ((DAY, 3.0), 3.0, 1.5),
    "near the money": ((DAY, 1.0), 1e-3, 1.5),
    "deep in the wings": ((DAY, 1.0), 12.0, 1.2),
    "a price of 1e-200": ((DAY, 1.0), 30.0, 1.0),
    "seconds to expiry": ((SECOND, 3_600 * SECOND), 6.0, 1.5),
    "large total vol": ((1.0, 30.0), 2.0, 10.0),
    "tiny total vol": ((1e-18, 1e-10), 3.0, 1.0),
}


def computed(o: Options) -> dict[str, np.ndarray]:
    return {"price": black76.price(**asdict(o)), **black76.greeks(**asdict(o))._asdict()}


def cancelled(name: str, true: dict[str, mp.mpf]) -> float:
    """How many digits d1 and d2 lose as the difference of two terms, which no formula in floats avoids."""
    losses = [(abs(true["d1"] - true["s"] / 2) + true["s"] / 2) / abs(true[d]) for d in ("d1", "d2")]
    return float({"vanna": losses[1], "volga": losses[0] + losses[1]}.get(name, 0))


@pytest.mark.parametrize("regime", REGIMES)
def test_greeks__against_mpmath__relative_1e_12(regime: str) -> None:
    o = draw(np.random.default_rng(7), 60, *REGIMES[regime])
    found = computed(o)
    with mp.workdps(DIGITS):
        for i in range(o.forward.size):
            true = exact(o, i)
            for name in NAMES:
                if abs(true[name]) < 1e-290:
                    continue
                error = abs(mp.mpf(float(found[name][i])) / true[name] - 1)
                assert error <= max(1e-12, 4 * EPS * cancelled(name, true)), (name, i, float(error))


def test_price__a_total_vol_of_forty__the_forward() -> None:
    value = black76.price(is_call=True, forward=100.0, strike=[1.0, 100.0, 1e4], years=16.0, vol=10.0)
    assert list(value) == [100.0, 100.0, 100.0]


@pytest.mark.parametrize("is_call", [True, False])
def test_sheet__against_quantlib__within_its_tolerance(is_call: bool) -> None:
    o = draw(np.random.default_rng(8), 200, *REGIMES["ordinary"])
    found = black76.sheet(**{**asdict(o), "is_call": is_call})
    greeks = black76.greeks(**{**asdict(o), "is_call": is_call})
    for i in range(o.forward.size):
        f, k, t, v, d = (float(a[i]) for a in (o.forward, o.strike, o.years, o.vol, o.discount))
        kind = ql.Option.Call if is_call else ql.Option.Put
        # QuantLib's price subtracts two terms of the size of the strike: that is its accuracy
        size = max(f, k)
        assert found.price[i] == pytest.approx(ql.blackFormula(kind, k, f, v * t**0.5, d), abs=1e-13 * size)
        them = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, k), f, v * t**0.5, d)
        assert found.delta[i] == pytest.approx(them.deltaForward(), abs=1e-13)
        assert found.gamma[i] == pytest.approx(them.gammaForward(), rel=1e-9, abs=1e-13 / f)
        assert found.vega[i] == pytest.approx(them.vega(t), rel=1e-11)
        assert greeks.rho[i] == pytest.approx(-t * them.value(), abs=1e-13 * size * t)


def test_greeks__rho__slope_of_the_price_in_the_rate_with_the_forward_held() -> None:
    base = {"is_call": True, "forward": 100.0, "strike": 110.0, "years": 0.7, "vol": 0.5}

    def value(rate: float) -> float:
        return float(black76.price(**base, discount=np.exp(-rate * 0.7)))

    rho = black76.greeks(**base, discount=np.exp(-0.05 * 0.7)).rho
    assert rho == pytest.approx((value(0.05 + 1e-5) - value(0.05 - 1e-5)) / 2e-5, rel=1e-8)


def test_greeks__vanna_and_volga__slopes_of_delta_and_vega_in_vol() -> None:
    base = {"is_call": [True, False], "forward": 100.0, "strike": [110.0, 70.0], "years": 0.7}
    up, down = (black76.greeks(**base, vol=0.5 + step) for step in (1e-5, -1e-5))
    g = black76.greeks(**base, vol=0.5)
    assert g.vanna == pytest.approx((up.delta - down.delta) / 2e-5, rel=1e-7)
    assert g.volga == pytest.approx((up.vega - down.vega) / 2e-5, rel=1e-7)


def test_greeks__nothing_uncertain__delta_of_the_payoff_and_rho() -> None:
    strike = [90.0, 110.0, 90.0, 110.0]
    g = black76.greeks(is_call=[True, True, False, False], forward=100.0, strike=strike, years=0.0, vol=0.5)
    assert list(g.delta) == [1.0, 0.0, 0.0, -1.0]
    for row in (g.gamma, g.vega, g.theta, g.rho, g.vanna, g.volga):
        assert not np.any(row)
