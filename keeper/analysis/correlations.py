"""Correlations of spot moves, estimated from the filtered days of a scenario set, as the methodology takes
them.

Filtered returns have their changing volatility divided out, so no single storm decides the estimate.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from keeper.risk.parameters import PPM
from keeper.risk.scenario_set import ScenarioSet


def estimated_pairs(
    scenarios: ScenarioSet, underlyings: Mapping[int, str]
) -> tuple[tuple[int, int, int], ...]:
    """`pairs` of the correlation parameters: (underlying, underlying, ppm), negative estimates as zero.

    Args:
        underlyings: symbol by id; those without moves of their own are left out.
    """
    known = {u: s for u, s in sorted(underlyings.items()) if s in scenarios.moves}
    if len(known) < 2:
        return ()
    returns = [scenarios.moves[symbol].spot[: scenarios.filtered] for symbol in known.values()]
    matrix = np.corrcoef(np.array(returns, dtype=np.float64))
    return tuple(
        (a, b, max(0, round(float(matrix[i, j]) * PPM)))
        for (i, a), (j, b) in combinations(enumerate(known), 2)
    )
