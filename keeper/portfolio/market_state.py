"""A market in human units: USD, annual vols (0.6 = 60 %), unix seconds, shares (confidence 1 = certain)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from keeper.portfolio.moments import day_text
from keeper.pricing import svi
from keeper.pricing.svi import Svi
from keeper.units.constants import SECONDS_PER_YEAR


@dataclass(frozen=True)
class Expiry:
    """One expiry.

    Attributes:
        forward: expected settlement price: the part already averaged plus the rest.
        fixed: of the forward, the part already averaged inside the settlement window.
        rate: continuously compounded interest per year.
        smile: raw SVI of total variance in ln(K / smile_forward), or None.
        vols: quoted vols by strike; they stand before the smile.
        confidence: least confidence of forward and vols.
        rate_confidence: confidence of the rate.
        smile_forward, smile_years: forward and time the smile was fitted at; None: those of the market.
    """

    expiry: int
    forward: float
    fixed: float = 0.0
    rate: float = 0.0
    smile: Svi | None = None
    vols: tuple[tuple[float, float], ...] = ()
    confidence: float = 1.0
    rate_confidence: float = 1.0
    smile_forward: float | None = None
    smile_years: float | None = None

    def vol(self, strike: float, years: float) -> float:
        """Vol at a strike: as quoted; else of the smile; else linear in total variance between quoted
        strikes in log-moneyness, flat beyond them.

        Raises:
            LookupError: the expiry has neither quotes nor a smile.
        """
        quoted = dict(self.vols)
        if strike in quoted:
            return quoted[strike]
        if self.smile is not None:
            k = log(strike / (self.smile_forward or self.forward))
            variance = float(svi.total_variance(parameters=self.smile, log_moneyness=k))
            return sqrt(variance / (self.smile_years or years))
        if not quoted:
            raise LookupError(f"market: no vols of expiry {day_text(self.expiry)}: add vols or svi")
        strikes = sorted(quoted)
        k = log(strike / self.forward)
        squared = np.interp(k, [log(s / self.forward) for s in strikes], [quoted[s] ** 2 for s in strikes])
        return sqrt(float(squared))


@dataclass(frozen=True)
class Underlying:
    """One underlying.

    Attributes:
        perp: the perpetual's mark price.
        expiries: keyed by unix seconds.
        volatility_scale: today's vol regime over that of the expected-shortfall set, 1 when not known.
    """

    symbol: str
    spot: float
    perp: float
    expiries: Mapping[int, Expiry]
    confidence: float = 1.0
    perp_confidence: float = 1.0
    volatility_scale: float = 1.0

    def expiry(self, expiry: int) -> Expiry:
        """One expiry. Raises LookupError when it is not in the market."""
        if expiry not in self.expiries:
            known = ", ".join(day_text(x) for x in sorted(self.expiries)) or "none"
            raise LookupError(f"market: no expiry {day_text(expiry)} of {self.symbol}; it has {known}")
        return self.expiries[expiry]


@dataclass(frozen=True)
class MarketState:
    """All underlyings at one moment; `settlement_price` is the price of the settlement coin in USD."""

    timestamp: int
    underlyings: Mapping[str, Underlying]
    settlement_price: float = 1.0

    def underlying(self, symbol: str) -> Underlying:
        """One underlying. Raises LookupError when it is not in the market."""
        if symbol not in self.underlyings:
            raise LookupError(f"market: no underlying {symbol}; it has {', '.join(sorted(self.underlyings))}")
        return self.underlyings[symbol]

    def years(self, expiry: int) -> float:
        """Time to expiry in years of 365 days, not negative."""
        return max(expiry - self.timestamp, 0) / SECONDS_PER_YEAR

    def discount(self, expiry: Expiry) -> float:
        """Value today of 1 USD at the expiry."""
        return exp(-expiry.rate * self.years(expiry.expiry))
