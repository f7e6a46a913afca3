"""Mills ratio R(z) = N(-z) / phi(z) of the normal distribution, and its drop over an interval.

The price of an option out of the money is phi times a difference of two Mills ratios. Subtracting them would
lose digits for small total vol, so the difference is evaluated as such.

R(z) = P(t) / (z + c) with t = 1 - 2k / (z + c), c = k + start: one polynomial serves z >= -start. Method: M.
Shepherd and J. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc(x) in 0 <= x < inf", Math.
Comp. 36 (1981), 249-253; coefficients by tests/support/fit_kernels.py, largest error 2e-18.
"""

from keeper.pricing.elementary import Number

# the fit begins at z = -START
START = 0.25
_CENTRE = 4.25
_TWICE_SCALE = 8.0


def mills_pair(z1: Number, gap: Number) -> tuple[Number, Number, Number]:
    """R(z1), R(z1 + gap) and (R(z1) - R(z1 + gap)) / gap, each to a few units in the last place.

    Args:
        z1: at least -START.
        gap: not negative.
    """
    y1 = z1 + _CENTRE
    y2 = y1 + gap
    inverse = 1.0 / (y1 * y2)
    inverse1 = y2 * inverse
    inverse2 = y1 * inverse
    p, divided = _polynomial(1.0 - _TWICE_SCALE * inverse1, 1.0 - _TWICE_SCALE * inverse2)
    # t2 - t1 = 2k gap / (y1 y2)
    p2 = p + (_TWICE_SCALE * inverse) * gap * divided
    return p * inverse1, p2 * inverse2, (p - _TWICE_SCALE * inverse2 * divided) * inverse


def _polynomial(t1: Number, t2: Number) -> tuple[Number, Number]:
    """P(t1) and (P(t1) - P(t2)) / (t1 - t2), both by Horner's rule, so that nothing cancels."""
    p = -5.175571178639481e-10 * t1 + -3.2208558654528464e-10
    divided = -5.175571178639481e-10
    divided = divided * t2 + p
    p = p * t1 + 5.12229959889362e-09
    divided = divided * t2 + p
    p = p * t1 + 5.346964064647752e-09
    divided = divided * t2 + p
    p = p * t1 + -2.4659332944772412e-08
    divided = divided * t2 + p
    p = p * t1 + -4.450264631264803e-08
    divided = divided * t2 + p
    p = p * t1 + 7.091653802473781e-08
    divided = divided * t2 + p
    p = p * t1 + 2.5930028599887157e-07
    divided = divided * t2 + p
    p = p * t1 + -6.585683666653062e-08
    divided = divided * t2 + p
    p = p * t1 + -1.2437191164708274e-06
    divided = divided * t2 + p
    p = p * t1 + -7.579176094735326e-07
    divided = divided * t2 + p
    p = p * t1 + 5.521562123007621e-06
    divided = divided * t2 + p
    p = p * t1 + 7.361340405212172e-06
    divided = divided * t2 + p
    p = p * t1 + -2.557083507328986e-05
    divided = divided * t2 + p
    p = p * t1 + -4.8732814063549955e-05
    divided = divided * t2 + p
    p = p * t1 + 0.00014150266603936762
    divided = divided * t2 + p
    p = p * t1 + 0.00027947067433819946
    divided = divided * t2 + p
    p = p * t1 + -0.0010199893443327403
    divided = divided * t2 + p
    p = p * t1 + -0.00115458168978145
    divided = divided * t2 + p
    p = p * t1 + 0.008898842550218007
    divided = divided * t2 + p
    p = p * t1 + -0.006223597017002542
    divided = divided * t2 + p
    p = p * t1 + -0.06414101795402061
    divided = divided * t2 + p
    p = p * t1 + 0.2915290913781231
    divided = divided * t2 + p
    p = p * t1 + -0.7293591459469984
    divided = divided * t2 + p
    p = p * t1 + 1.3062681125840758
    divided = divided * t2 + p
    p = p * t1 + -1.8112443618966734
    divided = divided * t2 + p
    p = p * t1 + 2.00608889155172
    return p, divided
