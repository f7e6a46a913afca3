"""The price band of a trade: a report on a trade at an absurd price would let value move between accounts.

The chain holds the band where a trade shows the instruments' leaves. Without them a trade passes by report
only, so who signs reports holds it there. Pure. Prices and bands WAD.
"""

from collections.abc import Mapping, Sequence

from keeper.exchange.order import LegFill
from keeper.markets.instrument import Instrument
from keeper.units.constants import PRICE_UNIT, WAD


def band_refusal(
    legs: Sequence[LegFill], marks: Mapping[int, int], spots: Mapping[int, int], bands: Mapping[int, int]
) -> str | None:
    """Why a trade is outside its band, or None.

    Args:
        marks: 1e-8 USD by instrument.
        spots: effective spot, 1e-8 USD, by underlying.
        bands: share of the spot, WAD, by underlying.
    """
    for leg in legs:
        underlying = Instrument.unpack(leg.instrument).underlying
        most = bands[underlying] * spots[underlying] * PRICE_UNIT // WAD
        if abs(leg.price - marks[leg.instrument] * PRICE_UNIT) > most:
            return f"price of {leg.instrument} is outside its band around the mark"
    return None
