"""How much a margin moves with the market: calls for more collateral come when it is dearest.

Measures as in D. Murphy, M. Vasios, N. Vause, "An investigation into the procyclicality of risk-based initial
margin models", Bank of England Financial Stability Paper 29 (2014).
"""

from dataclasses import dataclass

import numpy as np

from keeper.pricing.kernels import Floats

HORIZONS = (1, 5, 30)


@dataclass(frozen=True)
class Procyclicality:
    """Of one margin through time.

    Attributes:
        peak_to_trough: largest over least margin.
        rises: largest rise over each number of days of `HORIZONS`, as a share of the margin before.
    """

    peak_to_trough: float
    rises: tuple[float, ...]


def procyclicality(margin: Floats, step: int = 1) -> Procyclicality:
    """Of daily margins of a book of constant shape, or of every `step`-th day.

    A horizon shorter than the step is measured over one step.
    """
    kept = margin[np.isfinite(margin) & (margin > 0.0)]
    if kept.size < 2:
        return Procyclicality(1.0, (0.0,) * len(HORIZONS))
    rises = []
    for days in HORIZONS:
        lag = min(max(days // step, 1), kept.size - 1)
        # the rise from the least margin inside the horizon, not only from its first day
        least = np.min(np.stack([kept[lag - n : kept.size - n] for n in range(1, lag + 1)]), axis=0)
        rises.append(max(float(np.max(kept[lag:] / least)) - 1.0, 0.0))
    return Procyclicality(float(kept.max() / kept.min()), tuple(rises))
