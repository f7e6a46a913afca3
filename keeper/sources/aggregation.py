"""Several venues into one market, and the check an attester makes of a proposed one against its own
sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from keeper.pricing import svi
from keeper.pricing.kernels import Floats
from keeper.pricing.market import Market, UnderlyingMarket
from keeper.sources.source import PPM, ExpiryQuote, Observation
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR

_STANDARD_MONEYNESS = (-1.0, -0.5, 0.0, 0.5, 1.0)


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


def aggregate(observations: Sequence[Observation], max_age_seconds: int = 3_600) -> Observation:
    """Median spot of the fresh venues; forwards and surfaces from the venue whose spot lies nearest to it.

    Raises:
        LookupError: no venue is fresh, or they disagree on what is listed.
    """
    fresh = sorted((o for o in observations if o.age <= max_age_seconds), key=lambda o: o.venue)
    if not fresh:
        raise LookupError("sources: no fresh observation")
    if any(set(o.spots) != set(fresh[0].spots) or set(o.expiries) != set(fresh[0].expiries) for o in fresh):
        raise LookupError("sources: observations cover different instruments")
    spots = {u: int(median(o.spots[u] for o in fresh)) for u in fresh[0].spots}
    expiries = {}
    for underlying, expiry in fresh[0].expiries:
        target = spots[underlying]
        nearest = min(fresh, key=lambda o: abs(o.spots[underlying] - target))  # noqa: B023 used at once
        quote = nearest.expiries[(underlying, expiry)]
        forward = quote.forward * target // nearest.spots[underlying]
        expiries[(underlying, expiry)] = ExpiryQuote(forward, quote.svi)
    return Observation(
        "median",
        fresh[0].timestamp,
        max(o.age for o in fresh),
        spots,
        expiries,
        volatility_scales_ppm={u: int(median(_scale(o, u) for o in fresh)) for u in spots},
        confidences_ppm={u: min(_confidence(o, u) for o in fresh) for u in spots},
        settlement_price=int(median(o.settlement_price for o in fresh)),
    )


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
        years = max(market.years(expiry.expiry), 1 / SECONDS_PER_YEAR)
        gap = float(np.max(np.abs(_vols(expiry.svi, years) - _vols(quote.svi, years))))
        if gap > tolerance.vol:
            problems.append(f"market: vols of {listed.underlying} {expiry.expiry} differ by {gap:.4f}")
    return problems


def _arbitrage(slices: Sequence[Sequence[int]]) -> list[str]:
    return svi.arbitrage([svi.from_integers(s) for s in slices])


def _is_far(value: int, reference: int, tolerance_bps: int) -> bool:
    return abs(value - reference) * BASIS_POINTS > reference * tolerance_bps


def _vols(parameters: Sequence[int], years: float) -> Floats:
    """Vols at the money and one half and one standard deviation (at 100 % vol) to both sides."""
    moneyness = np.array(_STANDARD_MONEYNESS) * np.sqrt(years)
    variance = svi.total_variance(parameters=svi.from_integers(parameters), log_moneyness=moneyness)
    return np.asarray(np.sqrt(variance / years))
