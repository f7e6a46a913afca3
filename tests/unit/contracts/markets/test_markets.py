import boa
import pytest

from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.support.clearing import (
    ANY_TIME,
    EXPIRY,
    FUTURE,
    GENESIS,
    LATER,
    NO_CAP,
    NO_CAPS,
    PERP,
    PRICE_BAND,
    SPEC,
    USD8,
    WAD,
    put,
    source,
)
from tests.support.house import events

STEP = 100 * USD8
GRID = (1_000 * USD8, 3_000 * USD8, STEP)
UNIT = 10**10
LARGEST = (2**48 - 1) * UNIT  # of lots, ticks and minima
LOT, TICK = SPEC[1], SPEC[2]
DAY, MONTH = 86_400, 30 * 86_400
CAPS = (1_000 * WAD, 20_000 * WAD, 300_000 * WAD, MONTH)
PERP_END = GENESIS + 3 * DAY
UNLISTED, ACTIVE, CLOSE_ONLY, ENDED = range(4)
ADMINISTRATION = [
    ("list_underlying", (SPEC, NO_CAPS)),
    ("set_underlying", (1, SPEC)),
    ("set_limits", (1, CAPS)),
    ("list_expiry", (1, LATER, GRID)),
    ("wind_down", (1, PERP_END)),
    ("shut_down", (PERP_END,)),
    ("delist", (1,)),
    ("set_clearinghouse", ("0x" + "11" * 20,)),
    ("transfer_ownership", ("0x" + "11" * 20,)),
]
FIELDS = ("symbol", "lot", "tick", "minimum", "basis", "carry", "margin", "priceBand", "expiryTime")
LEDGER = """
interest: HashMap[uint128, uint256]
@external
def set_interest(key: uint128, interest: uint256):
    self.interest[key] = interest
@external
@view
def open_interest(key: uint128) -> uint256:
    return self.interest[key]
"""


def word(position, instrument, underlying):
    """Limits as `require_tradable` returns them, from WAD."""
    return position // UNIT << 128 | instrument // UNIT << 64 | underlying // UNIT


def at(time):
    boa.env.evm.patch.timestamp = time


def spec(**changes):
    """SPEC with changes."""
    return tuple(changes.get(name, value) for name, value in zip(FIELDS, SPEC, strict=True))


@pytest.fixture(scope="module")
def deployed():
    """One underlying, ETH, with one expiry."""
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = GENESIS
        markets = source("markets/Markets").deploy()
        markets.list_underlying(SPEC, NO_CAPS)
        markets.list_expiry(1, EXPIRY, GRID)
        yield markets


@pytest.fixture
def markets(deployed):
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = GENESIS
        yield deployed


def test_list_underlying__next__is_numbered_stored_and_logged(markets):
    given = spec(
        symbol="BTC", lot=UNIT, tick=LARGEST, minimum=LARGEST, basis=WAD // 2, carry=2 * WAD, margin=WAD,
        priceBand=WAD // 1_000, expiryTime=28_800,
    )  # fmt: skip

    assert markets.list_underlying(given, CAPS) == 2

    (event,) = events(markets, "UnderlyingListed")
    assert (event.underlying, event.seq, tuple(event.spec)) == (2, 4, given)
    (event,) = events(markets, "LimitsSet")
    assert (event.underlying, event.seq, tuple(event.limits)) == (2, 5, CAPS)
    assert tuple(markets.limits(2)) == CAPS
    assert tuple(markets.status(2)) == (ACTIVE, GENESIS, 0)
    assert markets.MULTIPLIER() == WAD
    assert markets.underlying_count() == 2
    assert tuple(markets.underlying(2)) == given
    assert tuple(markets.underlying(1)) == SPEC
    assert markets.forward_bands([2, 1]) == [
        WAD << 192 | WAD // 2 << 128 | 2 * WAD,
        SPEC[6] << 192 | SPEC[4] << 128 | SPEC[5],
    ]


def test_set_underlying__listed__is_replaced_and_logged(markets):
    given = spec(symbol="E", lot=2 * UNIT, minimum=6 * UNIT, priceBand=WAD // 20)

    markets.set_underlying(1, given)

    (event,) = events(markets, "UnderlyingListed")
    assert (event.underlying, event.seq, tuple(event.spec)) == (1, 4, given)
    assert (markets.underlying_count(), tuple(markets.underlying(1))) == (1, given)
    assert tuple(markets.status(1)) == (ACTIVE, GENESIS, 0)


def test_list_expiry__new__is_stored_and_logged(markets):
    markets.list_expiry(1, LATER, GRID)

    (event,) = events(markets, "ExpiryListed")
    assert (event.underlying, event.expiry, event.seq, tuple(event.grid)) == (1, LATER, 4, GRID)
    assert markets.expiries(1) == [EXPIRY, LATER]
    assert tuple(markets.strike_grid(1, LATER)) == GRID
    assert tuple(markets.strike_grid(1, LATER + 300)) == (0, 0, 0)


@pytest.mark.parametrize(
    "wider", [GRID, (GRID[0] - STEP, GRID[1] + STEP, STEP), (GRID[0] - STEP // 2, GRID[1], STEP // 2)]
)
def test_list_expiry__wider_grid__replaces(markets, wider):
    markets.list_expiry(1, EXPIRY, wider)

    assert markets.expiries(1) == [EXPIRY]
    assert tuple(markets.strike_grid(1, EXPIRY)) == wider


@pytest.mark.parametrize(
    "other", [(1_100, 3_000, 100), (1_000, 2_900, 100), (1_000, 3_000, 200), (950, 3_050, 100)]
)
def test_list_expiry__without_a_strike_of_before__reverts(markets, other):
    with boa.reverts("markets: grid shrinks"):
        markets.list_expiry(1, EXPIRY, tuple(x * USD8 for x in other))


def test_list_expiry__after_an_expiry__takes_its_place(markets):
    boa.env.evm.patch.timestamp = EXPIRY + 1

    markets.list_expiry(1, LATER, GRID)

    assert markets.expiries(1) == [LATER]


def test_list_expiry__beyond_256__reverts(markets):
    for i in range(1, 256):
        markets.list_expiry(1, EXPIRY + 300 * i, GRID)

    with boa.reverts("markets: too many expiries"):
        markets.list_expiry(1, LATER, GRID)


def test_list_underlying__beyond_32__reverts(markets):
    for _ in range(c.MAX_UNDERLYINGS - 1):
        markets.list_underlying(SPEC, NO_CAPS)

    with boa.reverts("markets: too many underlyings"):
        markets.list_underlying(SPEC, NO_CAPS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": ""}, "empty symbol"),
        *(
            ({name: bad}, "bad lot or tick")
            for name in ("lot", "tick", "minimum")
            for bad in (0, UNIT + 1, LARGEST + UNIT)
        ),
        ({"minimum": LOT + UNIT}, "minimum off lot"),
        ({"basis": WAD // 2 + 1}, "basis too large"),
        ({"carry": 2 * WAD + 1}, "carry too large"),
        ({"margin": WAD // 100 - 1}, "margin out of range"),
        ({"margin": WAD + 1}, "margin out of range"),
        ({"priceBand": WAD // 1_000 - 1}, "price band out of range"),
        ({"priceBand": WAD + 1}, "price band out of range"),
        ({"expiryTime": 28_801}, "bad time of day"),
        ({"expiryTime": DAY + 300}, "bad time of day"),
    ],
)
def test_underlying__bad_specification__reverts(markets, changes, reason):
    with boa.reverts(f"markets: {reason}"):
        markets.list_underlying(spec(**changes), NO_CAPS)
    with boa.reverts(f"markets: {reason}"):
        markets.set_underlying(1, spec(**changes))


@pytest.mark.parametrize("underlying", [0, 2])
@pytest.mark.parametrize(
    ("function", "more"),
    [
        ("set_underlying", (SPEC,)),
        ("set_limits", (CAPS,)),
        ("list_expiry", (LATER, GRID)),
        ("wind_down", (PERP_END,)),
        ("underlying", ()),
    ],
)
def test_unknown_underlying__reverts(markets, underlying, function, more):
    with boa.reverts("markets: unknown underlying"):
        getattr(markets, function)(underlying, *more)
    with boa.reverts("markets: unknown underlying"):
        markets.forward_bands([1, underlying])


@pytest.mark.parametrize(("expiry", "reason"), [(GENESIS, "in the past"), (LATER + 1, "off grid")])
def test_list_expiry__bad_time__reverts(markets, expiry, reason):
    with boa.reverts(f"markets: expiry {reason}"):
        markets.list_expiry(1, expiry, GRID)


@pytest.mark.parametrize("grid", [(0, 2, 1), (1, 2, 0), (2, 1, 1), (1, 2**56, 1), (1, 4, 2)])
def test_list_expiry__bad_grid__reverts(markets, grid):
    with boa.reverts("markets: bad strike grid"):
        markets.list_expiry(1, LATER, grid)


@pytest.mark.parametrize(("function", "arguments"), ADMINISTRATION)
def test_administration__stranger__reverts(markets, function, arguments):
    with boa.reverts("ownable: caller is not the owner"):
        getattr(markets, function)(*arguments, sender=boa.env.generate_address("stranger"))


@pytest.mark.parametrize("instrument", [PERP, FUTURE, put(1_000), put(3_000)])
@pytest.mark.parametrize("quantity", [LOT, -7 * LOT])
def test_require_tradable__fits__is_true(markets, instrument, quantity):
    assert markets.require_tradable(instrument, quantity, 3 * TICK) == (
        word(NO_CAP, NO_CAP, NO_CAP),
        PRICE_BAND,
    )


@pytest.mark.parametrize(
    ("instrument", "quantity", "price", "reason"),
    [
        (Instrument(2, 0, 0, Kind.PERP).pack(), LOT, TICK, "unknown underlying"),
        *((PERP, quantity, TICK, "quantity off lot") for quantity in (0, LOT - 1, LOT + 1, -LOT - 1)),
        (PERP, LOT, TICK + 1, "price off tick"),
        (put(2_000, LATER), LOT, TICK, "expiry not listed"),
        *((put(strike), LOT, TICK, "strike off grid") for strike in (900, 3_100, 2_050)),
    ],
)
def test_require_tradable__off_specification__reverts(markets, instrument, quantity, price, reason):
    with boa.reverts(f"markets: {reason}"):
        markets.require_tradable(instrument, quantity, price)


@pytest.mark.parametrize("instrument", [FUTURE, put(2_000)])
def test_require_tradable__trades_until_expiry(markets, instrument):
    at(EXPIRY - 1)
    markets.require_tradable(instrument, LOT, TICK)
    at(EXPIRY)

    with boa.reverts("markets: expired"):
        markets.require_tradable(instrument, LOT, TICK)
    markets.require_tradable(PERP, LOT, TICK)


@pytest.mark.parametrize("quantity", [LOT, -2 * LOT])
def test_require_tradable__below_the_minimum__reverts(markets, quantity):
    markets.set_underlying(1, spec(minimum=3 * LOT))
    with boa.reverts("markets: below the minimum"):
        markets.require_tradable(PERP, quantity, TICK)
    markets.require_tradable(PERP, 3 * LOT, TICK)
    markets.require_tradable(PERP, -4 * LOT, TICK)


def test_list_expiry__time_of_day__is_the_markets(markets):
    markets.set_underlying(1, spec(expiryTime=28_800))
    with boa.reverts("markets: wrong time of day"):
        markets.list_expiry(1, LATER, GRID)
    markets.list_expiry(1, LATER + 28_800, GRID)
    markets.set_underlying(1, spec(expiryTime=0))
    markets.list_expiry(1, LATER, GRID)
    markets.set_underlying(1, spec(expiryTime=ANY_TIME))
    markets.list_expiry(1, LATER + 300, GRID)


# Caps


def test_set_limits__active__replaces_and_logs(markets):
    markets.set_limits(1, CAPS)

    (event,) = events(markets, "LimitsSet")
    assert (event.underlying, event.seq, tuple(event.limits)) == (1, 4, CAPS)
    assert tuple(markets.limits(1)) == CAPS


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        ((UNIT + 1, 0, 0, 0), "bad cap"),
        ((0, UNIT + 1, 0, 0), "bad cap"),
        ((0, 0, NO_CAP + UNIT, 0), "bad cap"),
        ((0, 0, 0, 180 * DAY + 1), "ramp too long"),
    ],
)
def test_set_limits__out_of_range__reverts(markets, caps, reason):
    with boa.reverts(f"markets: {reason}"):
        markets.set_limits(1, caps)


@pytest.mark.parametrize(
    ("elapsed", "share"),
    [(0, 1_000), (MONTH // 3, 4_000), (MONTH - 1, 9_999), (MONTH, 10_000), (2 * MONTH, 10_000)],
)
def test_limits_now__after_listing__rise_from_a_tenth(markets, elapsed, share):
    markets.set_limits(1, CAPS)
    at(GENESIS + elapsed)
    expected = word(*(cap * share // 10_000 for cap in CAPS[:3]))

    assert markets.limits_now(1) == expected
    assert markets.require_tradable(PERP, LOT, TICK)[0] == expected


def test_limits_now__set_again__ramp_still_counts_from_listing(markets):
    at(GENESIS + MONTH)
    markets.set_limits(1, CAPS)

    assert markets.limits_now(1) == word(*CAPS[:3])


def test_limits_now__unknown__is_nothing(markets):
    assert markets.limits_now(2) == 0
    assert tuple(markets.status(2)) == (UNLISTED, 0, 0)


# Wind-down


@pytest.fixture
def closing(markets):
    markets.wind_down(1, PERP_END)
    return markets


def test_wind_down__active__only_closes(closing):
    (event,) = events(closing, "MarketWoundDown")
    assert (event.underlying, event.seq, event.perpEnd) == (1, 4, PERP_END)
    assert tuple(closing.status(1)) == (CLOSE_ONLY, GENESIS, PERP_END)
    assert closing.require_tradable(PERP, LOT, TICK) == (0, PRICE_BAND)
    assert closing.require_tradable(put(2_000), LOT, TICK) == (0, PRICE_BAND)
    assert tuple(closing.underlying(1)) == SPEC


def test_wind_down__below_the_minimum__may_close(markets):
    markets.set_underlying(1, spec(minimum=100 * LOT))
    markets.wind_down(1, PERP_END)

    assert markets.require_tradable(PERP, LOT, TICK)[0] == 0
    with boa.reverts("markets: quantity off lot"):
        markets.require_tradable(PERP, 0, TICK)


def test_wind_down__at_the_end__perp_stops_and_expiries_go_on(closing):
    at(PERP_END - 1)
    closing.require_tradable(PERP, LOT, TICK)
    at(PERP_END)

    with boa.reverts("markets: perp ended"):
        closing.require_tradable(PERP, LOT, TICK)
    closing.require_tradable(FUTURE, LOT, TICK)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("wind_down", (1, PERP_END + 300)),
        ("set_underlying", (1, SPEC)),
        ("set_limits", (1, CAPS)),
        ("list_expiry", (1, LATER, GRID)),
    ],
)
def test_wind_down__afterwards__no_way_back(closing, function, arguments):
    with boa.reverts("markets: not active"):
        getattr(closing, function)(*arguments)


@pytest.mark.parametrize(
    ("end", "reason"),
    [(PERP_END + 1, "end off grid"), (GENESIS + 1_500, "end too soon"), (0, "end too soon")],
)
def test_wind_down__bad_end__reverts(markets, end, reason):
    with boa.reverts(f"markets: {reason}"):
        markets.wind_down(1, end)
    with boa.reverts(f"markets: {reason}"):
        markets.shut_down(end)


def test_shut_down__every_active_market__closes_for_good(markets):
    markets.list_underlying(SPEC, NO_CAPS)
    markets.list_underlying(SPEC, NO_CAPS)
    markets.wind_down(2, PERP_END + 300)

    markets.shut_down(PERP_END)

    (event,) = events(markets, "ShutDown")
    assert event.perpEnd == PERP_END
    assert [event.underlying for event in events(markets, "MarketWoundDown")] == [1, 3]
    assert [markets.status(u)[2] for u in (1, 2, 3)] == [PERP_END, PERP_END + 300, PERP_END]
    assert [markets.limits_now(u) for u in (1, 2, 3)] == [0, 0, 0]
    with boa.reverts("markets: shut down"):
        markets.list_underlying(SPEC, NO_CAPS)


# Delisting


@pytest.fixture
def ledger(closing):
    ledger = boa.loads(LEDGER)
    closing.set_clearinghouse(ledger.address)
    return ledger


def test_delist__nothing_left__ends(closing, ledger):
    at(EXPIRY)
    closing.delist(1)

    (event,) = events(closing, "MarketDelisted")
    assert (event.underlying, event.seq) == (1, 6)
    assert tuple(closing.status(1)) == (ENDED, GENESIS, PERP_END)
    for instrument in (PERP, FUTURE, put(2_000)):
        with boa.reverts("markets: market ended"):
            closing.require_tradable(instrument, LOT, TICK)
    with boa.reverts("markets: not wound down"):
        closing.delist(1)


@pytest.mark.parametrize(
    ("time", "interest", "reason"),
    [
        (PERP_END - 1, 0, "perp not ended"),
        (EXPIRY - 1, 0, "expiry to come"),
        (EXPIRY, 1, "positions open"),
    ],
)
def test_delist__something_left__reverts(closing, ledger, time, interest, reason):
    ledger.set_interest(1, interest)
    at(time)
    with boa.reverts(f"markets: {reason}"):
        closing.delist(1)


def test_delist__active__reverts(markets):
    with boa.reverts("markets: not wound down"):
        markets.delist(1)


def test_delist__nobody_to_ask__reverts(closing):
    at(EXPIRY)
    with boa.reverts("markets: no clearinghouse"):
        closing.delist(1)


def test_set_clearinghouse__once__is_kept_and_logged(markets):
    ledger = boa.env.generate_address()
    markets.set_clearinghouse(ledger)

    (event,) = events(markets, "ClearinghouseSet")
    assert (event.clearinghouse, event.seq) == (ledger, 4)
    assert markets.clearinghouse() == ledger
    with boa.reverts("markets: clearinghouse is set"):
        markets.set_clearinghouse(boa.env.generate_address())


def test_set_clearinghouse__zero__reverts(markets):
    with boa.reverts("markets: zero address"):
        markets.set_clearinghouse("0x" + "00" * 20)
