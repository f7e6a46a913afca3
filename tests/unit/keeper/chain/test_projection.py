"""What events do to the index, against the accounting twin; and events that do not follow."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keeper.chain import projection
from keeper.chain.contracts import AUCTION_HOUSE, CLEARINGHOUSE, COLLATERAL_SALE, INSURANCE_FUND, VAULT
from keeper.clearing import account as accounts
from keeper.clearing import book_hash as hashes
from keeper.clearing import share as shares
from keeper.clearing.account import Account, Fill, InstrumentMargin
from keeper.clearing.share import Share
from keeper.markets.instrument import Instrument, Kind, word
from keeper.store import index_store, liquidation_store, versions
from keeper.store.database import Database
from keeper.store.draft import Draft, accounts_of
from keeper.store.index_store import BlockRow, EventRow
from keeper.units.constants import (
    CHANGE_AUCTION,
    CHANGE_COLLATERAL,
    CHANGE_CONVERSION,
    CHANGE_FILL,
    CHANGE_PURCHASE,
    CHANGE_SETTLEMENT,
    CHANGE_UNCOUNTED_FILL,
    WAD,
)
from tests.support import postgres

EXPIRY = 1_743_552_000
CALL = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.CALL).pack()
PUT = Instrument(1, EXPIRY, 3_000 * 10**8, Kind.PUT).pack()
WETH = "0x" + "Ab" * 20
TERMS = {"index": 1, "decimals": 18, "underlying": 2}
TERMS |= {"initialHaircut": 1_000, "maintenanceHaircut": 500, "cap": 10**24}
SELLER = Account("0xseller", cash=-5 * WAD, positions={CALL: -3 * WAD, PUT: 2 * WAD}, collateral={1: 7 * WAD})
MARGINS = {"epoch": 3, "solvent": True, "equity": 5, "initialMargin": 9, "maintenanceMargin": 7}


class Chain:
    """Events one after the other, a block each."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.number = 0

    def emit(self, contract: str, name: str, **payload: Any) -> None:
        self.number += 1
        row = EventRow(self.number, 0, contract, self.number, name, "0x", payload | {"seq": self.number})
        with self.database.begin() as connection:
            draft = Draft(connection, ())
            draft.load(connection, accounts_of(row))
            draft.add_block(BlockRow(self.number, f"0x{self.number}", "0x", 0))
            projection.apply(draft, row)
            draft.flush(connection)

    def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self.database.begin() as connection:
            return function(connection, *arguments)

    def open(self, number: int, account: Account) -> Account:
        """Emit what makes an account `account`; returns it with its book hash."""
        scope = {"underlying": 0, "expiry": 0}
        self.emit(CLEARINGHOUSE, "AccountOpened", account=number, owner=account.owner, **scope)
        built = Account(account.owner)
        for instrument, quantity in account.positions.items():
            built = accounts.filled(built, Fill(instrument, quantity, 0, 0, None))
            self.emit(CLEARINGHOUSE, "PositionChanged", **filled(number, built, instrument, quantity))
        for token, amount in account.collateral.items():
            built = accounts.collateral_deposited(built, token, amount)
            self.emit(VAULT, "CollateralChanged", **collateral(number, built, amount))
        self.emit(VAULT, "Deposited", account=number, cash=account.cash)
        return replace(built, cash=account.cash)


def filled(number: int, after: Account, instrument: int, quantity: int, price: int = 0) -> dict[str, Any]:
    return {
        "account": number,
        "instrument": instrument,
        "kind": CHANGE_UNCOUNTED_FILL,
        "quantity": quantity,
        "price": price,
        "fee": 0,
        "cash": after.cash,
        "counters": word(after.added_im, after.added_mark),
    }


def settled(number: int, payoffs: dict[int, int], cash: int, hashed: bytes) -> dict[str, Any]:
    return {
        "account": number,
        "words": [word(i, payoffs[i]) for i in sorted(payoffs)],
        "until": EXPIRY,
        "cash": cash,
        "bookHash": "0x" + hashed.hex(),
    }


def collateral(number: int, after: Account, change: int, kind: int = CHANGE_COLLATERAL) -> dict[str, Any]:
    return {
        "account": number,
        "token": WETH.lower(),
        "kind": kind,
        "change": change,
        "balance": after.collateral.get(1, 0),
        "bookHash": "0x" + after.book_hash.hex(),
    }


def sale(fraction: int) -> Share:
    return Share(1, 2, fraction, price=30 * WAD, payout=0, initial_margin=9, mark=-8, linear=0, earliest=0)


def move_collateral(chain: Chain, seller: Account, buyer: Account, fraction: int) -> None:
    """The events of the collateral in a share, which come first."""
    for token, part in shares.collateral_moved(seller.collateral, fraction).items():
        for number, before, kind, sign in ((1, seller, CHANGE_AUCTION, -1), (2, buyer, CHANGE_PURCHASE, 1)):
            balance = before.collateral.get(token, 0) + sign * part
            hashed = hashes.fold(before.book_hash, kind, token, sign * part, 0)
            after = replace(before, collateral={token: balance} if balance else {}, book_hash=hashed)
            chain.emit(VAULT, "CollateralChanged", **collateral(number, after, sign * part, kind))


def transfer(seller: Account, buyer: Account, sold: Share) -> dict[str, Any]:
    left, taken = shares.sold(seller, sold), shares.bought(buyer, seller, sold)
    parts = shares.legs_moved(seller.positions, sold.fraction)
    return {
        "seller": sold.seller,
        "buyer": sold.buyer,
        "fraction": sold.fraction,
        "price": sold.price,
        "payout": sold.payout,
        "words": [word(i, parts.get(i, 0)) for i in sorted(seller.positions)],
        "sellerCash": left.cash,
        "buyerCash": taken.cash,
        "buyerAddedIM": taken.added_im,
        "buyerAddedMark": taken.added_mark,
        "sellerHash": "0x" + left.book_hash.hex(),
        "buyerHash": "0x" + taken.book_hash.hex(),
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Chain:
    is_server = request.param == "postgresql"
    found = Chain(Database(postgres.server().create() if is_server else f"sqlite:///{tmp_path}/index.sqlite"))
    found.emit(VAULT, "CollateralListed", token=WETH, collateral=TERMS)
    return found


@pytest.mark.parametrize("fraction", [WAD, WAD // 3, 1])
def test_share_transferred__any_fraction__both_sides_as_the_twin_has_them(
    chain: Chain, fraction: int
) -> None:
    seller = chain.open(1, SELLER)
    buyer = chain.open(2, Account("0xbuyer", cash=100 * WAD, positions={CALL: WAD}))
    move_collateral(chain, seller, buyer, fraction)
    chain.emit(CLEARINGHOUSE, "ShareTransferred", **transfer(seller, buyer, sale(fraction)))

    rows = chain.read(index_store.accounts_at, chain.number)
    expected = shares.sold(seller, sale(fraction)), shares.bought(buyer, seller, sale(fraction))
    for row, twin in zip(rows, expected, strict=True):
        assert dict(row.positions) == twin.positions
        assert dict(row.collateral) == twin.collateral
        assert (row.cash, row.added_im, row.added_mark) == (twin.cash, twin.added_im, twin.added_mark)
        assert row.book_hash == twin.book_hash
    last = [chain.read(index_store.changes_of, number, chain.number)[-1] for number in (1, 2)]
    assert [(x.kind, x.quantity, x.price) for x in last] == [
        (CHANGE_AUCTION, -fraction, 0),
        (CHANGE_PURCHASE, fraction, 1),
    ]


@pytest.mark.parametrize("field", ["words", "sellerHash", "buyerHash"])
def test_share_transferred__changed_on_the_way__refused(chain: Chain, field: str) -> None:
    seller, buyer = chain.open(1, SELLER), chain.open(2, Account("0xbuyer"))
    move_collateral(chain, seller, buyer, WAD // 2)
    told = transfer(seller, buyer, sale(WAD // 2))
    told[field] = told[field][1:] if field == "words" else "0x" + "11" * 32

    with pytest.raises(projection.ProjectionError, match="does not follow from the book of account"):
        chain.emit(CLEARINGHOUSE, "ShareTransferred", **told)


def test_collateral_changed__in_and_sold__balance_and_links(chain: Chain) -> None:
    inside = chain.open(1, Account("0xowner", collateral={1: 7 * WAD}))
    after = accounts.collateral_converted(inside, 1, 3 * WAD)
    chain.emit(VAULT, "CollateralChanged", **collateral(1, after, -3 * WAD, CHANGE_CONVERSION))

    (row,) = chain.read(index_store.accounts_at, chain.number)
    assert (row.collateral, row.book_hash) == (((1, 4 * WAD),), after.book_hash)
    links = chain.read(index_store.changes_of, 1, chain.number)
    assert [(x.kind, x.instrument, x.quantity) for x in links] == [
        (CHANGE_COLLATERAL, 1, 7 * WAD),
        (CHANGE_CONVERSION, 1, -3 * WAD),
    ]


@pytest.mark.parametrize("field", ["change", "balance", "kind"])
def test_collateral_changed__changed_on_the_way__refused(chain: Chain, field: str) -> None:
    inside = chain.open(1, Account("0xowner", collateral={1: 7 * WAD}))
    told = collateral(1, accounts.collateral_deposited(inside, 1, WAD), WAD)

    with pytest.raises(projection.ProjectionError):
        chain.emit(VAULT, "CollateralChanged", **(told | {field: told[field] + 1}))


def test_collateral_changed__unlisted_token__refused(chain: Chain) -> None:
    inside = chain.open(1, Account("0xowner"))
    told = collateral(1, accounts.collateral_deposited(inside, 1, WAD), WAD) | {"token": "0x" + "cd" * 20}

    with pytest.raises(projection.ProjectionError):
        chain.emit(VAULT, "CollateralChanged", **told)


def test_changes_of__trades__fold_to_the_hash(chain: Chain) -> None:
    built = chain.open(1, SELLER)
    folded = hashes.EMPTY
    for link in chain.read(index_store.changes_of, 1, chain.number):
        folded = hashes.fold(folded, link.kind, link.instrument, link.quantity, link.price)
        assert link.book_hash == folded
    assert folded == built.book_hash


def test_position_changed__counted_fill__counters_cash_and_position(chain: Chain) -> None:
    before = chain.open(1, SELLER)
    margin = InstrumentMargin(10 * WAD, 4 * WAD, 5 * WAD)
    after = accounts.filled(before, Fill(CALL, WAD, 12 * WAD, 0, margin))
    told = filled(1, after, CALL, WAD, 12 * WAD) | {"kind": CHANGE_FILL}
    chain.emit(CLEARINGHOUSE, "PositionChanged", **told)

    (row,) = chain.read(index_store.accounts_at, chain.number)
    assert dict(row.positions) == {CALL: -2 * WAD, PUT: 2 * WAD}
    assert (row.cash, row.added_im, row.added_mark) == (-17 * WAD, 4 * WAD, after.added_mark)
    assert row.book_hash == after.book_hash


def test_account_settled__one_leg_of_two__gone_and_one_link(chain: Chain) -> None:
    before = chain.open(1, SELLER)
    received = -3 * WAD * 100  # of the calls
    latest = Instrument(0, EXPIRY, 0, Kind.PERP).pack()
    hashed = hashes.fold(before.book_hash, CHANGE_SETTLEMENT, latest, -received, WAD)
    chain.emit(
        CLEARINGHOUSE, "AccountSettled", **settled(1, {CALL: 100 * WAD}, before.cash + received, hashed)
    )

    (row,) = chain.read(index_store.accounts_at, chain.number)
    assert (dict(row.positions), row.cash, row.book_hash) == (
        {PUT: 2 * WAD},
        before.cash + received,
        hashed,
    )
    link = chain.read(index_store.changes_of, 1, chain.number)[-1]
    assert (link.kind, link.instrument, link.quantity, link.price) == (
        CHANGE_SETTLEMENT,
        latest,
        -received,
        WAD,
    )


@pytest.mark.parametrize("field", ["words", "unit", "until", "bookHash"])
def test_account_settled__changed_on_the_way__refused(chain: Chain, field: str) -> None:
    before = chain.open(1, replace(SELLER, positions={CALL: -3 * WAD}))
    received = -3 * WAD * 100
    latest = Instrument(0, EXPIRY, 0, Kind.PERP).pack()
    hashed = hashes.fold(before.book_hash, CHANGE_SETTLEMENT, latest, -received, WAD)
    told = settled(1, {CALL: 100 * WAD}, before.cash + received, hashed)
    changed = {
        "words": {"words": [word(PUT, 0)]},
        "unit": {"words": [word(CALL, 99 * WAD)]},
        "until": {"until": EXPIRY - 300},
        "bookHash": {"bookHash": "0x11"},
    }

    with pytest.raises(projection.ProjectionError):
        chain.emit(CLEARINGHOUSE, "AccountSettled", **(told | changed[field]))


def test_account_transferred__and_tier_set__past_blocks_keep_theirs(chain: Chain) -> None:
    chain.emit(CLEARINGHOUSE, "AccountOpened", account=1, owner="0xa", underlying=2, expiry=EXPIRY)
    opened = chain.number
    chain.emit(CLEARINGHOUSE, "AccountTransferred", account=1, previousOwner="0xa", owner="0xb")
    chain.emit(CLEARINGHOUSE, "CreditTierSet", account=1, tier=3)

    (then,) = chain.read(index_store.accounts_at, opened)
    (now,) = chain.read(index_store.accounts_at, chain.number)
    assert (then.owner, then.tier, then.underlying, then.expiry) == ("0xa", 0, 2, EXPIRY)
    assert (now.owner, now.tier, now.underlying, now.expiry) == ("0xb", 3, 2, EXPIRY)


def test_listings_at__terms_changed__past_blocks_keep_theirs(chain: Chain) -> None:
    chain.emit(VAULT, "CollateralListed", token=WETH, collateral=TERMS | {"initialHaircut": 2_000})

    assert [x.initial_haircut for x in chain.read(index_store.listings_at, 1)] == [1_000]
    assert [x.initial_haircut for x in chain.read(index_store.listings_at, 2)] == [2_000]


def test_auction__start_to_end__open_between(chain: Chain) -> None:
    chain.emit(AUCTION_HOUSE, "AuctionStarted", account=4, **MARGINS)
    chain.emit(AUCTION_HOUSE, "AuctionUpdated", account=4, **(MARGINS | {"epoch": 5, "solvent": False}))
    bid = {"account": 4, "bidder": 2, "solvent": False, "fraction": WAD, "discounted": 0}
    chain.emit(AUCTION_HOUSE, "AuctionBid", **bid, price=0, payout=12)
    chain.emit(AUCTION_HOUSE, "AuctionEnded", account=4, reason=2)

    assert [x.epoch for x in chain.read(liquidation_store.open_auctions, 2)] == [3]
    (updated,) = chain.read(liquidation_store.open_auctions, 4)
    assert (updated.epoch, updated.solvent, updated.initial_margin) == (5, False, 9)
    assert chain.read(liquidation_store.open_auctions, 5) == []
    assert [(x.account, x.bidder, x.payout) for x in chain.read(liquidation_store.bids, 5)] == [(4, 2, 12)]
    assert chain.read(liquidation_store.bids, 5, 3) == []


def test_roll_back__auction_frozen_account_and_flows__as_before(chain: Chain) -> None:
    chain.emit(CLEARINGHOUSE, "AccountOpened", account=1, owner="0xowner", underlying=0, expiry=0)
    chain.emit(AUCTION_HOUSE, "AuctionStarted", account=1, **MARGINS)
    before = chain.number
    chain.emit(CLEARINGHOUSE, "AccountFrozen", account=1, frozen=True)
    chain.emit(COLLATERAL_SALE, "ConversionStarted", account=1, settled=-5)
    chain.emit(AUCTION_HOUSE, "AuctionEnded", account=1, reason=1)
    chain.emit(INSURANCE_FUND, "DeficitCovered", asked=9, paid=8)
    chain.emit(INSURANCE_FUND, "Deposit", sender="0xa", owner="0xb", assets=100, shares=99)
    assert chain.read(index_store.accounts_at, chain.number)[0].frozen
    assert chain.read(liquidation_store.open_conversions, chain.number) == [1]
    assert [(x.kind, x.assets) for x in chain.read(liquidation_store.flows, chain.number)] == [
        ("cover", 8),
        ("deposit", 100),
    ]
    chain.read(versions.roll_back, before)

    assert not chain.read(index_store.accounts_at, chain.number)[0].frozen
    assert chain.read(liquidation_store.open_conversions, chain.number) == []
    assert [x.account for x in chain.read(liquidation_store.open_auctions, chain.number)] == [1]
    assert chain.read(liquidation_store.flows, chain.number) == []


def test_conversion__ended__is_not_open(chain: Chain) -> None:
    chain.emit(COLLATERAL_SALE, "ConversionStarted", account=1, settled=-5)
    chain.emit(COLLATERAL_SALE, "ConversionEnded", account=1)

    assert chain.read(liquidation_store.open_conversions, 2) == [1]
    assert chain.read(liquidation_store.open_conversions, 3) == []
