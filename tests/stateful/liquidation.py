"""Auctions on chain and in the model, side by side: flags, updates, bids."""

from dataclasses import replace

from keeper.clearing import share as shares
from keeper.clearing import shortfall
from keeper.clearing.account import Account
from keeper.clearing.collateral import value_of
from keeper.clearing.share import Share
from keeper.liquidation import auction_price as prices
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import ClaimError
from keeper.units.constants import SCOPE_TRADE
from keeper.units.fixed_point import mul_up, signed_mul_down
from tests.stateful import invariants_auction as at_bid
from tests.stateful.auctions import Auction, Bid, Offer
from tests.stateful.claims import Claim, Examined, claim_on, encoded, examine
from tests.stateful.deployment import FROZEN_AFTER, LISTINGS, TERMS
from tests.stateful.orders import WAY_NAMES, WORST_CASE
from tests.stateful.prediction import Verdict
from tests.stateful.protocol import Protocol
from tests.stateful.truth import health, is_weak

WAD = 10**18
START, FLOOR, DURATION, BONUS, BONUS_DURATION, MINIMUM_BID, DUST = TERMS[:7]
RECOVERED = "update ends an auction"


class Liquidation:
    """The auction house beside its model."""

    def __init__(self, protocol: Protocol) -> None:
        self.p = protocol
        self.house = protocol.world.contracts.house
        self.auctions: dict[int, Auction] = {}
        self.deficits: dict[int, int] = {}

    # Flags

    def flag(self, number: int, way: int) -> str:
        """Reason of the refusal, or empty."""
        claim = claim_on(self.p, number, way)
        if not claim.fits:
            return "too many changes"
        refusal = self._flag_refusal(claim)
        reason = self.house.attempt("flag", number, encoded(self.p, claim))
        if not self.p.as_predicted(f"flag by {WAY_NAMES[way]}", refusal, reason):
            return str(reason)
        at_bid.only_accounts_below_maintenance_margin_are_flagged(self.p, number, claim.views)
        self.p.summary["flag after changes"] += bool(claim.changes)
        examined = examine(self.p, claim)
        self.auctions[number] = self._auction(examined)
        self.p.ledger.freeze(number, True)
        self._note_deficit(number, max(0, -examined.verdict.worth))
        return ""

    def update(self, number: int, way: int) -> str:
        """Reason of the refusal, or empty."""
        claim, last = claim_on(self.p, number, way), self.auctions[number]
        if not claim.fits:
            return "too many changes"
        try:
            examined, refusal = examine(self.p, claim), None
        except ClaimError as error:
            examined, refusal = None, str(error)
        reason = self.house.attempt("update", number, encoded(self.p, claim))
        if not self.p.as_predicted(f"update by {WAY_NAMES[way]}", refusal, reason):
            return str(reason)
        assert examined is not None
        if examined.verdict.deficit <= 0:
            self.p.summary[RECOVERED] += 1
            self._end(number)
            return ""
        auction = self._auction(examined)
        if auction.insolvent == last.insolvent:
            auction = replace(auction, elapsed=self._elapsed(last))
        self.auctions[number] = auction
        self._note_deficit(number, max(0, -examined.verdict.worth))
        return ""

    # Bids

    def offer(self, number: int) -> Offer:
        """What is on offer now, by the twin of `auction_price.vy`."""
        last, account = self.auctions[number], self.p.account(number)
        collateral = self.p.predictor.collateral(account)
        equity = account.cash + last.mark
        worth = claims.worth(equity, collateral.full, self.p.rate)
        insolvent = worth <= 0
        elapsed = self._elapsed(last) if insolvent == last.insolvent else 0
        bonus = prices.rising(BONUS, elapsed, BONUS_DURATION) if insolvent else 0
        discounted = 0 if insolvent else prices.falling(START, FLOOR, elapsed, DURATION)
        asked = prices.asked(worth, last.maintenance, discounted, bonus)
        largest = prices.largest(worth, last.initial - equity - collateral.initial, asked, DUST)
        auction = replace(last, insolvent=insolvent, elapsed=elapsed, touched=self.p.now)
        return Offer(worth, asked, largest, auction)

    def bid(self, bid: Bid) -> str:
        """Reason of the refusal, or empty."""
        p, offer = self.p, self.offer(bid.account)
        taken = prices.taken(bid.fraction, offer.largest, MINIMUM_BID)
        sale = self._share(bid, offer, taken)
        seller, buyer = p.account(bid.account), p.account(bid.bidder)
        after = shares.bought(buyer, seller, sale)
        verdict = p.predictor.passes(bid.bidder, bid.way, after)
        confined = p.predictor.scope_refusal(buyer, shares.legs_moved(seller.positions, taken))
        refusal = self._bid_refusal(bid, offer, taken) or confined or verdict.refusal
        side = p.side(bid.bidder, bid.way, after)
        covered = self._covered(sale.payout)
        reason = self._attempt(bid, side.evidence())
        if not p.as_predicted(f"bid by {WAY_NAMES[bid.way]}", refusal, reason):
            return str(reason)
        p.ledger.transfer_share(sale, covered, p.now, verdict.settled)
        p.fund_assets -= covered
        self._took_over(bid, buyer, verdict)
        self._after(bid, offer, taken, sale)
        return ""

    def _after(self, bid: Bid, offer: Offer, taken: int, sale: Share) -> None:
        left = self._rest(offer.auction, taken)
        at_bid.no_bid_costs_more_than_its_limit(bid, sale)
        at_bid.bids_raise_health_or_lower_the_deficit(self.p, offer, left, sale)
        at_bid.the_largest_bid_leaves_initial_margin_and_no_more(self.p, offer, left, sale)
        self._count(offer, taken, sale)
        if taken in (WAD, offer.largest):
            self._end(bid.account)
            return
        self.auctions[bid.account] = left
        self._note_deficit(bid.account, prices.rest_of_deficit(offer.worth, taken))

    # Parts

    def _flag_refusal(self, claim: Claim) -> str | None:
        if claim.account in self.auctions:
            return "already running"
        if not self.p.world.contracts.oracle.is_fresh():
            return "stale"
        try:
            below = examine(self.p, claim).verdict.below
        except ClaimError as error:
            return str(error)
        # Invariant 4: what attesters say of the book as it is, is the truth
        assert claim.changes or below == is_weak(self.p, claim.account, claim.views)
        return None if below else "not below maintenance margin"

    def _bid_refusal(self, bid: Bid, offer: Offer, taken: int) -> str | None:
        auction, p = offer.auction, self.p
        if not p.world.contracts.oracle.is_usable(auction.epoch):
            return "update first"
        if p.now >= auction.earliest:
            return "a leg has expired"
        if offer.largest == 0:
            return "recovered"
        if taken == 0:
            return "too small"
        if offer.asked > bid.limit:
            return "price beyond limit"
        blocked = p.predictor.active(p.account(bid.bidder), WORST_CASE)
        return blocked or p.predictor.fresh(bid.way, 0)

    def _attempt(self, bid: Bid, evidence: object) -> str:
        p = self.p
        statement = p.world.statement(b"", [])
        book = sorted(p.account(bid.account).positions)
        arguments = (bid.account, bid.bidder, bid.fraction, bid.limit, book, evidence, statement)
        return str(self.house.attempt("bid", *arguments, sender=p.world.actor(bid.bidder, SCOPE_TRADE)))

    def _share(self, bid: Bid, offer: Offer, taken: int) -> Share:
        auction, seller = offer.auction, self.p.account(bid.account)
        price, payout = prices.cost(taken, offer.asked)
        spots = {u: word & 2**64 - 1 for u, word in enumerate(self.p.epoch.words, start=1)}
        moved = shares.collateral_moved(seller.collateral, taken)
        return Share(
            bid.account,
            bid.bidder,
            taken,
            price,
            payout,
            mul_up(auction.added, taken),
            signed_mul_down(auction.mark, taken),
            signed_mul_down(auction.linear, taken),
            auction.earliest,
            value_of(moved, LISTINGS, spots).full,
        )

    def _covered(self, payout: int) -> int:
        """Tokens that the insurance fund will send."""
        unit = self.p.ledger.token.cash(1)
        return min(-(-payout // unit), self.p.world.contracts.fund.available()) if payout else 0

    def _took_over(self, bid: Bid, buyer: Account, verdict: Verdict) -> None:
        """What a purchase means for the buyer's record."""
        p = self.p
        spots = [word & 2**64 - 1 for word in p.epoch.words]
        dust = len(p.epoch.instruments) * (10**10 * max(spots) * 10**10 // WAD + 4)
        if self.auctions[bid.account].epoch != p.epoch.number:
            p.exact.discard(bid.bidder)
        p.adopt(bid.bidder, verdict, buyer)
        p.indivisible[bid.bidder] = p.indivisible.get(bid.bidder, 0) + dust

    def _count(self, offer: Offer, taken: int, sale: Share) -> None:
        kind = "insolvent" if offer.worth <= 0 else "solvent"
        part = "all" if taken == WAD else "largest" if taken == offer.largest else "part"
        self.p.summary[f"bid for {part}, {kind}"] += 1
        self.p.summary["bid with collateral"] += bool(sale.collateral)
        self.p.summary["loss beyond the fund"] += self.p.ledger.losses.shortfall > 0

    def _auction(self, examined: Examined) -> Auction:
        verdict, bounds = examined.verdict, examined.bounds
        return Auction(
            self.p.epoch.number,
            0,
            self.p.now,
            verdict.worth <= 0,
            verdict.initial,
            verdict.maintenance,
            bounds.mark,
            examined.linear,
            examined.earliest,
            bounds.added,
        )

    def _rest(self, auction: Auction, taken: int) -> Auction:
        return replace(
            auction,
            initial=prices.rest_up(auction.initial, taken),
            maintenance=prices.rest_up(auction.maintenance, taken),
            added=prices.rest_up(auction.added, taken),
            mark=prices.signed_rest_down(auction.mark, taken),
            linear=prices.signed_rest_down(auction.linear, taken),
        )

    def _elapsed(self, last: Auction) -> int:
        return last.elapsed + min(self.p.now - last.touched, FROZEN_AFTER)

    def _end(self, number: int) -> None:
        del self.auctions[number]
        self.p.ledger.freeze(number, False)
        self._note_deficit(number, 0)

    def _note_deficit(self, number: int, deficit: int) -> None:
        self.deficits[number] = deficit
        ledger = self.p.ledger
        ledger.losses = shortfall.set_open_deficit(ledger.losses, sum(self.deficits.values()))


def deficit_of(p: Protocol, number: int) -> int:
    """Cash that brings an account back to initial margin, WAD."""
    stands = health(p, p.account(number), p.epoch.views)
    return max(0, stands.initial - stands.equity_initial)
