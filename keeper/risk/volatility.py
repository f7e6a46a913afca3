"""The regime of an underlying: its present daily volatility over the one that scenarios are stated at.

Published per epoch as an integer and compared with a tolerance, so nothing here has to agree to the bit.
"""

from collections.abc import Sequence
from math import log, sqrt

from keeper.risk.parameters import PPM, ExpectedShortfallParameters

_SEED_DAYS = 30
_DAYS_OF_MEAN = 365


def log_returns(closes: Sequence[float]) -> list[float]:
    """Logarithm of each close over the one before."""
    return [log(after / before) for before, after in zip(closes, closes[1:], strict=False)]


def ewma(returns: Sequence[float], decay: float) -> list[float]:
    """Exponentially weighted daily volatility after each return: s**2 = decay * s**2 + (1 - decay) * r**2.

    The recursion starts from the mean square of the first thirty returns (RiskMetrics technical document,
    1996, section 5.2).

    Raises:
        ValueError: fewer than thirty returns.
    """
    if len(returns) < _SEED_DAYS:
        raise ValueError(f"volatility: {len(returns)} returns, needs {_SEED_DAYS}")
    variance = sum(r * r for r in returns[:_SEED_DAYS]) / _SEED_DAYS
    result = []
    for r in returns:
        variance = decay * variance + (1.0 - decay) * r * r
        result.append(sqrt(variance))
    return result


def scale_ppm(
    volatilities: Sequence[float], reference_ppm: int, parameters: ExpectedShortfallParameters
) -> int:
    """Volatility scale after the last day, ppm.

    Args:
        volatilities: `ewma` of every day so far; the last 365 count, or as many as there are.
        reference_ppm: daily volatility that the scenarios are stated at.

    The scale does not follow a calm all the way down: it is at least `floor_ppm` of its mean over a year,
    which keeps margins from having to jump when the calm ends.
    """
    recent = volatilities[-_DAYS_OF_MEAN:]
    floor = parameters.scale_floor_ppm / PPM * sum(recent) / len(recent)
    scale = round(max(recent[-1], floor) * PPM * PPM / reference_ppm)
    return clipped(scale, parameters)


def clipped(scale: int, parameters: ExpectedShortfallParameters) -> int:
    """A scale inside its limits, ppm."""
    return min(max(scale, parameters.scale_low_ppm), parameters.scale_high_ppm)
