"""Steps of Black-76 implied vol, written once for arrays and compiled loops (see `elementary`).

Symbols as in `black76_formulas`: s = vol * sqrt(years) is sought from b = (price out of the money) / m.

Where z1 >= -START, ln b = ln(R(z1) - R(z2)) - z1**2 / 2 - ln sqrt(2 pi); elsewhere 1 - b has the same form
with R(-z1) + R(z2). Either logarithm is close to linear in its region, so that a step of order four on it
(Householder's third, as in P. Jaeckel, "Let's be rational", Wilmott 2015) settles in two or three rounds.
"""

import numpy as np

from keeper.pricing.black76_formulas import near_distance
from keeper.pricing.elementary import Number, exp, log_ratio, select
from keeper.pricing.kernels import LEAST_NORMAL
from keeper.pricing.mills import START, mills_pair

VALID, NOT_FINITE, NO_TIME, NOT_POSITIVE, AT_PAYOFF, AT_BOUND = range(6)
# rounds that every option takes, and those that an unsettled one may take more
ROUNDS = 2
MORE_ROUNDS = 6
# after a step of this share of s the next would change nothing: it is of order four
_SETTLED = 2e-4
# a time value below this many units in the last place of the price is rounding
_ROUNDING = 8.9e-16
# share of m below which a price is taken for none
_LEAST_SHARE = 1e-300
_LN_SQRT_TWO_PI = 0.9189385332046727
_LN_HALF = -0.6931471805599453


def time_value(is_call: Number, forward: Number, strike: Number, price: Number, discount: Number) -> Number:
    """Undiscounted price of the option out of the money."""
    payoff = select(is_call, forward - strike, strike - forward)
    return price / discount - select(payoff > 0.0, payoff, 0.0)


def status(
    forward: Number, strike: Number, years: Number, price: Number, discount: Number, value: Number
) -> Number:
    """VALID, or the first reason why there is no vol; `value` is the `time_value`."""
    # an infinity or nan minus itself is nan, which equals nothing
    rest = (forward - forward) + (strike - strike) + (years - years) + (price - price)
    finite = (rest + (discount - discount)) == 0.0
    least = select(forward < strike, forward, strike)
    positive = (least >= LEAST_NORMAL) & (discount >= LEAST_NORMAL)
    at_bound = least - value <= _ROUNDING * least
    at_payoff = (value <= _ROUNDING * (price / discount - value)) | (value <= _LEAST_SHARE * least)
    found = select(at_payoff, AT_PAYOFF, select(at_bound, AT_BOUND, VALID))
    found = select(positive, select(years > 0.0, found, NO_TIME), NOT_POSITIVE)
    return select(finite, found, NOT_FINITE)


def log_moneyness(forward: Number, strike: Number) -> Number:
    """|ln(F / K)|."""
    x = log_ratio(forward, strike)
    return select(x < 0.0, -x, x)


def log_share(forward: Number, strike: Number, value: Number) -> Number:
    """ln b."""
    return log_ratio(value, select(forward < strike, forward, strike))


def log_rest(forward: Number, strike: Number, value: Number) -> Number:
    """ln(1 - b)."""
    least = select(forward < strike, forward, strike)
    return log_ratio(least - value, least)


def is_high(log_share: Number) -> Number:
    """Whether b is above 1/2, which `high_guess` is for."""
    return log_share > _LN_HALF


def low_guess(x: Number, log_share: Number) -> Number:
    """Total vol by Bachelier's formula, close for s < 1.

    beta / x = phi(h) / h - N(-h) with beta = b m / sqrt(F K), h = x / s; (beta + x)**2 / s**2 is a smooth
    function of ln(1 + x / beta), here a rational fit within 0.3 %.
    """
    exponent = log_share - 0.5 * x
    beta = exp(select(exponent < -690.0, -690.0, exponent))
    t = log_ratio(beta + x, beta)
    numerator = (((0.00247986 * t + 0.03264677) * t + 0.07641664) * t + 0.18447852) * t + 0.15909708
    denominator = ((0.00124545 * t + 0.02823395) * t + 0.12452233) * t + 1.0
    ratio = numerator / denominator
    return (beta + x) / np.sqrt(ratio)


def high_guess(x: Number, log_rest: Number) -> Number:
    """Total vol for b > 1/2.

    1 - b = N(z1) / w with w = R(-z1) / (R(-z1) + R(z2)) between 1/2 (at the money) and 1; s follows from z1
    as the root of s**2 / 2 + z1 s = x.
    """
    s = _from_tail(x, log_rest + _LN_HALF)
    z2 = x / s + 0.5 * s
    z = 0.5 * s - x / s
    # R(z) is about 1 / (z + 0.8); ln w = 2 artanh((w - 1) / (w + 1))
    w = (z2 + 0.8) / (z + z2 + 1.6)
    return _from_tail(x, log_rest + 2.0 * (w - 1.0) / (w + 1.0))


def _from_tail(x: Number, log_tail: Number) -> Number:
    # M. Abramowitz and I. Stegun, Handbook of Mathematical Functions (1964), 26.2.23
    t = np.sqrt(-2.0 * select(log_tail > _LN_HALF, _LN_HALF, log_tail))
    numerator = (0.010328 * t + 0.802853) * t + 2.515517
    denominator = ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0
    z = t - numerator / denominator
    z = select(z < 0.0, 0.0, z)
    return z + np.sqrt(z * z + 2.0 * x)


def step(x: Number, total_vol: Number, log_share: Number, log_rest: Number) -> Number:
    """Householder's third step: what to add to the total vol."""
    h = x / total_vol
    z1 = near_distance(h, total_vol)
    reflected = z1 < -START
    gap = select(reflected, h + h, total_vol)
    r1, r2, drop = mills_pair(select(reflected, -z1, z1), gap)
    ratio = select(reflected, r1 + r2, drop * total_vol)
    target = select(reflected, log_rest, log_share)
    error = (log_ratio(ratio, 1.0) - 0.5 * (z1 * z1)) - (_LN_SQRT_TWO_PI + target)
    # derivatives of the logarithm by s, over the first: q'/q = (h**2 - s**2 / 4) / s =: bend
    slope = select(reflected, -1.0, 1.0) / ratio
    inverse = 1.0 / total_vol
    bend = (h * h - 0.25 * (total_vol * total_vol)) * inverse
    second = bend - slope
    third = second * (second - slope) - (3.0 * (h * h) * (inverse * inverse) + 0.25)
    newton = -(error / slope)
    change = newton * (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + third * newton / 6.0))
    least, most = -0.75 * total_vol, 3.0 * total_vol
    change = select(change > least, change, least)
    return select(change < most, change, most)


def unsettled(change: Number, total_vol: Number) -> Number:
    """Whether the last change was large enough for another to matter."""
    limit = _SETTLED * total_vol
    return (change > limit) | (change < -limit)
