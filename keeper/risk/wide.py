"""Whole numbers of 128 bits with sign, as pairs of 64: what marks and margins in WAD need.

A number is (high, low), two's complement. Products and quotients are of numbers that are not negative; what
they may hold is bounded by the caller, nothing here overflows silently inside those bounds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.risk.compiled import compiled
from keeper.risk.compiled_exact import wide_product

Words = npt.NDArray[np.uint64]
Exact = npt.NDArray[np.object_]
_HALF, _LOW_HALF = np.uint64(32), np.uint64(2**32 - 1)
_SIGN = np.uint64(63)
_BITS = 64
_MASK = 2**_BITS - 1

# high and low inside a kernel
Number = tuple[Any, Any]


class Wide(NamedTuple):
    """Many numbers."""

    high: Words
    low: Words

    def integers(self) -> list[int]:
        """As Python's."""
        pairs = zip(self.high.view(np.int64).tolist(), self.low.tolist(), strict=True)
        return [high << _BITS | low for high, low in pairs]

    def objects(self) -> Exact:
        """As an array of Python's."""
        return np.array(self.integers(), dtype=object)

    def copy(self) -> "Wide":
        """The same numbers, to be changed apart."""
        return Wide(self.high.copy(), self.low.copy())

    def at(self, index: int) -> int:
        """One of them as Python's."""
        return int(self.high.view(np.int64)[index]) << _BITS | int(self.low[index])

    def put(self, index: int, value: int) -> None:
        """Replace one. OverflowError if it does not fit."""
        if not -(2**127) <= value < 2**127:
            raise OverflowError("wide: a number does not fit 128 bits")
        self.high[index], self.low[index] = value >> _BITS & _MASK, value & _MASK

    def least(self, other: "Wide") -> "Wide":
        """The smaller of each pair; none negative."""
        first = (self.high < other.high) | ((self.high == other.high) & (self.low < other.low))
        return Wide(np.where(first, self.high, other.high), np.where(first, self.low, other.low))

    def bytes_of(self) -> npt.NDArray[np.uint8]:
        """As 32 bytes each, big-endian with the sign in front: shape (n, 32)."""
        words = np.empty((len(self.low), 4), dtype=">u8")
        words[:, 0] = words[:, 1] = np.uint64(0) - (self.high >> _SIGN)
        words[:, 2], words[:, 3] = self.high, self.low
        return words.view(np.uint8).reshape(-1, 32)


def zeros(size: int) -> Wide:
    """So many zeros."""
    return Wide(np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64))


def wide_of(values: Sequence[int]) -> Wide:
    """Python's integers. OverflowError if one does not fit 128 bits with sign."""
    if any(not -(2**127) <= value < 2**127 for value in values):
        raise OverflowError("wide: a number does not fit 128 bits")
    return Wide(
        np.array([value >> _BITS & _MASK for value in values], dtype=np.uint64),
        np.array([value & _MASK for value in values], dtype=np.uint64),
    )


@compiled
def plus(x: Number, y: Number) -> Number:
    """x + y."""
    low = x[1] + y[1]
    return x[0] + y[0] + (np.uint64(1) if low < x[1] else np.uint64(0)), low


@compiled
def minus(x: Number, y: Number) -> Number:
    """x - y."""
    return x[0] - y[0] - (np.uint64(1) if x[1] < y[1] else np.uint64(0)), x[1] - y[1]


@compiled
def is_less(x: Number, y: Number) -> bool:
    """Whether x < y, of numbers that are not negative."""
    return bool(x[0] < y[0] or (x[0] == y[0] and x[1] < y[1]))


@compiled
def least(x: Number, y: Number) -> Number:
    """The smaller, of numbers that are not negative."""
    return x if is_less(x, y) else y


@compiled
def times(x: Number, factor: Any) -> Number:
    """x * factor, of 64 bits without sign."""
    low = wide_product(x[1], factor)
    return low[0] + x[0] * factor, low[1]


@compiled
def over(x: Number, divisor: Any) -> Number:
    """x / divisor, below 2**32, rounded down."""
    part = x[0] >> _HALF
    first, rest = part // divisor, part % divisor
    part = rest << _HALF | x[0] & _LOW_HALF
    second, rest = part // divisor, part % divisor
    part = rest << _HALF | x[1] >> _HALF
    third, rest = part // divisor, part % divisor
    part = rest << _HALF | x[1] & _LOW_HALF
    return first << _HALF | second, third << _HALF | part // divisor


@compiled
def over_up(x: Number, divisor: Any) -> Number:
    """x / divisor, below 2**32, rounded up."""
    return over(plus(x, (np.uint64(0), divisor - np.uint64(1))), divisor)
