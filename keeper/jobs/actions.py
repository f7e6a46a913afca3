"""Accounts after an action that a report is asked for. Pure: proposer and attesters call it alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.attestation.snapshot import AccountState
from keeper.attestation.typed_data import InstrumentLeaf, Withdrawal
from keeper.clearing.account import Account, Fill, InstrumentMargin, collateral_withdrawn, traded
from keeper.exchange import order as orders
from keeper.jobs.states import account_state, collateral_of
from keeper.markets.instrument import Leg
from keeper.network.schemas import FillAction, OrderMessage, WithdrawalAction
from keeper.network.server import Refusal
from keeper.store.index_store import AccountRow, ListingRow
from keeper.units.constants import WAD


@dataclass(frozen=True)
class Outcome:
    """Struct hash of the action, every reported account after it, maker first, and what was traded."""

    action: bytes
    after: tuple[AccountState, ...]
    legs: tuple[orders.LegFill, ...] = ()


def outcome_of(
    action: FillAction | WithdrawalAction,
    accounts: Mapping[int, AccountRow],
    instruments: Mapping[int, InstrumentLeaf],
    listings: Sequence[ListingRow] = (),
) -> Outcome:
    """What an action does to the accounts that pass by report.

    Args:
        accounts: as the chain has them now.
        instruments: leaves of the latest epoch, for counted fills.
        listings: terms of the collateral tokens now.

    Raises:
        Refusal: the action is impossible or names an unknown account.
    """
    if isinstance(action, WithdrawalAction):
        row = _account(accounts, int(action.account))
        withdrawal = Withdrawal(
            row.account, action.token, int(action.amount), action.recipient, int(action.nonce)
        )
        return Outcome(withdrawal.struct_hash(), (_withdrawn(row, withdrawal, listings),))
    return _fill_outcome(action, accounts, instruments, listings)


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
        matcher=message.matcher,
        flags=message.flags,
    )


def _withdrawn(row: AccountRow, withdrawal: Withdrawal, listings: Sequence[ListingRow]) -> AccountState:
    """A withdrawal of cash moves nothing that a leaf states; one of collateral does."""
    for listing in listings:
        if listing.token == withdrawal.token.lower():
            amount = withdrawal.amount * int(10 ** (18 - listing.decimals))
            if amount > dict(row.collateral).get(listing.index, 0):
                raise Refusal(f"account {row.account} holds less of {withdrawal.token}")
            after = collateral_withdrawn(account_of(row), listing.index, amount)
            return _state(row, after, listings)
    return account_state(row, listings)


def _fill_outcome(
    action: FillAction,
    accounts: Mapping[int, AccountRow],
    instruments: Mapping[int, InstrumentLeaf],
    listings: Sequence[ListingRow],
) -> Outcome:
    maker, taker = order_of(action.maker), order_of(action.taker)
    if maker.account == taker.account:
        raise Refusal("both orders are of the same account")
    units, price = int(action.units), int(action.price)
    prices = [int(one) for one in action.prices] or [_price_of_one(price, maker.legs)]
    try:
        orders.require_mirrored(maker.legs, taker.legs)
        legs = orders.fills_of(maker.legs, units, price, prices)
    except ValueError as error:
        raise Refusal(str(error)) from error
    fill = orders.Fill(maker.struct_hash(), taker.struct_hash(), units, price, int(action.fill_nonce))
    sides = {"maker": (maker.account, 1), "taker": (taker.account, -1)}
    after = []
    for name in ("maker", "taker"):
        if name in action.parties:
            number, sign = sides[name]
            fills = [_side(leg, sign, instruments if action.counted else None) for leg in legs]
            row = _account(accounts, number)
            after.append(_state(row, traded(account_of(row), fills), listings))
    return Outcome(fill.struct_hash(), tuple(after), tuple(legs))


def _side(leg: orders.LegFill, sign: int, instruments: Mapping[int, InstrumentLeaf] | None) -> Fill:
    """One leg of one side; fees move cash only, which no leaf states."""
    margin = None if instruments is None else _instrument_margin(leg.instrument, instruments)
    return Fill(leg.instrument, sign * leg.quantity, leg.price, 0, margin)


def _state(row: AccountRow, account: Account, listings: Sequence[ListingRow]) -> AccountState:
    """The account of an indexed row as an action leaves it."""
    legs = tuple(Leg(i, q) for i, q in sorted(account.positions.items()))
    held = collateral_of(account.collateral, listings)
    return AccountState(
        row.account, legs, account.added_im, account.added_mark, account.book_hash, row.tier, collateral=held
    )


def account_of(row: AccountRow) -> Account:
    """An indexed account as the accounting twin holds it."""
    return Account(
        owner=row.owner,
        cash=row.cash,
        added_im=row.added_im,
        added_mark=row.added_mark,
        book_hash=row.book_hash,
        positions=dict(row.positions),
        collateral=dict(row.collateral),
        frozen=row.frozen,
    )


def _price_of_one(price: int, legs: Sequence[orders.Leg]) -> int:
    """Of an order's only leg."""
    if len(legs) != 1:
        raise Refusal("prices of the legs are missing")
    quantity = legs[0].quantity
    if quantity == 0 or price * WAD % quantity:
        raise Refusal("price of one unit is not exact")
    return price * WAD // quantity


def _instrument_margin(instrument: int, instruments: Mapping[int, InstrumentLeaf]) -> InstrumentMargin:
    leaf = instruments.get(instrument)
    if leaf is None:
        raise Refusal("the latest epoch has no leaf of this instrument")
    return InstrumentMargin(leaf.mark, leaf.im_long, leaf.im_short)


def _account(accounts: Mapping[int, AccountRow], number: int) -> AccountRow:
    if number not in accounts:
        raise Refusal(f"no account {number}")
    return accounts[number]
