"""Accounts after an action that a report is asked for."""

from dataclasses import replace

import pytest

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.clearing import account as accounts
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.exchange.order import Leg, Order
from keeper.jobs.actions import outcome_of
from keeper.markets.instrument import Instrument, Kind
from keeper.network.schemas import FillAction, WithdrawalAction
from keeper.network.server import Refusal
from keeper.risk.collateral import Collateral
from keeper.store.index_store import AccountRow, ListingRow
from keeper.units.constants import WAD

CALL = Instrument(1, 1_743_552_000, 3_000 * 10**8, Kind.CALL).pack()
PUT = Instrument(1, 1_743_552_000, 3_000 * 10**8, Kind.PUT).pack()
ROWS = {n: AccountRow(n, "0xowner", 0, 0, 0, bytes(32), ()) for n in (1, 2)}
LEAVES = {i: InstrumentLeaf(i, 10 * WAD, 11 * WAD, 7 * WAD, 12 * WAD, 8 * WAD) for i in (CALL, PUT)}


WETH = "0x" + "ab" * 20
LISTINGS = [ListingRow(2, WETH, 6, 1, 1_000, 500, 10**24)]
RICH = AccountRow(3, "0xowner", 5 * WAD, 0, 0, bytes(32), (), ((2, 7 * WAD),))


def withdrawal(amount, token=WETH):
    terms = {"kind": "withdrawal", "account": "3", "amount": str(amount), "nonce": "0"}
    return WithdrawalAction.model_validate(terms | {"token": token, "recipient": "0x" + "cd" * 20})


def message(account, legs):
    order = Order(account, legs, 3, 0, 0, 0, 2**40)
    found = {"account": account, "units": 3, "limit": 0, "max_fee": 0, "nonce": 0, "expiry": order.expiry}
    found = {name: str(value) for name, value in found.items()} | {"taker": order.taker}
    return found | {"legs": [{"instrument": str(x.instrument), "quantity": str(x.quantity)} for x in legs]}


def fill(legs, price, prices=(), **changed):
    mirror = [Leg(leg.instrument, -leg.quantity) for leg in legs]
    terms = {"kind": "fill", "units": "3", "price": str(price), "fill_nonce": "0"}
    terms |= {"maker": message(1, legs), "taker": message(2, mirror), "prices": [str(p) for p in prices]}
    return FillAction.model_validate(terms | changed)


def test_outcome_of__straddle__both_sides_hold_both_legs():
    legs = [Leg(CALL, WAD), Leg(PUT, WAD)]
    found = outcome_of(fill(legs, 30 * WAD, (12 * WAD, 18 * WAD), counted=True), ROWS, LEAVES)

    margin = InstrumentMargin(10 * WAD, 11 * WAD, 12 * WAD)
    for state, sign in zip(found.after, (1, -1), strict=True):
        fills = [Fill(i, sign * 3 * WAD, p, 0, margin) for i, p in ((CALL, 12 * WAD), (PUT, 18 * WAD))]
        twin = accounts.traded(Account("0xowner"), fills)
        assert {leg.instrument: leg.quantity for leg in state.legs} == twin.positions
        assert (state.added_im, state.added_mark, state.book_hash) == (
            twin.added_im,
            twin.added_mark,
            twin.book_hash,
        )


def test_outcome_of__single_leg__price_follows():
    with_price = outcome_of(fill([Leg(CALL, 2 * WAD)], 30 * WAD, (15 * WAD,)), ROWS, {})

    assert outcome_of(fill([Leg(CALL, 2 * WAD)], 30 * WAD), ROWS, {}) == with_price


def test_outcome_of__one_party__is_alone():
    found = outcome_of(fill([Leg(CALL, WAD)], WAD, parties=["taker"]), ROWS, {})

    assert [state.account for state in found.after] == [2]


@pytest.mark.parametrize(
    ("legs", "price", "prices", "reason"),
    [
        ([Leg(CALL, WAD), Leg(PUT, WAD)], 30 * WAD, (), "prices of the legs are missing"),
        ([Leg(CALL, WAD), Leg(PUT, WAD)], 30 * WAD, (12 * WAD, 17 * WAD), "prices do not add up"),
        ([Leg(PUT, WAD), Leg(CALL, WAD)], 30 * WAD, (12 * WAD, 18 * WAD), "legs not ascending"),
        ([Leg(CALL, 3 * WAD)], 10 * WAD, (), "price of one unit is not exact"),
    ],
)
def test_outcome_of__what_the_chain_refuses__refused(legs, price, prices, reason):
    with pytest.raises(Refusal, match=reason):
        outcome_of(fill(legs, price, prices), ROWS, {})


def test_outcome_of__counted_without_a_leaf__refused():
    with pytest.raises(Refusal, match="no leaf of this instrument"):
        outcome_of(fill([Leg(CALL, WAD)], WAD, counted=True), ROWS, {})


def test_outcome_of__withdrawal_of_collateral__less_of_it_and_another_hash():
    (state,) = outcome_of(withdrawal(2 * 10**6, "0x" + "AB" * 20), {3: RICH}, {}, LISTINGS).after

    assert state.collateral == (Collateral(2, 1, 1_000, 500, 5 * WAD),)
    twin = accounts.collateral_withdrawn(Account("0xowner", collateral={2: 7 * WAD}), 2, 2 * WAD)
    assert state.book_hash == twin.book_hash


def test_outcome_of__withdrawal_of_cash__the_same_leaf():
    (state,) = outcome_of(withdrawal(10**6, "0x" + "11" * 20), {3: RICH}, {}, LISTINGS).after

    assert (state.book_hash, state.collateral) == (bytes(32), (Collateral(2, 1, 1_000, 500, 7 * WAD),))


def test_outcome_of__more_collateral_than_held__refused():
    with pytest.raises(Refusal, match="holds less of"):
        outcome_of(withdrawal(8 * 10**6), {3: RICH}, {}, LISTINGS)


def test_outcome_of__credit_tier__is_the_accounts():
    rows = {n: replace(row, tier=n) for n, row in ROWS.items()}
    found = outcome_of(fill([Leg(CALL, 2 * WAD)], 30 * WAD), rows, {})

    assert [state.tier for state in found.after] == [1, 2]
