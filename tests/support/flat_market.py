"""A market simple enough to margin by hand: round spots, forwards at spot, one vol for every strike."""

from collections.abc import Sequence

from keeper.markets.instrument import Instrument, Kind
from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket
from keeper.units.constants import SECONDS_PER_YEAR

NOW = 1_750_000_000
DAY = 86_400
SPOTS = {1: 80_000, 2: 2_000, 3: 100}
VOL_PERCENT = 60
DAYS = (1, 30, 120)


def flat_market(days: Sequence[float] = DAYS) -> Market:
    """BTC, ETH and SOL at `SPOTS`, with expiries in so many days."""
    return Market(
        NOW,
        tuple(
            UnderlyingMarket(u, spot * 10**8, spot * 10**8, tuple(_expiry(spot, d) for d in days))
            for u, spot in SPOTS.items()
        ),
    )


def _expiry(spot: int, days: float) -> ExpiryMarket:
    """Raw SVI with b = 0 is flat: total variance a = vol**2 * years, in 1e-12."""
    seconds = round(days * DAY)
    variance = VOL_PERCENT**2 * 10**8 * seconds // SECONDS_PER_YEAR
    return ExpiryMarket(NOW + seconds, spot * 10**8, (variance, 0, 0, 0, 10**12))


def perp(underlying: int) -> int:
    """Packed perp."""
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


def future(underlying: int, days: int) -> int:
    """Packed future."""
    return Instrument(underlying, NOW + days * DAY, 0, Kind.FUTURE).pack()


def option(underlying: int, days: int, strike: int, kind: Kind) -> int:
    """Packed option; strike in USD."""
    return Instrument(underlying, NOW + days * DAY, strike * 10**8, kind).pack()
