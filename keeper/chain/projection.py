"""What events do to the index. The chain states what holds afterwards; what it does not state, such as the
positions left by a share sold in an auction, follows from what the index holds. The book hash vouches for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from keeper.chain.contracts import AUCTION_HOUSE, CLEARINGHOUSE, COLLATERAL_SALE, INSURANCE_FUND, VAULT
from keeper.clearing import book_hash, share
from keeper.markets.instrument import Instrument, Kind, leg_of
from keeper.store import liquidation_store
from keeper.store.draft import Draft
from keeper.store.index_store import ChangeRow, EventRow, ListingRow
from keeper.units.constants import CHANGE_AUCTION, CHANGE_PURCHASE, CHANGE_SETTLEMENT, WAD


class ProjectionError(ValueError):
    """The event does not follow from what is indexed: it, or one before it, is not the chain's."""


class _Link(NamedTuple):
    """What is folded into a book hash; see `keeper.clearing.book_hash.fold`."""

    kind: int
    instrument: int
    quantity: int
    price: int


def apply(draft: Draft, row: EventRow) -> None:
    """Project one event. Raises ProjectionError when it does not follow from what is indexed."""
    handler = _HANDLERS.get((row.contract, row.name))
    if handler is not None:
        handler(draft, row)


def _opened(draft: Draft, row: EventRow) -> None:
    changes = {name: row.payload[name] for name in ("owner", "underlying", "expiry")}
    draft.put_account(row.block_number, row.payload["account"], changes)


def _owner_changed(draft: Draft, row: EventRow) -> None:
    changes = {"owner": row.payload["owner"]}
    draft.put_account(row.block_number, row.payload["account"], changes)


def _tier_set(draft: Draft, row: EventRow) -> None:
    changes = {"tier": row.payload["tier"]}
    draft.put_account(row.block_number, row.payload["account"], changes)


def _cash_moved(draft: Draft, row: EventRow) -> None:
    changes = {"cash": row.payload["cash"]}
    draft.put_account(row.block_number, row.payload["account"], changes)


def _position_changed(draft: Draft, row: EventRow) -> None:
    """Position and book hash follow; that they are the chain's is checked when a block is observed."""
    p = row.payload
    account, instrument = p["account"], p["instrument"]
    counters = leg_of(p["counters"])  # U and Q share a word as instrument and quantity do
    changes = {"cash": p["cash"], "added_im": counters.instrument, "added_mark": counters.quantity}
    _link(draft, row, account, _Link(p["kind"], instrument, p["quantity"], p["price"]), changes)
    held = draft.positions(account).get(instrument, 0)
    draft.put_position(row.block_number, account, instrument, held + p["quantity"])


def _settled(draft: Draft, row: EventRow) -> None:
    """Every leg named is gone. The book hash takes what they paid as one change; the cash is with funding."""
    p = row.payload
    account = p["account"]
    held = draft.positions(account)
    units = {word >> 128: word & 2**128 - 1 for word in p["words"]}
    _require(units.keys() <= held.keys(), row, account)
    received = sum(held[instrument] * unit // WAD for instrument, unit in units.items())
    latest = Instrument(0, p["until"], 0, Kind.PERP).pack()
    link = _Link(CHANGE_SETTLEMENT, latest, -received, WAD)
    _link(draft, row, account, link, {"cash": p["cash"]}, p["bookHash"])
    for instrument in units:
        draft.put_position(row.block_number, account, instrument, 0)


def _collateral_listed(draft: Draft, row: EventRow) -> None:
    c = row.payload["collateral"]
    listing = ListingRow(
        index=c["index"],
        token=row.payload["token"],
        decimals=c["decimals"],
        underlying=c["underlying"],
        initial_haircut=c["initialHaircut"],
        maintenance_haircut=c["maintenanceHaircut"],
        cap=c["cap"],
    )
    draft.put_listing(row.block_number, listing)


def _collateral_delisted(draft: Draft, row: EventRow) -> None:
    p = row.payload
    listed = draft.listings().get(p["token"].lower())
    if listed is None:
        raise ProjectionError(f"event {row.seq} in block {row.block_number} delists a token not listed")
    draft.put_listing(row.block_number, replace(listed, cap=0, since=p["since"], until=p["until"]))


def _collateral_changed(draft: Draft, row: EventRow) -> None:
    p = row.payload
    listed = draft.listings().get(p["token"].lower())
    account = p["account"]
    if listed is None:
        raise _unfounded(row, account)
    _require(draft.collateral(account).get(listed.index, 0) + p["change"] == p["balance"], row, account)
    _link(draft, row, account, _Link(p["kind"], listed.index, p["change"], 0), {}, p["bookHash"])
    draft.put_collateral(row.block_number, account, listed.index, p["balance"])


def _share_transferred(draft: Draft, row: EventRow) -> None:
    """The collateral of the share has moved before, by events of its own."""
    p = row.payload
    seller, buyer, number = p["seller"], p["buyer"], row.block_number
    legs = share.legs_moved(draft.positions(seller), p["fraction"])
    stated = {leg.instrument: leg.quantity for leg in map(leg_of, p["words"]) if leg.quantity}
    _require(legs == stated, row, seller)
    sold, bought = (
        _Link(CHANGE_AUCTION, 0, -p["fraction"], 0),
        _Link(CHANGE_PURCHASE, 0, p["fraction"], seller),
    )
    _link(draft, row, seller, sold, {"cash": p["sellerCash"]}, p["sellerHash"])
    changes = {"cash": p["buyerCash"], "added_im": p["buyerAddedIM"], "added_mark": p["buyerAddedMark"]}
    _link(draft, row, buyer, bought, changes, p["buyerHash"])
    for instrument, part in legs.items():
        left = draft.positions(seller)[instrument] - part
        draft.put_position(number, seller, instrument, left)
        draft.put_position(number, buyer, instrument, draft.positions(buyer).get(instrument, 0) + part)


def _frozen(draft: Draft, row: EventRow) -> None:
    changes = {"frozen": int(row.payload["frozen"])}
    draft.put_account(row.block_number, row.payload["account"], changes)


def _auction_stated(draft: Draft, row: EventRow) -> None:
    p = row.payload
    changes = {
        "state": liquidation_store.OPEN,
        "epoch": p["epoch"],
        "solvent": int(p["solvent"]),
        "equity": p["equity"],
        "initial_margin": p["initialMargin"],
        "maintenance_margin": p["maintenanceMargin"],
    }
    draft.put_auction(row.block_number, p["account"], changes)


def _auction_ended(draft: Draft, row: EventRow) -> None:
    changes = {"state": liquidation_store.ENDS[row.payload["reason"]]}
    draft.put_auction(row.block_number, row.payload["account"], changes)


def _conversion_started(draft: Draft, row: EventRow) -> None:
    changes = {"state": liquidation_store.OPEN, "settled": row.payload["settled"]}
    draft.put_conversion(row.block_number, row.payload["account"], changes)


def _conversion_ended(draft: Draft, row: EventRow) -> None:
    changes = {"state": "ended"}
    draft.put_conversion(row.block_number, row.payload["account"], changes)


def _covered(draft: Draft, row: EventRow) -> None:
    draft.add_flow(row, "cover", "", row.payload["paid"], 0)


def _staked(draft: Draft, row: EventRow) -> None:
    p = row.payload
    draft.add_flow(row, "deposit", p["owner"], p["assets"], p["shares"])


def _unstaked(draft: Draft, row: EventRow) -> None:
    p = row.payload
    draft.add_flow(row, "withdrawal", p["owner"], p["assets"], p["shares"])


def _link(
    draft: Draft,
    row: EventRow,
    account: int,
    link: _Link,
    changes: Mapping[str, Any],
    stated: str | None = None,
) -> None:
    """The next link of an account's book hash, and what else of the account changes with it. Where the event
    states the hash, it vouches for all that is folded into it."""
    before = draft.book_hash(account)
    if before is None:
        raise _unfounded(row, account)
    after = book_hash.fold(before, *link)
    _require(stated is None or "0x" + after.hex() == stated, row, account)
    draft.add_change(row, account, ChangeRow(*link, after))
    draft.put_account(row.block_number, account, {**changes, "book_hash": "0x" + after.hex()})


def _require(holds: bool, row: EventRow, account: int) -> None:
    if not holds:
        raise _unfounded(row, account)


def _unfounded(row: EventRow, account: int) -> ProjectionError:
    return ProjectionError(
        f"event {row.seq} in block {row.block_number} does not follow from the book of account {account}"
    )


_HANDLERS: Mapping[tuple[str, str], Callable[[Draft, EventRow], Any]] = {
    (CLEARINGHOUSE, "AccountOpened"): _opened,
    (CLEARINGHOUSE, "AccountTransferred"): _owner_changed,
    (CLEARINGHOUSE, "CreditTierSet"): _tier_set,
    (VAULT, "Deposited"): _cash_moved,
    (VAULT, "Withdrawn"): _cash_moved,
    (VAULT, "InterestCharged"): _cash_moved,
    (CLEARINGHOUSE, "PositionChanged"): _position_changed,
    (CLEARINGHOUSE, "AccountSettled"): _settled,
    (VAULT, "CollateralListed"): _collateral_listed,
    (VAULT, "CollateralDelisted"): _collateral_delisted,
    (VAULT, "CollateralChanged"): _collateral_changed,
    (CLEARINGHOUSE, "ShareTransferred"): _share_transferred,
    (CLEARINGHOUSE, "AccountFrozen"): _frozen,
    (AUCTION_HOUSE, "AuctionStarted"): _auction_stated,
    (AUCTION_HOUSE, "AuctionUpdated"): _auction_stated,
    (AUCTION_HOUSE, "AuctionBid"): Draft.add_bid,
    (AUCTION_HOUSE, "AuctionEnded"): _auction_ended,
    (COLLATERAL_SALE, "ConversionStarted"): _conversion_started,
    (COLLATERAL_SALE, "ConversionEnded"): _conversion_ended,
    (INSURANCE_FUND, "DeficitCovered"): _covered,
    (INSURANCE_FUND, "Deposit"): _staked,
    (INSURANCE_FUND, "Withdraw"): _unstaked,
}
