"""Steps of Black-76 price and Greeks, written once for arrays and compiled loops (see `elementary`).

With s = vol * sqrt(years), h = |ln(F / K)| / s, z1 = h - s/2, z2 = h + s/2, m = min(F, K), M = max(F, K), the
option out of the money is worth m N(-z1) - M N(-z2). As m phi(z1) = M phi(z2) =: q, that is
q (R(z1) - R(z2)) with the Mills ratio R: nothing cancels, however small s or the price. Where z1 < -START,
N(-z1) = 1 - phi(z1) R(-z1) gives m - q (R(-z1) + R(z2)) instead, at least a tenth of m. Options in the money
follow by parity.

`side` is signed: ln(F / K) / s, so that its sign says which option is out of the money.
"""

from keeper.pricing.elementary import Number, exp, log_ratio, select
from keeper.pricing.kernels import INVERSE_SQRT_TWO_PI, LEAST_NORMAL
from keeper.pricing.mills import START, mills_pair

# total vol below which, or forward and strike below which, nothing is uncertain
_LEAST_TOTAL_VOL = 1e-100
# stands in for the total vol of certain options
_CERTAIN = 1e-101
# phi is zero long before
_FARTHEST = 1e4


def usable_total_vol(forward: Number, strike: Number, total_vol: Number) -> Number:
    """Total vol, or the mark of a certain option: no vol or time left, or a strike or forward of zero."""
    certain = (total_vol < _LEAST_TOTAL_VOL) | (forward < LEAST_NORMAL) | (strike < LEAST_NORMAL)
    return select(certain, _CERTAIN, total_vol)


def side(forward: Number, strike: Number, total_vol: Number, inverse: Number) -> Number:
    """ln(F / K) / s, kept within +-1e4; 0 for certain options."""
    certain = total_vol < _LEAST_TOTAL_VOL
    x = log_ratio(select(certain, 1.0, forward), select(certain, 1.0, strike)) * inverse
    x = select(x > _FARTHEST, _FARTHEST, x)
    return select(x < -_FARTHEST, -_FARTHEST, x)


def near_distance(side: Number, total_vol: Number) -> Number:
    """z1."""
    return select(side < 0.0, -side, side) - 0.5 * total_vol


def ratios(side: Number, total_vol: Number) -> tuple[Number, Number]:
    """What `time_value` and `delta` need of the Mills ratios.

    Returns R(z1) - R(z2), or R(-z1) + R(z2) where z1 < -START; and R(|z1|) for a call out of the money, R(z2)
    for a put.
    """
    h = select(side < 0.0, -side, side)
    z1 = near_distance(side, total_vol)
    reflected = z1 < -START
    gap = select(reflected, 2.0 * h, total_vol)
    r1, r2, drop = mills_pair(select(reflected, -z1, z1), gap)
    return select(reflected, r1 + r2, drop * total_vol), select(side > 0.0, r2, r1)


def density(forward: Number, strike: Number, side: Number, total_vol: Number) -> Number:
    """q = F phi(d1) = K phi(d2); 0 for certain options."""
    z1 = near_distance(side, total_vol)
    least = select(forward < strike, forward, strike)
    q = least * (INVERSE_SQRT_TWO_PI * exp(-0.5 * (z1 * z1)))
    return select(total_vol < _LEAST_TOTAL_VOL, 0.0, q)


def time_value(
    forward: Number, strike: Number, side: Number, total_vol: Number, q: Number, ratio: Number
) -> Number:
    """Undiscounted value of the option out of the money; `ratio` is the first of `ratios`."""
    least = select(forward < strike, forward, strike)
    reflected = near_distance(side, total_vol) < -START
    return select(reflected, least - q * ratio, q * ratio)


def price(is_call: Number, forward: Number, strike: Number, discount: Number, time_value: Number) -> Number:
    """Discounted value, within the no-arbitrage bounds."""
    payoff = select(is_call, forward - strike, strike - forward)
    floor = select(payoff > 0.0, payoff, 0.0)
    cap = select(is_call, forward, strike)
    value = floor + time_value
    # the sum may round a unit above; a put struck below zero is worth its floor of zero
    value = select(value > cap, cap, value)
    return discount * select(value < floor, floor, value)


def inverse_forward(forward: Number, total_vol: Number) -> Number:
    """1 / F; 1 for certain options."""
    return 1.0 / select(total_vol < _LEAST_TOTAL_VOL, 1.0, forward)


def delta(
    is_call: Number,
    forward: Number,
    strike: Number,
    side: Number,
    total_vol: Number,
    density: Number,
    ratio: Number,
) -> Number:
    """Undiscounted delta to the forward; `density` is q / F, `ratio` the second of `ratios`."""
    tail = density * ratio
    # the tail is N(-d1) here and N(d1) elsewhere
    upper = (forward > strike) | (near_distance(side, total_vol) < -START)
    magnitude = select(is_call == upper, 1.0 - tail, tail)
    return select(is_call, magnitude, -magnitude)


def theta(q: Number, vol: Number, inverse: Number) -> Number:
    """-q vol / (2 sqrt(years)), undiscounted."""
    return -0.5 * (q * vol * (vol * inverse))


def vanna(density: Number, root: Number, inverse: Number, side: Number, total_vol: Number) -> Number:
    """-phi(d1) d2 / vol, undiscounted."""
    return density * (root * inverse) * (0.5 * total_vol - side)


def volga(vega: Number, root: Number, inverse: Number, side: Number, total_vol: Number) -> Number:
    """vega d1 d2 / vol."""
    half = 0.5 * total_vol
    return vega * (root * inverse) * ((side + half) * (side - half))


def is_valid(forward: Number, strike: Number, years: Number, vol: Number, discount: Number) -> Number:
    """All finite, none negative but perhaps the strike."""
    # an infinity or nan minus itself is nan, which equals nothing
    rest = (forward - forward) + (strike - strike) + (years - years) + (vol - vol) + (discount - discount)
    return (rest == 0.0) & (forward >= 0.0) & (years >= 0.0) & (vol >= 0.0) & (discount >= 0.0)
