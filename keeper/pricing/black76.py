"""Black-76: European options on a forward.

Reference: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), 167-179.
All arguments are keyword-only and broadcast against each other. Units: prices in USD, `years` of 365 days,
`vol`
annualised (0.6 = 60 %), `discount` the value today of 1 USD at expiry.

`price` and `greeks` are attested: they use only basic IEEE operations (see `kernels`). `implied_vol` is for
calibration.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.pricing import kernels
from keeper.pricing.kernels import Floats

_MAX_ITERATIONS = 100
_MAX_TOTAL_VOL = 40.0
# below this time value is less than 1e-12 of the forward
_LEAST_TOTAL_VOL = 1e-12


class Greeks(NamedTuple):
    """Sensitivities per unit: delta and gamma to the forward, vega per 1.00 of vol, theta per year
    (negative: decay).
    """

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


class _Terms(NamedTuple):
    sign: Floats
    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    discount: Floats
    total_vol: Floats
    d1: Floats
    d2: Floats
    certain: npt.NDArray[np.bool_]


def _terms(
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike,
) -> _Terms:
    sign = np.where(np.asarray(is_call, dtype=np.bool_), 1.0, -1.0)
    sign, f, k, t, v, d = (
        np.asarray(x, dtype=np.float64)
        for x in np.broadcast_arrays(sign, forward, strike, years, vol, discount)
    )
    if not (
        np.all(np.isfinite(f))
        and np.all(np.isfinite(k))
        and np.all(np.isfinite(v))
        and np.all(np.isfinite(t))
    ):
        raise ValueError("pricing: argument is not finite")
    if np.any(f < 0.0) or np.any(t < 0.0) or np.any(v < 0.0):
        raise ValueError("pricing: negative forward, years or vol")
    total_vol = v * np.sqrt(t)
    # no uncertainty left: worth the payoff at the forward. A strike of zero or below is always in the money
    # for a call.
    certain = (total_vol <= _LEAST_TOTAL_VOL) | (k <= 0.0) | (f <= 0.0)
    safe_vol = np.where(certain, 1.0, total_vol)
    moneyness = kernels.log(np.where(certain, 1.0, f) / np.where(certain, 1.0, k))
    d1 = moneyness / safe_vol + 0.5 * safe_vol
    return _Terms(sign, f, k, t, v, d, total_vol, d1, d1 - safe_vol, certain)


def price(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Floats:
    """Value in USD: D * w * (F * N(w * d1) - K * N(w * d2)), held inside [D * max(w * (F - K), 0), D * F or
    D * K].

    Raises:
        ValueError: a forward, time or vol is negative or not finite.
    """
    x = _terms(is_call, forward, strike, years, vol, discount)
    value = x.sign * (
        x.forward * kernels.norm_cdf(x.sign * x.d1) - x.strike * kernels.norm_cdf(x.sign * x.d2)
    )
    floor = np.maximum(x.sign * (x.forward - x.strike), 0.0)
    cap = np.where(x.sign > 0.0, x.forward, x.strike)
    value = np.where(x.certain, floor, np.maximum(np.minimum(value, cap), floor))
    return np.asarray(x.discount * value)


def greeks(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Greeks:
    """Delta and gamma to the forward, vega, theta (rates held at zero in theta: the discount does not
    roll).
    """
    x = _terms(is_call, forward, strike, years, vol, discount)
    in_money = x.sign * (x.forward - x.strike) > 0.0
    delta = np.where(x.certain, np.where(in_money, x.sign, 0.0), x.sign * kernels.norm_cdf(x.sign * x.d1))
    density = np.where(x.certain, 0.0, kernels.norm_pdf(x.d1))
    root = np.sqrt(x.years)
    gamma = density / np.where(x.certain, 1.0, x.forward * x.total_vol)
    vega = x.forward * density * root
    theta = -0.5 * x.forward * density * x.vol / np.where(x.certain, 1.0, root)
    return Greeks(*(np.asarray(x.discount * g) for g in (delta, gamma, vega, theta)))


def _log_ratio(target: Floats, value: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(value, 1e-300) / target))


def implied_vol(
    *,
    is_call: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    price: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Floats:
    """Vol that reproduces `price`; nan where the price lies outside the no-arbitrage bounds or is the payoff
    itself.

    Newton on the logarithm of the out-of-the-money price, which is close to quadratic in the wings, kept
    inside a
    bracket by bisection. Not attested.
    """
    call = np.asarray(is_call, dtype=np.bool_)
    call, f, k, t, p, d = np.broadcast_arrays(call, forward, strike, years, price, discount)
    f, k, t, p, d = (np.asarray(x, dtype=np.float64) for x in (f, k, t, p, d))
    sign = np.where(call, 1.0, -1.0)
    target = p / d - np.maximum(sign * (f - k), 0.0)
    valid = (target > 0.0) & (target < np.minimum(f, k)) & (t > 0.0) & (f > 0.0) & (k > 0.0)
    f, k, target = (np.where(valid, x, y) for x, y in ((f, 1.0), (k, 1.0), (target, 0.1)))
    otm_call = k >= f

    low = np.full(f.shape, 1e-9)
    high = np.full(f.shape, _MAX_TOTAL_VOL)
    # start at the inflection point of the price in total vol (Manaster and Koehler 1982), or a
    # Brenner-Subrahmanyam guess
    guess = np.maximum(np.sqrt(2.0 * np.abs(np.log(f / k))), target / (0.4 * np.sqrt(f * k)))
    for _ in range(_MAX_ITERATIONS):
        guess = np.clip(guess, low, high)
        value = globals()["price"](is_call=otm_call, forward=f, strike=k, years=1.0, vol=guess)
        error = _log_ratio(target, value)
        high = np.where(error >= 0.0, guess, high)
        low = np.where(error <= 0.0, guess, low)
        d1 = np.log(f / k) / guess + 0.5 * guess
        slope = f * kernels.norm_pdf(d1) / np.maximum(value, 1e-300)
        step = guess - error / np.where(slope > 0.0, slope, np.inf)
        inside = (step > low) & (step < high) & (slope > 0.0)
        following = np.where(inside, step, 0.5 * (low + high))
        done = np.abs(following - guess) <= 2e-16 * guess
        guess = following
        if np.all(done | (error == 0.0)):
            break
    return np.where(valid, guess / np.sqrt(np.where(valid, t, 1.0)), np.nan)
