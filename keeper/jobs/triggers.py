"""How near an epoch is to being due, by each reason for one. Pure; on chain time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keeper.attestation.epoch import EpochStatement
from keeper.jobs.observe import ChainView
from keeper.risk.scan import Integers
from keeper.sources.smile_distance import STANDARD_MONEYNESS, standard_vols
from keeper.sources.source import Observation, Parameters
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR, WAD

Pair = tuple[int, int]  # underlying, expiry


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an epoch is due.

    Attributes:
        heartbeat_seconds: age of the latest epoch, chain time.
        deviation_bps: move of any spot since then.
        surface_vol: mean move of an underlying's vols since then, weighted by vega; 0.01 is one vol point.
        health_levels: of equity over maintenance margin, WAD; an account that crosses one is a reason.
        early_share: two measures that are this near to due make one epoch for both now.
    """

    heartbeat_seconds: int = 60
    deviation_bps: int = 25
    surface_vol: float = 0.02
    health_levels: tuple[int, ...] = (WAD,)
    early_share: float = 0.8


@dataclass(frozen=True, slots=True)
class Measure:
    """One reason: due from 1 on. `since`: chain time since which it is due, as everybody would say."""

    trigger: str
    share: float
    detail: str
    since: int


@dataclass(frozen=True)
class Attested:
    """What the latest epoch says, as far as it matters here.

    Attributes:
        accounts: that have a leaf, ascending.
        surfaces: raw SVI parameters, 1e-12, of every expiry that has a leaf.
        timestamp: of the epoch, unix seconds.
    """

    accounts: Integers
    surfaces: Mapping[Pair, Parameters]
    timestamp: int

    @classmethod
    def of(cls, statement: EpochStatement) -> "Attested":
        """Of an epoch."""
        surfaces = {(leaf.underlying, leaf.expiry): leaf.svi for leaf in statement.forwards}
        return cls(statement.margins.ids, surfaces, statement.epoch.timestamp)


def measures(
    view: ChainView, observation: Observation, attested: Attested | None, trigger: Trigger
) -> list[Measure]:
    """All but the health of accounts, which needs margins; the most telling reason first."""
    found = [*_requests(view, attested), *_spots(view, observation, trigger)]
    if attested is not None:
        found += _surfaces(view, observation, attested, trigger)
    age = view.block.timestamp - view.header.timestamp
    beat = trigger.heartbeat_seconds
    return [*found, Measure("heartbeat", age / beat, f"{age} s", view.header.timestamp + beat)]


def _requests(view: ChainView, attested: Attested | None) -> list[Measure]:
    """What has happened on the chain that only a new epoch answers."""
    if attested is None:
        return []  # the latest epoch is not known here: nothing is said about what it lacks
    now = view.block.timestamp
    found = []
    new = np.setdiff1d(view.states.ids, attested.accounts, assume_unique=True)
    if len(new):
        found.append(Measure("request", 1.0, f"account {new[0]} has no leaf", now))
    for listing in view.listings:
        if listing.expiry > now and (listing.underlying, listing.expiry) not in attested.surfaces:
            detail = f"expiry {listing.expiry} of underlying {listing.underlying} has no leaf"
            found.append(Measure("request", 1.0, detail, now))
    return found


def _spots(view: ChainView, observation: Observation, trigger: Trigger) -> list[Measure]:
    found = []
    for underlying, spot in sorted(observation.spots.items()):
        posted = view.spots[underlying - 1].posted
        moved = abs(spot - posted) * BASIS_POINTS / max(posted, 1)
        detail = f"underlying {underlying} by {moved:.1f} bp"
        share = moved / trigger.deviation_bps
        found.append(Measure("spot_deviation", share, detail, view.block.timestamp))
    return sorted(found, key=lambda measure: -measure.share)


def _surfaces(
    view: ChainView, observation: Observation, attested: Attested, trigger: Trigger
) -> list[Measure]:
    """One for each underlying; an expiry that is on one side only is no deviation."""
    moves: dict[int, list[tuple[float, float]]] = {}
    for (underlying, expiry), then in attested.surfaces.items():
        quote = observation.expiries.get((underlying, expiry))
        if quote is not None and expiry > view.block.timestamp:
            years = ((expiry - at) / SECONDS_PER_YEAR for at in (attested.timestamp, observation.timestamp))
            moves.setdefault(underlying, []).append(surface_move(then, quote.svi, *years))
    found = []
    for underlying, parts in sorted(moves.items()):
        weight = sum(w for _, w in parts)
        moved = sum(m * w for m, w in parts) / weight if weight else 0.0
        detail = f"underlying {underlying} by {100 * moved:.2f} vol points"
        share = moved / trigger.surface_vol
        found.append(Measure("surface_deviation", share, detail, view.block.timestamp))
    return sorted(found, key=lambda measure: -measure.share)


def surface_move(
    then: Parameters, now: Parameters, years_then: float, years_now: float
) -> tuple[float, float]:
    """(mean absolute move of the vols of one expiry, weighted by vega; the sum of those weights)."""
    before, after = standard_vols(then, years_then), standard_vols(now, years_now)
    root = np.sqrt(max(years_now, 1 / SECONDS_PER_YEAR))
    moneyness = np.array(STANDARD_MONEYNESS) * root
    deviation = np.maximum(after, 1e-6) * root
    d1 = -moneyness / deviation + deviation / 2
    vega = np.exp(-(d1**2) / 2) * root  # of a forward of one; what is left out is the same at all strikes
    weight = float(vega.sum())
    return float((vega * np.abs(after - before)).sum() / weight) if weight else 0.0, weight
