"""Forwards: precedence, interpolation in time, put-call parity."""

from math import exp, log

import numpy as np
import pytest

from keeper.pricing import black76
from keeper.pricing.forward import ForwardPoint, Origin, forward_curve, put_call_parity


def test_forward_curve__several_at_one_expiry__future_stands() -> None:
    points = [
        ForwardPoint(0.5, f, o)
        for f, o in ((103.0, Origin.PARITY), (101.0, Origin.FUTURE), (102.0, Origin.VENUE))
    ]
    assert forward_curve(points, spot=100.0).at(0.5) == pytest.approx(101.0)


def test_forward_curve__between_expiries__logarithm_linear() -> None:
    curve = forward_curve([ForwardPoint(1.0, 110.0, Origin.FUTURE)], spot=90.0, perpetual=100.0)
    assert curve.at(0.0) == pytest.approx(100.0)
    assert curve.at(0.5) == pytest.approx(exp((log(100.0) + log(110.0)) / 2))


def test_forward_curve__beyond_the_last__same_carry() -> None:
    curve = forward_curve([ForwardPoint(1.0, 110.0, Origin.FUTURE)], spot=100.0)
    assert curve.at(2.0) == pytest.approx(121.0)


def test_forward_curve__spot_alone__flat() -> None:
    assert forward_curve([], spot=100.0).at(3.0) == pytest.approx(100.0)


@pytest.mark.parametrize(
    "point", [ForwardPoint(0.0, 100.0, Origin.FUTURE), ForwardPoint(1.0, 0.0, Origin.FUTURE)]
)
def test_forward_curve__point_not_above_zero__refused(point: ForwardPoint) -> None:
    with pytest.raises(ValueError, match="forward: prices and times to expiry must be above zero"):
        forward_curve([point], spot=100.0)


def test_at__past__refused() -> None:
    with pytest.raises(ValueError, match="forward: time to expiry is negative"):
        forward_curve([], spot=100.0).at(-0.1)


def pairs(discount: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    strike = np.linspace(70.0, 130.0, 13)
    call, put = (
        black76.price(is_call=c, forward=105.0, strike=strike, years=0.5, vol=0.6, discount=discount)
        for c in (True, False)
    )
    return strike, call, put


def test_put_call_parity__exact_prices__forward_and_rate() -> None:
    strike, call, put = pairs(exp(-0.04 * 0.5))
    found = put_call_parity(strike=strike, call=call, put=put, spread=1.0, discount=None)
    assert found.forward == pytest.approx(105.0, rel=1e-12)
    assert found.rate(0.5) == pytest.approx(0.04, rel=1e-9)
    assert found.pairs == 13


def test_put_call_parity__discount_given__forward_only() -> None:
    strike, call, put = pairs(1.0)
    assert put_call_parity(
        strike=strike[:1], call=call[:1], put=put[:1], spread=1.0
    ).forward == pytest.approx(105.0)


def test_put_call_parity__stale_prices__left_aside() -> None:
    strike, call, put = pairs(1.0)
    call[[1, 6]] += [8.0, -5.0]
    found = put_call_parity(strike=strike, call=call, put=put, spread=np.full(13, 0.5))
    assert found.forward == pytest.approx(105.0, abs=0.05)


@pytest.mark.parametrize("count", [0, 1])
def test_put_call_parity__too_few_pairs_for_a_discount__refused(count: int) -> None:
    strike, call, put = (x[:count] for x in pairs(1.0))
    with pytest.raises(ValueError, match="forward: too few strikes"):
        put_call_parity(strike=strike, call=call, put=put, spread=1.0, discount=None)


def test_put_call_parity__calls_for_puts__refused() -> None:
    strike, call, put = pairs(1.0)
    with pytest.raises(ValueError, match="forward: no positive forward"):
        put_call_parity(strike=strike, call=put, put=call, spread=1.0, discount=None)
