# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title ClearinghouseExtension
@license AGPL-3.0-only
@notice The half of the Clearinghouse that is not in every trade: opening and handing over accounts, settlement, auctions,
        funding rates, the end of a market, and what the owner sets. Runs by delegate call from Clearinghouse.vy, over its
        storage and at its address; the code of both would not fit into one contract.
@custom:security Called at its own address it changes nothing but storage that nobody reads. Its layout is that of
        Clearinghouse.vy: the same modules in the same order, no variable of its own.
@custom:kill None of its own: the Clearinghouse names it once and for all.
"""

from ..governance import pausing
from ..governance import roles
from ..interfaces import IAuctionHouse
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..markets import instrument as ins
from ..risk import payoff
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts
from . import positions
from . import state

# owner and guardian
initializes: roles
exports: (roles.owner, roles.guardian, roles.transfer_ownership, roles.set_guardian)
# a guardian's pause, which expires
initializes: pausing[roles := roles]
exports: pausing.guardian_may_pause_from
# identity, cash and counters
initializes: accounts
# legs
initializes: positions
# the rest
initializes: state

# Constants

SIGNED_WAD: constant(int256) = 10**18
MAX_LEGS: constant(uint256) = c.MAX_LEGS
QUANTITY_UNIT: constant(int256) = 10**10
WAD_UNITS: constant(int256) = 10**28  # QUANTITY_UNIT of a fraction in WAD
UNDERLYING_OF_GROUP: constant(uint256) = 40  # in an instrument without strike and kind


@deploy
def __init__():
    roles.__init__()
    accounts.__init__()
    positions.__init__()
    state.__init__()


# Accounts


@external
def open_account(owner: address) -> uint256:
    """
    @notice Opens an account that may hold anything. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @return Its identifier.
    """
    return self._open(owner, 0)


@external
def open_isolated(owner: address, underlying: uint16, expiry: uint40) -> uint256:
    """
    @notice Opens an account that may only ever hold instruments of one underlying, one expiry or both. Its cash and
            collateral stand behind these alone. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @param underlying Identifier; 0: any.
    @param expiry Unix seconds; 0: any.
    @return Its identifier.
    """
    return self._open(owner, accounts._scope(convert(underlying, uint256), convert(expiry, uint256)))


@external
def transfer_account(account: uint256, owner: address):
    """
    @notice Hands an account over with all it holds. Only the owner, and not while it is in auction. Operators of the old
            owner lose their grants, its signed orders their force.
    @param owner New owner.
    """
    identity: uint256 = accounts._identity[account]
    self._check_owner_of(identity)
    assert owner != empty(address), "clearing: zero owner"
    assert identity & accounts.FROZEN == 0, "clearing: in auction"
    accounts._identity[account] = (identity & ~accounts.ADDRESS_MASK) | convert(owner, uint256)
    accounts._tenures[account] += 1
    log IClearinghouse.AccountTransferred(account=account, previousOwner=msg.sender, owner=owner, seq=state._next_seq())


@external
def set_operator(account: uint256, operator: address, scopes: uint8, expiry: uint40):
    """
    @notice Lets another address act for the account, or stops it. Only the owner.
    @param scopes Sum of SCOPE_* of constants.vy; 0: nothing any more.
    @param expiry Last moment of the grant, unix seconds.
    """
    self._check_owner_of(accounts._identity[account])
    accounts._set_grant(account, operator, scopes, expiry)
    log IClearinghouse.OperatorSet(
        account=account,
        operator=operator,
        scopes=scopes,
        expiry=expiry,
        seq=state._next_seq(),
    )


@external
def set_credit_tier(account: uint256, tier: uint8):
    """
    @notice Says how much credit the attesters' methodology gives an account. Only the risk manager.
    @param tier 0 to 15; 0 is what an account starts with.
    """
    assert msg.sender == state.risk_manager, "clearing: not the risk manager"
    assert convert(tier, uint256) <= accounts.TIER_MASK, "clearing: unknown tier"
    identity: uint256 = accounts._identity[account]
    assert identity != 0, "clearing: no such account"
    cleared: uint256 = identity & ~(accounts.TIER_MASK << accounts.TIER_SHIFT)
    accounts._identity[account] = cleared | (convert(tier, uint256) << accounts.TIER_SHIFT)
    log IClearinghouse.CreditTierSet(account=account, tier=tier, seq=state._next_seq())


# Settlement


@external
def settle(account: uint256, instruments: DynArray[uint256, 128]):
    """
    @notice Turns every expired leg with a final settlement price into cash, and every perp whose market has ended. Anyone
            may. The book hash takes all payoffs as one change: a unit that pays their sum, of the latest expiry. Funding of
            a perp is not in it: it was the account's before.
    @param instruments The account's whole book, ascending.
    """
    identity: uint256 = accounts._identity[account]
    assert len(instruments) == (identity >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK, "positions: book incomplete"
    own: uint256 = account << 128
    paid: int256 = 0
    accrued: int256 = 0
    linear_left: bool = False
    previous: uint256 = 0
    group: uint256 = max_value(uint256)
    price: uint256 = 0
    expiry: uint256 = 0
    until: uint256 = 0
    growth: int256 = 0
    settled: DynArray[uint256, MAX_LEGS] = []
    # one walk, as there may be 128 legs: what `positions._book` checks is checked here
    for key: uint256 in instruments:
        assert key > previous, "positions: book not ascending"
        previous = key
        word: uint256 = positions._positions[own | key]
        quantity: int256 = convert(convert(word << 128, bytes32), int256) >> 128
        assert quantity != 0, "positions: leg not held"
        # instruments of one underlying and expiry lie together
        if key >> ins.EXPIRY_SHIFT != group:
            if growth != 0 and key >> ins.UNDERLYING_SHIFT != group >> UNDERLYING_OF_GROUP:
                positions._add_interest(group >> UNDERLYING_OF_GROUP, growth, 0)
                growth = 0
            group = key >> ins.EXPIRY_SHIFT
            expiry, price = self._final(group >> UNDERLYING_OF_GROUP, group & ins.EXPIRY_MASK)
            if price != 0:
                until = max(until, expiry)
        kind: uint256 = key & ins.KIND_MASK
        if price == 0:
            linear_left = linear_left or kind <= c.FUTURE
            continue
        if kind == c.PERP:
            accrued += positions._accrued(word, positions._index(group >> UNDERLYING_OF_GROUP))
            identity ^= 1 << (accounts.PERPS_SHIFT + (group >> UNDERLYING_OF_GROUP) - 1)
        unit: int256 = payoff._payoff(convert(key, uint128), price)
        # both are multiples of 1e10: nothing is rounded
        paid += quantity * unit // SIGNED_WAD
        if quantity > 0:
            growth = unsafe_sub(growth, quantity)
        positions._positions[own | key] = 0
        settled.append((key << 128) | convert(unit, uint256))
    # the last is the largest: none of them reaches into the keys of another account
    assert previous <= positions.LOW_128, "positions: no instrument"
    assert len(settled) != 0, "clearing: nothing to settle"
    if growth != 0:
        positions._add_interest(group >> UNDERLYING_OF_GROUP, growth, 0)
    accounts._identity[account] = identity - (len(settled) << accounts.LEGS_SHIFT)
    money: uint256 = accounts._money[account]
    received: int256 = paid + accrued
    cash: int256 = accounts._signed_high(money) + received
    exempt: uint256 = money & accounts.EXEMPT_MASK
    # with perps or futures left, cash says little about settled cash: then only what it lost counts
    if linear_left:
        exempt -= min(exempt, convert(max(0, -received), uint256))
    else:
        exempt = accounts._ratchet(exempt, cash)
    accounts._money[account] = accounts._with_cash(accounts._with_exempt(money, exempt), cash)
    book_hash: bytes32 = accounts._fold(
        accounts._book_hash[account], c.CHANGE_SETTLEMENT, convert(until << ins.EXPIRY_SHIFT, uint128), -paid, c.WAD
    )
    accounts._book_hash[account] = book_hash
    log IClearinghouse.AccountSettled(
        account=account,
        words=settled,
        until=convert(until, uint40),
        cash=cash,
        bookHash=book_hash,
        seq=state._next_seq(),
    )


# Auctions


@external
def set_frozen(account: uint256, frozen: bool):
    """
    @notice Stops an account from trading and withdrawing, or lets it again. Only the auction house.
    """
    self._check_auction_house()
    identity: uint256 = accounts._identity[account] & ~accounts.FROZEN
    if frozen:
        identity |= accounts.FROZEN
    accounts._identity[account] = identity
    log IClearinghouse.AccountFrozen(account=account, frozen=frozen, seq=state._next_seq())


@external
def transfer_share(share: IClearinghouse.Share, instruments: DynArray[uint256, 128]):
    """
    @notice Moves a fraction of the legs and the cash of an account in auction to a buyer. Only the auction house, which
            has had the Vault move the collateral and cover the payout, and which makes the buyer pass afterwards.
            Position limits and caps do not bind a buyer. Open interest of underlyings and perps follows exactly; that
            of an option or future that both sides held stays an upper bound until it expires.
    @param share What is moved at which price. Quantities are rounded towards zero to multiples of 1e10, cash down: what
           is rounded off stays with the seller.
    @param instruments The seller's whole book, ascending.
    """
    self._check_auction_house()
    bought: IClearinghouse.Share = share
    assert bought.seller != bought.buyer, "clearing: same account"
    assert accounts._identity[bought.seller] & accounts.FROZEN != 0, "clearing: not in auction"
    accounts._require_active(accounts._identity[bought.buyer])
    self._move_cash(bought, self._move_legs(bought, instruments))


# Perps


@external
def set_funding_rate(underlying: uint16, rate: int256):
    """
    @notice What a long unit of a perp pays from now on. Only the funding contract.
    @param rate WAD a second; below zero: shorts pay.
    """
    assert msg.sender == state.funding, "clearing: not the funding contract"
    assert positions._perp_ends[convert(underlying, uint256)] == 0, "clearing: perp ends"
    self._set_rate(underlying, rate)


@external
def end_perp(underlying: uint16, at: uint40):
    """
    @notice Lets the perp of a market that closes settle like a future, at the oracle's settlement price. From now on it
            pays no funding: nothing but its end moves it away from the spot. Only the owner, once.
    @param at A time at which the oracle settles, unix seconds.
    """
    roles._check_owner()
    end: uint256 = convert(at, uint256)
    assert end > block.timestamp and end % c.SETTLEMENT_GRID == 0, "clearing: bad end"
    assert positions._perp_ends[convert(underlying, uint256)] == 0, "clearing: perp ends"
    positions._perp_ends[convert(underlying, uint256)] = end
    self._set_rate(underlying, 0)
    log IClearinghouse.PerpEnded(underlying=underlying, at=at, seq=state._next_seq())


# Administration


@external
def pause(duration: uint256):
    """
    @notice Stops risk increases and withdrawals by attestation from now on. Only the owner or the guardian.
    @param duration Seconds, at most two days.
    """
    until: uint256 = pausing._pause(duration, state._paused_until())
    self._set_paused_until(until)


@external
def unpause():
    """
    @notice Ends a pause early. Only the owner.
    """
    until: uint256 = pausing._unpause()
    self._set_paused_until(until)


@external
def set_module(module: address, allowed: bool):
    """
    @notice Lets a contract trade for accounts, or stops it. Only the owner.
    """
    roles._check_owner()
    assert module.is_contract or not allowed, "clearing: not a contract"
    state.modules[module] = allowed
    log IClearinghouse.ModuleSet(module=module, allowed=allowed, seq=state._next_seq())


@external
def set_gate(gate: IMarginGate, oracle: IRiskOracle):
    """
    @notice Replaces the checks and the oracle. Only the owner.
    """
    roles._check_owner()
    state._set_gate(gate, oracle)


@external
def set_auction_house(auction_house: address):
    """
    @notice Names who liquidates. Only the owner, and not while the house so far auctions anything: nobody else could end
            that. The new one is asked as well: a house that cannot answer could never be replaced.
    """
    roles._check_owner()
    assert staticcall IAuctionHouse(auction_house).open_auctions() == 0, "clearing: open auctions"
    if state.auction_house != empty(address):
        assert staticcall IAuctionHouse(state.auction_house).open_auctions() == 0, "clearing: open auctions"
    state.auction_house = auction_house
    log IClearinghouse.AuctionHouseSet(auctionHouse=auction_house, seq=state._next_seq())


@external
def set_vault(vault: address):
    """
    @notice Names who keeps the tokens. Only the owner, once: another vault would not have the tokens that cash is of.
    """
    roles._check_owner()
    assert state.vault == empty(address), "clearing: vault is set"
    state.vault = vault
    log IClearinghouse.VaultSet(vault=vault, seq=state._next_seq())


@external
def set_funding(funding: address):
    """
    @notice Names who sets funding rates. Only the owner.
    """
    roles._check_owner()
    state.funding = funding
    log IClearinghouse.FundingSet(funding=funding, seq=state._next_seq())


@external
def set_risk_manager(risk_manager: address):
    """
    @notice Names who sets credit tiers. Only the owner.
    """
    roles._check_owner()
    state.risk_manager = risk_manager
    log IClearinghouse.RiskManagerSet(riskManager=risk_manager, seq=state._next_seq())


# Expired legs


@internal
@view
def _final(underlying: uint256, expiry: uint256) -> (uint256, uint256):
    """
    @notice When an instrument ends, and its final settlement price.
    @param expiry Unix seconds; 0 of a perp, which ends with its market.
    @return Unix seconds, and 1e-8 USD: 0 while there is none.
    """
    end: uint256 = expiry
    if expiry == 0:
        end = positions._perp_ends[underlying]
    if end == 0 or end > block.timestamp:
        return 0, 0
    return end, staticcall state.oracle.settlement_price(convert(underlying, uint16), convert(end, uint40))


# Shares of accounts in auction


@internal
def _move_legs(share: IClearinghouse.Share, instruments: DynArray[uint256, MAX_LEGS]) -> DynArray[uint256, MAX_LEGS]:
    """
    @notice The fraction of every leg. Funding becomes cash on both sides first.
    @return Words: instrument | quantity moved.
    """
    self._realise_funding(share.seller)
    self._realise_funding(share.buyer)
    seller: uint256 = accounts._identity[share.seller]
    buyer: uint256 = accounts._identity[share.buyer]
    assert len(instruments) == (seller >> accounts.LEGS_SHIFT) & accounts.LEGS_MASK, "positions: book incomplete"
    fraction: int256 = convert(share.fraction, int256)
    is_whole: bool = share.fraction == c.WAD
    grown: int256 = 0
    underlying: uint256 = 0
    previous: uint256 = 0
    moved: DynArray[uint256, MAX_LEGS] = []
    # one walk, as there may be 128 legs: what `positions._book` checks is checked here
    for key: uint256 in instruments:
        assert key > previous, "positions: book not ascending"
        previous = key
        word: uint256 = positions._positions[(share.seller << 128) | key]
        quantity: int256 = convert(convert(word << 128, bytes32), int256) >> 128
        assert quantity != 0, "positions: leg not held"
        if not is_whole:
            # towards zero; below 2**97 * 2**60
            quantity = unsafe_mul(unsafe_div(unsafe_mul(quantity, fraction), WAD_UNITS), QUANTITY_UNIT)
            if quantity == 0:
                continue
        if key >> ins.UNDERLYING_SHIFT != underlying:
            if grown != 0:
                positions._add_interest(underlying, grown, positions.UNLIMITED)
                grown = 0
            underlying = key >> ins.UNDERLYING_SHIFT
        part: uint256 = convert(convert(quantity, bytes32), uint256) & positions.LOW_128
        # the seller has been touched: its entry index, above the quantity, is the index now
        index: uint256 = word & ~positions.LOW_128
        rest: uint256 = 0
        if not is_whole:
            rest = index | (unsafe_sub(word, part) & positions.LOW_128)
        positions._positions[(share.seller << 128) | key] = rest
        old: int256 = 0
        new: int256 = 0
        buyer, old, new = positions._receive(share.buyer, buyer, key, quantity, index)
        # long positions: what the buyer has more than the seller has less
        growth: int256 = unsafe_sub(unsafe_sub(max(new, 0), max(old, 0)), max(quantity, 0))
        if growth != 0:
            if key & ins.KIND_MASK == c.PERP:
                positions._add_interest(key, growth, positions.UNLIMITED)
            grown += growth
        moved.append((key << 128) | part)
    # the last is the largest: none of them reaches into the keys of another account
    assert previous <= positions.LOW_128, "positions: no instrument"
    if grown != 0:
        positions._add_interest(underlying, grown, positions.UNLIMITED)
    if is_whole:
        accounts._identity[share.seller] = seller & ~accounts.BOOK_MASK
    accounts._identity[share.buyer] = buyer
    return moved


@internal
def _move_cash(share: IClearinghouse.Share, words: DynArray[uint256, MAX_LEGS]):
    """
    @notice Cash, price and payout; the counters of the buyer; both book hashes and the event.
    """
    money: uint256 = accounts._money[share.seller]
    cash: int256 = accounts._signed_high(money)
    moved: int256 = fp._signed_mul_down(cash, convert(share.fraction, int256))
    price: int256 = convert(share.price, int256)
    cash += price - moved
    # a share of the deposits leaves with the cash, and losses leave for good
    exempt: uint256 = accounts._ratchet(fp._mul_down(money & accounts.EXEMPT_MASK, c.WAD - share.fraction), cash)
    accounts._money[share.seller] = accounts._with_cash(accounts._with_exempt(money, exempt), cash)
    money = accounts._money[share.buyer]
    own: int256 = accounts._signed_high(money) + moved - price + convert(share.payout, int256)
    # paying cash for legs is no gain to take out later
    exempt = money & accounts.EXEMPT_MASK
    exempt -= min(exempt, convert(max(0, price - moved), uint256))
    accounts._money[share.buyer] = accounts._with_cash(accounts._with_exempt(money, exempt), own)
    # what the buyer gains against the marks is not credited
    counters: uint256 = accounts._counters[share.buyer]
    counters = accounts._pack_signed_low(
        (counters >> 128) + share.initialMargin,
        accounts._signed_low(counters) + min(share.mark, price - moved - share.collateral),
    )
    accounts._counters[share.buyer] = counters
    state._extend_record(share.buyer, share.linear, share.earliest)
    fraction: int256 = convert(share.fraction, int256)
    seller_hash: bytes32 = accounts._fold(accounts._book_hash[share.seller], c.CHANGE_AUCTION, 0, -fraction, 0)
    buyer_hash: bytes32 = accounts._fold(accounts._book_hash[share.buyer], c.CHANGE_PURCHASE, 0, fraction, share.seller)
    accounts._book_hash[share.seller] = seller_hash
    accounts._book_hash[share.buyer] = buyer_hash
    log IClearinghouse.ShareTransferred(
        seller=share.seller,
        buyer=share.buyer,
        fraction=share.fraction,
        price=share.price,
        payout=share.payout,
        words=words,
        sellerCash=cash,
        buyerCash=own,
        buyerAddedIM=counters >> 128,
        buyerAddedMark=accounts._signed_low(counters),
        sellerHash=seller_hash,
        buyerHash=buyer_hash,
        seq=state._next_seq(),
    )


@internal
def _realise_funding(account: uint256):
    """
    @notice Funding accrued on all perps becomes cash.
    """
    perps: uint256 = accounts._perps_of(accounts._identity[account])
    if perps == 0:
        return
    accrued: int256 = positions._touch(account, perps)
    if accrued != 0:
        money: uint256 = accounts._money[account]
        accounts._money[account] = accounts._with_cash(money, accounts._signed_high(money) + accrued)


# Small things


@internal
def _open(owner: address, scope: uint256) -> uint256:
    """
    @param scope Of an isolated account, see `accounts._scope`; 0: may hold anything.
    """
    assert owner != empty(address), "clearing: zero owner"
    account: uint256 = state._account_count + 1
    state._account_count = account
    accounts._identity[account] = scope | convert(owner, uint256)
    log IClearinghouse.AccountOpened(
        account=account,
        owner=owner,
        underlying=convert((scope >> accounts.SCOPE_SHIFT) & accounts.SCOPE_MASK, uint16),
        expiry=convert((scope >> accounts.EXPIRY_SHIFT) * c.SETTLEMENT_GRID, uint40),
        seq=state._next_seq(),
    )
    return account


@internal
@view
def _check_owner_of(identity: uint256):
    assert msg.sender == accounts._owner_of(identity), "clearing: not the owner"


@internal
@view
def _check_auction_house():
    assert msg.sender == state.auction_house, "clearing: not the auction house"


@internal
def _set_paused_until(until: uint256):
    state._running = (state._running & (2**state.PAUSE_SHIFT - 1)) | (until << state.PAUSE_SHIFT)


@internal
def _set_rate(underlying: uint16, rate: int256):
    index: int256 = positions._set_rate(convert(underlying, uint256), rate)
    log IClearinghouse.FundingRateSet(underlying=underlying, rate=rate, index=index, seq=state._next_seq())
