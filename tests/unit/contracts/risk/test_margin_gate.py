"""The gate as the Clearinghouse and the Vault ask it, on accounts that the Clearinghouse keeps."""

import boa
import pytest

from keeper.units import constants as c
from tests.support.clearing import ACTION, CALL, PUT, WAD, Deal, Side, source
from tests.support.statements import statement

ZERO = "0x" + "00" * 20
NO_SIDE = (0, 0, (0, 0, 0), 0, 0, 0)


def require_pass(house, account, side, action=ACTION, shown=None):
    """What the gate says of the account as it is."""
    shared = house.statement(side) if shown is None else shown
    ledger = house.clearing.address
    return house.contracts.gate.require_pass(ledger, action, 0, account, side.evidence(), shared)


def reduced(house, account, maintenance, before, fee):
    """A reduction by report of an account without legs, whose equity is its cash."""
    other = house.open("other")
    side = house.report(account, house.state(account), c.WAY_REDUCE_REPORT, maintenance_margin=maintenance)
    mine = (account, fee, (*before, 0), 0, 0, 0)
    theirs = (other, *NO_SIDE[1:])
    shown = side.evidence(), Side(c.WAY_WORST_CASE).evidence()
    return house.contracts.gate.require_trade(
        house.clearing.address, ACTION, 0, mine, shown[0], theirs, shown[1], house.statement(side)
    )


def test_require_trade__reduction__buffer_and_equity(house):
    """Equity 98 after a fee of 2: it was 100, with a maintenance margin of 10."""
    account = house.open("maker")
    house.deposit(account, 98)
    house.post()
    unit = 10**12
    equity, maintenance, fee = 100 * unit, 10 * unit, 2 * unit

    passed = reduced(house, account, 8 * unit, (equity, maintenance), fee)
    assert [one.settled for one in passed] == [98 * unit, 0]
    with boa.reverts("gate: equity falls"):
        reduced(house, account, 0, (equity + 1, maintenance), fee)
    with boa.reverts("gate: risk not reduced"):
        reduced(house, account, 8 * unit + 1, (equity, maintenance), fee)


def short_put(house, name, cash):
    """An account that is short one put and has exactly so much cash left."""
    account, buyer = house.open(name, 10_000), house.open(name + " buyer", 10_000)
    deal = Deal(PUT, -WAD, 100 * WAD, (10_100 * WAD - cash, 0))
    state = house.after(account, deal)
    sides = house.report(account, state, mark_to_market=-50 * WAD), house.easy(buyer, deal)
    house.trade(deal, account, buyer, *sides)
    return account


@pytest.mark.parametrize("margin", [10**10, 1_950 * WAD, 1_950 * WAD + 1, 10**9 * WAD])
def test_require_pass__defined_risk__margin_is_capped_where_the_book_is_shown(house, margin):
    """A short put marked at 50 can lose 1,950 more: whatever margin is stated, a report asks for no more."""
    house.post()
    cash = min(margin, 1_950 * WAD) + 50 * WAD
    enough, short = short_put(house, "enough", cash), short_put(house, "short", cash - 1)
    stated = {"mark_to_market": -50 * WAD, "initial_margin": margin}

    passed = require_pass(house, enough, house.report(enough, house.state(enough), **stated))
    assert passed.settled == cash
    with boa.reverts("gate: below initial margin"):
        require_pass(house, short, house.report(short, house.state(short), **stated))

    house.post(house.margin(enough, **stated))
    if margin > 1_950 * WAD:  # a capped margin is not subadditive: what others add to is not capped
        with boa.reverts("gate: below initial margin"):
            require_pass(house, enough, house.leaf(enough))
    else:
        assert require_pass(house, enough, house.leaf(enough)).settled == cash


def test_require_pass__ways_of_a_trade__are_unknown(house):
    account = house.open("maker", 10)

    for way in (c.WAY_REDUCE_REPORT, c.WAY_REDUCE_AT_MARK, 255):
        with boa.reverts("gate: unknown way"):
            require_pass(house, account, Side(way), shown=b"")


def test_require_pass__report__is_of_one_action_and_until_its_deadline(house):
    account = house.open("maker", 10)
    house.post()
    side = house.report(account, house.state(account))
    shared = house.statement(side)

    assert require_pass(house, account, side, shown=shared).settled == 10 * WAD
    with boa.reverts("quorum: wrong signer"):
        require_pass(house, account, side, bytes(32), shared)
    boa.env.evm.patch.timestamp += 61
    with boa.reverts("gate: report expired"):
        require_pass(house, account, side, shown=shared)


def test_require_pass__report__is_of_this_very_book(house):
    account = house.open("maker")
    house.post()
    side = house.report(account, house.state(account), book_hash=b"\x01" * 32)

    with boa.reverts("gate: report of another book"):
        require_pass(house, account, side)


def test_require_pass__signatures_encoded_elsewhere__reverts(house):
    """The gate passes them on as they stand: their list has to start behind the bitmap."""
    account = house.open("maker")
    house.post()
    side = house.report(account, house.state(account))
    shared = bytearray(house.statement(side))
    at = 32 + int.from_bytes(shared[96:128], "big")
    assert int.from_bytes(shared[at + 32 : at + 64], "big") == 64
    shared[at + 63] = 96

    with boa.reverts("gate: encoding"):
        require_pass(house, account, side, shown=bytes(shared))


def test_require_pass__headroom__needs_no_statement(house):
    account = house.open("maker", 10)
    house.post(house.margin(account, initial_margin=10 * WAD))
    house.refresh(account)

    assert require_pass(house, account, Side(), shown=b"").settled == 10 * WAD


def test_measure__record__is_of_the_present_book(house):
    """Equity at the record's mark, the margin in steps of 1e-8; a fill since ends what it says."""
    account, other = house.open("maker", 10_000), house.open("taker", 10_000)
    house.post(house.margin(account, maintenance_margin=7))
    house.refresh(account)
    gate, ledger = house.contracts.gate, house.clearing.address
    assert tuple(gate.measure(ledger, account)) == (10_000 * WAD, 10**10, 10_000 * WAD)

    house.hold(account, other, Deal(CALL))
    with boa.reverts("gate: record of another book"):
        gate.measure(ledger, account)


@pytest.mark.parametrize("shown", [1, 2])
def test_units__not_one_leaf_for_each_instrument__reverts(house, shown):
    house.post()

    with boa.reverts("gate: instruments differ"):
        house.contracts.gate.units(house.statement(instrument=CALL), [CALL, PUT] * shown)


@pytest.mark.parametrize("paths", [0, 2])
def test_units__not_one_path_for_each_leaf__reverts(house, paths):
    house.post()
    stated = house.epoch.instruments[CALL]
    shown = statement(house.epoch.number, instruments=[stated], paths=[house.epoch.proof(stated)] * paths)

    with boa.reverts("gate: paths differ"):
        house.contracts.gate.units(shown, [CALL])


def test_units__none_shown__are_none(house):
    house.post()

    assert house.contracts.gate.units(house.statement(), [CALL, PUT]) == []


@pytest.mark.parametrize("zero", [0, 1])
def test_deploy__zero_address__reverts(contracts, zero):
    addresses = [contracts.oracle.address, contracts.valuer.address]
    addresses[zero] = ZERO

    with boa.reverts("gate: zero address"):
        source("risk/MarginGate").deploy(*addresses)
    assert contracts.gate.valuer() == contracts.valuer.address
