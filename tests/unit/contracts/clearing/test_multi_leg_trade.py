"""Trades of several legs: one margin check for all of them, one fee, and per-leg counters."""

from dataclasses import dataclass, replace

import boa
import pytest

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.clearing import account as accounts
from keeper.clearing.account import Fill, InstrumentMargin, Record
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from tests.support.clearing import (
    ACTION,
    BANDS,
    CALL,
    FUTURE,
    HEADROOM,
    NO_CAPS,
    NO_LIMITS,
    PERP,
    PUT,
    SPEC,
    SPOT,
    USD8,
    WAD,
    Side,
    call,
    deploy,
)
from tests.support.house import INSTRUMENTS, events

OTHER_SPOT = 80_000 * USD8
OTHER_PERP = Instrument(2, 0, 0, Kind.PERP).pack()
HIGHER = call(2_400)
LEAVES = (
    *INSTRUMENTS,
    InstrumentLeaf(HIGHER, 40 * WAD, 40 * WAD, 30 * WAD, 250 * WAD, 150 * WAD),
    InstrumentLeaf(OTHER_PERP, 80_000 * WAD, 8_000 * WAD, 4_000 * WAD, 8_100 * WAD, 4_100 * WAD),
)
SPREAD = ((CALL, WAD, 110 * WAD), (HIGHER, -WAD, 30 * WAD))
CONDOR = (*SPREAD, (PUT, -2 * WAD, 90 * WAD), (PERP, WAD // 4, 2_010 * WAD))


@dataclass(frozen=True)
class Package:
    """Legs from the maker's side, and both fees."""

    fills: tuple
    fees: tuple[int, int] = (0, 0)

    def of(self, house, taker=False):
        """One side's fills, the fee at the first; counted where the epoch has the instrument."""
        sign, fee = (-1 if taker else 1), self.fees[taker]
        for number, (instrument, quantity, price) in enumerate(self.fills):
            stated = house.epoch.instruments[instrument]
            margin = InstrumentMargin(stated.mark, stated.im_long, stated.im_short)
            yield Fill(instrument, sign * quantity, price, 0 if number else fee, margin)

    def after(self, house, account, taker=False):
        """The account after its side."""
        house.known |= {instrument for instrument, *_ in self.fills}
        return accounts.traded(house.state(account), self.of(house, taker))


@pytest.fixture(scope="module")
def contracts():
    """With a second underlying, at 80,000 USD."""
    with boa.env.anchor():
        contracts = deploy()
        with boa.env.prank(contracts.owner):
            contracts.markets.list_underlying(("BTC", *SPEC[1:]), NO_CAPS)
            contracts.oracle.add_underlying(OTHER_SPOT, BANDS)
        yield contracts


@pytest.fixture
def sides(house):
    """Maker and taker, 10,000 and 1,000,000 USD rich, in an epoch without margins."""
    numbers = house.open("maker", 10_000), house.open("taker", 1_000_000)
    post(house, *(house.margin(number) for number in numbers))
    return numbers


def post(house, *leaves, spot=SPOT, effective=0, other=OTHER_SPOT << 64 | OTHER_SPOT):
    house.post(*leaves, spot=spot, effective=effective, instruments=LEAVES, others=[other])


def report(house, account, state, **stated):
    """Without a margin, at the least mark that the bracket allows."""
    return house.report(account, state, **({"mark_to_market": house.value(state).low} | stated))


def trade(house, package, sides, maker, taker, **changes):
    """The module brings a package; the leaves of all its instruments are shown."""
    instruments = [instrument for instrument, *_ in package.fills]
    statement = house.statement(maker, taker, **({"instruments": instruments} | changes))
    fills = [(*fill, 10**9 * WAD, NO_LIMITS) for fill in package.fills]
    values = (*sides, fills, *package.fees, *(house.owners[side] for side in sides), ACTION)
    house.clearing.trade(values, maker.evidence(), taker.evidence(), statement, sender=house.contracts.module)


def worst(house, account, package, taker=False):
    """Fully collateralised after the package."""
    return Side(c.WAY_WORST_CASE, sorted(package.after(house, account, taker).positions))


def covered(house, account, package, taker=True):
    """By a report without margin."""
    return report(house, account, package.after(house, account, taker))


# One check


def test_trade__condor__state_and_events_are_those_of_its_legs_in_order(house, sides):
    package = Package(CONDOR, (3 * WAD, 5 * WAD))
    expected = package.after(house, sides[0]), package.after(house, sides[1], taker=True)
    reports = report(house, sides[0], expected[0]), report(house, sides[1], expected[1])

    trade(house, package, sides, *reports)

    changes = events(house.clearing, "PositionChanged")
    for account, state, taker in zip(sides, expected, (False, True), strict=True):
        told = [event for event in changes if event.account == account]
        for event, fill in zip(told, package.of(house, taker), strict=True):
            assert (event.instrument, event.quantity, event.price) == (
                fill.instrument,
                fill.quantity,
                fill.price,
            )
            assert (event.kind, event.fee) == (c.CHANGE_FILL, fill.fee)
        last = told[-1]
        assert last.cash == state.cash
        assert last.counters == state.added_im << 128 | state.added_mark & 2**128 - 1
        passed = accounts.ratcheted(state, state.cash + house.value(state).linear)
        assert house.state(account) == replace(passed, record=Record())
        assert house.clearing.account(account).legCount == 4
    assert [event.seq for event in changes] == list(range(changes[0].seq, changes[0].seq + 8))
    assert house.clearing.totals().fees == 8 * WAD


def test_trade__fee__is_of_the_whole_trade_and_on_the_first_fill(house, sides):
    package = Package(SPREAD, (7, 0))

    trade(house, package, sides, worst(house, sides[0], package), covered(house, sides[1], package))

    changes = events(house.clearing, "PositionChanged")
    assert [event.fee for event in changes if event.account == sides[0]] == [7, 0]
    assert house.state(sides[0]).cash == 10_000 * WAD - 80 * WAD - 7
    assert house.clearing.totals().fees == 7


def test_trade__counters__add_each_leg_alone(house, sides):
    """Bought at 110 for a mark of 100, sold at 30 for one of 40: neither gain nor hedge is credited."""
    package = Package(SPREAD)
    house.refresh(sides[0])

    trade(house, package, sides, HEADROOM, covered(house, sides[1], package))

    state = house.clearing.account(sides[0])
    assert state.addedIM == (100 + 250) * WAD
    assert state.addedMark == (100 - 40) * WAD


def test_trade__spread__passes_together_where_its_legs_would_not(house, sides):
    """A short call alone is never fully collateralised: the check sees only what is there at the end."""
    package = Package(((HIGHER, -WAD, 40 * WAD), (CALL, WAD, 100 * WAD)))
    alone = Package(package.fills[:1])

    with boa.reverts("valuer: no worst case"):
        trade(house, alone, sides, worst(house, sides[0], alone), covered(house, sides[1], alone))
    trade(house, package, sides, worst(house, sides[0], package), covered(house, sides[1], package))


@pytest.mark.parametrize("extra", [0, 1])
def test_trade__headroom__needs_the_margin_of_all_legs(house, sides, extra):
    """350 is added; the legs cost 80, and 60 of it is mark: 9,980 of equity."""
    package = Package(SPREAD)
    post(
        house, house.margin(sides[0], initial_margin=9_980 * WAD - 350 * WAD + extra), house.margin(sides[1])
    )
    house.refresh(sides[0])
    taker = covered(house, sides[1], package)

    if extra:
        with boa.reverts("gate: below initial margin"):
            trade(house, package, sides, HEADROOM, taker)
        assert house.clearing.account(sides[0]).legCount == 0
    else:
        trade(house, package, sides, HEADROOM, taker)


def test_trade__legs__are_fills_since_the_leaf_each(house, sides):
    """Sixty-four fills are sixteen condors."""
    house.refresh(sides[0])
    package = Package(tuple((instrument, WAD // 100, 10**10) for instrument, *_ in CONDOR))
    for _ in range(c.MAX_FILLS_SINCE_LEAF // 4):
        trade(house, package, sides, HEADROOM, covered(house, sides[1], package))

    dust = Package(package.fills[:1])
    with boa.reverts("gate: too many fills since the leaf"):
        trade(house, dust, sides, HEADROOM, covered(house, sides[1], dust))


def test_trade__one_leg_twice__ends_where_it_ends(house, sides):
    """The Exchange sends distinct instruments; here the second fill starts from the first."""
    package = Package(((CALL, WAD, 100 * WAD), (CALL, -WAD, 100 * WAD)))

    trade(house, package, sides, worst(house, sides[0], package), worst(house, sides[1], package, taker=True))

    assert [house.clearing.account(account).legCount for account in sides] == [0, 0]


def test_trade__a_leg_without_quantity__reverts(house, sides):
    package = Package((*SPREAD, (PUT, 0, 90 * WAD)))
    side = Side(c.WAY_WORST_CASE)

    with boa.reverts("clearing: no quantity"):
        trade(house, package, sides, side, side)


def test_trade__reduction_at_the_mark__is_of_one_leg(house, sides):
    package = Package(((CALL, -WAD, 100 * WAD), (PUT, -WAD, 100 * WAD)))
    side = Side(c.WAY_REDUCE_AT_MARK)

    with boa.reverts("clearing: not the whole book"):
        trade(house, package, sides, side, side)


# Leaves of the instruments


@pytest.mark.parametrize(
    ("instruments", "reason"),
    [
        ([CALL], "gate: instruments differ"),
        ([CALL, HIGHER, PUT], "gate: instruments differ"),
        ([HIGHER, CALL], "gate: leaf of another instrument"),
        ([CALL, PUT], "gate: leaf of another instrument"),
    ],
)
def test_trade__leaves_of_other_legs__revert(house, sides, instruments, reason):
    package = Package(SPREAD)

    with boa.reverts(reason):
        trade(
            house,
            package,
            sides,
            worst(house, sides[0], package),
            covered(house, sides[1], package),
            instruments=instruments,
        )


def test_trade__no_leaves__every_leg_is_uncounted(house, sides):
    package = Package(SPREAD)
    states = [house.state(account) for account in sides]
    uncounted = [Fill(f.instrument, f.quantity, f.price, f.fee, None) for f in package.of(house, True)]
    taker = report(house, sides[1], accounts.traded(states[1], uncounted))

    trade(house, package, sides, worst(house, sides[0], package), taker, instruments=[])

    changes = events(house.clearing, "PositionChanged")
    assert {event.kind for event in changes} == {c.CHANGE_UNCOUNTED_FILL}
    assert {house.clearing.account(account).addedIM for account in sides} == {0}


# Underlyings


@pytest.mark.parametrize("outside", [1, 2])
def test_trade__one_of_two_underlyings_outside_its_band__reverts(house, sides, outside):
    package = Package(((PERP, WAD, 2_000 * WAD), (OTHER_PERP, WAD // 100, 80_000 * WAD)))
    leaves = [house.margin(number) for number in sides]
    if outside == 1:
        post(house, *leaves, spot=3_000 * USD8, effective=2_040 * USD8)
    else:
        post(house, *leaves, other=(100_000 * USD8) << 64 | 81_600 * USD8)
    house.refresh(sides[0])

    with boa.reverts("gate: spot outside its band"):
        trade(house, package, sides, HEADROOM, covered(house, sides[1], package))
    inside = Package(package.fills[2 - outside : 3 - outside])
    trade(house, inside, sides, HEADROOM, covered(house, sides[1], inside))


def test_trade__two_perps__set_both_bits(house, sides):
    package = Package(((OTHER_PERP, WAD // 100, 80_000 * WAD), (PERP, -WAD, 2_000 * WAD)))
    house.refresh(sides[0])

    trade(house, package, sides, HEADROOM, covered(house, sides[1], package))
    assert [house.clearing.account(account).perps for account in sides] == [0b11, 0b11]

    back = Package(((PERP, WAD, 2_000 * WAD),))
    trade(house, back, sides, HEADROOM, covered(house, sides[1], back))
    assert [house.clearing.account(account).perps for account in sides] == [0b10, 0b10]


def test_trade__future_and_perp__move_the_records_linear_value(house, sides):
    package = Package(((FUTURE, -WAD, 1_990 * WAD), (PERP, WAD, 2_000 * WAD)))
    house.refresh(sides[0])

    trade(house, package, sides, HEADROOM, covered(house, sides[1], package))

    assert house.record(sides[0]).linear == -2_000 * WAD + 2_000 * WAD
    assert house.state(sides[0]).cash == 10_000 * WAD - 10 * WAD
