# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title AuctionHouse
@license AGPL-3.0-only
@notice Liquidates. An account that attesters show below maintenance margin is flagged by anyone and frozen; fractions of
        everything it holds are then sold at a falling share of what they are worth, just enough to bring the rest back
        to initial margin. Worth less than nothing, it is sold with a payout that the insurance fund bears.
        Cash, margins, fractions WAD; times unix seconds.
@custom:security Holds no tokens. A buyer passes the Clearinghouse's margin check like any other trade. Attesters cannot flag
        a fully collateralised account, and a false flag costs at most the discount of what it sells. Trusts the
        Clearinghouse, its gate and its oracle.
@custom:kill The Clearinghouse's owner names another auction house: this one can then neither freeze nor move anything.
"""

from ..interfaces import IBookValuer
from ..interfaces import IAttestation
from ..interfaces import IAuctionHouse
from ..interfaces import IClaimGate
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..units import constants as c
from ..units import fixed_point as fp

# prices, bounds and words: stateless
from . import auction_price as prices
from . import auction_words as words
from . import claim as claims

# terms are the one thing an owner sets here
from snekmate.auth import ownable

implements: IAuctionHouse
initializes: ownable

# `renounce_ownership` is not exported: terms would be fixed for ever by one careless call
exports: (
    ownable.owner,
    ownable.transfer_ownership,
)

# Constants

# Why an auction ended
END_RESTORED: public(constant(uint8)) = 0  # bids brought the rest to initial margin
END_RECOVERED: public(constant(uint8)) = 1  # the market or a deposit did
END_SOLD: public(constant(uint8)) = 2  # nothing is left

WAD: constant(uint256) = c.WAD
LOW_64: constant(uint256) = 2**64 - 1
LOW_128: constant(uint256) = 2**128 - 1
# `examine` of the claim gate: the claim is its argument, encoded
EXAMINE: constant(Bytes[4]) = method_id(
    "examine((uint256[],uint8,(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32),bytes32[],uint64,uint64,(uint256,(bytes32,uint256)[]),(uint8,uint128,int256,uint256)[],(uint128,uint128,uint128,uint128,uint128,uint128)[],bytes32[][]))"
)
EXAMINED_BYTES: constant(uint256) = 14 * 32
ONE_OPEN: constant(uint256) = 1 << 224
TRANSFER_SHARE: constant(Bytes[4]) = method_id(
    "transfer_share((uint256,uint256,uint256,uint256,uint256,int256,uint256,int256,int256,uint256),uint256[])"
)
MAX_CLAIM: constant(uint256) = 26_624  # bytes

# Immutables

CLEARINGHOUSE: public(immutable(IClearinghouse))
# Opens claims
CLAIM_GATE: public(immutable(IClaimGate))
# Keeps the tokens of its accounts
VAULT: public(immutable(IVault))

# Storage

# open auctions (32) << 224 | seq (64) << 128 | sum of all deficits (128)
_running: uint256
# see `auction_words.vy`
_terms: uint256[2]
_auctions: HashMap[uint256, uint256[3]]
# of an insolvent auction, when it was last touched, WAD
_deficits: HashMap[uint256, uint256]


# An auction at this moment.
struct Offer:
    worth: int256
    # price of the whole, below zero: what a buyer is paid
    asked: int256
    discounted: uint256
    largest: uint256
    # there is collateral to sell
    collateral: bool


@deploy
def __init__(clearinghouse: IClearinghouse, claim_gate: IClaimGate, terms: IAuctionHouse.Terms):
    """
    @param clearinghouse Whose accounts are liquidated.
    @param claim_gate Checks claims on their margins.
    @param terms Of all auctions.
    """
    assert clearinghouse.address != empty(address) and claim_gate.address != empty(address), "auction: zero address"
    ownable.__init__()
    CLEARINGHOUSE = clearinghouse
    CLAIM_GATE = claim_gate
    VAULT = IVault(staticcall clearinghouse.vault())
    self._set_terms(terms)


# Auctions


@external
def flag(account: uint256, claim: Bytes[MAX_CLAIM]):
    """
    @notice Puts an account that is below maintenance margin up for auction, and freezes it. Anyone may.
    @param account Account.
    @param claim Its attested margin and every change since: abi_encode(IAuctionHouse.Claim).
    """
    assert self._auctions[account][0] == 0, "auction: already running"
    assert staticcall self._oracle().is_fresh(), "auction: epoch too old"
    assert staticcall CLAIM_GATE.require_calm(convert(words._unpack_terms(self._terms).grace, uint256))
    examined: IClaimGate.Examined = abi_decode(
        raw_call(
            CLAIM_GATE.address,
            concat(EXAMINE, claim),
            max_outsize=EXAMINED_BYTES,
            is_static_call=True,
        ),
        IClaimGate.Examined,
    )
    assert examined.account == account, "auction: claim on another account"
    assert examined.below, "auction: not below maintenance margin"
    auction: IAuctionHouse.Auction = examined.auction
    self._auctions[account] = words._pack(auction)
    self._running += ONE_OPEN
    log IAuctionHouse.AuctionStarted(
        account=account,
        epoch=auction.epoch,
        solvent=not auction.insolvent,
        equity=examined.worth,
        initialMargin=auction.initialMargin,
        maintenanceMargin=auction.maintenanceMargin,
        seq=self._next_seq(),
    )
    extcall CLEARINGHOUSE.set_frozen(account, True)
    if auction.insolvent:
        self._note_deficit(account, convert(-examined.worth, uint256))


@external
def update(account: uint256, claim: Bytes[MAX_CLAIM]):
    """
    @notice Goes on with the margins of the latest epoch, or ends where the account is back at initial margin. Anyone may.
    @param account Account in auction.
    @param claim As for a flag; after a bid, a leaf of a later block than the bid's.
    """
    last: IAuctionHouse.Auction = self._running_auction(account)
    examined: IClaimGate.Examined = abi_decode(
        raw_call(
            CLAIM_GATE.address,
            concat(EXAMINE, claim),
            max_outsize=EXAMINED_BYTES,
            is_static_call=True,
        ),
        IClaimGate.Examined,
    )
    assert examined.account == account, "auction: claim on another account"
    if examined.deficit <= 0:
        self._end(account, END_RECOVERED, last.insolvent)
        return
    auction: IAuctionHouse.Auction = examined.auction
    if auction.insolvent == last.insolvent:
        auction.elapsed = self._elapsed(self._oracle(), last)
    self._auctions[account] = words._pack(auction)
    log IAuctionHouse.AuctionUpdated(
        account=account,
        epoch=auction.epoch,
        solvent=not auction.insolvent,
        equity=examined.worth,
        initialMargin=auction.initialMargin,
        maintenanceMargin=auction.maintenanceMargin,
        seq=self._next_seq(),
    )
    self._note_deficit(account, convert(max(0, -examined.worth), uint256))


@external
def bid(
    account: uint256,
    bidder: uint256,
    fraction: uint256,
    limit: int256,
    instruments: DynArray[uint256, 128],
    evidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    """
    @notice Buys a fraction of everything that an account in auction holds, at the price of the moment.
    @param account Account in auction.
    @param bidder Account of the caller that takes the fraction over and passes its margin check with it.
    @param fraction Most that is wanted of what is left, WAD; what is on offer may be less.
    @param limit Most that the whole of what is left may cost, WAD: a fraction costs at most that fraction of it, rounded
           up. Below zero: least that the whole must pay.
    @param instruments The whole book of the account in auction, ascending.
    @param evidence How the bidder passes, with what it has bought: headroom, a leaf or the worst case.
    @param statement What belongs to it.
    """
    assert staticcall CLEARINGHOUSE.may_act(
        bidder, msg.sender, c.SCOPE_TRADE
    ), "auction: not the bidder's owner or operator"
    assert bidder != account, "auction: own account"
    oracle: IRiskOracle = self._oracle()
    auction: IAuctionHouse.Auction = self._running_auction(account)
    was_insolvent: bool = auction.insolvent
    assert staticcall oracle.is_usable(auction.epoch), "auction: update first"
    assert block.timestamp < auction.earliest, "auction: a leg has expired"
    terms: IAuctionHouse.Terms = words._unpack_terms(self._terms)
    offer: Offer = empty(Offer)
    gate: IMarginGate = IMarginGate(staticcall CLEARINGHOUSE.gate())
    offer, auction = self._offer(oracle, gate, account, auction, terms)
    assert offer.largest != 0, "auction: recovered"
    taken: uint256 = prices._taken(fraction, offer.largest, terms.minimumBid)
    assert taken != 0, "auction: bid too small"
    assert offer.asked <= limit, "auction: price beyond limit"
    price: uint256 = 0
    payout: uint256 = 0
    price, payout = prices._cost(taken, offer.asked)
    log IAuctionHouse.AuctionBid(
        account=account,
        bidder=bidder,
        solvent=not auction.insolvent,
        fraction=taken,
        discounted=offer.discounted,
        price=price,
        payout=payout,
        seq=self._next_seq(),
    )
    collateral: int256 = 0
    if offer.collateral:
        collateral = extcall VAULT.transfer_share(account, bidder, taken)
    if payout != 0:
        extcall VAULT.cover_deficit(payout)
    share: IClearinghouse.Share = IClearinghouse.Share(
        seller=account,
        buyer=bidder,
        fraction=taken,
        price=price,
        payout=payout,
        collateral=collateral,
        initialMargin=fp._mul_up(auction.added, taken),
        mark=self._part_down(auction.mark, taken),
        linear=self._part_down(auction.linear, taken),
        earliest=auction.earliest,
    )
    # a call through the interface would send room for 128 legs
    raw_call(CLEARINGHOUSE.address, abi_encode(share, instruments, method_id=TRANSFER_SHARE))
    # there is no report of a purchase: the price is not known before it
    assert evidence.way != c.WAY_REPORT, "auction: not a way to bid"
    passed: IMarginGate.Passed = empty(IMarginGate.Passed)
    if evidence.way == c.WAY_HEADROOM:
        passed.settled = (staticcall gate.require_headroom(0, [staticcall CLEARINGHOUSE.standing(bidder, True)]))[0]
    else:
        passed = staticcall gate.require_pass(CLEARINGHOUSE.address, empty(bytes32), 0, bidder, evidence, statement)
    extcall CLEARINGHOUSE.store_pass(bidder, evidence.way, passed)
    if taken == WAD:
        self._end(account, END_SOLD, was_insolvent)
    elif taken == offer.largest:
        self._end(account, END_RESTORED, was_insolvent)
    else:
        self._auctions[account] = words._pack(self._rest(auction, taken))
        if was_insolvent or auction.insolvent:
            self._note_deficit(account, prices._rest_of_deficit(offer.worth, taken))


# Owner


@external
def set_terms(terms: IAuctionHouse.Terms):
    """
    @notice Sets the terms of all auctions, running ones included.
    @param terms Within the bounds of `auction_words.vy`.
    """
    ownable._check_owner()
    self._set_terms(terms)


# Views


@external
@view
def auction(account: uint256) -> IAuctionHouse.Auction:
    """
    @notice The auction of an account, as last touched; epoch 0: none.
    """
    return words._unpack(self._auctions[account])


@external
@view
def terms() -> IAuctionHouse.Terms:
    """
    @notice Of all auctions.
    """
    return words._unpack_terms(self._terms)


@external
@view
def deficit(account: uint256) -> uint256:
    """
    @notice What an account in an insolvent auction lacked when it was last touched, WAD.
    """
    return self._deficits[account]


@external
@view
def seq() -> uint64:
    """
    @notice Number of the last event.
    """
    return convert((self._running >> 128) & LOW_64, uint64)


@external
@view
@reentrant
def open_auctions() -> uint256:
    """
    @notice Auctions that have not ended: as long as there is one, the Clearinghouse keeps this house.
    @dev Reentrant: the Clearinghouse asks while it switches.
    """
    return self._running >> 224


# Running auctions


@internal
@view
def _running_auction(account: uint256) -> IAuctionHouse.Auction:
    """
    @notice The auction as last touched; reverts without one.
    """
    auction: IAuctionHouse.Auction = words._unpack(self._auctions[account])
    assert auction.epoch != 0, "auction: none"
    return auction


@internal
@view
def _offer(
    oracle: IRiskOracle, gate: IMarginGate, account: uint256, last: IAuctionHouse.Auction, terms: IAuctionHouse.Terms
) -> (Offer, IAuctionHouse.Auction):
    """
    @notice What is on offer now, at the account's cash and collateral of this moment.
    @return The offer, and the auction with its clock moved on.
    """
    standing: IMarginGate.Standing = staticcall CLEARINGHOUSE.standing(account, False)
    equity: int256 = standing.liquid + last.mark
    offer: Offer = empty(Offer)
    offer.worth = equity
    collateral: IBookValuer.CollateralValue = empty(IBookValuer.CollateralValue)
    if len(standing.collateral) != 0:
        offer.collateral = True
        collateral = staticcall IBookValuer(staticcall gate.valuer()).collateral_value(standing.collateral)
        offer.worth = claims._worth(equity, collateral.full, staticcall VAULT.rate())
    auction: IAuctionHouse.Auction = last
    auction.insolvent = offer.worth <= 0
    # solvent and insolvent phases each begin at the start of their curve
    auction.elapsed = 0
    if auction.insolvent == last.insolvent:
        auction.elapsed = self._elapsed(oracle, last)
    auction.touched = convert(block.timestamp, uint64)
    elapsed: uint256 = convert(auction.elapsed, uint256)
    bonus: uint256 = 0
    if auction.insolvent:
        bonus = prices._rising(terms.bonus, elapsed, convert(terms.bonusDuration, uint256))
    else:
        offer.discounted = prices._falling(terms.start, terms.floor, elapsed, convert(terms.duration, uint256))
    offer.asked = prices._asked(offer.worth, last.maintenanceMargin, offer.discounted, bonus)
    offer.largest = prices._largest(
        offer.worth,
        convert(last.initialMargin, int256) - equity - collateral.initial,
        offer.asked,
        terms.dust,
    )
    return offer, auction


@internal
@view
def _elapsed(oracle: IRiskOracle, last: IAuctionHouse.Auction) -> uint64:
    """
    @notice Seconds that the auction counts. While no epoch comes nobody can bid, so no price falls: between two touches at
            most the age counts at which an epoch is frozen.
    """
    passed: uint256 = block.timestamp - convert(last.touched, uint256)
    most: uint256 = convert((staticcall oracle.limits()).frozenAfter, uint256)
    return last.elapsed + convert(min(passed, most), uint64)


@internal
@pure
def _rest(auction: IAuctionHouse.Auction, taken: uint256) -> IAuctionHouse.Auction:
    """
    @notice The auction of what a sale leaves.
    """
    rest: IAuctionHouse.Auction = auction
    rest.initialMargin = prices._rest_up(auction.initialMargin, taken)
    rest.maintenanceMargin = prices._rest_up(auction.maintenanceMargin, taken)
    rest.added = prices._rest_up(auction.added, taken)
    rest.mark = prices._signed_rest_down(auction.mark, taken)
    rest.linear = prices._signed_rest_down(auction.linear, taken)
    return rest


@internal
def _end(account: uint256, reason: uint8, was_insolvent: bool):
    """
    @notice Ends an auction and lets its account act again.
    @param was_insolvent When it was last touched: else it has no deficit to take back.
    """
    self._auctions[account] = empty(uint256[3])
    self._running -= ONE_OPEN
    log IAuctionHouse.AuctionEnded(account=account, reason=reason, seq=self._next_seq())
    extcall CLEARINGHOUSE.set_frozen(account, False)
    if was_insolvent:
        self._note_deficit(account, 0)


@internal
def _note_deficit(account: uint256, deficit: uint256):
    """
    @notice Keeps the sum of the deficits of all insolvent auctions at the Clearinghouse.
    """
    last: uint256 = self._deficits[account]
    if deficit == last:
        return
    self._deficits[account] = deficit
    running: uint256 = self._running
    total: uint256 = (running & LOW_128) - last + deficit
    self._running = ((running >> 128) << 128) | convert(convert(total, uint128), uint256)
    extcall VAULT.set_open_deficit(total)


# Small things


@internal
@view
def _oracle() -> IRiskOracle:
    return IRiskOracle(staticcall CLEARINGHOUSE.oracle())


@internal
@pure
def _part_down(amount: int256, fraction: uint256) -> int256:
    """
    @notice A fraction of a signed value, rounded down.
    """
    return fp._signed_mul_down(amount, convert(fraction, int256))


@internal
def _set_terms(terms: IAuctionHouse.Terms):
    self._terms = words._pack_terms(terms)
    log IAuctionHouse.TermsSet(terms=terms, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    """
    @notice Number of the next event; a gap proves a missing event.
    """
    running: uint256 = self._running + (1 << 128)
    self._running = running
    return convert((running >> 128) & LOW_64, uint64)
