"""What the gate takes from its oracle: succession, bands around the spot, the settlement window."""

from dataclasses import replace

import boa
import pytest

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.units import constants as c
from tests.support.clearing import (
    BANDS,
    BASIS,
    CALL,
    CARRY,
    EXPIRY,
    FUTURE,
    LIMITS,
    METHODOLOGY,
    PERP,
    SPOT,
    USD8,
    WAD,
    Deal,
    source,
)
from tests.support.house import House, words

WINDOW = c.SETTLEMENT_WINDOW
UNIT = 10**10
MOVED = 2_020 * USD8


@pytest.fixture
def successor(house):
    """Contracts with another oracle, of the same quorum and before its first epoch, and a gate of it."""
    old = house.contracts
    with boa.env.prank(old.owner):
        oracle = source("attestation/RiskOracle").deploy(old.quorum.address, LIMITS, old.oracle.address)
        oracle.add_underlying(SPOT, BANDS)
        oracle.set_methodology(METHODOLOGY)
        valuer = source("risk/BookValuer").deploy(oracle.address, old.markets.address)
        gate = source("risk/MarginGate").deploy(oracle.address, valuer.address)
    return House(replace(old, oracle=oracle, valuer=valuer, gate=gate))


def switch(house, gate, oracle):
    house.clearing.set_gate(gate.address, oracle.address, sender=house.contracts.owner)


def test_set_gate__of_another_oracle__reverts(house, successor):
    old, new = house.contracts, successor.contracts
    for gate, oracle in ((old.gate, new.oracle), (new.gate, old.oracle)):
        with boa.reverts("gate: of another oracle"):
            switch(house, gate, oracle)


def test_set_gate__oracle_numbered_no_higher__reverts(house, successor):
    """Else a record of the old oracle's epoch would pass again in the new one's."""
    new = successor.contracts
    house.post()
    house.post()
    for _ in range(3):
        with boa.reverts("gate: oracle numbers below the old one"):
            switch(house, new.gate, new.oracle)
        successor.post()

    with boa.reverts("gate: oracle has not taken over now"):
        switch(house, new.gate, new.oracle)
    with boa.env.prank(new.owner):
        new.oracle.take_over()
    switch(house, new.gate, new.oracle)
    assert house.clearing.oracle() == new.oracle.address


def test_set_gate__oracle_of_another_predecessor__reverts(house, successor):
    """It would pass on the settlement prices of an oracle that was never in force."""
    old, next_one = house.contracts, successor.contracts
    with boa.env.prank(old.owner):
        oracle = source("attestation/RiskOracle").deploy(old.quorum.address, LIMITS, next_one.oracle.address)
        oracle.add_underlying(SPOT, BANDS)
        oracle.set_methodology(METHODOLOGY)
        valuer = source("risk/BookValuer").deploy(oracle.address, old.markets.address)
        gate = source("risk/MarginGate").deploy(oracle.address, valuer.address)
    other = House(replace(old, oracle=oracle, valuer=valuer, gate=gate))
    other.post()

    with boa.reverts("gate: oracle succeeds another"):
        switch(house, gate, oracle)


def band(spot=SPOT, left=None):
    """Where a perp's mark may lie, or with seconds left that of a future; 1e-8 USD, rounded outwards."""
    width = BASIS + (CARRY * left // c.SECONDS_PER_YEAR if left else 0)
    return spot * (WAD - width) // WAD, -(-spot * (WAD + width) // WAD)


def shown(house, instrument, mark, spot=SPOT):
    """What the gate reads from an instrument's leaf in the next epoch."""
    stated = InstrumentLeaf(instrument, mark, 30 * WAD, WAD, 50 * WAD, 2 * WAD)
    house.post(spot=spot, instruments=[stated])
    (unit,) = house.contracts.gate.units(house.statement(instrument=instrument), [instrument])
    return tuple(unit) == (mark, 30 * WAD, 50 * WAD)


@pytest.mark.parametrize("instrument", [PERP, FUTURE])
@pytest.mark.parametrize("spot", [SPOT, MOVED])
def test_units__linear__mark_lies_inside_the_band_of_the_spot(house, instrument, spot):
    def edges():
        left = EXPIRY - boa.env.evm.patch.timestamp - 15
        return band(spot, left if instrument == FUTURE else None)

    assert shown(house, instrument, edges()[0] * UNIT, spot)
    assert shown(house, instrument, edges()[1] * UNIT, spot)
    for mark in (edges()[0] * UNIT - 1, 0):
        with boa.reverts("gate: mark outside its band"):
            shown(house, instrument, mark, spot)
    with boa.reverts("gate: mark outside its band"):
        shown(house, instrument, edges()[1] * UNIT + 1, spot)


def test_units__option__has_no_band(house):
    assert shown(house, CALL, 0)
    assert shown(house, CALL, 10**6 * WAD)


@pytest.mark.parametrize("instrument", [PERP, FUTURE])
def test_units__linear__margins_keep_to_the_leverage_limit(house, instrument):
    """1 % of a mark that is no multiple of it, rounded up, long and short."""
    mark = 2_000 * WAD + 1
    least = 20 * WAD + 1

    def margins(long, short):
        house.post(instruments=[InstrumentLeaf(instrument, mark, long, 0, short, 0)])
        return house.contracts.gate.units(house.statement(instrument=instrument), [instrument])

    assert [tuple(unit) for unit in margins(least, least)] == [(mark, least, least)]
    for long, short in ((least - 1, least), (least, least - 1)):
        with boa.reverts("gate: leverage above limit"):
            margins(long, short)


def test_units__option__has_no_leverage_limit(house):
    house.post(instruments=[InstrumentLeaf(CALL, 100 * WAD, 0, 0, 0, 0)])

    assert house.contracts.gate.units(house.statement(instrument=CALL), [CALL]) == [(100 * WAD, 0, 0)]


def test_trade__perp_marked_outside_its_band__reverts(house):
    maker, taker, deal = house.open("maker", 10_000), house.open("taker", 10_000), Deal(PERP)
    mark = band()[1] * UNIT + 1
    house.post(instruments=[InstrumentLeaf(PERP, mark, WAD, WAD, WAD, WAD)])

    with boa.reverts("gate: mark outside its band"):
        house.trade(deal, maker, taker, house.easy(maker, deal, taker=False), house.easy(taker, deal))


def post_at(house, left, spot=SPOT):
    """An epoch with seconds left to expiry."""
    boa.env.evm.patch.timestamp = EXPIRY - left - 15
    house.post(spot=spot)


def forwards(house):
    """Bracket of one future, 1e-8 USD."""
    value = house.contracts.valuer.value(words({FUTURE: WAD}))
    assert value.low == value.linear
    assert value.low % UNIT == value.high % UNIT == 0
    return value.low // UNIT, value.high // UNIT


def mixed(integral, rest, low, high):
    """Bracket of a window of which `integral` is fixed and `rest` seconds are open."""
    return (integral + low * rest) // WINDOW, -(-(integral + high * rest) // WINDOW)


def test_value__inside_the_settlement_window__what_is_averaged_is_fixed(house):
    post_at(house, WINDOW + 60)
    post_at(house, WINDOW)
    assert forwards(house) == band(SPOT, WINDOW)
    widths = []

    for left in range(WINDOW - 60, 0, -60):
        post_at(house, left)
        low, high = forwards(house)
        assert (low, high) == mixed(SPOT * (WINDOW - left), left, *band(SPOT, left))
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < (band()[1] - band()[0]) // 29


def test_value__spot_moves_inside_the_window__only_the_rest_follows(house):
    for left in range(WINDOW + 60, WINDOW // 2 - 1, -60):
        post_at(house, left)
    left = WINDOW // 2 - 60
    post_at(house, left, MOVED)

    integral = SPOT * WINDOW // 2 + (SPOT + MOVED) * 60 // 2
    assert forwards(house) == mixed(integral, left, *band(MOVED, left))
    boa.env.evm.patch.timestamp += 30  # no epoch since: the rest is still open
    assert forwards(house) == mixed(integral, left, *band(MOVED, left - 30))


def test_value__window_without_its_first_checkpoint__is_the_whole_band(house):
    post_at(house, WINDOW + 3_600)
    post_at(house, WINDOW // 2)

    assert forwards(house) == band(SPOT, WINDOW // 2)


def test_value__after_expiry__is_the_basis_until_final_then_exact(house):
    for left in range(WINDOW + 60, -61, -60):
        post_at(house, left)
    assert forwards(house) == band()

    house.contracts.oracle.finalize_settlement(1, EXPIRY)
    assert forwards(house) == (SPOT, SPOT)
