"""Which of a few values of the same thing cannot be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# the median absolute deviation of normal numbers, times this, is their standard deviation:
# F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69 (1974), 383-393
MAD_TO_DEVIATION = 1.4826
_FEWEST = 3  # of two that disagree nobody can tell which is wrong by their spread


@dataclass(frozen=True, slots=True)
class Bound:
    """How far from the median a value may lie.

    Attributes:
        hard: in any case.
        calm: never rejected below, however close together the others are.
        deviations: in robust standard deviations of the values, from three values on.
    """

    hard: float
    calm: float
    deviations: float = 6.0


def limit(values: Sequence[float], bound: Bound) -> float:
    """The distance from their median beyond which one of `values` is an outlier."""
    if len(values) < _FEWEST:
        return bound.hard
    centre = median(values)
    spread = MAD_TO_DEVIATION * median(abs(v - centre) for v in values)
    return min(bound.hard, max(bound.calm, bound.deviations * spread))


def is_outlier(values: Sequence[float], bound: Bound) -> list[bool]:
    """Per value, whether it lies too far from the median of all."""
    centre, far = median(values), limit(values, bound)
    return [abs(v - centre) > far for v in values]
