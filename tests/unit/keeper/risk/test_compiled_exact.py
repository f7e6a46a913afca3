from math import isqrt

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keeper.risk import compiled_exact as exact

# the first call compiles
unhurried = settings(deadline=None)
whole = st.integers(-(2**53), 2**53).map(float)
# two of them span about 106 bits
pairs = st.tuples(st.integers(-(2**100), 2**100), st.integers(-(2**40), 2**40))


def pair(value: int) -> exact.Pair:
    high = float(value)
    return high, float(value - int(high))


def ceil_root(square: int) -> int:
    return isqrt(square - 1) + 1 if square > 0 else 0


@unhurried
@given(whole, whole)
@example(2.0**53 - 1, 2.0**53 - 1)
def test_product__whole_numbers__exact(a: float, b: float) -> None:
    high, low = exact.product(a, b)
    assert int(high) + int(low) == int(a) * int(b)


@unhurried
@given(st.integers(-(2**104), 2**104), st.integers(-(2**104), 2**104))
def test_add__pairs__error_below_the_tolerance(x: int, y: int) -> None:
    high, low = exact.add(pair(x), pair(y))
    represented = sum(int(part) for value in (x, y) for part in pair(value))
    assert abs(int(high) + int(low) - represented) <= (abs(x) + abs(y)) * 2.0**-100


@unhurried
@given(st.integers(-(2**104), 2**104), whole)
def test_scale__pair__error_below_the_tolerance(x: int, factor: float) -> None:
    high, low = exact.scale(pair(x), factor)
    represented = sum(int(part) for part in pair(x)) * int(factor)
    assert abs(int(high) + int(low) - represented) <= abs(x * int(factor)) * 2.0**-100


@unhurried
@given(st.integers(1, 2**50), st.integers(-(2**20), 2**20), st.sampled_from([1, 10**6, 10**15, 10**21]))
@example(3, 0, 10**15)
@example(2**50, 1, 1)
@example(2**50, -1, 1)
def test_root_up__near_a_square__exact_or_undecided(root: int, beside: int, unit: int) -> None:
    square = max(root * root * unit + beside, 1)
    stored = pair(square)
    square = int(stored[0]) + int(stored[1])

    found = exact.root_up(stored, float(square), float(unit), 1.0)

    assert found in (ceil_root(-(-square // unit)), exact.UNDECIDED)


@unhurried
@given(st.integers(1, 2**100), st.sampled_from([1, 10**6, 10**15]))
def test_root_up__far_from_a_square__decided(square: int, unit: int) -> None:
    stored = pair(square * unit)
    represented = int(stored[0]) + int(stored[1])
    expected = ceil_root(-(-represented // unit))
    near = min(abs(expected**2 * unit - represented), abs((expected - 1) ** 2 * unit - represented))

    found = exact.root_up(stored, float(represented), float(unit), 1.0)

    assert found == expected or near <= represented * 2.0**-87


def test_root_up__nothing__zero() -> None:
    assert exact.root_up((0.0, 0.0), 0.0, 1.0, 1.0) == 0


def test_root_up__perfect_square__undecided() -> None:
    # whether rounding errors hide one unit more cannot be told from the square alone
    assert exact.root_up((144.0, 0.0), 144.0, 1.0, 1.0) == exact.UNDECIDED


def test_root_up__cancelled_to_nothing__undecided() -> None:
    assert exact.root_up((0.0, 0.0), 1e20, 1.0, 1.0) == exact.UNDECIDED


@unhurried
@given(st.integers(0, 2**52), st.integers(1, 2**62))
@example(9, 4)
@example(0, 1)
@example(2**52, 2**48)
@example(2**52, 2**48 + 1)
def test_ratio_root_up__any_ratio__exact_below_the_most(amount: int, limit: int) -> None:
    found = exact.ratio_root_up(amount, limit)
    if amount < 18 * limit:
        assert found == ceil_root(-(-amount * 10**18 // limit))
    else:
        assert found in (ceil_root(-(-amount * 10**18 // limit)), exact.UNDECIDED)


@pytest.mark.parametrize(
    ("share", "unit"), [(1, 10**6), (999_999, 10**6), (10**9, 10**6), (9 * 10**9, 10**9), (10**9 - 1, 10**9)]
)
@unhurried
@given(st.integers(0, 2**51))
def test_part_up__any_amount__rounded_up(share: int, unit: int, amount: int) -> None:
    assert exact.part_up(amount, share, unit) == -(-amount * share // unit)
