"""The check an attester makes of a proposed market against its own sources."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.pricing import svi
from keeper.pricing.market import Market, UnderlyingMarket
from keeper.sources.smile_distance import standard_vols
from keeper.sources.source import PPM, Observation
from keeper.units.constants import BASIS_POINTS


@dataclass(frozen=True)
class Tolerance:
    """How far a proposal may lie from an attester's own sources, and how old those may be.

    Attributes:
        regime_bps: of the volatility scale; confidence_ppm: of the confidence, absolute.
        settlement_bps: of the settlement coin's price.
    """

    spot_bps: int = 50
    forward_bps: int = 75
    vol: float = 0.05
    regime_bps: int = 500
    confidence_ppm: int = 50_000
    settlement_bps: int = 50
    max_age_seconds: int = 3_600


def _scale(observation: Observation, underlying: int) -> int:
    return observation.volatility_scales_ppm.get(underlying, PPM)


def _confidence(observation: Observation, underlying: int) -> int:
    return observation.confidences_ppm.get(underlying, PPM)


def market_problems(market: Market, own: Observation, tolerance: Tolerance) -> list[str]:
    """Why an attester must not sign a proposed market; empty when it may.

    Checks the age of its own data, posted spots and forwards, every surface for arbitrage, and vols at five
    strikes.
    """
    problems = []
    if own.age > tolerance.max_age_seconds:
        problems.append(f"market: own data is {own.age} seconds old")
    if _is_far(market.settlement_price, own.settlement_price, tolerance.settlement_bps):
        problems.append(f"market: settlement coin is {market.settlement_price}, ours {own.settlement_price}")
    if {u.underlying for u in market.underlyings} != set(own.spots):
        problems.append("market: other underlyings than our sources")
    for listed in market.underlyings:
        if listed.underlying in own.spots:
            problems += _underlying_problems(market, listed, own, tolerance)
    return problems


def _underlying_problems(
    market: Market, listed: UnderlyingMarket, own: Observation, tolerance: Tolerance
) -> list[str]:
    problems = []
    spot = own.spots[listed.underlying]
    if _is_far(listed.posted, spot, tolerance.spot_bps):
        problems.append(f"market: spot of {listed.underlying} is {listed.posted}, ours {spot}")
    scale, confidence = _scale(own, listed.underlying), _confidence(own, listed.underlying)
    if _is_far(listed.volatility_scale_ppm, scale, tolerance.regime_bps):
        stated = listed.volatility_scale_ppm
        problems.append(f"market: volatility scale of {listed.underlying} is {stated}, ours {scale}")
    if abs(listed.confidence_ppm - confidence) > tolerance.confidence_ppm:
        stated = listed.confidence_ppm
        problems.append(f"market: confidence of {listed.underlying} is {stated}, ours {confidence}")
    if {e.expiry for e in listed.expiries} != {e for u, e in own.expiries if u == listed.underlying}:
        return [*problems, f"market: other expiries of {listed.underlying} than our sources"]
    alive = [e for e in listed.expiries if e.expiry > market.timestamp]
    problems += [f"{p} of underlying {listed.underlying}" for p in _arbitrage([e.svi for e in alive])]
    for expiry in listed.expiries:
        quote = own.expiries[(listed.underlying, expiry.expiry)]
        posted_forward = expiry.forward * listed.posted // listed.effective
        if _is_far(posted_forward, quote.forward, tolerance.forward_bps):
            problems.append(f"market: forward of {listed.underlying} {expiry.expiry} is {posted_forward}")
        years = market.years(expiry.expiry)
        gap = float(np.max(np.abs(standard_vols(expiry.svi, years) - standard_vols(quote.svi, years))))
        if gap > tolerance.vol:
            problems.append(f"market: vols of {listed.underlying} {expiry.expiry} differ by {gap:.4f}")
    return problems


def _arbitrage(slices: Sequence[Sequence[int]]) -> list[str]:
    return svi.arbitrage([svi.from_integers(s) for s in slices])


def _is_far(value: int, reference: int, tolerance_bps: int) -> bool:
    return abs(value - reference) * BASIS_POINTS > reference * tolerance_bps
