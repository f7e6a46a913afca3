"""Who trades what and when in the demo: quantities in whole coins, > 0 buys; the market maker takes the
other side.

The accounts are chosen for the recorded path: ETH falls from 1,900 to 1,430 between 2 and 7 April and jumps
by a tenth on the 9th, so that some are liquidated in time, one is found too late, and most are not touched.
"""

from calendar import timegm
from dataclasses import dataclass
from math import erf, log, sqrt
from time import strptime

from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SECONDS_PER_YEAR, WAD


def at(text: str) -> int:
    """Unix seconds of an hour of April 2025, UTC, such as "07 19" for the 7th, 19:00."""
    return timegm(strptime(f"2025-04-{text}", "%Y-%m-%d %H"))


BTC, ETH = 1, 2
START = at("01 01")  # the first recorded close
END = at("15 23")
NEAR = at("08 08")  # settles in the demo
FAR = at("25 08")  # stays open
OPENING = at("01 06")  # most accounts trade here
OUTAGE = (at("06 17"), at("07 07"))  # the operator of the only liquidator is down between these epochs
USD8 = 10**8
_BTC_GRID = (68_000 * USD8, 96_000 * USD8, 4_000 * USD8)
_ETH_GRID = (1_300 * USD8, 2_100 * USD8, 100 * USD8)
GRIDS = ((BTC, FAR, _BTC_GRID), (ETH, NEAR, _ETH_GRID), (ETH, FAR, _ETH_GRID))
INSURANCE = 150_000  # dollars staked in the insurance fund at the start
HEDGE_HOURS = 12
LEAST_HEDGE = 2_000  # dollars of delta


def option(underlying: int, expiry: int, strike: int, kind: Kind) -> int:
    """An option; strike in whole USD."""
    return Instrument(underlying, expiry, strike * USD8, kind).pack()


def future(expiry: int) -> int:
    """The ETH future."""
    return Instrument(ETH, expiry, 0, Kind.FUTURE).pack()


def perp(underlying: int) -> int:
    """The perpetual."""
    return Instrument(underlying, 0, 0, Kind.PERP).pack()


@dataclass(frozen=True)
class Deal:
    """One trade of an account: after the epoch of `time`, `coins` of an instrument, passing by `way`."""

    time: int
    instrument: int
    coins: float
    way: str


@dataclass(frozen=True)
class Role:
    """An account of the demo: its deposit in dollars, its collateral in ETH, its trades, and the underlying
    and expiry that it is confined to (0: any).
    """

    name: str
    dollars: int
    deals: tuple[Deal, ...] = ()
    coins: int = 0
    fully_collateralised: bool = False
    note: str = ""
    isolated: tuple[int, int] | None = None


def _book(time: int, *legs: tuple[int, float, str]) -> tuple[Deal, ...]:
    return tuple(Deal(time, *leg) for leg in legs)


_CALL, _PUT = Kind.CALL, Kind.PUT
MAKER = Role("Market maker", 2_000_000, note="takes the other side of everybody, hedged twice a day")
DEALER = Role("Perp dealer", 500_000, note="the market maker hedges with it")
LIQUIDATOR = Role("Liquidator", 600_000, note="buys shares of accounts in auction")
ROLES = (
    Role(
        "Naked short put",
        15_000,
        _book(OPENING, (option(ETH, FAR, 1_700, _PUT), -40, "report")),
        note="forty puts for 1,700, open until the end",
    ),
    Role(
        "Naked short put, near",
        13_000,
        _book(OPENING, (option(ETH, NEAR, 1_800, _PUT), -40, "report")),
        note="forty puts for 1,800 that settle on 8 April",
    ),
    Role(
        "Naked short call",
        20_000,
        _book(OPENING, (option(ETH, NEAR, 1_900, _CALL), -20, "leaf")),
        note="isolated: may hold nothing but what settles on 8 April in ETH",
        isolated=(ETH, NEAR),
    ),
    Role(
        "Covered call on a future",
        20_000,
        _book(OPENING, (future(NEAR), 15, "leaf"), (option(ETH, NEAR, 1_900, _CALL), -15, "report")),
    ),
    Role(
        "Strangle seller",
        30_000,
        _book(
            OPENING,
            (option(BTC, FAR, 72_000, _PUT), -1, "leaf"),
            (option(BTC, FAR, 96_000, _CALL), -1, "headroom"),
        ),
    ),
    Role(
        "Fully collateralised put writer",
        40_000,
        _book(OPENING, (option(ETH, NEAR, 1_800, _PUT), -20, "worst-case")),
        fully_collateralised=True,
        note="cash covers the strike of every put",
    ),
    Role(
        "Fully collateralised call spread",
        10_000,
        _book(
            OPENING,
            (option(ETH, NEAR, 1_700, _CALL), 20, "worst-case"),
            (option(ETH, NEAR, 1_900, _CALL), -20, "worst-case"),
        ),
        fully_collateralised=True,
    ),
    Role(
        "Fully collateralised far put writer",
        36_000,
        _book(OPENING, (option(ETH, FAR, 1_700, _PUT), -20, "worst-case")),
        fully_collateralised=True,
        note="the same puts as the naked seller, with cash for all of the strike",
    ),
    Role(
        "BTC long, levered",
        29_500,
        _book(at("02 12"), (perp(BTC), 2, "report")),
        note="isolated: may hold nothing but BTC",
        isolated=(BTC, 0),
    ),
    Role(
        "BTC long on ETH collateral",
        2_500,
        _book(at("02 12"), (perp(BTC), 1, "report")),
        coins=12,
        note="its collateral falls with its position",
    ),
    Role(
        "ETH long, over-levered",
        14_300,
        (
            *_book(at("02 19"), (perp(ETH), 40, "report")),
            *_book(at("05 12"), (perp(ETH), -20, "reduce-report")),
        ),
        note="liquidated in part on 3 April, halves its position two days later",
    ),
    Role(
        "Iron condor",
        20_000,
        _book(
            at("03 06"),
            (option(ETH, NEAR, 1_600, _PUT), 20, "leaf"),
            (option(ETH, NEAR, 1_700, _PUT), -20, "headroom"),
            (option(ETH, NEAR, 1_900, _CALL), -20, "headroom"),
            (option(ETH, NEAR, 2_000, _CALL), 20, "headroom"),
        ),
    ),
    Role(
        "Calendar spread",
        20_000,
        _book(
            at("03 06"),
            (option(ETH, FAR, 1_800, _CALL), 20, "leaf"),
            (option(ETH, NEAR, 1_800, _CALL), -20, "report"),
        ),
    ),
    Role(
        "ETH long, found too late",
        13_700,
        _book(at("06 00"), (perp(ETH), 40, "report")),
        note="falls below its margin while the only liquidator is down, and below zero before it is back",
    ),
    Role(
        "ETH short after the crash",
        8_700,
        _book(at("08 20"), (perp(ETH), -30, "report")),
        note="caught by the jump of 9 April",
    ),
)


def deals_at(time: int) -> list[tuple[Role, Deal]]:
    """What is traded after the epoch of `time`."""
    return [(role, deal) for role in ROLES for deal in role.deals if deal.time == time]


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
