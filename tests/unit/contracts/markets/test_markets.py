import boa
import pytest

from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.support.clearing import EXPIRY, FUTURE, GENESIS, LATER, PERP, SPEC, USD8, WAD, put, source
from tests.support.house import events

STEP = 100 * USD8
GRID = (1_000 * USD8, 3_000 * USD8, STEP)
UNIT = 10**10
BAD_STEPS = (0, UNIT + 1, 2**96 + UNIT)
LOT, TICK = SPEC[1], SPEC[2]
ADMINISTRATION = [
    ("list_underlying", (SPEC,)),
    ("set_underlying", (1, SPEC)),
    ("list_expiry", (1, LATER, GRID)),
    ("transfer_ownership", ("0x" + "11" * 20,)),
]
FIELDS = ("symbol", "lot", "tick", "basis", "carry")


def spec(**changes):
    """SPEC with changes."""
    return tuple(changes.get(name, value) for name, value in zip(FIELDS, SPEC, strict=True))


@pytest.fixture(scope="module")
def deployed():
    """One underlying, ETH, with one expiry."""
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = GENESIS
        markets = source("markets/Markets").deploy()
        markets.list_underlying(SPEC)
        markets.list_expiry(1, EXPIRY, GRID)
        yield markets


@pytest.fixture
def markets(deployed):
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = GENESIS
        yield deployed


def test_list_underlying__next__is_numbered_stored_and_logged(markets):
    given = spec(symbol="BTC", lot=UNIT, tick=c.MAX_QUANTITY // UNIT * UNIT, basis=WAD // 2, carry=2 * WAD)

    assert markets.list_underlying(given) == 2

    (event,) = events(markets, "UnderlyingListed")
    assert (event.underlying, event.seq, tuple(event.spec)) == (2, 3, given)
    assert markets.underlying_count() == 2
    assert tuple(markets.underlying(2)) == given
    assert tuple(markets.underlying(1)) == SPEC
    assert markets.forward_bands([2, 1]) == [WAD // 2 << 128 | 2 * WAD, SPEC[3] << 128 | SPEC[4]]


def test_set_underlying__listed__is_replaced_and_logged(markets):
    given = spec(symbol="E", lot=2 * UNIT)

    markets.set_underlying(1, given)

    (event,) = events(markets, "UnderlyingListed")
    assert (event.underlying, event.seq, tuple(event.spec)) == (1, 3, given)
    assert (markets.underlying_count(), tuple(markets.underlying(1))) == (1, given)


def test_list_expiry__new__is_stored_and_logged(markets):
    markets.list_expiry(1, LATER, GRID)

    (event,) = events(markets, "ExpiryListed")
    assert (event.underlying, event.expiry, event.seq, tuple(event.grid)) == (1, LATER, 3, GRID)
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
        markets.list_underlying(SPEC)

    with boa.reverts("markets: too many underlyings"):
        markets.list_underlying(SPEC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": ""}, "empty symbol"),
        *(
            ({name: bad}, "bad lot or tick")
            for name in ("lot", "tick")
            for bad in (0, UNIT + 1, 2**96 + UNIT)
        ),
        ({"basis": WAD // 2 + 1}, "basis too large"),
        ({"carry": 2 * WAD + 1}, "carry too large"),
    ],
)
def test_underlying__bad_specification__reverts(markets, changes, reason):
    with boa.reverts(f"markets: {reason}"):
        markets.list_underlying(spec(**changes))
    with boa.reverts(f"markets: {reason}"):
        markets.set_underlying(1, spec(**changes))


@pytest.mark.parametrize("underlying", [0, 2])
@pytest.mark.parametrize(
    ("function", "more"), [("set_underlying", (SPEC,)), ("list_expiry", (LATER, GRID)), ("underlying", ())]
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
    assert markets.require_tradable(instrument, quantity, 3 * TICK)


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
    boa.env.evm.patch.timestamp = EXPIRY - 1
    assert markets.require_tradable(instrument, LOT, TICK)
    boa.env.evm.patch.timestamp = EXPIRY

    with boa.reverts("markets: expired"):
        markets.require_tradable(instrument, LOT, TICK)
    assert markets.require_tradable(PERP, LOT, TICK)
