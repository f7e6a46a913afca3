"""Elementary functions from IEEE-754 basic operations alone, so that attesters get the same bits on every
machine.

`np.exp`, `np.log` and library normal distributions differ in the last bit between instruction sets.
Everything here uses
only + - * / sqrt, comparisons and moves of bits, which IEEE 754 defines exactly. One rule keeps it true:
every step is one
NumPy ufunc, never a dot product or a sum whose order the library may choose.

References: exp and log by argument reduction and Taylor series (any numerical-analysis text); erfc by W. J.
    Cody,
"Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), 631-637.
"""

from collections.abc import Sequence
from math import factorial

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# ln 2 split in two: the high part has 21 trailing zero bits, so k * _LN2_HIGH is exact for |k| < 2**20
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_INVERSE_LN2 = 1.4426950408889634
_SQRT_HALF = 0.7071067811865476
_INVERSE_SQRT_PI = 0.5641895835477563
INVERSE_SQRT_TWO_PI = 0.3989422804014327

# |r| <= ln(2)/2: the 14th term is below 1e-17 of the sum
_EXP_TERMS = tuple(1.0 / factorial(n) for n in range(14, 0, -1))
# |s| <= 0.172: the 12th odd term is below 1e-18 of the sum
_ATANH_TERMS = tuple(1.0 / (2 * n + 1) for n in range(11, 0, -1))

# Cody (1969), coefficients from the highest power down; numerator and denominator of each interval
_ERF_NUMERATOR = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_ERF_DENOMINATOR = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_MIDDLE_NUMERATOR = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_MIDDLE_DENOMINATOR = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_TAIL_NUMERATOR = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_TAIL_DENOMINATOR = (
    1.0,
    2.56852019228982242e0,
    1.87295284992346725e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)


def _polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """Horner evaluation, highest power first."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = result * x + coefficient
    return result


def _power_of_two(exponent: Floats) -> Floats:
    """2**exponent for whole exponents within the normal range, by writing the exponent bits."""
    bits: npt.NDArray[np.int64] = (exponent.astype(np.int64) + 1023) << np.int64(52)
    return bits.view(np.float64)


def exp(x: npt.ArrayLike) -> Floats:
    """e**x, within 2 units in the last place; 0 below -700, clamped to e**700 above."""
    value = np.atleast_1d(np.asarray(x, dtype=np.float64))
    clamped = np.minimum(np.maximum(value, -700.0), 700.0)
    whole = np.rint(clamped * _INVERSE_LN2)
    rest = (clamped - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = _polynomial(rest, _EXP_TERMS)
    result = (1.0 + rest * series) * _power_of_two(whole)
    result = np.where(value < -700.0, 0.0, result)
    return result.reshape(np.shape(x))


def log(x: npt.ArrayLike) -> Floats:
    """Natural logarithm of positive normal numbers, within 2 units in the last place.

    Raises:
        ValueError: an argument is not a positive normal number.
    """
    value = np.atleast_1d(np.asarray(x, dtype=np.float64)).copy()
    if not np.all((value >= 2.3e-308) & (value < np.inf)):
        raise ValueError("pricing: logarithm of a number that is not positive")
    bits = value.view(np.int64)
    exponent = ((bits >> np.int64(52)) - 1023).astype(np.float64)
    mantissa = ((bits & np.int64((1 << 52) - 1)) | np.int64(1023 << 52)).view(np.float64)
    # mantissa in [sqrt(1/2), sqrt(2)): keeps the series short and log(1 - e) accurate
    large = mantissa >= 2.0 * _SQRT_HALF
    mantissa = np.where(large, mantissa * 0.5, mantissa)
    exponent = np.where(large, exponent + 1.0, exponent)
    fraction = mantissa - 1.0
    s = fraction / (2.0 + fraction)
    square: Floats = np.multiply(s, s)
    # log(1 + f) = 2 atanh(s) = f - s * (f - 2 * (s**2 / 3 + s**4 / 5 + ...)), the leading term kept exact
    tail = 2.0 * square * _polynomial(square, _ATANH_TERMS)
    result = exponent * _LN2_HIGH + (fraction - (s * (fraction - tail) - exponent * _LN2_LOW))
    return np.asarray(result.reshape(np.shape(x)))


def power(base: npt.ArrayLike, exponent: npt.ArrayLike) -> Floats:
    """base**exponent for positive bases."""
    return exp(np.asarray(exponent, dtype=np.float64) * log(base))


def norm_pdf(x: npt.ArrayLike) -> Floats:
    """Density of the standard normal distribution."""
    value = np.asarray(x, dtype=np.float64)
    return INVERSE_SQRT_TWO_PI * exp(-0.5 * value * value)


def _negative_square_exp(y: Floats) -> Floats:
    """exp(-y**2) without the cancellation of rounding y**2: y is split at 1/16."""
    coarse = np.floor(y * 16.0) / 16.0
    return exp(-coarse * coarse) * exp(-(y - coarse) * (y + coarse))


def norm_cdf(x: npt.ArrayLike) -> Floats:
    """Standard normal distribution function; relative error below 1e-13 down to x = -37, 0 beyond -37.6."""
    value = np.atleast_1d(np.asarray(x, dtype=np.float64))
    y = np.minimum(np.abs(value) * _SQRT_HALF, 26.6)

    small: Floats = np.minimum(y, 0.46875)
    square = small * small
    erf = small * _polynomial(square, _ERF_NUMERATOR) / _polynomial(square, _ERF_DENOMINATOR)

    middle: Floats = np.minimum(np.maximum(y, 0.46875), 4.0)
    erfc_middle = _polynomial(middle, _MIDDLE_NUMERATOR) / _polynomial(middle, _MIDDLE_DENOMINATOR)

    far = np.maximum(y, 4.0)
    inverse = 1.0 / (far * far)
    correction = inverse * _polynomial(inverse, _TAIL_NUMERATOR) / _polynomial(inverse, _TAIL_DENOMINATOR)
    erfc_far = (_INVERSE_SQRT_PI - correction) / far

    erfc = np.where(y <= 4.0, erfc_middle, erfc_far) * _negative_square_exp(y)
    lower = np.where(y <= 0.46875, 0.5 - 0.5 * erf, 0.5 * erfc)
    result = np.where(value > 0.0, 1.0 - lower, lower)
    # 0.5 + 0.5 erf keeps full accuracy just above zero
    result = np.where((value > 0.0) & (y <= 0.46875), 0.5 + 0.5 * erf, result)
    return result.reshape(np.shape(x))
