"""The raw SVI slice of an expiry: the one that is given, or one fitted to the quoted vols."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log, sqrt
from statistics import median

import numpy as np

from keeper.portfolio.market_state import Expiry, MarketState
from keeper.portfolio.moments import day_text
from keeper.pricing import ssvi, svi
from keeper.pricing.svi import Svi

_LEAST_QUOTES = 5


@dataclass(frozen=True)
class Smile:
    """A slice of total variance in ln(K / forward), at the market's forward and time.

    Attributes:
        source: "svi" as given, "fit" of raw SVI to at least five quotes, "ssvi" of two to four, whose few
            quotes leave it near a common shape, "flat" through a single one.
        errors: the slice's vol less the quoted one, by strike.
        problems: of arbitrage.
    """

    slice: Svi
    source: str
    errors: tuple[tuple[float, float], ...]
    problems: tuple[str, ...]

    def detail(self) -> dict[str, object]:
        """JSON-ready; errors in vol points."""
        sizes = [100.0 * abs(error) for _, error in self.errors]
        return {
            "source": self.source,
            "quotes": len(sizes),
            "median_error_vol_points": median(sizes) if sizes else 0.0,
            "largest_error_vol_points": max(sizes, default=0.0),
            "problems": list(self.problems),
        }


@lru_cache(maxsize=4096)
def smile_of(expiry: Expiry, years: float) -> Smile:
    """The slice that stands for an expiry; quoted vols matter only through it.

    Raises:
        LookupError: the expiry has neither quotes nor a smile.
    """
    quotes = [(strike, log(strike / expiry.forward), vol) for strike, vol in expiry.vols]
    if expiry.smile is not None:
        found, source = _moved(expiry, expiry.smile, years), "svi"
    elif not quotes:
        raise LookupError(f"market: no vols of expiry {day_text(expiry.expiry)}: add vols or svi")
    else:
        found, source = _fitted([k for _, k, _ in quotes], [vol**2 * years for *_, vol in quotes])
    errors = tuple((strike, _vol(found, k, years) - vol) for strike, k, vol in quotes)
    return Smile(found, source, errors, tuple(svi.slice_arbitrage(found)))


def _moved(expiry: Expiry, smile: Svi, years: float) -> Svi:
    """A slice fitted at another forward and time, such that every strike keeps its vol."""
    shift = log(expiry.forward / (expiry.smile_forward or expiry.forward))
    moved = smile._replace(m=smile.m - shift)
    return svi.scale(moved, years / expiry.smile_years) if expiry.smile_years else moved


def _fitted(log_moneyness: list[float], variance: list[float]) -> tuple[Svi, str]:
    """The slice through the quotes, and how it was found."""
    if len(variance) == 1:
        return Svi(variance[0], 0.0, 0.0, 0.0, 1.0), "flat"
    if len(variance) >= _LEAST_QUOTES:
        return svi.calibrate(log_moneyness=log_moneyness, variance=variance), "fit"
    quotes = ssvi.Quotes(np.array(log_moneyness), np.array(variance), np.ones(len(variance)))
    fit = ssvi.calibrate([quotes])
    return fit.shared.slice(fit.thetas[0]), "ssvi"


def _vol(found: Svi, k: float, years: float) -> float:
    return sqrt(float(svi.total_variance(parameters=found, log_moneyness=k)) / years)


def fitted(market: MarketState, expiries: Iterable[tuple[str, int]]) -> MarketState:
    """The market with the slices that stand for these expiries in place of their quotes: fitted once, they
    move with the market.

    Raises:
        LookupError: the market lacks an underlying, an expiry or its vols.
    """
    wanted = set(expiries)
    underlyings = {
        symbol: replace(
            underlying,
            expiries={
                e: _with_slice(x, market.years(e)) if (symbol, e) in wanted else x
                for e, x in underlying.expiries.items()
            },
        )
        for symbol, underlying in market.underlyings.items()
    }
    return replace(market, underlyings=underlyings)


def _with_slice(expiry: Expiry, years: float) -> Expiry:
    found = smile_of(expiry, years).slice
    return replace(expiry, smile=found, vols=(), smile_forward=None, smile_years=None)
