# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Clearinghouse
@license AGPL-3.0-only
@notice Keeps accounts, cash and positions, and lets an action through only if every account it touches passes a margin
        check. An account passes by the first of three ways that its caller presents evidence for: headroom over its
        record (no signature, cost independent of the book), a report of the attesters on the margin after the action, or
        the worst case (no attester, no oracle). Deposits and settlement pass always; reductions of risk pass without
        initial margin. An account in auction only receives. Holds no tokens: the Vault does.
@custom:security Modules are trusted with trades, the Vault with cash that its tokens back, the auction house with frozen
        accounts, the gate with valuations.
@custom:kill A guardian pauses risk increases and withdrawals for at most seven days; deposits, reductions, settlement,
        auctions and worst-case withdrawals cannot be paused. The owner may replace modules, gate, Vault and auction house.
"""

from ..governance import pausing
from ..governance import roles
from ..interfaces import IAttestation
from ..interfaces import IClearinghouse
from ..interfaces import IMarginGate
from ..interfaces import IRiskOracle
from ..interfaces import IVault
from ..markets import instrument as ins
from ..risk import payoff
from ..units import constants as c
from ..units import fixed_point as fp
from . import accounts
from . import positions

# owner and guardian
initializes: roles
exports: (roles.owner, roles.guardian, roles.transfer_ownership, roles.set_guardian)
# a guardian's pause, which expires
initializes: pausing[roles := roles]
exports: (
    pausing.pause,
    pausing.unpause,
    pausing.paused_until,
    pausing.guardian_may_pause_from,
)
# identity, cash and counters
initializes: accounts
# legs
initializes: positions

implements: IClearinghouse

# Constants

SIGNED_WAD: constant(int256) = 10**18
MAX_LEGS: constant(uint256) = c.MAX_LEGS
LOW_128: constant(uint256) = 2**128 - 1
IMPAIRED: constant(uint256) = 1 << 192  # of the running word

# Storage

# Number of accounts; identifiers start at 1
_account_count: uint256
# cash is worth less than its face (1) << 192 | seq (64) << 128 | fees (128, WAD)
_running: uint256
# Packed by the gate, see risk/record.vy
_records: HashMap[uint256, uint256[4]]
# Contracts that may trade for accounts, by their owners' signed orders
modules: public(HashMap[address, bool])
# Stateless checks, and the oracle they speak of
gate: public(IMarginGate)
oracle: public(IRiskOracle)
# May freeze accounts and sell what they hold
auction_house: public(address)
# Keeps the tokens behind cash, and collateral
vault: public(address)


@deploy
def __init__(gate: IMarginGate, oracle: IRiskOracle):
    """
    @param gate Stateless checks.
    @param oracle Epochs.
    """
    roles.__init__()
    accounts.__init__()
    positions.__init__()
    self._set_gate(gate, oracle)


# Accounts


@external
def open_account(owner: address) -> uint256:
    """
    @notice Opens an account. Anyone may, for any owner.
    @param owner Who signs orders and withdraws.
    @return Its identifier.
    """
    assert owner != empty(address), "clearing: zero owner"
    account: uint256 = self._account_count + 1
    self._account_count = account
    accounts._identity[account] = convert(owner, uint256)
    log IClearinghouse.AccountOpened(account=account, owner=owner, seq=self._next_seq())
    return account


@external
def set_operator(account: uint256, operator: address, allowed: bool):
    """
    @notice Lets another address sign orders and withdraw, or stops it. Only the owner.
    """
    assert msg.sender == accounts._owner(account), "clearing: not the owner"
    accounts._operators[account][msg.sender][operator] = allowed
    log IClearinghouse.OperatorSet(
        account=account,
        operator=operator,
        allowed=allowed,
        seq=self._next_seq(),
    )


# Margin records


@external
def refresh(account: uint256, evidence: IAttestation.Evidence, statement: Bytes[6656]):
    """
    @notice Makes a leaf of a usable epoch the account's record. Anyone may.
    @param evidence The leaf, its proof, and the account's whole book now.
    @param statement Its epoch.
    """
    assert evidence.way == c.WAY_LEAF, "clearing: not a leaf"
    self._store_record(account, staticcall self.gate.adopt(self, account, evidence, statement))


# Trades


@external
def trade(
    trade: IClearinghouse.Trade,
    makerEvidence: IAttestation.Evidence,
    takerEvidence: IAttestation.Evidence,
    statement: Bytes[6656],
):
    """
    @notice Moves quantities and their prices between two accounts, if both pass. Only modules, which have the owners'
            signatures.
    @param trade What is traded; the module vouches that the instruments are listed.
    @param makerEvidence How the maker passes.
    @param takerEvidence How the taker passes.
    @param statement What both share.
    """
    assert self.modules[msg.sender], "clearing: not a module"
    assert trade.maker != trade.taker, "clearing: same account"
    assert len(trade.fills) != 0, "clearing: no fills"
    self._require_active(trade.maker, makerEvidence.way)
    self._require_active(trade.taker, takerEvidence.way)
    if min(makerEvidence.way, takerEvidence.way) < c.WAY_WORST_CASE:
        assert self._running & IMPAIRED == 0, "clearing: shortfall"
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS] = trade.fills
    instruments: DynArray[uint128, c.MAX_ORDER_LEGS] = []
    underlyings: uint256 = 0
    for fill: IClearinghouse.Fill in fills:
        assert fill.quantity != 0, "clearing: no quantity"
        instruments.append(fill.instrument)
        underlyings |= 1 << (ins._underlying(fill.instrument) - 1)
    units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS] = []
    if len(statement) != 0:
        units = staticcall self.gate.units(statement, instruments)
    maker: IMarginGate.Side = self._side(trade.maker, trade.makerFee, makerEvidence.way, 1, fills)
    taker: IMarginGate.Side = self._side(trade.taker, trade.takerFee, takerEvidence.way, -1, fills)
    self._fill(maker.account, maker.fee, 1, fills, units)
    self._fill(taker.account, taker.fee, -1, fills, units)
    if max(makerEvidence.way, takerEvidence.way) == c.WAY_HEADROOM:
        settled: DynArray[int256, 2] = staticcall self.gate.require_headroom(
            self, underlyings, [maker.account, taker.account]
        )
        self._lower_exempt(maker.account, settled[0])
        self._lower_exempt(taker.account, settled[1])
        return
    passed: IMarginGate.Passed[2] = staticcall self.gate.require_trade(
        self, trade.action, underlyings, maker, makerEvidence, taker, takerEvidence, statement
    )
    self._store_pass(maker.account, makerEvidence.way, passed[0])
    self._store_pass(taker.account, takerEvidence.way, passed[1])


@external
def settle(account: uint256, instruments: DynArray[uint128, 128]):
    """
    @notice Turns every expired leg with a final settlement price into cash, all of one expiry in one step. Anyone may.
    @param instruments The account's whole book, ascending.
    """
    legs: uint256 = self._legs(account)
    book: DynArray[uint256, MAX_LEGS] = positions._book(account, instruments, legs)
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    linear_left: bool = False
    group: uint256 = 0
    price: uint256 = 0
    closed: uint256 = 0
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        expiry: uint256 = ins._expiry(instrument)
        if expiry == 0 or expiry > block.timestamp:
            linear_left = linear_left or ins._kind(instrument) <= c.FUTURE
            continue
        if convert(instrument, uint256) >> 72 != group:
            group = convert(instrument, uint256) >> 72
            price = staticcall self.oracle.settlement_price(
                convert(ins._underlying(instrument), uint16),
                convert(expiry, uint40),
            )
        if price == 0:
            linear_left = linear_left or ins._kind(instrument) <= c.FUTURE
            continue
        quantity: int256 = ins._quantity_of(word)
        unit: int256 = payoff._payoff(instrument, price)
        cash += self._exact(quantity, convert(unit, uint256))
        positions._positions[positions._key(account, instrument)] = 0
        closed += 1
        self._record_change(account, instrument, c.CHANGE_SETTLEMENT, -quantity, convert(unit, uint256), 0, 0, cash)
    assert closed != 0, "clearing: nothing to settle"
    accounts._identity[account] -= closed << accounts.LEGS_SHIFT
    # with perps or futures left, cash says little about settled cash: then only what it lost counts
    if linear_left:
        lost: uint256 = convert(max(0, accounts._signed_high(accounts._money[account]) - cash), uint256)
        exempt -= min(exempt, lost)
    else:
        exempt = self._ratchet(exempt, cash)
    accounts._money[account] = accounts._pack_signed(cash, exempt)


# Auctions


@external
def set_frozen(account: uint256, frozen: bool):
    """
    @notice Stops an account from trading and withdrawing, or lets it again. Only the auction house.
    """
    assert msg.sender == self.auction_house, "clearing: not the auction house"
    identity: uint256 = accounts._identity[account] & ~accounts.FROZEN
    if frozen:
        identity |= accounts.FROZEN
    accounts._identity[account] = identity
    log IClearinghouse.AccountFrozen(account=account, frozen=frozen, seq=self._next_seq())


@external
def transfer_share(share: IClearinghouse.Share, instruments: DynArray[uint128, 128]):
    """
    @notice Moves a fraction of the legs and the cash of an account in auction to a buyer. Only the auction house, which
            has had the Vault move the collateral and cover the payout, and which makes the buyer pass afterwards.
    @param share What is moved at which price. Quantities are rounded towards zero to multiples of 1e10, cash down: what
           is rounded off stays with the seller.
    @param instruments The seller's whole book, ascending.
    """
    assert msg.sender == self.auction_house, "clearing: not the auction house"
    bought: IClearinghouse.Share = share
    assert bought.seller != bought.buyer, "clearing: same account"
    assert accounts._identity[bought.seller] & accounts.FROZEN != 0, "clearing: not in auction"
    self._require_active(bought.buyer, c.WAY_WORST_CASE)
    self._move_cash(bought, self._move_legs(bought, instruments))


@external
def store_pass(account: uint256, way: uint8, passed: IMarginGate.Passed):
    """
    @notice What follows from a pass: a leaf becomes the record, losses lower the exempt amount. Only the Vault and the
            auction house, after the gate let the account pass.
    """
    assert msg.sender == self.vault or msg.sender == self.auction_house, "clearing: not the vault"
    self._store_pass(account, way, passed)


# Cash, for the Vault


@external
def credit(account: uint256, cash: uint256, exempt: uint256) -> int256:
    """
    @notice Adds cash that tokens back. Only the Vault.
    @param cash WAD.
    @param exempt Part of the deposit that may leave again without the outflow limit, WAD.
    @return Cash afterwards, WAD.
    """
    self._check_vault()
    assert accounts._identity[account] != 0, "clearing: no such account"
    had: int256 = 0
    had_exempt: uint256 = 0
    had, had_exempt = self._money(account)
    had += convert(cash, int256)
    accounts._money[account] = accounts._pack_signed(had, had_exempt + exempt)
    return had


@external
def debit(account: uint256, cash: uint256, way: uint8) -> IClearinghouse.Debit:
    """
    @notice Takes cash, or only counts a withdrawal of collateral where it is zero. Only the Vault, which makes the
            account pass afterwards.
    @param cash WAD.
    @param way By which the account is going to pass.
    """
    self._check_vault()
    self._require_active(account, way)
    identity: uint256 = accounts._identity[account]
    accounts._identity[account] = identity + (1 << accounts.NONCE_SHIFT)
    had: int256 = 0
    exempt: uint256 = 0
    had, exempt = self._money(account)
    if cash != 0:
        accounts._money[account] = accounts._pack_signed(had - convert(cash, int256), exempt - min(exempt, cash))
    return IClearinghouse.Debit(
        cash=had - convert(cash, int256),
        exempt=exempt,
        nonce=convert((identity >> accounts.NONCE_SHIFT) & (2**32 - 1), uint64),
    )


@external
def note_collateral(account: uint256, index: uint256, kind: uint8, change: int256, held: bool) -> bytes32:
    """
    @notice A change of an account's collateral enters its book hash. Only the Vault.
    @param index Of the token, 1 to 8.
    @param kind CHANGE_* of constants.vy.
    @param change Signed, WAD.
    @param held Whether anything of the token is left.
    @return The book hash.
    """
    self._check_vault()
    identity: uint256 = accounts._identity[account]
    assert identity != 0, "clearing: no such account"
    bit: uint256 = 1 << (accounts.TOKENS_SHIFT + index - 1)
    changed: uint256 = identity & ~bit
    if held:
        changed = identity | bit
    if changed != identity:
        accounts._identity[account] = changed
    book_hash: bytes32 = accounts._fold(accounts._book_hash[account], kind, convert(index, uint128), change, 0)
    accounts._book_hash[account] = book_hash
    return book_hash


@external
def change_fees(change: int256):
    """
    @notice Takes fees that the Vault pays out, or adds what is left of a recovery. Only the Vault.
    @param change Signed, WAD; reverts below zero fees.
    """
    self._check_vault()
    running: uint256 = self._running
    fees: int256 = convert(running & LOW_128, int256) + change
    self._running = ((running >> 128) << 128) | convert(fees, uint256)


@external
def set_impaired(impaired: bool):
    """
    @notice While cash is worth less than its face, no risk increase passes by attestation. Only the Vault.
    """
    self._check_vault()
    self._running &= ~IMPAIRED
    if impaired:
        self._running |= IMPAIRED


# Administration


@external
def set_module(module: address, allowed: bool):
    """
    @notice Lets a contract trade for accounts, or stops it. Only the owner.
    """
    roles._check_owner()
    self.modules[module] = allowed
    log IClearinghouse.ModuleSet(module=module, allowed=allowed, seq=self._next_seq())


@external
def set_gate(gate: IMarginGate, oracle: IRiskOracle):
    """
    @notice Replaces the checks and the oracle. Only the owner.
    """
    roles._check_owner()
    self._set_gate(gate, oracle)


@external
def set_auction_house(auction_house: address):
    """
    @notice Names who liquidates. Only the owner.
    """
    roles._check_owner()
    self.auction_house = auction_house
    log IClearinghouse.AuctionHouseSet(auctionHouse=auction_house, seq=self._next_seq())


@external
def set_vault(vault: address):
    """
    @notice Names who keeps the tokens. Only the owner.
    """
    roles._check_owner()
    self.vault = vault
    log IClearinghouse.VaultSet(vault=vault, seq=self._next_seq())


# Views


@external
@view
def account(account: uint256) -> IClearinghouse.Account:
    """
    @notice The stored state of an account; zero where it does not exist.
    """
    identity: uint256 = accounts._identity[account]
    money: uint256 = accounts._money[account]
    counters: uint256 = accounts._counters[account]
    return IClearinghouse.Account(
        owner=accounts._owner(account),
        legCount=(identity >> accounts.LEGS_SHIFT) & 255,
        withdrawNonce=convert((identity >> accounts.NONCE_SHIFT) & (2**32 - 1), uint64),
        perps=(identity >> accounts.PERPS_SHIFT) & accounts.PERPS_MASK,
        tokens=(identity >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK,
        frozen=identity & accounts.FROZEN != 0,
        cash=accounts._signed_high(money),
        exempt=money & LOW_128,
        addedIM=counters >> 128,
        addedMark=accounts._signed_low(counters),
        bookHash=accounts._book_hash[account],
    )


@external
@view
@reentrant
def standing(account: uint256, recorded: bool) -> IMarginGate.Standing:
    """
    @notice All that the chain knows of an account, apart from its legs.
    @param recorded With the record: four words that not every way needs.
    """
    identity: uint256 = accounts._identity[account]
    standing: IMarginGate.Standing = IMarginGate.Standing(
        account=account,
        legs=(identity >> accounts.LEGS_SHIFT) & 255,
        bookHash=accounts._book_hash[account],
        counters=accounts._counters[account],
        liquid=accounts._signed_high(accounts._money[account])
        + positions._funding(account, (identity >> accounts.PERPS_SHIFT) & accounts.PERPS_MASK),
        collateral=[],
        record=empty(uint256[4]),
        frozen=identity & accounts.FROZEN != 0,
    )
    tokens: uint256 = (identity >> accounts.TOKENS_SHIFT) & accounts.TOKENS_MASK
    if tokens != 0:
        standing.collateral = staticcall IVault(self.vault).words(account, tokens)
    if recorded:
        standing.record = self._records[account]
    return standing


@external
@view
@reentrant
def book(account: uint256, instruments: DynArray[uint128, 128]) -> DynArray[uint256, 128]:
    """
    @notice The account's whole book as words; reverts unless the instruments are all it holds, ascending.
    """
    return positions._book(account, instruments, self._legs(account))


@external
@view
@reentrant
def position(account: uint256, instrument: uint128) -> IClearinghouse.Position:
    """
    @notice Quantity and, of a perp, the funding index at the last touch.
    """
    return positions._position(account, instrument)


@external
@view
def may_act(account: uint256, actor: address) -> bool:
    """
    @notice Whether an address may sign for an account: its owner or an operator.
    """
    return accounts._may_act(account, actor)


@external
@view
def totals() -> IClearinghouse.Totals:
    """
    @notice Protocol-wide sums, WAD.
    """
    return IClearinghouse.Totals(
        accounts=self._account_count,
        fees=self._running & LOW_128,
        seq=convert((self._running >> 128) & (2**64 - 1), uint64),
        pausedUntil=pausing.paused_until,
    )


@external
@view
def fees() -> uint256:
    """
    @notice Fees not yet paid out, WAD.
    """
    return self._running & LOW_128


@external
@view
def funding_index(underlying: uint16) -> int256:
    """
    @notice Cash that one long unit of the perp has paid since the start, WAD. Stays 0 until funding rates exist.
    """
    return positions._funding_index[convert(underlying, uint256)]


# Fills


@internal
def _fill(
    account: uint256,
    whole_fee: uint256,
    sign: int256,
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS],
    units: DynArray[IMarginGate.Unit, c.MAX_ORDER_LEGS],
):
    """
    @notice One side of a trade: positions, cash, counters, book hash.
    @param sign 1: the maker, -1: the taker.
    @param units Of each fill's instrument, or none: then the counters stay, and only a new statement passes.
    """
    fee: uint256 = whole_fee
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    identity: uint256 = accounts._identity[account]
    before: uint256 = identity
    for i: uint256 in range(len(fills), bound=c.MAX_ORDER_LEGS):
        instrument: uint128 = fills[i].instrument
        quantity: int256 = fills[i].quantity * sign
        price: uint256 = fills[i].price
        if ins._kind(instrument) == c.PERP:
            cash += positions._accrued(account, ins._underlying(instrument), instrument)
        old: int256 = positions._quantity(account, instrument)
        identity = self._set_leg(account, identity, instrument, old, old + quantity)
        paid: int256 = self._exact(quantity, price)
        cash -= paid + convert(fee, int256)
        kind: uint8 = c.CHANGE_UNCOUNTED_FILL
        if len(units) != 0:
            kind = c.CHANGE_FILL
            self._count(account, instrument, quantity, paid, units[i])
        self._record_change(account, instrument, kind, quantity, price, fee, old + quantity, cash)
        # the fee is of the whole trade: the first fill carries it
        fee = 0
    if identity != before:
        accounts._identity[account] = identity
    accounts._money[account] = accounts._pack_signed(cash, exempt)
    if whole_fee != 0:
        self._running += whole_fee


@internal
def _set_leg(account: uint256, identity: uint256, instrument: uint128, old: int256, new: int256) -> uint256:
    """
    @notice Writes a position.
    @return The identity with the number of legs and the perps held afterwards; the caller stores it.
    """
    assert abs(new) <= convert(c.MAX_QUANTITY, int256), "clearing: position too large"
    underlying: uint256 = ins._underlying(instrument)
    is_perp: bool = ins._kind(instrument) == c.PERP
    positions._set(account, instrument, underlying, new, is_perp)
    if (old == 0) == (new == 0):
        return identity
    changed: uint256 = identity
    if old == 0:
        assert (identity >> accounts.LEGS_SHIFT) & 255 < MAX_LEGS, "clearing: too many legs"
        changed += 1 << accounts.LEGS_SHIFT
    else:
        changed -= 1 << accounts.LEGS_SHIFT
    if is_perp:
        changed ^= 1 << (accounts.PERPS_SHIFT + underlying - 1)
    return changed


@internal
def _count(account: uint256, instrument: uint128, quantity: int256, paid: int256, unit: IMarginGate.Unit):
    """
    @notice U, Q and the record after a fill. Q takes the adverse of price and mark: a gain against the mark is never
            credited, a loss always charged.
    """
    credited: int256 = min(paid, fp._signed_mul_down(quantity, convert(unit.mark, int256)))
    alone: uint256 = unit.imLong
    if quantity < 0:
        alone = unit.imShort
    linear: int256 = 0
    if ins._kind(instrument) <= c.FUTURE:
        linear = credited
    expiry: uint256 = ins._expiry(instrument)
    if expiry == 0:
        expiry = max_value(uint256)
    self._extend(account, fp._mul_up(convert(abs(quantity), uint256), alone), credited, linear, expiry)


@internal
def _extend(account: uint256, added: uint256, credited: int256, linear: int256, expiry: uint256):
    """
    @notice What an addition does to the counters, and to the record's linear value and earliest expiry.
    @param added Stand-alone initial margin, WAD.
    @param credited To the mark, WAD.
    @param linear To the lower bound of perps and futures, WAD.
    @param expiry Earliest of what was added; above 2**40: none.
    """
    counters: uint256 = accounts._counters[account]
    accounts._counters[account] = accounts._pack_signed_low(
        (counters >> 128) + added, accounts._signed_low(counters) + credited
    )
    word: uint256 = self._records[account][3]
    earliest: uint256 = min(expiry, (word >> 128) & (2**40 - 1))
    changed: uint256 = accounts._pack_signed_low(((word >> 168) << 40) | earliest, accounts._signed_low(word) + linear)
    if changed != word:
        self._records[account][3] = changed


@internal
def _record_change(
    account: uint256,
    instrument: uint128,
    kind: uint8,
    quantity: int256,
    price: uint256,
    fee: uint256,
    position: int256,
    cash: int256,
):
    """
    @notice One more link of the book hash, and the event that carries the state afterwards.
    """
    book_hash: bytes32 = accounts._fold(accounts._book_hash[account], kind, instrument, quantity, price)
    accounts._book_hash[account] = book_hash
    counters: uint256 = accounts._counters[account]
    log IClearinghouse.PositionChanged(
        account=account,
        instrument=instrument,
        kind=kind,
        quantity=quantity,
        price=price,
        fee=fee,
        position=position,
        cash=cash,
        addedIM=counters >> 128,
        addedMark=accounts._signed_low(counters),
        bookHash=book_hash,
        seq=self._next_seq(),
    )


# Shares of accounts in auction


@internal
def _move_legs(share: IClearinghouse.Share, instruments: DynArray[uint128, MAX_LEGS]) -> DynArray[uint256, MAX_LEGS]:
    """
    @notice The fraction of every leg. Funding becomes cash on both sides first.
    @return Words: instrument | quantity moved.
    """
    self._realise_funding(share.seller)
    self._realise_funding(share.buyer)
    book: DynArray[uint256, MAX_LEGS] = positions._book(share.seller, instruments, self._legs(share.seller))
    seller: uint256 = accounts._identity[share.seller]
    buyer: uint256 = accounts._identity[share.buyer]
    unit: int256 = convert(c.PRICE_UNIT, int256)
    moved: DynArray[uint256, MAX_LEGS] = []
    for word: uint256 in book:
        instrument: uint128 = ins._instrument_of(word)
        held: int256 = ins._quantity_of(word)
        quantity: int256 = held
        if share.fraction != c.WAD:
            quantity = held * convert(share.fraction, int256) // SIGNED_WAD // unit * unit
        if quantity == 0:
            continue
        old: int256 = positions._quantity(share.buyer, instrument)
        seller = self._set_leg(share.seller, seller, instrument, held, held - quantity)
        buyer = self._set_leg(share.buyer, buyer, instrument, old, old + quantity)
        moved.append(ins._word(instrument, quantity))
    accounts._identity[share.seller] = seller
    accounts._identity[share.buyer] = buyer
    return moved


@internal
def _move_cash(share: IClearinghouse.Share, words: DynArray[uint256, MAX_LEGS]):
    """
    @notice Cash, price and payout; the counters of the buyer; both book hashes and the event.
    """
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(share.seller)
    moved: int256 = fp._signed_mul_down(cash, convert(share.fraction, int256))
    price: int256 = convert(share.price, int256)
    cash += price - moved
    # a share of the deposits leaves with the cash, and losses leave for good
    exempt = self._ratchet(fp._mul_down(exempt, c.WAD - share.fraction), cash)
    accounts._money[share.seller] = accounts._pack_signed(cash, exempt)
    own: int256 = 0
    own_exempt: uint256 = 0
    own, own_exempt = self._money(share.buyer)
    own += moved - price + convert(share.payout, int256)
    # paying cash for legs is no gain to take out later
    own_exempt = own_exempt - min(own_exempt, convert(max(0, price - moved), uint256))
    accounts._money[share.buyer] = accounts._pack_signed(own, own_exempt)
    # what the buyer gains against the marks is not credited
    self._extend(
        share.buyer,
        share.initialMargin,
        min(share.mark, price - moved - share.collateral),
        share.linear,
        share.earliest,
    )
    fraction: int256 = convert(share.fraction, int256)
    seller_hash: bytes32 = accounts._fold(accounts._book_hash[share.seller], c.CHANGE_AUCTION, 0, -fraction, 0)
    buyer_hash: bytes32 = accounts._fold(accounts._book_hash[share.buyer], c.CHANGE_PURCHASE, 0, fraction, share.seller)
    accounts._book_hash[share.seller] = seller_hash
    accounts._book_hash[share.buyer] = buyer_hash
    counters: uint256 = accounts._counters[share.buyer]
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
        seq=self._next_seq(),
    )


@internal
def _realise_funding(account: uint256):
    """
    @notice Funding accrued on all perps becomes cash.
    """
    perps: uint256 = (accounts._identity[account] >> accounts.PERPS_SHIFT) & accounts.PERPS_MASK
    if perps == 0:
        return
    accrued: int256 = positions._touch(account, perps)
    if accrued != 0:
        cash: int256 = 0
        exempt: uint256 = 0
        cash, exempt = self._money(account)
        accounts._money[account] = accounts._pack_signed(cash + accrued, exempt)


# Passing


@internal
@view
def _require_active(account: uint256, way: uint8):
    """
    @notice Reverts if the account is in auction, or the way one that does not pass now.
    """
    identity: uint256 = accounts._identity[account]
    assert identity != 0, "clearing: no such account"
    assert identity & accounts.FROZEN == 0, "clearing: in auction"
    if way < c.WAY_WORST_CASE:
        pausing._require_not_paused()


@internal
@view
def _side(
    account: uint256,
    fee: uint256,
    way: uint8,
    sign: int256,
    fills: DynArray[IClearinghouse.Fill, c.MAX_ORDER_LEGS],
) -> IMarginGate.Side:
    """
    @notice One side of a trade before its fills, with what a reduction is measured against.
    """
    side: IMarginGate.Side = empty(IMarginGate.Side)
    side.account = account
    side.fee = fee
    if way == c.WAY_REDUCE_REPORT:
        side.before = staticcall self.gate.measure(self, account)
    elif way == c.WAY_REDUCE_AT_MARK:
        assert len(fills) == 1, "clearing: not the whole book"
        side.instrument = fills[0].instrument
        side.quantity = fills[0].quantity * sign
        side.price = fills[0].price
    return side


@internal
def _store_pass(account: uint256, way: uint8, passed: IMarginGate.Passed):
    """
    @notice What follows from a pass: a leaf becomes the record, losses lower the exempt amount.
    """
    if way == c.WAY_LEAF:
        self._store_record(account, passed.record)
    self._lower_exempt(account, passed.settled)


@internal
def _lower_exempt(account: uint256, settled: int256):
    cash: int256 = 0
    exempt: uint256 = 0
    cash, exempt = self._money(account)
    lowered: uint256 = self._ratchet(exempt, settled)
    if lowered != exempt:
        accounts._money[account] = accounts._pack_signed(cash, lowered)


@internal
def _store_record(account: uint256, record: uint256[4]):
    """
    @notice Makes the margin of a leaf the account's record. A report passes its one action and leaves no record: what it
            says of a book that others have not seen yet is not worth four words of storage.
    """
    epoch: uint256 = record[0] >> 192
    assert epoch >= self._records[account][0] >> 192, "clearing: older than the record"
    self._records[account] = record
    log IClearinghouse.RecordSet(account=account, epoch=convert(epoch, uint64), seq=self._next_seq())


# Small things


@internal
@view
def _check_vault():
    assert msg.sender == self.vault, "clearing: not the vault"


@internal
def _set_gate(gate: IMarginGate, oracle: IRiskOracle):
    assert staticcall gate.require_succeeds(oracle.address, self.oracle.address)
    self.gate = gate
    self.oracle = oracle
    log IClearinghouse.GateSet(gate=gate.address, oracle=oracle.address, seq=self._next_seq())


@internal
def _next_seq() -> uint64:
    running: uint256 = self._running + (1 << 128)
    self._running = running
    return convert((running >> 128) & (2**64 - 1), uint64)


@internal
@view
def _legs(account: uint256) -> uint256:
    return (accounts._identity[account] >> accounts.LEGS_SHIFT) & 255


@internal
@view
def _money(account: uint256) -> (int256, uint256):
    """
    @notice Cash and the exempt amount, WAD.
    """
    word: uint256 = accounts._money[account]
    return accounts._signed_high(word), word & LOW_128


@internal
@pure
def _ratchet(exempt: uint256, settled: int256) -> uint256:
    """
    @notice Realised losses leave the exempt amount for good: realised gains never re-enter it.
    """
    return min(exempt, convert(max(0, settled), uint256))


@internal
@pure
def _exact(quantity: int256, price: uint256) -> int256:
    """
    @notice quantity * price where both are multiples of 1e10: nothing is rounded.
    """
    product: int256 = quantity * convert(price, int256)
    result: int256 = product // SIGNED_WAD
    assert result * SIGNED_WAD == product, "clearing: inexact amount"
    return result
