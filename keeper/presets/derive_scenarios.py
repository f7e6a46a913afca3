"""What Derive's two portfolio margins share: vol shocks, naked shorts, confidence, basis contingency.

Source: derivexyz/v2-core at 7736900d, contracts PMRMLib and PMRMLib_2.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

import numpy as np

from keeper.portfolio.market_state import Expiry
from keeper.presets.legs import Book, Floats, Options
from keeper.units.constants import SECONDS_PER_YEAR

_REFERENCE_DAYS = 30.0
_DAYS_PER_YEAR = SECONDS_PER_YEAR / 86_400


def discount(expiry: Expiry, years: float) -> float:
    """Value today of 1 USD at the expiry; a negative rate counts as zero."""
    return exp(-max(expiry.rate, 0.0) * years)


def vol_shock(options: Options, parameters: Mapping[str, Any]) -> Floats:
    """(30 days / days to expiry) ** power, one per option."""
    days = options.years * _DAYS_PER_YEAR
    ratio = _REFERENCE_DAYS / np.maximum(days, parameters["dte_floor_days"])
    is_short = days <= _REFERENCE_DAYS
    power = np.where(is_short, parameters["short_term_power"], parameters["long_term_power"])
    return np.asarray(ratio**power)


def naked_shorts(options: Options) -> float:
    """Coins short per strike and expiry, after long options of the same strike and expiry, summed."""
    net: dict[tuple[float, float], float] = {}
    for years, strike, quantity in zip(options.years, options.strike, options.quantity, strict=True):
        net[years, strike] = net.get((years, strike), 0.0) + float(quantity)
    return sum(max(-x, 0.0) for x in net.values())


def confidence_charge(confidence: float, notional: float, parameters: Mapping[str, Any]) -> float:
    """(1 - confidence) x margin x notional below the threshold, else nothing."""
    if confidence >= parameters["confidence_threshold"]:
        return 0.0
    return float((1.0 - confidence) * parameters["confidence_margin"] * notional)


def market_confidence(book: Book) -> float:
    """Least confidence of the spot and, when one is held, the perpetual."""
    spot = book.underlying.confidence
    return min(spot, book.underlying.perp_confidence) if book.perp else spot


def option_confidence_charge(book: Book, confidence: float, parameters: Mapping[str, Any]) -> float:
    """The charge of every expiry on the spot value of all its options, long and short."""
    sizes = book.options.by_expiry(np.abs(book.options.quantity))
    return sum(
        confidence_charge(
            min(confidence, expiry.confidence, expiry.rate_confidence),
            float(size) * book.underlying.spot,
            parameters,
        )
        for expiry, size in zip(book.options.expiries, sizes, strict=True)
    )


def basis_contingency(options: Options, mark: Floats, parameters: Mapping[str, Any]) -> float:
    """Sum over expiries of the worse of two moves, never a gain, times add + multiply x years: forwards of
    different expiries may move apart. Not positive.

    Args:
        mark: value of each expiry.
    """
    moves = np.array([[parameters["spot_up"]], [parameters["spot_down"]]])
    shocked = options.by_expiry(options.price(moves, options.vol) * options.quantity)
    worst = np.minimum((shocked - mark).min(axis=0, initial=0.0), 0.0)
    years = options.years[options.starts]
    return float(np.sum(worst * (parameters["add_factor"] + parameters["multiply_factor"] * years)))


def require_listed(book: Book, model: str) -> None:
    """Raises ValueError when the book holds a dated future: Derive lists none."""
    if book.futures:
        raise ValueError(f"{model}: {book.underlying.symbol} has dated futures, which Derive does not list")
