"""Recorded option chains, made into the smiles whose jumps are looked for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from math import sqrt

import numpy as np

from keeper.analysis.anomaly_surface import SmileHistory
from keeper.sources.chain_fit import forward_of
from keeper.sources.option_quote import Chain
from keeper.sources.smile_distance import STANDARD_MONEYNESS
from keeper.sources.smile_quotes import smile_quotes

_FEWEST_STRIKES = 5


def smiles_of(chains: Sequence[Chain]) -> dict[str, list[SmileHistory]]:
    """Smiles over time by underlying: vols of the quotes themselves, linear between strikes and flat beyond.

    An expiry with fewer than five usable strikes in a chain has no smile there.
    """
    rows: dict[tuple[str, int], list[tuple[int, list[float]]]] = {}
    for chain in chains:
        for key, group in groupby(chain.quotes, key=lambda q: (q.underlying, q.expiry)):
            quotes = list(group)
            found = smile_quotes(quotes, forward_of(quotes))
            if len(found.k) >= _FEWEST_STRIKES:
                standard = np.array(STANDARD_MONEYNESS) * sqrt(found.years)
                vols = np.interp(standard, found.k, found.target).tolist()
                rows.setdefault(key, []).append((chain.timestamp, vols))
    histories: dict[str, list[SmileHistory]] = {}
    for (underlying, expiry), smiles in sorted(rows.items()):
        if len(smiles) > 1:
            subject = f"{underlying} {datetime.fromtimestamp(expiry, UTC):%Y-%m-%d}"
            times = np.array([t for t, _ in smiles], dtype=np.int64)
            history = SmileHistory(subject, times, np.array([v for _, v in smiles]))
            histories.setdefault(underlying, []).append(history)
    return histories
