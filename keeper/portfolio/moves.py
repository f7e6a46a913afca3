"""Moves of a market: spots, vols, time. Every strike keeps its vol when the spot moves."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.moments import day_text
from keeper.units.constants import SECONDS_PER_YEAR, SETTLEMENT_WINDOW

_CHANGE = re.compile(r"(?:(?P<symbol>[A-Za-z0-9_]+)=)?(?P<number>[+-]?\d+(?:\.\d+)?)(?P<percent>%)?")
_TIME = re.compile(r"\+?(?P<number>\d+(?:\.\d+)?)(?P<unit>[dhms])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Change:
    """One change of a number.

    Attributes:
        symbol: whose; None: of every underlying that has no change of its own.
        kind: "factor" multiplies by `amount`, "add" adds it, "set" replaces by it.
    """

    symbol: str | None
    kind: str
    amount: float

    def of(self, value: float) -> float:
        """The number after it."""
        return {"factor": value * self.amount, "add": value + self.amount, "set": self.amount}[self.kind]


def parse_change(text: str) -> Change:
    """ "BTC=-10%" or "-10%" for all (relative), "BTC=+500" (added), "BTC=90000" (the new value).

    Raises:
        ValueError: it is none of these.
    """
    found = _CHANGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no change: write BTC=-10%, BTC=+500, BTC=90000, or -10% for all")
    symbol = found["symbol"].upper() if found["symbol"] else None
    number = float(found["number"])
    if found["percent"]:
        return Change(symbol, "factor", 1.0 + number / 100.0)
    return Change(symbol, "add" if found["number"][0] in "+-" else "set", number)


def parse_time(text: str) -> int:
    """Seconds of "+2d", "12h", "30m" or "90s". Raises ValueError for anything else."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time: write +2d, 12h, 30m or 90s")
    return round(float(found["number"]) * _SECONDS[found["unit"]])


def with_spots(market: MarketState, changes: Sequence[Change]) -> MarketState:
    """Spots changed; perps and the live part of forwards move in proportion.

    Raises:
        LookupError: the market lacks an underlying.
        ValueError: a spot would not be positive.
    """
    return _changed(market, changes, _with_spot)


def with_vols(market: MarketState, changes: Sequence[Change]) -> MarketState:
    """At-the-money vols of every expiry changed, in vol points; other strikes in proportion.

    Raises:
        LookupError: the market lacks an underlying.
        ValueError: a vol would not be positive.
    """

    def change(underlying: Underlying, by: Change) -> Underlying:
        expiries = {e: _with_vol(x, by, market.years(e)) for e, x in underlying.expiries.items()}
        return replace(underlying, expiries=expiries)

    return _changed(market, changes, change)


def later(market: MarketState, seconds: int) -> MarketState:
    """The market after a time at unmoved spots, vols and annual carry; what has expired stays, at the price
    it settled at.
    """
    now = market.timestamp + seconds
    underlyings = {
        symbol: replace(
            u, expiries={e: _later(x, u.spot, market.timestamp, now) for e, x in u.expiries.items()}
        )
        for symbol, u in market.underlyings.items()
    }
    return replace(market, timestamp=now, underlyings=underlyings)


def _changed(
    market: MarketState, changes: Sequence[Change], change: Callable[[Underlying, Change], Underlying]
) -> MarketState:
    """Each underlying by its own change, else by the one for all."""
    wanted = {by.symbol: by for by in changes}
    for symbol in wanted:
        if symbol is not None:
            market.underlying(symbol)
    underlyings = {
        symbol: change(underlying, by) if (by := wanted.get(symbol, wanted.get(None))) else underlying
        for symbol, underlying in market.underlyings.items()
    }
    return replace(market, underlyings=underlyings)


def _with_spot(underlying: Underlying, by: Change) -> Underlying:
    spot = by.of(underlying.spot)
    if spot <= 0.0:
        raise ValueError(f"moves: the spot of {underlying.symbol} would be {spot:g}")
    factor = spot / underlying.spot
    expiries = {
        e: replace(
            x,
            forward=x.fixed + (x.forward - x.fixed) * factor,
            smile_forward=x.smile_forward or (x.forward if x.smile else None),
        )
        for e, x in underlying.expiries.items()
    }
    return replace(underlying, spot=spot, perp=underlying.perp * factor, expiries=expiries)


def _with_vol(expiry: Expiry, by: Change, years: float) -> Expiry:
    if expiry.smile is None and not expiry.vols:
        return expiry
    now = expiry.vol(expiry.forward, years)
    factor = by.of(100.0 * now) / (100.0 * now)
    if factor <= 0.0:
        raise ValueError(f"moves: the vols of {day_text(expiry.expiry)} would not be positive")
    smile = expiry.smile and expiry.smile._replace(a=expiry.smile.a * factor**2, b=expiry.smile.b * factor**2)
    return replace(expiry, smile=smile, vols=tuple((strike, vol * factor) for strike, vol in expiry.vols))


def _later(expiry: Expiry, spot: float, before: int, now: int) -> Expiry:
    """The average goes on at the spot; the forward of the rest keeps its annual carry."""
    left = max(expiry.expiry - before, 1)
    share = fixed_share(expiry, before)
    live = (expiry.forward - expiry.fixed) / (1.0 - share) if share < 1.0 else spot
    passed = 1.0 - min(max(expiry.expiry - now, 0) / SETTLEMENT_WINDOW, 1.0)
    after = max(passed, share)
    fixed = expiry.fixed + spot * (after - share)
    forward = spot * (live / spot) ** (max(expiry.expiry - now, 0) / left)
    return replace(
        expiry,
        fixed=fixed,
        forward=fixed + forward * (1.0 - after),
        smile_years=expiry.smile_years or (left / SECONDS_PER_YEAR if expiry.smile else None),
        smile_forward=expiry.smile_forward or (expiry.forward if expiry.smile else None),
    )


def fixed_share(expiry: Expiry, now: int) -> float:
    """Share of the settlement average that is known; none as long as nothing of the forward is fixed."""
    if expiry.fixed == 0.0:
        return 0.0
    return 1.0 - min(max(expiry.expiry - now, 0) / SETTLEMENT_WINDOW, 1.0)
