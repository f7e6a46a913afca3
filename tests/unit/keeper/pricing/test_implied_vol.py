"""Implied vol: round trips where the price carries the vol, refusals where it does not, QuantLib, mpmath."""

from dataclasses import asdict

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
import QuantLib as ql  # noqa: N813 - the name its documentation uses

from keeper.pricing import black76
from tests.support.black76_reference import DIGITS, Options, draw, exact

DAY = 1 / 365
MINUTE = 1 / 525_600
EPS = float(np.finfo(np.float64).eps)


def implied(o: Options, price: npt.ArrayLike, **more: str) -> npt.NDArray[np.float64]:
    terms = {name: array for name, array in asdict(o).items() if name != "vol"}
    return black76.implied_vol(**terms, price=price, **more)


def carried(o: Options, price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Relative error of the vol that one rounding of the price leaves: eps * price / (vega * vol)."""
    return EPS * price / (black76.greeks(**asdict(o)).vega * o.vol)


@pytest.mark.parametrize(
    ("years", "nearest", "farthest"),
    [
        ((DAY, 2.0), 0.0, 3.0),
        ((DAY, 2.0), 3.0, 8.0),
        ((MINUTE, DAY), 0.0, 4.0),
        ((MINUTE, DAY), 3.0, 8.0),
        ((DAY, 2.0), 20.0, 30.0),
    ],
)
def test_implied_vol__out_of_the_money__round_trip_1e_10(
    years: tuple[float, float], nearest: float, farthest: float
) -> None:
    random = np.random.default_rng(1)
    o = draw(random, 20_000, years, 1.0, 1.5)
    away = random.uniform(nearest, farthest, 20_000) * np.where(o.is_call, 1.0, -1.0)
    strike = o.forward * np.exp(away * o.vol * np.sqrt(o.years))
    o = Options(**{**asdict(o), "strike": strike})
    price = black76.price(**asdict(o))
    assert np.all(carried(o, price) < 1e-12)
    assert np.max(np.abs(implied(o, price) / o.vol - 1)) <= 1e-10


@pytest.mark.parametrize("years", [(DAY, 2.0), (MINUTE, DAY), (2.0, 60.0)])
def test_implied_vol__any_side__as_good_as_the_price(years: tuple[float, float]) -> None:
    o = draw(np.random.default_rng(2), 20_000, years, 5.0, 3.0)
    price = black76.price(**asdict(o))
    vol = implied(o, price, invalid="nan")
    kept = carried(o, price)
    # a few roundings: of the price, of price / discount and of what is left without the payoff
    assert np.all((np.abs(vol / o.vol - 1) <= 1e-13 + 8 * kept)[kept < 1e-3])
    informed = kept < 1e-12
    assert np.count_nonzero(informed) > 10_000
    assert np.max(np.abs(vol / o.vol - 1)[informed]) <= 1e-10


def test_implied_vol__total_vol_from_three_to_ten__converges() -> None:
    total = np.linspace(3.0, 10.0, 500)
    for log_strike in (0.0, 1.0, 5.0, 20.0):
        o = Options(*np.broadcast_arrays(True, 1.0, np.exp(log_strike), 1.0, total, 1.0))
        price = black76.price(**asdict(o))
        kept = carried(o, price)
        error = np.abs(implied(o, price) / total - 1)
        assert np.all(error <= 1e-13 + 4 * kept)


def test_implied_vol__price_of_mpmath__vol_back() -> None:
    o = draw(np.random.default_rng(3), 50, (DAY, 1.0), 4.0, 1.5)
    o = Options(**{**asdict(o), "is_call": o.strike >= o.forward})
    with mp.workdps(DIGITS):
        price = np.array([float(exact(o, i)["price"]) for i in range(50)])
    assert np.max(np.abs(implied(o, price) / o.vol - 1)) <= 1e-13


def test_implied_vol__against_quantlib__agrees() -> None:
    o = draw(np.random.default_rng(4), 100, (0.05, 2.0), 1.0, 1.5)
    price = black76.price(**asdict(o))
    vol = implied(o, price)
    for i in range(100):
        kind = ql.Option.Call if o.is_call[i] else ql.Option.Put
        f, k, t, d = (float(a[i]) for a in (o.forward, o.strike, o.years, o.discount))
        theirs = ql.blackFormulaImpliedStdDev(kind, k, f, float(price[i]), d, 0.0, 0.3, 1e-13, 200) / t**0.5
        assert vol[i] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"price": 10.0}, "not above the discounted payoff"),
        ({"price": 9.0}, "not above the discounted payoff"),
        ({"price": 10.0 * (1 + 2e-16)}, "not above the discounted payoff"),
        ({"strike": 200.0, "price": 0.0}, "not above the discounted payoff"),
        ({"strike": 200.0, "price": -1.0}, "not above the discounted payoff"),
        ({"price": 100.0}, "not below the discounted forward"),
        ({"price": 101.0}, "not below the discounted forward"),
        ({"is_call": False, "price": 90.0}, r"strike \(put\)"),
        ({"discount": 0.5, "price": 50.0}, "not below the discounted forward"),
        ({"price": float("nan")}, "not finite"),
        ({"price": float("inf")}, "not finite"),
        ({"forward": float("nan")}, "not finite"),
        ({"years": float("inf")}, "not finite"),
        ({"years": 0.0}, "no time is left"),
        ({"years": -1.0}, "no time is left"),
        ({"strike": 0.0}, "must be positive"),
        ({"forward": -1.0}, "must be positive"),
        ({"discount": 0.0}, "must be positive|not finite"),
    ],
)
def test_implied_vol__no_vol__refused_or_nan(changed: dict[str, float], why: str) -> None:
    terms = {"is_call": True, "forward": 100.0, "strike": 90.0, "years": 1.0, "price": 12.0} | changed
    with pytest.raises(ValueError, match=f"pricing: no implied vol for 1 of 1 prices.*{why}"):
        black76.implied_vol(**terms)
    assert np.isnan(black76.implied_vol(**terms, invalid="nan"))


def test_implied_vol__some_without_vol__counted_and_the_first_named() -> None:
    terms = {"is_call": True, "forward": 100.0, "strike": 90.0, "years": 1.0}
    price = [12.0, 9.0, np.nan]
    with pytest.raises(ValueError, match=r"2 of 3 prices, first at index 1.*price 9"):
        black76.implied_vol(**terms, price=price)
    vol = black76.implied_vol(**terms, price=price, invalid="nan")
    assert np.isfinite(vol).tolist() == [True, False, False]
    assert vol[0] == black76.implied_vol(**terms, price=12.0)


def test_implied_vol__scalars__a_float() -> None:
    vol = black76.implied_vol(is_call=True, forward=100.0, strike=100.0, years=0.25, price=11.9)
    assert isinstance(vol, float)
    assert black76.price(is_call=True, forward=100.0, strike=100.0, years=0.25, vol=vol) == pytest.approx(
        11.9
    )
