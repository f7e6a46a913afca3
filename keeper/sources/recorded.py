"""Recorded market: hourly perpetual closes of April 2025 at three venues, and one option surface,
re-anchored.

The surface is a model, not a record of April 2025: it is ETH's of 2024-01-08 in log-moneyness and time to
    expiry, hung on
the recorded spot of the moment. Vols do not react to the recorded moves. BTC takes it with vols times .75,
SOL as it is;
forwards carry ETH's recorded basis. Fit for demonstrations and tests, not for trading.

Between recorded tenors the slice is `svi.interpolate`d, linear in time, which is raw SVI and free of
calendar arbitrage;
below the first tenor its total variance shrinks in proportion to time (`svi.scale`), down to seconds before
expiry.
"""

import csv
import json
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from math import exp
from typing import NamedTuple

from keeper.pricing import svi
from keeper.pricing.svi import SVI_UNIT, Svi
from keeper.sources.source import ExpiryQuote, Listed, Observation, Parameters

VENUES = ("binance", "bybit", "hyperliquid")
DEFAULT_UNDERLYINGS: Mapping[int, str] = {1: "BTC", 2: "ETH", 3: "SOL"}
# relative to the ETH surface; at most 1, so that scaling cannot create butterfly arbitrage
VOL_SCALE: Mapping[str, float] = {"BTC": 0.75, "ETH": 1.0, "SOL": 1.0}
_PRICE_UNIT = 10**8


class Tenor(NamedTuple):
    """One recorded expiry: seconds to it, ln(forward / spot), slice."""

    seconds: int
    log_basis: float
    slice: Svi


@cache
def tenors() -> tuple[Tenor, ...]:
    """The recorded surface, nearest tenor first."""
    text = resources.files("keeper.sources").joinpath("recorded/eth_surface.json").read_text(encoding="utf-8")
    rows = json.loads(text)["tenors"]
    return tuple(
        Tenor(r["seconds"], r["log_basis_e12"] / SVI_UNIT, svi.from_integers(r["svi_e12"])) for r in rows
    )


@cache
def closes(venue: str, coin: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Times (unix seconds, ascending) and closes (price8). Raises LookupError for an unknown venue or
    coin.
    """
    text = resources.files("keeper.sources").joinpath("recorded/perp_closes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    column = f"{venue} {coin}"
    if column not in rows[0]:
        raise LookupError(f"recorded: no prices of {coin} at {venue}")
    return tuple(int(r["time"]) for r in rows), tuple(int(Decimal(r[column]) * _PRICE_UNIT) for r in rows)


@cache
def volatility_scales() -> Mapping[tuple[str, str], int]:
    """Volatility scale by (day, coin), ppm, from closes up to the day before."""
    name = "recorded/volatility_scales.csv"
    text = resources.files("keeper.sources").joinpath(name).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(row["day"], coin): int(row[coin]) for row in rows for coin in row if coin != "day"}


def slice_at(seconds: int, vol_scale: float = 1.0) -> Parameters:
    """Published slice for a time to expiry. Raises LookupError beyond the last recorded tenor."""
    found = _slice(max(seconds, 1))
    return svi.scale(found, vol_scale * vol_scale).quantise()


def _slice(seconds: int) -> Svi:
    table = tenors()
    if seconds <= table[0].seconds:
        return svi.scale(table[0].slice, seconds / table[0].seconds)
    near, far, share = _between(seconds)
    return svi.interpolate(near.slice, far.slice, share)


def log_basis_at(seconds: int) -> float:
    """ln(forward / spot) for a time to expiry: linear between recorded tenors, zero at expiry."""
    first = tenors()[0]
    if seconds <= first.seconds:
        return first.log_basis * max(seconds, 0) / first.seconds
    near, far, share = _between(seconds)
    return near.log_basis + (far.log_basis - near.log_basis) * share


def _between(seconds: int) -> tuple[Tenor, Tenor, float]:
    table = tenors()
    if seconds > table[-1].seconds:
        raise LookupError(f"recorded: no surface beyond {table[-1].seconds} seconds to expiry")
    index = min(bisect_right([t.seconds for t in table], seconds), len(table) - 1)
    near, far = table[index - 1], table[index]
    return near, far, (seconds - near.seconds) / (far.seconds - near.seconds)


class RecordedSource:
    """One venue of the recorded market; chain time is recorded time."""

    def __init__(self, venue: str, underlyings: Mapping[int, str] = DEFAULT_UNDERLYINGS) -> None:
        """Args: venue: one of `VENUES`; underlyings: the coin of each underlying id."""
        if venue not in VENUES:
            raise LookupError(f"recorded: no venue {venue}")
        self.venue = venue
        self._underlyings = dict(underlyings)

    @property
    def span(self) -> tuple[int, int]:
        """First and last recorded second."""
        times, _ = closes(self.venue, "BTC")
        return times[0], times[-1]

    def observe(self, now: int, listed: Listed) -> Observation:
        """The market at `now`, prices linear between closes. `LookupError` outside the recorded span."""
        spots, expiries = {}, {}
        for underlying in sorted(listed):
            coin = self._coin(underlying)
            spot = self._spot(coin, now)
            spots[underlying] = spot
            for expiry in sorted(listed[underlying]):
                seconds = expiry - now
                forward = int(spot * exp(log_basis_at(seconds)))
                expiries[(underlying, expiry)] = ExpiryQuote(forward, slice_at(seconds, VOL_SCALE[coin]))
        times, _ = closes(self.venue, "BTC")
        age = now - times[bisect_right(times, now) - 1]
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        scales = {u: volatility_scales()[day, self._coin(u)] for u in listed}
        return Observation(self.venue, now, age, spots, expiries, volatility_scales_ppm=scales)

    def _coin(self, underlying: int) -> str:
        if underlying not in self._underlyings:
            raise LookupError(f"recorded: no underlying {underlying}")
        return self._underlyings[underlying]

    def _spot(self, coin: str, now: int) -> int:
        times, prices = closes(self.venue, coin)
        if not times[0] <= now <= times[-1]:
            raise LookupError(f"recorded: no prices at {now}, only from {times[0]} to {times[-1]}")
        index = min(bisect_right(times, now), len(times) - 1)
        start, end = times[index - 1], times[index]
        return prices[index - 1] + (prices[index] - prices[index - 1]) * (now - start) // (end - start)
