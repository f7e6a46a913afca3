"""Who trades what in the demo: quantities in whole coins, > 0 buys; the market maker takes the other side."""

from dataclasses import dataclass
from math import erf, log, sqrt

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SECONDS_PER_YEAR, WAD

BTC, ETH = 1, 2
START = 1743926400  # 2025-04-06 08:00 UTC, before the tariff crash
NEAR = 1744099200  # 2025-04-08 08:00 UTC: settles in the demo
FAR = 1745568000  # 2025-04-25 08:00 UTC: stays open
USD8 = 10**8
GRIDS = (
    (BTC, NEAR, (60_000 * USD8, 104_000 * USD8, 1_000 * USD8)),
    (BTC, FAR, (60_000 * USD8, 104_000 * USD8, 1_000 * USD8)),
    (ETH, NEAR, (1_200 * USD8, 2_400 * USD8, 50 * USD8)),
    (ETH, FAR, (1_200 * USD8, 2_400 * USD8, 50 * USD8)),
)


def option(expiry: int, strike: int, kind: Kind) -> int:
    """An ETH option; strike in whole USD."""
    return Instrument(ETH, expiry, strike * USD8, kind).pack()


def future(expiry: int) -> int:
    """The ETH future."""
    return Instrument(ETH, expiry, 0, Kind.FUTURE).pack()


def perp(underlying: int) -> int:
    """The perpetual."""
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


@dataclass(frozen=True)
class Role:
    """An account of the demo: its deposit in dollars and its first trades (instrument, coins, way)."""

    name: str
    dollars: int
    trades: tuple[tuple[int, float, str], ...]


_CALL, _PUT = Kind.CALL, Kind.PUT
MAKER = Role("delta-hedged market maker", 2_000_000, ())
DEALER = Role("perp dealer", 500_000, ())  # the maker hedges with it
ROLES = (
    Role("naked short call", 40_000, ((option(NEAR, 1_900, _CALL), -20, "leaf"),)),
    Role("naked short put", 60_000, ((option(NEAR, 1_600, _PUT), -20, "report"),)),
    Role(
        "covered call on a perp",
        40_000,
        ((perp(ETH), 15, "leaf"), (option(NEAR, 1_850, _CALL), -15, "headroom")),
    ),
    Role(
        "covered call on a future",
        40_000,
        ((future(NEAR), 15, "leaf"), (option(NEAR, 1_800, _CALL), -15, "report")),
    ),
    Role(
        "bull call spread",
        20_000,
        ((option(NEAR, 1_750, _CALL), 25, "leaf"), (option(NEAR, 1_900, _CALL), -25, "report")),
    ),
    Role(
        "bear put spread",
        20_000,
        ((option(FAR, 1_700, _PUT), 25, "leaf"), (option(FAR, 1_500, _PUT), -25, "report")),
    ),
    Role(
        "iron condor",
        60_000,
        (
            (option(NEAR, 1_500, _PUT), 20, "leaf"),
            (option(NEAR, 1_650, _PUT), -20, "headroom"),
            (option(NEAR, 1_900, _CALL), -20, "headroom"),
            (option(NEAR, 2_050, _CALL), 20, "headroom"),
        ),
    ),
    Role(
        "calendar",
        40_000,
        ((option(FAR, 1_800, _CALL), 20, "leaf"), (option(NEAR, 1_800, _CALL), -20, "report")),
    ),
    Role("leveraged perp", 20_000, ((perp(BTC), 1, "leaf"),)),
    Role("perp short", 30_000, ((perp(ETH), -40, "report"),)),
    Role(
        "strangle seller",
        80_000,
        ((option(FAR, 1_400, _PUT), -15, "leaf"), (option(FAR, 2_200, _CALL), -15, "headroom")),
    ),
    Role("fully collateralised put writer", 40_000, ((option(NEAR, 1_600, _PUT), -20, "worst-case"),)),
    Role(
        "fully collateralised spread",
        10_000,
        ((option(NEAR, 1_700, _CALL), 10, "worst-case"), (option(NEAR, 1_850, _CALL), -10, "worst-case")),
    ),
)


def delta(book: dict[int, int], underlying: int, spot: float, now: int, vol: float = 0.7) -> float:
    """Coins of delta at one flat volatility: good enough to hedge by."""
    total = 0.0
    for packed, quantity in book.items():
        instrument = Instrument.unpack(packed)
        if instrument.underlying == underlying:
            total += quantity / WAD * _unit_delta(instrument, spot, now, vol)
    return total


def _unit_delta(instrument: Instrument, spot: float, now: int, vol: float) -> float:
    if instrument.kind not in (Kind.CALL, Kind.PUT):
        return 1.0
    years = max(instrument.expiry - now, 3_600) / SECONDS_PER_YEAR
    deviation = vol * sqrt(years)
    d1 = log(spot / (instrument.strike / USD8)) / deviation + deviation / 2
    call = (1 + erf(d1 / sqrt(2))) / 2
    return call if instrument.kind == Kind.CALL else call - 1
