"""The market that margins are computed on: integers only, so that it can be hashed and agreed to the bit.

Prices ("price8") are in 1e-8 USD, SVI parameters in 1e-12, times in unix seconds.
"""

from dataclasses import dataclass, replace

from keeper.units.constants import SECONDS_PER_YEAR, SETTLEMENT_WINDOW

_PPM = 10**6
_PAR = 10**8


@dataclass(frozen=True, slots=True)
class ExpiryMarket:
    """One listed expiry.

    Attributes:
        forward: forward at the effective spot, price8, of a price still wholly to be observed. Inside the
            settlement
            window it belongs to the part of the average that is not yet fixed; `settlement_forward` blends
            the two.
        svi: raw SVI (a, b, rho, m, sigma), 1e-12, total variance to expiry in ln(K / forward).
        settlement_sum: twice the integral of the effective spot over the covered part of the window, price8
            seconds.
        settlement_covered: seconds of the window already averaged; 0 before it starts.
    """

    expiry: int
    forward: int
    svi: tuple[int, int, int, int, int]
    settlement_sum: int = 0
    settlement_covered: int = 0

    @property
    def covered(self) -> int:
        """Covered seconds, at most the whole window."""
        return min(self.settlement_covered, SETTLEMENT_WINDOW)

    @property
    def fixed_average(self) -> int:
        """Average of the part already fixed, price8, rounded down; 0 when nothing is."""
        return self.settlement_sum // (2 * self.settlement_covered) if self.settlement_covered else 0

    @property
    def settlement_forward(self) -> int:
        """Expected settlement price: fixed part plus the remaining share at the forward, price8, rounded
        down.
        """
        fixed = self.fixed_average * self.covered
        return (fixed + self.forward * (SETTLEMENT_WINDOW - self.covered)) // SETTLEMENT_WINDOW


@dataclass(frozen=True, slots=True)
class UnderlyingMarket:
    """One underlying.

    Attributes:
        posted, effective: spot as the sources say it, and as held inside the bands, price8.
        expiries: ascending.
        volatility_scale_ppm: its daily volatility over the one that the scenarios of the expected shortfall
            are stated at.
        confidence_ppm: how far the sources agree, at most 1.
    """

    underlying: int
    posted: int
    effective: int
    expiries: tuple[ExpiryMarket, ...] = ()
    volatility_scale_ppm: int = _PPM
    confidence_ppm: int = _PPM

    def __post_init__(self) -> None:
        if not 0 < self.volatility_scale_ppm < 2**63 or not 0 <= self.confidence_ppm <= _PPM:
            raise ValueError(f"market: bad volatility scale or confidence of underlying {self.underlying}")

    def expiry(self, expiry: int) -> ExpiryMarket:
        """The market of one expiry.

        Raises:
            LookupError: it is not listed.
        """
        for listed in self.expiries:
            if listed.expiry == expiry:
                return listed
        raise LookupError(f"market: no expiry {expiry} of underlying {self.underlying}")


@dataclass(frozen=True, slots=True)
class Market:
    """All underlyings, ascending by id, at one moment; `settlement_price` of the settlement coin, price8."""

    timestamp: int
    underlyings: tuple[UnderlyingMarket, ...]
    settlement_price: int = _PAR

    def __post_init__(self) -> None:
        if not 0 < self.settlement_price < 2**64:
            raise ValueError(f"market: settlement coin at {self.settlement_price}")

    def underlying(self, underlying: int) -> UnderlyingMarket:
        """The market of one underlying.

        Raises:
            LookupError: it is not listed.
        """
        for listed in self.underlyings:
            if listed.underlying == underlying:
                return listed
        raise LookupError(f"market: no underlying {underlying}")

    def years(self, expiry: int) -> float:
        """Time to expiry in years of 365 days; 0 once expired."""
        return max(expiry - self.timestamp, 0) / SECONDS_PER_YEAR

    @property
    def is_inside_bands(self) -> bool:
        """Posted and effective spots agree everywhere."""
        return all(u.posted == u.effective for u in self.underlyings)

    def at_posted_spot(self) -> "Market":
        """The same market with every effective spot and forward moved to the posted spot (forwards pro
        rata, down).
        """
        return replace(self, underlyings=tuple(_at_posted(u) for u in self.underlyings))


def _at_posted(market: UnderlyingMarket) -> UnderlyingMarket:
    expiries = tuple(
        replace(e, forward=e.forward * market.posted // market.effective) for e in market.expiries
    )
    return replace(market, effective=market.posted, expiries=expiries)
