"""Black-76 against textbooks and an independent formula.

A spot model enters with F = S exp((r - q) T), D = exp(-r T).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from keeper.pricing import black76


@pytest.mark.parametrize(
    ("is_call", "forward", "strike", "years", "vol", "rate", "expected", "digits"),
    [
        # J. Hull, Options, Futures, and Other Derivatives: put on crude oil futures, Black's model
        (False, 20.0, 20.0, 4 / 12, 0.25, 0.09, 1.12, 2),
        # Hull, Black-Scholes-Merton: S = 42, K = 40, r = .10, six months
        (True, 42 * np.exp(0.05), 40.0, 0.5, 0.2, 0.10, 4.76, 2),
        (False, 42 * np.exp(0.05), 40.0, 0.5, 0.2, 0.10, 0.81, 2),
        # E. Haug, The Complete Guide to Option Pricing Formulas, Black-76: F = K = 19, nine months
        (True, 19.0, 19.0, 0.75, 0.28, 0.10, 1.7011, 4),
        (False, 19.0, 19.0, 0.75, 0.28, 0.10, 1.7011, 4),
    ],
)
def test_price__textbook_examples__match_to_the_printed_digits(
    is_call: bool,
    forward: float,
    strike: float,
    years: float,
    vol: float,
    rate: float,
    expected: float,
    digits: int,
) -> None:
    discount = np.exp(-rate * years)
    value = black76.price(
        is_call=is_call, forward=forward, strike=strike, years=years, vol=vol, discount=discount
    )
    assert round(float(value), digits) == expected


def test_greeks__hull_chapter_on_greek_letters__match_to_the_printed_digits() -> None:
    # S = 49, K = 50, r = 5 %, 20 weeks, vol 20 %:
    # delta .522, gamma .066, vega 12.1, theta -4.31 (with interest)
    years = 0.3846
    carry = np.exp(0.05 * years)
    g = black76.greeks(is_call=True, forward=49 * carry, strike=50, years=years, vol=0.2, discount=1 / carry)
    assert round(float(g.delta) * carry, 3) == 0.522
    assert round(float(g.gamma) * carry**2, 3) == 0.066
    assert round(float(g.vega), 1) == 12.1
    # the rest of Hull's theta is interest on the strike: r K exp(-rT) N(d2)
    d2 = (np.log(49 / 50) + (0.05 - 0.02) * years) / (0.2 * np.sqrt(years))
    assert round(float(g.theta) - 0.05 * 50 / carry * float(ndtr(d2)), 2) == -4.31


def test_price__against_scipy__relative_1e_12() -> None:
    random = np.random.default_rng(4)
    f, k = random.uniform(50, 150, 20_000), random.uniform(50, 150, 20_000)
    t, v = random.uniform(0.01, 2, 20_000), random.uniform(0.1, 2, 20_000)
    d1 = np.log(f / k) / (v * np.sqrt(t)) + v * np.sqrt(t) / 2
    expected = f * ndtr(d1) - k * ndtr(d1 - v * np.sqrt(t))
    ours = black76.price(is_call=True, forward=f, strike=k, years=t, vol=v)
    assert np.max(np.abs(ours - expected) / f) < 1e-12


positive = st.floats(1e-3, 1e6)


@settings(max_examples=300, deadline=None)
@given(st.booleans(), positive, positive, st.floats(0, 3), st.floats(0, 5))
def test_price__any_arguments__inside_no_arbitrage_bounds(
    is_call: bool, forward: float, strike: float, years: float, vol: float
) -> None:
    value = float(black76.price(is_call=is_call, forward=forward, strike=strike, years=years, vol=vol))
    payoff = max(forward - strike, 0.0) if is_call else max(strike - forward, 0.0)
    assert payoff <= value <= (forward if is_call else strike)


def test_price__negative_vol__refused() -> None:
    with pytest.raises(ValueError, match="pricing: negative"):
        black76.price(is_call=True, forward=1, strike=1, years=1, vol=-0.1)


def test_greeks__finite_differences__agree() -> None:
    base = {"is_call": False, "forward": 100.0, "strike": 110.0, "years": 0.3, "vol": 0.7}
    step = 1e-3

    def moved(name: str, size: float) -> float:
        return float(black76.price(**{**base, name: base[name] + size}))

    g = black76.greeks(**base)
    assert float(g.delta) == pytest.approx(
        (moved("forward", step) - moved("forward", -step)) / (2 * step), rel=1e-7
    )
    second = (moved("forward", step) - 2 * moved("forward", 0) + moved("forward", -step)) / step**2
    assert float(g.gamma) == pytest.approx(second, rel=1e-4)
    assert float(g.vega) == pytest.approx((moved("vol", 1e-5) - moved("vol", -1e-5)) / 2e-5, rel=1e-7)
    assert float(g.theta) == pytest.approx(-(moved("years", 1e-6) - moved("years", -1e-6)) / 2e-6, rel=1e-6)
