import boa
import pytest

from keeper.clearing import collateral
from tests.support.clearing import (
    CALL,
    EXPIRY,
    FUTURE,
    NO_CAPS,
    PERP,
    PUT,
    SPEC,
    SPOT,
    WAD,
    call,
    put,
    source,
)
from tests.support.house import House, words

NO_BOUND = -(2**255)
ZERO = "0x" + "00" * 20
LISTINGS = (
    collateral.Listing(1, 18, 1, 1_000, 500, 2**128 - 1),
    collateral.Listing(2, 8, 1, 10_000, 3_333, 2**128 - 1),
)


@pytest.fixture
def valuer(contracts):
    with boa.env.anchor():
        yield contracts.valuer


def test_worst_case__empty__is_zero(valuer):
    assert valuer.worst_case([]) == 0


@pytest.mark.parametrize(
    ("book", "worst"),
    [
        ({CALL: WAD}, 0),
        ({PUT: -WAD}, -2_000 * WAD),
        ({CALL: -WAD, call(2_400): WAD}, -400 * WAD),
        ({PUT: WAD, put(2_400): -WAD}, -400 * WAD),
        ({FUTURE: WAD, CALL: -WAD}, 0),
    ],
)
def test_worst_case__book__is_its_least_payoff(valuer, book, worst):
    assert valuer.worst_case(words(book)) == worst


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        ({PERP: WAD}, "valuer: a perp has no worst case"),
        ({CALL: -WAD}, "valuer: no worst case"),
        ({FUTURE: -WAD}, "valuer: no worst case"),
    ],
)
def test_worst_case__without_a_bound__reverts(valuer, book, reason):
    with boa.reverts(reason):
        valuer.worst_case(words(book))


def test_worst_case__at_expiry__reverts(valuer):
    boa.env.evm.patch.timestamp = EXPIRY

    with boa.reverts("valuer: expired leg"):
        valuer.worst_case(words({CALL: WAD}))
    assert valuer.value(words({CALL: WAD})).expired


def test_value__perp__is_the_basis_band(valuer):
    value = valuer.value(words({PERP: -WAD}))

    assert (value.low, value.high) == (-2_040 * WAD, -1_960 * WAD)
    assert value.linear == -2_040 * WAD
    assert value.worstCase == value.floor == NO_BOUND


@pytest.mark.parametrize("amounts", [(), (WAD,), (1, 1), (10**12 + 7, 3 * WAD + 1), (2**100, 2**100)])
def test_collateral_value__tokens__are_spot_less_haircut_as_the_keeper_counts_it(valuer, amounts):
    balances = {i + 1: amount for i, amount in enumerate(amounts)}
    held = [listing for listing in LISTINGS if listing.index in balances]
    expected = collateral.value_of(balances, held, {1: SPOT})

    value = valuer.collateral_value([word(listing, balances[listing.index]) for listing in held])

    assert tuple(value) == (expected.full, expected.initial, expected.maintenance)


def test_posted_value__spot_outside_its_band__counts_what_was_posted(contracts, valuer):
    House(contracts).post(spot=3_000 * 10**8, effective=2_040 * 10**8)
    ether = [word(LISTINGS[0], WAD)]

    assert tuple(valuer.collateral_value(ether)) == (2_040 * WAD, 1_836 * WAD, 1_938 * WAD)
    assert tuple(valuer.posted_value(ether)) == (3_000 * WAD, 2_700 * WAD, 2_850 * WAD)


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (PERP, (1_960 * WAD, 2_040 * WAD, WAD // 100)),
        (FUTURE, (1_952_328_767_120_000_000_000, 2_047_671_232_880_000_000_000, WAD // 100)),
    ],
)
def test_linear_band__perp_and_future__by_hand(valuer, instrument, expected):
    """2 % of basis; the future has seven days at 20 % a year on top: 2.3836 %, rounded outwards to 1e-8.
    Leverage 100.
    """
    assert valuer.linear_band(instrument) == expected


@pytest.mark.parametrize("zero", [0, 1])
def test_deploy__zero_address__reverts(contracts, zero):
    addresses = [contracts.oracle.address, contracts.markets.address]
    addresses[zero] = ZERO

    with boa.reverts("valuer: zero address"):
        source("risk/BookValuer").deploy(*addresses)


def word(listing, balance):
    """A collateral word of a standing: what the vault says of a token, and the balance."""
    spec = (listing.index << 48 | listing.underlying << 32) | (listing.initial_haircut << 16)
    return (spec | listing.maintenance_haircut) << 192 | balance


def test_linear_band__underlying_without_a_spot__reverts(contracts, valuer):
    with boa.env.prank(contracts.owner):
        contracts.markets.list_underlying(("BTC", *SPEC[1:]), NO_CAPS)

    with boa.reverts("valuer: no spot"):
        valuer.linear_band(2 << 112)
