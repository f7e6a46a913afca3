"""Products of WAD numbers against rationals, with both roundings and both signs."""

from fractions import Fraction
from math import ceil, floor

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.units.constants import WAD

boa.interpret.set_cache_dir(".build/boa")
FAST = settings(max_examples=40, deadline=None)
UNSIGNED = st.integers(0, 2**128 - 1)  # the product of two fits a word
SIGNED = st.integers(-(2**127), 2**127)


@pytest.fixture(scope="module")
def units():
    return boa.load("contracts/mocks/UnitsHarness.vy")


def test_mul_down_and_up__unsigned__bracket_the_product(units):
    @FAST
    @given(UNSIGNED, UNSIGNED)
    @example(0, 1)
    @example(1, 1)
    @example(WAD, 7)
    @example(2**128, 2**127)
    def check(a, b):
        exact = Fraction(a * b, WAD)
        assert units.mul_down(a, b) == floor(exact)
        assert units.mul_up(a, b) == ceil(exact)

    check()


def test_signed_mul_down_and_up__any_signs__bracket_the_product(units):
    @FAST
    @given(SIGNED, SIGNED)
    @example(-1, 1)
    @example(1, -1)
    @example(-1, -1)
    @example(-WAD, 3)
    @example(2**127, -(2**127))
    def check(a, b):
        exact = Fraction(a * b, WAD)
        assert units.signed_mul_down(a, b) == floor(exact)
        assert units.signed_mul_up(a, b) == ceil(exact)

    check()


@pytest.mark.parametrize("function", ["mul_down", "mul_up"])
def test_unsigned_product__beyond_256_bits__reverts(units, function):
    with boa.reverts():
        getattr(units, function)(2**128, 2**128)


@pytest.mark.parametrize("function", ["signed_mul_down", "signed_mul_up"])
@pytest.mark.parametrize(("a", "b"), [(2**128, 2**127), (-(2**255), -1), (-(2**128), 2**128)])
def test_signed_product__beyond_256_bits__reverts(units, function, a, b):
    with boa.reverts():
        getattr(units, function)(a, b)


@pytest.mark.parametrize(
    ("a", "b", "quotient", "remainder"), [(7, 2, 3, 1), (-7, 2, -3, -1), (7, -2, -3, 1), (-7, -2, 3, -1)]
)
def test_divide__signs__truncates_towards_zero(units, a, b, quotient, remainder):
    assert (units.divide(a, b), units.modulo(a, b)) == (quotient, remainder)
