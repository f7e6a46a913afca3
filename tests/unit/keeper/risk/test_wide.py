"""Numbers of 128 bits against Python's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.risk.wide import is_less, minus, over, over_up, plus, times, wide_of

NUMBERS = st.integers(-(2**126), 2**126)
POSITIVE = st.one_of(st.integers(0, 2**126), st.integers(0, 2**40))


def pair(value: int) -> tuple[np.uint64, np.uint64]:
    return np.uint64(value >> 64 & (2**64 - 1)), np.uint64(value & (2**64 - 1))


def number(found: tuple[int, int]) -> int:
    value = int(found[0]) << 64 | int(found[1])
    return value - (1 << 128 if value >> 127 else 0)


@given(NUMBERS, NUMBERS)
@settings(deadline=None)
def test_sums__any_two__as_python(x: int, y: int) -> None:
    assert number(plus(pair(x), pair(y))) == x + y
    assert number(minus(pair(x), pair(y))) == x - y


@given(POSITIVE, POSITIVE, st.integers(1, 2**32 - 1))
@settings(deadline=None)
def test_quotients_and_order__not_negative__as_python(x: int, y: int, divisor: int) -> None:
    assert number(over(pair(x), np.uint64(divisor))) == x // divisor
    assert number(over_up(pair(x), np.uint64(divisor))) == -(-x // divisor)
    assert is_less(pair(x), pair(y)) == (x < y)


@given(st.integers(0, 2**90), st.integers(0, 2**37 - 1))
@settings(deadline=None)
def test_times__inside_127_bits__as_python(x: int, factor: int) -> None:
    assert number(times(pair(x), np.uint64(factor))) == x * factor


@given(st.lists(st.integers(-(2**127), 2**127 - 1), max_size=20))
def test_wide_of__any_numbers__back_and_as_words(values: list[int]) -> None:
    found = wide_of(values)
    assert found.integers() == values
    assert [row.tobytes() for row in found.bytes_of()] == [v.to_bytes(32, "big", signed=True) for v in values]


def test_put__too_large__refused() -> None:
    with pytest.raises(OverflowError, match="does not fit 128 bits"):
        wide_of([0]).put(0, 2**127)
