"""A fraction of an account in auction moves to a buyer: as the keeper counts it, to the wei."""

from dataclasses import dataclass, replace

import boa
import pytest

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.clearing import account as accounts
from keeper.clearing import share as shares
from keeper.clearing.account import NEVER, Account
from keeper.clearing.share import Share
from keeper.units import constants as c
from tests.support.clearing import (
    CALL,
    EXPIRY,
    FUTURE,
    HEADROOM,
    NO_LIMITS,
    PERP,
    PUT,
    USDC,
    WAD,
    Deal,
    Side,
    auction_house,
    call,
    put,
)
from tests.support.coins import Coin, bring, list_coin, state_of
from tests.support.house import INSTRUMENTS, House, events, words

WORST = Side(c.WAY_WORST_CASE)
FRACTIONS = [WAD, WAD - 1, WAD // 2, WAD // 3, 123_456_789_012_345_678, 1]
ODD = 3 * WAD + 10**10  # a quantity that no small fraction divides


@dataclass
class Sale:
    """A seller in auction, a buyer, and two coins."""

    house: House
    seller: int
    buyer: int
    auctions: str
    coins: tuple[Coin, ...]

    def states(self) -> tuple[Account, Account]:
        """Seller and buyer as the chain has them."""
        return tuple(self.state(account) for account in (self.seller, self.buyer))

    def state(self, account: int) -> Account:
        """With collateral and the frozen bit."""
        state = state_of(self.house, account, *self.coins)
        return replace(state, frozen=self.house.clearing.account(account).frozen)

    def share(self, fraction: int, **changes: int) -> Share:
        """At no price, of a margin, mark and linear value made up."""
        terms = {
            "price": 0,
            "payout": 0,
            "initial_margin": 7 * WAD + 1,
            "mark": 300 * WAD,
            "linear": -40 * WAD,
        }
        return Share(self.seller, self.buyer, fraction, **(terms | {"earliest": EXPIRY} | changes))

    def move(self, share: Share, **changes: object) -> None:
        """As the auction house: the collateral first."""
        sender = changes.get("sender", self.auctions)
        book = changes.get("book", self.house.book(share.seller))
        worth = self.house.vault.transfer_share(
            share.seller, share.buyer, share.fraction, sender=self.auctions
        )
        assert worth == share.collateral
        self.house.clearing.transfer_share(values(share), book, sender=sender)


def values(share: Share) -> tuple[int, ...]:
    """IClearinghouse.Share."""
    return (
        share.seller,
        share.buyer,
        share.fraction,
        share.price,
        share.payout,
        share.collateral,
        share.initial_margin,
        share.mark,
        share.linear,
        share.earliest,
    )


@pytest.fixture
def sale(pair):
    """The seller is long a perp and calls and short puts and a future; the buyer is short a perp."""
    house, owner = pair.house, pair.house.contracts.owner
    buyer, auctions = house.open("buyer", 50_000), auction_house()
    house.clearing.set_auction_house(auctions, sender=owner)
    coins = list_coin(house), list_coin(house, 8)
    bring(house, pair.maker, coins[0], WAD + 1)
    bring(house, pair.maker, coins[1], 12_345_678)
    bring(house, buyer, coins[1], 1)
    legs = Deal(CALL, ODD), Deal(PUT, -ODD), Deal(PERP, WAD, 2_000 * WAD), Deal(FUTURE, -WAD, 2_000 * WAD)
    house.hold(pair.maker, pair.taker, *legs)
    house.hold(buyer, pair.taker, Deal(PERP, -WAD // 2, 2_000 * WAD))
    house.post(house.margin(buyer, mark_to_market=-1_000 * WAD))
    house.refresh(buyer)
    house.clearing.set_frozen(pair.maker, True, sender=auctions)
    return Sale(house, pair.maker, buyer, auctions, coins)


def worth_of(state, fraction):
    """Full value at 2,000 USD of the collateral that moves, each token rounded down."""
    return sum(part * 2_000 for part in shares.collateral_moved(state.collateral, fraction).values())


# What moves


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize(("price", "payout"), [(0, 0), (5_000 * WAD + 1, 0), (0, 777 * WAD + 3)])
def test_transfer_share__fraction__both_sides_as_the_keeper_counts(sale, fraction, price, payout):
    seller, buyer = sale.states()
    share = sale.share(fraction, price=price, payout=payout, collateral=worth_of(seller, fraction))
    linear = sale.house.record(sale.buyer).linear
    expected = shares.sold(seller, share), shares.bought(buyer, seller, share)

    sale.move(share)

    (event,) = events(sale.house.clearing, "ShareTransferred")
    after = sale.states()
    for state, wanted in zip(after, expected, strict=True):
        assert plain(state) == plain(wanted)
    record = sale.house.record(sale.buyer)
    assert (record.linear, record.expiry) == (linear + share.linear // c.PRICE_UNIT * c.PRICE_UNIT, EXPIRY)
    assert sum(state.cash for state in after) == seller.cash + buyer.cash + payout
    assert (event.seller, event.buyer, event.fraction) == (sale.seller, sale.buyer, fraction)
    assert (event.price, event.payout) == (price, payout)
    assert list(event.words) == words(shares.legs_moved(seller.positions, fraction))
    assert (event.sellerCash, event.buyerCash) == (expected[0].cash, expected[1].cash)
    assert (event.buyerAddedIM, event.buyerAddedMark) == (expected[1].added_im, expected[1].added_mark)
    assert (event.sellerHash, event.buyerHash) == (expected[0].book_hash, expected[1].book_hash)
    assert event.seq == sale.house.clearing.totals().seq


def plain(state):
    """What the chain tells of a state."""
    return replace(state, record=accounts.Record(), collateral_exempt={})


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_transfer_share__counts__of_legs_perps_and_tokens_are_kept(sale, fraction):
    seller, _ = sale.states()
    sale.move(sale.share(fraction, collateral=worth_of(seller, fraction)))

    for account, state in zip((sale.seller, sale.buyer), sale.states(), strict=True):
        stored = sale.house.clearing.account(account)
        assert stored.legCount == len(state.positions)
        assert stored.perps == (PERP in state.positions)
        assert stored.tokens == sum(1 << index - 1 for index in state.collateral)
    assert sale.house.clearing.account(sale.seller).frozen
    assert (sale.state(sale.seller).positions == {}) == (fraction == WAD)


def test_transfer_share__leg_too_small_to_divide__stays(sale):
    """Of 1e-8 nothing moves but all."""
    for fraction, moved in ((WAD - 1, 0), (WAD, 10**10)):
        assert shares.quantity_moved(10**10, fraction) == moved
    sale.move(sale.share(3 * 10**9, collateral=worth_of(sale.state(sale.seller), 3 * 10**9)))

    (event,) = events(sale.house.clearing, "ShareTransferred")
    assert [word >> 128 for word in event.words] == []


def test_transfer_share__negative_cash__is_rounded_so_that_the_seller_owes_no_more(sale):
    """Floor: the buyer takes over the wei."""
    house = sale.house
    house.clearing.set_frozen(sale.seller, False, sender=sale.auctions)
    house.hold(sale.seller, house.open("other", 100_000), Deal(PERP, 8 * WAD, 2_000 * WAD, (1, 0)))
    house.clearing.set_frozen(sale.seller, True, sender=sale.auctions)
    seller, buyer = sale.states()
    assert seller.cash < 0
    share = sale.share(WAD // 3, collateral=worth_of(seller, WAD // 3))

    sale.move(share)

    assert sale.state(sale.buyer).cash == buyer.cash - -(seller.cash * share.fraction // WAD)
    assert sale.state(sale.seller).exempt == 0


def test_transfer_share__gain_against_the_mark__is_not_credited(sale):
    """A mark of 20 for 10 beyond the cash and collateral that came along: 10 is credited."""
    seller, buyer = sale.states()
    fraction = WAD // 2
    worth, cash = worth_of(seller, fraction), shares.cash_moved(seller.cash, fraction)

    sale.move(sale.share(fraction, price=cash + worth + 10 * WAD, mark=20 * WAD, collateral=worth))

    assert sale.state(sale.buyer).added_mark == buyer.added_mark + 10 * WAD


def test_transfer_share__buyers_headroom__bounds_the_purchase(sale):
    """A record outlives it: the margin of the share is in U, and to the wei."""
    house = sale.house
    gate, ledger = house.contracts.gate, house.clearing.address
    seller = sale.state(sale.seller)
    worth = worth_of(seller, WAD // 2)
    mark = -1_000 * WAD
    share = sale.share(WAD // 2, price=0, mark=WAD, linear=0, collateral=worth)
    with boa.env.anchor():
        sale.move(share)
        after = sale.state(sale.buyer)
        # the record's mark already has what Q was when it was stated; collateral counts nine tenths
        values = sum(amount * 2_000 * 9 // 10 for amount in after.collateral.values())
        equity = after.cash + mark + min(WAD, -worth - shares.cash_moved(seller.cash, WAD // 2)) + values

    for margin, passes in ((equity, True), (equity + 1, False)):
        with boa.env.anchor():
            sale.move(replace(share, initial_margin=margin))
            if passes:
                gate.require_pass(ledger, bytes(32), 0, sale.buyer, HEADROOM.evidence(), b"")
            else:
                with boa.reverts("gate: below initial margin"):
                    gate.require_pass(ledger, bytes(32), 0, sale.buyer, HEADROOM.evidence(), b"")


def test_transfer_share__seller__needs_a_new_leaf(sale):
    house = sale.house
    house.post(house.margin(sale.seller))

    sale.move(sale.share(1, collateral=worth_of(sale.state(sale.seller), 1)))

    with boa.reverts("gate: book changed otherwise"):
        house.refresh(sale.seller)


# Funding


def test_transfer_share__funding__becomes_cash_on_both_sides_first(sale):
    """Longs have paid 30 per unit since: 30 from the seller's perp, 15 to the buyer's half a unit short."""
    house = sale.house
    funding = boa.env.generate_address("funding")
    house.clearing.set_funding(funding, sender=house.contracts.owner)
    house.clearing.set_funding_rate(1, 3 * WAD // 100, sender=funding)
    boa.env.evm.patch.timestamp += 1_000
    assert house.clearing.funding_index(1) == 30 * WAD
    seller, buyer = sale.states()
    paid = replace(seller, cash=seller.cash - 30 * WAD), replace(buyer, cash=buyer.cash + 15 * WAD)
    fraction = WAD // 2
    share = sale.share(fraction, collateral=worth_of(seller, fraction))

    sale.move(share)

    assert sale.state(sale.seller).cash == shares.sold(paid[0], share).cash
    assert sale.state(sale.buyer).cash == shares.bought(paid[1], paid[0], share).cash
    position = house.clearing.position(sale.seller, PERP)
    assert tuple(position) == (WAD // 2, 30 * WAD)
    assert tuple(house.clearing.position(sale.buyer, PERP)) == (0, 0)
    standing = house.clearing.standing(sale.seller, False)
    assert standing.liquid == house.clearing.account(sale.seller).cash


# Who may, and what it needs


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"buyer": 1}, "clearing: same account"),
        ({"seller": 2}, "clearing: not in auction"),
        ({"buyer": 99}, "clearing: no such account"),
    ],
)
def test_transfer_share__bad_accounts__revert(sale, changes, reason):
    share = replace(sale.share(WAD), **changes)

    with boa.reverts(reason):
        sale.house.clearing.transfer_share(values(share), [], sender=sale.auctions)


def test_transfer_share__buyer_in_auction__reverts(sale):
    sale.house.clearing.set_frozen(sale.buyer, True, sender=sale.auctions)

    with boa.reverts("clearing: in auction"):
        sale.house.clearing.transfer_share(values(sale.share(WAD)), [], sender=sale.auctions)


def test_transfer_share__anyone_else__reverts(sale):
    for sender in (sale.house.owners[sale.buyer], sale.house.contracts.owner, sale.house.contracts.module):
        with boa.reverts("clearing: not the auction house"):
            sale.house.clearing.transfer_share(values(sale.share(WAD)), [], sender=sender)
        with boa.reverts("vault: not the auction house"):
            sale.house.vault.transfer_share(sale.seller, sale.buyer, WAD, sender=sender)


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        ([], "book incomplete"),
        ([PERP], "book incomplete"),
        ([CALL, PERP, PUT, FUTURE], "book not ascending"),
        (sorted([CALL, PERP, PUT, call(990)]), "leg not held"),
    ],
)
def test_transfer_share__not_the_whole_book__reverts(sale, book, reason):
    with boa.reverts(f"positions: {reason}"):
        sale.house.clearing.transfer_share(values(sale.share(WAD)), book, sender=sale.auctions)


def test_transfer_share__key_beyond_an_instrument__reverts(sale):
    """It would name a leg of another account, or one of the seller's a second time."""
    assert sale.seller & 1  # so the bit above the instrument names the seller's own leg
    *others, last = sorted([CALL, PERP, PUT, FUTURE])
    beyond = last | 1 << 128
    sale.house.clearing.eval(f"positions._positions[{sale.buyer << 128 | beyond}] = {WAD}")
    with boa.reverts("positions: no instrument"):
        sale.house.clearing.transfer_share(values(sale.share(WAD)), [*others, beyond], sender=sale.auctions)


def test_transfer_share__buyer_beyond_the_largest_position__reverts(sale):
    house, quantity = sale.house, 2**96 // 10**10 * 10**10
    house.clearing.eval(f"positions._positions[{sale.buyer << 128 | CALL}] = {quantity}")
    book = house.book(sale.seller)
    with boa.reverts("clearing: position too large"):
        house.clearing.transfer_share(values(sale.share(WAD)), book, sender=sale.auctions)


def test_transfer_share__collateral_beyond_everything__reverts(sale):
    with boa.reverts("vault: more than everything"):
        sale.house.vault.transfer_share(sale.seller, sale.buyer, WAD + 1, sender=sale.auctions)


def test_transfer_share__without_collateral__is_worth_nothing(sale):
    assert sale.house.vault.transfer_share(sale.seller, sale.buyer, WAD, sender=sale.auctions) > 0
    assert sale.house.vault.transfer_share(sale.seller, sale.buyer, WAD, sender=sale.auctions) == 0


# In auction


def test_frozen__only_deposits_and_settlement__until_it_ends(sale):
    house, account = sale.house, sale.seller
    deal = Deal(PERP, -WAD // 2, 2_000 * WAD)
    (event,) = _frozen(sale, True)
    assert (event.account, event.frozen, event.seq) == (account, True, house.clearing.totals().seq)
    house.deposit(account, USDC)
    house.post()
    bring(house, account, sale.coins[0], 1)

    for way in (Side(c.WAY_REDUCE_AT_MARK), WORST, HEADROOM):
        with boa.reverts("clearing: in auction"):
            house.trade(deal, account, sale.buyer, way, WORST)
        with boa.reverts("clearing: in auction"):
            house.trade(deal, sale.buyer, account, WORST, way)
    with boa.reverts("clearing: in auction"):
        house.withdraw(account, 1, WORST)
    with boa.reverts("clearing: in auction"):
        house.vault.withdraw(
            account,
            sale.coins[0].address,
            1,
            house.owners[account],
            WORST.evidence(),
            b"",
            sender=house.owners[account],
        )
    boa.env.evm.patch.timestamp = EXPIRY + c.SETTLEMENT_FALLBACK + 1
    house.contracts.oracle.finalize_settlement(1, EXPIRY)
    house.clearing.settle(account, house.book(account))
    assert house.book(account) == [PERP]

    (event,) = _frozen(sale, False)
    assert not event.frozen
    house.trade(deal, account, sale.buyer, Side(c.WAY_REDUCE_AT_MARK), Side(c.WAY_REDUCE_AT_MARK))


def _frozen(sale, is_frozen):
    sale.house.clearing.set_frozen(sale.seller, is_frozen, sender=sale.auctions)
    return events(sale.house.clearing, "AccountFrozen")


# The largest book

STRIKES = range(1_000, 1_000 + 50 * 64, 50)
BOOK = sorted([call(k) for k in STRIKES] + [put(k) for k in STRIKES])


@pytest.fixture
def largest(pair):
    """The seller is long a little of every option, and in auction."""
    house, module = pair.house, pair.house.contracts.module
    auctions, buyer = auction_house(), house.open("buyer", 10_000)
    house.clearing.set_auction_house(auctions, sender=house.contracts.owner)
    house.known |= set(BOOK)
    leaves = [InstrumentLeaf(i, WAD, 0, 0, 0, 0) for i in BOOK]
    house.deposit(pair.maker, 10**12)
    for start in range(0, c.MAX_LEGS, 64):
        middle = [_middle(house, account) for account in (pair.maker, pair.taker)]
        stated = [
            house.margin(n, mark_to_market=m) for n, m in zip((pair.maker, pair.taker), middle, strict=True)
        ]
        house.post(*stated, instruments=[*INSTRUMENTS, *leaves])
        house.refresh(pair.maker)
        house.refresh(pair.taker)
        for first in range(start, start + 64, c.MAX_ORDER_LEGS):
            legs = BOOK[first : first + c.MAX_ORDER_LEGS]
            fills = [(i, WAD // 10, WAD, WAD, NO_LIMITS) for i in legs]
            owners = house.owners[pair.maker], house.owners[pair.taker]
            values = (pair.maker, pair.taker, fills, 0, 0, *owners, bytes(32))
            shown = house.statement(instruments=legs)
            side = HEADROOM.evidence()
            house.clearing.trade(values, side, side, shown, sender=module)
    house.clearing.set_frozen(pair.maker, True, sender=auctions)
    return Sale(house, pair.maker, buyer, auctions, ())


def _middle(house, account):
    bounds = house.value(house.state(account))
    return (bounds.low + bounds.high) // 2


def test_transfer_share__largest_book__moves_in_one_transaction(largest):
    house, half = largest.house, largest.share(WAD // 2, earliest=NEVER)

    largest.move(half)
    assert house.clearing._computation.get_gas_used() < 15_000_000
    counts = [house.clearing.account(account).legCount for account in (largest.seller, largest.buyer)]
    assert counts == [c.MAX_LEGS, c.MAX_LEGS]

    largest.move(largest.share(WAD))
    assert house.clearing.account(largest.seller).legCount == 0
    assert largest.state(largest.buyer).positions == dict.fromkeys(BOOK, WAD // 10)


def test_transfer_share__more_legs_than_an_account_may_have__reverts(largest):
    """The buyer holds one leg that the seller has not."""
    house = largest.house
    house.hold(largest.buyer, house.open("other", 100_000), Deal(call(990), WAD // 10, WAD, counted=False))

    for fraction in (WAD, WAD // 2):
        with boa.reverts("clearing: too many legs"):
            largest.move(largest.share(fraction))
