"""What a source of market data says at one moment. Prices are price8 (1e-8 USD), SVI parameters 1e-12."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keeper.pricing.market import ExpiryMarket, Market, UnderlyingMarket

PPM = 10**6
PAR = 10**8

Parameters = tuple[int, int, int, int, int]
Listed = Mapping[int, Sequence[int]]


@dataclass(frozen=True)
class ExpiryQuote:
    """Forward at the observed spot, and raw SVI in ln(K / forward)."""

    forward: int
    svi: Parameters


@dataclass(frozen=True)
class Observation:
    """One venue's view.

    Attributes:
        timestamp: chain seconds it was asked for.
        age: seconds since the newest datum behind it.
        spots: by underlying.
        expiries: by (underlying, expiry).
        volatility_scales_ppm: by underlying, as `keeper.risk.volatility` defines it; 1 where it is not known.
        confidences_ppm: by underlying, at most 1, which is also what it is where nothing speaks against it.
        settlement_price: of the settlement coin, price8.
    """

    venue: str
    timestamp: int
    age: int
    spots: Mapping[int, int]
    expiries: Mapping[tuple[int, int], ExpiryQuote]
    volatility_scales_ppm: Mapping[int, int] = field(default_factory=dict)
    confidences_ppm: Mapping[int, int] = field(default_factory=dict)
    settlement_price: int = PAR


class Source(Protocol):
    """Anything that can be asked for the market."""

    venue: str

    def observe(self, now: int, listed: Listed) -> Observation:
        """The market at chain time `now`.

        Args:
            listed: expiries wanted, by underlying; an underlying without expiries maps to an empty sequence.

        Raises:
            LookupError: no data for that time, underlying or tenor.
        """
        ...


def market_of(
    observation: Observation,
    effective: Mapping[int, int],
    windows: Mapping[tuple[int, int], tuple[int, int]] | None = None,
) -> Market:
    """The market to publish: observed spots as posted, forwards moved pro rata to the effective spots (down).

    Args:
        effective: spot inside the bands, price8, by underlying.
        windows: (settlement sum, covered seconds) of expiries inside their settlement window, from the chain.
    """
    fixed = windows or {}
    underlyings = []
    for underlying, posted in sorted(observation.spots.items()):
        spot = effective[underlying]
        expiries = [
            ExpiryMarket(expiry, quote.forward * spot // posted, quote.svi, *fixed.get((u, expiry), (0, 0)))
            for (u, expiry), quote in sorted(observation.expiries.items())
            if u == underlying
        ]
        underlyings.append(
            UnderlyingMarket(
                underlying,
                posted,
                spot,
                tuple(expiries),
                volatility_scale_ppm=observation.volatility_scales_ppm.get(underlying, PPM),
                confidence_ppm=observation.confidences_ppm.get(underlying, PPM),
            )
        )
    return Market(observation.timestamp, tuple(underlyings), observation.settlement_price)
