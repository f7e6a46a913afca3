"""Whom to flag, which auctions to bring up to date, and what to bid on. Pure; on chain time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.attestation.epoch import EpochStatement
from keeper.chain.liquidation import Auction, Terms, Valuation
from keeper.clearing import book_hash as hashes
from keeper.clearing.share import legs_moved
from keeper.jobs.claims import LeafClaim, claim_of, history_of
from keeper.jobs.health import Prices, verdict_of
from keeper.jobs.offers import Capacity, Offer, fraction_of, offer_of
from keeper.liquidation.claim import ClaimError
from keeper.markets.instrument import Instrument, Kind
from keeper.store.index_store import AccountRow, ChangeRow
from keeper.units.constants import MAX_COLLATERALS, MAX_FILLS_SINCE_LEAF, MAX_LEGS, WAD
from keeper.units.fixed_point import mul_up


@dataclass(frozen=True)
class Situation:
    """All that is decided on, of one block.

    Attributes:
        statement: the latest epoch on the chain.
        rows: every account, by id.
        links: changes of the books that are no longer those of the epoch, in order.
        liquid: cash and funding by account, WAD.
        values: bounds of the books of `candidates`.
        auctions: open ones, by account.
        converting: accounts whose collateral is on sale.
        is_fresh: the oracle's epoch is young enough for new flags.
        bidder: the liquidator's own account; 0: none.
        minimum_return: of the equity, or of the maintenance margin of an insolvent account, WAD.
    """

    statement: EpochStatement
    rows: Mapping[int, AccountRow]
    links: Mapping[int, Sequence[ChangeRow]]
    liquid: Mapping[int, int]
    values: Mapping[int, Valuation]
    prices: Prices
    terms: Terms
    auctions: Mapping[int, Auction]
    converting: frozenset[int]
    now: int
    frozen_after: int
    is_fresh: bool
    bidder: int
    minimum_return: int


@dataclass(frozen=True)
class Bid:
    """At most a fraction of an auction, at no more than `limit` for the whole, WAD; below zero: paid at least
    that.
    """

    account: int
    fraction: int
    limit: int
    offer: Offer

    @property
    def taken(self) -> int:
        """The fraction that it gets now."""
        return min(self.fraction, self.offer.largest)


@dataclass(frozen=True)
class Liquidations:
    """What is due.

    Attributes:
        conversions: accounts whose collateral is to be put on sale.
        below: accounts under their maintenance margin, in auction or not.
    """

    flags: tuple[LeafClaim, ...]
    updates: tuple[LeafClaim, ...]
    bids: tuple[Bid, ...]
    conversions: tuple[int, ...]
    below: tuple[int, ...]


def candidates(situation: Situation) -> list[int]:
    """Accounts whose books must be valued to decide: those that look below their margins before it is known
    how much they can lose, those whose collateral may have to be sold, and the liquidator's own.
    """
    asked = {n for n in situation.rows if _is_below(situation, n, None) or _may_owe(situation, n)}
    return sorted(asked | ({situation.bidder} & set(situation.rows)))


def decide_liquidations(situation: Situation) -> Liquidations:
    """Flag who is below at both spots; update auctions of older epochs, end those of who has recovered; bid
    where the return is enough, the best first.
    """
    below = [n for n in situation.values if _is_below(situation, n, situation.values[n])]
    number, offers = situation.statement.epoch.number, _offers(situation)
    late = [n for n, x in sorted(situation.auctions.items()) if x.epoch < number or not offers[n].largest]
    flags = [n for n in below if n not in situation.auctions and not situation.rows[n].frozen]
    return Liquidations(
        flags=_claims(situation, flags) if situation.is_fresh else (),
        updates=_claims(situation, late),
        bids=_bids(situation, offers),
        conversions=_conversions(situation, below) if situation.is_fresh else (),
        below=tuple(below),
    )


def capacity_of(situation: Situation) -> Capacity | None:
    """What the liquidator's own account can carry by its leaf; None where the leaf no longer holds."""
    row, value = situation.rows.get(situation.bidder), situation.values.get(situation.bidder)
    if row is None or value is None or row.frozen or value.expired:
        return None
    try:
        leaf = situation.statement.margin(row.account)
    except LookupError:
        return None
    fills = hashes.fills_between(hashes.changes(leaf.book_hash), hashes.changes(row.book_hash))
    if fills is None or fills + 1 + MAX_COLLATERALS > MAX_FILLS_SINCE_LEAF:
        return None  # a purchase counts as a fill, and so does each token in it
    added = row.added_im - leaf.added_im
    liquid = situation.liquid[row.account]
    mark = leaf.mark_to_market - leaf.added_mark + row.added_mark
    equity = liquid + situation.prices.collateral(row).initial + mark
    required = leaf.initial_margin + mul_up(leaf.marginal, added)
    return Capacity(
        equity - required, leaf.marginal, leaf.max_added_im - added, settled=liquid + value.linear
    )


def book_after(buyer: AccountRow, seller: AccountRow, fraction: int) -> list[int]:
    """Instruments that a buyer holds after it has bought a fraction of a seller, ascending."""
    book = dict(buyer.positions)
    for instrument, part in legs_moved(dict(seller.positions), fraction).items():
        book[instrument] = book.get(instrument, 0) + part
    return sorted(instrument for instrument, quantity in book.items() if quantity)


def _offers(situation: Situation) -> dict[int, Offer]:
    """What every open auction offers, by account."""
    return {
        number: offer_of(
            number,
            auction,
            situation.terms,
            situation.liquid[number],
            situation.prices.collateral(situation.rows[number]),
            situation.prices.rate,
            situation.now,
            situation.frozen_after,
        )
        for number, auction in situation.auctions.items()
    }


def _bids(situation: Situation, offers: Mapping[int, Offer]) -> tuple[Bid, ...]:
    own = capacity_of(situation) if situation.is_fresh else None
    if own is None:
        return ()
    found = []
    for number, auction in situation.auctions.items():
        is_current = auction.epoch == situation.statement.epoch.number and situation.now < auction.earliest
        if number == situation.bidder or not is_current:
            continue
        offer = offers[number]
        fraction = fraction_of(offer, own, situation.terms.minimum_bid)
        if offer.gain < situation.minimum_return or fraction == 0:
            continue
        bid = Bid(number, fraction, offer.asked, offer)
        book = book_after(situation.rows[situation.bidder], situation.rows[number], bid.taken)
        if len(book) <= MAX_LEGS:
            found.append(bid)
    return tuple(sorted(found, key=lambda bid: (-bid.offer.gain * bid.taken // WAD, bid.account)))


def _is_below(situation: Situation, number: int, value: Valuation | None) -> bool:
    """What cannot be claimed cannot be flagged: not below."""
    row = situation.rows[number]
    if not row.positions or (value is not None and value.expired):
        return False
    try:
        history = history_of(situation.statement, row, situation.links.get(number, ()))
        least = None if value is None else value.least
        return verdict_of(history, row, situation.liquid[number], situation.prices, least).below
    except (ClaimError, LookupError):
        return False


def _may_owe(situation: Situation, number: int) -> bool:
    """Collateral behind cash below zero, or behind perps and futures, which move it."""
    row = situation.rows[number]
    linear = any(Instrument.unpack(i).kind in (Kind.PERP, Kind.FUTURE) for i, _ in row.positions)
    return bool(row.collateral) and (linear or situation.liquid[number] < 0)


def _conversions(situation: Situation, below: Sequence[int]) -> tuple[int, ...]:
    """Accounts whose settled cash is below zero by more than the buffer, at best; an auction sells the
    collateral of those below their margins."""
    return tuple(
        number
        for number, value in situation.values.items()
        if number not in situation.converting
        and number not in below
        and not situation.rows[number].frozen
        and situation.rows[number].collateral
        and situation.liquid[number] + value.linear_high < -situation.terms.buffer
    )


def _claims(situation: Situation, numbers: Sequence[int]) -> tuple[LeafClaim, ...]:
    found = []
    for number in numbers:
        try:
            found.append(
                claim_of(situation.statement, situation.rows[number], situation.links.get(number, ()))
            )
        except (ClaimError, LookupError):
            continue  # the next epoch has a leaf of the book as it is
    return tuple(found)
