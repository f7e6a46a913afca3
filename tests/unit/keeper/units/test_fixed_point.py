"""Rounding directions and the EVM's division, by hand and by property."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keeper.units import fixed_point as fp
from keeper.units.constants import WAD

SIGNED = st.integers(-(2**127), 2**127)


@given(SIGNED, SIGNED)
@example(-1, 1)
@example(-WAD, 3)
def test_signed_products__any_signs__bracket_the_product(a, b):
    exact = Fraction(a * b, WAD)

    assert (fp.signed_mul_down(a, b), fp.signed_mul_up(a, b)) == (floor(exact), ceil(exact))


@given(st.integers(0, 2**128), st.integers(0, 2**127))
def test_products__unsigned__bracket_the_product(a, b):
    exact = Fraction(a * b, WAD)

    assert (fp.mul_down(a, b), fp.mul_up(a, b)) == (floor(exact), ceil(exact))


@given(SIGNED, SIGNED.filter(bool))
def test_div_trunc__any_signs__quotient_and_remainder_rebuild_the_dividend(a, b):
    quotient, remainder = fp.div_trunc(a, b), fp.mod_trunc(a, b)

    assert a == quotient * b + remainder
    assert abs(remainder) < abs(b)
    assert remainder == 0 or (remainder < 0) == (a < 0)


def test_div_trunc__by_zero__raises():
    with pytest.raises(ZeroDivisionError):
        fp.div_trunc(1, 0)
