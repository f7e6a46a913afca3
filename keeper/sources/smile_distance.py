"""Vols at standard moneyness: how far two smiles lie apart."""

from collections.abc import Sequence

import numpy as np

from keeper.pricing import svi
from keeper.pricing.kernels import Floats
from keeper.units.constants import SECONDS_PER_YEAR

# in standard deviations of a vol of 100 %
STANDARD_MONEYNESS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def standard_vols(parameters: Sequence[int], years: float) -> Floats:
    """(5,) vols at the money and one half and one standard deviation (at 100 % vol) to both sides.

    Args:
        parameters: raw SVI, 1e-12.
        years: to the expiry; a second at least is taken.
    """
    time = max(years, 1 / SECONDS_PER_YEAR)
    moneyness = np.array(STANDARD_MONEYNESS) * np.sqrt(time)
    variance = svi.total_variance(parameters=svi.from_integers(parameters), log_moneyness=moneyness)
    return np.asarray(np.sqrt(variance / time))
