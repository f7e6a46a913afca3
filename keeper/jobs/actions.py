"""Accounts after an action that a report is asked for. Pure: proposer and attesters call it alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.attestation.snapshot import AccountState
from keeper.attestation.typed_data import InstrumentLeaf, Withdrawal
from keeper.clearing.account import Account, Fill, InstrumentMargin, filled
from keeper.exchange import order as orders
from keeper.jobs.observe import account_state
from keeper.markets.instrument import Leg
from keeper.network.schemas import FillAction, OrderMessage, WithdrawalAction
from keeper.network.server import Refusal
from keeper.store.index_store import AccountRow
from keeper.units.constants import WAD


@dataclass(frozen=True)
class Outcome:
    """Struct hash of the action, and every reported account after it, maker first."""

    action: bytes
    after: tuple[AccountState, ...]


def outcome_of(
    action: FillAction | WithdrawalAction,
    accounts: Mapping[int, AccountRow],
    instruments: Mapping[int, InstrumentLeaf],
) -> Outcome:
    """What an action does to the accounts that pass by report.

    Args:
        accounts: as the chain has them now.
        instruments: leaves of the latest epoch, for counted fills.

    Raises:
        Refusal: the action is impossible or names an unknown account.
    """
    if isinstance(action, WithdrawalAction):
        row = _account(accounts, int(action.account))
        withdrawal = Withdrawal(
            row.account, action.token, int(action.amount), action.recipient, int(action.nonce)
        )
        return Outcome(withdrawal.struct_hash(), (account_state(row),))
    return _fill_outcome(action, accounts, instruments)


def order_of(message: OrderMessage) -> orders.Order:
    """The order of a message."""
    return orders.Order(
        account=int(message.account),
        legs=tuple(orders.Leg(int(leg.instrument), int(leg.quantity)) for leg in message.legs),
        units=int(message.units),
        limit=int(message.limit),
        max_fee=int(message.max_fee),
        nonce=int(message.nonce),
        expiry=int(message.expiry),
        taker=message.taker,
        flags=message.flags,
    )


def _fill_outcome(
    action: FillAction, accounts: Mapping[int, AccountRow], instruments: Mapping[int, InstrumentLeaf]
) -> Outcome:
    maker, taker = order_of(action.maker), order_of(action.taker)
    leg, mirror = maker.legs[0], taker.legs[0]
    if (mirror.instrument, mirror.quantity) != (leg.instrument, -leg.quantity):
        raise Refusal("orders do not mirror each other")
    if maker.account == taker.account:
        raise Refusal("both orders are of the same account")
    units, price = int(action.units), int(action.price)
    fill = orders.Fill(maker.struct_hash(), taker.struct_hash(), units, price, int(action.fill_nonce))
    margin = _instrument_margin(leg.instrument, instruments) if action.counted else None
    one = _price_of_one(price, leg.quantity)
    sides = {"maker": (maker.account, leg.quantity * units), "taker": (taker.account, -leg.quantity * units)}
    after = []
    for name in ("maker", "taker"):
        if name in action.parties:
            number, quantity = sides[name]
            side = Fill(leg.instrument, quantity, one, 0, margin)  # fees move cash only, which no leaf states
            after.append(_after(_account(accounts, number), side))
    return Outcome(fill.struct_hash(), tuple(after))


def _after(row: AccountRow, fill: Fill) -> AccountState:
    before = Account(
        owner=row.owner,
        cash=row.cash,
        added_im=row.added_im,
        added_mark=row.added_mark,
        book_hash=row.book_hash,
        positions=dict(row.positions),
    )
    account = filled(before, fill)
    legs = tuple(Leg(i, q) for i, q in sorted(account.positions.items()))
    return AccountState(row.account, legs, account.added_im, account.added_mark, account.book_hash)


def _price_of_one(price: int, leg_quantity: int) -> int:
    if leg_quantity == 0 or price * WAD % leg_quantity:
        raise Refusal("price of one unit is not exact")
    one = price * WAD // leg_quantity
    if one < 0:
        raise Refusal("price and quantity have opposite signs")
    return one


def _instrument_margin(instrument: int, instruments: Mapping[int, InstrumentLeaf]) -> InstrumentMargin:
    leaf = instruments.get(instrument)
    if leaf is None:
        raise Refusal("the latest epoch has no leaf of this instrument")
    return InstrumentMargin(leaf.mark, leaf.im_long, leaf.im_short)


def _account(accounts: Mapping[int, AccountRow], number: int) -> AccountRow:
    if number not in accounts:
        raise Refusal(f"no account {number}")
    return accounts[number]
