"""Parameters to margin by hand with: the shipped ones where no test computes with them, round ones elsewhere.

Calibration may move the shipped figures; what the tests show is the arithmetic.
"""

import json

from keeper.risk.methodology import Methodology

_RANGES = {1: 160_000, 2: 180_000, 3: 250_000}


def round_methodology() -> Methodology:
    """Ranges of .16, .18 and .25, a vega weight of .35, tails in full."""
    data = json.loads(Methodology.default().to_json())
    for underlying in data["underlyings"]:
        underlying["spot"]["range_ppm"] = _RANGES[underlying["underlying"]]
    data["greeks"]["vega_weight_ppm"] = 350_000
    data["scan"]["tail_share_ppm"] = 1_000_000
    return Methodology.from_json(json.dumps(data))
