"""Elementary functions written once and run twice: by NumPy on arrays, by compiled loops on single numbers.

Only + - * / sqrt, comparisons and moves of bits, which IEEE 754 defines exactly: every machine gets the same
bits, and so do both ways of running. `np.exp`, `np.log` and library normal distributions differ in the last
bit between instruction sets.

Coefficients: tests/support/fit_kernels.py, near-minimax polynomials.
"""

from typing import Any

import numpy as np

# a NumPy array of float64, or one float inside a compiled loop
Number = Any

# adding it rounds to the nearest integer, which then stands in the low bits
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52
# ln 2 split in two: the high part has 21 trailing zero bits, so n * _LN2_HIGH is exact for |n| < 2**20
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_INVERSE_LN2 = 1.4426950408889634
_SQRT_TWO = 1.4142135623730951
_EXPONENT_OF_ONE = 0x3FF0000000000000
_MANTISSA = 0x000FFFFFFFFFFFFF
_ROUNDER_BITS = 0x4338000000000000
_LEAST_EXPONENT = -708.0
LARGEST_EXPONENT = 709.0


def select(condition: Number, chosen: Number, other: Number) -> Number:
    """`chosen` where the condition holds, `other` elsewhere."""
    return np.where(condition, chosen, other)


def as_bits(x: Number) -> Number:
    """The bits of float64 as int64."""
    return np.asarray(x).view(np.int64)


def from_bits(bits: Number) -> Number:
    """The float64 with these bits."""
    return np.asarray(bits).view(np.float64)


def exp(x: Number) -> Number:
    """e**x within one unit in the last place for x <= 709; 0 below -708."""
    rounded = select(x < _LEAST_EXPONENT, _LEAST_EXPONENT, x) * _INVERSE_LN2 + _ROUNDER
    whole = rounded - _ROUNDER
    r = (select(x < _LEAST_EXPONENT, _LEAST_EXPONENT, x) - whole * _LN2_HIGH) - whole * _LN2_LOW
    p = 2.510038549551032e-08
    p = p * r + 2.7620088445409746e-07
    p = p * r + 2.7557268459997064e-06
    p = p * r + 2.4801521295954376e-05
    p = p * r + 0.00019841269863053618
    p = p * r + 0.0013888888917213717
    p = p * r + 0.008333333333330062
    p = p * r + 0.04166666666662413
    p = p * r + 0.16666666666666669
    p = p * r + 0.5000000000000001
    power = from_bits((as_bits(rounded) << 52) + _EXPONENT_OF_ONE)
    return select(x < _LEAST_EXPONENT, 0.0, (1.0 + (r + r * r * p)) * power)


def log_ratio(x: Number, y: Number) -> Number:
    """ln(x / y) of positive normal numbers within two units in the last place, also where x is close to y.

    ln(x / y) = n ln 2 + 2 atanh((x' - y') / (x' + y')) with mantissas x', y' within a factor of sqrt(2) of
    each other, whose difference is exact.
    """
    x_bits, y_bits = as_bits(x), as_bits(y)
    x_mantissa = from_bits((x_bits & _MANTISSA) | _EXPONENT_OF_ONE)
    y_mantissa = from_bits((y_bits & _MANTISSA) | _EXPONENT_OF_ONE)
    n = from_bits(((x_bits >> 52) - (y_bits >> 52)) + _ROUNDER_BITS) - _ROUNDER
    above = x_mantissa > _SQRT_TWO * y_mantissa
    below = y_mantissa > _SQRT_TWO * x_mantissa
    n = select(above, n + 1.0, select(below, n - 1.0, n))
    x_mantissa = select(above, 0.5 * x_mantissa, x_mantissa)
    y_mantissa = select(below, 0.5 * y_mantissa, y_mantissa)
    u = (x_mantissa - y_mantissa) / (x_mantissa + y_mantissa)
    w = u * u
    p = 0.07308292712444311
    p = p * w + 0.07665855309105386
    p = p * w + 0.09091444727837474
    p = p * w + 0.11111105565129939
    p = p * w + 0.14285714313001635
    p = p * w + 0.19999999999949722
    p = p * w + 0.3333333333333335
    twice = 2.0 * u
    return n * _LN2_HIGH + (twice + (twice * (w * p) + n * _LN2_LOW))
